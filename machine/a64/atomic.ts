/** Atomic operations: compare and swap, swap, and arithmetic on memory (Arm ARM C4.1: atomic memory operations; FEAT_LSE). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, type Row } from "./instruction.ts";

type Bit = "0" | "1";

/** The size of an element: bytes and halfwords have mnemonics of their own, words and doublewords are told by `sf`. */
interface Element {
  readonly suffix: "" | "b" | "h";
  readonly size: "00" | "01" | "1 sf:1";
  readonly register: "x" | "w32";
  readonly bits: 8 | 16 | undefined;
}

// deno-fmt-ignore
const ELEMENTS: readonly Element[] = [
  { suffix: "b", size: "00",     register: "w32", bits: 8 },
  { suffix: "h", size: "01",     register: "w32", bits: 16 },
  { suffix: "",  size: "1 sf:1", register: "x",   bits: undefined },
];

/** Acquire and release; no barrier is needed where steps are in program order. */
interface Order {
  readonly suffix: "" | "a" | "al" | "l";
  readonly acquire: Bit;
  readonly release: Bit;
}

const ORDERS: readonly Order[] = [
  { suffix: "", acquire: "0", release: "0" },
  { suffix: "a", acquire: "1", release: "0" },
  { suffix: "al", acquire: "1", release: "1" },
  { suffix: "l", acquire: "0", release: "1" },
];

/** What memory holds after an operation on its old value and a register, both of 32 or 64 bits. */
type Combine = (ir: Builder, width: 32 | 64, old: Value, operand: Value) => Value;

interface Operation {
  readonly name: string;
  /** The fields o3 and opc. */
  readonly opcode: `${Bit} ${string}`;
  /** The operation compares signed numbers. */
  readonly signed?: boolean;
  readonly combine: Combine;
}

// deno-fmt-ignore
const OPERATIONS: readonly Operation[] = [
  { name: "ldadd",  opcode: "0 000", combine: (ir, width, old, operand) => ir.add(width, old, operand) },
  { name: "ldclr",  opcode: "0 001", combine: (ir, width, old, operand) => ir.and(width, old, ir.not(width, operand)) },
  { name: "ldeor",  opcode: "0 010", combine: (ir, width, old, operand) => ir.xor(width, old, operand) },
  { name: "ldset",  opcode: "0 011", combine: (ir, width, old, operand) => ir.or(width, old, operand) },
  { name: "ldsmax", opcode: "0 100", combine: (ir, width, old, operand) => ir.select(width, ir.lessSigned(old, operand), operand, old), signed: true },
  { name: "ldsmin", opcode: "0 101", combine: (ir, width, old, operand) => ir.select(width, ir.lessSigned(old, operand), old, operand), signed: true },
  { name: "ldumax", opcode: "0 110", combine: (ir, width, old, operand) => ir.select(width, ir.lessUnsigned(old, operand), operand, old) },
  { name: "ldumin", opcode: "0 111", combine: (ir, width, old, operand) => ir.select(width, ir.lessUnsigned(old, operand), old, operand) },
  { name: "swp",    opcode: "1 000", combine: (_ir, _width, _old, operand) => operand },
];

type Fields = Readonly<Record<"Rs" | "Rn" | "Rt", number>> & { readonly sf?: number };

/** The operation is computed in 32 or 64 bits; memory gets the low bits. */
function update({ bits }: Element, { signed = false, combine }: Operation) {
  return (ir: Builder, { sf, Rs, Rn, Rt }: Fields): void => {
    const width = sf ? 64 : 32, size = bits ?? width;
    const extend = (value: Value) => signed ? ir.signExtend(width, value) : ir.zeroExtend(width, value);
    const address = ir.base(Rn), old = ir.load(size, address, "atomic");
    const result = combine(ir, width, extend(old), extend(ir.readX(Rs, size)));
    ir.store(size, address, size === width ? result : ir.extract(size, result, 0), "atomic");
    ir.writeX(Rt, width, ir.zeroExtend(width, old));
  };
}

