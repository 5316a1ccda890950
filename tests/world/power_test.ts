/** Power cuts in worlds: what a disk flushed and what flash holds is there in the next life, and nothing else. */
import { assert, assertEquals } from "@std/assert";
import { assembleProgram } from "../../machine/a64/program.ts";
import type { MachineImages } from "../../machine/compose.ts";
import { sha256 } from "../../journal/hash.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";
import { parseWorld, type WorldDescription } from "../../world/description.ts";
import { WorldTimeline } from "../../world/timeline.ts";
import { nvmeGuest } from "../cli/nvme_guest.ts";
import { recordWorld } from "./support.ts";

/** A world of one machine. */
function alone(configuration: unknown): WorldDescription {
  return parseWorld({ nodes: [{ kind: "machine", name: "a", configuration }], rootInterval: 1_000_000 });
}

function reference(bytes: Uint8Array, name: string) {
  return { sha256: sha256(bytes).toHex(), size: bytes.length, name };
}

/** What the console says when the power is cut at a time and comes back: of the first life and of the second. */
function lives(timeline: WorldTimeline, time: number, second: number): readonly [string, string] {
  const session = timeline.at(time), before = session.consoles[0]!;
  session.give({ time, node: 0, input: { kind: "power", isOn: false } });
  session.give({ time: time + 1000, node: 0, input: { kind: "power", isOn: true } });
  session.run(time + 1000 + second);
  return [before, session.consoles[0]!.slice(before.length)];
}

/** Times of which the outcome of a cut changes between one and the next, by halving. */
function edge(low: number, high: number, isLater: (time: number) => boolean): readonly [number, number] {
  assert(!isLater(low) && isLater(high));
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isLater(middle)) high = middle;
    else low = middle;
  }
  return [low, high];
}

/** A machine with a disk full of dots; its guest says what block 100 begins with, writes A there, flushes, and writes B. */
function diskWorld(): { readonly world: WorldDescription; readonly images: MachineImages } {
  const disk = new MemoryImage(new Uint8Array(3 * 2 ** 20).fill(0x2e)), kernel = nvmeGuest(0, 100);
  const image = { sha256: hashOfImage(disk), size: disk.size, name: "d" };
  const drive = { id: "d0", image, readOnly: false };
  const images: MachineImages = new Map<string, never>([
    [image.sha256, disk as never],
    [sha256(kernel).toHex(), kernel as never],
  ]);
  const world = alone({
    ...{ memoryMiB: 16, drives: [drive], devices: [{ driver: "nvme", drive: "d0", slot: 1 }] },
    boot: { kernel: reference(kernel, "guest") },
  });
  return { world, images };
}

Deno.test("a power cut keeps what a disk flushed, loses what it did not, and the next life reads it", () => {
  const { world, images } = diskWorld();
  const { run, consoles } = recordWorld(world, { images, until: 200_000, engine: "threaded" });
  assertEquals(consoles, [".!"]);
  const timeline = new WorldTimeline(run, { images, engine: "threaded", spacing: 20_000 });
  const secondOf = (time: number) => lives(timeline, time, 200_000)[1];
  // Block 100 is full of dots; the flush makes it A for good; B is never flushed, though the guest was told it is written.
  const done = timeline.at(199_999).machineOf(0)!.snapshot().disks.get("d0")!;
  const first = (layer: ReadonlyMap<number, { readonly bytes: Uint8Array }>) =>
    [...layer.values()].map(({ bytes }) => String.fromCharCode(bytes[100 * 512]!));
  assertEquals([first(done.durable), first(done.volatile)], [["A"], ["B"]]);
  assertEquals(secondOf(199_999), "A!");
  assertEquals(secondOf(0), ".!");
  const [low, high] = edge(0, 199_999, (time) => secondOf(time) === "A!");
  assertEquals([secondOf(low), secondOf(high)], [".!", "A!"]);
  for (const time of [low - 500, high + 500, 150_000]) {
    assertEquals(secondOf(time), time < high ? ".!" : "A!");
  }
});

Deno.test("a world that is returned to while a machine has no power has what that one kept, not what others did", () => {
  const { world, images } = diskWorld();
  const power = (time: number, isOn: boolean) => ({ time, node: 0, input: { kind: "power", isOn } }) as const;
  // The first life ends before anything is flushed.
  const inputs = [power(1000, false), power(2000, true)];
  const { run } = recordWorld(world, { images, inputs, until: 300_000, engine: "threaded" });
  const timeline = new WorldTimeline(run, { images, engine: "threaded" });
  const second = (): string => {
    const session = timeline.at(1500);
    session.run(200_000);
    return session.consoles[0]!;
  };
  assertEquals(second(), ".!");
  assertEquals(lives(timeline, 250_000, 200_000), [".!", "A!"]);
  assertEquals(second(), ".!");
});

/** In the first bank: writes how often it was here as a letter, counts in the second bank, and rests. */
const COUNTING = assembleProgram(
  `
        ldr     x1, =0x04001000
        ldr     x4, =0x09000000
        ldr     w0, [x1]
        add     w2, w0, #'a'
        str     w2, [x4]
        add     w0, w0, #1
        mov     w3, #0x40
        str     w3, [x1]
        str     w0, [x1]
        mov     w3, #0xff
        str     w3, [x1]
        mov     w5, #'.'
        str     w5, [x4]
1:      wfi
        b       1b
`,
  { name: "counting", base: 0n },
).bytes;

Deno.test("flash keeps what was programmed before a power cut, and memory does not", () => {
  const bank = new Uint8Array(64 * 2 ** 20);
  bank.set(COUNTING);
  const flash = { ...reference(bank, "f.fd"), readOnly: false };
  const images: MachineImages = new Map([[flash.sha256, bank]]);
  const world = alone({ memoryMiB: 16, boot: { pflash: [flash] } });
  const { run } = recordWorld(world, { images, until: 20_000, engine: "threaded" });
  const timeline = new WorldTimeline(run, { images, engine: "threaded", spacing: 5000 });
  const consoles = (time: number) => lives(timeline, time, 5000);
  const [low, high] = edge(0, 19_999, (time) => consoles(time)[1].startsWith("b"));
  // The word is there before the guest says so.
  assertEquals([consoles(low), consoles(high)], [["a", "a."], ["a", "b."]]);
  const session = timeline.at(19_999);
  for (const [index, isOn] of [false, true, false, true, false, true].entries()) {
    session.give({ time: 20_000 + 5000 * index, node: 0, input: { kind: "power", isOn } });
  }
  session.run(60_000);
  assertEquals(session.consoles[0], "a.b.c.d.");
});
