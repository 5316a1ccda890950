/**
 * The granule table of a machine with realms (after Arm DEN 0137, RMM 1.0, and DDI 0615, Granule Protection Check): what
 * each 4 KiB of RAM is, and the stage 2 of the untrusted host, which has all that is undelegated and nothing else.
 */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { MODELS } from "../../../machine/cpu/model.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import type { Section } from "../../../machine/snapshot.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import { Stage2 } from "../../stage2.ts";
import { MEMORY_RW, MEMORY_RWX } from "../../stage2_attributes.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { Planted } from "./planted.ts";
import { usedPages } from "./realm.ts";

/** What a granule can be; the number is that in the table. */
export const GRANULE_STATES = ["undelegated", "delegated", "realm"] as const;

/** What a granule is. */
export type GranuleState = (typeof GRANULE_STATES)[number];

/** The host's VMID; the realm has 1. */
const HOST_VMID = 2;

/** The table, and the host's address space that follows it. */
export class GranuleTable {
  /** The host's translation: intermediate addresses are physical ones. */
  readonly stage2: Stage2;
  #states: Uint8Array;

  /** RAM up to the monitor's own is in it. */
  constructor(private readonly monitor: El2Monitor, private readonly planted: Planted | undefined) {
    const { site, space } = monitor, { physicalSize } = MODELS[site.board.configuration.cpuModel].limits;
    this.stage2 = new Stage2(site.memory, space.pool, { vmid: HOST_VMID, physicalSize });
    this.#states = new Uint8Array(space.ram.size / PAGE_SIZE);
  }

  /** All is the host's, with the second serial port if there is one; behind the reset of the guest's space. */
  reset(): void {
    const { space: { ram }, site: { board } } = this.monitor;
    this.#states.fill(0);
    this.stage2.reset();
    this.stage2.map(undefined, ram.base, ram.base, ram.size, MEMORY_RWX);
    const port = board.rows.find(({ name, secureOnly }) => name === "uart1" && secureOnly !== true);
    if (port !== undefined) this.stage2.map(undefined, port.base, port.base, PAGE_SIZE, MEMORY_RW);
  }

  #granules(base: number, count: number): Uint8Array | undefined {
    const first = (base - this.monitor.space.ram.base) / PAGE_SIZE;
    const isThere = Number.isInteger(first) && first >= 0 && count > 0 &&
      first + count <= this.#states.length;
    return isThere ? this.#states.subarray(first, first + count) : undefined;
  }

  /** Whether all granules of a range are the same, and in a state. */
  are(base: number, count: number, state: GranuleState): boolean {
    const number = GRANULE_STATES.indexOf(state);
    return this.#granules(base, count)?.every((one) => one === number) ?? false;
  }

  /**
   * Changes the state of a range that is all in one: `by` is a CPU at EL2 with the host's stage 2 in force. False, with
   * nothing changed, for what is not RAM or not in that state.
   */
  change(by: Vcpu, base: number, count: number, from: GranuleState, to: GranuleState): boolean {
    const granules = this.#granules(base, count), size = count * PAGE_SIZE;
    if (granules === undefined || !this.are(base, count, from)) return false;
    if (from === "undelegated" && this.planted !== "no-denial") this.stage2.unmap(by.cpu, base, size);
    if (to === "undelegated") {
      if (this.planted !== "no-wipe") this.#wipe(base, count);
      this.stage2.map(by.cpu, base, base, size, MEMORY_RWX);
    }
    granules.fill(GRANULE_STATES.indexOf(to));
    this.monitor.site.events.emit("granulesChanged", by.index, { base, count, from, to });
    return true;
  }

  #wipe(base: number, count: number): void {
    const { memory } = this.monitor.site, zeros = new Uint8Array(PAGE_SIZE);
    for (const page of usedPages(memory, base, count)) {
      memory.patchBytes((base + page * PAGE_SIZE) as PhysicalAddress, zeros);
    }
  }

  /** States of all granules, for a section. */
  get states(): Uint8Array {
    return this.#states.slice();
  }

  /** Restores both; throws RangeError for a table of another machine. */
  restore(states: Uint8Array, tables: Section): void {
    if (states.length !== this.#states.length) throw new RangeError("Cannot restore granules of another RAM");
    this.#states = states.slice();
    this.stage2.restore(tables);
  }
}