/** A comparison that fails stores the old value: write permission is needed, and other CPUs' monitors are cleared, either way. */
function compareAndSwap({ bits }: Element) {
  return (ir: Builder, { sf, Rs, Rn, Rt }: Fields): void => {
    const width = sf ? 64 : 32, size = bits ?? width;
    const address = ir.base(Rn), old = ir.load(size, address, "atomic");
    const isEqual = ir.equal(old, ir.readX(Rs, size));
    ir.store(size, address, ir.select(size, isEqual, ir.readX(Rt, size), old), "atomic");
    ir.writeX(Rs, width, ir.zeroExtend(width, old));
  };
}

/** The register after the last is the zero register. */
function compareAndSwapPair(ir: Builder, { sf, Rs, Rn, Rt }: Fields): void {
  const width = sf ? 64 : 32;
  const address = ir.base(Rn), old = ir.load(sf ? 128 : 64, address, "atomic");
  const low = ir.extract(width, old, 0), high = ir.extract(width, old, width);
  const isEqual = ir.and(
    1,
    ir.equal(low, ir.readX(Rs, width)),
    ir.equal(high, ir.readX(Rs + 1, width)),
  );
  const newLow = ir.select(width, isEqual, ir.readX(Rt, width), low);
  const newHigh = ir.select(width, isEqual, ir.readX(Rt + 1, width), high);
  ir.store(sf ? 128 : 64, address, ir.concatenate(newHigh, newLow), "atomic");
  ir.writeX(Rs, width, low);
  ir.writeX(Rs + 1, width, high);
}

/** Pairs begin with an even register. */
const pairExists = {
  when: ({ Rs, Rt }: Pick<Fields, "Rs" | "Rt">): boolean => (Rs & 1) === 0 && (Rt & 1) === 0,
};

const LSE = { feature: "LSE" } as const;

function updateRows(operation: Operation, element: Element, { suffix, acquire, release }: Order): Row[] {
  const { name, opcode } = operation, { size, register } = element;
  const mnemonic = name + suffix + element.suffix, operands = `{Rs:${register}}, {Rt:${register}}`;
  const row = instruction(
    mnemonic.toUpperCase(),
    `${size} 111 0 00 ${acquire} ${release} 1 Rs:5 ${opcode} 00 Rn:5 Rt:5`,
    `${mnemonic} ${operands}, [{Rn:xsp64}]`,
    update(element, operation),
    LSE,
  );
  if (acquire === "1" || !name.startsWith("ld")) return [row];
  const store = mnemonic.replace("ld", "st");
  return [
    row,
    alias(
      store.toUpperCase(),
      `${size} 111 0 00 0 ${release} 1 Rs:5 ${opcode} 00 Rn:5 11111`,
      `${store} {Rs:${register}}, [{Rn:xsp64}]`,
    ),
  ];
}

function compareRow(element: Element, { suffix, acquire, release }: Order): Row {
  const { size, register } = element, mnemonic = `cas${suffix}${element.suffix}`;
  return instruction(
    mnemonic.toUpperCase(),
    `${size} 001000 1 ${acquire} 1 Rs:5 ${release} 11111 Rn:5 Rt:5`,
    `${mnemonic} {Rs:${register}}, {Rt:${register}}, [{Rn:xsp64}]`,
    compareAndSwap(element),
    LSE,
  );
}

function comparePairRow({ suffix, acquire, release }: Order): Row {
  return instruction(
    `CASP${suffix.toUpperCase()}`,
    `0 sf:1 001000 0 ${acquire} 1 Rs:5 ${release} 11111 Rn:5 Rt:5`,
    `casp${suffix} {Rs:pair}, {Rt:pair}, [{Rn:xsp64}]`,
    compareAndSwapPair,
    { ...LSE, ...pairExists },
  );
}

/** The rows. */
export const rows: readonly Row[] = [
  ...ELEMENTS.flatMap((element) => ORDERS.map((order) => compareRow(element, order))),
  ...ORDERS.map(comparePairRow),
  ...OPERATIONS.flatMap((operation) =>
    ELEMENTS.flatMap((element) => ORDERS.flatMap((order) => updateRows(operation, element, order)))
  ),
];
