/** Watch points on random programs: every engine gives the hits that the reference engine's steps tell, and nothing else changes. */
import { assert, assertEquals } from "@std/assert";
import { History } from "../../journal/history.ts";
import type { EventFields, EventObserver, MachineEvent } from "../../machine/events.ts";
import type { Machine, Stop } from "../../machine/machine.ts";
import type { WatchHit, WatchPoint } from "../../machine/watch.ts";
import { drive, EventLog } from "../law/drive.ts";
import { Choices } from "../law/random.ts";
import { type Contestant, CONTESTANTS } from "../lockstep/compare.ts";
import { guestOf, hotTrial, randomTrial, type Trial } from "../lockstep/trial.ts";

const SEED = Number(Deno.env.get("WATCH_SEED") ?? 20261121),
  TRIALS = Number(Deno.env.get("WATCH_TRIALS") ?? 2);
/** Stops whose state is compared with that of a run without watch points. */
const COMPARED = 6;

type Step = EventFields<"stepRetired"> & { readonly instant: number; readonly cpu: number };

class Steps implements EventObserver {
  readonly classes = ["step"] as const;
  readonly steps: Step[] = [];
  observe(event: MachineEvent): void {
    if (event.kind === "stepRetired") this.steps.push(event);
  }
}

interface Result {
  readonly ending: string;
  readonly instant: number;
  readonly root: string;
  readonly history: string;
  readonly events: number;
  readonly hits: readonly WatchHit[];
  /** Roots at stops where the boundary had not begun. */
  readonly stops: readonly { readonly instant: number; readonly root: string }[];
}

/** Runs a trial with watch points, stopping at `halts` besides. */
function runWith(
  contestant: Contestant,
  trial: Trial,
  points: readonly WatchPoint[],
  more: EventObserver[] = [],
  halts: readonly number[] = [],
): Result {
  const machine: Machine = contestant.build(guestOf(trial)), { events } = machine.board;
  const history = new History(), log = new EventLog();
  for (const observer of [history, ...(trial.seed % 2 === 0 ? [log] : []), ...more]) events.add(observer);
  if (points.length > 0) machine.watch(points);
  const hits: WatchHit[] = [], stops: { instant: number; root: string }[] = [];
  const mark = () => stops.push({ instant: machine.instant, root: machine.stateRoot().root.toHex() });
  const run = (limit: number, isPaced: boolean): Stop => {
    for (;;) {
      const next = halts.find((halt) => halt > machine.instant && halt < limit) ?? limit;
      const stop = machine.run(next, isPaced);
      if (stop.reason === "limit" && next < limit) mark();
      else if (stop.reason !== "watched") return stop;
      else {
        hits.push(...stop.hits);
        const isExact = !stop.isBegun && stop.hits.every(({ point }) => point.kind === "execute");
        if (isExact && stops.length < COMPARED && stops.at(-1)?.instant !== machine.instant) mark();
      }
    }
  };
  const wait = (time: number) => void machine.wait(time);
  const ending = JSON.stringify(
    drive({ machine, run, wait, submit: machine.submit.bind(machine) }, trial.plan),
  );
  const root = machine.stateRoot().root;
  return {
    ending,
    instant: machine.instant,
    root: root.toHex(),
    history: history.peek(root).toHex(),
    events: log.events.length,
    hits,
    stops,
  };
}

const plain = (address: bigint): bigint => BigInt.asUintN(56, address);

function randomPoints(choices: Choices, steps: readonly Step[], cpus: number): WatchPoint[] {
  const accesses = steps.flatMap(({ memory }) => memory.map(({ address }) => address));
  return Array.from({ length: choices.between(1, 6) }, (): WatchPoint => {
    const cpu = choices.oneIn(4) ? { cpu: choices.below(cpus) } : {};
    const step = steps[choices.below(steps.length)] as Step;
    if (choices.oneIn(2) || accesses.length === 0) return { kind: "execute", address: step.pc, ...cpu };
    const kind = choices.of(["read", "write", "access"] as const);
    const near = accesses[choices.below(accesses.length)] as bigint;
    const size = choices.of([1, 1, 4, 8, 16, 100, 4096]);
    const space = choices.oneIn(3) ? "physical" as const : "virtual" as const;
    const address = space === "physical" ? near & 0xff_ffff_ffffn : near;
    return { kind, address: address + BigInt(choices.below(4)), size, space, ...cpu };
  });
}

