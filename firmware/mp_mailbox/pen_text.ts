/** The pen: what a secondary CPU runs from the upper half of its mailbox page until the operating system wants it. */
import type { Source } from "../../machine/a64/program.ts";
import type { LoaderLevel } from "../loader/translation_layout.ts";

/** Faults to be planted in the pen. */
export type PenMutant =
  /** The address stays: Linux warns of it. */
  | "keepsAddress"
  /** What was not meant for it is acknowledged, and the number not looked at again: a wake-up can be lost. */
  | "forgetsToLook"
  /** The address is read before the number was found to be the own. */
  | "readsEarly"
  /** The address is cleared before it is read. */
  | "clearsEarly"
  /** The CPU interface stays off: no SGI wakes. */
  | "leavesInterface"
  /** The SGI is not acknowledged. */
  | "keepsInterrupt"
  /** CPU 2 is broken: it starts, and never says that it is there. */
  | "hangs";

/** System registers of a GICv3's CPU interface become usable at the pen's level. */
const systemRegisters = (level: LoaderLevel): string =>
  level === 1
    ? `mrs     x1, icc_sre_el1
        orr     x1, x1, #1                      // SRE
        msr     icc_sre_el1, x1`
    : `mrs     x1, icc_sre_el2
        mov     x2, #9                          // Enable and SRE
        orr     x1, x1, x2
        msr     icc_sre_el2, x1`;

/** The interface of either version; PSTATE.I stays 1, as WFI needs no more than a pending interrupt. */
const enable = (level: LoaderLevel): string => `
        ldr     x21, [x20, #MAILBOX_GICC]
        ldr     x22, [x20, #MAILBOX_GICR]
        cbz     x22, 2f
        ${systemRegisters(level)}
        isb
        ldr     w1, [x22, #0x14]                // GICR_WAKER
        bic     w1, w1, #2                      // ProcessorSleep
        str     w1, [x22, #0x14]
1:      ldr     w1, [x22, #0x14]
        tbnz    w1, #2, 1b                      // ChildrenAsleep
        add     x1, x22, #0x10, lsl #12         // the frame of SGIs
        mov     w2, #-1
        str     w2, [x1, #0x80]                 // GICR_IGROUPR0: Group 1
        mov     w2, #0xffff
        str     w2, [x1, #0x100]                // GICR_ISENABLER0: SGIs
        dsb     sy
        mov     x1, #0xff
        msr     icc_pmr_el1, x1
        mov     x1, #1
        msr     icc_igrpen1_el1, x1
        isb
        b       3f
2:      mov     w1, #0xff
        str     w1, [x21, #4]                   // GICC_PMR
        mov     w1, #1
        str     w1, [x21]                       // GICC_CTLR
3:`;

const NO_INTERFACE = `
        ldr     x21, [x20, #MAILBOX_GICC]
        ldr     x22, [x20, #MAILBOX_GICR]`;

const HANG = `
        mrs     x1, mpidr_el1
        and     x1, x1, #0xff
        cmp     x1, #2
        b.ne    5f
4:      wfi
        b       4b
5:`;

const ACKNOWLEDGE = `
pen_acknowledge:                                // one interrupt, if there is one
        cbz     x22, 1f
        mrs     x1, icc_iar1_el1
        dsb     sy
        and     x2, x1, #0x3ff
        cmp     x2, #1020
        b.hs    2f
        msr     icc_eoir1_el1, x1
        isb
        ret
1:      ldr     w1, [x21, #0xc]                 // GICC_IAR
        and     w2, w1, #0x3ff
        cmp     w2, #1020
        b.hs    2f
        str     w1, [x21, #0x10]                // GICC_EOIR
        dsb     sy
2:      ret
`;

/** The number again, after what woke was acknowledged: the wake-up may have come between. */
const LOOK_AGAIN = `ldr     w1, [x20]
        cmp     w1, w23
        b.ne    pen_wait
        b       pen_take`;

/** The address is read, then cleared. */
const TAKE = `ldr     x24, [x20, #MAILBOX_ADDRESS]
pen_clear:
        str     xzr, [x20, #MAILBOX_ADDRESS]`;

function take(mutant: PenMutant | undefined): string {
  switch (mutant) {
    case "keepsAddress":
      return TAKE.replace(/str .*/, "nop");
    case "readsEarly":
      return TAKE.replace(/ldr .*/, "nop");
    case "clearsEarly":
      return TAKE.replace(/ldr .*/, "str     xzr, [x20, #MAILBOX_ADDRESS]")
        .replace(/(pen_clear:\s*)str .*/, "$1ldr     x24, [x20, #MAILBOX_ADDRESS]");
    default:
      return TAKE;
  }
}

/**
 * `pen` to `pen_end`, position-independent, for the upper half of a page. Entry: MMU off, at `level`; it finds its page by
 * its own address. By the parking protocol it goes on with the page's address in X0, by spin-table with zeros in X0–X3.
 */
export function penText(level: LoaderLevel, mutant?: PenMutant): Source {
  return {
    name: "pen",
    text: `
        .balign 8
pen:    msr     daifset, #15
        adr     x20, pen
        and     x20, x20, #~(MAILBOX_SIZE - 1)
${mutant === "leavesInterface" ? NO_INTERFACE : enable(level)}
${mutant === "hangs" ? HANG : ""}
        ldr     w23, [x20, #MAILBOX_OWN_ID]
        mov     x1, #1
        str     x1, [x20, #MAILBOX_STATE]
        dsb     sy
        sev
        ldr     w1, [x20, #MAILBOX_WAITS]
        cmp     w1, #WAITS_SPIN
        b.eq    pen_spin
pen_wait:
        wfi
pen_woken:
        ldr     w1, [x20]                       // MAILBOX_ID
${mutant === "readsEarly" ? "        ldr     x24, [x20, #MAILBOX_ADDRESS]" : ""}
        cmp     w1, w23
        b.eq    pen_match
        bl      pen_acknowledge                 // meant for nobody
        ${mutant === "forgetsToLook" ? "b       pen_wait" : LOOK_AGAIN}
pen_match:
        ${mutant === "keepsInterrupt" ? "nop" : "bl      pen_acknowledge"}
pen_take:
        dsb     sy
        ${take(mutant)}
        dsb     sy
        mov     x0, x20
pen_branch:
        br      x24
pen_spin:
        wfe
        ldr     x24, [x20, #MAILBOX_ADDRESS]
        cbz     x24, pen_spin
        dsb     sy
        ${mutant === "keepsAddress" ? "nop" : "str     xzr, [x20, #MAILBOX_ADDRESS]"}
        dsb     sy
        mov     x0, xzr
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
pen_release:
        br      x24
${ACKNOWLEDGE}
        .balign 8
pen_end:
`,
  };
}
