/**
 * Variables kept on a disk as a log, so that a loss of power at any write leaves the old or the new value.
 *
 * The disk has two areas, of which the one with the higher sequence number in its first sector is in force; records
 * follow it, sector by sector, and the last record of a name counts. A record is appended behind the last and flushed:
 * it is there when the CRC in its first sector holds for all of its bytes, and the log ends before the first that does
 * not. When an area is full, what counts is written to the other one, which comes in force by its first sector, written
 * after all else was flushed. Every sector says whether it begins a record, so that the contents of a variable, which
 * are its owner's choice, are never taken for one.
 */
import {
  AREA,
  crcOf,
  decodeRecord,
  encodeRecord,
  FIRST,
  HEADER,
  headerOf,
  MORE,
  PAYLOAD,
  RECORD_HEADER,
  SECTOR,
  sectorOf,
  sectorsOf,
  type Variable,
} from "./log_sectors.ts";

export type { Variable };

/** What a log is kept on; a write is volatile until `flush`. */
export interface LogDevice {
  /** Bytes, at least `SMALLEST_LOG`. */
  readonly size: number;
  /** Bytes as last written. */
  peek(offset: number, length: number): Uint8Array;
  /** Writes one sector. */
  write(offset: number, sector: Uint8Array): void;
  /** Makes all that was written durable. */
  flush(): void;
}

/** The least that a log can be kept on: 16 sectors in each area. */
export const SMALLEST_LOG: number = 32 * SECTOR;

/** By what variables are told apart. */
function keyOf({ vendor, name }: Pick<Variable, "vendor" | "name">): string {
  return `${vendor} ${name}`;
}

/** Variables on a device. Reads the device once, when it is made. */
export class VariableLog {
  readonly #device: LogDevice;
  /** Sectors of an area. */
  readonly #areaSectors: number;
  readonly #variables = new Map<string, Variable>();
  /** The area in force, 0 or 1; undefined on a device that has none yet. */
  #area: number | undefined;
  #sequence = 0;
  /** The sector of the area in force behind the last record. */
  #end = 1;
  /** The log ends before records that hold: not by a loss of power, but by damage. */
  readonly isDamaged: boolean;

  /** Throws RangeError for a device that is too small. */
  constructor(device: LogDevice) {
    if (device.size < SMALLEST_LOG) {
      throw new RangeError(
        `Variables need a disk of ${SMALLEST_LOG} bytes or more; this one has ${device.size}`,
      );
    }
    this.#device = device;
    this.#areaSectors = Math.floor(device.size / SECTOR / 2);
    for (const area of [0, 1]) {
      const sequence = this.#areaSequence(area);
      if (sequence === undefined || sequence <= this.#sequence) continue;
      this.#area = area;
      this.#sequence = sequence;
    }
    this.isDamaged = this.#area !== undefined && this.#replay(this.#area);
  }

  /** The variables in the order in which they came to be. */
  get variables(): Iterable<Variable> {
    return this.#variables.values();
  }

  /** A variable, if it is there. */
  get(vendor: string, name: string): Variable | undefined {
    return this.#variables.get(keyOf({ vendor, name }));
  }

  #offset(area: number, sector: number): number {
    return (area * this.#areaSectors + sector) * SECTOR;
  }

  #sector(area: number, sector: number): DataView {
    const bytes = this.#device.peek(this.#offset(area, sector), SECTOR);
    return new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  }

  #areaSequence(area: number): number | undefined {
    const header = headerOf(this.#sector(area, 0));
    if (header?.kind !== AREA) return undefined;
    return header.crc === crcOf(AREA, 0, header.sequence, new Uint8Array(0)) ? header.sequence : undefined;
  }

