/** The guest's memory as a debugger reads and writes it: by virtual addresses, without the breakpoints that are in it. */
import { PACKET_SIZE, toHex } from "../../../machine/debugger_packets.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { readPhysical, writePhysical } from "../../own_memory.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { GuestHold } from "./gdb_hold.ts";
import { ERROR, hexNumber, OK } from "./gdb_packets.ts";

/** `m` and `M`; `selected` is the CPU by whose translation, `vcpu` the one in the handler. */
export class GdbMemory {
  /** `hold` knows of breakpoints and translation. */
  constructor(private readonly site: MonitorSite, private readonly hold: GuestHold) {}

  /** Parts of a range of guest memory that are in one page each; undefined from the first that is not there on. */
  #parts(
    vcpu: Vcpu,
    selected: number,
    address: bigint,
    size: number,
    writes = false,
  ): { physical: number | undefined; at: number; count: number }[] {
    const parts = [];
    for (let at = 0; at < size;) {
      const here = BigInt.asUintN(64, address + BigInt(at));
      const count = Math.min(size - at, PAGE_SIZE - Number(here & BigInt(PAGE_SIZE - 1)));
      const physical = this.hold.physical(vcpu, selected, here, writes);
      parts.push({ physical, at, count });
      if (physical === undefined) break;
      at += count;
    }
    return parts;
  }

  /** Memory by the guest's virtual addresses, up to where there is none. */
  read(vcpu: Vcpu, selected: number, rest: string): string {
    const [, digits, length] = /^([0-9a-f]{1,16}),([0-9a-f]{1,6})$/i.exec(rest) ?? [],
      address = hexNumber(digits);
    if (address === undefined) return ERROR;
    const { memory } = this.site;
    const read: number[] = [];
    for (
      const { physical, count } of this.#parts(
        vcpu,
        selected,
        address,
        Math.min(parseInt(length!, 16), PACKET_SIZE / 2 - 8),
      )
    ) {
      if (physical === undefined) break;
      const part = Uint8Array.from(
        { length: count },
        (_, byte) => Number(readPhysical(memory, vcpu.cpu, physical + byte, 1)),
      );
      this.hold.withoutBreakpoints(physical, part);
      read.push(...part);
    }
    return read.length === 0 && parseInt(length!, 16) > 0 ? ERROR : toHex(Uint8Array.from(read));
  }

  /** Writes memory, if all of it is there. */
  write(vcpu: Vcpu, selected: number, rest: string): string {
    const [, digits, length, data = ""] = /^([0-9a-f]{1,16}),([0-9a-f]{1,6}):([0-9a-f]*)$/i.exec(rest) ?? [];
    const address = hexNumber(digits), size = parseInt(length ?? "0", 16);
    if (address === undefined || data.length !== 2 * size) return ERROR;
    const values = Uint8Array.fromHex(data), parts = this.#parts(vcpu, selected, address, size, true);
    if (parts.some(({ physical }) => physical === undefined)) return ERROR;
    for (const { physical, at, count } of parts) {
      for (let byte = 0; byte < count; byte++) {
        const value = BigInt(values[at + byte] as number);
        writePhysical(this.site.memory, vcpu.cpu, physical as number + byte, 1, value);
      }
    }
    return OK;
  }
}
