/** A CPU with stage 1 on for tests of memory accesses: RAM, a device, and tables that a test may change by stores. */
import type { Exception } from "../../../machine/cpu/exception.ts";
import { physicalAddress } from "../../../machine/address.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { translationControlsChanged, watchWrites } from "../../../machine/cpu/memory_access.ts";
import { INDEX, type StoredRegister } from "../../../machine/cpu/system_register_index.ts";
import type { AccessContext } from "../../../machine/memory/physical.ts";
import { putAt, RAM, type TestCpus, testCpus, type TestOptions } from "./support.ts";

/** Table of level 1, of level 2 and of level 3 for the memory; 39 bits of address, 4 KiB granule. */
export const LEVEL1 = RAM + 0xf_0000;
/** Maps 2 MiB blocks. */
export const LEVEL2 = RAM + 0xf_1000;
/** Maps the first 2 MiB of memory in pages, each to itself. */
export const LEVEL3 = RAM + 0xf_2000;
/** Physical address of the device, mapped to itself as Device memory. */
export const DEVICE = 0x0900_0000;
/** Normal memory, read and write at EL1 alone. */
export const PAGE = 0x703n;
/** Not global, accessible at EL0 too. */
export const EL0 = 0x40n;
/** No writes. */
export const READ_ONLY = 0x80n;

/** What a device was asked. */
export type Transfer = readonly [operation: "read" | "write", offset: number, size: number, value: number];

/** A CPU with its memory mapped. */
export interface MappedCpu extends TestCpus {
  /** Accesses to the device. */
  readonly transfers: Transfer[];
  /** Contexts of those accesses. */
  readonly contexts: AccessContext[];
  /** Writes a word of 64 bits as DMA does. */
  put(address: number, word: bigint): void;
  /** Reads a word of 64 bits. */
  word(address: number): bigint;
}

/** Sets stored registers of a CPU as MSR does. */
export function setRegisters(cpu: Cpu, values: Partial<Record<StoredRegister, bigint>>): void {
  for (const [name, value] of Object.entries(values)) {
    cpu.registers.system[INDEX[name as StoredRegister]] = value;
  }
  translationControlsChanged(cpu);
}

/** Value of a stored register. */
export function register(cpu: Cpu, name: StoredRegister): bigint {
  return cpu.registers.system[INDEX[name]] as bigint;
}

/** A CPU at EL1 with stage 1 on. A device reads as its offset and remembers what it is asked. */
export function mappedCpus(options: TestOptions = {}): MappedCpu {
  const test = testCpus(options);
  const { cpu, cpus } = test;
  const { memory } = cpu.surroundings;
  const transfers: Transfer[] = [], contexts: AccessContext[] = [];
  memory.addDevice(physicalAddress(DEVICE), 0x1000, {
    name: "test",
    read(offset, size, context) {
      transfers.push(["read", offset, size, 0]);
      contexts.push(context);
      return offset;
    },
    write(offset, size, value, context) {
      transfers.push(["write", offset, size, value]);
      contexts.push(context);
    },
  });
  watchWrites(memory, cpus);
  const at = (address: number) => memory.hostOffset(physicalAddress(address), 8);
  const put = (address: number, word: bigint) =>
    memory.writeBytes(physicalAddress(address), new Uint8Array(BigUint64Array.of(word).buffer));
  // Device memory for the first GiB, the tables for the second.
  put(LEVEL1, 0x0000_0705n | (1n << 54n));
  put(LEVEL1 + 8, BigInt(LEVEL2) | 3n);
  put(LEVEL2, BigInt(LEVEL3) | 3n);
  for (let page = 0; page < 256; page++) put(LEVEL3 + page * 8, BigInt(RAM + page * 4096) | PAGE);
  for (const each of cpus) {
    putAt(each, 1);
    setRegisters(each, {
      TTBR0_EL1: BigInt(LEVEL1),
      TTBR1_EL1: BigInt(LEVEL1),
      TCR_EL1: 25n | (25n << 16n) | (2n << 30n) | (5n << 32n),
      MAIR_EL1: 0x04ffn,
      SCTLR_EL1: 0x30d0_0801n,
      ...(options.el3 ? { SCR_EL3: 0x401n } : {}),
      ...(options.el2 ? { HCR_EL2: 1n << 31n } : {}),
    });
  }
  return {
    ...test,
    transfers,
    contexts,
    put,
    word: (address) => memory.view.getBigUint64(at(address), true),
  };
}

/** Takes the pending exception away. */
export function taken(cpu: Cpu): Exception | undefined {
  const { pending } = cpu;
  cpu.pending = undefined;
  return pending;
}

/** Syndrome and address of the fault of an access, or undefined. */
export function faultOf(
  cpu: Cpu,
  access: () => unknown,
): [syndrome: string, address: string, target: number] | undefined {
  access();
  const exception = taken(cpu);
  return exception &&
    [exception.syndrome.toString(16), exception.faultAddress?.toString(16) ?? "", exception.target];
}
