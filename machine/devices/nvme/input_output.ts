/** I/O commands of the NVM command set (NVM Express 1.4, section 6): a table from opcode to what the controller does. */
import type { Disk } from "../../storage/disk.ts";
import { SECTOR_SIZE } from "../../storage/image.ts";
import { dword, ended, flagsStatus, type NvmeCommand, type Outcome, wide } from "./command.ts";
import type { FeatureValues } from "./features.ts";
import { EVERY_NAMESPACE, LARGEST_TRANSFER, NAMESPACE, NAMESPACES } from "./identify.ts";
import type { Statistics } from "./log_pages.ts";
import { STATUS } from "./status.ts";
import type { Transfer } from "./transfer.ts";

/** What I/O commands act on. */
export interface IoContext {
  /** The namespace. */
  readonly disk: Disk;
  /** Moves data. */
  readonly transfer: Transfer;
  /** Values of features. */
  readonly features: FeatureValues;
  /** What is counted. */
  readonly statistics: Statistics;
  /** Told of bytes that were filled with zeros. */
  readonly zeroed: (bytes: number) => void;
}

type IoCommand = (context: IoContext, command: NvmeCommand) => number;

// deno-fmt-ignore
const COMMANDS: Readonly<Record<number, { readonly carryOut: IoCommand; readonly writes?: true }>> = {
  0x00: { carryOut: flush },
  0x01: { carryOut: write, writes: true },
  0x02: { carryOut: read },
  0x05: { carryOut: compare },
  0x08: { carryOut: writeZeroes, writes: true },
  0x09: { carryOut: manageDataset, writes: true },
};

const FLUSH = 0x00;

/** Carries out an I/O command. */
export function ioCommand(context: IoContext, command: NvmeCommand): Outcome {
  const row = COMMANDS[command.opcode];
  const { namespace, opcode } = command;
  const flags = flagsStatus(command);
  if (!(opcode === FLUSH && namespace === EVERY_NAMESPACE)) {
    const isPossible = namespace > 0 && namespace <= NAMESPACES || namespace === EVERY_NAMESPACE;
    if (!isPossible) return ended(STATUS.invalidNamespace);
    if (namespace !== NAMESPACE) return ended(STATUS.invalidField);
  }
  if (row === undefined) return ended(STATUS.invalidOpcode);
  if (flags !== STATUS.success) return ended(flags);
  if (row.writes && context.disk.readOnly) return ended(STATUS.namespaceProtected);
  const status = row.carryOut(context, command);
  const isDurable = context.features.cache === 0 || isForced(command);
  if (row.writes && isDurable && status === STATUS.success) context.disk.flush();
  return ended(status);
}

/** Force Unit Access: the data are durable when the command ends. */
function isForced(command: NvmeCommand): boolean {
  return (command.opcode === 0x01 || command.opcode === 0x08) && (dword(command, 12) >>> 30 & 1) !== 0;
}

function flush({ disk }: IoContext): number {
  disk.flush();
  return STATUS.success;
}

/** A range of bytes of the disk; a number is a status. */
function rangeOf(
  disk: Disk,
  block: number,
  count: number,
): { readonly offset: number; readonly length: number } | number {
  // In numbers past 2^53 the sum is not exact, and far past the end either way.
  if (block + count > disk.size / SECTOR_SIZE) return STATUS.lbaOutOfRange;
  return { offset: block * SECTOR_SIZE, length: count * SECTOR_SIZE };
}

/** The range that a command names by its first block and their number. */
function blocksOf(disk: Disk, command: NvmeCommand, isMoved: boolean) {
  const count = (dword(command, 12) & 0xffff) + 1;
  if (isMoved && count * SECTOR_SIZE > LARGEST_TRANSFER) return STATUS.invalidField;
  return rangeOf(disk, wide(command, 10), count);
}

function read({ disk, transfer, statistics }: IoContext, command: NvmeCommand): number {
  const range = blocksOf(disk, command, true);
  if (typeof range === "number") return range;
  const status = transfer.toMemory(command, disk.read(range.offset, range.length));
  if (status === STATUS.success) countRead(statistics, range.length);
  return status;
}

function countRead(statistics: Statistics, length: number): void {
  statistics.reads++;
  statistics.blocksRead += length / SECTOR_SIZE;
}

function write({ disk, transfer, statistics }: IoContext, command: NvmeCommand): number {
  const range = blocksOf(disk, command, true);
  if (typeof range === "number") return range;
  const bytes = transfer.fromMemory(command, range.length);
  if (typeof bytes === "number") return bytes;
  disk.write(range.offset, bytes);
  statistics.writes++;
  statistics.blocksWritten += range.length / SECTOR_SIZE;
  return STATUS.success;
}

function compare({ disk, transfer, statistics }: IoContext, command: NvmeCommand): number {
  const range = blocksOf(disk, command, true);
  if (typeof range === "number") return range;
  const bytes = transfer.fromMemory(command, range.length);
  if (typeof bytes === "number") return bytes;
  countRead(statistics, range.length);
  const there = disk.read(range.offset, range.length);
  return areEqual(there, bytes) ? STATUS.success : STATUS.compareFailure;
}

/** Whether sectors are equal, word by word. */
function areEqual(left: Uint8Array<ArrayBuffer>, right: Uint8Array<ArrayBuffer>): boolean {
  const [a, b] = [new Uint32Array(left.buffer), new Uint32Array(right.buffer)];
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

function writeZeroes({ disk, zeroed }: IoContext, command: NvmeCommand): number {
  const range = blocksOf(disk, command, false);
  if (typeof range === "number") return range;
  disk.writeZeroes(range.offset, range.length);
  zeroed(range.length);
  return STATUS.success;
}

/** Bit of Command Dword 11: the ranges are not needed any more; they then read as zeros. */
const DEALLOCATE = 4;
const RANGE_SIZE = 16;

/**
 * Dataset Management: hints, of which deallocation is followed until ranges together are as long as the disk, which those
 * that do not overlap never exceed.
 */
function manageDataset({ disk, transfer, zeroed }: IoContext, command: NvmeCommand): number {
  const count = (dword(command, 10) & 0xff) + 1;
  if ((dword(command, 11) & DEALLOCATE) === 0) return STATUS.success;
  const bytes = transfer.fromMemory(command, count * RANGE_SIZE);
  if (typeof bytes === "number") return bytes;
  const view = new DataView(bytes.buffer);
  const ranges = Array.from({ length: count }, (_, index) => {
    const blocks = view.getUint32(index * RANGE_SIZE + 4, true);
    return rangeOf(disk, Number(view.getBigUint64(index * RANGE_SIZE + 8, true)), blocks);
  });
  const refused = ranges.find((range) => typeof range === "number");
  if (refused !== undefined) return refused;
  let total = 0;
  for (const range of ranges) {
    if (typeof range === "number" || total + range.length > disk.size) break;
    disk.writeZeroes(range.offset, range.length);
    total += range.length;
  }
  zeroed(total);
  return STATUS.success;
}
