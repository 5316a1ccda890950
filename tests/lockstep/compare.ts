/** Runs a trial on several engines and finds where they part. */
import { disassemble } from "../../machine/a64/assembly.ts";
import { eventToJson } from "../../journal/event_json.ts";
import { History } from "../../journal/history.ts";
import type { EventObserver, MachineEvent } from "../../machine/events.ts";
import { ENGINES, Machine } from "../../machine/machine.ts";
import type { StateRoot } from "../../machine/state_root.ts";
import { EagerEngine } from "../machine/engine/eager.ts";
import { LateEngine } from "../machine/engine/late_compiler.ts";
import { drive, type DrivePlan } from "../law/drive.ts";
import type { RandomGuest } from "../law/program.ts";
import { guestOf, type Trial } from "./trial.ts";

/** An engine, or something that says it is one. */
export interface Contestant {
  /** For people. */
  readonly name: string;
  /** A machine that runs on it, at power-on. */
  build(guest: RandomGuest): Machine;
}

/** What compilation takes is drawn from it. */
const LATE_SEED = 20261121;

/** Every engine of the machine, and the compiled one in a hurry, with a compiler that is prompt or takes its time. */
export const CONTESTANTS: readonly Contestant[] = [
  ...Object.keys(ENGINES).map((name): Contestant => ({
    name,
    build: ({ configuration, images }) => new Machine(configuration, images, { engine: name }),
  })),
  {
    name: "eager",
    build({ configuration, images }) {
      return Object.assign(new Machine(configuration, images), { engine: new EagerEngine() });
    },
  },
  {
    name: "late",
    build({ configuration, images }) {
      return Object.assign(new Machine(configuration, images), { engine: new LateEngine(LATE_SEED) });
    },
  },
];

/** What is compared at one instant. */
interface Mark {
  readonly instant: number;
  readonly virtualTime: number;
  readonly history: string;
  readonly steps: string;
  readonly root: StateRoot;
}

/** A run. */
export interface Outcome {
  /** The machine at its end. */
  readonly machine: Machine;
  /** What is compared, in order; the last is at the end. */
  readonly marks: readonly Mark[];
  /** How it ended: reason, refused inputs, or the host's error. */
  readonly ending: string;
}

/** Digests steps as a history does other events. */
class StepHistory extends History {
  override readonly classes = ["step"] as never;
}

/** Runs a trial on one engine, with more observers if given. */
export function runOn(
  contestant: Contestant,
  trial: Trial,
  guest: RandomGuest,
  ...more: EventObserver[]
): Outcome {
  const machine = contestant.build(guest), { events } = machine.board;
  const history = new History(), steps = new StepHistory(), marks: Mark[] = [];
  for (const observer of [history, ...(trial.isTraced ? [steps] : []), ...more]) events.add(observer);
  const mark = () => {
    const root = machine.stateRoot();
    const digest = (of: History) => of.peek(root.root).toHex();
    const { instant, virtualTime } = machine;
    marks.push({ instant, virtualTime, root, history: digest(history), steps: digest(steps) });
  };
  let next = trial.interval;
  const run = (limit: number, paced: boolean) => {
    for (;;) {
      const stop = machine.run(Math.min(limit, next), paced);
      if (machine.instant < next) return stop;
      mark();
      next += trial.interval;
      if (stop.reason !== "limit" || machine.instant >= limit) return stop;
    }
  };
  let ending: string;
  try {
    const wait = (time: number) => void machine.wait(time);
    ending = JSON.stringify(drive({ machine, run, wait, submit: machine.submit.bind(machine) }, trial.plan));
  } catch (error) {
    ending = (error as Error).stack?.split("\n").slice(0, 8).join("\n") ?? String(error);
  }
  mark();
  return { machine, marks, ending };
}

/** Two engines that do not agree. */
export interface Difference {
  /** The engine that is right by definition. */
  readonly left: Contestant;
  /** The other one. */
  readonly right: Contestant;
  /** They agreed at this instant. */
  readonly from: number;
  /** They do not at this one. */
  readonly to: number;
  /** What differs, in words. */
  readonly what: string;
}

/** What differs between two marks, or undefined. */
function differingParts(left: Mark | undefined, right: Mark | undefined): string | undefined {
  if (left === undefined || right === undefined) return "one run is shorter";
  const parts = left.root.parts.filter(({ hash }, at) => hash.toHex() !== right.root.parts[at]?.hash.toHex())
    .map(({ name }) => name);
  if (left.instant !== right.instant) parts.unshift(`instant (${left.instant}, ${right.instant})`);
  if (left.virtualTime !== right.virtualTime) {
    parts.unshift(`virtual time (${left.virtualTime}, ${right.virtualTime})`);
  }
  if (left.history !== right.history && parts.length === 0) parts.push("history root");
  if (left.steps !== right.steps && parts.length === 0) parts.push("steps as observed");
  return parts.length === 0 ? undefined : parts.join(", ");
}

function compareOutcomes(left: Outcome, right: Outcome): Omit<Difference, "left" | "right"> | undefined {
  const count = Math.max(left.marks.length, right.marks.length);
  let from = 0;
  for (let at = 0; at < count; at++) {
    const [a, b] = [left.marks[at], right.marks[at]];
    const to = a?.instant ?? b?.instant ?? from;
    const what = differingParts(a, b);
    if (what !== undefined) {
      return { from, to, what: left.ending === right.ending ? what : `${what}; ${endings(left, right)}` };
    }
    from = to;
  }
  return left.ending === right.ending ? undefined : { from, to: from, what: endings(left, right) };
}

