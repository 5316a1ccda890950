/** The instruction that W7 describes: a port access of another architecture's I/O space, by size, direction and type. */

/** An access to a port. */
export interface PortInstruction {
  /** Bytes of an element. */
  readonly size: 1 | 2 | 4;
  /** From the port to the guest. */
  readonly isIn: boolean;
  /** 16 bits. */
  readonly port: number;
  /** A string instruction, between the port and memory; undefined for one between the port and X0. */
  readonly string?: {
    /** REP: X2 has how many elements. */
    readonly repeats: boolean;
    /** From one element's address to the next. */
    readonly step: number;
  };
}

const SIZES = [1, 2, 4] as const;
const DIRECTION = 1 << 2, DESCENDING = 1 << 5;
/** Bits that are zero, by W7[4:3]: all but an immediate port, none of them, or the direction flag. */
const RESERVED = [~0x1fff, ~0x1f, ~0x3f, ~0x3f] as const;
const IMMEDIATE = 0, STRING = 2, REPEATED = 3;

/** Decodes W7, with X3 for what has its port in DX; undefined for a size of 3 and for reserved bits that are set. */
export function decodeInstruction(w7: number, x3: bigint): PortInstruction | undefined {
  const size = SIZES[w7 & 3], type = w7 >>> 3 & 3;
  if (size === undefined || (w7 & (RESERVED[type] as number)) !== 0) return undefined;
  const isIn = (w7 & DIRECTION) !== 0;
  if (type === IMMEDIATE) return { size, isIn, port: w7 >>> 5 & 0xff };
  const port = Number(x3 & 0xffffn);
  if (type < STRING) return { size, isIn, port };
  const step = (w7 & DESCENDING) === 0 ? size : -size;
  return { size, isIn, port, string: { repeats: type === REPEATED, step } };
}
