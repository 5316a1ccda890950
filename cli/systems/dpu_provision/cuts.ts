/** dpu-provision's power cuts: at every step that lasts, at every message, and at random; and the window of an unsafe order. */
import { cutWindows } from "../../../world/power_cuts.ts";
import type { WorldSession } from "../../../world/session.ts";
import { WorldTimeline } from "../../../world/timeline.ts";
import type { InstallOrder } from "../../../firmware/dpu_provision/stand_in.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import {
  type DpuMoment,
  dpuMoments,
  power,
  type RecordedProvisioning,
  recordWorld,
  systemOf,
  tasksOf,
} from "./lives.ts";
import { BMC, DPU, HOST, NEW, OLD, smallWorld } from "./worlds.ts";

/** How long what was cut is without power, and how long a world then goes on at most. */
const OFF = 300_000, AFTER = 150_000_000;
/** The chunk and padding of the worlds: small, so that many are carried out. */
const SMALL = { padding: 0x1000, bmc: { chunk: 4096 } } as const;

/** Who loses power; who has it back after a while; what must be in the end. */
interface CutMode {
  readonly cut: readonly number[];
  readonly back: readonly number[];
  /** Versions of which one has to run. */
  readonly ends: readonly number[];
}

/** With everybody back, the step resumes: the new system runs in the end. With nobody else left, the DPU runs something. */
export const CUT_MODES: Readonly<Record<string, CutMode>> = {
  "the DPU": { cut: [DPU], back: [DPU], ends: [NEW] },
  "all, and only the DPU is back": { cut: [HOST, BMC, DPU], back: [DPU], ends: [OLD, NEW] },
  "the controller": { cut: [BMC], back: [BMC], ends: [NEW] },
  "all": { cut: [HOST, BMC, DPU], back: [HOST, BMC, DPU], ends: [NEW] },
  "the host": { cut: [HOST], back: [HOST], ends: [NEW] },
  "the controller, for ever": { cut: [BMC], back: [], ends: [OLD, NEW] },
};

/** Goes on from a time with a loss of power. */
function cut(session: WorldSession, time: number, { cut, back }: CutMode): WorldSession {
  for (const node of cut) session.give(power(time, node, false));
  for (const node of back) session.give(power(time + OFF, node, true));
  session.run(time + AFTER);
  return session;
}

/** Times of messages and of the DPU's steps, each once, before the new system runs; and random ones up to a number. */
function positions(
  { run }: RecordedProvisioning,
  moments: readonly DpuMoment[],
  count: number,
  seed: number,
): number[] {
  const last = Math.max(...moments.map(({ time }) => time)) + 200_000, random = seeded(seed);
  const steps = [...moments, ...run.events].map(({ time }) => time);
  const times = new Set(steps.flatMap((time) => [time, time + 8]).filter((time) => time <= last));
  while (times.size < count) times.add(Math.floor(random.next().value / 2 ** 32 * last));
  return [...times].sort((a, b) => a - b);
}

/** Every n-th of them, so that there are about so many. */
function some(times: readonly number[], most: number): readonly number[] {
  return times.length <= most
    ? times
    : Array.from({ length: most }, (_, n) => times[Math.floor(n * times.length / most)]!);
}

/** What a cut came to, if not to what it should. */
function failureOf(session: WorldSession, { ends, back }: CutMode): string | undefined {
  const system = systemOf(session.consoles[DPU]!), task = tasksOf(session).at(-1);
  if (system === "stranded" || system === "none" || !ends.includes(system)) return `the DPU runs ${system}`;
  const isSeen = back.includes(BMC) || back.length === 1 && back[0] === HOST ||
    back[0] === DPU && ends.length === 1;
  return isSeen && task !== undefined && task.state !== "Completed" ? `the task is ${task.state}` : undefined;
}

