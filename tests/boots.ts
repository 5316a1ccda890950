/**
 * Boots real guests through the command line and on QEMU by the same options: each is recorded with a script up to
 * power-off and replayed, roots are compared, and a table tells steps, time and size.
 *
 * `deno task boots [NAME…] [--all]`; needs `deno task guests` before, and QEMU (Debian: qemu-system-arm).
 */
import { parseArgs } from "@std/cli";
import { ENGINES } from "../machine/machine.ts";
import { factsOf, hindsight, record, scriptText } from "./boots/hindsight.ts";
import { bootOnQemu } from "./boots/qemu.ts";
import { repeatBoot } from "./boots/repeat.ts";
import { readResults, type Result, table, writeResults } from "./boots/results.ts";
import { type Boot, BOOTS, type Step } from "./boots/rows.ts";
import { measureSizes } from "./boots/sizes.ts";
import { bootUboot } from "./boots/u_boot.ts";

const HELP = `Boots guests here and on QEMU, and compares.

Usage: deno task boots [NAME…] [--all] [--again] [--into DIR] [--list] [--json]
       deno task boots --repeat N

  NAME        a boot, or how the names of some begin; a quick choice by default
  --all       every boot; those that passed before, by the results in DIR, are left out
  --again     with --all: all of them anew
  --into DIR  where journals and results go (default .boots/, which is made)
  --seconds N the most that a recording may take (default 1800)
  --list      list the boots
  --json      print the results as JSON
  --repeat N  record the same boot N times, half of them side by side, and compare the roots
`;

/** Engines that replay rows of the matrix: the reference engine would take hours. */
const FAST_ENGINES = Object.keys(ENGINES).filter((name) => name !== "reference");
const QUICK_REPEATS = 10, QEMU_SECONDS = 300;

/** The SHA-256 of the file on the root disk. */
function knownHash(): string {
  const path = ".guests/root-disk/manifest.json";
  try {
    return JSON.parse(Deno.readTextFileSync(path)).files["known.bin"].sha256;
  } catch {
    throw new Error(`Cannot read ${path}; run: deno task guests`);
  }
}

function stepsOf(boot: Boot): Step[] {
  return boot.steps.map((step) =>
    "expect" in step && step.expect.includes("{known}")
      ? { expect: step.expect.replace("{known}", knownHash()) }
      : step
  );
}

/** Boots a row on both machines and replays it. */
async function run(boot: Boot, folder: string, seconds: number): Promise<Result> {
  const { name, guest, cpu, gic, smp, level } = boot;
  const result: Result = {
    name,
    guest,
    machine: `${cpu}, GICv${gic}, ${smp} CPU, EL${level}`,
    replayedOn: [],
  };
  const journal = `${folder}/${name}.hindsight`, script = `${folder}/${name}.script`;
  try {
    const steps = stepsOf(boot);
    Deno.writeTextFileSync(script, scriptText(steps));
    if (boot.notOnQemu === undefined) {
      result.qemuMilliseconds = (await bootOnQemu(boot, steps, QEMU_SECONDS)).milliseconds;
    }
    result.milliseconds = await record(boot, script, journal, [], seconds);
    const { bytes, lastInstant } = await factsOf(journal);
    result.steps = lastInstant;
    result.journalBytes = bytes;
    for (const engine of FAST_ENGINES) {
      await hindsight(["replay", journal, "--engine", engine]);
      result.replayedOn.push(engine);
    }
  } catch (error) {
    result.failure = (error as Error).message;
  }
  return result;
}

/** Something checked besides the matrix; its failures. */
type Extra = (folder: string) => Promise<number>;

/** What runs beside the matrix when nothing is asked for, by name. */
const EXTRAS: Readonly<Record<string, Extra>> = {
  "u-boot-console": (folder) => bootUboot(folder).then(() => 0),
  "sizes": measureSizes,
  "repeat": (folder) => repeatBoot(QUICK_REPEATS, folder),
};

async function runExtra(name: string, folder: string): Promise<boolean> {
  try {
    return await EXTRAS[name]!(folder) === 0;
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    return false;
  }
}

/** What the command line asks for. */
function parseRequest(args: readonly string[]) {
  const given = parseArgs(args, {
    boolean: ["all", "again", "list", "json", "help"],
    string: ["into", "seconds", "repeat", "_"],
    unknown: (argument, key) => {
      if (key !== undefined) throw new Error(`Unknown option ${argument}; see --help`);
    },
  });
  const names = given._.map(String);
  const chosen = (name: string, isQuick: boolean): boolean =>
    given.all || (names.length === 0 ? isQuick : names.some((start) => name.startsWith(start)));
  const rows = BOOTS.filter(({ name, isQuick }) => chosen(name, isQuick));
  const extras = Object.keys(EXTRAS).filter((name) => chosen(name, true));
  if (rows.length + extras.length === 0) throw new Error(`No boot is named ${names.join(", ")}; see --list`);
  return { ...given, rows, extras };
}

/** Boots what was asked for; prints the table and the counts. */
async function main(args: readonly string[]): Promise<number> {
  const { all, again, into = ".boots", seconds = "1800", repeat, rows, extras, list, json, help } =
    parseRequest(args);
  if (help) return console.log(HELP.trimEnd()), 0;
  if (list) {
    for (const { name, guest, isQuick } of BOOTS) {
      console.log(`${name}  ${guest}${isQuick ? "" : "  (--all)"}`);
    }
    return console.log(Object.keys(EXTRAS).join("\n")), 0;
  }
  Deno.mkdirSync(into, { recursive: true });
  if (repeat !== undefined) return await repeatBoot(Number(repeat), into) === 0 ? 0 : 1;
  const results = all && !again ? readResults(into) : new Map<string, Result>();
  for (const boot of rows) {
    const earlier = results.get(boot.name);
    if (earlier !== undefined && earlier.failure === undefined) continue;
    const result = await run(boot, into, Number(seconds));
    results.set(boot.name, result);
    writeResults(into, results);
    if (!json) {
      console.log(result.failure === undefined ? `${boot.name}: ok` : `${boot.name}: ${result.failure}`);
    }
  }
  let passed = 0, failed = 0;
  for (const name of extras) await runExtra(name, into) ? passed++ : failed++;
  for (const { failure } of results.values()) failure === undefined ? passed++ : failed++;
  console.log(json ? JSON.stringify([...results.values()], null, 2) : `\n${table([...results.values()])}\n`);
  if (!json) console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

if (import.meta.main) {
  Deno.exit(
    await main(Deno.args).catch((error) => {
      console.error((error as Error).message);
      return 2;
    }),
  );
}