  /** A record that begins at a sector and holds, with the sectors it takes. */
  #record(area: number, at: number): { readonly variable: Variable; readonly sectors: number } | undefined {
    if (at >= this.#areaSectors) return undefined;
    const first = headerOf(this.#sector(area, at));
    if (first?.kind !== FIRST || first.sequence !== this.#sequence) return undefined;
    const { count } = first;
    if (count === 0 || at + count > this.#areaSectors) return undefined;
    const payload = new Uint8Array(count * PAYLOAD);
    for (let index = 0; index < count; index++) {
      const sector = this.#sector(area, at + index), header = headerOf(sector);
      if (
        header?.sequence !== this.#sequence || index > 0 && (header.kind !== MORE || header.count !== index)
      ) {
        return undefined;
      }
      payload.set(new Uint8Array(sector.buffer, sector.byteOffset + HEADER, PAYLOAD), index * PAYLOAD);
    }
    if (crcOf(FIRST, count, first.sequence, payload) !== first.crc) return undefined;
    const variable = decodeRecord(payload);
    return variable === undefined ? undefined : { variable, sectors: count };
  }

  /** Takes all records of an area in; true when there are any behind the end. */
  #replay(area: number): boolean {
    for (;;) {
      const found = this.#record(area, this.#end);
      if (found === undefined) break;
      this.#keep(found.variable);
      this.#end += found.sectors;
    }
    for (let at = this.#end + 1; at < this.#areaSectors; at++) {
      if (this.#record(area, at) !== undefined) return true;
    }
    return false;
  }

  #keep(variable: Variable): void {
    if (variable.data.length > 0) this.#variables.set(keyOf(variable), variable);
    else this.#variables.delete(keyOf(variable));
  }

  /** Bytes that all variables together can take, rounded up to sectors each. */
  get capacity(): number {
    return (this.#areaSectors - 1) * PAYLOAD;
  }

  /** Bytes that there is still room for. */
  get free(): number {
    let used = 0;
    for (const variable of this.#variables.values()) used += sectorsOf(variable) * PAYLOAD;
    return this.capacity - used;
  }

  /** Bytes of names and data of the largest variable that an empty log takes. */
  get largest(): number {
    return this.capacity - RECORD_HEADER;
  }

  /**
   * Sets a variable, or deletes it when it has no data: durable when this returns. False, with nothing changed, when
   * there is no room.
   */
  set(variable: Variable): boolean {
    const sectors = sectorsOf(variable);
    if (this.#area !== undefined && this.#end + sectors <= this.#areaSectors) {
      this.#write(this.#area, this.#end, variable);
      this.#device.flush();
      this.#end += sectors;
      this.#keep(variable);
      return true;
    }
    const known = this.#variables.get(keyOf(variable));
    const others = this.capacity - this.free - (known === undefined ? 0 : sectorsOf(known) * PAYLOAD);
    if (variable.data.length > 0 && others + sectors * PAYLOAD > this.capacity) return false;
    this.#moveWith(variable);
    return true;
  }

  #write(area: number, at: number, variable: Variable): void {
    const count = sectorsOf(variable), payload = new Uint8Array(count * PAYLOAD), sequence = this.#sequence;
    payload.set(encodeRecord(variable));
    for (let index = 0; index < count; index++) {
      const header = index === 0
        ? { kind: FIRST, count, sequence, crc: crcOf(FIRST, count, sequence, payload) }
        : { kind: MORE, count: index, sequence, crc: 0 };
      const piece = payload.subarray(index * PAYLOAD, (index + 1) * PAYLOAD);
      this.#device.write(this.#offset(area, at + index), sectorOf(header, piece));
    }
  }

  /** Writes all that counts, with a change, to the other area, and puts that in force. */
  #moveWith(variable: Variable): void {
    this.#keep(variable);
    const area = this.#area === 0 ? 1 : 0;
    this.#sequence++;
    let end = 1;
    for (const kept of this.#variables.values()) {
      this.#write(area, end, kept);
      end += sectorsOf(kept);
    }
    this.#device.flush();
    const empty = new Uint8Array(0), header = { kind: AREA, count: 0, sequence: this.#sequence };
    this.#device.write(
      this.#offset(area, 0),
      sectorOf({ ...header, crc: crcOf(AREA, 0, this.#sequence, empty) }, empty),
    );
    this.#device.flush();
    this.#area = area;
    this.#end = end;
  }
}

/** The bytes of a disk with variables on it, to start a machine with. Throws RangeError when they do not fit. */
export function variableDisk(size: number, variables: Iterable<Variable>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size), log = new VariableLog(memoryLog(bytes));
  for (const variable of variables) {
    if (!log.set(variable)) throw new RangeError(`Variable ${variable.name} does not fit on ${size} bytes`);
  }
  return bytes;
}

/** The variables on the bytes of a disk. Throws RangeError for a damaged one. */
export function variablesOn(bytes: Uint8Array<ArrayBuffer>): Variable[] {
  const log = new VariableLog(memoryLog(bytes));
  if (log.isDamaged) {
    throw new RangeError("The variables on this disk are damaged: records follow one that does not hold");
  }
  return [...log.variables];
}

/** A log's device of bytes in memory. */
export function memoryLog(bytes: Uint8Array<ArrayBuffer>): LogDevice {
  return {
    size: bytes.length,
    peek: (offset, length) => bytes.slice(offset, offset + length),
    write: (offset, sector) => bytes.set(sector, offset),
    flush: () => {},
  };
}
