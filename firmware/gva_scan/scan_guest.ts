/**
 * A guest at EL2 that scans an address space of EL1&0 by AT itself, in A64: what the monitor's scanner does, for a
 * machine that has none. It puts tables with everything that a scan meets in force, asks for every address and writes
 * what PAR_EL1 says: `M` with address, PAR of AT S1E1R and of AT S12E1R where something is mapped and does not go on as
 * before, `F` for faults that are no translation faults, `H` for tables that cannot be read, and `N` with both counts.
 * Blocks are asked for granule by granule. `-M virt,virtualization=on`.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import {
  type GranuleShift,
  shiftOf,
  strideOf,
  translationControl,
  type TranslationLayout,
} from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";

/** Where `-kernel` puts a flat image. */
export const SCAN_GUEST_BASE = 0x4008_0000n;
const LOWER = 0x4010_0000n, UPPER = 0x4020_0000n, SECOND = 0x4030_0000n, SCRATCH = 0x4040_0000n;
/** Nothing is at either; stage 2 leads to the first and does not have the second. */
const NO_MEMORY = 0x7000_0000n, NOT_IN_STAGE2 = 0x7800_0000n;

const INPUT_BITS: Readonly<Record<GranuleShift, number>> = { 12: 39, 14: 36, 16: 42 };
/** Attr0 Device-nGnRnE, Attr1 Write-Back, Attr2 Non-cacheable, Attr3 Write-Through. */
const MAIR = 0xbb44ff00n;
const NORMAL = 0x704n, NON_CACHEABLE = 0x608n, WRITE_THROUGH = 0x70cn, DEVICE = 0x600n, ACCESSED = 0x400n;
const TCR_EPD1 = 1n << 23n, TCR_IPS = 5n << 32n;
/** Stage 2 of 39 bits from level 1; leaves Normal Write-Back, inner shareable, AF, to be read and written. */
const VTCR = 25n | 1n << 6n | 5n << 16n | 0x8000_0000n, SECOND_LEAF = 0x7fcn, SECOND_READ = 0x40n;
const HCR_RW = 1n << 31n, HCR_VM = 1n;

type Row = readonly [page: bigint, physical: bigint, pages: bigint, attributes: bigint];

/** Stage 1 of both halves, with a table of the last level where there is no memory. */
function stage1(layout: TranslationLayout, base: bigint, rows: readonly Row[], missing: bigint): Uint8Array {
  const size = 1n << BigInt(layout.granule), block = 1n << BigInt(shiftOf(layout.granule, 2));
  const builder = new TranslationTableBuilder(layout, base, 5);
  for (const [page, physical, pages, attributes] of rows) {
    builder.map({ virtual: page * size, physical, size: pages * size, attributes });
  }
  builder.map({ virtual: 2n * block, physical: 2n * block, size: block, attributes: NORMAL });
  builder.map({ virtual: 3n * block, physical: 0n, size: block, attributes: NORMAL & ~ACCESSED });
  const bytes = builder.bytes.slice(), view = new DataView(bytes.buffer);
  // The table of level 2 that the first page's walk goes through.
  const level2 = layout.inputBits > shiftOf(layout.granule, 1) ? 1 << layout.granule : 0;
  const entry = (index: number) => level2 + (index & (2 ** strideOf(layout.granule) - 1)) * 8;
  view.setBigUint64(entry(5), missing | 3n, true);
  return bytes;
}

/** Stage 2 in pages and blocks of 4 KiB granule: gaps, a page elsewhere, one that may not be read. */
function stage2(): Uint8Array {
  const builder = new TranslationTableBuilder({ granule: 12, inputBits: 39 }, SECOND, 5);
  const map = (ipa: bigint, physical: bigint, size: bigint, attributes = SECOND_LEAF) =>
    builder.map({ virtual: ipa, physical, size, attributes });
  map(0x4000_0000n, 0x4000_0000n, 0x40_0000n);
  const pages = 0x40n, page = 0x1_0000n;
  for (let at = 0n; at < pages * page; at += page) {
    if (at === 3n * page) continue;
    const attributes = at === 4n * page ? SECOND_LEAF & ~SECOND_READ : SECOND_LEAF;
    map(SCRATCH + at, SCRATCH + at + (at === 6n * page ? 5n * page : 0n), page, attributes);
  }
  map(NO_MEMORY, NO_MEMORY, 1n << 21n);
  return builder.bytes;
}

/** Assembles the guest; 16 KiB needs `-cpu max`. */
export function scanGuest(granule: GranuleShift, withStage2: boolean): Program {
  const layout = { granule, inputBits: INPUT_BITS[granule] }, size = 1n << BigInt(granule);
  const to = (page: bigint): bigint => SCRATCH + page * 0x1_0000n;
  const each = 0x1_0000n / size;
  const rows: Row[] = [
    ...[[0n, to(0n), 8n * each, NORMAL], [9n * each, to(9n), 1n, NON_CACHEABLE]] as const,
    ...[[10n * each, to(10n), 2n, WRITE_THROUGH], [12n * each, to(12n), 1n, NORMAL & ~ACCESSED]] as const,
    ...(withStage2 ? [] : [[13n * each, 0x0900_0000n, 1n, DEVICE]] as const),
  ];
  const files = {
    lower: stage1(layout, LOWER, rows, NO_MEMORY),
    upper: stage1(layout, UPPER, rows.slice(1), withStage2 ? NOT_IN_STAGE2 : NO_MEMORY),
    second: stage2(),
  };
  const symbols = {
    GRANULE: BigInt(granule),
    STRIDE: BigInt(strideOf(granule)),
    CONTROL: translationControl(1, layout) & ~TCR_EPD1 | TCR_IPS,
    HCR: HCR_RW | (withStage2 ? HCR_VM : 0n),
    LOWER_END: 1n << BigInt(layout.inputBits),
    UPPER_START: (1n << 64n) - (1n << BigInt(layout.inputBits)),
    ...{ LOWER, UPPER, SECOND, MAIR, VTCR, BASE: SCAN_GUEST_BASE },
  };
  return assembleProgram(SOURCE, { name: "scan-guest", base: SCAN_GUEST_BASE, symbols, files });
}