function isHitBy(point: WatchPoint, step: Step): boolean {
  if (point.cpu !== undefined && point.cpu !== step.cpu) return false;
  if (point.kind === "execute") return plain(point.address) === plain(step.pc);
  const first = plain(point.address), end = first + BigInt(point.size);
  return point.space === "virtual" &&
    step.memory.some(({ write, address, size }) =>
      (point.kind === "access" || write === (point.kind === "write")) &&
      plain(address) < end && first < plain(address) + BigInt(size)
    );
}

/** DC ZVA, and HLT #0xF000 that a host answers: their accesses are not among a step's effects. */
const isUntold = (opcode: number): boolean =>
  (opcode & ~31) >>> 0 === 0xd50b7420 || opcode >>> 0 === 0xd45e0000;

const text =
  (points: readonly WatchPoint[]) =>
  (hit: WatchHit | { point: WatchPoint; instant: number; cpu: number }): string =>
    `${hit.instant} cpu${hit.cpu} ${points.indexOf(hit.point)}`;

function check(trial: Trial, makes: string): { hits: number; stops: number } {
  const choices = new Choices(trial.seed ^ 0x51ed_270b), log = new Steps();
  const [reference] = CONTESTANTS as [Contestant];
  const { ending, instant, root, history, events } = runWith(reference, trial, [], [log]);
  if (log.steps.length === 0) return { hits: 0, stops: 0 };
  const points = randomPoints(choices, log.steps, Number(trial.program.settings.cpus));
  const name = `${makes} ${trial.seed}, points ${
    JSON.stringify(points, (_, value) => typeof value === "bigint" ? `0x${value.toString(16)}` : value)
  }`;
  const said = log.steps.flatMap((step) =>
    points.filter((point) => isHitBy(point, step)).map((point) => ({
      point,
      instant: step.instant,
      cpu: step.cpu,
    }))
  );
  const isStrict = (trial.program.settings.strictModels as unknown[]).length > 0;
  let first: Result | undefined;
  for (const contestant of CONTESTANTS) {
    const result = runWith(contestant, trial, points);
    const where = `${contestant.name}, ${name}`;
    assertEquals(
      {
        ending: result.ending,
        instant: result.instant,
        root: result.root,
        history: result.history,
        events: result.events,
      },
      { ending, instant, root, history, events },
      where,
    );
    first ??= result;
    assertEquals(result.hits.map(text(points)), first.hits.map(text(points)), where);
    assertEquals(result.stops, first.stops, where);
  }
  const { hits, stops } = first as Result;
  const byInstant = new Map(log.steps.map((step) => [step.instant, step]));
  const known = hits.filter(({ point, instant, cpu }) => {
    if (point.kind !== "execute" && point.space === "physical") return false;
    return cpu >= 0 && !(byInstant.has(instant) && isUntold((byInstant.get(instant) as Step).opcode));
  });
  const wanted = said.filter(({ instant }) => !isUntold((byInstant.get(instant) as Step).opcode));
  if (!isStrict) {
    const sorted = (of: readonly { point: WatchPoint; instant: number; cpu: number }[]) =>
      of.map(text(points)).sort();
    assertEquals(sorted(known), sorted(wanted), name);
  }
  const halts = stops.map(({ instant }) => instant);
  const halted = runWith(reference, trial, [], [], halts);
  for (const { instant, root } of stops) {
    const same = halted.stops.find((stop) => stop.instant === instant);
    if (same !== undefined) assertEquals(same.root, root, `root at ${instant}, ${name}`);
  }
  return { hits: hits.length, stops: stops.length };
}

Deno.test("Machine.watch hits alike on every engine, as steps tell, and changes nothing", () => {
  let hits = 0, stops = 0;
  for (let index = 0; index < TRIALS; index++) {
    for (const [makes, make] of [["randomTrial", randomTrial], ["hotTrial", hotTrial]] as const) {
      const found = check({ ...make(SEED + index), isTraced: false }, makes);
      hits += found.hits;
      stops += found.stops;
    }
  }
  assert(hits > 20 && stops > 2, `${hits} hits, ${stops} stops`);
});
