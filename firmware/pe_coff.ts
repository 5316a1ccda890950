/** The header of a PE/COFF executable for AArch64: UEFI loads it as an application, and `go` of U-Boot runs the file as it is. */
import { asm, type Label, type Part } from "../machine/a64/program_parts.ts";

/** What UEFI and `go` are told of the image. */
export interface PeCoffHeader {
  /** Where UEFI enters: x0 is the image's handle, x1 the system table. */
  readonly efiEntry: Label;
  /** Where an entry at the file's first byte continues. */
  readonly rawEntry: Label;
  /** Bytes of the file, header included: a multiple of PE_COFF_ALIGNMENT. */
  readonly size: number;
}

/** Alignment in memory and in the file; as both are the same, the file is the image as it lies in memory. */
export const PE_COFF_ALIGNMENT = 0x1000;

// deno-fmt-ignore
const MACHINE_ARM64 = 0xaa64, PE32_PLUS = 0x20b, SUBSYSTEM_EFI_APPLICATION = 10,
  EXECUTABLE = 0x2, LINE_NUMBERS_STRIPPED = 0x4, LARGE_ADDRESS_AWARE = 0x20, DEBUG_STRIPPED = 0x200,
  /** Code that is read, written and executed. */
  SECTION_FLAGS = 0xe0000020;
const DIRECTORIES = 6, OPTIONAL_HEADER_SIZE = 112 + 8 * DIRECTORIES;

/**
 * The first PE_COFF_ALIGNMENT bytes (PE Format specification; UEFI 2.10, 2.1.1): a header and one section with all the
 * rest. It must be the first part of a program at base 0, whose code must not depend on where it is: there are no
 * relocations. The bytes "MZ" begin an instruction without effect, as in Linux's images.
 * Throws RangeError for a size that is no multiple of PE_COFF_ALIGNMENT.
 */
export function peCoffHeader({ efiEntry, rawEntry, size }: PeCoffHeader): Part {
  if (!Number.isInteger(size) || size % PE_COFF_ALIGNMENT !== 0 || size <= PE_COFF_ALIGNMENT) {
    throw new RangeError(`Cannot make a PE/COFF image of ${size} bytes: not pages of ${PE_COFF_ALIGNMENT}`);
  }
  const contents = size - PE_COFF_ALIGNMENT;
  return asm`.word 0xfa405a4d                            // ccmp x18, #0, #0xd, pl
    b ${rawEntry}
    .space 0x34
    .word 0x40                                  // to the PE header
    .ascii "PE\0\0"
    .hword ${MACHINE_ARM64}, 1                  // one section
    .word 0, 0, 0
    .hword ${OPTIONAL_HEADER_SIZE}
    .hword ${EXECUTABLE | LINE_NUMBERS_STRIPPED | LARGE_ADDRESS_AWARE | DEBUG_STRIPPED}
    .hword ${PE32_PLUS}, 0x100
    .word ${contents}, 0, 0                     // code, data, data without bytes
    .word ${efiEntry}, ${PE_COFF_ALIGNMENT}     // entry, first byte of code
    .quad 0                                     // preferred base
    .word ${PE_COFF_ALIGNMENT}, ${PE_COFF_ALIGNMENT}
    .hword 0, 0, 1, 0, 0, 0                     // versions
    .word 0, ${size}, ${PE_COFF_ALIGNMENT}, 0   // size of image and of headers, checksum
    .hword ${SUBSYSTEM_EFI_APPLICATION}, 0
    .quad 0, 0, 0, 0                            // stack and heap
    .word 0, ${DIRECTORIES}
    .space ${8 * DIRECTORIES}
    .ascii ".text\0\0\0"
    .word ${contents}, ${PE_COFF_ALIGNMENT}, ${contents}, ${PE_COFF_ALIGNMENT}
    .word 0, 0
    .hword 0, 0
    .word ${SECTION_FLAGS}
    .org ${PE_COFF_ALIGNMENT}`;
}
