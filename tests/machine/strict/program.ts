/** Programs that forget maintenance: flat guests with translation on, and what they compute. */
import type { StrictModelName } from "../../../machine/configuration.ts";
import type { EventKind } from "../../../machine/events.ts";
import { flatGuest, type Guest } from "../../journal/guest.ts";

/** A program, with and without a piece of maintenance. */
export interface MaintenanceProgram {
  /** What is forgotten. */
  readonly name: string;
  /** The models that show it. */
  readonly models: readonly StrictModelName[];
  /**
   * Assembly after the prologue, to leave a result in x20. Lines that begin with `?` are the maintenance, those with
   * `-` what stands in its place when it is forgotten.
   */
  readonly body: string;
  /** The result with the maintenance, and without strict models also when it is forgotten. */
  readonly right: bigint;
  /** The result under the strict models when it is forgotten. */
  readonly wrong: bigint;
  /** The event that names it. */
  readonly event: EventKind;
  /** Number of CPUs, 1 by default; `other` in the body is where CPU 1 starts, with translation on. */
  readonly cpus?: number;
  /** Steps before the body: none turns translation on in the body itself. */
  readonly starts?: "translating" | "untranslated";
}

/** x20 after an exception that the program did not expect. */
export const FAULTED = 0xfa17n;

/** The virtual page that programs map: `page0` at first. */
export const WINDOW = "0x80000000";
/** Memory once more, Normal Non-cacheable: add it to an address of the program. */
export const UNCACHED = "0x80000000";

const TRANSLATING = "bl      translate";

const PROLOGUE = `
start:  ldr     x9, =vectors
        msr     vbar_el1, x9
        isb
        @begin
        b       body
translate:
        ldr     x9, =0x4404ff
        msr     mair_el1, x9
        ldr     x9, =0x200803519
        msr     tcr_el1, x9
        ldr     x9, =level1
        msr     ttbr0_el1, x9
        isb
        mrs     x9, sctlr_el1
        ldr     x10, =0x1005
        orr     x9, x9, x10
        msr     sctlr_el1, x9
        isb
        ret
begin_other:
        ldr     x9, =vectors
        msr     vbar_el1, x9
        bl      translate
        b       other
// Starts CPU 1.
start_other:
        ldr     x0, =0xc4000003
        mov     x1, #1
        ldr     x2, =begin_other
        mov     x3, #0
        hvc     #0
        ret
// Waits until the flag at [x12] has the value x13; it is uncached, so that the test is of something else.
await:  ldr     x14, [x12]
        cmp     x14, x13
        b.ne    await
        ret
fault:  mov     x20, #0xfa17
done:   ldr     w0, =0x84000008
        hvc     #0
`;

/** Translation tables of 4 KiB pages and 39 bits: devices, memory, the window, memory uncached. */
const TABLES = `
        .ltorg
        .balign 2048
vectors:
        .rept   16
        b       fault
        .balign 128
        .endr
        .balign 4096
level1: .quad   0x0060000000000405, 0x40000701, level2 + 3, 0x40000709
        .balign 4096
level2: .quad   level3 + 3
        .balign 4096
level3: .quad   page0 + 0x703, page1 + 0x703, page2 + 0xf03
        .balign 4096
// The same but for the window, which has page1 first.
level1b: .quad  0x0060000000000405, 0x40000701, level2b + 3, 0x40000709
        .balign 4096
level2b: .quad  level3b + 3
        .balign 4096
level3b: .quad  page1 + 0x703, page0 + 0x703, page1 + 0xf03
        .balign 4096
page0:  .quad   0xaaaa, 0, 0, 0, 0, 0, 0, 0
        .balign 4096
page1:  .quad   0xbbbb, 0, 0, 0, 0, 0, 0, 0
        .balign 4096
page2:  .quad   0xcccc, 0, 0, 0, 0, 0, 0, 0
        .balign 4096
flags:  .quad   0, 0
        .balign 4096
`;

/** The guest, with its maintenance or without. */
export function guestOf({ body, starts = "translating" }: MaintenanceProgram, isForgetful: boolean): Guest {
  const lines = body.split("\n").flatMap((line) => {
    const mark = line.trimStart()[0];
    if (mark !== "?" && mark !== "-") return [line];
    return (mark === "-") === isForgetful ? [line.replace(mark, " ")] : [];
  });
  const other = body.includes("other:") ? "" : "other:";
  const begin = starts === "translating" ? TRANSLATING : "";
  return flatGuest(
    `${PROLOGUE.replace("@begin", begin)}\nbody:\n${lines.join("\n")}\n${other} b done\n${TABLES}`,
  );
}
