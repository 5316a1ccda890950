/** Flat bare-metal programs for benchmarks: the same bytes run on every machine that is compared. */
import { assembleProgram, type Source } from "../machine/a64/program.ts";

/** A program whose length is set by a number of rounds; it prints a check sum of 16 digits and powers off. */
export interface Workload {
  /** Its name, and that of `programs/NAME.s`. */
  readonly name: string;
  /** Bytes that it works on; a multiple of 4096. */
  readonly size: number;
  /** What it does. */
  readonly what: string;
}

const KIB = 2 ** 10, MIB = 2 ** 20;

// deno-fmt-ignore
export const WORKLOADS: readonly Workload[] = [
  { name: "hash",        size: 16 * KIB,  what: "integer hash of 16 KiB" },
  { name: "sort",        size: 16 * KIB,  what: "quicksort of 4096 numbers" },
  { name: "chase",       size: 64 * MIB,  what: "pointer chase through 64 MiB" },
  { name: "copy",        size: 512 * KIB, what: "memcpy and memset, 32 bytes to 64 KiB" },
  { name: "core",        size: 16 * KIB,  what: "list, matrix and state machine" },
  { name: "calls",       size: 4 * KIB,   what: "recursive calls" },
  { name: "interpreter", size: 8 * KIB,   what: "indirect branches of a byte-code interpreter" },
  { name: "nbody",       size: 4 * KIB,   what: "FP64 n-body" },
  { name: "dot",         size: 64 * KIB,  what: "SIMD dot products, FP32 and 16-bit integers" },
  { name: "sha256",      size: 8 * KIB,   what: "SHA-256 by its instructions" },
  { name: "tlb",         size: 63 * MIB,  what: "TLB misses: a load and a store in each of 16 thousand pages" },
  { name: "svc",         size: 4 * KIB,   what: "SVC from EL0 to EL1 and ERET" },
  { name: "mmio",        size: 4 * KIB,   what: "polls of a PL011 flag register" },
];

/** Where `-kernel` puts a flat image, and RAM away from code: QEMU translates again what is stored beside. */
const BASE = 0x40080000n, DATA = 0x44000000n;

const FOLDER = new URL("programs/", import.meta.url);

function source(name: string): Source {
  return { name, text: Deno.readTextFileSync(new URL(name, FOLDER)) };
}

/** The program's bytes for a number of rounds, on `size` bytes of data; throws ProgramError. */
export function buildWorkload({ name, size: own }: Workload, rounds: number, size: number = own): Uint8Array {
  const symbols = { ROUNDS: BigInt(rounds), SIZE: BigInt(size), DATA };
  return assembleProgram([source("start.s"), source(`${name}.s`)], { base: BASE, symbols }).bytes;
}
