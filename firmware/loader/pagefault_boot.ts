/**
 * pagefault-boot: a boot loader that constructs its address space by one deliberate abort (US11182303B2).
 *
 * It is linked at a virtual address (VA) and entered with the MMU off at any machine address (MA). It maps its image at
 * VA, and nothing else: there is no identity mapping to stand on while the MMU goes on. VBAR_ELx already has the VA of
 * the vectors, so when the fetch of the instruction after `MSR SCTLR_ELx` (or, where the write waits for it, after the
 * ISB) finds MA unmapped, the CPU takes an Instruction Abort to its own level (EC 0x21, IFSC 0b0001LL, FAR = ELR = that
 * MA), and fetches the handler in the new address space. The handler adds VA − MA to the return address and goes on
 * there. Arm ARM D1.10 (exception entry), D5.2 (translation), D8.2.2 (ordering of SCTLR_ELx.M), D13.2.36 (ESR_ELx).
 */
import { assembleProgram, type Program, type Source } from "../../machine/a64/program.ts";
import { CONSOLE, UART_ADDRESS } from "./console.ts";
import { HAND_OFF_EQUATES, HAND_OFF_SIZE } from "./hand_off.ts";
import { kernelStart, tlbiAll } from "./kernel_start.ts";
import { TABLE_BUILDER, tablesBlock } from "./table_builder.ts";
import {
  checkLayout,
  type GranuleShift,
  leafAttributes,
  LOADER_MAIR,
  type LoaderLevel,
  physicalSizeShift,
  translationControl,
  type TranslationLayout,
} from "./translation_layout.ts";

/** What a loader is built for; where it is loaded is not among it. */
export interface PagefaultBootOptions extends TranslationLayout {
  /** The exception level that it is entered at. */
  readonly level: LoaderLevel;
  /** The virtual address that it is linked at, a multiple of the granule. */
  readonly link: bigint;
}

/** Where the loader looks for a kernel (arm64 Image) to start, and for its device tree: physical addresses. */
export const LOADER_KERNEL_AT = 0x4020_0000, LOADER_DEVICE_TREE_AT = 0x4010_0000;

/** Tables that there is room for: the image's and the UART's, then the image's again at its machine address. */
const TABLES = 8;

/** ID_AA64MMFR0_EL1 fields that tell of granules: lowest bit, and the value that means that there is none. */
// deno-fmt-ignore
const GRANULE_FIELD: Readonly<Record<GranuleShift, { readonly at: number; readonly none: number }>> = {
  12: { at: 28, none: 15 },
  14: { at: 20, none: 0 },
  16: { at: 24, none: 15 },
};

function equates({ level, link: _, ...layout }: PagefaultBootOptions): string {
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  return `
        .equ    GRANULE, ${1 << layout.granule}
        .equ    TABLES, ${TABLES}
        .equ    UART, ${hex(UART_ADDRESS)}
        .equ    KERNEL_AT, ${LOADER_KERNEL_AT}
        .equ    DEVICE_TREE_AT, ${LOADER_DEVICE_TREE_AT}
        .equ    IMAGE_MAGIC, 0x644d5241         // "ARM\\x64" at 56
        .equ    DEVICE_TREE_MAGIC, 0xedfe0dd0   // 0xd00dfeed, big-endian
        .equ    IMAGE_ATTRIBUTES, ${hex(leafAttributes(level, "image"))}
        .equ    DEVICE_ATTRIBUTES, ${hex(leafAttributes(level, "device"))}
        .equ    MAIR, ${hex(LOADER_MAIR)}
        .equ    TCR, ${hex(translationControl(level, layout))}
        .equ    SCTLR_ON, 0x1005                // I, C and M
        .equ    EC_ABORT, 0x21                  // Instruction Abort, same level
${HAND_OFF_EQUATES}`;
}

