/** dpu-provision's checks of a small world: the whole run, what is refused, restarts, lost messages, the Redfish service. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { installedSystem } from "../../../firmware/dpu_provision/image.ts";
import { LARGE_DPU, SECTOR, SMALL_DPU } from "../../../firmware/dpu_provision/platform.ts";
import { standInImage } from "../../../firmware/dpu_provision/stand_in.ts";
import { variablesOn } from "../../../hypervisor/variable_store/variable_log.ts";
import type { DiskImage } from "../../../machine/storage/block.ts";
import { MESSAGE, REFUSALS } from "../../../machine/dpu_channel.ts";
import { readMessage, writeMessage } from "../../../world/programs/bmc/messages.ts";
import { type NodeProgram, nodeProgram } from "../../../world/node_program.ts";
import type { WorldSession } from "../../../world/session.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import {
  durableDigest,
  keepWorld,
  largeMessages,
  live,
  power,
  recordWorld,
  replayWorld,
  systemOf,
  tasksOf,
  wholeImage,
} from "./lives.ts";
import { BMC, DPU, HOST, NEW, OLD, type SmallOptions, smallWorld } from "./worlds.ts";

/** Numbers of links. */
const CHANNEL = 1, POWER = 2;
/** Bytes that make the image larger, where nothing depends on it. */
const PADDING = 0x4000;
const ENGINES = ["reference", "threaded", "compiled"] as const;

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A variable of the DPU's, in hexadecimal; undefined where it is not there. */
function variable(session: WorldSession, name: string): string | undefined {
  const disk = session.machineOf(DPU)?.board.disks.get("vars");
  return disk && variablesOn(disk.peek(0, disk.size, true)).find((one) => one.name === name)?.data.toHex();
}

/** What is wrong with a DPU on which the new system should be in the second partition, the old one untouched in the first. */
function installedFailures(session: WorldSession, padding: number): string[] {
  const failures: string[] = [], { slots } = SMALL_DPU;
  const wanted = installedSystem(standInImage(SMALL_DPU, NEW, { padding }));
  const old = installedSystem(standInImage(SMALL_DPU, OLD, { padding: 0x1000 }));
  const system = systemOf(session.consoles[DPU]!);
  if (system !== NEW) failures.push(`the DPU runs ${system}, not version ${NEW}`);
  if (!session.consoles[DPU]!.endsWith("no volatile disk\r\n")) failures.push("a volatile disk is left");
  if (durableDigest(session, "nv", slots[1] * SECTOR, wanted.length) !== digestOf(wanted)) {
    failures.push("the second partition is not the image's system");
  }
  if (durableDigest(session, "nv", slots[0] * SECTOR, old.length) !== digestOf(old)) {
    failures.push("the first partition has changed");
  }
  const order = variable(session, "BootOrder"), next = variable(session, "BootNext");
  if (order !== "02000100") failures.push(`BootOrder is ${order}, not 0002 0001`);
  if (next !== undefined) failures.push(`BootNext is ${next}`);
  const [task, ...more] = tasksOf(session);
  if (task?.state !== "Completed" || more.length > 0) failures.push(`the task is ${task?.state}`);
  return failures;
}

/** The whole run, recorded and replayed on all engines and by two threads. */
export async function wholeRun(context: CheckContext): Promise<CheckOutcome> {
  const made = smallWorld({ padding: PADDING, bmc: { chunk: 4096 } });
  const recorded = await recordWorld(made, context.machineOptions());
  const failures = installedFailures(live(made, context.machineOptions()), PADDING);
  const says = [
    "the volatile disk is there",
    "booting entry 0",
    "writing partition 2",
    "read back and equal",
    "booting entry 2",
  ];
  let from = 0;
  for (const text of says) {
    const at = recorded.consoles[DPU]!.indexOf(text, from);
    if (at < 0) failures.push(`the DPU does not say "${text}" in its turn`);
    else from = at;
  }
  keepWorld(context, "small", recorded);
  failures.push(...await replayWorld(context, recorded, ENGINES, 7000));
  const { run } = recorded, sent = run.events.filter(({ kind }) => kind === "messageSent").length;
  return {
    failures,
    figures: {
      nanoseconds: run.lastTime,
      messages: sent,
      events: run.events.length,
      "roots compared": run.roots.length,
      root: run.end?.historyRoot.toHex().slice(0, 16) ?? "none",
      "bytes of the recording": recorded.file.size,
    },
  };
}

