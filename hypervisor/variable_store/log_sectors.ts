/** The sectors of a log of variables: what each says of itself, and how a record is laid over them. */
import { crc32 } from "../../machine/crc32.ts";
import { guidBytes, guidText } from "../../machine/guid.ts";

/** A variable. */
export interface Variable {
  /** VendorGuid as text. */
  readonly vendor: string;
  /** VariableName. */
  readonly name: string;
  /** Attributes, EFI_VARIABLE_APPEND_WRITE left out. */
  readonly attributes: number;
  /** Contents, not empty. */
  readonly data: Uint8Array;
}

/** Bytes of a sector, and of the header that each has. */
export const SECTOR = 512, HEADER = 16, PAYLOAD: number = SECTOR - HEADER;

/** "HVS1". */
const MAGIC = 0x3153_5648;
/** What a sector is: first of an area, first of a record, a record's continuation. */
export const AREA = 1, FIRST = 2, MORE = 3;
/** Bytes of a record before the name: vendor, attributes, bytes of the name, bytes of the data. */
export const RECORD_HEADER = 28;

/** What a sector says of itself. */
export interface SectorHeader {
  /** AREA, FIRST or MORE. */
  readonly kind: number;
  /** Sectors of a record that begins; the place of a continuation. */
  readonly count: number;
  /** Sequence number of the area that it is of. */
  readonly sequence: number;
  /** `crcOf` its record or area; 0 in a continuation. */
  readonly crc: number;
}

/** The header of a sector; undefined for one that is not a log's. */
export function headerOf(sector: DataView): SectorHeader | undefined {
  if (sector.getUint32(0, true) !== MAGIC) return undefined;
  return {
    kind: sector.getUint8(4),
    count: sector.getUint16(6, true),
    sequence: sector.getUint32(8, true),
    crc: sector.getUint32(12, true),
  };
}

/** The bytes of a sector. */
export function sectorOf(
  { kind, count, sequence, crc }: SectorHeader,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SECTOR), view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, kind);
  view.setUint16(6, count, true);
  view.setUint32(8, sequence, true);
  view.setUint32(12, crc, true);
  bytes.set(payload, HEADER);
  return bytes;
}

/** The CRC of a record or area: of its bytes, and of what else its first sector says. */
export function crcOf(kind: number, count: number, sequence: number, payload: Uint8Array): number {
  const bytes = new Uint8Array(12 + payload.length), view = new DataView(bytes.buffer);
  view.setUint32(0, kind, true);
  view.setUint32(4, count, true);
  view.setUint32(8, sequence, true);
  bytes.set(payload, 12);
  return crc32(bytes);
}

/** A record's bytes; one without data says that the variable is not there any more. */
export function encodeRecord({ vendor, name, attributes, data }: Variable): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD_HEADER + name.length * 2 + data.length),
    view = new DataView(bytes.buffer);
  bytes.set(guidBytes(vendor));
  view.setUint32(16, attributes, true);
  view.setUint32(20, name.length * 2, true);
  view.setUint32(24, data.length, true);
  for (let at = 0; at < name.length; at++) view.setUint16(RECORD_HEADER + at * 2, name.charCodeAt(at), true);
  bytes.set(data, RECORD_HEADER + name.length * 2);
  return bytes;
}

/** A record read back; undefined where its own lengths do not fit, which no writer leaves behind. */
export function decodeRecord(payload: Uint8Array): Variable | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const nameBytes = view.getUint32(20, true), size = view.getUint32(24, true);
  if (nameBytes % 2 !== 0 || RECORD_HEADER + nameBytes + size > payload.length) return undefined;
  const codes = Array.from(
    { length: nameBytes / 2 },
    (_, at) => view.getUint16(RECORD_HEADER + at * 2, true),
  );
  return {
    vendor: guidText(payload.subarray(0, 16)),
    name: codes.map((code) => String.fromCharCode(code)).join(""),
    attributes: view.getUint32(16, true),
    data: payload.slice(RECORD_HEADER + nameBytes, RECORD_HEADER + nameBytes + size),
  };
}

/** Sectors that a variable's record takes. */
export function sectorsOf({ name, data }: Pick<Variable, "name" | "data">): number {
  return Math.ceil((RECORD_HEADER + name.length * 2 + data.length) / PAYLOAD);
}
