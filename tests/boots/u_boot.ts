/**
 * U-Boot, looked at closely: recorded, replayed and verified on every engine, its console compared with what QEMU
 * prints for the same script but for the lines of a committed list, events compared across depths, and `diff` tried.
 */
import { TextLineStream } from "@std/streams";
import { ENGINES } from "../../machine/machine.ts";
import { hindsight } from "./hindsight.ts";
import { QEMU, runOnQemu } from "./qemu.ts";
import type { Step } from "./rows.ts";

const OPTIONS = ["-bios", ".guests/u-boot/u-boot.bin"];
const SCRIPT = "tests/fixtures/uboot.script", MASKS = "tests/fixtures/uboot.masks";
const MOST_MASKS = 5, QEMU_SECONDS = 120;

function readScript(path: string): Step[] {
  return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "" && !line.startsWith("#")).map(
    (line) => {
      const match = /^(expect|send) (".*")$/.exec(line);
      if (match === null) throw new Error(`${path}: only expect and send can be told to QEMU: ${line}`);
      return { [match[1]!]: JSON.parse(match[2]!) } as Step;
    },
  );
}

/** Lines in which the two consoles may differ, by their pattern. */
function readMasks(path: string): RegExp[] {
  const masks = Deno.readTextFileSync(path).split("\n").filter((line) =>
    line !== "" && !line.startsWith("#")
  );
  if (masks.length > MOST_MASKS) {
    throw new Error(`${path}: ${masks.length} masks, at most ${MOST_MASKS} are allowed`);
  }
  return masks.map((line) => new RegExp(line.split("\t")[0] as string));
}

async function maskedLines(text: string, masks: readonly RegExp[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of ReadableStream.from([text]).pipeThrough(new TextLineStream({ allowCR: false }))) {
    lines.push(masks.some((mask) => mask.test(line)) ? "(masked)" : line);
  }
  return lines;
}

/** Throws on the first line that differs. */
async function compareConsoles(ours: string, theirs: string): Promise<number> {
  const masks = readMasks(MASKS);
  const [left, right] = await Promise.all([maskedLines(ours, masks), maskedLines(theirs, masks)]);
  for (let line = 0; line < Math.max(left.length, right.length); line++) {
    if (left[line] !== right[line]) {
      throw new Error(
        `console line ${line + 1} differs:\n  hindsight ${JSON.stringify(left[line])}\n  qemu      ${
          JSON.stringify(right[line])
        }`,
      );
    }
  }
  return left.length;
}

/**
 * Does all of it, and prints what was found equal.
 *
 * @throws {Error} for the first thing that is not as it should be
 */
export async function bootUboot(folder: string): Promise<void> {
  const journal = `${folder}/u-boot.hindsight`;
  const text = await hindsight(["record", ...OPTIONS, "--script", SCRIPT, "-o", journal]);
  const options = ["-M", "virt", "-cpu", "cortex-a57", ...OPTIONS];
  const lines = await compareConsoles(
    text,
    (await runOnQemu(options, readScript(SCRIPT), QEMU_SECONDS)).text,
  );
  console.log(`u-boot: ${lines} console lines equal to ${QEMU}`);
  for (const engine of Object.keys(ENGINES)) {
    console.log(indent(await hindsight(["replay", journal, "--engine", engine])));
    await recordAgain(journal, engine, folder);
  }
  console.log(indent(await hindsight(["verify", journal])));
  await compareDepths(folder);
  await diffKeystroke(journal, folder);
}

/** Records on an engine with the same script: all roots, of states and of histories, must be those of the journal. */
async function recordAgain(journal: string, engine: string, folder: string): Promise<void> {
  const again = `${folder}/u-boot.${engine}.hindsight`;
  await hindsight(["record", ...OPTIONS, "--script", SCRIPT, "--engine", engine, "-o", again]);
  const roots = async (file: string) => {
    const { roots } = JSON.parse(await hindsight(["info", file, "--json"]));
    return JSON.stringify(roots);
  };
  const [left, right] = [await roots(journal), await roots(again)];
  if (left !== right) throw new Error(`u-boot on engine ${engine} has other roots:\n${left}\n${right}`);
  console.log(`u-boot: recorded on engine ${engine} with equal state and history roots`);
}

/** The first steps of a boot and windows in them, in instants. */
const DEPTH_STEPS = 1_500_000;
const DEPTH_WINDOWS = [[0, 10_000], [700_000, 710_000], [1_480_000, 1_490_000]] as const;

/** Windows of events are the same bytes whether every step was stored or all must be derived. */
async function compareDepths(folder: string): Promise<void> {
  const record = async (depth: string) => {
    const journal = `${folder}/u-boot-${depth}.hindsight`;
    await hindsight(["record", ...OPTIONS, "--until", String(DEPTH_STEPS), "--depth", depth, "-o", journal]);
    return journal;
  };
  const [stored, derived] = [await record("steps"), await record("traps")];
  for (const [from, to] of DEPTH_WINDOWS) {
    const window = (journal: string) =>
      hindsight(["events", journal, "--class", "all", "--from", String(from), "--to", String(to), "--json"]);
    const [left, right] = [await window(stored), await window(derived)];
    const count = left.split("\n").length - 1;
    if (left !== right || count < to - from) {
      throw new Error(`events ${from}–${to} differ by depth (${count} lines)`);
    }
    console.log(`u-boot: ${count} events of instants ${from}–${to} equal, stored and derived`);
  }
}

/** Records the same inputs again with the second one an instant later; diff names that input. */
async function diffKeystroke(journal: string, folder: string): Promise<void> {
  const lines = (await hindsight(["events", journal, "--kind", "consoleReceived", "--json"])).trim().split(
    "\n",
  );
  const inputs = lines.map((line) => JSON.parse(line) as { instant: number; bytes: string });
  const delayed = inputs[1];
  if (delayed === undefined) throw new Error("the boot has no second input");
  const script = inputs.map(({ instant, bytes }) => {
    const text = new TextDecoder().decode(Uint8Array.fromHex(bytes));
    return `at ${instant === delayed.instant ? instant + 1 : instant} send ${JSON.stringify(text)}\n`;
  });
  const file = `${folder}/u-boot-later.script`;
  await Deno.writeTextFile(file, script.join(""));
  const other = `${folder}/u-boot-later.hindsight`;
  await hindsight(["record", ...OPTIONS, "--script", file, "-o", other]);
  const found = await hindsight(["diff", journal, other], { exitCode: 1 });
  if (!found.includes("consoleReceived") || !found.includes(delayed.instant.toLocaleString("en"))) {
    throw new Error(`diff does not name the input at instant ${delayed.instant}:\n${found}`);
  }
  console.log(`u-boot: diff names the keystroke that came an instant later`);
  console.log(indent(found));
}

const indent = (text: string): string => text.trimEnd().replaceAll(/^/gm, "  ");