/** Cuts of everybody's power, in every mode: no DPU is without a system, and with everybody back the new one is installed. */
export async function powerCuts(context: CheckContext): Promise<CheckOutcome> {
  const made = smallWorld(SMALL), options = context.machineOptions(), seed = 15;
  const recorded = await recordWorld(made, options), moments = dpuMoments(recorded, options);
  const timeline = new WorldTimeline(recorded.run, { ...options, images: made.images, spacing: 100_000 });
  const failures: string[] = [], modes = Object.entries(CUT_MODES);
  const all = positions(recorded, moments, context.all ? 400 : 240, seed), ends: Record<string, number> = {};
  const times = context.all ? all : some(all, 240);
  let cuts = 0;
  for (const [index, time] of times.entries()) {
    // Quick: a mode at a time, in turns; all of them with --all.
    for (const [name, mode] of context.all ? modes : [modes[index % modes.length]!]) {
      const session = cut(timeline.at(time), time, mode), failure = failureOf(session, mode);
      if (failure !== undefined) {
        failures.push(`${name} without power at ${time} ns (seed ${seed}): ${failure}`);
      }
      const end = `version ${systemOf(session.consoles[DPU]!)} in the end`;
      ends[end] = (ends[end] ?? 0) + 1;
      cuts++;
    }
    context.progress("power cuts", index + 1, times.length);
    await context.breathe();
  }
  if (cuts < 200) failures.push(`only ${cuts} cuts`);
  return {
    failures: failures.slice(0, 20),
    figures: {
      cuts,
      bricks: failures.length,
      "steps of the DPU": moments.length,
      "positions known": all.length,
      ...ends,
    },
  };
}

/** Nanoseconds that a step takes at most, with what a monitor charges: what happens in it is seen at its end. */
const STEP = 2000;

/** A window in which a loss of power leaves the DPU without a system. */
interface BrickWindow {
  /** Nanoseconds. */
  readonly length: number;
  /** What the DPU did just before each edge. */
  readonly opens: string;
  readonly closes: string;
}

/** Finds the windows of an order, to the nanosecond, over all states that survive a loss of power. */
async function brickWindows(context: CheckContext, order: InstallOrder): Promise<[BrickWindow[], number]> {
  const made = smallWorld({ ...SMALL, order }), options = context.machineOptions();
  const recorded = await recordWorld(made, options), moments = dpuMoments(recorded, options);
  const timeline = new WorldTimeline(recorded.run, { ...options, images: made.images, spacing: 50_000 });
  const mode = CUT_MODES["all, and only the DPU is back"]!;
  const verdict = (session: WorldSession, time: number): string => {
    const end = systemOf(cut(session, time, mode).consoles[DPU]!);
    return typeof end === "number" ? "boots" : end;
  };
  const last = Math.max(...moments.map(({ time }) => time)) + 100_000;
  const search = cutWindows(timeline, { node: DPU, from: 0, to: last, verdict });
  let step = search.next(), looks = 0;
  for (; !step.done; step = search.next()) {
    if (++looks % 16 === 0) await context.breathe();
  }
  const before = (time: number): string =>
    moments.findLast((moment) => moment.time <= time)?.what ?? "power-on";
  const windows = step.value.filter((window) => window.verdict !== "boots").map(({ from, to }) => (
    {
      length: to - from + 1,
      opens: before(from + STEP),
      closes: to === last ? "never" : before(to + 1 + STEP),
    }
  ));
  return [windows, looks];
}

/** What each order's windows must be. */
const ORDERS: Readonly<Record<InstallOrder, readonly (readonly [opens: RegExp, closes: RegExp])[]>> = {
  "other partition": [],
  "in place": [[/^nv flushed/, /^nv flushed/]],
  "order first": [[/^vars flushed|^BootOrder is 0200/, /^nv flushed/]],
};

/** The safe order has no window without a system; unsafe ones have one, whose edges are found to the nanosecond. */
export async function atomicWindows(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  for (const [order, wanted] of Object.entries(ORDERS)) {
    const [windows, looks] = await brickWindows(context, order as InstallOrder);
    const found = windows.map(({ length, opens, closes }) => `${length} ns, from "${opens}" to "${closes}"`);
    figures[order] = found.join("; ") || `no window (${looks} looks)`;
    const isRight = windows.length === wanted.length &&
      wanted.every(([opens, closes], index) =>
        opens.test(windows[index]!.opens) && closes.test(windows[index]!.closes)
      );
    if (!isRight) failures.push(`${order}: ${figures[order]}`);
  }
  return { failures, figures };
}
