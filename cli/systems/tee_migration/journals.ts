/** tee-migration's checks of journals: what a realm sees of a move, and that all of it replays. */
import { MemoryFile } from "../../../journal/storage.ts";
import type { TimedWorldInput } from "../../../world/course.ts";
import { carryOut, LocalCrew } from "../../../world/crew.ts";
import { WorldRecorder } from "../../../world/recorder.ts";
import { WorldReplay } from "../../../world/replay.ts";
import { RecordedWorld } from "../../../world/run.ts";
import { CANARY } from "../../../firmware/tee_migration/realm.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { holds } from "./host_checks.ts";
import { commanded, EAST, Lab, powered, WEST } from "./migrations.ts";
import { hosts, type HostsOptions, REALM_IMAGES } from "./worlds.ts";

/** What a realm can see of its machines is the same whether it moves or not, wherever it is then. */
export async function sameJournal(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = { instants: 0, events: 0 };
  for (const cpus of [1, 2] as const) {
    const lab = new Lab(context.machineOptions()), options = { hosts: { cpus }, isTraced: true };
    const alone = lab.live([], options).visible, count = context.all ? 100 : 8;
    figures.events! += alone.reduce((sum, { length }) => sum + length, 0);
    for (let index = 0, random = 5; index < count; index++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const at = Math.floor(random / 2 ** 32 * 5_000_000);
      const { visible } = lab.live([commanded(at, EAST, "migrate")], options);
      for (const [cpu, wanted] of alone.entries()) {
        const seen = visible[cpu] ?? [], first = wanted.findIndex((event, number) => event !== seen[number]);
        if (first < 0 && seen.length === wanted.length) continue;
        failures.push(
          `moved at ${at} ns, CPU ${cpu} of ${cpus} sees as event ${first} "${seen[first]}" for "${
            wanted[first]
          }"`,
        );
      }
      figures.instants!++;
      await context.breathe();
    }
  }
  return { failures, figures };
}

/** Worlds that are recorded, and how long. */
const RECORDED: readonly (readonly [HostsOptions, readonly TimedWorldInput[], number])[] = [
  [{ cpus: 2 }, [commanded(1_000_000, EAST, "migrate"), commanded(2_500_000, WEST, "migrate")], 3_600_000],
  [{ hasHost: true, hasDisk: true }, [
    commanded(1_000_000, EAST, "migrate"),
    powered(2_600_000, WEST, false),
    powered(2_700_000, WEST, true),
  ], 3_600_000],
];

/** Whether the canary is in any event or input that was recorded of any life. */
function recordsPlaintext(run: RecordedWorld): boolean {
  const canary = Uint8Array.fromHex(CANARY), words = [...new BigUint64Array(canary.buffer)];
  const isPlain = (value: unknown): boolean =>
    value instanceof Uint8Array ? holds(value, canary) : Array.isArray(value) ? value.some(isPlain) : (
      words.includes(value as bigint)
    );
  return run.lives.some((life) => {
    const recorded = run.run(life),
      all = recorded.stored({ from: 0, to: Infinity, classes: ["trap", "input"] });
    return [...all].some((event) => Object.values(event).some(isPlain));
  });
}

/** A move, a way back, a host and losses of power are recorded, and replay to the same roots on all engines. */
export async function replays(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = { events: 0, roots: 0 };
  for (const [options, inputs, until] of RECORDED) {
    const world = { ...hosts(options), rootInterval: 500_000 },
      file = new MemoryFile(),
      images = REALM_IMAGES;
    const recorder = new WorldRecorder({ world, depth: "traps", recordedBy: "check" }, file);
    for (const input of inputs) recorder.give(input);
    const recording = { ...context.machineOptions(), images, depth: "traps" as const, recordedBy: "check" };
    const crew = new LocalCrew(world, recording), reason = carryOut(recorder.course.rounds(until), crew);
    carryOut(recorder.end(), crew);
    recorder.finish(reason, crew.finish());
    const run = RecordedWorld.open(file);
    if (recordsPlaintext(run)) {
      failures.push(`${JSON.stringify(options)}: the canary is in what was recorded`);
    }
    for (const engine of ["reference", "threaded", "compiled"]) {
      const replay = new WorldReplay(run);
      try {
        carryOut(replay.rounds(), new LocalCrew(world, { ...context.machineOptions(engine), images }));
      } catch (error) {
        failures.push(
          `${JSON.stringify(options)} on ${engine}: ${error instanceof Error ? error.message : error}`,
        );
      }
      figures.events! += replay.eventsChecked;
      await context.breathe();
    }
    figures.roots! += run.roots.length;
    if (run.roots.length < 5) failures.push(`only ${run.roots.length} roots were taken`);
  }
  return { failures, figures };
}
