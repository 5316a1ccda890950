/** What a model of DPU is: where its firmware has memory, its volatile disk and its partitions; and the code's constants of it. */
import { MESSAGE, MESSAGE_FIELDS } from "../../machine/dpu_channel.ts";
import { UART_ADDRESS } from "../loader/console.ts";

/** Bytes of a sector of the disk. */
export const SECTOR = 512;

/** A model of DPU. */
export interface DpuModel {
  /** Its name, at most 15 characters of ASCII. */
  readonly name: string;
  /** RAM that an image is kept in, the volatile disk: whole pages, that nothing of what is booted from it uses. */
  readonly ramDisk: { readonly base: number; readonly size: number };
  /** The two partitions of the disk, Boot0001 and Boot0002: first sectors, of pages of 4 KiB. */
  readonly slots: readonly [number, number];
  /** Bytes of each. */
  readonly slotSize: number;
  /** Nanoseconds that firmware waits for an answer, before it asks again or goes on. */
  readonly patience: number;
}

/** A DPU with 16 MiB of RAM and 1 MiB of disk. */
export const SMALL_DPU: DpuModel = {
  name: "dpu-small",
  ramDisk: { base: 0x4080_0000, size: 0x4_0000 },
  slots: [0x40, 0x440],
  slotSize: 0x8_0000,
  patience: 400_000,
};

/** A DPU with 256 MiB of RAM, for Linux. */
export const LARGE_DPU: DpuModel = {
  name: "dpu-linux",
  ramDisk: { base: 0x4c00_0000, size: 0x400_0000 },
  slots: [0x800, 0x2_0800],
  slotSize: 0x400_0000,
  patience: 5_000_000,
};

/** Number of the boot entry of the volatile disk; those of the partitions are 1 and 2. */
export const RAM_DISK_ENTRY = 0;

/** Where firmware and installers have memory of their own: queues, buffers, a stack. */
const SCRATCH = 0x4008_0000;
/** The ECAM of the board's PCI Express, and where the NVMe controller's registers are put. */
const ECAM = 0x40_1000_0000n, NVME_REGISTERS = 0x1000_0000;
/** Nanoseconds of a count of CNTVCT_EL0. */
const COUNT = 16;

/** Bytes of a model's name in images and messages. */
export const MODEL_SIZE = 16;

/** A model's name as images and messages have it. Throws RangeError for one that is too long. */
export function modelBytes(name: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MODEL_SIZE), text = new TextEncoder().encode(name);
  if (text.length >= MODEL_SIZE) throw new RangeError(`The model's name "${name}" is longer than 15 bytes`);
  bytes.set(text);
  return bytes;
}

/** Equates for the sources of a model's firmware and installers. */
export function platformSymbols({ ramDisk, slots, slotSize, patience }: DpuModel): Record<string, bigint> {
  const at = (offset: number): bigint => BigInt(SCRATCH + offset);
  const named = (prefix: string, table: Readonly<Record<string, number>>) =>
    Object.entries(table).map(([name, value]) => [`${prefix}_${name.toUpperCase()}`, BigInt(value)] as const);
  return {
    UART: BigInt(UART_ADDRESS),
    ECAM,
    NVME_REGISTERS: BigInt(NVME_REGISTERS),
    NVME_QUEUES: at(0),
    NVME_LIST: at(0x4000),
    NVME_STATE: at(0x4800),
    NVME_COMMAND: at(0x4840),
    SENDING: at(0x5000),
    DIGEST: at(0x5100),
    OFFERED: at(0x5120),
    HASH_TAIL: at(0x5180),
    VARIABLE_SIZE: at(0x5200),
    BOOT_NAME: at(0x5400),
    BOOT_NODE: at(0x5440),
    VARIABLE: at(0x6000),
    ORDER: at(0x8000),
    RECEIVED: at(0x1_0000),
    STACK: at(0x3_0000),
    FIRMWARE: at(0x4_0000),
    RAM_DISK: BigInt(ramDisk.base),
    RAM_DISK_SIZE: BigInt(ramDisk.size),
    SLOT_A: BigInt(slots[0]),
    SLOT_B: BigInt(slots[1]),
    SLOT_SIZE: BigInt(slotSize),
    PATIENCE: BigInt(Math.floor(patience / COUNT)),
    ...Object.fromEntries([...named("MESSAGE", MESSAGE), ...named("AT", MESSAGE_FIELDS)]),
  };
}
