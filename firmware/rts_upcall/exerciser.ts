/**
 * A guest that calls firmware services by a list, with pointers of every kind, and prints what each call gave.
 *
 * Link address `ExerciserOptions.base`, entered at EL1 or EL2 (see `ExerciserOptions.level`) with the MMU off; needs 16 MiB of
 * RAM, the PL011 and PSCI by the stubs' conduit. It turns translation on: itself and the PL011 at their own addresses,
 * the stubs at STUBS_AT, read-only, and a window of pages from WINDOW on (see `WINDOW_PAGES`). For each call it prints a
 * line with X0 and, if asked for, bytes of memory; then it powers off.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { FUNCTION } from "../../machine/psci.ts";
import { UPCALL, upcallNamed } from "../../machine/uefi_services.ts";
import { CONSOLE, UART_ADDRESS } from "../loader/console.ts";
import {
  GRANULES,
  leafAttributes,
  LOADER_MAIR,
  translationControl,
  type TranslationLayout,
} from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";
import type { StubConduit } from "./stubs.ts";

/** Where `-kernel` puts a flat image; `-device loader` needs a place above 2 MiB of RAM, for the device tree. */
export const EXERCISER_BASE = 0x4008_0000n;
/** Virtual address of the stubs: every call goes through them there. */
export const STUBS_AT = 0x2_0000_0000n;
/** Virtual address of the window, with a page that is not mapped before it. */
export const WINDOW = 0x1_0000_0000n;

/** Offsets from the guest's first byte of the tables, the first page of data and the list of calls. */
const TABLES = 0x8000n, DATA = 0x1_9000n, CALLS = 0x2_0000n;
const PAGE = 4096n;
/** Offset of the stubs from the guest's first byte. */
export const EXERCISER_STUBS = 0x1_8000n;
/** Bytes of a call in the list: stub, X0 to X7, place and size of what is printed. */
const CALL_SIZE = 88;
/** AP[2]: not to be written. */
const READ_ONLY = 1n << 7n;

/** What a page of the window is. */
type WindowPage =
  | { readonly data: bigint; readonly isReadOnly?: boolean }
  | { readonly at: bigint }
  | undefined;

/**
 * The window, page by page: two pages that lie apart in memory, one that is read-only, one that is not mapped, one more,
 * the PL011, an address without anything, and flash.
 */
export const WINDOW_PAGES: readonly WindowPage[] = [
  { data: 0n },
  { data: 3n },
  { data: 1n, isReadOnly: true },
  undefined,
  { data: 2n },
  { at: UART_ADDRESS },
  { at: 0x3f_0000_0000n },
  { at: 0x0400_0000n },
];

/** A call. */
export interface ExerciserCall {
  /** The immediate of the stub's instruction. */
  readonly immediate: number;
  /** X0 and so on; 0 for those left out. */
  readonly arguments: readonly bigint[];
  /** Memory to print afterwards: a virtual address and bytes, at most 4096. */
  readonly dump?: readonly [address: bigint, size: number];
}

/** What the guest is built for. */
export interface ExerciserOptions {
  /** Level at which it is entered and calls. */
  readonly level: 1 | 2;
  /** At EL2: HCR_EL2.E2H = 1 (FEAT_VHE), so that its own regime is EL2&0. */
  readonly isHost?: boolean;
  /** How it calls. */
  readonly conduit: StubConduit;
  /** Physical address that it is linked at, a multiple of 4096 (default EXERCISER_BASE). */
  readonly base?: bigint;
  /** The calls, in order. */
  readonly calls: readonly ExerciserCall[];
  /** What is in the window at first: bytes by offset from WINDOW, within pages of data. */
  readonly contents?: readonly (readonly [offset: number, bytes: Uint8Array])[];
}

function tables(
  base: bigint,
  level: 1 | 2,
  layout: TranslationLayout,
  calls: number,
): Uint8Array<ArrayBuffer> {
  const builder = new TranslationTableBuilder(layout, base + TABLES, 16),
    data = leafAttributes(level, "data");
  const image = leafAttributes(level, "image"), device = leafAttributes(level, "device");
  const identity = (at: bigint, size: bigint, attributes: bigint) =>
    builder.map({ virtual: at, physical: at, size, attributes });
  identity(base, TABLES, image);
  identity(base + CALLS, BigInt(Math.ceil((calls * CALL_SIZE + 8) / Number(PAGE))) * PAGE, data);
  identity(UART_ADDRESS, PAGE, device);
  builder.map({
    virtual: STUBS_AT,
    physical: base + EXERCISER_STUBS,
    size: PAGE,
    attributes: image | READ_ONLY,
  });
  for (const [index, page] of WINDOW_PAGES.entries()) {
    if (page === undefined) continue;
    const virtual = WINDOW + BigInt(index) * PAGE;
    if ("at" in page) builder.map({ virtual, physical: page.at, size: PAGE, attributes: device });
    else {
      const attributes = page.isReadOnly ? data | READ_ONLY : data;
      builder.map({ virtual, physical: base + DATA + page.data * PAGE, size: PAGE, attributes });
    }
  }
  return builder.bytes;
}

