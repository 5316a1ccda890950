/** What generated code may rely on at the present exception level: words of SHARED that hold until a burst ends. */
import type { Cpu } from "../cpu/cpu.ts";
import { isFloatTrapped } from "../cpu/helpers.ts";
import { isSetWayTrapped, isZeroBlockTrapped } from "../cpu/system_instructions.ts";
import { counterOffset, type CounterView, isCounterTrapped } from "../cpu/system_registers_timer.ts";
import { mayTrapFineGrained } from "../cpu/fine_grained_traps.ts";
import { pointerRules } from "../cpu/pointer_authentication.ts";
import { isKernelQuiet, isQuiet, isSettled } from "../cpu/quiet.ts";
import { SHARED } from "./threaded_layout.ts";

/** Steps of the longest burst: `left` is 32 bits, as a signed number. */
export const LARGEST_BURST = 2 ** 30;

const EXTENSIONS = Array.from({ length: 8 }, (_, word) => SHARED.pointerExtensions + word * 4);

/** Words that depend on the level; all but `quiet`, `kernel` and `untrapped` are found out when somebody asks for them. */
const PLACES = [
  ...[
    SHARED.floatEnabled,
    SHARED.zeroEnabled,
    SHARED.quiet,
    SHARED.kernel,
    SHARED.pointerKeys,
    SHARED.untrapped,
    SHARED.physicalCount,
    SHARED.virtualCount,
    SHARED.setWay,
    ...[SHARED.physicalOffset, SHARED.physicalOffset + 4, SHARED.virtualOffset, SHARED.virtualOffset + 4],
  ],
  ...EXTENSIONS,
].map((place) => place >> 2);
const COUNT = PLACES.length;
/** Where it is said whether the last of them are known. */
const KEYS = PLACES.indexOf(SHARED.pointerKeys >> 2);

/** Keeps the words of levels that a burst goes back and forth between. */
export class LevelWords {
  readonly #kept = new Int32Array(4 * COUNT);
  /** Bits of the levels whose words are kept. */
  #known = 0;
  #level = 0;

  /** `words` are those of the block SHARED. */
  constructor(private readonly words: Int32Array<ArrayBuffer>) {}

  /** A burst begins. */
  begin(cpu: Cpu): void {
    this.#known = 0;
    this.words[SHARED.settled >> 2] = isSettled(cpu) ? 1 : 0;
    this.#ask(cpu);
  }

  /** The burst goes on, maybe at another level, or with another stack pointer. */
  changed(cpu: Cpu): void {
    const { words } = this, before = this.#level, now = cpu.el;
    if (now === before) return this.#putPrivilege(cpu);
    const kept = words[SHARED.pointerKeys >> 2] === 0 ? KEYS + 1 : COUNT;
    for (let at = 0; at < kept; at++) {
      this.#kept[before * COUNT + at] = words[PLACES[at] as number] as number;
    }
    this.#known |= 1 << before;
    if ((this.#known >> now & 1) === 0) return this.#ask(cpu);
    const known = this.#kept[now * COUNT + KEYS] === 0 ? KEYS + 1 : COUNT;
    for (let at = 0; at < known; at++) {
      words[PLACES[at] as number] = this.#kept[now * COUNT + at] as number;
    }
    this.#level = now;
    this.#putPrivilege(cpu);
  }

  /** Finds out what traps of what instructions do not need to be evaluated for. */
  askTraps(cpu: Cpu): void {
    const { words } = this;
    words[SHARED.floatEnabled >> 2] = isFloatTrapped(cpu) ? 0 : 1;
    words[SHARED.zeroEnabled >> 2] = isZeroBlockTrapped(cpu) ? 0 : 1;
    words[SHARED.setWay >> 2] = isSetWayTrapped(cpu) ? 0 : 1;
    this.#askCounter(cpu, "physical", SHARED.physicalCount, SHARED.physicalOffset);
    this.#askCounter(cpu, "virtual", SHARED.virtualCount, SHARED.virtualOffset);
    this.#askPointers(cpu);
  }

  #askCounter(cpu: Cpu, view: CounterView, place: number, offsetPlace: number): void {
    const { words } = this;
    if (words[place >> 2] !== 0 || !isTimeSafe(cpu) || isCounterTrapped(cpu, view)) return;
    words[place >> 2] = 1;
    const offset = counterOffset(cpu, view);
    words[offsetPlace >> 2] = Number(BigInt.asIntN(32, offset));
    words[(offsetPlace >> 2) + 1] = Number(BigInt.asIntN(32, offset >> 32n));
  }

  /** Finds out how pointers are signed, if that is not known. */
  #askPointers(cpu: Cpu): void {
    const { words } = this;
    if (words[SHARED.pointerKeys >> 2] !== 0) return;
    const rules = pointerRules(cpu);
    if (rules === undefined) return;
    words[SHARED.pointerKeys >> 2] = rules.keys;
    for (const [index, extension] of rules.extensions.entries()) {
      words[(EXTENSIONS[index * 2] as number) >> 2] = Number(BigInt.asIntN(32, extension));
      words[(EXTENSIONS[index * 2 + 1] as number) >> 2] = Number(BigInt.asIntN(32, extension >> 32n));
    }
  }

  #ask(cpu: Cpu): void {
    const { words } = this, quiet = isQuiet(cpu);
    this.#level = cpu.el;
    words[SHARED.floatEnabled >> 2] = 0;
    words[SHARED.zeroEnabled >> 2] = 0;
    words[SHARED.physicalCount >> 2] = 0;
    words[SHARED.virtualCount >> 2] = 0;
    words[SHARED.setWay >> 2] = 0;
    words[SHARED.pointerKeys >> 2] = 0;
    words[SHARED.untrapped >> 2] = mayTrapFineGrained(cpu) ? 0 : 1;
    words[SHARED.quiet >> 2] = quiet ? 1 : 0;
    words[SHARED.kernel >> 2] = quiet && isKernelQuiet(cpu) ? 1 : 0;
    this.#putPrivilege(cpu);
  }

  #putPrivilege(cpu: Cpu): void {
    this.words[SHARED.privileged >> 2] = cpu.el > 0 && cpu.spSel === 1 ? 1 : 0;
    this.words[SHARED.currentLevel >> 2] = cpu.el << 2;
  }
}

/** Virtual time does not run out in this burst. */
function isTimeSafe({ surroundings: { clock } }: Cpu): boolean {
  return clock.now + LARGEST_BURST * clock.nanosecondsPerStep <= Number.MAX_SAFE_INTEGER;
}