/** What is refused, how, and by what words of the task. */
const REFUSED: Readonly<
  Record<string, SmallOptions & { readonly reason: RegExp; readonly isWoken?: boolean }>
> = {
  "an image that is not there": {
    published: () => undefined,
    reason: /the image is not to be had: status 404/,
  },
  "a short image": { published: (image) => image.slice(0, -100), reason: /its manifest says/ },
  "a corrupt image": {
    published: (image) => image.with(image.length >> 1, image[image.length >> 1]! ^ 1),
    reason: /SHA-256 is not what its manifest says/,
  },
  "a manifest that is none": { manifest: { size: "large" }, reason: /the manifest is not one/ },
  "an image for another model": {
    manifest: { model: LARGE_DPU.name },
    reason: /for model "dpu-linux", the DPU is "dpu-small"/,
  },
  "an image that is larger than a volatile disk": {
    padding: SMALL_DPU.ramDisk.size,
    reason: /a volatile disk of the DPU 262144 at most/,
  },
  "an image whose manifest lies about its model": {
    model: { ...LARGE_DPU, ramDisk: SMALL_DPU.ramDisk },
    manifest: { model: SMALL_DPU.name },
    reason: /the DPU refuses the image: it is no image of this machine/,
    isWoken: true,
  },
};

/** Every image that must not be taken: the task is an Exception that says why, the DPU runs what it ran, unchanged. */
export async function refusals(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], options = context.machineOptions();
  const untouched = live(smallWorld({ published: () => undefined, padding: PADDING }), options);
  const factory = ["nv", "vars"].map((id) => {
    const disk = untouched.machineOf(DPU)!.board.disks.get(id)!;
    return { id, size: disk.size, digest: digestOf(readImage(id)) };
  });
  for (const [what, { reason, isWoken = false, ...given }] of Object.entries(REFUSED)) {
    const session = live(smallWorld({ padding: PADDING, ...given }), options), [task] = tasksOf(session);
    const said = task?.messages.at(-1) ?? "nothing";
    if (task?.state !== "Exception" || !reason.test(said)) {
      failures.push(`${what}: the task is ${task?.state}: ${said}`);
    }
    if (systemOf(session.consoles[DPU]!) !== OLD) failures.push(`${what}: the DPU runs something else`);
    for (const { id, size, digest } of factory) {
      if (durableDigest(session, id, 0, size) !== digest) failures.push(`${what}: disk "${id}" has changed`);
    }
    const chunks = largeMessages(session.events, CHANNEL, BMC);
    const cycles = session.events.filter((event) =>
      event.kind === "messageSent" && event.link === POWER
    ).length;
    if (!isWoken && (chunks > 0 || cycles > 0)) {
      failures.push(
        `${what}: ${chunks} chunks went to the DPU, ${cycles} times it was cycled`,
      );
    }
    if (isWoken && chunks === 0) failures.push(`${what}: nothing went to the DPU`);
    await context.breathe();
  }
  return { failures, figures: { refusals: Object.keys(REFUSED).length } };

  function readImage(id: string): Uint8Array {
    const { node, images } = untouchedImages();
    return wholeImage(
      images.get(node.configuration.drives.find((drive) => drive.id === id)!.image.sha256) as DiskImage,
    );
  }

  function untouchedImages() {
    const { world, images } = smallWorld({ padding: PADDING }), node = world.nodes[DPU]!;
    if (node.kind !== "machine") throw new TypeError("the DPU is a machine");
    return { node, images };
  }
}

/** A controller that offers what it should not, and does nothing else; tells what the DPU says. */
function rogue(offer: Parameters<typeof writeMessage>[1], data?: Uint8Array): NodeProgram {
  return nodeProgram({
    name: "bmc",
    options: z.json(),
    start: (_options, site) => {
      let isOffered = false;
      return {
        received(port, bytes) {
          const message = port === "dpu" ? readMessage(bytes) : undefined;
          if (message === undefined) return;
          if (message.kind === MESSAGE.refused) site.tell("refused", REFUSALS[message.code]);
          if (message.kind === MESSAGE.want && data !== undefined && message.offset < data.length) {
            const part = data.subarray(message.offset, message.offset + 4096);
            site.send("dpu", writeMessage("chunk", { offset: message.offset, data: part }));
          }
          if (message.kind !== MESSAGE.ready) return;
          site.send("dpu", writeMessage(isOffered ? "proceed" : "offer", offer));
          isOffered = true;
        },
        state: () => ({ isOffered }),
      };
    },
  });
}

