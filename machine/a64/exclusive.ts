/** Exclusive and ordered loads and stores (Arm ARM C4.1: load/store exclusive). */
import type { Builder } from "../ir/builder.ts";
import type { Access } from "../ir/operations.ts";
import { instruction, type Row } from "./instruction.ts";
import type { Bits2 } from "./transfer.ts";

interface Element {
  readonly suffix: string;
  readonly mnemonicSuffix: string;
  readonly size: Bits2;
  readonly bits: 8 | 16 | 32 | 64;
  readonly register: "w32" | "x64";
}

// deno-fmt-ignore
const ELEMENTS: readonly Element[] = [
  { suffix: "B",  mnemonicSuffix: "b", size: "00", bits: 8,  register: "w32" },
  { suffix: "H",  mnemonicSuffix: "h", size: "01", bits: 16, register: "w32" },
  { suffix: "_W", mnemonicSuffix: "",  size: "10", bits: 32, register: "w32" },
  { suffix: "_X", mnemonicSuffix: "",  size: "11", bits: 64, register: "x64" },
];

const accessOf = (ordered: boolean): Access => (ordered ? "ordered" : "exclusive");

type Single = Readonly<Record<"Rn" | "Rt", number>>;
type SingleStore = Readonly<Record<"Rs" | "Rn" | "Rt", number>>;

function loadExclusive(bits: Element["bits"], acquire: boolean) {
  return (ir: Builder, { Rn, Rt }: Single): void => {
    ir.writeX(Rt, 64, ir.zeroExtend(64, ir.loadExclusive(bits, ir.base(Rn), accessOf(acquire))));
  };
}

/** The status is written last, also over the address or the value (see unpredictable.ts). */
function storeExclusive(bits: Element["bits"], release: boolean) {
  return (ir: Builder, { Rs, Rn, Rt }: SingleStore): void => {
    const status = ir.storeExclusive(bits, ir.base(Rn), ir.readX(Rt, bits), accessOf(release));
    ir.writeX(Rs, 32, status);
  };
}

function loadAcquire(bits: Element["bits"]) {
  return (ir: Builder, { Rn, Rt }: Single): void => {
    ir.writeX(Rt, 64, ir.zeroExtend(64, ir.load(bits, ir.base(Rn), "ordered")));
  };
}

function storeRelease(bits: Element["bits"]) {
  return (ir: Builder, { Rn, Rt }: Single): void => {
    ir.store(bits, ir.base(Rn), ir.readX(Rt, bits), "ordered");
  };
}

type Pair = Readonly<Record<"Rt2" | "Rn" | "Rt", number>>;
type PairStore = Readonly<Record<"Rs" | "Rt2" | "Rn" | "Rt", number>>;

/** A pair is one access of twice the size. */
function loadExclusivePair(bits: 32 | 64, acquire: boolean) {
  return (ir: Builder, { Rt2, Rn, Rt }: Pair): void => {
    const pair = ir.loadExclusive(bits === 32 ? 64 : 128, ir.base(Rn), accessOf(acquire));
    const low = ir.extract(bits, pair, 0), high = ir.extract(bits, pair, bits);
    ir.writeX(Rt, bits, low);
    ir.writeX(Rt2, bits, high);
  };
}

function storeExclusivePair(bits: 32 | 64, release: boolean) {
  return (ir: Builder, { Rs, Rt2, Rn, Rt }: PairStore): void => {
    const address = ir.base(Rn);
    const pair = ir.concatenate(ir.readX(Rt2, bits), ir.readX(Rt, bits));
    ir.writeX(Rs, 32, ir.storeExclusive(bits === 32 ? 64 : 128, address, pair, accessOf(release)));
  };
}

function singleRows({ suffix, mnemonicSuffix, size, bits, register }: Element): Row[] {
  const none = "(1)(1)(1)(1)(1)", rt = `{Rt:${register}}`, address = "[{Rn:xsp64}]", m = mnemonicSuffix;
  // deno-fmt-ignore
  return [
    instruction(`STXR${suffix}`,  `${size} 001000 0 0 0 Rs:5 0 ${none} Rn:5 Rt:5`,    `stxr${m} {Rs:w32}, ${rt}, ${address}`,  storeExclusive(bits, false)),
    instruction(`STLXR${suffix}`, `${size} 001000 0 0 0 Rs:5 1 ${none} Rn:5 Rt:5`,    `stlxr${m} {Rs:w32}, ${rt}, ${address}`, storeExclusive(bits, true)),
    instruction(`LDXR${suffix}`,  `${size} 001000 0 1 0 ${none} 0 ${none} Rn:5 Rt:5`, `ldxr${m} ${rt}, ${address}`,            loadExclusive(bits, false)),
    instruction(`LDAXR${suffix}`, `${size} 001000 0 1 0 ${none} 1 ${none} Rn:5 Rt:5`, `ldaxr${m} ${rt}, ${address}`,           loadExclusive(bits, true)),
    instruction(`STLR${suffix}`,  `${size} 001000 1 0 0 ${none} 1 ${none} Rn:5 Rt:5`, `stlr${m} ${rt}, ${address}`,            storeRelease(bits)),
    instruction(`LDAR${suffix}`,  `${size} 001000 1 1 0 ${none} 1 ${none} Rn:5 Rt:5`, `ldar${m} ${rt}, ${address}`,            loadAcquire(bits)),
  ];
}

function pairRows(suffix: "_W" | "_X", sz: "0" | "1", bits: 32 | 64, register: "w32" | "x64"): Row[] {
  const none = "(1)(1)(1)(1)(1)", registers = `{Rt:${register}}, {Rt2:${register}}, [{Rn:xsp64}]`;
  // deno-fmt-ignore
  return [
    instruction(`STXP${suffix}`,  `1 ${sz} 001000 0 0 1 Rs:5 0 Rt2:5 Rn:5 Rt:5`,    `stxp {Rs:w32}, ${registers}`,  storeExclusivePair(bits, false)),
    instruction(`STLXP${suffix}`, `1 ${sz} 001000 0 0 1 Rs:5 1 Rt2:5 Rn:5 Rt:5`,    `stlxp {Rs:w32}, ${registers}`, storeExclusivePair(bits, true)),
    instruction(`LDXP${suffix}`,  `1 ${sz} 001000 0 1 1 ${none} 0 Rt2:5 Rn:5 Rt:5`, `ldxp ${registers}`,            loadExclusivePair(bits, false)),
    instruction(`LDAXP${suffix}`, `1 ${sz} 001000 0 1 1 ${none} 1 Rt2:5 Rn:5 Rt:5`, `ldaxp ${registers}`,           loadExclusivePair(bits, true)),
  ];
}

/** The rows. */
export const rows: readonly Row[] = [
  ...ELEMENTS.flatMap(singleRows),
  ...pairRows("_W", "0", 32, "w32"),
  ...pairRows("_X", "1", 64, "x64"),
];
