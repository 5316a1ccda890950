/** Vectors as lanes: buffers in which operations take vectors apart and put their results together. */
import { wrap } from "./operation.ts";

/** Width of a lane in bits. */
export type Lane = 8 | 16 | 32 | 64;

/** Meaning of an operation on one lane; its result is taken modulo the lane. */
export type OfLane = (a: bigint, b: bigint, c: bigint) => bigint;

/** A vector of 128 bits seen as lanes of every width, the lowest first. */
export class Vector {
  /** Its halves. */
  readonly halves: BigUint64Array = new BigUint64Array(2);
  /** Lanes as unsigned numbers. */
  readonly unsigned: Readonly<Record<Lane, Uint8Array | Uint16Array | Uint32Array | BigUint64Array>> = {
    8: new Uint8Array(this.halves.buffer),
    16: new Uint16Array(this.halves.buffer),
    32: new Uint32Array(this.halves.buffer),
    64: this.halves,
  };
  /** Lanes as two's complement. */
  readonly signed: Readonly<Record<Lane, Int8Array | Int16Array | Int32Array | BigInt64Array>> = {
    8: new Int8Array(this.halves.buffer),
    16: new Int16Array(this.halves.buffer),
    32: new Int32Array(this.halves.buffer),
    64: new BigInt64Array(this.halves.buffer),
  };

  /** Takes a value of up to 128 bits. */
  set(value: bigint): void {
    this.halves[0] = value;
    this.halves[1] = value >> 64n;
  }

  /** Sets a lane, modulo its width. */
  setLane(lane: Lane, index: number, value: bigint): void {
    if (lane === 64) this.halves[index] = value;
    else this.unsigned[lane][index] = Number(wrap(lane, value));
  }

  /** The low `width` bits. */
  value(width: number): bigint {
    const [low = 0n, high = 0n] = this.halves;
    return width > 64 ? high << 64n | low : wrap(width, low);
  }
}

/** Scratch, since no operation is evaluated within another. */
const A = new Vector(), B = new Vector(), C = new Vector(), RESULT = new Vector();

function map(view: "unsigned" | "signed", width: number, lane: Lane, of: OfLane): bigint {
  const a = A[view][lane], b = B[view][lane], c = C[view][lane];
  for (let index = 0; index * lane < width; index++) {
    const result = of(BigInt(a[index] ?? 0), BigInt(b[index] ?? 0), BigInt(c[index] ?? 0));
    RESULT.setLane(lane, index, result);
  }
  return RESULT.value(width);
}

/** Applies a function to the unsigned lanes of up to three vectors; results are taken modulo the lane. */
export function mapLanes(width: number, lane: number, a: bigint, b: bigint, c: bigint, of: OfLane): bigint {
  A.set(a);
  B.set(b);
  C.set(c);
  return map("unsigned", width, lane as Lane, of);
}

/** As `mapLanes`, with lanes in two's complement. */
export function mapSignedLanes(
  width: number,
  lane: number,
  a: bigint,
  b: bigint,
  c: bigint,
  of: OfLane,
): bigint {
  A.set(a);
  B.set(b);
  C.set(c);
  return map("signed", width, lane as Lane, of);
}

/**
 * A vector of `width` bits whose lanes of `to` bits are functions of lanes of `from` bits of another, the first being
 * lane `first` there.
 */
export function convertLanes(
  view: "unsigned" | "signed",
  width: number,
  from: number,
  to: number,
  a: bigint,
  of: (a: bigint) => bigint,
  first = 0,
): bigint {
  A.set(a);
  const lanes = A[view][from as Lane];
  for (let index = 0; index * to < width; index++) {
    RESULT.setLane(to as Lane, index, of(BigInt(lanes[first + index] ?? 0)));
  }
  return RESULT.value(width);
}

/** Lanes chosen by number from those of a, which come first, and of b. */
export function chooseLanes(
  width: number,
  lane: number,
  a: bigint,
  b: bigint,
  choices: readonly number[],
): bigint {
  A.set(a);
  B.set(b);
  const count = width / lane, result = RESULT.unsigned[lane as Lane];
  const low = A.unsigned[lane as Lane], high = B.unsigned[lane as Lane];
  choices.forEach((choice, index) => {
    result[index] = (choice < count ? low[choice] : high[choice - count]) as never;
  });
  return RESULT.value(width);
}

/** Bytes of the 128-bit vector a at the places that the bytes of b name; 0 for places of 16 and more. */
export function lookUpBytes(width: number, a: bigint, b: bigint): bigint {
  A.set(a);
  B.set(b);
  const table = A.unsigned[8], places = B.unsigned[8], result = RESULT.unsigned[8];
  for (let index = 0; index * 8 < width; index++) result[index] = table[places[index] as number] ?? 0;
  return RESULT.value(width);
}