/** The DPU's firmware refuses by itself what a controller should not have offered. */
export async function firmwareRefuses(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], image = standInImage(SMALL_DPU, NEW, { padding: PADDING });
  const manifest = { model: SMALL_DPU.name, version: NEW, size: image.length, sha256: digestOf(image) };
  const header = image.with(0, 0),
    cases: [what: string, code: number, NodeProgram][] = [
      ["another model", 1, rogue({ manifest: { ...manifest, model: "dpu-linux" } })],
      ["too large", 2, rogue({ manifest: { ...manifest, size: SMALL_DPU.ramDisk.size + 4096 } })],
      ["no whole pages", 4, rogue({ manifest: { ...manifest, size: image.length - 1 } })],
      ["another digest", 3, rogue({ manifest }, image.with(9000, image[9000]! ^ 1))],
      ["no image", 4, rogue({ manifest: { ...manifest, sha256: digestOf(header) } }, header)],
    ];
  for (const [what, code, program] of cases) {
    const made = smallWorld({ padding: PADDING }), programs = [program];
    const session = live(made, context.machineOptions(), { programs });
    const told = session.events.flatMap((event) =>
      event.kind === "nodeTold" && event.node === BMC ? [event.detail] : []
    );
    if (told.join() !== REFUSALS[code]) {
      failures.push(`${what}: the DPU says "${told.join()}", not "${REFUSALS[code]}"`);
    }
    if (systemOf(session.consoles[DPU]!) !== OLD) failures.push(`${what}: the DPU does not run what it ran`);
    await context.breathe();
  }
  return { failures, figures: { offers: cases.length } };
}

/** The controller loses power in the middle of a transfer, and goes on; or the host in the middle of a fetch. */
export async function restarts(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], options = context.machineOptions(), padding = 0x1_0000;
  const given: SmallOptions = { padding, bmc: { chunk: 1024, window: 2 } }, made = smallWorld(given);
  const whole = live(made, options).events;
  const chunks = whole.filter((event) =>
    event.kind === "messageSent" && event.node === BMC && event.size > 1024
  );
  let resumed = 0, most = 0;
  for (const part of [0.2, 0.5, 0.9]) {
    const { time } = chunks[Math.floor(part * chunks.length)]!;
    const session = live(made, options, {
      inputs: [power(time, BMC, false), power(time + 600_000, BMC, true)],
    });
    const what = `the controller is off for 600 µs at ${time} ns`;
    failures.push(...installedFailures(session, padding).map((failure) => `${what}: ${failure}`));
    const sent = session.events.filter((event) =>
      event.kind === "messageSent" && event.node === BMC && event.size > 1024
    );
    if (sent.length < chunks.length * 1.2) resumed++;
    most = Math.max(most, sent.length);
    await context.breathe();
  }
  if (resumed < 3) failures.push(`only ${resumed} of 3 transfers went on where they were`);
  const fetched = whole.filter((event) =>
    event.kind === "messageSent" && event.node === HOST && event.size > 1000
  );
  const middle = fetched[fetched.length >> 1]!.time;
  const back = live(made, options, {
    inputs: [power(middle, HOST, false), power(middle + 6_000_000, HOST, true)],
  });
  failures.push(
    ...installedFailures(back, padding).map((failure) => `the host is off for a while: ${failure}`),
  );
  const gone = live(made, options, { inputs: [power(middle, HOST, false)] }), [task] = tasksOf(gone);
  if (task?.state !== "Exception" || !/cannot be reached/.test(task.messages.at(-1) ?? "")) {
    failures.push(`without the host the task is ${task?.state}: ${task?.messages.at(-1)}`);
  }
  if (systemOf(gone.consoles[DPU]!) !== OLD) failures.push("without the host the DPU runs something else");
  return { failures, figures: { chunks: chunks.length, "chunks with a restart, at most": most } };
}

/** One message of ten on the channel is lost. */
export async function lostMessages(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], seeds = context.all ? 20 : 3;
  let lost = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const { world, images } = smallWorld({ padding: PADDING, lossPerMillion: 100_000, bmc: { chunk: 1024 } });
    const session = live({ world: { ...world, seed }, images }, context.machineOptions());
    lost += session.events.filter((event) => event.kind === "messageLost" && event.reason === "loss").length;
    failures.push(...installedFailures(session, PADDING).map((failure) => `seed ${seed}: ${failure}`));
    await context.breathe();
  }
  if (lost === 0) failures.push("no message was lost");
  return { failures, figures: { seeds, lost } };
}
