/** Random registers and memory of a case, with what its instruction is sensitive to. */
import { type CpuModel, hasFeature } from "../../machine/a64/feature.ts";
import { FLOAT_OPERATIONS } from "../../machine/ir/float_operations.ts";
import { FLOAT_PRODUCT_OPERATIONS } from "../../machine/ir/float_product_operations.ts";
import { LANE_OPERATIONS } from "../../machine/ir/lane_operations.ts";
import type { IrNode } from "../../machine/ir/operations.ts";
import {
  edgeValue,
  extremeValue,
  type LaneWidth,
  nearbyValue,
  specialValue,
  tieInteger,
} from "./edge_values.ts";
import { AT_FAULT, AT_FPSR, AT_NZCV, AT_SIGNAL, AT_V, AT_X, HOLE, RECORD_WORDS, WINDOW } from "./record.ts";

/** A source of unsigned 32-bit numbers. */
export type Random = () => number;

/** Lanes that an instruction works on. */
export interface Lanes {
  /** Width in bits. */
  readonly width: LaneWidth;
  /** They are floating-point numbers. */
  readonly isFloat: boolean;
}

const isLaneWidth = (value: unknown): value is LaneWidth => [8, 16, 32, 64].includes(value as number);

/** The lanes of an instruction by its operations: the formats of floating point, else the lanes of integers. */
export function lanesOf(nodes: readonly IrNode[]): Lanes[] {
  const of = (table: object) => nodes.filter(({ op }) => Object.hasOwn(table, op));
  const floats = of({ ...FLOAT_OPERATIONS, ...FLOAT_PRODUCT_OPERATIONS }).flatMap(({ immediates }) =>
    immediates.filter(isLaneWidth).filter((width) => width > 8)
  );
  if (floats.length > 0) return [...new Set(floats)].map((width) => ({ width, isFloat: true }));
  const lanes = of(LANE_OPERATIONS).map(({ immediates: [first] }) => first).filter(isLaneWidth);
  return [...new Set(lanes)].map((width) => ({ width, isFloat: false }));
}

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

/** How the lanes of a case are drawn: half of the cases mix all numbers. */
const DRAWS = [edgeValue, edgeValue, specialValue, extremeValue];

/** Every lane of every vector is an edge, or not far from another lane's. */
function edgeVectors(record: BigUint64Array, { width, isFloat }: Lanes, random: Random): void {
  const draw = DRAWS[random() % DRAWS.length] as typeof edgeValue;
  const bases = Array.from({ length: 2 }, () => draw(width, isFloat, random));
  const perHalf = 64 / width;
  for (let half = 0; half < 64; half++) {
    let bits = 0n;
    for (let lane = 0; lane < perHalf; lane++) {
      const kind = random() % 8, base = bases[random() % 2] as bigint;
      const value = kind > 2
        ? draw(width, isFloat, random)
        : kind === 0
        ? base
        : nearbyValue(width, base, random);
      bits |= value << BigInt(lane * width);
    }
    record[AT_V + half] = bits;
  }
}

/** RMode, FZ, DN and AHP; and FZ16. */
const FPCR_BITS = 0x07c0_0000, FZ16 = 0x8_0000;
/** QC, IDC, IXC, UFC, OFC, DZC and IOC. */
const FPSR_BITS = 0x0800_009f;

/** Fills a case but for its words. */
export function randomState(
  record: BigUint64Array<ArrayBuffer>,
  lanes: readonly Lanes[],
  model: CpuModel,
  random: Random,
): void {
  const halves = new Uint32Array(record.buffer, record.byteOffset, RECORD_WORDS * 2);
  for (let at = AT_V * 2; at < RECORD_WORDS * 2; at++) halves[at] = random();
  for (let n = 0; n < 32; n++) {
    const isTie = lanes.length > 0 && random() % 4 === 0;
    record[AT_X + n] = isTie ? tieInteger(random) : randomRegister(random);
  }
  if (lanes.length > 0 && random() % 2 === 0) {
    edgeVectors(record, lanes[random() % lanes.length] as Lanes, random);
  } else randomVectors(record, random);
  record[AT_NZCV] = BigInt(random() & 15) << 28n;
  const fpcr = random() % 4 === 0 ? 0 : random() & (hasFeature(model, "FP16") ? FPCR_BITS | FZ16 : FPCR_BITS);
  const fpsr = random() % 2 === 0 ? 0 : random() & FPSR_BITS;
  record[AT_FPSR] = BigInt(fpcr) << 32n | BigInt(fpsr);
  record[AT_FAULT] = 0n;
  record[AT_SIGNAL] = 0n;
}
