/** Compares whole programs, tests/fixtures/asm/*.s, with `llvm-mc` and, where it is installed, GNU as. */
import { parseArgs } from "@std/cli";
import { assembleProgram, ProgramError } from "../../machine/a64/program.ts";
import { mutants } from "../machine/a64/program_mutations.ts";
import { type Linked, linkObject } from "./object_linker.ts";

const FOLDER = new URL("../fixtures/asm/", import.meta.url);
const EXPECTED = new URL("expected.json", FOLDER);
const BASE = 0x40080000n;

/** An assembler: how to run it, and what says its version. */
interface Outsider {
  readonly name: "llvm" | "gnu";
  readonly command: string;
  readonly flags: readonly string[];
  readonly version: string;
}

/** What outsiders made of a program, as recorded for the tests. */
export interface Recorded {
  readonly by: readonly string[];
  readonly bytes: string;
  readonly symbols: Readonly<Record<string, string>>;
}

async function run(command: string, args: readonly string[]): Promise<{ text: string; isDone: boolean }> {
  const process = new Deno.Command(command, { args: [...args], stdout: "piped", stderr: "piped" });
  const { stdout, stderr, success } = await process.output();
  const decoder = new TextDecoder();
  return { text: decoder.decode(stdout) + decoder.decode(stderr), isDone: success };
}

async function findOutsider(
  name: Outsider["name"],
  command: string,
  flags: readonly string[],
): Promise<Outsider | undefined> {
  try {
    const { text } = await run(command, ["--version"]);
    const version = /version \S+|Binutils.*?\) \S+/.exec(text)?.[0] ?? text.split("\n")[0] ?? "";
    return { name, command, flags, version: `${name} ${version.replace(/^.*?(\d)/, "$1")}` };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function assembleOutside({ command, flags }: Outsider, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const object = await Deno.makeTempFile({ suffix: ".o" });
  try {
    const { text, isDone } = await run(command, [...flags, path, "-o", object]);
    if (!isDone) throw new Error(`${command} refuses ${path}:\n${text}`);
    return await Deno.readFile(object);
  } finally {
    await Deno.remove(object);
  }
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What differs between ours and theirs. */
function differences(ours: Linked, theirs: Linked): string[] {
  const found: string[] = [];
  const length = Math.max(ours.bytes.length, theirs.bytes.length);
  for (let offset = 0; offset < length; offset += 4) {
    const [a, b] = [ours, theirs].map(({ bytes }) => hex(bytes.subarray(offset, offset + 4)));
    if (a !== b) found.push(`at +0x${offset.toString(16)}: ours ${a || "nothing"}, theirs ${b || "nothing"}`);
  }
  for (const name of new Set([...ours.symbols.keys(), ...theirs.symbols.keys()])) {
    const [a, b] = [ours, theirs].map(({ symbols }) => symbols.get(name)?.toString(16) ?? "undefined");
    if (a !== b) found.push(`label ${name}: ours ${a}, theirs ${b}`);
  }
  return found;
}

/** What was compared, and how it went. */
interface Counts {
  agreed: number;
  disagreed: number;
  bytes: number;
  labels: number;
}

async function compareFixtures(
  outsiders: readonly Outsider[],
  counts: Counts,
): Promise<[Record<string, Recorded>, number]> {
  const record: Record<string, Recorded> = {};
  let missing = 0;
  const files = Array.from(Deno.readDirSync(FOLDER), ({ name }) => name).filter((name) =>
    name.endsWith(".s")
  );
  for (const name of files.sort()) {
    const path = new URL(name, FOLDER).pathname, source = Deno.readTextFileSync(path);
    const ours = assembleProgram(source, { name, base: BASE });
    const wanted = /agrees with: (.*)/.exec(source)?.[1]?.trim().split(" ") ?? [];
    const by: string[] = [];
    for (const kind of wanted) {
      const outsider = outsiders.find((candidate) => candidate.name === kind);
      if (!outsider) {
        missing++;
        continue;
      }
      const theirs = linkObject(await assembleOutside(outsider, path), BASE);
      count(counts, `${name}: ${kind}`, ours, theirs);
      by.push(outsider.version);
      const symbols = Array.from(theirs.symbols, ([label, address]) => [label, `0x${address.toString(16)}`]);
      if (by.length === wanted.length) {
        record[name] = { by: [...by], bytes: hex(theirs.bytes), symbols: Object.fromEntries(symbols) };
      }
    }
  }
  return [record, missing];
}

function count(counts: Counts, what: string, ours: Linked, theirs: Linked): void {
  const found = differences(ours, theirs);
  if (found.length === 0) counts.agreed++;
  else counts.disagreed++;
  counts.bytes += theirs.bytes.length;
  counts.labels += theirs.symbols.size;
  for (const text of found.slice(0, 20)) console.log(`${what}: ${text}`);
}

/** Where LLVM has rules of its own: literal pools, and a fill of zero in code, which it takes for none. */
const LLVM_ALONE = /ldr.*=|align.*,/;

/** Mutants that both sides take must come out the same. */
async function compareMutants(
  outsiders: readonly Outsider[],
  total: number,
  seed: number,
  counts: Counts,
): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".s" });
  let number = 0;
  for (const source of mutants(total, seed)) {
    number++;
    const ours = acceptedBy(() => assembleProgram(source, { base: BASE }), ProgramError);
    if (!ours) continue;
    Deno.writeTextFileSync(path, source);
    for (const outsider of outsiders) {
      if (outsider.name === "llvm" && LLVM_ALONE.test(source)) continue;
      const object = await assembleOutside(outsider, path).catch(() => undefined);
      const theirs = object && acceptedBy(() => linkObject(object, BASE), Error);
      if (theirs) count(counts, `mutant ${number} of seed ${seed}: ${outsider.name}`, ours, theirs);
    }
  }
  await Deno.remove(path);
}

