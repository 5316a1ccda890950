/** The header of a Linux arm64 image: a guest that starts with it is booted as a kernel is. */
import { asm, type Label, type Part } from "../machine/a64/program_parts.ts";

/** How a loader treats the image. */
export interface ImageHeader {
  /** First instruction to execute after the header. */
  readonly entry: Label;
  /** Bytes the image takes in memory, `.bss` and stacks included; at least the program's size. */
  readonly size: number | bigint | Label;
  /** Bytes from a 2 MiB boundary to where the image is loaded; default 0. */
  readonly textOffset?: number;
}

/** Little-endian, 4 KiB pages, anywhere in memory (bits 0, 1–2 and 3). */
const FLAGS = 0b1010;

/**
 * The 64 bytes of the header (Linux, Documentation/arm64/booting.rst); must be the first part of the program, whose
 * base must be where the loader puts it. A `size` that is a label stands for the distance from the header to there.
 * The kernel's entry state: x0 = address of the device tree, x1 to x3 = 0, MMU off, interrupts masked.
 */
export function imageHeader({ entry, size, textOffset = 0 }: ImageHeader): Part {
  const length = typeof size === "object" ? asm`${size} - 1b` : asm`${size}`;
  return asm`1: b ${entry}
    .word 0
    .quad ${textOffset}, ${length}, ${FLAGS}
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .word 0`;
}
