/** The operations of semihosting, a table from number to what is done (Arm 100863, release 2.0, chapter 3). */
import type { SemihostingServices } from "./semihosting.ts";
import { fail, type FileTable } from "./semihosting_files.ts";
import {
  readBytes,
  readString,
  type SemihostingMemory,
  TRANSFER_LIMIT,
  writeBytes,
  writeWords,
} from "./semihosting_memory.ts";

/** One call. */
export interface SemihostingCall {
  /** The machine. */
  readonly services: SemihostingServices;
  /** Open files. */
  readonly table: FileTable;
  /** Error number of the last call that failed. */
  readonly errno: number;
  /** The caller's memory. */
  readonly memory: SemihostingMemory;
  /** X1. */
  readonly parameter: bigint;
  /** Ends the run when the call is over. */
  readonly exit: (code: number) => void;
  /** Words of the block that X1 points to, as many as the operation has. */
  readonly words: readonly bigint[];
}

/** One operation. */
export interface SemihostingOperation {
  /** Name in the specification. */
  readonly name: string;
  /** Words of its parameter block. */
  readonly words: number;
  /** Does it; the result goes to X0. */
  run(call: SemihostingCall): bigint;
}

/** What QEMU leaves in X0 where nothing is returned. */
const NOTHING = 0xdead_beefn;
const OPEN_MODES = 12n;
const APPLICATION_EXIT = 0x2_0026n;
const NANOSECONDS_PER_SECOND = 1_000_000_000;
const NANOSECONDS_PER_CENTISECOND = 10_000_000;

/** `:semihosting-features`: magic number, SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR. */
const FEATURES = Uint8Array.of(0x53, 0x48, 0x46, 0x42, 3);

/** Bytes that a call moves of those it is asked to. */
function transferSize(count: bigint): number {
  return count > BigInt(TRANSFER_LIMIT) ? TRANSFER_LIMIT : Number(count);
}

function print({ services }: SemihostingCall, bytes: Uint8Array): bigint {
  for (const byte of bytes) services.consoleWrite(byte);
  return NOTHING;
}

/** `:tt` is input in the read modes, output in all others. */
function open({ table, memory, words: [nameAt = 0n, mode = 0n] }: SemihostingCall): bigint {
  const name = new TextDecoder("latin1").decode(readString(memory, nameAt));
  if (mode >= OPEN_MODES) fail("EINVAL");
  if (name === ":tt") return table.open(mode < 4n ? "input" : "output");
  if (name !== ":semihosting-features") fail("ENOENT");
  return mode < 2n ? table.open("features") : fail("EACCES");
}

function close({ table, words: [number = 0n] }: SemihostingCall): bigint {
  table.require(number).file = "closed";
  return 0n;
}

/** Has no errors: the result is the number of bytes not written. */
function write(call: SemihostingCall): bigint {
  const { table, memory, words: [number = 0n, address = 0n, count = 0n] } = call;
  if (table.find(number)?.file !== "output") return count;
  const size = transferSize(count);
  print(call, readBytes(memory, address, size));
  return count - BigInt(size);
}

