/** Disks from the command line: recorded, replayed, packed, exported, and found out when they change. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { main } from "../../cli/main.ts";
import { nvmeGuest } from "./nvme_guest.ts";
import { FakeHost, hindsight, type Outcome, TestFolder } from "./support.ts";

const MIB = 2 ** 20;
const BLOCK = 512;

/** A folder with the guest and a disk of 3 MiB. */
function prepare(folder: TestFolder): string[] {
  folder.write("guest.bin", nvmeGuest());
  folder.write("disk.img", contents());
  folder.write("cut.script", 'expect "Z!"\npower cut\n');
  const disk = `file=${folder.path("disk.img")},if=none,id=n0`;
  return folder.record(
    "run",
    "-drive",
    disk,
    "-device",
    "nvme,drive=n0",
    "--script",
    folder.path("cut.script"),
  );
}

function contents(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(3 * MIB);
  bytes.fill(0x5a, 2 * MIB, 2 * MIB + 1000);
  bytes.fill(7, 99 * BLOCK, 102 * BLOCK);
  return bytes;
}

async function succeed(args: readonly string[]): Promise<Outcome> {
  const outcome = await hindsight(args);
  assertEquals(outcome.code, 0, outcome.err);
  return outcome;
}

/** What is expected on the disk once block 100 begins and ends with a letter, zeros between. */
function withBlock(letter: string): Uint8Array {
  const bytes = contents();
  bytes.fill(0, 100 * BLOCK, 101 * BLOCK);
  bytes[100 * BLOCK] = bytes[101 * BLOCK - 1] = letter.charCodeAt(0);
  return bytes;
}

Deno.test("disk exports what was written by an instant, and what a power cut leaves of it", async () => {
  using folder = new TestFolder();
  const run = folder.path("run"), out = folder.path("out.raw");
  await succeed(prepare(folder));
  const listed = JSON.parse((await succeed(["disk", run, "--list", "--json"])).out);
  const { instant, drives } = listed;
  assertEquals(drives.map(({ id, size, written }: Record<string, unknown>) => [id, size, written]), [
    ["n0", 3 * MIB, { durable: 1, volatile: 0 }],
  ]);
  const exported = async (...more: string[]) => {
    await succeed(["disk", run, "-o", out, ...more]);
    return Deno.readFileSync(out);
  };
  assertEquals(await exported("--at", "0", "--drive", "n0"), contents());
  assertEquals(await exported("--at", String(instant)), withBlock("B"));
  assertEquals(await exported("--at", String(instant), "--durable"), withBlock("A"));
  assertEquals(await exported(), withBlock("A"));
  assertMatch((await hindsight(["disk", run])).err, /-o FILE, or else --list/);
  assertMatch(
    (await hindsight(["disk", run, "-o", out, "--drive", "n1"])).err,
    /no such drive; there are n0/,
  );
  assertMatch(
    (await hindsight(["disk", run, "-o", out, "--at", String(instant + 1)])).err,
    /the run ends at/,
  );
  assertEquals(Deno.readFileSync(folder.path("disk.img")), contents());
});

Deno.test("replay of a run with a disk is equal on every engine, from the file, a copy, or packed", async () => {
  using folder = new TestFolder();
  const run = folder.path("run"), image = folder.path("disk.img"), packed = folder.path("packed");
  await succeed(prepare(folder));
  for (const engine of ["threaded", "reference"]) await succeed(["replay", run, "--engine", engine]);
  await succeed(["pack", run, "-o", packed]);
  Deno.mkdirSync(folder.path("elsewhere"));
  Deno.renameSync(image, folder.path("elsewhere/moved"));
  const missing = await hindsight(["replay", run]);
  assertEquals(missing.code, 1);
  assertMatch(missing.err, /the n0 ".*disk\.img" was not found .* Give it with --image n0=FILE/);
  await succeed(["replay", run, "--image", `n0=${folder.path("elsewhere/moved")}`]);
  await succeed(["replay", run, "--image", folder.path("elsewhere/moved")]);
  Deno.removeSync(folder.path("guest.bin"));
  await succeed(["replay", packed]);
  assert(Deno.statSync(packed).size < 100_000);
  folder.write("disk.img", contents().fill(1, 0, 1));
  const changed = await hindsight(["replay", run, "--image", `n0=${image}`]);
  assertMatch(
    changed.err,
    /disk\.img" is not the n0 that was recorded\.\n {2}recorded: 3145728 bytes, .*\n {2}the file: /,
  );
});

/** Changes a file once it has been hashed and the machine is about to run. */
class Saboteur extends FakeHost {
  constructor(private readonly path: string) {
    super();
  }
  override now(): number {
    Deno.writeFileSync(this.path, contents().fill(1, 2 * MIB));
    return super.now();
  }
}

Deno.test("record ends with the file's name when a disk image changes meanwhile; the journal is good up to there", async () => {
  using folder = new TestFolder();
  const args = prepare(folder);
  const image = folder.path("disk.img");
  const copy = folder.write("copy.img", contents());
  const host = new Saboteur(image);
  assertEquals(await main(args, host), 1);
  assertMatch(host.err, /^hindsight: The disk image ".*disk\.img" was changed while it was in use: MiB 2 /);
  assert(!host.err.includes("    at "), host.err);
  const replayed = await hindsight(["replay", folder.path("run"), "--image", `n0=${copy}`]);
  assertEquals(replayed.code, 0, replayed.err);
  assertMatch(replayed.err, /was cut off while recording/);
  assertMatch(replayed.out, /Equal up to where the recording was cut off: [1-9]/);
});

Deno.test("diff of runs whose disks differ names the first step that makes something of a byte read", async () => {
  using folder = new TestFolder();
  folder.write("guest.bin", nvmeGuest(20_000));
  for (const letter of ["Z", "Y"]) {
    const bytes = contents();
    bytes.fill(letter.charCodeAt(0), 2 * MIB, 2 * MIB + 1000);
    folder.write(`${letter}.img`, bytes);
    folder.write(`${letter}.script`, `expect "${letter}!"\npower cut\n`);
    const disk = `file=${folder.path(`${letter}.img`)},if=none,id=n0`;
    const script = folder.path(`${letter}.script`);
    await succeed(folder.record(letter, "-drive", disk, "-device", "nvme,drive=n0", "--script", script));
  }
  const { out } = await hindsight(["diff", folder.path("Z"), folder.path("Y")]);
  assertMatch(out, /Different: the first divergent event is at instant/);
  assertMatch(out, /0x5a/);
  assertMatch(out, /0x59/);
});
