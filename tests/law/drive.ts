/** Driving a machine through a plan of inputs, whole or in pieces; what reaches it is the same either way. */
import { History } from "../../journal/history.ts";
import type { EventObserver, Input, InputEvent, MachineEvent } from "../../machine/events.ts";
import { ClockOverflowError, InputRefusedError } from "../../machine/errors.ts";
import type { Machine, Stop } from "../../machine/machine.ts";
import type { Choices } from "./random.ts";

/** What comes from outside, and how the run is driven. */
export interface DrivePlan {
  /** Inputs with the instants from which on they are due, in order. */
  readonly inputs: readonly { readonly at: number; readonly input: Input }[];
  /** Steps in all. */
  readonly steps: number;
  /** Waits are the driver's to pass. */
  readonly isPaced: boolean;
  /** Seed of where inputs cut waits. */
  readonly seed: number;
}

/** A machine with what drives and watches it. */
export interface Driven {
  /** Advances to a limit, as `Machine.run`. */
  run(limit: number, paced: boolean): Stop;
  /** Passes idle time, as `Machine.wait`. */
  wait(time: number): void;
  /** Delivers an input. */
  submit(input: Input, time?: number): InputEvent;
  /** The machine now; restores may replace it. */
  readonly machine: Machine;
}

/** How a run ended. */
export interface Ending {
  /** Why. */
  readonly reason: Stop["reason"] | "overflow" | "reset";
  /** It ended where no CPU could run. */
  readonly isWaiting: boolean;
  /** Inputs refused, by number. */
  readonly refused: readonly string[];
}

/** The part of a wait, in 1/256, after which an input comes, or undefined: a function of where the machine is alone. */
function cutOf({ seed }: DrivePlan, { instant, virtualTime }: Machine): number | undefined {
  let mixed = (seed ^ Math.imul(instant, 0x9e37_79b1) ^ Math.imul(virtualTime % 2 ** 31, 0x85eb_ca6b)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d) >>> 0;
  return (mixed >>> 28) < 4 ? (mixed >>> 16) & 0xff : undefined;
}

/** Waits at one instant before the run is given up: deadlines that wake nobody. */
const MOST_WAITS = 2000;

/** Drives to the end of the plan. */
export function drive(driven: Driven, plan: DrivePlan): Ending {
  const refused: string[] = [];
  let next = 0, waits = 0;
  const submit = (time?: number) => {
    const { input } = plan.inputs[next++] as (typeof plan.inputs)[number];
    try {
      driven.submit(input, time);
    } catch (error) {
      if (!(error instanceof InputRefusedError)) throw error;
      refused.push(`${next} at ${driven.machine.instant}: ${error.message}`);
    }
  };
  const end = (reason: Ending["reason"], isWaiting = false): Ending => ({ reason, isWaiting, refused });
  try {
    for (;;) {
      const due = plan.inputs[next]?.at ?? Infinity;
      if (driven.machine.instant >= due) {
        submit();
        continue;
      }
      if (driven.machine.instant >= plan.steps) return end("limit");
      const stop = driven.run(Math.min(due, plan.steps), plan.isPaced);
      if (stop.reason === "poweredOff") return end(stop.reason);
      if (stop.reason === "waiting") {
        const { machine } = driven;
        const cut = due === Infinity ? undefined : cutOf(plan, machine);
        if (++waits > MOST_WAITS) return end("waiting", true);
        const span = stop.deadline - machine.virtualTime;
        if (cut === undefined) driven.wait(stop.deadline);
        else submit(machine.virtualTime + Math.floor(span * cut / 256));
      } else if (stop.reason === "resting") {
        if (due === Infinity) return end("resting", true);
        submit(driven.machine.virtualTime + (cutOf(plan, driven.machine) ?? 0) * 7);
      }
    }
  } catch (error) {
    if (!(error instanceof ClockOverflowError)) throw error;
    return end("overflow");
  }
}

