/**
 * A64 code that finds out whether anybody answers the stubs' conduit, before a kernel is told of them: HVC with
 * HCR_EL2.HCD, SCR_EL3.HCE or no EL2 in its way, and SMC without EL3, are UNDEFINED, and a kernel that calls them later
 * does not survive it (Linux's handling of firmware's faults covers memory aborts alone).
 */
import type { Source } from "../../machine/a64/program.ts";
import { FIRMWARE_CALLS, type FirmwareCall, UPCALL, UPCALL_ANSWER } from "../../machine/uefi_services.ts";
import { UART_ADDRESS } from "../loader/console.ts";
import type { StubConduit } from "./stubs.ts";

/** The immediate of a call of firmware's own. */
export function firmwareImmediate(call: FirmwareCall): number {
  return UPCALL.FIRMWARE + FIRMWARE_CALLS.indexOf(call);
}

/**
 * `probe`, at EL1 or EL2 with SP_ELx selected, ends at the label `answered` or `unanswered` with the vectors of its own
 * in VBAR_ELx and DAIF masked. Needs 4 KiB with what is before it; changes x0 to x2.
 */
export function probeSource(conduit: StubConduit): Source {
  return {
    name: "probe",
    text: `
probe:  adr     x0, probe_vectors
        mrs     x1, currentel
        cmp     x1, #8
        b.eq    1f
        msr     vbar_el1, x0
        b       2f
1:      msr     vbar_el2, x0
2:      isb
        mov     x0, xzr
        ${conduit}     #${firmwareImmediate("Probe")}
        ldr     x1, =${UPCALL_ANSWER}
        cmp     x0, x1
        b.eq    answered
        b       unanswered
        .ltorg

// Prints the zero-terminated text at x0. Changes x0 to x2.
probe_print:
        mov     x1, #${UART_ADDRESS}
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        str     w2, [x1]
        b       1b
2:      ret

        .balign 2048
probe_vectors:
        .space  0x200                           // only synchronous exceptions of this level, with SP_ELx
        b       unanswered
`,
  };
}

/** What the start says on the console. */
export const PUBLISHED = "firmware: runtime services are answered";
/** What it says when nobody answers. */
export const UNPUBLISHED = "firmware: nobody answers for runtime services: none are published";
