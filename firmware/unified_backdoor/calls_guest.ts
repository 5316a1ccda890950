/**
 * The guest of unified-backdoor (US20210224090A1): makes the calls of a table of register files, from EL1 and EL0, by
 * one trigger, and keeps what each left in registers, or the exception that it met.
 *
 * Link address CALLS_BASE, entered at EL1 with the MMU off; needs 64 MiB of RAM, the PL011, PSCI by HVC, and the table
 * (`callTable`) in memory at CALL_TABLE. It translates: BUFFER_PAGES and STRETCH are where calls' buffers are, and what
 * lies around them is not mapped. Behind the last call it writes "done" and powers off.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { translationControl, type TranslationLayout } from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";

/** Where `-kernel` puts a flat image. */
export const CALLS_BASE = 0x4008_0000n;
/** Where the table is loaded, and where its results are. */
export const CALL_TABLE = 0x4100_0000, CALL_RESULTS = 0x4200_0000;
/** Most calls that there is room for. */
export const CALLS_MAX = 150_000;

/** By which instruction a guest calls. */
export type CallTrigger = "hvc" | "mrs" | "brk";

/** One call. */
export interface Call {
  /** X0 to X7. */
  readonly x: readonly bigint[];
  /** The caller's exception level. */
  readonly level: 0 | 1;
  /** A fault on the page MENDED_PAGE is mended once by the guest, which goes on at the instruction. */
  readonly mends?: boolean;
}

/** What a call left. */
export interface CallResult {
  /** X0 to X6. */
  readonly x: readonly bigint[];
  /** ESR_EL1 of the exception that ended it, 0n for none; FAR_EL1 with it. */
  readonly syndrome: bigint;
  readonly faultAddress: bigint;
  /** ELR_EL1 of that exception from the instruction that called. */
  readonly offset: bigint;
  /** Faults that were mended. */
  readonly mended: number;
}

/** What a level may do with a page of buffers. */
export interface BufferPage {
  /** What EL0 and EL1 may do: by level, "" for nothing, "r" or "rw". */
  readonly access: readonly [el0: string, el1: string];
  /** Where it is; undefined where nothing is mapped. */
  readonly physical?: number;
}

/** The first address of the pages of buffers. */
export const BUFFERS = 0x10_0000_0000n;
/** Which of them can be mended: it leads to memory then. */
export const MENDED_PAGE = 5;
const FRAMES = 0x4020_0000, PAGE = 4096;
const UART = 0x0900_0000;
/** Behind the end of RAM as a guest has it in 64 MiB under a monitor: stage 2 has nothing there. */
const BEHIND_RAM = 0x43c0_0000;

/** The frame that the guest mends its page with. */
export const MENDED_FRAME: number = FRAMES + (MENDED_PAGE * 5 % 16) * PAGE;

/** Frames are not next to one another, so that addresses one behind the other are not either. */
const frame = (index: number): number => FRAMES + (index * 5 % 16) * PAGE;
const memory = (index: number, el0: string, el1: string): BufferPage => ({
  access: [el0, el1],
  physical: frame(index),
});

/** The pages, one behind the other from BUFFERS on; what has no access but a place faults otherwise than by its page. */
export const BUFFER_PAGES: readonly BufferPage[] = [
  memory(0, "rw", "rw"),
  memory(1, "rw", "rw"),
  memory(2, "r", "r"),
  memory(3, "", "rw"),
  memory(4, "", "r"),
  { access: ["", ""] },
  memory(6, "rw", "rw"),
  { access: ["", ""], physical: UART },
  memory(8, "rw", "rw"),
  { access: ["", ""], physical: BEHIND_RAM },
  memory(10, "rw", "rw"),
];

/** A stretch of memory beside the pages, which both levels read and write: longer than what one call moves. */
export const STRETCH = { virtual: BUFFERS + 0x20_0000n, physical: 0x4030_0000, size: 0x3_0000 } as const;

