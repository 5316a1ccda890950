/**
 * The law, tried on random programs: the state at an instant depends on configuration, images and inputs alone.
 * `deno run -A tests/law.ts --seeds N --seed S` tries N seeds from S on; failing seeds are told with what differs.
 */
import { parseArgs } from "@std/cli";
import { eventToJson } from "../journal/event_json.ts";
import { eventStream } from "../journal/event_stream.ts";
import { JournalReader, JournalWriter } from "../journal/file.ts";
import { DEPTHS } from "../journal/payloads.ts";
import { Recorder } from "../journal/recorder.ts";
import { Replay } from "../journal/replay.ts";
import { RecordedRun } from "../journal/run.ts";
import { MemoryFile } from "../journal/storage.ts";
import type { MachineEvent } from "../machine/events.ts";
import { Machine } from "../machine/machine.ts";
import type { StateRoot } from "../machine/state_root.ts";
import { type Disturbance, DISTURBANCES, DisturbedMachine } from "./law/disturbed.ts";
import { drive, type Driven, type DrivePlan, type Ending, randomPlan, Watch } from "./law/drive.ts";
import { type RandomGuest, randomGuest } from "./law/program.ts";
import { Choices } from "./law/random.ts";
import { EagerEngine } from "./machine/engine/eager.ts";

/** What two runs are compared by. */
interface Outcome {
  readonly ending: Ending;
  readonly instant: number;
  readonly virtualTime: number;
  readonly root: StateRoot;
  readonly history: string;
  readonly events: readonly MachineEvent[];
}

/** A seed's guest and plan. */
interface Trial {
  readonly seed: number;
  readonly guest: RandomGuest;
  readonly plan: DrivePlan;
}

const newMachine = ({ guest }: Trial): Machine => new Machine(guest.configuration, guest.images);
/** The same, but its code is compiled early. */
const newEagerMachine = (trial: Trial): Machine =>
  Object.assign(newMachine(trial), { engine: new EagerEngine() });

function outcomeOf(machine: Machine, ending: Ending, watch: Watch): Outcome {
  const root = machine.stateRoot();
  const history = watch.history.peek(root.root).toHex();
  return {
    ending,
    instant: machine.instant,
    virtualTime: machine.virtualTime,
    root,
    history,
    events: watch.log.events,
  };
}

/** The run in one go. */
function whole(trial: Trial): Outcome {
  const machine = newMachine(trial);
  const watch = new Watch(machine);
  const driven: Driven = {
    machine,
    run: (limit, paced) => machine.run(limit, paced),
    wait: (time) => void machine.wait(time),
    submit: (input, time) => machine.submit(input, time),
  };
  return outcomeOf(machine, drive(driven, trial.plan), watch);
}

/** The first thing in which two outcomes differ, or undefined. */
function difference(expected: Outcome, actual: Outcome): string | undefined {
  const [left, right] = [expected.events, actual.events].map((events) => events.map(eventToJson)) as [
    string[],
    string[],
  ];
  const at = left.findIndex((event, index) => event !== right[index]);
  const first = at >= 0 ? at : right.length > left.length ? left.length : -1;
  if (first >= 0) return `event ${first}: ${left[first] ?? "none"} became ${right[first] ?? "none"}`;
  if (JSON.stringify(expected.ending) !== JSON.stringify(actual.ending)) {
    return `ending ${JSON.stringify(expected.ending)} became ${JSON.stringify(actual.ending)}`;
  }
  const parts = expected.root.parts.filter(({ hash }, index) =>
    hash.toHex() !== actual.root.parts[index]?.hash.toHex()
  );
  if (parts.length > 0) return `sections ${parts.map(({ name }) => name).join(", ")} at ${actual.instant}`;
  if (expected.instant !== actual.instant) return `instant ${expected.instant} became ${actual.instant}`;
  return expected.history === actual.history ? undefined : "history root";
}

function disturbed(trial: Trial, salt: number, kinds: readonly Disturbance[]): Outcome {
  const choices = new Choices(trial.seed ^ salt);
  const piece = choices.of([1, 7, 50, 400]);
  const build = salt % 2 === 0 ? newEagerMachine : newMachine;
  const driven = new DisturbedMachine(() => build(trial), choices, kinds, piece, trial.plan.steps);
  const ending = drive(driven, trial.plan);
  return outcomeOf(driven.machine, ending, driven.watch);
}

/** Compares with a disturbed run; what differs is told with the fewest disturbances that show it. */
function checkDisturbed(
  trial: Trial,
  expected: Outcome,
  salt: number,
  all: readonly Disturbance[],
  failures: string[],
): void {
  const attempt = (kinds: readonly Disturbance[]) =>
    guarded(() => difference(expected, disturbed(trial, salt, kinds)));
  let kinds = all;
  let found = attempt(kinds);
  if (found === undefined) return;
  for (const kind of all) {
    const fewer = kinds.filter((other) => other !== kind);
    if (fewer.length === 0) break;
    const again = attempt(fewer);
    if (again === undefined) continue;
    kinds = fewer;
    found = again;
  }
  failures.push(`with ${kinds.join(", ")}: ${found}`);
}