/** x19 = MA, x20 = VA, x21 = VA − MA, x22 = bytes, x23 = kernel, x24 = device tree, x26 = UART; they stay. */
function beginning({ level, granule }: PagefaultBootOptions): string {
  const { at, none } = GRANULE_FIELD[granule];
  return `
_start:
        ldr     x26, =UART
        adr     x19, _start                     // (1) where the image is,
        ldr     x20, =_start                    // and where it is linked to be
        sub     x21, x20, x19
        adr     x22, image_end
        sub     x22, x22, x19
        mrs     x0, currentel
        cmp     x0, #${level << 2}
        adr     x0, text_level
        b.ne    refuse
        adr     x0, stack_top
        mov     sp, x0
        msr     tpidr_el${level}, xzr           // nothing was reported yet
        adr     x0, last_vectors
        msr     vbar_el${level}, x0
        isb
        mrs     x0, sctlr_el${level}
        tst     x0, #1
        adr     x0, text_translated
        b.ne    refuse
        mrs     x0, id_aa64mmfr0_el1
        ubfx    x0, x0, #${at}, #4
        cmp     x0, #${none}
        adr     x0, text_granule
        b.eq    refuse
        tst     x21, #(GRANULE - 1)
        adr     x0, text_alignment
        b.ne    refuse
        cbz     x21, 1f                         // VA and MA are one: there is no abort to wait for
        adr     x0, text_overlap
        cmp     x21, x22
        b.lo    refuse
        neg     x1, x21
        cmp     x1, x22
        b.lo    refuse
1:      mov     x23, #0
        mov     x24, #0
        ldr     x0, =KERNEL_AT
        ldr     w1, [x0, #56]
        ldr     w2, =IMAGE_MAGIC
        cmp     w1, w2
        b.ne    build
        mov     x23, x0
        ldr     x24, =DEVICE_TREE_AT
        ldr     w1, [x24]
        ldr     w2, =DEVICE_TREE_MAGIC
        cmp     w1, w2
        adr     x0, text_no_tree
        b.ne    refuse
`;
}

function construction({ level }: PagefaultBootOptions): string {
  return `
build:                                          // (2) tables that map the image, and nothing else
        adr     x0, tables
        str     xzr, [x0, #TABLES_ACCESS]
        adr     x1, table_room
        mov     x2, #TABLES
        bl      tables_begin
        adr     x0, tables
        mov     x1, x20
map_image:
        mov     x2, x19
        mov     x3, x22
        ldr     x4, =IMAGE_ATTRIBUTES
        bl      map_range
        cmp     x0, #0
        adr     x0, text_tables
        b.ne    refuse
        ldr     x0, =MAIR
        msr     mair_el${level}, x0
        mrs     x1, id_aa64mmfr0_el1
        and     x1, x1, #15                     // PARange, 48 bits at most
        mov     x2, #5
        cmp     x1, x2
        csel    x1, x1, x2, lo
        ldr     x0, =TCR
        orr     x0, x0, x1, lsl #${physicalSizeShift(level)}
        msr     tcr_el${level}, x0
        adr     x0, tables
        ldr     x0, [x0, #TABLES_ROOT]
        msr     ttbr0_el${level}, x0
        adr     x0, hand_off
        str     xzr, [x0, #HAND_OFF_ABORTS]
        str     xzr, [x0, #HAND_OFF_SYNDROME]
        str     xzr, [x0, #HAND_OFF_FAULT_ADDRESS]
        str     xzr, [x0, #HAND_OFF_RETURN_ADDRESS]
        bl      forget_cached
        adr     x0, boot_vectors                // (3) vectors and stack at their virtual addresses
adjust_vectors:
        add     x0, x0, x21
set_vectors:
        msr     vbar_el${level}, x0
        mov     x0, sp
        add     x0, x0, x21
        mov     sp, x0
        dsb     sy                              // (4) what was cached of another address space goes
        ic      iallu
drop_translations:
        ${tlbiAll(level)}
        dsb     sy
        isb
        mrs     x0, sctlr_el${level}
        ldr     x1, =SCTLR_ON
        orr     x0, x0, x1
        cbz     x21, fall_through
enable:
        msr     sctlr_el${level}, x0            // (5) the next fetch, or the one after it, aborts
enabled:
        isb
        b       running

fall_through:                                   // VA = MA: everything stays where it is, and nothing aborts
        adr     x1, last_vectors
        msr     vbar_el${level}, x1
        isb
        msr     sctlr_el${level}, x0
        isb
        b       running

// The image was written with the data cache off: lines that were cached before are old. Changes x0 to x3.
forget_cached:
        mrs     x0, ctr_el0
        ubfx    x0, x0, #16, #4
        mov     x1, #4
        lsl     x1, x1, x0
        mov     x2, x19
        add     x3, x19, x22
1:      dc      ivac, x2
        add     x2, x2, x1
        cmp     x2, x3
        b.lo    1b
        dsb     sy
        ret
`;
}