const LAYOUT: TranslationLayout = { granule: 12, inputBits: 39 };
const TABLES = 0x4010_0000n, CAPACITY = 16, TCR_IPS = 5n << 32n;
/** Attr0 is Device-nGnRnE, Attr1 Normal Write-Back. */
const MAIR = 0xff00n;
const AF = 1n << 10n, NORMAL = AF | 3n << 8n | 1n << 2n, UXN = 1n << 54n, PXN = 1n << 53n;
/** AP[2:1] by what EL1 and EL0 may do. */
const AP: Readonly<Record<string, bigint>> = { "rw,rw": 1n, "r,r": 3n, ",rw": 0n, ",r": 2n, ",": 1n };

function tables(): Uint8Array {
  const builder = new TranslationTableBuilder(LAYOUT, TABLES, CAPACITY), page = BigInt(PAGE);
  const map = (virtual: bigint, physical: number, size: bigint, attributes: bigint) =>
    builder.map({ virtual, physical: BigInt(physical), size, attributes });
  map(BigInt(UART), UART, page, AF | UXN | PXN);
  const stub = Number(CALLS_BASE) + PAGE;
  map(CALLS_BASE, Number(CALLS_BASE), page, NORMAL | UXN);
  map(BigInt(stub), stub, page, NORMAL | 3n << 6n);
  map(TABLES, Number(TABLES), BigInt(CAPACITY * PAGE), NORMAL | UXN | PXN);
  map(BigInt(CALL_TABLE), CALL_TABLE, BigInt(2 * (CALL_RESULTS - CALL_TABLE)), NORMAL | UXN | PXN);
  for (const [index, { access, physical }] of BUFFER_PAGES.entries()) {
    if (physical === undefined) continue;
    const kind = physical === UART ? AF : NORMAL;
    map(BUFFERS + BigInt(index * PAGE), physical, page, kind | AP[access.join()]! << 6n | UXN | PXN);
  }
  map(STRETCH.virtual, STRETCH.physical, BigInt(STRETCH.size), NORMAL | AP["rw,rw"]! << 6n | UXN | PXN);
  return builder.bytes;
}

/** Where a page's descriptor is: the tables are made in one order, and this one is in the last. */
function descriptorOf(index: number, bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = BigInt(BUFFER_PAGES[0]!.physical!), mask = 0xffff_f000n;
  for (let at = 0; at < bytes.length; at += 8) {
    const value = view.getBigUint64(at, true);
    if ((value & mask) === first && (value & 3n) === 3n) return TABLES + BigInt(at + index * 8);
  }
  throw new RangeError("The tables have no buffers");
}

// deno-fmt-ignore
const TRIGGERS: Readonly<Record<CallTrigger, string>> = {
  hvc: "hvc #0x86",
  mrs: "mrs xzr, mdccsr_el0",
  brk: "brk #0x86",
};

