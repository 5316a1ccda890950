/** The text of the PRDA kernel that runs threads: exception entries, deferral, migration, the slot, dispatch. */
import { LOAD_ALL, STORE_X2_TO_X27 } from "../common_code.ts";
import type { KernelTextOptions } from "./kernel_text.ts";

/** Entries of exceptions: threads are on SP_EL0, so the kernel is entered with its PE's block in SP. */
export const handlers = (el: 1 | 2): string => `
save:                                   // x0: thread; x0 and x1 are in the PE's block
${STORE_X2_TO_X27}        str     x28, [x0, #224]
        ldp     x2, x3, [sp, #PE_X0]
        stp     x2, x3, [x0]
        mrs     x2, elr_el${el}
        mrs     x3, spsr_el${el}
        stp     x2, x3, [x0, #PC]
        mov     x19, x0
        ret

resume: mov     x0, x19
        ldp     x2, x3, [x0, #PC]
        msr     elr_el${el}, x2
        msr     spsr_el${el}, x3
${LOAD_ALL}        eret

irq:    bl      save
        bl      acknowledge
        cmp     w0, #16                 // a migration to here only wakes
        b.lo    resume
        cmp     w0, #1020
        b.hs    resume
        ldr     x0, [x19, #DEPTH]
        cbnz    x0, defer
        ldr     x0, [x19, #PC]          // or in one of the ranges
        adr     x1, ranges
1:      ldp     x2, x3, [x1], #16
        cbz     x2, preempt
        cmp     x0, x2
        ccmp    x0, x3, #2, hs
        b.hs    1b
defer:  mov     x0, #1
        str     x0, [x19, #PENDING]
        ldr     x0, [x19, #DEFERRALS]
        add     x0, x0, #1
        str     x0, [x19, #DEFERRALS]
        adr     x2, deferred            // statistics: of all PEs, under the lock
        bl      lock
        ldr     x1, [x2]
        add     x1, x1, #1
        str     x1, [x2]
        cmp     x0, #BOUND
        b.ne    1f
        bl      watchdog
1:      bl      unlock
        b       resume

preempt:                                // the thread goes to the next PE's queue
        bl      lock
        str     xzr, [x19, #PENDING]
        str     xzr, [x19, #DEFERRALS]
        ldr     x0, [x19, #HOME]
        add     x0, x0, #1
        cmp     x0, #PES
        csel    x0, xzr, x0, eq
        str     x0, [x19, #HOME]
        mov     x1, #READY
        str     x1, [x19, #RUN]
        adr     x1, migrations
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        bl      unlock
        mov     x1, #0x10000            // SGI 0 to that PE
        lsl     x1, x1, x0
        ldr     x2, =(GICD + 0xf00)
        dsb     ish
        str     w1, [x2]
        b       dispatch

sync:   bl      save
        mrs     x0, esr_el${el}
        lsr     x1, x0, #26
        cmp     x1, #0x15               // SVC
        b.ne    unexpected
        and     x0, x0, #0xffff
        cmp     x0, #SVC_DEFERRED
        b.eq    preempt
        mov     x1, #READY
        cmp     x0, #SVC_EXIT
        mov     x2, #DONE
        csel    x1, x2, x1, eq
        bl      lock
        str     x1, [x19, #RUN]
        b.ne    1f
        adr     x1, done
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        mov     w1, #0x10000            // PE 0 looks whether all are done
        ldr     x2, =(GICD + 0xf00)
        dsb     ish
        str     w1, [x2]
1:      bl      unlock
        b       dispatch

// Acknowledges and ends an interrupt; its number in w0. Changes x1 to x3.
acknowledge:
        ldr     x1, =GICC
        ldr     w2, [x1, #12]           // GICC_IAR
        and     w0, w2, #0x3ff
        .if     PERIOD
        cmp     w0, #TIMER
        b.ne    1f
        mov     x3, #PERIOD
        msr     cntv_tval_el0, x3
        isb
1:
        .endif
        str     w2, [x1, #16]           // GICC_EOIR
        ret

unexpected:
        adr     x0, text_unexpected
        bl      print
        mrs     x0, esr_el${el}
        bl      print_hexadecimal
        adr     x0, text_at
        bl      print
        mrs     x0, elr_el${el}
        bl      print_hexadecimal
        adr     x0, text_address
        bl      print
        mrs     x0, far_el${el}
        bl      print_hexadecimal
        adr     x0, text_end
        bl      print
power_off:                              // by the conduit of the level that it is at
        ldr     x0, =PSCI_OFF
        mrs     x1, currentel
        cmp     x1, #(1 << 2)
        b.ne    1f
        hvc     #0
1:      smc     #0
        b       .
`;

/** The slot of the PE's own root from TPIDR_ELx, by break-before-make. */
export const writeSlot = (el: 1 | 2, mutant: KernelTextOptions["mutant"]): string => `
write_slot:
        mrs     x0, tpidr_el${el}
        mrs     x1, ttbr0_el${el}
        bic     x1, x1, #1
        add     x2, x0, #LEVEL2, lsl #12
        orr     x2, x2, #3
        str     xzr, [x1, #SLOT]        // break
        dsb     ishst
        mov     x3, #(PRDA >> 12)
        ${mutant === "missingInvalidate" ? "nop" : `tlbi    vae${el}, x3`}
        dsb     nsh
        isb
        str     x2, [x1, #SLOT]         // make
        dsb     ishst
        isb
        ret
`;

/** Threads by turns from a PE's queue, and what a PE does that has none. */
export const dispatch: string = `
dispatch:
        bl      lock
        ldr     x4, [sp, #PE_NUMBER]
        ldr     x5, [sp, #PE_LAST]
        mov     x6, #THREADS
1:      add     x5, x5, #1
        cmp     x5, #THREADS
        csel    x5, xzr, x5, hs
        adr     x19, threads
        mov     x1, #THREAD_SIZE
        madd    x19, x5, x1, x19
        ldp     x1, x2, [x19, #HOME]
        cmp     x1, x4
        ccmp    x2, #READY, #0, eq
        b.eq    2f
        subs    x6, x6, #1
        b.ne    1b
        bl      unlock
        str     xzr, [sp, #PE_THREAD]
        cbnz    x4, idle
        adr     x1, done
        ldr     x1, [x1]
        cmp     x1, #THREADS
        b.eq    report
idle:   wfi                             // wakes although interrupts are masked
3:      bl      acknowledge
        cmp     w0, #1020
        b.lo    3b
        b       dispatch
2:      mov     x1, #RUNNING
        str     x1, [x19, #RUN]
        str     x19, [sp, #PE_THREAD]
        str     x5, [sp, #PE_LAST]
        bl      unlock
        bl      write_slot
        .if     PERIOD
        mrs     x3, cntv_ctl_el0        // a tick that came meanwhile is not this thread's
        tbz     x3, #2, resume          // ISTATUS
        mov     x3, #PERIOD
        msr     cntv_tval_el0, x3
        isb
        .endif
        b       resume

// Change x24 to x26 only.
lock:   adr     x24, the_lock
        mov     w25, #1
1:      ldaxr   w26, [x24]
        cbz     w26, 2f
        yield
        b       1b
2:      stlxr   w26, w25, [x24]
        cbnz    w26, 1b
        ret
unlock: adr     x24, the_lock
        stlr    wzr, [x24]
        ret
`;
