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
import { HAND_OFF, handler, reports } from "./pagefault_boot_crossing.ts";
import { beginning, construction } from "./pagefault_boot_entry.ts";
import { HAND_OFF_EQUATES, HAND_OFF_SIZE } from "./hand_off.ts";
import { kernelStart } from "./kernel_start.ts";
import { TABLE_BUILDER, tablesBlock } from "./table_builder.ts";
import {
  checkLayout,
  leafAttributes,
  LOADER_MAIR,
  type LoaderLevel,
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
  const main = equates(options) + beginning(options) + construction(options) + handler(options) + HAND_OFF +
    reports(options);
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
