/** NVMe commands as they stand in submission queues, and what they end with (NVM Express 1.4, sections 4.2 and 4.6). */

import { STATUS } from "./status.ts";

/** Bytes of an entry of a submission queue. */
export const COMMAND_SIZE = 64;
/** Bytes of an entry of a completion queue. */
export const COMPLETION_SIZE = 16;

/** A command. */
export interface NvmeCommand {
  /** What to do. */
  readonly opcode: number;
  /** Fused operation and kind of data pointer: nothing but zero is possible here. */
  readonly flags: number;
  /** The driver's name for it, 16 bits. */
  readonly identifier: number;
  /** Namespace. */
  readonly namespace: number;
  /** Where the data are. */
  readonly prp1: bigint;
  /** Where the rest of the data are, or a list of where they are. */
  readonly prp2: bigint;
  /** Command Dwords 10–15. */
  readonly dwords: readonly number[];
}

/** What a command ends with. */
export interface Outcome {
  /** Of STATUS. */
  readonly status: number;
  /** Dword 0 of the completion. */
  readonly result: number;
}

/** A status without a result. */
export function ended(status: number, result = 0): Outcome {
  return { status, result };
}

const FUSED = 3;
const DATA_POINTER = 0xc0;

/** What is wrong with a command's flags: SGLs and fused operations are not there, the latter as QEMU says so. */
export function flagsStatus({ flags }: NvmeCommand): number {
  if ((flags & DATA_POINTER) !== 0) return STATUS.invalidField;
  return (flags & FUSED) === 0 ? STATUS.success : STATUS.fusedOperation;
}

/** Reads a command out of its 64 bytes. */
export function readCommand(bytes: Uint8Array<ArrayBuffer>): NvmeCommand {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    opcode: view.getUint8(0),
    flags: view.getUint8(1),
    identifier: view.getUint16(2, true),
    namespace: view.getUint32(4, true),
    prp1: view.getBigUint64(24, true),
    prp2: view.getBigUint64(32, true),
    dwords: Array.from({ length: 6 }, (_, index) => view.getUint32(40 + index * 4, true)),
  };
}

/** The number in Command Dwords `index` and `index + 1`, 10–14. */
export function wide({ dwords }: NvmeCommand, index: number): number {
  return (dwords[index - 10] as number) + (dwords[index - 9] as number) * 2 ** 32;
}

/** Command Dword 10–15. */
export function dword({ dwords }: NvmeCommand, index: number): number {
  return dwords[index - 10] as number;
}

/** An entry of a completion queue. */
export function completionBytes(
  { status, result }: Outcome,
  at: { readonly head: number; readonly queue: number; readonly identifier: number; readonly phase: boolean },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(COMPLETION_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, result, true);
  view.setUint16(8, at.head, true);
  view.setUint16(10, at.queue, true);
  view.setUint16(12, at.identifier, true);
  view.setUint16(14, (status << 1) | (at.phase ? 1 : 0), true);
  return bytes;
}
