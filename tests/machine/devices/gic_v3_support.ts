/** A GICv3 for tests, with outputs, events and memory for the tables of LPIs that can be looked at. */
import { Clock } from "../../../machine/clock.ts";
import type { GicAccess, GicRegister } from "../../../machine/cpu/gic_interface.ts";
import { GicV3 } from "../../../machine/devices/gic_v3.ts";
import { REDISTRIBUTOR_SIZE } from "../../../machine/devices/gic_v3_redistributor.ts";
import { EventHub, type MachineEvent } from "../../../machine/events.ts";
import { by, Wire } from "./support.ts";

/** Bytes of memory behind the controller, from address 0. */
export const MEMORY_SIZE = 0x10_0000;

/** Where the SGI frame of a redistributor begins. */
export const SGI_FRAME = 0x1_0000;

/** An access by software at EL1 without EL2 and EL3. */
export const NON_SECURE: GicAccess = {
  level: 1,
  secure: false,
  secureBank: false,
  fiqToMonitor: false,
  irqToMonitor: false,
  fiqToHypervisor: false,
  irqToHypervisor: false,
};

/** An access by software at Secure EL1. */
export const SECURE: GicAccess = { ...NON_SECURE, secure: true, secureBank: true };

/** An access by software at EL3 with SCR_EL3.NS 1. */
export const MONITOR: GicAccess = { ...NON_SECURE, level: 3, secure: true };

/** What may be chosen. */
export interface BuildOptions {
  /** CPUs, 1 by default. */
  readonly cpuCount?: number;
  /** Two Security states. */
  readonly security?: boolean;
  /** LPIs. */
  readonly hasLpis?: boolean;
}

/** Builds one. */
export function buildGicV3({ cpuCount = 1, security = false, hasLpis = false }: BuildOptions = {}) {
  const events = new EventHub(new Clock());
  const seen: MachineEvent[] = [];
  events.add({ classes: ["detail"], observe: (event) => seen.push(event) });
  const cpus = Array.from({ length: cpuCount }, () => ({
    group0: new Wire(),
    secureGroup1: new Wire(),
    nonSecureGroup1: new Wire(),
    virtualIrq: new Wire(),
    virtualFiq: new Wire(),
  }));
  const memory = new Uint8Array(MEMORY_SIZE);
  const isThere = (address: bigint | number, size: number) => Number(address) + size <= MEMORY_SIZE;
  const dma = {
    read: (address: bigint | number, size: number) =>
      isThere(address, size) ? memory.slice(Number(address), Number(address) + size) : undefined,
    write: (address: bigint | number, bytes: Uint8Array) => {
      if (isThere(address, bytes.length)) memory.set(bytes, Number(address));
      return isThere(address, bytes.length);
    },
  };
  const frameNames = { distributor: "gicd", redistributors: "gicr" };
  const gic = new GicV3({ name: "gic", events, cpus, security, hasLpis, dma, frameNames });
  const [gicd, gicr] = gic.frames.map(({ device }) => device);
  return {
    gic,
    cpus,
    seen,
    memory,
    /** Reads and writes of GICD, Secure unless said otherwise. */
    readD: (offset: number, secure = true, size = 4) => gicd!.read(offset, size, by(0, secure)),
    writeD: (offset: number, value: number, secure = true, size = 4) =>
      gicd!.write(offset, size, value, by(0, secure)),
    /** The same of the redistributor of a CPU. */
    readR: (offset: number, cpu = 0, secure = true, size = 4) =>
      gicr!.read(cpu * REDISTRIBUTOR_SIZE + offset, size, by(cpu, secure)),
    writeR: (offset: number, value: number, cpu = 0, secure = true, size = 4) =>
      gicr!.write(cpu * REDISTRIBUTOR_SIZE + offset, size, value, by(cpu, secure)),
    /** System registers. */
    mrs: (register: GicRegister, cpu = 0, access = NON_SECURE) =>
      gic.cpuInterfaces[cpu]!.read(register, access),
    msr: (register: GicRegister, value: bigint | number, cpu = 0, access = NON_SECURE) =>
      gic.cpuInterfaces[cpu]!.write(register, BigInt(value), access),
  };
}

/** One in which every interrupt of CPU 0 and all shared ones get through, of Group 1. */
export function readyGicV3(options: BuildOptions = {}) {
  const built = buildGicV3(options);
  built.writeD(0x0, 7);
  for (let word = 1; word < 9; word++) {
    built.writeD(0x80 + 4 * word, 0xffff_ffff);
    built.writeD(0x100 + 4 * word, 0xffff_ffff);
  }
  for (let cpu = 0; cpu < (options.cpuCount ?? 1); cpu++) {
    built.writeR(0x14, 0, cpu);
    built.writeR(SGI_FRAME + 0x80, 0xffff_ffff, cpu);
    built.writeR(SGI_FRAME + 0x100, 0xffff_ffff, cpu);
    built.msr("ICC_PMR_EL1", 0xff, cpu);
    built.msr("ICC_IGRPEN0_EL1", 1, cpu);
    built.msr("ICC_IGRPEN1_EL1", 1, cpu);
  }
  return built;
}