function handler({ level }: PagefaultBootOptions): string {
  return `
// (6) The abort, in the new address space: goes on at the virtual address of where it struck.
page_fault:
        mrs     x0, esr_el${level}
        mrs     x1, far_el${level}
        mrs     x2, elr_el${level}
        adr     x3, hand_off
        ldr     x4, [x3, #HAND_OFF_ABORTS]
        add     x4, x4, #1
        str     x4, [x3, #HAND_OFF_ABORTS]
        str     x0, [x3, #HAND_OFF_SYNDROME]
        str     x1, [x3, #HAND_OFF_FAULT_ADDRESS]
        str     x2, [x3, #HAND_OFF_RETURN_ADDRESS]
        lsr     x4, x0, #26
        cmp     x4, #EC_ABORT
        b.ne    unexpected
        and     x4, x0, #0x3c
        cmp     x4, #0b000100                   // a translation fault at some level
        b.ne    unexpected
        cmp     x1, x2
        b.ne    unexpected
        sub     x4, x2, x19
        cmp     x4, x22
        b.hs    unexpected
        adr     x4, last_vectors
        msr     vbar_el${level}, x4
        isb
        add     x2, x2, x21
        br      x2

running:                                        // at VA
        adr     x0, tables
        str     x21, [x0, #TABLES_ACCESS]
        ldr     x1, [x0, #TABLES_ROOT]
        adr     x0, hand_off
        stp     x19, x20, [x0, #HAND_OFF_MACHINE_ADDRESS]
        str     x21, [x0, #HAND_OFF_DIFFERENCE]
        mov     x2, #${level}
        str     x2, [x0, #HAND_OFF_LEVEL]
        str     x1, [x0, #HAND_OFF_TABLES]
        adr     x1, tables
        ldr     x1, [x1, #TABLES_GRANULE]
        stp     x1, x22, [x0, #HAND_OFF_GRANULE]
        stp     x23, x24, [x0, #HAND_OFF_KERNEL]
        dc      cvac, x0                        // for readers without caches
        add     x1, x0, #64
        dc      cvac, x1
        dsb     sy
handed_off:                                     // x0 = the record
        bl      map_uart
        adr     x0, text_abort
        bl      put_text
        adr     x25, hand_off
        ldr     x0, [x25, #HAND_OFF_SYNDROME]
        bl      put_hex
        adr     x0, text_far
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_FAULT_ADDRESS]
        bl      put_hex
        adr     x0, text_elr
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_RETURN_ADDRESS]
        bl      put_hex
        adr     x0, text_handed_off
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_MACHINE_ADDRESS]
        bl      put_hex
        adr     x0, text_va
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_VIRTUAL_ADDRESS]
        bl      put_hex
        adr     x0, text_difference
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_DIFFERENCE]
        bl      put_hex
        adr     x0, text_tables_at
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_TABLES]
        bl      put_hex
        adr     x0, text_aborts
        bl      put_text
        ldr     x0, [x25, #HAND_OFF_ABORTS]
        bl      put_hex
        adr     x0, text_end
        bl      put_text
        cbz     x23, park
        cbz     x21, 1f
        adr     x0, tables                      // the way out is at MA, with the MMU off
        mov     x1, x19
        mov     x2, x19
        mov     x3, x22
        ldr     x4, =IMAGE_ATTRIBUTES
        bl      map_range
        cmp     x0, #0
        adr     x0, text_tables
        b.ne    refuse
        dsb     ishst
        isb
1:      mov     x0, x24
        mov     x1, x23
        mov     x2, x19
        mov     x3, x22
        adr     x4, start_kernel
        sub     x4, x4, x21
        br      x4

// Maps the UART behind the image and sets x26, once. Changes x0 to x17.
map_uart:
        ldr     x0, =UART
        cmp     x26, x0
        b.ne    1f
        stp     x29, x30, [sp, #-16]!
        adr     x0, tables
        str     x21, [x0, #TABLES_ACCESS]
        add     x1, x20, x22
        ldr     x2, =UART
        mov     x3, #GRANULE
        ldr     x4, =DEVICE_ATTRIBUTES
        bl      map_range
        dsb     ishst
        isb
        add     x26, x20, x22
        ldp     x29, x30, [sp], #16
1:      ret
`;
}

