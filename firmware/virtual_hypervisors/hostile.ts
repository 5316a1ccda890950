/** The hostile neighbour of virtual-hypervisors: a guest that does whatever could disturb others. */
import { GIC_MACROS } from "../time_scale/timer_guest.ts";
import { COMMON, VECTORS } from "./guest_code.ts";

/** What a hostile neighbour is made for. */
export interface HostileOptions {
  /** Generation of the interrupt controller. */
  readonly gic: 2 | 3;
  /** Calls of the management plane that it makes, again and again. */
  readonly calls: readonly string[];
}

/**
 * The hostile neighbour: TLB and cache maintenance, timers that fire all the time, SGIs to itself, open exclusive
 * monitors, every register of EL1 full of what the witness must not see, all its memory and what is beyond, instructions
 * that trap, and calls of the management plane.
 */
export function hostileSource({ gic, calls }: HostileOptions): string {
  const texts = calls.map((call, at) => `call${at}: .ascii ${JSON.stringify(call)}\ncall${at}_end:\n`).join(
    "",
  );
  const table = calls.map((_, at) => `        .quad   call${at}, call${at}_end - call${at}\n`).join("");
  return `
        .equ    CALLS,          ${calls.length}
${COMMON}${GIC_MACROS[gic]}${HOSTILE}
        .balign 8
table:
${table}${texts}
        .balign 64
cell:   .quad   0
${VECTORS}`;
}

const REGISTERS = [
  ...[
    "tpidr_el0",
    "tpidrro_el0",
    "tpidr_el1",
    "contextidr_el1",
    "ttbr0_el1",
    "ttbr1_el1",
    "mair_el1",
    "far_el1",
  ],
  ...[
    "par_el1",
    "csselr_el1",
    "cntkctl_el1",
    "dbgbvr0_el1",
    "dbgwvr0_el1",
    "dbgbvr1_el1",
    "afsr0_el1",
    "esr_el1",
  ],
  ...[
    "pmcr_el0",
    "pmcntenset_el0",
    "pmccntr_el0",
    "pmuserenr_el0",
    "pmintenset_el1",
    "fpsr",
    "sp_el0",
    "osdtrrx_el1",
  ],
];

const HOSTILE = `
start:  mov     x27, #0
        adr     x0, vectors
        msr     vbar_el1, x0
        mov     x0, #(3 << 20)
        msr     cpacr_el1, x0
        isb
        gic_start
        mov     x25, #0
again:  add     x25, x25, #1
        mov     x26, #-1
        eor     x26, x26, x25, lsl #3
${REGISTERS.map((name) => `        msr     ${name}, x26\n`).join("")}
        mov     x1, #(1 << 25)
        msr     fpcr, x1
        .irp    n, 0, 7, 15, 31
        fmov    d\\n, x26
        .endr
        tlbi    vmalle1
        tlbi    vmalle1is
        tlbi    vae1, x25
        ic      iallu
        ic      ialluis
        dsb     sy
        isb
        // Lines of memory, by set and way, and by address; zeros over them.
        mov     x1, #0
1:      dc      cisw, x1
        dc      isw, x1
        add     x1, x1, #64
        cmp     x1, #1024
        b.lo    1b
        ldr     x1, =0x40100000
        mov     x2, #256
2:      dc      civac, x1
        dc      zva, x1
        str     x26, [x1, #8]
        ic      ivau, x1
        add     x1, x1, #1024
        sub     x2, x2, #1
        cbnz    x2, 2b
        // Beyond its memory, and where devices of the machine are that it has not.
        ldr     x1, =0x40200000
        ldr     x2, [x1]
        str     x26, [x1]
        ldr     x1, =0x4f000000
        str     x26, [x1]
        ldr     x1, =0x09010000
        ldr     w2, [x1]
        ldr     x1, =0x0a000000
        str     w26, [x1]
        // Monitors left open, and pairs.
        adr     x1, cell
        ldaxr   x2, [x1]
        ldxr    x2, [x1]
        stxr    w3, x26, [x1]
        ldxr    x2, [x1]
        // Timers that have fired, and those that fire in a moment.
        mov     x1, #-1
        msr     cntv_tval_el0, x1
        mov     x1, #40
        msr     cntp_tval_el0, x1
        mov     x2, #1
        msr     cntv_ctl_el0, x2
        msr     cntp_ctl_el0, x2
        msr     daifclr, #3
        mov     x2, #300
3:      ldr     x1, =GICD
        ldr     w3, =0x02000003                 // an SGI to itself
        str     w3, [x1, #0xf00]
        mrs     x1, cntpct_el0
        mrs     x1, cntvct_el0
        ldxr    x1, [x0]
        yield
        wfe
        sev
        sub     x2, x2, #1
        cbnz    x2, 3b
        msr     daifset, #3
        smc     #0
        hvc     #0x1234
        mrs     x1, pmccntr_el0
        at      s1e1r, x26
        brk     #7
        .inst   0x00000000
        // The management plane.
        mov     x19, #0
4:      adr     x20, table
        add     x20, x20, x19, lsl #4
        ldp     x0, x1, [x20]
        ldr     x2, =0x40180000
        mov     x3, #4096
        hvc     #0x48
        add     x19, x19, #1
        cmp     x19, #CALLS
        b.lo    4b
        mov     x0, #-4096
        mov     x1, #100
        hvc     #0x48
        // A wait, and another.
        mov     x1, #500
        msr     cntv_tval_el0, x1
        mov     x1, #1
        msr     cntv_ctl_el0, x1
        wfi
        b       again

interrupt:
        gic_acknowledge
        mov     x11, #-1
        msr     cntv_tval_el0, x11
        mrs     x11, cntvct_el0
        tst     x11, #7
        b.ne    1f
        msr     cntv_ctl_el0, xzr
        msr     cntp_ctl_el0, xzr
1:      gic_end
        mrs     x11, elr_el1                    // interrupts that never end are to end
        tbz     x25, #2, 2f
        msr     cntv_ctl_el0, xzr
        msr     cntp_ctl_el0, xzr
2:      eret

skip:   mrs     x11, elr_el1
        add     x11, x11, #4
        msr     elr_el1, x11
        eret
        .ltorg
`;
