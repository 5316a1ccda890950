/** Random cases of an instruction: words, registers and memory, by a seed. */
import { decode, type Decoded, type Instruction, lower } from "../../machine/a64/rows.ts";
import type { IrNode } from "../../machine/ir/operations.ts";
import { randomNumbers, randomWord } from "../machine/a64/random_words.ts";
import { caseExclusion } from "./exclusions.ts";
import { FlatCpu } from "./flat_cpu.ts";
import {
  AT_FAULT,
  AT_FPSR,
  AT_NZCV,
  AT_SIGNAL,
  AT_V,
  AT_WORDS,
  AT_X,
  HOLE,
  RECORD_WORDS,
  Records,
  SLOT,
  WINDOW,
  WINDOW_SIZE,
} from "./record.ts";

/** Cases made from one seed. */
export const CASES_PER_SEED = 50;

/** The cases of a seed. */
export interface Batch {
  /** The row they are of. */
  readonly row: Instruction;
  /** What they were made from. */
  readonly seed: number;
  /** The cases. */
  readonly records: Records;
  /** How many were drawn and put back by an exclusion. */
  readonly excluded: number;
}

/** The seed of a row's batch with a number, which depends on nothing else. */
export function seedOf(row: string, batch: number): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const character of `${row}/${batch}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

/** IR of a word. */
export type Lowering = (word: number) => readonly IrNode[];

/** IR of a word by the rows. */
export const lowerWord: Lowering = (word) => {
  const { row, fields } = decode(word) as Decoded;
  return lower(row, fields);
};

const cpu = new FlatCpu();

/** Runs one case: the prelude, then the instruction unless that faulted. Its state is in the processor returned. */
function runCase(record: BigUint64Array, lowering: Lowering): FlatCpu {
  const words = record[AT_WORDS] as bigint, isLong = hasPrelude(record);
  cpu.begin(record, isLong ? SLOT - 4n : SLOT);
  if (!isLong || cpu.step(lowerWord(Number(words >> 32n)))) cpu.step(lowering(Number(words & 0xffff_ffffn)));
  return cpu;
}

/** True when something is to be executed before the instruction. */
function hasPrelude(record: BigUint64Array): boolean {
  return (record[AT_WORDS] as bigint) >> 32n !== BigInt(NOP);
}

/** The outcomes of all cases; `lowering` may stand in for the rows' own. */
export function runBatch({ records }: Batch, lowering: Lowering = lowerWord): Records {
  const outcomes = new Records(records.count);
  for (let index = 0; index < records.count; index++) {
    runCase(records.record(index), lowering).finish(outcomes.record(index));
  }
  return outcomes;
}

type Random = () => number;

const NOP = 0xd503201f;

/** Values at which instructions change their ways. */
const CORNERS = [0, 1, 7, 8, 15, 16, 31, 32, 63, 64].map(BigInt).flatMap((bit) => [bit, (1n << bit) - 1n])
  .flatMap(
    (value) => [value, BigInt.asUintN(64, ~value), BigInt.asUintN(64, -value)],
  ).concat(WINDOW, WINDOW + 8n, HOLE);

function randomRegister(random: Random): bigint {
  const kind = random() % 8, low = random();
  if (kind < 2) return CORNERS[low % CORNERS.length] as bigint;
  if (kind === 2) return 1n << BigInt(low & 63);
  if (kind === 3) return BigInt.asUintN(64, BigInt(low | 0));
  if (kind === 4) return BigInt(low);
  return BigInt(random()) << 32n | BigInt(low);
}

/** Patterns of 16 bits that make numbers of every kind when repeated or put together. */
// deno-fmt-ignore
const LANES = [
  0x0000, 0xffff, 0x8000, 0x7fff, 0x0001, 0x3f80, 0xbf80, 0x7f80, 0xff80, 0x7fc0, 0x7fa0, 0x3ff0, 0xbff0, 0x7ff0, 0xfff0,
  0x7ff8, 0x7ff4, 0x3c00, 0x7c00, 0xfc00, 0x7e00, 0x7d00, 0x0080, 0x0400, 0x4f00, 0x5f00, 0x41e0, 0x43e0,
];

/** Half of the vectors are random bits; the others have lanes of 16, 32 or 64 bits with telling upper halves. */
function randomVectors(record: BigUint64Array, random: Random): void {
  const lanes = new Uint16Array(record.buffer, record.byteOffset + AT_V * 8, 256);
  for (let vector = 0; vector < 32; vector++) {
    const kind = random() % 6;
    if (kind > 2) continue;
    const step = 1 << kind, clear = random() % 2 === 0;
    for (let lane = 0; lane < 8; lane++) {
      const at = vector * 8 + lane;
      if (lane % step === step - 1) lanes[at] = LANES[random() % LANES.length] as number;
      else if (clear) lanes[at] = 0;
    }
  }
}

function randomState(records: Records, index: number, random: Random): void {
  const { halves } = records, record = records.record(index);
  const end = (index + 1) * RECORD_WORDS * 2;
  for (let at = (index * RECORD_WORDS + AT_V) * 2; at < end; at++) halves[at] = random();
  for (let n = 0; n < 32; n++) record[AT_X + n] = randomRegister(random);
  randomVectors(record, random);
  record[AT_NZCV] = BigInt(random() & 15) << 28n;
  const fpcr = BigInt(random() & 0x07c0_0000), fpsr = BigInt(random() & 0x0800_009f);
  record[AT_FPSR] = fpcr << 32n | fpsr;
  record[AT_FAULT] = 0n;
  record[AT_SIGNAL] = 0n;
}

/** The load-exclusive that makes a store-exclusive succeed, three times in four; else nothing. */
function preludeOf(
  nodes: readonly IrNode[],
  fields: Readonly<Record<string, number>>,
  random: Random,
): number {
  const store = nodes.find((node) => node.op === "storeExclusive");
  if (store === undefined || random() % 4 === 0) return NOP;
  const { Rn = 0, Rt2 } = fields, bytes = store.immediates[0] as number;
  if (Rt2 === undefined) return (0x085f7c1f | (31 - Math.clz32(bytes)) << 30 | Rn << 5) >>> 0; // LDXR XZR, [Rn]
  const other = Rn === 30 ? 29 : 30;
  return (0x887f001f | (bytes === 16 ? 1 << 30 : 0) | other << 10 | Rn << 5) >>> 0; // LDXP XZR, other, [Rn]
}

/** An address for an access: mostly in the window, seldom in the hole; aligned or not. */
function randomTarget(random: Random, mustAlign: boolean): bigint {
  const alignment = mustAlign ? 16 : [1, 1, 1, 4, 8, 16, 16, 16][random() % 8] as number;
  const base = random() % 16 === 0 ? HOLE : WINDOW;
  const offset = random() % (WINDOW_SIZE - 63);
  return base + BigInt(offset - offset % alignment);
}

/** True when all accesses are within the window or within the hole. */
function isAimed(): boolean {
  return cpu.accesses.every(({ address, size }) =>
    [WINDOW, HOLE].some((base) => address >= base && address + BigInt(size) <= base + BigInt(WINDOW_SIZE))
  );
}

/** Moves the base register so that the first access is at a random target; a literal moves by its immediate. */
function aim(record: BigUint64Array, row: Instruction, word: number, random: Random): boolean {
  runCase(record, lowerWord);
  const first = cpu.accesses[0];
  if (first === undefined) return true;
  const fields = row.pattern.decode(word);
  // A store-exclusive that fails anyway does not check its alignment there (see system/differences.ts).
  const failsAnyway = lower(row, fields).some((node) => node.op === "storeExclusive") && !hasPrelude(record);
  const distance = randomTarget(random, failsAnyway) - first.address;
  if (fields["Rn"] !== undefined) {
    const at = AT_X + fields["Rn"];
    const tag = random() % 8 === 0 ? BigInt(random() & 255) << 56n : 0n;
    record[at] = (record[at] as bigint) + distance ^ tag;
  } else if (fields["imm19"] !== undefined) {
    const imm19 = (fields["imm19"] + Number(distance >> 2n)) & 0x7ffff;
    const literal = row.pattern.encode({ ...fields, imm19 });
    record[AT_WORDS] = (record[AT_WORDS] as bigint) >> 32n << 32n | BigInt(literal);
  }
  runCase(record, lowerWord);
  return isAimed();
}

/** A branch to itself, or to the word before it, would never end. */
function isEndless(record: BigUint64Array): boolean {
  const outcome = new BigUint64Array(RECORD_WORDS);
  runCase(record, lowerWord).finish(outcome);
  return outcome[AT_SIGNAL] === 0n && (outcome[AT_WORDS] === SLOT || outcome[AT_WORDS] === SLOT - 4n);
}

/** Bits of a word that should be as the encoding says and mean nothing. */
function ignoredBits({ pattern: { mask, fields } }: Instruction): number {
  return ~fields.reduce((known, { lowest, width }) => known | ((2 ** width - 1) * 2 ** lowest), mask);
}

/** Draws until a case is good; returns how many were excluded on the way. */
function makeCase(records: Records, index: number, row: Instruction, random: Random): number {
  const record = records.record(index);
  let excluded = 0;
  for (let attempt = 0; attempt < 1000; attempt++) {
    const drawn = randomWord(row, random);
    if (drawn === undefined) break;
    const word = random() % 8 === 0 ? (drawn ^ random() & ignoredBits(row)) >>> 0 : drawn;
    const fields = row.pattern.decode(word);
    if (caseExclusion(row.name, fields) !== undefined) {
      excluded++;
      continue;
    }
    randomState(records, index, random);
    record[AT_WORDS] = BigInt(preludeOf(lower(row, fields), fields, random)) << 32n | BigInt(word);
    if (aim(record, row, word, random) && !isEndless(record)) return excluded;
  }
  throw new Error(`No case of row ${row.name} found: its fields or addresses cannot be met at random`);
}

/** The cases of a seed. */
export function makeBatch(row: Instruction, seed: number): Batch {
  const random = randomNumbers(seed), records = new Records(CASES_PER_SEED);
  let excluded = 0;
  for (let index = 0; index < CASES_PER_SEED; index++) excluded += makeCase(records, index, row, random);
  return { row, seed, records, excluded };
}
