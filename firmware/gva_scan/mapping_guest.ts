/**
 * A guest that changes its own translation tables in four known ways between two lines on its console: at EL1 it maps
 * a page (label `mapping`), unmaps one (`unmapping`), leads one elsewhere (`moving`) and gives one another memory type
 * (`changing`), all in the upper half, each by one store of a descriptor. It writes `a` before and `b` behind that.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import {
  type GranuleShift,
  translationControl,
  type TranslationLayout,
} from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";

/** Where `-kernel` puts a flat image, and where its tables are. */
export const MAPPING_GUEST_BASE = 0x4008_0000n;
const LOWER_TABLES = 0x4010_0000n, UPPER_TABLES = 0x4020_0000n, CAPACITY = 4, SCRATCH = 0x4030_0000n;

/** Bits of an address of each granule, so that walks have two or three levels. */
const INPUT_BITS: Readonly<Record<GranuleShift, number>> = { 12: 39, 14: 36, 16: 42 };
/** Attr0 is Device-nGnRnE, Attr1 Normal Write-Back, Attr2 Normal Non-cacheable. */
const MAIR = 0x44ff00n;
/** TCR_EL1: TTBR1 is used too; addresses have up to 48 bits, or as many as the CPU has. */
const TCR_EPD1 = 1n << 23n, TCR_IPS = 5n << 32n;
/** AF, inner shareable, AttrIndx. */
const NORMAL = 0x704n, NON_CACHEABLE = 0x608n, DEVICE = 0x600n | 0x0060_0000_0000_0000n;

/** What the guest changes: index of the page in the upper half's first pages, and what it is before and after. */
interface Change {
  /** Label of the store. */
  readonly label: string;
  /** Pages from the first address of interest. */
  readonly page: bigint;
  /** Pages of scratch memory before and after, and attributes; absent where nothing is mapped. */
  readonly before?: readonly [page: bigint, attributes: bigint];
  /** See `before`. */
  readonly after?: readonly [page: bigint, attributes: bigint];
}

const CHANGES: readonly Change[] = [
  { label: "mapping", page: 6n, after: [6n, NORMAL] },
  { label: "unmapping", page: 8n, before: [8n, NORMAL] },
  { label: "moving", page: 10n, before: [10n, NORMAL], after: [11n, NORMAL] },
  { label: "changing", page: 12n, before: [12n, NORMAL], after: [12n, NON_CACHEABLE] },
];

/** What the guest is, and where its changes are. */
export interface MappingGuest {
  /** The program, for `-kernel`. */
  readonly program: Program;
  /** By label of the store, the virtual address that it is about. */
  readonly changes: ReadonlyMap<string, bigint>;
}

function tables(layout: TranslationLayout, base: bigint): TranslationTableBuilder {
  return new TranslationTableBuilder(layout, base, CAPACITY);
}

/** Assembles the guest for a granule; 16 KiB needs `-cpu max`. */
export function mappingGuest(granule: GranuleShift): MappingGuest {
  const layout = { granule, inputBits: INPUT_BITS[granule] }, size = 1n << BigInt(granule);
  const lower = tables(layout, LOWER_TABLES), upper = tables(layout, UPPER_TABLES);
  const map = (to: TranslationTableBuilder, virtual: bigint, physical: bigint, bytes: bigint, type: bigint) =>
    to.map({ virtual, physical, size: bytes, attributes: type });
  map(lower, 0x0900_0000n, 0x0900_0000n, 1n << 16n, DEVICE);
  map(lower, 0x4000_0000n, 0x4000_0000n, 1n << 22n, NORMAL);
  const first = (1n << 64n) - (1n << BigInt(layout.inputBits)) + (1n << 28n);
  map(upper, first, SCRATCH, 4n * size, NORMAL);
  for (const { page, before } of CHANGES) {
    if (before !== undefined) map(upper, first + page * size, SCRATCH + before[0] * size, size, before[1]);
  }
  const table = upper.base + (BigInt(upper.bytes.length) - size);
  const source = [
    HEAD(translationControl(1, layout) & ~TCR_EPD1 | TCR_IPS),
    ...CHANGES.map(({ label, page, after }) => {
      const descriptor = after === undefined ? 0n : SCRATCH + after[0] * size | after[1] | 3n;
      return STORE(label, table + page * 8n, descriptor, first + page * size);
    }),
    TAIL,
  ].join("\n");
  const program = assembleProgram(source, {
    name: "mapping-guest",
    base: MAPPING_GUEST_BASE,
    files: { lower: lower.bytes, upper: upper.bytes },
  });
  return { program, changes: new Map(CHANGES.map(({ label, page }) => [label, first + page * size])) };
}

const HEAD = (control: bigint): string => `
        ldr     x0, =${LOWER_TABLES}
        msr     ttbr0_el1, x0
        ldr     x0, =${UPPER_TABLES}
        msr     ttbr1_el1, x0
        ldr     x0, =${MAIR}
        msr     mair_el1, x0
        ldr     x0, =${control}
        msr     tcr_el1, x0
        isb
        mrs     x0, sctlr_el1
        orr     x0, x0, #1
        msr     sctlr_el1, x0
        isb
        mov     x20, #0x09000000        // PL011
        mov     w0, #'a'
        strb    w0, [x20]`;

/** Break-before-make where something is there. */
const STORE = (label: string, at: bigint, descriptor: bigint, virtual: bigint): string => `
        ldr     x1, =${at}
        ldr     x2, =${descriptor}
        ldr     x3, =${virtual >> 12n & ((1n << 44n) - 1n)}
        cbz     x2, ${label}
        ldr     x4, [x1]
        cbz     x4, ${label}
        str     xzr, [x1]
        dsb     ish
        tlbi    vae1is, x3
        dsb     ish
${label}: str     x2, [x1]
        dsb     ish
        tlbi    vae1is, x3
        dsb     ish
        isb`;

const TAIL = `
        mov     w0, #'b'
        strb    w0, [x20]
        mov     x1, #1000
1:      subs    x1, x1, #1
        b.ne    1b
        ldr     x0, =0x84000008         // PSCI SYSTEM_OFF
        hvc     #0
        .ltorg
        .org    ${LOWER_TABLES - MAPPING_GUEST_BASE}
        .incbin "lower"
        .org    ${UPPER_TABLES - MAPPING_GUEST_BASE}
        .incbin "upper"
`;