/** The program that calls by a trigger. */
export function callsGuest(trigger: CallTrigger): Program {
  const bytes = tables(), at = descriptorOf(MENDED_PAGE, bytes);
  const mended = BigInt(MENDED_FRAME) | NORMAL | 1n << 6n | UXN | PXN | 3n;
  const source = String.raw`
        .equ    UART,           ${UART}
        .equ    PSCI_OFF,       0x84000008
        .equ    MENDED,         ${BUFFERS / BigInt(PAGE) + BigInt(MENDED_PAGE)}

_start: ldr     x0, =${TABLES}
        msr     ttbr0_el1, x0
        ldr     x0, =${MAIR}
        msr     mair_el1, x0
        ldr     x0, =${translationControl(1, LAYOUT) | TCR_IPS}
        msr     tcr_el1, x0
        adr     x0, vectors
        msr     vbar_el1, x0
        isb
        mrs     x0, sctlr_el1
        mov     x1, #0x1005                     // M, C, I
        orr     x0, x0, x1
        msr     sctlr_el1, x0
        isb
        ldr     x0, =${BUFFERS}                 // walks of the buffers have been made once
        ldrb    w1, [x0]
        ldr     x0, =${STRETCH.virtual}
        ldrb    w1, [x0]
        ldr     x19, =${CALL_TABLE + 8}
        ldr     x20, =${CALL_RESULTS}
        ldr     x21, [x19, #-8]                 // how many
        adr     x23, stub
        ldr     x24, =${at}
        ldr     x28, =${mended}
next:   cbz     x21, finish
        mov     x22, #0                         // mended
        mov     x25, #0
        mov     x26, #0
        mov     x27, #0
        ldr     x9, [x19, #64]
        mov     x10, #0x3c5
        mov     x11, #0x3c0
        cmp     x9, #0
        csel    x10, x11, x10, eq
        msr     spsr_el1, x10
        msr     elr_el1, x23
        ldp     x0, x1, [x19]
        ldp     x2, x3, [x19, #16]
        ldp     x4, x5, [x19, #32]
        ldp     x6, x7, [x19, #48]
        eret
caught: mrs     x9, esr_el1
        lsr     x10, x9, #26
        cmp     x10, #0x15                      // SVC: the call is over
        b.eq    over
        and     x11, x10, #0x3e
        cmp     x11, #0x24
        b.ne    1f
        ldr     x11, [x19, #72]
        cbz     x11, 1f
        cbnz    x22, 1f
        mrs     x11, far_el1
        lsr     x11, x11, #12
        ldr     x12, =MENDED
        cmp     x11, x12
        b.ne    1f
        str     x28, [x24]
        dsb     ish
        mov     x22, #1
        eret                                    // once more, with registers as they are
1:      mov     x25, x9
        mrs     x26, far_el1
        mrs     x27, elr_el1
        sub     x27, x27, x23
over:   stp     x0, x1, [x20]
        stp     x2, x3, [x20, #16]
        stp     x4, x5, [x20, #32]
        stp     x6, x25, [x20, #48]
        stp     x26, x27, [x20, #64]
        str     x22, [x20, #80]
        cbz     x22, 2f
        str     xzr, [x24]
        dsb     ish
        tlbi    vmalle1is
        dsb     ish
        isb
2:      add     x19, x19, #80
        add     x20, x20, #88
        sub     x21, x21, #1
        b       next
finish: ldr     x1, =UART
        adr     x2, text
3:      ldrb    w0, [x2], #1
        cbz     w0, 4f
        strb    w0, [x1]
        b       3b
4:      ldr     w0, =PSCI_OFF
        hvc     #0
        b       .
text:   .asciz  "done\n"
        .align  3
        .ltorg
        .align  11
vectors:
        .rept   16
        b       caught
        .align  7
        .endr
        .align  12
stub:   ${TRIGGERS[trigger]}
        svc     #0
        .org    ${TABLES - CALLS_BASE}
        .incbin "tables"
`;
  return assembleProgram(source, { name: "calls_guest", base: CALLS_BASE, files: { tables: bytes } });
}

const CALL_WORDS = 10, RESULT_WORDS = 11, WORD = 8;

/** The calls as the guest reads them. Throws RangeError for more than there is room for. */
export function callTable(calls: readonly Call[]): Uint8Array {
  if (calls.length > CALLS_MAX) {
    throw new RangeError(`Cannot make ${calls.length} calls: at most ${CALLS_MAX}`);
  }
  const view = new DataView(new ArrayBuffer((1 + calls.length * CALL_WORDS) * WORD));
  view.setBigUint64(0, BigInt(calls.length), true);
  for (const [index, { x, level, mends }] of calls.entries()) {
    const at = (1 + index * CALL_WORDS) * WORD, words = [...x, BigInt(level), mends === true ? 1n : 0n];
    for (const [word, value] of words.entries()) view.setBigUint64(at + word * WORD, value, true);
  }
  return new Uint8Array(view.buffer);
}

/** Bytes of the results of so many calls. */
export function resultBytes(calls: number): number {
  return calls * RESULT_WORDS * WORD;
}

/** The results as the guest left them. */
export function readResults(bytes: Uint8Array): CallResult[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), results: CallResult[] = [];
  for (let at = 0; at < bytes.length; at += RESULT_WORDS * WORD) {
    const word = (index: number) => view.getBigUint64(at + index * WORD, true);
    results.push({
      x: Array.from({ length: 7 }, (_, index) => word(index)),
      syndrome: word(7),
      faultAddress: word(8),
      offset: word(9),
      mended: Number(word(10)),
    });
  }
  return results;
}
