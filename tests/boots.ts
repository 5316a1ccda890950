/**
 * Boots real guests through the command line: records with a script, replays, verifies, and compares the console with
 * what `qemu-system-aarch64 -nodefaults` prints for the same script, but for the lines of a committed list.
 *
 * `deno task boots [NAME…]`; needs `deno task guests` before, and QEMU (Debian: qemu-system-arm).
 */
import { ENGINES } from "../machine/machine.ts";
import { TextLineStream, toText } from "@std/streams";

/** A guest, how it is started, and what it is told. */
interface Boot {
  readonly name: string;
  readonly options: readonly string[];
  readonly script: string;
  readonly masks: string;
}

// deno-fmt-ignore
const BOOTS: readonly Boot[] = [
  { name: "u-boot", options: ["-bios", ".guests/u-boot/u-boot.bin"], script: "tests/fixtures/uboot.script", masks: "tests/fixtures/uboot.masks" },
];

const MOST_MASKS = 5;
const QEMU = "qemu-system-aarch64";

/** One line of a script that both machines understand. */
type Action = { readonly verb: "expect" | "send"; readonly text: string };

function readScript(path: string): Action[] {
  return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "" && !line.startsWith("#")).map(
    (line) => {
      const match = /^(expect|send) (".*")$/.exec(line);
      if (match === null) throw new Error(`${path}: only expect and send can be told to QEMU: ${line}`);
      return { verb: match[1] as Action["verb"], text: JSON.parse(match[2] as string) as string };
    },
  );
}