/** The recorded run and its replays. */
function checkRecorded(trial: Trial, expected: Outcome, failures: string[]): void {
  const { guest, plan, seed } = trial;
  const choices = new Choices(seed ^ 0x7777);
  const depth = choices.of(DEPTHS);
  const file = new MemoryFile();
  const manifest = { configuration: guest.configuration, depth, recordedBy: "law" };
  const recorder = new Recorder(manifest, guest.images, new JournalWriter(file));
  const { machine } = recorder;
  const watch = new Watch(machine);
  const ending = drive({
    machine,
    run: (limit, paced) => recorder.run(limit, paced),
    wait: (time) => void machine.wait(time),
    submit: (input, time) => recorder.submit(input, time),
  }, plan);
  if (ending.reason === "overflow") return;
  const found = difference(expected, outcomeOf(machine, ending, watch));
  if (found !== undefined) failures.push(`recorded at depth ${depth}: ${found}`);
  const reason = ending.reason === "poweredOff" ? "poweredOff" : ending.isWaiting ? "resting" : "instant";
  recorder.finish(reason, 0, ending.isWaiting);
  const run = new RecordedRun(JournalReader.open(file));
  const replay = new Replay(run, guest.images);
  const heard = new Watch(replay.machine);
  replay.runToEnd();
  if (replay.rootsChecked !== run.roots.length + 1) {
    failures.push(`replay checked ${replay.rootsChecked} roots`);
  }
  const replayed = difference(expected, outcomeOf(replay.machine, ending, heard));
  if (replayed !== undefined) failures.push(`replayed at depth ${depth}: ${replayed}`);
  if (depth === "steps" && choices.oneIn(2)) checkStored(run, guest, failures);
  checkMarks(run, trial, choices);
}

/** Stored steps and events are those that a replay derives. */
function checkStored(run: RecordedRun, { images }: RandomGuest, failures: string[]): void {
  const derived = eventStream(run, images, {}, { derive: true, checkEvents: false });
  for (const event of eventStream(run, images)) {
    const { value } = derived.next();
    if (value !== undefined && eventToJson(value) === eventToJson(event)) continue;
    return void failures.push(`stored ${eventToJson(event)}, derived ${value && eventToJson(value)}`);
  }
  if (!derived.next().done) failures.push("a replay derives more events than are stored");
}

/** Goes back and forth between marks; roots are checked on the way, and the end's at the end. */
function checkMarks(run: RecordedRun, { guest }: Trial, choices: Choices): void {
  const replay = new Replay(run, guest.images);
  const marks = [replay.mark()];
  const roots = [replay.historyRoot().toHex()];
  for (let turn = 0; turn < 8; turn++) {
    const near = replay.instant + choices.of([1, 3, 100]);
    const target = choices.oneIn(2) ? near : choices.between(replay.instant, run.lastInstant);
    replay.runTo(Math.min(target, run.lastInstant));
    if (choices.oneIn(2)) {
      marks.push(replay.mark());
      roots.push(replay.historyRoot().toHex());
    } else {
      const index = choices.below(marks.length);
      replay.returnTo(marks[index] as (typeof marks)[number]);
      if (replay.historyRoot().toHex() !== roots[index]) throw new Error(`a mark has another history root`);
    }
  }
  replay.runToEnd();
}

function guarded(what: () => string | undefined): string | undefined {
  try {
    return what();
  } catch (error) {
    return (error as Error).stack?.split("\n").slice(0, 12).join("\n") ?? String(error);
  }
}

/** The trial of a seed. */
export function trialOf(seed: number): Trial {
  const guest = randomGuest(seed);
  const choices = new Choices(seed ^ 0x5bd1_e995);
  return {
    seed,
    guest,
    plan: randomPlan(choices, guest.configuration.cpus, choices.of([600, 2000, 3000, 8000])),
  };
}

/** Tries one seed; what is wrong, each with the comparison that shows it. */
export function trySeed(seed: number): string[] {
  const failures: string[] = [];
  const trial = trialOf(seed);
  let expected: Outcome | undefined;
  const error = guarded(() => void (expected = whole(trial)));
  if (error !== undefined || expected === undefined) return [`uncut: ${error}`];
  const outcome = expected;
  if (outcome.ending.reason === "overflow") return [];
  const choices = new Choices(seed ^ 0x2545);
  const few: Disturbance[] = ["cut", "forget", choices.of(DISTURBANCES)];
  checkDisturbed(trial, outcome, 0x1111, DISTURBANCES, failures);
  checkDisturbed(trial, outcome, 0x2222, few, failures);
  const recorded = guarded(() => void checkRecorded(trial, outcome, failures));
  if (recorded !== undefined) failures.push(`recorded and replayed: ${recorded}`);
  return failures;
}

if (import.meta.main) {
  const { seeds, seed } = parseArgs(Deno.args, {
    string: ["seeds", "seed"],
    default: { seeds: "100", seed: "1" },
  });
  let failed = 0;
  for (let offset = 0; offset < Number(seeds); offset++) {
    const number = Number(seed) + offset;
    const failures = trySeed(number);
    if (failures.length > 0) failed++;
    for (const failure of failures) console.log(`seed ${number}: ${failure}`);
  }
  console.log(`${failed} of ${seeds} seeds from ${seed} on fail`);
  Deno.exit(failed > 0 ? 1 : 0);
}
