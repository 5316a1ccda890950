/** Dynamic ELF executables: what stands before a program's own text so that Linux and the dynamic loader run it. */

/** Where Debian's loader for AArch64 is. */
const INTERPRETER = "/lib/ld-linux-aarch64.so.1";

const R_AARCH64_GLOB_DAT = 1025;

/**
 * Assembly text of the headers and tables of an ELF64 executable (System V gABI 4.1, ELF for the Arm 64-bit Architecture):
 * one segment that can be read, written and executed, from the program's base to its label `end`. The entry is `_start`.
 * Imported functions and data of a shared library are found at start: `got_NAME` is the quad that has the address of each.
 */
export function dynamicElf(library: string, imports: readonly string[]): string {
  return `
base:   .byte   0x7f, 'E', 'L', 'F', 2, 1, 1, 0
        .quad   0
        .hword  2, 183                  // ET_EXEC, EM_AARCH64
        .word   1
        .quad   _start, 64, 0
        .word   0
        .hword  64, 56, 4, 64, 0, 0
        .word   3, 4                    // PT_INTERP
        .quad   interpreter - base, interpreter, interpreter, names - interpreter, names - interpreter, 1
        .word   1, 7                    // PT_LOAD
        .quad   0, base, base, end - base, end - base, 0x10000
        .word   2, 6                    // PT_DYNAMIC
        .quad   dynamic - base, dynamic, dynamic, dynamic_end - dynamic, dynamic_end - dynamic, 8
        .word   0x6474e551, 6           // PT_GNU_STACK
        .quad   0, 0, 0, 0, 0, 16
interpreter:
        .asciz  "${INTERPRETER}"
names:  .byte   0
name_library:
        .asciz  "${library}"
${imports.map((name) => `name_${name}: .asciz "${name}"\n`).join("")}
names_end:
        .balign 8
symbols:
        .space  24
${imports.map((name) => `        .word   name_${name} - names, 0x10\n        .quad   0, 0\n`).join("")}
hash:   .word   1, ${imports.length + 1}, 0
        .fill   ${imports.length + 1}, 4, 0
        .balign 8
relocations:
${imports.map((name, index) => relocation(name, index + 1)).join("")}
relocations_end:
dynamic:
        .quad   1, name_library - names // DT_NEEDED
        .quad   4, hash
        .quad   5, names                // DT_STRTAB
        .quad   6, symbols
        .quad   10, names_end - names   // DT_STRSZ
        .quad   11, 24                  // DT_SYMENT
        .quad   7, relocations          // DT_RELA
        .quad   8, relocations_end - relocations
        .quad   9, 24
        .quad   24, 0                   // DT_BIND_NOW
        .quad   0, 0
dynamic_end:
${imports.map((name) => `got_${name}: .quad 0\n`).join("")}
`;
}

/** An entry of the relocation table: the address of symbol `index` into the quad of a name. */
const relocation = (name: string, index: number): string =>
  `        .quad   got_${name}, ${BigInt(index) << 32n | BigInt(R_AARCH64_GLOB_DAT)}, 0\n`;
