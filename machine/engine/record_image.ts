/** A record while it is made: what a word's handler finds there, before it is known where the record is. */
import { PAGE_SIZE } from "../memory/physical.ts";
import { RECORD, RECORD_SIZE } from "./code_pages.ts";
import type { Operands } from "./shape.ts";

/** Bits of an address within a page. */
export const IN_PAGE: number = PAGE_SIZE - 1;

/** Bytes of a record for each byte of code. */
const SCALE = RECORD_SIZE / 4;

/** The bytes of a record but the handler's number. */
export class RecordImage {
  /** As words. */
  readonly words: Uint32Array<ArrayBuffer> = new Uint32Array(RECORD_SIZE / 4);
  /** As halves of words. */
  readonly halves: Uint16Array<ArrayBuffer> = new Uint16Array(this.words.buffer);
  readonly #wide = new BigUint64Array(this.words.buffer);
  /** Number of registers. */
  registers = 0;
  /** Bytes from the instruction to its branch's target, where that is known. */
  distance: number | undefined = undefined;
  /** The target is in the same page: the narrow place is for the address of its record. */
  isLocal = false;
  /** It may differ with the address. */
  isRelative = false;

  /** Takes the operands of an instruction at an address. */
  set({ registers, wide, narrow, target }: Operands, pc: bigint): void {
    this.halves.set(registers, RECORD.registers / 2);
    this.registers = registers.length;
    this.words[RECORD.narrow / 4] = narrow;
    this.#wide.set(wide, RECORD.wide0 / 8);
    this.distance = target === undefined ? undefined : Number(BigInt.asIntN(64, target - pc));
    this.isLocal = target !== undefined && target >> 12n === pc >> 12n;
  }

  /** What it was made of, at an address. */
  operandsAt(pc: bigint): Operands {
    const first = RECORD.registers / 2, { distance } = this;
    const registers: number[] = [];
    for (let index = 0; index < this.registers; index++) registers.push(this.halves[first + index] as number);
    return {
      registers,
      wide: [this.#wide[RECORD.wide0 / 8] as bigint, this.#wide[RECORD.wide1 / 8] as bigint],
      narrow: this.isLocal ? 0 : this.words[RECORD.narrow / 4] as number,
      target: distance === undefined ? undefined : BigInt.asUintN(64, pc + BigInt(distance)),
    };
  }

  /** Writes it to a record; the handler's number is not written. */
  copyTo(view: DataView, record: number): void {
    const { words, halves } = this;
    view.setUint16(record + 2, halves[1] as number, true);
    view.setUint32(record + 4, words[1] as number, true);
    view.setUint32(record + 8, words[2] as number, true);
    const target = record + (this.distance ?? 0) * SCALE;
    view.setUint32(record + 12, this.isLocal ? target : words[3] as number, true);
    view.setUint32(record + 16, words[4] as number, true);
    view.setUint32(record + 20, words[5] as number, true);
    view.setUint32(record + 24, words[6] as number, true);
    view.setUint32(record + 28, words[7] as number, true);
  }
}
