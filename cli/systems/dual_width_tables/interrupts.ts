/**
 * An interrupt at every step boundary while EL0 calls the kernel: taken to EL2 from EL0, from EL1 in the shim, or once the
 * kernel is left; processes see nothing of it, but that they take turns.
 */
import { createHash } from "node:crypto";
import { KERNEL_BASE, type KernelForm } from "../../../firmware/dual_width/layout.ts";
import { protectionProbe, turnTaker } from "../../../firmware/dual_width/programs.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import type { EventOf } from "../../../machine/events.ts";
import { Machine, type Snapshot } from "../../../machine/machine.ts";
import type { CheckContext } from "../scenario.ts";
import { build, MODELS } from "./images.ts";
import { firstDifference, UserJournal } from "./user_journal.ts";

/** The timer of EL2. */
const TIMER = 26;
/** Ticks between interrupts that are so many that none comes by itself. */
const NEVER = 0x4000_0000;
/** The exceptions of EL0, counted in the run, that are interrupted. */
const FIRST = 1, LAST = 9;
/** Boundaries before each and behind it; all up to the next one are tried for one of them, or with `--all`. */
const BEFORE = 3, AFTER = 5, WHOLE = 2;
const LIMIT = 100_000;

/** What came of one boundary. */
interface Outcome {
  readonly lines: readonly string[];
  readonly from: number | undefined;
}

/** Step boundaries around the calls, in order. */
function* boundaries(calls: readonly number[], all: boolean): Generator<number> {
  for (let index = FIRST; index <= LAST; index++) {
    const call = calls[index] as number, next = calls[index + 1] as number;
    const end = all || index === WHOLE ? next - BEFORE : call + AFTER;
    for (let instant = call - BEFORE; instant < end; instant++) yield instant;
  }
}

/** A machine that can be taken back to before a system call. */
class Bench {
  readonly #machine: Machine;
  readonly #snapshot: Snapshot;
  readonly #image;
  /** The boundaries to be tried. */
  readonly instants: readonly number[];

  constructor(context: CheckContext, private readonly form: KernelForm) {
    // Programs that have nothing in common: a register of one that is taken for the other's is seen.
    const processes = [
      turnTaker("A", 6),
      protectionProbe([{ first: KERNEL_BASE.el2, count: 2, step: 4096n }]),
    ];
    this.#image = build({ form, processes, tickPeriod: NEVER, switchAlways: true });
    const { bytes } = this.#image, sha256 = createHash("sha256").update(bytes).digest("hex");
    const configuration = parseConfiguration({
      virtualization: true,
      cpuModel: MODELS[form],
      memoryMiB: 32,
      boot: { kernel: { sha256, size: bytes.length, name: "dual-width" } },
    });
    this.#machine = new Machine(configuration, new Map([[sha256, bytes]]), context.machineOptions());
    this.instants = [...boundaries(this.#callInstants(), context.all)];
    this.#machine.restore(new Machine(configuration, new Map([[sha256, bytes]])).snapshot());
    this.#machine.run(this.instants[0] as number);
    this.#snapshot = this.#machine.snapshot();
  }

  /** The instants at which EL0 calls or faults. */
  #callInstants(): number[] {
    const calls: number[] = [], machine = this.#machine;
    const observer = {
      classes: ["trap"] as const,
      observe: (event: { kind: string; instant: number }) => {
        const { kind, from, exception } = event as EventOf<"exceptionTaken">;
        if (kind === "exceptionTaken" && from === 0 && exception === "synchronous") calls.push(event.instant);
      },
    };
    machine.board.events.add(observer);
    machine.run(LIMIT);
    machine.board.events.remove(observer);
    return calls;
  }

  /** Runs to the end from the snapshot, with an interrupt at `instant` if one is given. */
  run(instant?: number): Outcome {
    const machine = this.#machine;
    machine.restore(this.#snapshot);
    const journal = new UserJournal(machine, this.form, this.#image);
    let from: number | undefined;
    const observer = {
      classes: ["trap"] as const,
      observe: (event: { kind: string }) => {
        const taken = event as EventOf<"exceptionTaken">;
        if (taken.kind === "exceptionTaken" && taken.exception === "irq" && taken.to === 2) {
          from ??= taken.from;
        }
      },
    };
    machine.board.events.add(observer);
    if (instant !== undefined) {
      machine.run(instant);
      machine.submit({ kind: "interruptInjected", interrupt: TIMER });
    }
    const stop = machine.run(LIMIT);
    machine.board.events.remove(observer);
    journal.close();
    return { lines: [...journal.lines, stop.reason], from };
  }
}

/** What one process saw, in its order. */
function ofProcess({ lines }: Outcome, pid: number): string[] {
  return lines.filter((line) => line.startsWith(`${pid}:`));
}

/** Tries every boundary; failures name the instant. */
export async function interruptEverywhere(
  context: CheckContext,
  form: KernelForm,
): Promise<{ failures: string[]; figures: Record<string, number> }> {
  const bench = new Bench(context, form), undisturbed = bench.run(), failures: string[] = [];
  const from = new Map<number | undefined, number>();
  for (const [index, instant] of bench.instants.entries()) {
    const outcome = bench.run(instant);
    from.set(outcome.from, (from.get(outcome.from) ?? 0) + 1);
    if (outcome.from === undefined) failures.push(`instant ${instant}: the interrupt was not taken to EL2`);
    for (const pid of [1, 2]) {
      const difference = firstDifference(ofProcess(undisturbed, pid), ofProcess(outcome, pid), [
        "alone",
        "interrupted",
      ]);
      if (difference !== undefined) failures.push(`interrupt at instant ${instant}: ${difference}`);
    }
    if (outcome.lines.at(-1) !== "poweredOff") {
      failures.push(`interrupt at instant ${instant}: the run did not end`);
    }
    if (index % 32 === 0) {
      context.progress("interrupts", index, bench.instants.length);
      await context.breathe();
    }
  }
  if (form === "el2" && from.get(1) === undefined) {
    failures.push("no interrupt was taken from EL1, in the shim");
  }
  const figures = {
    boundaries: bench.instants.length,
    "taken from EL0": from.get(0) ?? 0,
    "taken from EL1": from.get(1) ?? 0,
  };
  return { failures: failures.slice(0, 10), figures };
}
