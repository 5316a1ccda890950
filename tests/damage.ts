/**
 * Damage: kills recordings at random moments and breaks finished journals at random bytes. Every outcome must be
 * *refused*, *torn tail dropped* or *identical roots*; the counts are printed.
 *
 * `deno task damage [--kills N] [--flips N] [--seed N]`; with `.guests/u-boot` there, U-Boot is killed a few times too.
 */
import { parseArgs } from "@std/cli";
import { COUNTER_GUEST_BASE, COUNTER_GUEST_SOURCE } from "../firmware/counter_guest.ts";
import { JournalError } from "../journal/errors.ts";
import { JournalReader } from "../journal/file.ts";
import { Replay } from "../journal/replay.ts";
import { RecordedRun } from "../journal/run.ts";
import { MemoryFile } from "../journal/storage.ts";
import { assembleProgram } from "../machine/a64/program.ts";
import type { DiskImage } from "../machine/storage/block.ts";
import type { MachineImages } from "../machine/compose.ts";
import { ConfigurationError } from "../machine/errors.ts";
import { imageReferences } from "../journal/images.ts";
import { counterGuest, recordGuest } from "./journal/guest.ts";
import { Random } from "./oracle/devices/random.ts";

const U_BOOT = ".guests/u-boot/u-boot.bin";
const U_BOOT_KILLS = 5;

/** Opens a journal and replays it to the last instant it knows; throws whatever is wrong with it. */
function openAndReplay(
  bytes: Uint8Array,
  imageOf: () => Uint8Array | DiskImage,
): { torn: boolean; instant: number } {
  const reader = JournalReader.open(new MemoryFile(bytes));
  const run = new RecordedRun(reader);
  const images: MachineImages = new Map(
    imageReferences(run.manifest.configuration).map(({ sha256 }) => [sha256, imageOf()]),
  );
  const replay = new Replay(run, images);
  replay.runToEnd();
  return { torn: reader.torn !== undefined, instant: replay.instant };
}

/** Starts a recording, kills it some time after its first block, and replays what is left. */
async function kill(
  guest: string,
  options: readonly string[],
  folder: string,
  delay: number,
): Promise<string> {
  const journal = `${folder}/killed.hindsight`;
  await Deno.remove(journal).catch(() => {});
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-read", "--allow-write", "cli/main.ts", "record", ...options, "-o", journal],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const size = () => Deno.stat(journal).then((stat) => stat.size, () => 0);
  while (await size() === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, delay));
  try {
    process.kill("SIGKILL");
  } catch {
    // It had ended by itself.
  }
  await process.status;
  const { torn, instant } = openAndReplay(await Deno.readFile(journal), () => Deno.readFileSync(guest));
  return `${instant} steps replayed${torn ? ", torn tail dropped" : ""}`;
}

async function killMany(
  name: string,
  guest: string,
  options: string[],
  kills: number,
  longest: number,
  random: Random,
) {
  const folder = await Deno.makeTempDir({ prefix: "hindsight-damage-" });
  let failed = 0;
  for (let count = 0; count < kills; count++) {
    const delay = random.below(longest);
    try {
      const outcome = await kill(guest, options, folder, delay);
      if (Deno.stdout.isTerminal()) console.log(`${name}: killed after ${delay} ms: ${outcome}`);
    } catch (error) {
      failed++;
      console.error(`${name}: killed after ${delay} ms: ${(error as Error).message}`);
    }
  }
  await Deno.remove(folder, { recursive: true });
  console.log(`${name}: ${kills} kills, ${kills - failed} opened and replayed to their last whole block`);
  return failed;
}

/** Flips or cuts one journal many times. */
function breakMany(count: number, random: Random): number {
  const guest = counterGuest();
  const { file } = recordGuest(guest);
  const image = [...guest.images.values()][0]!;
  const outcomes = { "refused": 0, "torn tail dropped": 0, "identical roots": 0 };
  let failed = 0;
  for (let index = 0; index < count; index++) {
    const cut = random.below(4) === 0;
    const at = random.below(file.size);
    const bytes = cut ? file.bytes.slice(0, at) : file.bytes;
    if (!cut) bytes[at]! ^= 1 << random.below(8);
    try {
      outcomes[openAndReplay(bytes, () => image).torn || cut ? "torn tail dropped" : "identical roots"]++;
    } catch (error) {
      if (error instanceof JournalError || error instanceof ConfigurationError) {
        outcomes.refused++;
        continue;
      }
      failed++;
      console.error(`journal with ${cut ? "a cut" : "a flip"} at byte ${at}: ${(error as Error).stack}`);
    }
  }
  const shown = Object.entries(outcomes).map(([name, number]) => `${number} ${name}`).join(", ");
  console.log(`journal of ${file.size} bytes broken ${count} times: ${shown}, ${failed} anything else`);
  return failed;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, { string: ["kills", "flips", "seed"] });
  const kills = Number(options.kills ?? 50), flips = Number(options.flips ?? 10_000);
  const seed = Number(options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const source = COUNTER_GUEST_SOURCE.replace(/(\.equ\s+ROUNDS,\s*)\d+/, (_, head) => `${head}60000`);
  const guest = await Deno.makeTempFile({ suffix: ".bin" });
  await Deno.writeFile(guest, assembleProgram(source, { name: "guest", base: COUNTER_GUEST_BASE }).bytes);
  let failed = breakMany(flips, random);
  failed += await killMany("counter guest", guest, ["-kernel", guest, "-smp", "2"], kills, 1500, random);
  if (await Deno.stat(U_BOOT).then(() => true, () => false)) {
    failed += await killMany(
      "u-boot",
      U_BOOT,
      ["-bios", U_BOOT],
      Math.min(kills, U_BOOT_KILLS),
      8000,
      random,
    );
  }
  await Deno.remove(guest);
  console.log(`${failed === 0 ? 1 : 0} passed, ${failed === 0 ? 0 : 1} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