const SOURCE = String.raw`
start:  adr     x0, vectors
        msr     vbar_el2, x0
        ldr     x0, =LOWER
        msr     ttbr0_el1, x0
        ldr     x0, =UPPER
        msr     ttbr1_el1, x0
        ldr     x0, =MAIR
        msr     mair_el1, x0
        ldr     x0, =CONTROL
        msr     tcr_el1, x0
        ldr     x0, =0x30d00801
        msr     sctlr_el1, x0
        ldr     x0, =SECOND
        msr     vttbr_el2, x0
        ldr     x0, =VTCR
        msr     vtcr_el2, x0
        ldr     x0, =HCR
        msr     hcr_el2, x0
        isb
        mov     x28, #0x09000000                // PL011
        mov     x21, #0
        mov     x22, #0
        mov     x19, #0
        ldr     x20, =LOWER_END
        bl      scan
        ldr     x19, =UPPER_START
        mov     x20, #0
        bl      scan
        mov     w0, #'N'
        mov     x10, x21
        mov     x11, x22
        bl      print2
done:   ldr     x0, =0x84000008                 // PSCI SYSTEM_OFF
        smc     #0
        b       .

// Scans from x19 to x20; x21 and x22 count AT S1E1R and AT S12E1R. x24 and x25: PAR and address that go on as before.
scan:   mov     x27, x30
        mov     x25, #-1
1:      cmp     x19, x20
        b.eq    9f
        at      s1e1r, x19
        isb
        mrs     x0, par_el1
        add     x21, x21, #1
        tbnz    x0, #0, 4f
        at      s12e1r, x19
        isb
        mrs     x1, par_el1
        add     x22, x22, #1
        cmp     x1, x24
        ccmp    x19, x25, #0, eq
        b.eq    2f
        mov     x10, x19
        mov     x11, x0
        mov     x12, x1
        mov     w0, #'M'
        bl      print3
        mov     x1, x12
2:      mov     x3, #1
        lsl     x3, x3, #GRANULE
        add     x19, x19, x3
        mov     x25, x19
        mov     x24, x1
        tbnz    x1, #0, 1b
        add     x24, x1, x3
        b       1b
4:      ubfx    x2, x0, #1, #2                  // level
        ubfx    x3, x0, #3, #4                  // kind
        tbnz    x0, #8, 6f
        cmp     x3, #5
        b.eq    7f
        cmp     x3, #1
        b.eq    5f
        mov     x10, x19
        mov     x11, x0
        mov     w0, #'F'
        mov     x26, x2
        bl      print2
        mov     x2, x26
5:      mov     x26, #0
        b       8f
6:      mov     x2, #3                          // the table is one of the last level; FST is about its address
        bic     x0, x0, #6
7:      mov     x10, x19
        mov     x11, x0
        mov     w0, #'H'
        mov     x26, x2
        bl      print2
        mov     x2, x26
        mov     x26, #9                         // 512 descriptors of a page that is not there
8:      mov     x4, #3                          // the end of what a descriptor of the level spans
        sub     x4, x4, x2
        mov     x5, #STRIDE
        mul     x4, x4, x5
        add     x4, x4, #GRANULE
        add     x4, x4, x26
        mov     x5, #1
        lsl     x5, x5, x4
        sub     x5, x5, #1
        orr     x19, x19, x5
        add     x19, x19, #1
        b       1b
9:      ret     x27

// Writes w0, x10, x11 and with print3 x12.
print3: mov     x13, #3
        b       1f
print2: mov     x13, #2
1:      strb    w0, [x28]
        mov     x14, x10
        mov     x15, x30
        bl      hex
        mov     x14, x11
        bl      hex
        cmp     x13, #3
        b.ne    2f
        mov     x14, x12
        bl      hex
2:      mov     w0, #'\n'
        strb    w0, [x28]
        ret     x15

hex:    mov     w0, #' '
        strb    w0, [x28]
        mov     x16, #16
1:      ror     x14, x14, #60
        and     x17, x14, #15
        adr     x18, digits
        ldrb    w0, [x18, x17]
        strb    w0, [x28]
        subs    x16, x16, #1
        b.ne    1b
        ret
digits: .ascii  "0123456789abcdef"
        .balign 8
        .ltorg

        .balign 2048
vectors:
        .space  0x200
        // AT took an exception: x0 as PAR_EL1 would say it, and on behind MRS.
        mrs     x0, esr_el2
        and     x0, x0, #63
        lsl     x0, x0, #1
        orr     x0, x0, #1
        orr     x0, x0, #0x800
        mrs     x9, elr_el2
        add     x9, x9, #12
        msr     elr_el2, x9
        eret
        .org    LOWER - BASE
        .incbin "lower"
        .org    UPPER - BASE
        .incbin "upper"
        .org    SECOND - BASE
        .incbin "second"
`;
