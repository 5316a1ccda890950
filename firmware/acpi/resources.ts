/** Resource descriptors and templates of _CRS (ACPI 6.3, 6.4). */
import { type Aml, buffer } from "./aml.ts";
import { concatenate, type FieldValue, structure } from "./structure.ts";

/** How an interrupt is signalled. */
export interface Signalling {
  /** By an edge, not by a level. */
  readonly edge: boolean;
  /** By a low level or a falling edge. */
  readonly low: boolean;
  /** By both edges; only GPIOs can. */
  readonly both?: boolean;
}

/** Descriptors by tag; `length` is what follows the first three bytes. */
// deno-fmt-ignore
export const DESCRIPTORS = {
  memory32Fixed: structure("tag:1=0x86 length:2=9 writable:1=1 base:4 size:4"),
  interrupt: structure("tag:1=0x89 length:2=6 flags:1 count:1=1 interrupt:4"),
  word: structure("tag:1=0x88 length:2=13 type:1 general:1 specific:1 granularity:2 minimum:2 maximum:2 translation:2 size:2"),
  dword: structure("tag:1=0x87 length:2=23 type:1 general:1 specific:1 granularity:4 minimum:4 maximum:4 translation:4 size:4"),
  qword: structure("tag:1=0x8a length:2=43 type:1 general:1 specific:1 granularity:8 minimum:8 maximum:8 translation:8 size:8"),
  gpio: structure("tag:1=0x8c length:2 revision:1=1 kind:1 general:2 flags:2 pull:1 driveStrength:2 debounce:2 pinsAt:2=23 sourceIndex:1 sourceAt:2 vendorAt:2 vendorLength:2"),
} as const;

/** The small descriptor at a template's end; a checksum of 0 counts as right. */
const END_TAG = Uint8Array.of(0x79, 0);

const CONSUMER = 1, EDGE = 2, LOW = 4;
/** General flags of address spaces: the ends are fixed. */
const FIXED_ENDS = 0xc;

/** Kinds of address spaces, with the flags specific to them. */
// deno-fmt-ignore
export const SPACE = {
  memory: { type: 0, specific: 1 }, // not cacheable, writable
  prefetchable: { type: 0, specific: 7 },
  io: { type: 1, specific: 3 }, // the entire range
  bus: { type: 2, specific: 0 },
} as const;

/** A range of an address space: [base, base + size), which the other side of a bridge sees at `base - translation`. */
export interface Window {
  /** What it is. */
  readonly space: keyof typeof SPACE;
  /** First address, as the device sees it. */
  readonly base: bigint;
  /** Bytes or buses. */
  readonly size: bigint;
  /** What to add for the address that the processor uses. */
  readonly translation?: bigint;
  /** It is the device's own and not handed on to what is behind it. */
  readonly isConsumer?: boolean;
}

/** An address space descriptor of at least `bits`. */
export function windowDescriptor(
  { space, base, size, translation = 0n, isConsumer }: Window,
  bits: 16 | 32 | 64,
): Uint8Array {
  const { type, specific } = SPACE[space], kind = { 16: "word", 32: "dword", 64: "qword" } as const;
  return DESCRIPTORS[kind[bits]].encode({
    type,
    specific,
    general: FIXED_ENDS | (isConsumer ? CONSUMER : 0),
    minimum: base,
    maximum: base + size - 1n,
    translation: BigInt.asUintN(bits, translation),
    size,
  });
}

const LIMIT_32 = 1n << 32n;

/** Registers of a device: Memory32Fixed below 4 GiB, else QWordMemory. */
export function memoryDescriptor(base: bigint, size: bigint): Uint8Array {
  if (base + size <= LIMIT_32 && size < LIMIT_32) return DESCRIPTORS.memory32Fixed.encode({ base, size });
  return windowDescriptor({ space: "memory", base, size, isConsumer: true }, 64);
}

/** Interrupt of a device by its global system interrupt; both edges cannot be told. */
export function interruptDescriptor(gsi: FieldValue, { edge, low }: Signalling): Uint8Array {
  return DESCRIPTORS.interrupt.encode({
    interrupt: gsi,
    flags: CONSUMER | (edge ? EDGE : 0) | (low ? LOW : 0),
  });
}

/** GpioIo and GpioInt: kinds of connection, flags of each (6.4.3.8.1). */
const GPIO_INTERRUPT = 0, GPIO_IO = 1, PULL_NONE = 3, BOTH_EDGES = 4;

/** One pin of a GPIO controller, to be read and written, or (`signalling`) for interrupts; `source` is its path. */
export function gpioDescriptor(source: string, pin: number, signalling?: Signalling): Uint8Array {
  const { gpio } = DESCRIPTORS, name = new TextEncoder().encode(`${source}\0`);
  const pinsAt = gpio.size, sourceAt = pinsAt + 2, end = sourceAt + name.length;
  const flags = signalling === undefined
    ? 0
    : (signalling.edge ? 1 : 0) | (signalling.both ? BOTH_EDGES : signalling.low ? 2 : 0);
  const head = gpio.encode({
    length: end - 3,
    kind: signalling === undefined ? GPIO_IO : GPIO_INTERRUPT,
    general: CONSUMER,
    flags,
    pull: PULL_NONE,
    sourceAt,
    vendorAt: end,
  });
  return concatenate([head, Uint8Array.of(pin & 0xff, pin >>> 8), name]);
}

/** ResourceTemplate () { … }. */
export function resourceTemplate(descriptors: readonly Uint8Array[]): Aml {
  return buffer(concatenate([...descriptors, END_TAG]));
}
