/** The enable method "spin-table": CPUs wait in a few instructions in RAM for an address at which to go on (Linux booting.rst). */
import { RAM_BASE } from "./board.ts";

/** What the waiting CPUs use of RAM, the page of a kernel's entry code, as the device tree reserves it. */
export const SPIN_TABLE_RESERVATION: { readonly address: bigint; readonly size: bigint } = {
  address: BigInt(RAM_BASE),
  size: 4096n,
};

/** Where CPUs wait. */
export const SPIN_TABLE_ENTRY: number = RAM_BASE + 0x800;

/** One release word of 64 bits for each CPU. */
const WORDS = SPIN_TABLE_ENTRY + 0x40, WORD_SIZE = 8;

/** The physical address of a CPU's release word: cpu-release-addr. */
export function releaseAddress(cpu: number): number {
  return WORDS + cpu * WORD_SIZE;
}

/** Waits for an event until the CPU's word is not zero, and goes there with X0–X3 zero. */
// deno-fmt-ignore
const CODE = [
  0xd53800a4, //    mrs  x4, mpidr_el1
  0x92401c84, //    and  x4, x4, #0xff
  0x100001c5, //    adr  x5, words
  0x8b040ca5, //    add  x5, x5, x4, lsl #3
  0xd503205f, // 1: wfe
  0xf94000a6, //    ldr  x6, [x5]
  0xb4ffffc6, //    cbz  x6, 1b
  0xd2800000, //    mov  x0, #0
  0xd2800001, //    mov  x1, #0
  0xd2800002, //    mov  x2, #0
  0xd2800003, //    mov  x3, #0
  0xd61f00c0, //    br   x6
];

/** The code and zero words for so many CPUs, to be put at SPIN_TABLE_ENTRY. */
export function spinTable(cpus: number): Uint8Array {
  const bytes = new Uint8Array(releaseAddress(cpus) - SPIN_TABLE_ENTRY);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of CODE.entries()) view.setUint32(index * 4, word, true);
  return bytes;
}
