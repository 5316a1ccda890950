/** Log pages of an NVMe controller (NVM Express 1.4, section 5.14): errors, health and the firmware slot. */
import { type FieldKind, record, u53 } from "../../layout.ts";
import { TEMPERATURE } from "./identify.ts";

/** What a controller counts. */
export interface Statistics {
  /** Blocks of 512 bytes read. */
  blocksRead: number;
  /** Blocks of 512 bytes written. */
  blocksWritten: number;
  /** Read and Compare commands. */
  reads: number;
  /** Write commands. */
  writes: number;
}

/** Fields of the section. */
export const statisticsFields: FieldKind<Statistics> = record({
  blocksRead: u53,
  blocksWritten: u53,
  reads: u53,
  writes: u53,
});

/** Nothing counted. */
export function noStatistics(): Statistics {
  return { blocksRead: 0, blocksWritten: 0, reads: 0, writes: 0 };
}

/** Page of errors: its being read lets the next error be told of. */
export const ERROR_LOG = 1;

/** Page of health, of the controller and its namespace. */
export const HEALTH_LOG = 2;

const PAGES: Readonly<Record<number, (statistics: Statistics) => Uint8Array>> = {
  [ERROR_LOG]: () => new Uint8Array(64),
  [HEALTH_LOG]: health,
  3: firmwareSlots,
};

/** A log page whole; undefined for one that there is not. */
export function logPage(number: number, statistics: Statistics): Uint8Array | undefined {
  return PAGES[number]?.(statistics);
}

/** Blocks in thousands, rounded up, as data units are counted. */
const UNITS = 1000;

function health({ blocksRead, blocksWritten, reads, writes }: Statistics): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  view.setUint16(1, TEMPERATURE.present, true);
  const counters = [Math.ceil(blocksRead / UNITS), Math.ceil(blocksWritten / UNITS), reads, writes];
  for (const [index, count] of counters.entries()) view.setBigUint64(32 + 16 * index, BigInt(count), true);
  return bytes;
}

function firmwareSlots(): Uint8Array {
  const bytes = new Uint8Array(512);
  bytes[0] = 1;
  bytes.set(new TextEncoder().encode("1.0     "), 8);
  return bytes;
}
