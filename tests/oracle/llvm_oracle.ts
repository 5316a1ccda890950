/** Compares assembly and disassembly of random words of every row with LLVM's, both ways. Needs `llvm-mc` 14. */
import { parseArgs } from "@std/cli";
import { assembleLine, AssemblyError, disassemble } from "../../machine/a64/assembly.ts";
import type { CpuModel } from "../../machine/a64/feature.ts";
import { decode, type Instruction, lowerOn, ROWS } from "../../machine/a64/rows.ts";
import { randomNumbers, randomWord } from "../machine/a64/random_words.ts";
import { type Exclusion, exclusionOf } from "./llvm_exclusions.ts";
import { assembleByLlvm, attributesOf, disassembleByLlvm } from "./llvm_mc.ts";

/** Words shown of those on whose allocation the two disagree. */
const LINES_SHOWN = 40;

interface Case {
  readonly row: string;
  readonly word: number;
  readonly text: string;
  readonly excluded: Exclusion["directions"] | undefined;
}

function ourWord(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return assembleLine(text, { address: 0n });
  } catch (error) {
    if (error instanceof AssemblyError) return undefined;
    throw error;
  }
}

const hex = (word: number | undefined): string =>
  word === undefined ? "refused" : `0x${word.toString(16).padStart(8, "0")}`;

function caseOf(row: Instruction, word: number): Case {
  const excluded = exclusionOf(row.name, row.pattern.decode(word));
  return { row: row.name, word, text: disassemble(word), excluded };
}

/** Every system register and operation, named or not: MRS and MSR of X0, SYS and SYSL of X0 and XZR. */
function systemCases(): Case[] {
  const bases = [0xd5300000, 0xd5100000, 0xd5080000, 0xd508001f, 0xd5280000].map((base) => base >>> 0);
  const words = bases.flatMap((base, index) =>
    Array.from({ length: index < 2 ? 0x8000 : 0x4000 }, (_, encoding) => base + encoding * 32)
  );
  return words.map((word) => caseOf(decode(word)?.row as Instruction, word));
}

function randomCases(rows: readonly Instruction[], count: number, seed: number): Case[] {
  const random = randomNumbers(seed);
  return rows.flatMap((row) =>
    Array.from({ length: count }, () => {
      const word = randomWord(row, random);
      if (word === undefined) throw new Error(`No word of row ${row.name} found`);
      return caseOf(row, word);
    })
  );
}

/** What disagrees about a case: their text and word, ours of their text. */
function disagreementsOf(
  entry: Case,
  theirText: string | undefined,
  theirWord: number | undefined,
): string[] {
  const { row, word, text, excluded } = entry;
  const found: string[] = [];
  if (excluded === "both") return found;
  if (theirText !== text) found.push(`prints ${text}; LLVM prints ${theirText ?? "nothing"}`);
  if (excluded === undefined) {
    const again = ourWord(theirText);
    if (theirWord !== word) found.push(`LLVM assembles ${text} to ${hex(theirWord)}`);
    if (again !== word) found.push(`assembles LLVM's ${theirText ?? "nothing"} to ${hex(again)}`);
  }
  return found.map((what) => `${row} ${hex(word)}: ${what}`);
}

/** Words of any kind, and words of rows with a few bits changed, where the conditions of rows are. */
function allocationWords(count: number, random: () => number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const near = index % 2 === 0
      ? undefined
      : randomWord(ROWS[random() % ROWS.length] as Instruction, random);
    if (near === undefined) return random();
    return (near ^ 1 << random() % 32 ^ (random() % 2 === 0 ? 1 << random() % 32 : 0)) >>> 0;
  });
}

/** Whether each word is allocated on a model. */
async function allocationDisagreements(model: CpuModel, count: number, seed: number): Promise<string[]> {
  const words = allocationWords(count, randomNumbers(seed));
  const theirs = await disassembleByLlvm(words, attributesOf(model));
  return words.flatMap((word, index) => {
    const found = decode(word), text = theirs[index];
    const isOurs = found !== undefined && lowerOn(model, found) !== undefined;
    const isAgreed = isOurs === (text !== undefined) ||
      (!isOurs && (isUnnamedMove(text) || ignoresCrm(text)));
    const ours = isOurs ? found.row.name : "unallocated";
    return isAgreed ? [] : [`${hex(word)} on ${model}: is ${ours}; LLVM prints ${text ?? "nothing"}`];
  });
}

/** LLVM 14 takes any CRm in these for zero; QEMU 7.2, as we do, takes others for UNDEFINED (Arm ARM C1.1.3). */
function ignoresCrm(text: string | undefined): boolean {
  return text !== undefined && ["sb", "axflag", "xaflag"].includes(text);
}

/** LLVM 14 prints what is unallocated where op0 = 0 as MRS or MSR of a register `S0_…`. */
function isUnnamedMove(text: string | undefined): boolean {
  return text !== undefined && /\bS0_/.test(text);
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["seed", "cases", "row", "words"],
    default: { seed: "1", cases: "100", words: "300000" },
  });
  const rows = ROWS.filter((row) => row.assembly !== undefined && (!options.row || row.name === options.row));
  const cases = [...randomCases(rows, Number(options.cases), Number(options.seed)), ...systemCases()];
  const theirTexts = await disassembleByLlvm(cases.map(({ word }) => word));
  const theirWords = await assembleByLlvm(cases.map(({ text }) => text));
  const found = cases.map((entry, index) => disagreementsOf(entry, theirTexts[index], theirWords[index]));
  const disagreed = found.filter((lines) => lines.length > 0);
  const count = (directions: Case["excluded"]) =>
    cases.filter(({ excluded }) => excluded === directions).length;
  for (const line of disagreed.flat()) console.log(line);
  console.log(
    `llvm-mc, seed ${options.seed}: ${rows.length} rows × ${options.cases} cases, and all system registers and operations: ` +
      `${cases.length - disagreed.length - count("both")} agreed, ${disagreed.length} disagreed, ` +
      `${count("both")} excluded, ${count("assembly")} compared in print only`,
  );
  let unlike = 0;
  for (const model of ["cortex-a57", "max"] as const) {
    const allocations = await allocationDisagreements(model, Number(options.words), Number(options.seed));
    for (const line of allocations.slice(0, LINES_SHOWN)) console.log(line);
    console.log(
      `llvm-mc, seed ${options.seed}: allocation of words on ${model}: ` +
        `${Number(options.words) - allocations.length} agreed, ${allocations.length} disagreed`,
    );
    unlike += allocations.length;
  }
  if (disagreed.length + unlike > 0) Deno.exit(1);
}

await main();