function typed({ services }: SemihostingCall, count: number): Uint8Array {
  const bytes: number[] = [];
  while (bytes.length < count) {
    const byte = services.consoleRead();
    if (byte < 0) break;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Has no errors: the result is the number of bytes not read; at the end of a file, all of them. */
function read(call: SemihostingCall): bigint {
  const { table, memory, words: [number = 0n, address = 0n, count = 0n] } = call;
  const handle = table.find(number);
  const size = transferSize(count);
  let bytes: Uint8Array = new Uint8Array(0);
  if (handle?.file === "input") bytes = typed(call, size);
  if (handle?.file === "features") {
    bytes = FEATURES.subarray(handle.position, handle.position + size);
    handle.position += bytes.length;
  }
  writeBytes(memory, address, bytes);
  return count - BigInt(bytes.length);
}

function seek({ table, words: [number = 0n, position = 0n] }: SemihostingCall): bigint {
  const handle = table.require(number);
  if (handle.file !== "features") fail("ESPIPE");
  if (position > BigInt(FEATURES.length)) fail("EINVAL");
  handle.position = Number(position);
  return 0n;
}

function fileLength({ table, words: [number = 0n] }: SemihostingCall): bigint {
  return table.require(number).file === "features" ? BigInt(FEATURES.length) : 0n;
}

function isTerminal({ table, words: [number = 0n] }: SemihostingCall): bigint {
  return table.require(number).file === "features" ? 0n : 1n;
}

/** The block's second word, the size of the buffer, becomes the length of the text. */
function commandLine(
  { services, memory, parameter, words: [address = 0n, size = 0n] }: SemihostingCall,
): bigint {
  const text = new TextEncoder().encode(`${services.commandLine}\0`);
  if (BigInt(text.length) > size) fail("E2BIG");
  writeWords(memory, BigInt.asUintN(64, parameter + 8n), BigInt(text.length - 1));
  writeBytes(memory, address, text);
  return 0n;
}

/** Heap base and limit, stack base and limit: both in the same free RAM, growing towards each other. */
function heapInfo({ services: { heap }, memory, words: [address = 0n] }: SemihostingCall): bigint {
  const [base, limit] = [BigInt(heap.base), BigInt(heap.limit)];
  writeWords(memory, address, base, limit, limit, base);
  return 0n;
}

function elapsed({ services, memory, parameter }: SemihostingCall): bigint {
  writeWords(memory, parameter, BigInt(services.clock.now));
  return 0n;
}

function exitRun({ exit, words: [reason, code = 0n] }: SemihostingCall): bigint {
  exit(reason === APPLICATION_EXIT ? Number(BigInt.asUintN(32, code)) : 1);
  return 0n;
}

function centiseconds({ services: { clock } }: SemihostingCall): bigint {
  return BigInt(Math.floor(clock.now / NANOSECONDS_PER_CENTISECOND));
}

function seconds({ services: { clock, rtcBase } }: SemihostingCall): bigint {
  return BigInt(rtcBase + Math.floor(clock.now / NANOSECONDS_PER_SECOND));
}

/** There are no files of the host to name, and no commands. */
function refuse(): never {
  return fail("ENOENT");
}

function row(name: string, words: number, run: (call: SemihostingCall) => bigint): SemihostingOperation {
  return { name, words, run };
}

/** Every operation, by number. */
// deno-fmt-ignore
export const SEMIHOSTING_OPERATIONS: ReadonlyMap<number, SemihostingOperation> = new Map([
  //         name                 words of the block
  [0x01, row("SYS_OPEN",          3, open)],
  [0x02, row("SYS_CLOSE",         1, close)],
  [0x03, row("SYS_WRITEC",        0, (call) => print(call, readBytes(call.memory, call.parameter, 1)))],
  [0x04, row("SYS_WRITE0",        0, (call) => print(call, readString(call.memory, call.parameter)))],
  [0x05, row("SYS_WRITE",         3, write)],
  [0x06, row("SYS_READ",          3, read)],
  [0x07, row("SYS_READC",         0, ({ services }) => BigInt(services.consoleRead()))],
  [0x08, row("SYS_ISERROR",       1, ({ words: [status = 0n] }) => status >> 63n)],
  [0x09, row("SYS_ISTTY",         1, isTerminal)],
  [0x0a, row("SYS_SEEK",          2, seek)],
  [0x0c, row("SYS_FLEN",          1, fileLength)],
  [0x0d, row("SYS_TMPNAM",        3, refuse)],
  [0x0e, row("SYS_REMOVE",        2, refuse)],
  [0x0f, row("SYS_RENAME",        4, refuse)],
  [0x10, row("SYS_CLOCK",         0, centiseconds)],
  [0x11, row("SYS_TIME",          0, seconds)],
  [0x12, row("SYS_SYSTEM",        2, refuse)],
  [0x13, row("SYS_ERRNO",         0, ({ errno }) => BigInt(errno))],
  [0x15, row("SYS_GET_CMDLINE",   2, commandLine)],
  [0x16, row("SYS_HEAPINFO",      1, heapInfo)],
  [0x18, row("SYS_EXIT",          2, exitRun)],
  [0x19, row("SYS_SYNCCACHE",     0, () => 0n)],
  [0x20, row("SYS_EXIT_EXTENDED", 2, exitRun)],
  [0x30, row("SYS_ELAPSED",       0, elapsed)],
  [0x31, row("SYS_TICKFREQ",      0, () => BigInt(NANOSECONDS_PER_SECOND))],
]);