/** Runs the script on QEMU; the console's text up to power-off. */
async function consoleOfQemu(boot: Boot): Promise<string> {
  const process = new Deno.Command(QEMU, {
    args: [
      "-M",
      "virt",
      "-cpu",
      "cortex-a57",
      "-nodefaults",
      "-display",
      "none",
      "-monitor",
      "none",
      "-serial",
      "stdio",
      ...boot.options,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timeout = setTimeout(() => process.kill("SIGKILL"), 120_000);
  const keyboard = process.stdin.getWriter();
  const actions = readScript(boot.script);
  let text = "", seen = 0;
  for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let action = actions[0]; action !== undefined; action = actions[0]) {
      if (action.verb === "send") await keyboard.write(new TextEncoder().encode(action.text));
      else {
        const at = text.indexOf(action.text, seen);
        if (at < 0) break;
        seen = at + action.text.length;
      }
      actions.shift();
    }
  }
  clearTimeout(timeout);
  await keyboard.close().catch(() => {});
  await process.status;
  if (actions.length > 0) throw new Error(`${QEMU} never printed ${JSON.stringify(actions[0]?.text)}`);
  return text;
}

/** Runs a command of ours; its output, or an error with all of it when it does not exit as expected. */
async function hindsight(...args: string[]): Promise<string> {
  return await hindsightExits(0, ...args);
}

async function hindsightExits(expected: number, ...args: string[]): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-read", "--allow-write", "cli/main.ts", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [text, errors, { code }] = await Promise.all([
    toText(process.stdout),
    toText(process.stderr),
    process.status,
  ]);
  if (code !== expected) throw new Error(`hindsight ${args.join(" ")} exited ${code}:\n${text}${errors}`);
  return text;
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
async function compareConsoles(boot: Boot, ours: string, theirs: string): Promise<number> {
  const masks = readMasks(boot.masks);
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

async function run(boot: Boot, folder: string): Promise<void> {
  const journal = `${folder}/${boot.name}.hindsight`;
  const started = performance.now();
  const text = await hindsight("record", ...boot.options, "--script", boot.script, "-o", journal);
  const recorded = performance.now();
  const lines = await compareConsoles(boot, text, await consoleOfQemu(boot));
  console.log(
    `${boot.name}: ${lines} console lines equal to ${QEMU}, recorded in ${seconds(recorded - started)}`,
  );
  for (const engine of Object.keys(ENGINES)) {
    const before = performance.now();
    console.log(indent(await hindsight("replay", journal, "--engine", engine)));
    console.log(`${boot.name}: replayed on engine ${engine} in ${seconds(performance.now() - before)}`);
    await recordAgain(boot, journal, engine, folder);
  }
  console.log(indent(await hindsight("verify", journal)));
  await compareDepths(boot, folder);
  await diffKeystroke(boot, journal, folder);
}

/** Records on an engine with the same script: all roots, of states and of histories, must be those of the journal. */
async function recordAgain(boot: Boot, journal: string, engine: string, folder: string): Promise<void> {
  const again = `${folder}/${boot.name}.${engine}.hindsight`;
  await hindsight("record", ...boot.options, "--script", boot.script, "--engine", engine, "-o", again);
  const roots = async (file: string) => {
    const { roots } = JSON.parse(await hindsight("info", file, "--json"));
    return JSON.stringify(roots);
  };
  const [left, right] = [await roots(journal), await roots(again)];
  if (left !== right) throw new Error(`${boot.name} on engine ${engine} has other roots:\n${left}\n${right}`);
  console.log(`${boot.name}: recorded on engine ${engine} with equal state and history roots`);
}

/** The first steps of a boot and windows in them, in instants. */
const DEPTH_STEPS = 1_500_000;
const DEPTH_WINDOWS = [[0, 10_000], [700_000, 710_000], [1_480_000, 1_490_000]] as const;

/** Windows of events are the same bytes whether every step was stored or all must be derived. */
async function compareDepths(boot: Boot, folder: string): Promise<void> {
  const record = async (depth: string) => {
    const journal = `${folder}/${boot.name}-${depth}.hindsight`;
    await hindsight(
      "record",
      ...boot.options,
      "--until",
      String(DEPTH_STEPS),
      "--depth",
      depth,
      "-o",
      journal,
    );
    return journal;
  };
  const [stored, derived] = [await record("steps"), await record("traps")];
  for (const [from, to] of DEPTH_WINDOWS) {
    const window = (journal: string) =>
      hindsight("events", journal, "--class", "all", "--from", String(from), "--to", String(to), "--json");
    const [left, right] = [await window(stored), await window(derived)];
    const count = left.split("\n").length - 1;
    if (left !== right || count < to - from) {
      throw new Error(`events ${from}–${to} differ by depth (${count} lines)`);
    }
    console.log(`${boot.name}: ${count} events of instants ${from}–${to} equal, stored and derived`);
  }
}

/** Records the same inputs again with the second one an instant later; diff names that input. */
async function diffKeystroke(boot: Boot, journal: string, folder: string): Promise<void> {
  const lines = (await hindsight("events", journal, "--kind", "consoleReceived", "--json")).trim().split(
    "\n",
  );
  const inputs = lines.map((line) => JSON.parse(line) as { instant: number; bytes: string });
  const delayed = inputs[1];
  if (delayed === undefined) throw new Error("the boot has no second input");
  const script = inputs.map(({ instant, bytes }) => {
    const text = new TextDecoder().decode(Uint8Array.fromHex(bytes));
    return `at ${instant === delayed.instant ? instant + 1 : instant} send ${JSON.stringify(text)}\n`;
  });
  const file = `${folder}/${boot.name}-later.script`;
  await Deno.writeTextFile(file, script.join(""));
  const other = `${folder}/${boot.name}-later.hindsight`;
  await hindsight("record", ...boot.options, "--script", file, "-o", other);
  const found = await hindsightExits(1, "diff", journal, other);
  if (!found.includes("consoleReceived") || !found.includes(delayed.instant.toLocaleString("en"))) {
    throw new Error(`diff does not name the input at instant ${delayed.instant}:\n${found}`);
  }
  console.log(`${boot.name}: diff names the keystroke that came an instant later`);
  console.log(indent(found));
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
const indent = (text: string): string => text.trimEnd().replaceAll(/^/gm, "  ");

/** Boots the guests named, all of them by default; prints the counts. */
async function main(names: readonly string[]): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "hindsight-boots-" });
  let passed = 0, failed = 0;
  for (const boot of BOOTS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    try {
      await run(boot, folder);
      passed++;
    } catch (error) {
      failed++;
      console.error(`${boot.name}: ${(error as Error).message}`);
    }
  }
  await Deno.remove(folder, { recursive: true });
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
