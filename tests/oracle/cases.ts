/** Random cases of an instruction: words, registers and memory, by a seed. */
import { type CpuModel, hasFeature } from "../../machine/a64/feature.ts";
import type { AnyFields } from "../../machine/a64/pattern.ts";
import { decode, type Decoded, type Instruction, lowerOn } from "../../machine/a64/rows.ts";
import { Builder } from "../../machine/ir/builder.ts";
import { type IrNode, OPERATIONS } from "../../machine/ir/operations.ts";
import { randomNumbers, randomWord } from "../machine/a64/random_words.ts";
import { isStateExcluded, isWordExcluded } from "./exclusions.ts";
import { FlatCpu } from "./flat_cpu.ts";
import { lanesOf, type Random, randomState } from "./random_state.ts";
import { AT_SIGNAL, AT_WINDOW, AT_WORDS, AT_X, HOLE, Records, SLOT, WINDOW, WINDOW_SIZE } from "./record.ts";

/** Cases made from one seed. */
export const CASES_PER_SEED = 50;

/** The cases of a seed. */
export interface Batch {
  /** The row they are of. */
  readonly row: Instruction;
  /** Which batch of the row it is, from 0 on. */
  readonly number: number;
  /** What they were made from. */
  readonly seed: number;
  /** The CPU model that runs them. */
  readonly model: CpuModel;
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

/** The batch of each row that runs on the other model: instructions are there what they are, or UNDEFINED. */
const OTHER_MODEL = 7;

/** The model of a row's batch: the least that has the row's extension; where that depends on fields, both by turns. */
export function modelOf({ feature }: Instruction, batch: number): CpuModel {
  if (typeof feature === "function") return batch % 2 === 0 ? "max" : "cortex-a57";
  return hasFeature("cortex-a57", feature) === (batch !== OTHER_MODEL) ? "cortex-a57" : "max";
}

/** IR of a word on a model. */
export type Lowering = (word: number, model: CpuModel) => readonly IrNode[];

/** IR of a word by the rows; UNDEFINED on a model without its extension. */
export const lowerWord: Lowering = (word, model) => {
  const nodes = lowerOn(model, decode(word) as Decoded);
  if (nodes !== undefined) return nodes;
  const ir = new Builder();
  ir.undefined();
  return ir.nodes;
};

const cpu = new FlatCpu();

/** Runs one case: the prelude, then the instruction unless that faulted. Its state is in the processor returned. */
function runCase(record: BigUint64Array, nodes: readonly IrNode[], model: CpuModel): FlatCpu {
  const prelude = Number((record[AT_WORDS] as bigint) >> 32n), isLong = prelude !== NOP;
  cpu.begin(record, isLong ? SLOT - 4n : SLOT);
  if (!isLong || cpu.step(lowerWord(prelude, model))) cpu.step(nodes);
  return cpu;
}

/** The outcomes of all cases; `lowering` may stand in for the rows' own. */
export function runBatch({ records, model }: Batch, lowering: Lowering = lowerWord): Records {
  const outcomes = new Records(records.count);
  for (let index = 0; index < records.count; index++) {
    const record = records.record(index), word = Number((record[AT_WORDS] as bigint) & 0xffff_ffffn);
    runCase(record, lowering(word, model), model).finish(outcomes.record(index));
  }
  return outcomes;
}

const NOP = 0xd503201f;

/** The load-exclusive that makes a store-exclusive succeed, three times in four; else nothing. */
function preludeOf(nodes: readonly IrNode[], fields: AnyFields, random: Random): number {
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

/** A case that is being made. */
interface Draft {
  readonly record: BigUint64Array;
  readonly row: Instruction;
  readonly fields: AnyFields;
  readonly nodes: readonly IrNode[];
  readonly model: CpuModel;
}

/** The same case with the literal's offset moved. */
function moveLiteral({ record, row, fields, model }: Draft, distance: bigint): readonly IrNode[] {
  const imm19 = (fields["imm19"] as number + Number(distance >> 2n)) & 0x7ffff;
  const literal = row.pattern.encode({ ...fields, imm19 });
  record[AT_WORDS] = (record[AT_WORDS] as bigint) >> 32n << 32n | BigInt(literal);
  return lowerWord(literal, model);
}

/** Moves the base register so that the first access is at a random target; a literal moves by its immediate. */
function aim(draft: Draft, random: Random): boolean {
  const { record, row, fields, model } = draft;
  let { nodes } = draft;
  const first = runCase(record, nodes, model).accesses[0];
  if (first !== undefined) {
    // A store-exclusive that fails anyway does not check its alignment there (see system/differences.ts).
    const failsAnyway = nodes.some((node) => node.op === "storeExclusive") &&
      (record[AT_WORDS] as bigint) >> 32n === BigInt(NOP);
    const distance = randomTarget(random, failsAnyway) - first.address;
    if (fields["Rn"] !== undefined) {
      const at = AT_X + fields["Rn"];
      const tag = random() % 8 === 0 ? BigInt(random() & 255) << 56n : 0n;
      record[at] = (record[at] as bigint) + distance ^ tag;
    } else if (fields["imm19"] !== undefined) nodes = moveLiteral(draft, distance);
    runCase(record, nodes, model);
    if (/^CAS/.test(row.name) && random() % 2 === 0) {
      expectMemory(record, row.name.startsWith("CASP"), fields);
      runCase(record, nodes, model);
    }
    if (!isAimed()) return false;
  }
  return !isEndless(record, nodes, model);
}

/** Makes a comparison with memory succeed: copies what is there to the register, or pair, that is compared. */
function expectMemory(record: BigUint64Array, isPair: boolean, { Rs = 31 }: AnyFields): void {
  const { address, size } = cpu.accesses[0] as { address: bigint; size: number };
  const window = new Uint8Array(record.buffer, record.byteOffset + AT_WINDOW * 8, WINDOW_SIZE);
  const offset = Number(address - WINDOW);
  if (offset < 0 || offset + size > WINDOW_SIZE || Rs >= 30) return;
  const registers = new Uint8Array(record.buffer, record.byteOffset + (AT_X + Rs) * 8, 16);
  const there = window.subarray(offset, offset + size);
  if (isPair && size === 8) registers.set(there.subarray(4), 8);
  registers.set(isPair && size === 8 ? there.subarray(0, 4) : there);
}

/** A branch to itself, or to the word before it, would never end. */
function isEndless(record: BigUint64Array, nodes: readonly IrNode[], model: CpuModel): boolean {
  const outcome = outcomes.record(0);
  runCase(record, nodes, model).finish(outcome);
  return outcome[AT_SIGNAL] === 0n && (outcome[AT_WORDS] === SLOT || outcome[AT_WORDS] === SLOT - 4n);
}
const outcomes = new Records(1);

/** True for what neither accesses memory nor branches, wherever its operands are. */
function isPlain({ op, immediates }: IrNode): boolean {
  if (op === "helper") return immediates[0] === "checkFpEnabled" || immediates[0] === "undefinedInstruction";
  return !OPERATIONS[op].faults && op !== "branch" && op !== "branchIf";
}

/** Bits of a word that should be as the encoding says and mean nothing. */
function ignoredBits({ pattern: { mask, fields } }: Instruction): number {
  return ~fields.reduce((known, { lowest, width }) => known | ((2 ** width - 1) * 2 ** lowest), mask);
}

/** Draws until a case is good; returns how many were excluded on the way. */
function makeCase(
  record: BigUint64Array<ArrayBuffer>,
  row: Instruction,
  model: CpuModel,
  random: Random,
): number {
  let excluded = 0;
  for (let attempt = 0; attempt < 1000; attempt++) {
    const drawn = randomWord(row, random);
    if (drawn === undefined) break;
    const word = random() % 8 === 0 ? (drawn ^ random() & ignoredBits(row)) >>> 0 : drawn;
    const fields = row.pattern.decode(word);
    const isAbsent = typeof row.feature === "function" && !hasFeature(model, row.feature(fields));
    if (isAbsent && random() % 8 !== 0) continue;
    if (isWordExcluded(row.name, fields, model)) {
      excluded++;
      continue;
    }
    const nodes = lowerWord(word, model);
    randomState(record, lanesOf(nodes), model, random);
    record[AT_WORDS] = BigInt(preludeOf(nodes, fields, random)) << 32n | BigInt(word);
    if (!nodes.every(isPlain) && !aim({ record, row, fields, nodes, model }, random)) continue;
    if (!isStateExcluded(row.name, fields, record)) return excluded;
    excluded++;
  }
  throw new Error(`No case of row ${row.name} found: its fields or addresses cannot be met at random`);
}

/** A batch of a row's cases, or the first `count` of it; `number` counts from 0. */
export function makeBatch(row: Instruction, number: number, count: number = CASES_PER_SEED): Batch {
  const seed = seedOf(row.name, number), model = modelOf(row, number);
  const random = randomNumbers(seed), records = new Records(count);
  let excluded = 0;
  for (let index = 0; index < count; index++) {
    excluded += makeCase(records.record(index), row, model, random);
  }
  return { row, number, seed, model, records, excluded };
}