/** Records events of all classes but steps, and counts nothing else. */
export class EventLog implements EventObserver {
  /** What it listens to. */
  readonly classes = ["input", "trap", "device", "detail"] as const;
  /** All of them so far. */
  events: MachineEvent[] = [];

  /** Keeps one more. */
  observe(event: MachineEvent): void {
    this.events.push(event);
  }
}

/** Listens to one machine, and can move to another. */
export class Watch {
  /** Events up to now. */
  log: EventLog = new EventLog();
  /** History up to now. */
  history: History = new History();

  /** Listens from the start. */
  constructor(machine: Machine) {
    this.attach(machine);
  }

  /** Listens to this machine too. */
  attach({ board: { events } }: Machine): void {
    events.add(this.log);
    events.add(this.history);
  }

  /** Listens no more. */
  detach({ board: { events } }: Machine): void {
    events.remove(this.log);
    events.remove(this.history);
  }

  /** A copy of what was heard. */
  mark(): { events: MachineEvent[]; history: History } {
    return { events: [...this.log.events], history: this.history.copy() };
  }

  /** Takes back what was heard after a mark, listening at `machine` from now on instead of at `before`. */
  moveTo(machine: Machine, mark: ReturnType<Watch["mark"]>, before: Machine): void {
    this.detach(before);
    this.log = new EventLog();
    this.log.events = [...mark.events];
    this.history = mark.history.copy();
    this.attach(machine);
  }
}

/** Random inputs. */
export function randomPlan(choices: Choices, cpus: number, steps: number): DrivePlan {
  const inputs = Array.from({ length: choices.of([0, 2, 5, 12]) }, () => ({
    at: choices.below(steps),
    input: randomInput(choices, cpus),
  })).sort((a, b) => a.at - b.at);
  return { inputs, steps, isPaced: choices.oneIn(2), seed: choices.word() };
}

// deno-fmt-ignore
const PATCHED = [
  "x0", "x9", "x20", "x30", "sp", "pc", "nzcv", "VBAR_EL1", "MDSCR_EL1", "SCTLR_EL1", "TTBR0_EL1", "SP_EL0", "SP_EL1",
  "CNTV_CTL_EL0", "CNTV_TVAL_EL0", "CNTP_CVAL_EL0", "CNTKCTL_EL1", "HCR_EL2", "SCR_EL3", "PMCR_EL0", "PMCNTENSET_EL0",
  "DAIF", "SPSel", "NZCV", "CurrentEL", "OSLAR_EL1", "PAR_EL1", "CNTVOFF_EL2", "MIDR_EL1", "nonsense", "x31", "TCR_EL1",
];

function randomInput(choices: Choices, cpus: number): Input {
  const bytes = (most: number) =>
    Uint8Array.from({ length: choices.between(1, most) }, () => choices.below(256));
  switch (choices.below(7)) {
    case 0:
      return { kind: "consoleReceived", bytes: bytes(40) };
    case 1:
    case 2:
      return {
        kind: "interruptInjected",
        interrupt: choices.oneIn(2) ? choices.below(48) : choices.below(300),
      };
    case 3:
      return { kind: "cpuSwitchForced", target: choices.below(cpus + 1) };
    case 4: {
      const bases = [0x4040_0000, 0x4008_0000, 0x4008_8000, 0x4028_8000, 0x0400_0000, 0x0900_0000];
      return { kind: "memoryPatched", address: choices.of(bases) + choices.below(0x4000), bytes: bytes(64) };
    }
    case 5: {
      const value = choices.of([0n, 1n, 5n, 0x4028_0000n, 0x1_0000_0000n * BigInt(choices.word()) + 5n]);
      return { kind: "registerPatched", target: choices.below(cpus), register: choices.of(PATCHED), value };
    }
    default:
      return choices.oneIn(12)
        ? { kind: "powerCut" }
        : { kind: "consoleReceived", bytes: Uint8Array.of(choices.below(256)) };
  }
}
