/** dpu-provision's checks with Debian on the host and the DPU: the whole run, its replays, and power cuts all over it. */
import { createHash } from "node:crypto";
import { installedSystem } from "../../../firmware/dpu_provision/image.ts";
import { LARGE_DPU, SECTOR } from "../../../firmware/dpu_provision/platform.ts";
import { WorldTimeline } from "../../../world/timeline.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { debianWorld } from "./debian_world.ts";
import {
  keepWorld,
  pausing,
  power,
  type RecordedProvisioning,
  recordWorld,
  replayWorld,
  systemOf,
} from "./lives.ts";
import { BMC, DPU, HOST, NEW, OLD } from "./worlds.ts";

/** The whole run takes about 30 s of the world's time. */
const LIMIT = 200e9;
/** What the last of all writes. */
const HOST_DONE = "host: the task is ", SYSTEM_DONE = "system: disks are ";

/** A recording with Debian. */
interface DebianRecording extends RecordedProvisioning {
  /** The image that was published. */
  readonly image: Uint8Array;
  /** About when the DPU had written a text, in nanoseconds. */
  readonly timeOf: (text: string) => number;
}

async function recordDebian(context: CheckContext): Promise<DebianRecording> {
  const made = debianWorld(context), written: { readonly time: number; readonly length: number }[] = [];
  const recorded = await recordWorld(made, context.machineOptions(), {
    until: LIMIT,
    depth: "inputs",
    between: pausing(context),
    isEnough: (consoles) => consoles[HOST]!.includes(HOST_DONE) && consoles[DPU]!.includes(SYSTEM_DONE),
    wrote: (node, time, { length }) => void (node === DPU && written.push({ time, length })),
  });
  const timeOf = (text: string): number => {
    const at = recorded.consoles[DPU]!.indexOf(text);
    return written.find(({ length }) => length > at)?.time ?? recorded.run.lastTime;
  };
  return { ...recorded, image: made.image, timeOf };
}

/** What each has to say, in this order. */
const SAYS = [
  [HOST, ["host: the DPU is a dpu-linux", "host: publishing version 2", "host: the task is Completed"]],
  [DPU, [
    `system version ${OLD}`,
    "firmware: the volatile disk is there",
    "firmware: booting entry 0",
    "firmware: runtime services are answered",
    "installer: writing partition 2",
    "installer: read back and equal",
    "installer: installed",
    "firmware: booting entry 2",
    `system version ${NEW}, no volatile disk`,
  ]],
] as const;

/** Debian installs Debian: recorded, looked at, replayed by the compiled and threaded engines and by two threads. */
export async function debianRun(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [],
    recorded = await recordDebian(context),
    { run, world, images, image } = recorded;
  for (const [node, texts] of SAYS) {
    let from = 0;
    for (const text of texts) {
      const at = recorded.consoles[node]!.indexOf(text, from);
      if (at < 0) failures.push(`${world.nodes[node]!.name} does not say "${text}" in its turn`);
      else from = at;
    }
  }
  const timeline = new WorldTimeline(run, { ...context.machineOptions(), images, spacing: 5e9 });
  const disk = timeline.at(run.lastTime).machineOf(DPU)?.board.disks.get("nv");
  const wanted = installedSystem(image), offset = LARGE_DPU.slots[1] * SECTOR;
  const found = disk?.peek(offset, wanted.length, true) ?? new Uint8Array(0);
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  // The second page of a partition is nobody's.
  if (digest(found.subarray(8192)) !== digest(wanted.subarray(8192))) {
    failures.push("the partition is not the image's");
  }
  if (digest(found.subarray(0, 512)) !== digest(wanted.subarray(0, 512))) {
    failures.push("its header is not the system's");
  }
  keepWorld(context, "debian", recorded);
  failures.push(...await replayWorld(context, recorded, ["threaded"]));
  return {
    failures,
    figures: {
      "bytes of the image": image.length,
      nanoseconds: run.lastTime,
      messages: run.events.filter(({ kind }) => kind === "messageSent").length,
      "roots compared": run.roots.length,
      root: run.end?.historyRoot.toHex().slice(0, 16) ?? "none",
    },
  };
}

/** Power cuts. */
const CUTS = 200;

/** All lose power, and only the DPU has it back: at 200 positions, many where the partition's header and BootOrder change. */
export async function debianCuts(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], seed = 16, random = seeded(seed), recorded = await recordDebian(context);
  const { run, images, timeOf } = recorded, ends: Record<string, number> = {};
  const between = (from: number, to: number) =>
    from + Math.floor(random.next().value / 2 ** 32 * (to - from));
  const begins = timeOf("the volatile disk is there"), verified = timeOf("read back and equal");
  const installed = timeOf("installer: installed"), entered = timeOf("booting entry 2");
  const messages = run.events.filter((event) =>
    event.kind === "messageSent" && event.node === BMC && event.link === 1
  );
  const positions = [
    ...Array.from({ length: 40 }, () => messages[between(0, messages.length)]!.time),
    ...Array.from({ length: 60 }, () => between(begins, verified)),
    ...Array.from({ length: 70 }, () => between(verified - 5_000_000, installed + 1_000_000)),
    ...Array.from({ length: 30 }, () => between(installed, entered)),
  ].sort((a, b) => a - b);
  const timeline = new WorldTimeline(run, { ...context.machineOptions(), images, spacing: 2e9 });
  for (const [index, time] of positions.entries()) {
    const session = timeline.at(time), mark = session.consoles[DPU]!.length;
    for (const node of [HOST, BMC, DPU]) session.give(power(time, node, false));
    session.give(power(time + 300_000, DPU, true));
    // A line that is not complete says nothing yet.
    const reached = () => systemOf(session.consoles[DPU]!.slice(mark));
    await session.runApart(time + 60e9, pausing(context), () => reached() !== "none");
    const system = reached(), end = `version ${system} in the end`;
    if (system !== OLD && system !== NEW) {
      failures.push(`cut at ${time} ns (seed ${seed}): the DPU runs ${system}`);
    }
    ends[end] = (ends[end] ?? 0) + 1;
    context.progress("power cuts", index + 1, positions.length);
  }
  if (positions.length < CUTS) failures.push(`only ${positions.length} cuts`);
  if (Object.keys(ends).length < 2) {
    failures.push("all cuts ended alike: none was before or none was behind the change");
  }
  return { failures, figures: { cuts: positions.length, bricks: failures.length, ...ends } };
}