/** The pages of data. */
function dataPages(contents: NonNullable<ExerciserOptions["contents"]>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * Number(PAGE));
  for (const [offset, piece] of contents) {
    for (const [at, byte] of piece.entries()) {
      const place = offset + at, page = WINDOW_PAGES[Math.floor(place / Number(PAGE))];
      if (page === undefined || "at" in page) {
        throw new RangeError(`There is no data at ${place} of the window`);
      }
      bytes[Number(page.data * PAGE) + place % Number(PAGE)] = byte;
    }
  }
  return bytes;
}

const CODE = `
_start: msr     daifset, #15
        b       set_up
begin:  ldr     x26, =UART
        ldr     x28, =calls
1:      ldr     x16, [x28]
        cbz     x16, finish
        ldp     x0, x1, [x28, #8]
        ldp     x2, x3, [x28, #24]
        ldp     x4, x5, [x28, #40]
        ldp     x6, x7, [x28, #56]
        blr     x16
        bl      put_hex
        ldp     x19, x20, [x28, #72]
        cbz     x20, 3f
        mov     w1, #' '
        strb    w1, [x26]
2:      ldrb    w21, [x19], #1
        lsr     w0, w21, #4
        bl      put_digit
        and     w0, w21, #15
        bl      put_digit
        sub     x20, x20, #1
        cbnz    x20, 2b
3:      mov     w1, #'\\n'
        strb    w1, [x26]
        add     x28, x28, #${CALL_SIZE}
        b       1b

put_digit:
        cmp     w0, #10
        add     w1, w0, #'0'
        add     w2, w0, #('a' - 10)
        csel    w1, w1, w2, lo
        strb    w1, [x26]
        ret

finish: ldr     x0, =${FUNCTION.SYSTEM_OFF}
`;

/** The guest. Throws RangeError for an immediate that none of the stubs can have, or contents outside data. */
export function exerciser(options: ExerciserOptions): Program {
  const { level, isHost = false, conduit, calls, contents = [], base = EXERCISER_BASE } = options;
  const layout: TranslationLayout = { granule: GRANULES["4K"], inputBits: 39 }, regime = isHost ? 1 : level;
  const suffix = `el${regime}`, immediates = [...new Set(calls.map(({ immediate }) => immediate))];
  for (const immediate of immediates) {
    if (immediate < 0 || immediate > 0xffff) throw new RangeError(`There is no immediate ${immediate}`);
  }
  const quads = calls.map(({ immediate, arguments: given, dump = [0n, 0] }) => {
    const values = Array.from({ length: 8 }, (_, n) => BigInt.asUintN(64, given[n] ?? 0n));
    const stub = STUBS_AT + BigInt(immediates.indexOf(immediate) * 8);
    return `        .quad ${[stub, ...values, ...dump].join(", ")}\n`;
  });
  const text = `
        .equ    UART, ${UART_ADDRESS}
${CODE}
        ${conduit}     #0
        b       .
        .ltorg
set_up: ${isHost ? `ldr x0, =(1 << 34) | (1 << 31)\n        msr hcr_el2, x0\n        isb` : ""}
        ldr     x0, =${LOADER_MAIR}
        msr     mair_${suffix}, x0
        ldr     x0, =${translationControl(regime, layout) | 2n << (regime === 1 ? 32n : 16n)}
        msr     tcr_${suffix}, x0
        ldr     x0, =${base + TABLES}
        msr     ttbr0_${suffix}, x0
        isb
        mrs     x0, sctlr_${suffix}
        mov     x1, #0x1005
        orr     x0, x0, x1
        msr     sctlr_${suffix}, x0
        isb
        b       begin
        .ltorg
`;
  const rest = `
        .org    ${TABLES}
        .incbin "tables"
        .org    ${EXERCISER_STUBS}
${immediates.map((immediate) => `        ${conduit} #${immediate}\n        ret\n`).join("")}
        .org    ${DATA}
        .incbin "data"
        .org    ${CALLS}
calls:
${quads.join("")}        .quad 0
`;
  const files = { tables: tables(base, regime, layout, calls.length), data: dataPages(contents) };
  const sources = [{ name: "exerciser", text }, CONSOLE, { name: "exerciser_memory", text: rest }];
  return assembleProgram(sources, { base, files });
}

/** What a service's stub has for an immediate. Throws RangeError for a name that no service has. */
export function immediateOf(name: string): number {
  for (let immediate: number = UPCALL.FIRST; immediate <= UPCALL.LAST; immediate++) {
    if (upcallNamed(immediate) === name) return immediate;
  }
  throw new RangeError(`There is no service "${name}"`);
}