function reports({ level }: PagefaultBootOptions): string {
  return `
// An exception that was not planned: tells its syndrome and parks; one within the telling parks at once.
unexpected:
        mrs     x0, tpidr_el${level}
        cbnz    x0, park
        mov     x0, #1
        msr     tpidr_el${level}, x0
        mrs     x27, esr_el${level}
        mrs     x28, far_el${level}
        mrs     x25, elr_el${level}
        mrs     x0, sctlr_el${level}
        tbz     x0, #0, 1f
        bl      map_uart
1:      adr     x0, text_unexpected
        bl      put_text
        mov     x0, x27
        bl      put_hex
        adr     x0, text_far
        bl      put_text
        mov     x0, x28
        bl      put_hex
        adr     x0, text_elr
        bl      put_text
        mov     x0, x25
        bl      put_hex
        adr     x0, text_end
        bl      put_text
park:   wfi
        b       park

// Tells why it does not go on, x0 = text, and parks.
refuse: mov     x27, x0
        adr     x0, text_refused
        bl      put_text
        mov     x0, x27
        bl      put_text
        adr     x0, text_ma
        bl      put_text
        mov     x0, x19
        bl      put_hex
        adr     x0, text_va
        bl      put_text
        mov     x0, x20
        bl      put_hex
        adr     x0, text_end
        bl      put_text
        b       park
        .ltorg
`;
}

/** Vectors: the planned abort in `boot_vectors` at 0x200, everything else is reported. */
const VECTORS = `
        .balign 2048
boot_vectors:
        .rept   4
        b       unexpected
        .balign 128
        .endr
        b       page_fault
        .balign 128
        .rept   11
        b       unexpected
        .balign 128
        .endr
last_vectors:
        .rept   16
        b       unexpected
        .balign 128
        .endr
`;

/** What it prints begins with this. */
export const PAGEFAULT_BOOT_PREFIX = "pagefault-boot: ";

function texts({ level, granule, inputBits }: PagefaultBootOptions): string {
  return `
        .rodata
text_abort:      .ascii "${PAGEFAULT_BOOT_PREFIX}abort esr=\\0"
text_far:        .ascii " far=\\0"
text_elr:        .ascii " elr=\\0"
text_handed_off: .ascii "\\r\\n${PAGEFAULT_BOOT_PREFIX}handed off ma=\\0"
text_ma:         .ascii " ma=\\0"
text_va:         .ascii " va=\\0"
text_difference: .ascii " diff=\\0"
text_tables_at:  .ascii " el=${level} tables=\\0"
text_aborts:     .ascii " aborts=\\0"
text_end:        .ascii "\\r\\n\\0"
text_unexpected: .ascii "${PAGEFAULT_BOOT_PREFIX}unexpected exception esr=\\0"
text_refused:    .ascii "${PAGEFAULT_BOOT_PREFIX}refused: \\0"
text_level:      .ascii "not entered at EL${level}\\0"
text_translated: .ascii "the MMU is on\\0"
text_granule:    .ascii "the CPU has no granule of ${2 ** (granule - 10)} KiB\\0"
text_alignment:  .ascii "MA is not VA modulo ${2 ** (granule - 10)} KiB\\0"
text_overlap:    .ascii "the image at MA intersects where it is mapped\\0"
text_no_tree:    .ascii "there is a kernel but no device tree\\0"
text_tables:     .ascii "out of translation tables for ${inputBits} bits\\0"
`;
}

/** The data at the end: what is left behind `bytes` need not be zero. */
function data(layout: TranslationLayout): string {
  return `
        .data
        .balign 64
hand_off:
        .space  ${HAND_OFF_SIZE}
${tablesBlock("tables", layout)}
        .bss
        .balign 16
        .space  1024
stack_top:
        .balign GRANULE
table_room:
        .space  TABLES * GRANULE
image_end:
`;
}

/** The loader's sources in order, for whoever changes a line of them. */
export function pagefaultBootSources(options: PagefaultBootOptions): readonly Source[] {
  checkLayout(options);
  if (options.link < 0n || options.link % (1n << BigInt(options.granule)) !== 0n) {
    throw new RangeError(
      `Cannot link a loader at 0x${options.link.toString(16)}: not a multiple of its granule`,
    );
  }
  const main = [equates, beginning, construction, handler, reports].map((part) => part(options)).join("");
  return [
    { name: "pagefault_boot", text: main },
    TABLE_BUILDER,
    CONSOLE,
    ...kernelStart(options.level),
    { name: "vectors", text: VECTORS },
    { name: "data", text: texts(options) + data(options) },
  ];
}

/**
 * The loader, linked at `options.link`; its bytes run at any address that is a multiple of the granule. Entry: at its
 * first byte, at its level, MMU off, nothing in registers. Labels of interest: `enable` (MSR SCTLR_ELx), `enabled`,
 * `page_fault`, `handed_off`, `hand_off` (the record), `park`, `image_end`. Throws RangeError for options that cannot be.
 */
export function pagefaultBoot(options: PagefaultBootOptions): Program {
  return assembleProgram(pagefaultBootSources(options), { name: "pagefault_boot", base: options.link });
}
