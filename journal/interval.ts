/** What a timeline knows of an interval of a run that it has gone through: who took its steps, and where it wrote. */
import type { Machine, RunFollower } from "../machine/machine.ts";
import type { AccessControls } from "../machine/memory/tlb.ts";
import type { TranslationControls } from "../machine/memory/translation_controls.ts";

/** From one instant on, the steps are of one CPU. */
export interface Turn {
  /** First instant. */
  readonly instant: number;
  /** The CPU. */
  readonly cpu: number;
}

/** Facts of an interval; `written` and `controls` may hold more than was so, never less. */
export interface Interval {
  /** Turns in order, the first at the interval's beginning; neighbours are of different CPUs. */
  readonly turns: readonly Turn[];
  /** Numbers of the pages of the machine's memory that were written, ascending. */
  readonly written: Uint32Array;
  /** Controls of translation under which accesses were made. */
  readonly controls: readonly TranslationControls[];
}

/** Translation tables of address space identifiers apart are the same. */
const BASE = (1n << 48n) - 1n;

function keyOf({ registers, translation: { stage1 } }: AccessControls): string {
  const { ttbr0, ttbr1, ...others } = registers;
  const { regime, secure } = stage1;
  return [regime, secure, ttbr0 & BASE, ttbr1 & BASE, ...Object.values(others)].join();
}

/** The facts of two neighbouring intervals as those of one. */
export function joined(left: Interval, right: Interval): Interval {
  const last = left.turns.at(-1)?.cpu, [first, ...rest] = right.turns;
  const turns = first === undefined || first.cpu === last ? rest : right.turns;
  return {
    turns: [...left.turns, ...turns],
    written: Uint32Array.from(new Set([...left.written, ...right.written])).sort(),
    controls: [...new Set([...left.controls, ...right.controls])],
  };
}

/** The facts of the part of an interval that begins at an instant in it. */
export function partFrom({ turns, ...others }: Interval, instant: number): Interval {
  const index = turns.findLastIndex((turn) => turn.instant <= instant);
  const { cpu } = turns[index] as Turn;
  return { turns: [{ instant, cpu }, ...turns.slice(index + 1)], ...others };
}

/** The facts of the part that ends at one. */
export function partUpTo({ turns, ...others }: Interval, instant: number): Interval {
  return { turns: turns.filter((turn) => turn.instant < instant), ...others };
}

/** Bytes that an interval takes, about. */
export function sizeOf({ turns, written, controls }: Interval): number {
  return 256 + turns.length * 48 + written.byteLength + controls.length * 8;
}

/** Gathers the facts of one interval at a time while a machine runs through it. */
export class IntervalRecorder implements RunFollower {
  #turns: Turn[] = [];
  #controls = new Set<AccessControls>();
  /** Equal controls are one object for all intervals. */
  readonly #known = new Map<string, TranslationControls>();

  /** The machine's memory and clock are looked at, its follower set. */
  constructor(private readonly machine: Machine) {}

  /** Begins an interval at the present instant. */
  begin(): void {
    const { machine } = this;
    machine.takeWrittenPages();
    this.#turns = [{ instant: machine.instant, cpu: machine.currentCpu.index }];
    this.#controls.clear();
    machine.follow(this);
  }

  /** See RunFollower. */
  turnBegan(cpu: number): void {
    const { instant } = this.machine;
    while ((this.#turns.at(-1)?.instant ?? -1) >= instant) this.#turns.pop();
    if (this.#turns.at(-1)?.cpu !== cpu) this.#turns.push({ instant, cpu });
  }

  /** See RunFollower. */
  controlsEnforced(controls: AccessControls): void {
    this.#controls.add(controls);
  }

  /** The facts so far; gathering goes on. */
  facts(): Interval {
    const written = Uint32Array.from(this.machine.takeWrittenPages()).sort();
    const controls = [...this.#controls].map((controls) => {
      const key = keyOf(controls), known = this.#known.get(key) ?? controls.translation;
      this.#known.set(key, known);
      return known;
    });
    return { turns: this.#turns, written, controls: [...new Set(controls)] };
  }
}
