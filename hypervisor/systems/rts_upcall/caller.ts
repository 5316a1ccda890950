/**
 * A call of a firmware service, as the stub's trap brings it: X0 to X7 by AAPCS64, and the caller's memory by its
 * virtual addresses. AT S12E1R/W translates for a caller at EL1, S1E2R/W for one at EL2 (with or without VHE), page by
 * page, with PAR_EL1 kept (Arm ARM C5.4); a page that is not mapped, or not writable where it is to be written, is
 * EFI_INVALID_PARAMETER, and nothing is written then.
 */
import { physicalAddress } from "../../../machine/address.ts";
import { guidBytes, guidText } from "../../../machine/guid.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import { EFI_STATUS, EfiError } from "../../efi_status.ts";
import { type GuestStage, readGuest, translateGuest, writeGuest } from "../../guest_memory.ts";
import { MOST_NAME } from "../../variable_store/variable_services.ts";
import type { Vcpu } from "../../vcpu.ts";

/** Pages that an event names. */
const MOST_PAGES = 64;

const invalid = () => new EfiError(EFI_STATUS.INVALID_PARAMETER);

/** Arguments and memory of a caller. Pointers that lead nowhere are `EfiError`. */
export class Caller {
  /** Physical addresses of the pages that were used, in order, at most 64. */
  readonly pages: number[] = [];
  readonly #stage: GuestStage;

  /** The CPU is at its monitor's level. */
  constructor(readonly vcpu: Vcpu) {
    this.#stage = vcpu.level === 2 ? "s1e2" : "s12e1";
  }

  /** Xn. */
  argument(n: number): bigint {
    return this.vcpu.x(n);
  }

  /** Translates every page of a range, before anything is done with any. */
  #claim(address: bigint, size: number, write: boolean): void {
    if (address === 0n) throw invalid();
    const { cpu } = this.vcpu, { memory } = cpu.surroundings;
    for (let done = 0; done < size;) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const place = translateGuest(cpu, this.#stage, at, write);
      if (place.faulted) throw invalid();
      const target = memory.target(physicalAddress(place.address), false);
      // Neither a device, nor flash, which takes what is written for commands.
      if (target?.kind !== "memory" || target.region.device !== undefined) throw invalid();
      if (this.pages.length < MOST_PAGES) this.pages.push(place.address - place.address % PAGE_SIZE);
      done += PAGE_SIZE - Number(at & BigInt(PAGE_SIZE - 1));
    }
  }

  /** Bytes at a pointer; none for a size of 0, whatever the pointer. */
  read(address: bigint, size: number): Uint8Array<ArrayBuffer> {
    if (size === 0) return new Uint8Array(0);
    this.#claim(address, size, false);
    const bytes = readGuest(this.vcpu.cpu, this.#stage, address, size);
    if (!(bytes instanceof Uint8Array)) throw invalid();
    return bytes;
  }

  /** Throws where a range cannot be written: to be asked before the first of several writes. */
  demandWritable(address: bigint, size: number): void {
    if (size > 0) this.#claim(address, size, true);
  }

  /** Writes to a range that `demandWritable` took. */
  write(address: bigint, bytes: Uint8Array): void {
    if (bytes.length > 0 && writeGuest(this.vcpu.cpu, this.#stage, address, bytes) !== undefined) {
      throw invalid();
    }
  }

  /** An integer of 1 to 8 bytes at a pointer. */
  readNumber(address: bigint, size: number): bigint {
    return this.read(address, size).reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
  }

  /** Writes an integer. */
  writeNumber(address: bigint, size: number, value: bigint): void {
    this.write(
      address,
      Uint8Array.from({ length: size }, (_, at) => Number(value >> BigInt(at * 8) & 0xffn)),
    );
  }

  /** A zero-terminated text of CHAR16, of at most `most` characters; it is read no further than its end. */
  readText(address: bigint, most: number = MOST_NAME): string {
    let text = "";
    for (let at = address;;) {
      const room = PAGE_SIZE - Number(at & BigInt(PAGE_SIZE - 1));
      // A character across a page's end is read alone.
      const bytes = this.read(at, room < 2 ? 2 : room & ~1), view = new DataView(bytes.buffer);
      for (let index = 0; index < bytes.length; index += 2) {
        const code = view.getUint16(index, true);
        if (code === 0) return text;
        if (text.length === most) throw invalid();
        text += String.fromCharCode(code);
      }
      at = BigInt.asUintN(64, at + BigInt(bytes.length));
    }
  }

  /** An EFI_GUID as text. */
  readGuid(address: bigint): string {
    return guidText(this.read(address, 16));
  }

  /** Writes an EFI_GUID. */
  writeGuid(address: bigint, guid: string): void {
    this.write(address, guidBytes(guid));
  }
}