function endings(left: Outcome, right: Outcome): string {
  return left.ending === right.ending ? "" : `ended with ${left.ending} and ${right.ending}`;
}

/** What comparing a trial gave. */
export interface Comparison {
  /** Steps that the first engine took. */
  readonly steps: number;
  /** The first difference. */
  readonly difference?: Difference;
}

/** Runs a trial on every engine; each is compared with the first. */
export function compareEngines(trial: Trial, contestants: readonly Contestant[]): Comparison {
  const guest = guestOf(trial), [first, ...others] = contestants as [Contestant, ...Contestant[]];
  const expected = runOn(first, trial, guest), steps = expected.machine.instant;
  for (const right of others) {
    const found = compareOutcomes(expected, runOn(right, trial, guest));
    if (found !== undefined) return { steps, difference: { left: first, right, ...found } };
  }
  return { steps };
}

/** The plan up to an instant. */
function planTo({ inputs, ...plan }: DrivePlan, steps: number): DrivePlan {
  return { ...plan, inputs: inputs.filter(({ at }) => at < steps), steps };
}

/** The first instant at which two engines differ, and what is known of it. */
export interface Place {
  /** The trial cut after the step, or as it was when a cut hides the difference. */
  readonly trial: Trial;
  /** Lines for people. */
  readonly lines: readonly string[];
}

/** Finds the first differing step by running again and again to some instant between agreement and difference. */
export function locate(trial: Trial, { left, right, from, to, what }: Difference): Place {
  const guest = guestOf(trial);
  const at = (steps: number): Trial => ({ ...trial, plan: planTo(trial.plan, steps), interval: steps });
  const differs = (steps: number) =>
    compareOutcomes(runOn(left, at(steps), guest), runOn(right, at(steps), guest)) !== undefined;
  const title = `${left.name} and ${right.name} differ between instants ${from} and ${to}: ${what}`;
  if (to <= from || !differs(to)) {
    return { trial, lines: [title, "cut at the end of that, the run does not differ"] };
  }
  let low = from, high = to;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (differs(middle)) high = middle;
    else low = middle;
  }
  return { trial: at(high), lines: [title, ...describeStep(at(high), guest, left, right)] };
}

/** Keeps all events but those before an instant. */
class Tail implements EventObserver {
  readonly classes = ["input", "trap", "device", "detail", "step"] as const;
  readonly events: MachineEvent[] = [];
  constructor(private readonly from: number) {}
  observe(event: MachineEvent): void {
    if (event.instant >= this.from) this.events.push(event);
  }
}

/** The last step of a trial on both engines: the instruction, registers and events that differ. */
function describeStep(trial: Trial, guest: RandomGuest, left: Contestant, right: Contestant): string[] {
  const last = trial.plan.steps - 1, tails = [new Tail(last), new Tail(last)] as const;
  const [mine, theirs] = [runOn(left, trial, guest), runOn(right, trial, guest)];
  runOn(left, trial, guest, tails[0]);
  runOn(right, trial, guest, tails[1]);
  const [a, b] = tails.map(({ events }) => events.map(eventToJson)) as [string[], string[]];
  const at = a.findIndex((event, index) => event !== b[index]);
  const lines = [`first differing step: the one at instant ${last}`];
  for (const event of tails[0].events) {
    if (event.kind === "stepRetired") lines.push(`  ${disassemble(event.opcode)}: ${eventToJson(event)}`);
  }
  lines.push(`sections: ${differingParts(mine.marks.at(-1), theirs.marks.at(-1)) ?? "none"}`);
  lines.push(...differingRegisters(mine.machine, theirs.machine));
  if (at >= 0 || b.length !== a.length) {
    const index = at >= 0 ? at : a.length;
    lines.push(
      `events when observed: ${left.name} ${a[index] ?? "none"}`,
      `  ${right.name} ${b[index] ?? "none"}`,
    );
  }
  return lines;
}

const hex = (value: bigint | undefined): string => `0x${(value ?? 0n).toString(16)}`;

/** What of a CPU may differ without a difference in what it does. */
const IRRELEVANT = ["attention", "nextPc"];

function differingRegisters(left: Machine, right: Machine): string[] {
  return left.board.cpus.flatMap((cpu, index) => {
    const other = right.board.cpus[index] as typeof cpu;
    const line = (name: string, mine: unknown, theirs: unknown) =>
      `  cpu ${index} ${name}: ${left.engine.name} ${mine}, ${right.engine.name} ${theirs}`;
    const compare = (name: string, mine: BigUint64Array, theirs: BigUint64Array) =>
      Array.from(mine, (_, at) => at).filter((at) => mine[at] !== theirs[at])
        .map((at) => line(`${name}[${at}]`, hex(mine[at]), hex(theirs[at])));
    const fields = Object.entries(cpu).filter(([name, value]) =>
      !IRRELEVANT.includes(name) && typeof value !== "object" && value !== other[name as keyof typeof other]
    );
    return [
      ...fields.map(([name, value]) => line(name, value, other[name as keyof typeof other])),
      ...compare("slot", cpu.slots, other.slots),
      ...compare("v", cpu.v, other.v),
      ...compare("system", cpu.registers.system, other.registers.system),
    ];
  });
}
