/** What an operator can ask of time-scale: `monitor el2 time-scale …` in a script, or after Ctrl-A c. */
import { InputRefusedError } from "../../../machine/errors.ts";
import { parseScale, type Scale } from "./scale.ts";
import { FREQUENCY, type VirtualTime } from "./virtual_time.ts";

/** What is asked before anything changes. */
export interface CommandChecks {
  /** Throws InputRefusedError when a scale cannot be taken. */
  refuse(scale: Scale): void;
  /** Counts that a CPU is ahead; undefined when there is no such CPU. */
  skew(cpu: number): bigint | undefined;
}

/** What a command changes. */
export interface Change {
  /** The guest's counter. */
  readonly time: VirtualTime;
  /** The machine's count now. */
  readonly count: bigint;
  /** Sets how far a CPU is ahead. */
  setSkew(cpu: number, counts: bigint): void;
}

type Command = (words: readonly string[], checks: CommandChecks) => (change: Change) => void;

const USAGE = "use freeze, thaw, scale N/D, ramp N/D MICROSECONDS, skew CPU COUNTS or migrate HZ";

function refused(why: string): InputRefusedError {
  return new InputRefusedError(`Cannot do that to the guest's time: ${why}`);
}

function whole(text: string | undefined, least: number, most: number, what: string): number {
  const value = /^\d{1,15}$/.test(text ?? "") ? Number(text) : -1;
  if (value < least || value > most) throw refused(`${what} is a number from ${least} to ${most}; ${USAGE}`);
  return value;
}

function scaleOf(text: string | undefined, checks: CommandChecks): Scale {
  const scale = parseScale(text ?? "");
  if (scale === undefined) throw refused(`"${text ?? ""}" is no scale; ${USAGE}`);
  checks.refuse(scale);
  return scale;
}

/** A day: ramps end within virtual time. */
const LONGEST_RAMP = 86_400_000_000;
const COUNTS_PER_MICROSECOND = { numerator: FREQUENCY, denominator: 1_000_000n };
const SLOWEST_HOST = 1_000_000, FASTEST_HOST = 1_000_000_000;
const MOST_SKEW = 2 ** 48 - 1;

const COMMANDS: Readonly<Record<string, { readonly words: number; readonly read: Command }>> = {
  freeze: { words: 0, read: () => ({ time, count }) => time.freeze(count) },
  thaw: { words: 0, read: () => ({ time, count }) => time.setScale(count, time.scale) },
  scale: {
    words: 1,
    read: ([text], checks) => {
      const scale = scaleOf(text, checks);
      return ({ time, count }) => time.setScale(count, scale);
    },
  },
  ramp: {
    words: 2,
    read: ([text, within], checks) => {
      const scale = scaleOf(text, checks);
      const microseconds = BigInt(whole(within, 1, LONGEST_RAMP, "the duration of a ramp in microseconds"));
      const { numerator, denominator } = COUNTS_PER_MICROSECOND;
      const duration = microseconds * numerator / denominator;
      return ({ time, count }) => time.ramp(count, scale, duration > 0n ? duration : 1n);
    },
  },
  skew: {
    words: 2,
    read: ([index, text], checks) => {
      const cpu = whole(index, 0, 7, "a CPU"), counts = BigInt(whole(text, 0, MOST_SKEW, "a skew in counts"));
      const before = checks.skew(cpu);
      if (before === undefined) throw refused(`there is no cpu${cpu}`);
      if (counts < before) {
        throw refused(`cpu${cpu} is ${before} counts ahead, and its time does not go backwards`);
      }
      return ({ setSkew }) => setSkew(cpu, counts);
    },
  },
  migrate: {
    words: 1,
    read: ([text]) => {
      const frequency = whole(text, SLOWEST_HOST, FASTEST_HOST, "a host's CNTFRQ in Hz");
      return ({ time, count }) => time.migrate(count, BigInt(frequency));
    },
  },
};

/** Reads a command; throws InputRefusedError for what is none, or cannot be done, with nothing changed. */
export function commandOf(
  [name = "", ...words]: readonly string[],
  checks: CommandChecks,
): (change: Change) => void {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw refused(`there is no command "${name}"; ${USAGE}`);
  if (words.length !== command.words) throw refused(`${name} takes ${command.words} words; ${USAGE}`);
  return command.read(words, checks);
}
