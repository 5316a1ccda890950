/** Unmodified U-Boot sleeps ten of its seconds at several scales; it reads nothing but CNTPCT_EL0. */
import { VirtualTime } from "../../../hypervisor/systems/time_scale/virtual_time.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { type CounterRead, followReads, type Fraction, FREQUENCY, offBy } from "./reads.ts";

/** Seconds that it sleeps. */
const SECONDS = 10;
/** Guest nanoseconds of a step: the default makes a read each microsecond; longer ones make fewer, and change nothing else. */
const QUICK_STEP = 4000;
/** `sleep` asks in milliseconds, and between two questions waits for 100 µs by the same counter. */
const MILLISECOND = FREQUENCY / 1000;

const SCRIPT = [
  ...['expect "Hit any key"', 'send " "', 'expect "=> "'],
  ...[`send "sleep ${SECONDS}\\r"`, 'expect "=> "', "power cut"],
];

interface Sleep {
  /** The first and the last read after the command was typed. */
  first?: CounterRead;
  last?: CounterRead;
  reads: number;
  /** Most that a read was away from its machine's count times the scale. */
  worst: number;
}

/** What the sleep should have been, by the guest's own rules. */
function judge({ first, last, reads, worst }: Sleep, [numerator, denominator]: Fraction): CheckOutcome {
  const failures: string[] = [];
  if (first === undefined || last === undefined) return { failures: ["U-Boot read no counter"], figures: {} };
  const guest = last.guest - first.guest, machine = last.machine - first.machine;
  if (worst > 1) failures.push(`a read is ${worst} counts away from its machine's count times the scale`);
  if (guest < SECONDS * FREQUENCY - MILLISECOND || guest > SECONDS * FREQUENCY + 2 * MILLISECOND) {
    failures.push(`U-Boot slept ${guest} of its counts, not ${SECONDS * FREQUENCY} to a millisecond`);
  }
  const time = new VirtualTime();
  time.reset(0n, { numerator, denominator });
  const from = BigInt(first.guest), to = from + BigInt(SECONDS * FREQUENCY);
  const ticks = Number((time.firstReaching(to) ?? 0n) - (time.firstReaching(from) ?? 0n));
  const exact = SECONDS * FREQUENCY * denominator / numerator;
  if (Math.abs(ticks - exact) > 1) failures.push(`ten guest seconds are ${ticks} counts, not ${exact} ± 1`);
  // Between its own reads: what is left of the millisecond it began in, and a poll at the end.
  const slack = 2 * MILLISECOND * denominator / numerator;
  if (Math.abs(machine - exact) > slack) {
    failures.push(`the sleep took ${machine} counts, not ${exact} ± ${slack}`);
  }
  return {
    failures,
    figures: {
      "machine counts of 10 guest seconds": `${ticks} (10·f/scale = ${exact})`,
      "machine counts between first and last read": machine,
      "guest counts between them": guest,
      "counter reads": reads,
      "furthest read": `${worst} counts`,
    },
  };
}

/** One scale. */
export async function sleepAt(context: CheckContext, scale: Fraction): Promise<CheckOutcome> {
  const text = scale[1] === 1 ? `${scale[0]}` : scale.join("/");
  const step = Math.round(QUICK_STEP * scale[1] / scale[0]);
  const recorded = await context.record({
    options: [
      ...[
        "-bios",
        context.guest("u-boot/u-boot.bin"),
        "-m",
        "64M",
        "--monitor",
        `el2:time-scale,scale=${text}`,
      ],
      ...(context.all ? [] : ["--step-time", String(step)]),
    ],
    script: SCRIPT,
    depth: "inputs",
    seconds: 3600,
  });
  const typed = recorded.run.inputs.findLast(({ kind }) => kind === "consoleReceived")?.instant ?? 0;
  const sleep: Sleep = { reads: 0, worst: 0 };
  await followReads(context, recorded, (read) => {
    if (read.instant < typed) return;
    sleep.first ??= read;
    sleep.last = read;
    sleep.reads++;
    sleep.worst = Math.max(sleep.worst, Math.abs(offBy(read, scale)));
  });
  return judge(sleep, scale);
}