function acceptedBy<Result>(
  action: () => Result,
  refusal: new (...parameters: never[]) => Error,
): Result | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof refusal) return undefined;
    throw error;
  }
}

function print(what: string, { agreed, disagreed, bytes, labels }: Counts): void {
  console.log(`${what}: ${agreed} agreed (${bytes} bytes, ${labels} labels), ${disagreed} disagreed`);
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["as", "mutants", "seed"],
    boolean: ["record"],
    default: { as: "aarch64-linux-gnu-as", mutants: "300", seed: "1" },
  });
  const found = [
    await findOutsider("llvm", "llvm-mc", ["-triple=aarch64", "-filetype=obj"]),
    await findOutsider("gnu", options.as, []),
  ];
  const outsiders = found.filter((outsider) => outsider !== undefined);
  const programs: Counts = { agreed: 0, disagreed: 0, bytes: 0, labels: 0 }, mutated = { ...programs };
  const [record, missing] = await compareFixtures(outsiders, programs);
  await compareMutants(outsiders, Number(options.mutants), Number(options.seed), mutated);
  print(`programs against ${outsiders.map(({ version }) => version).join(" and ") || "nobody"}`, programs);
  print(`mutants of them, seed ${options.seed}`, mutated);
  if (missing > 0) {
    console.log(`${missing} comparisons left out: assembler not installed (--as PATH names GNU as)`);
  }
  const disagreed = programs.disagreed + mutated.disagreed;
  if (options.record && disagreed === 0) {
    // What an assembler that is not installed here said before stays.
    const all = { ...JSON.parse(Deno.readTextFileSync(EXPECTED)), ...record };
    const sorted = Object.keys(all).sort().map((name) => [name, all[name]]);
    Deno.writeTextFileSync(EXPECTED, JSON.stringify(Object.fromEntries(sorted), null, 1) + "\n");
  }
  if (disagreed > 0 || programs.agreed === 0) Deno.exit(1);
}

if (import.meta.main) await main();
