/**
 * The guest that restores its debug registers, as a kernel does when a CPU comes back, and is interrupted while it does:
 * the handler changes MDSCR_EL1, calls the host by MRS of MDCCSR_EL0, and puts MDSCR_EL1 back.
 *
 * It is a flat kernel for `-M virt -kernel` at RESTORING_GUEST_BASE, entered at EL1 with the MMU off, with a GICv2 and PSCI
 * by HVC. With MDSCR_EL1.TDCC set it then reads the channel at EL0, which must be refused each time. It prints what it read
 * back of all registers, folded into one number; how often EL0 was refused; and how often it was interrupted and answered.
 */

/** Where `-kernel` puts a flat image. */
export const RESTORING_GUEST_BASE = 0x40080000n;

/** The interrupt that it takes. */
export const RESTORING_INTERRUPT = 40;

/** Reads of the channel at EL0. */
export const EL0_READS = 3;

/** The registers in the order in which they are restored, with what they get; the claim tags are set. */
// deno-fmt-ignore
const VALUES: readonly (readonly [name: string, value: number])[] = [
  ["mdscr_el1", 0x1000],
  ...Array.from({ length: 6 }, (_, n) => [`dbgbvr${n}_el1`, 0x1230_4560 + n * 0x104] as const),
  ...Array.from({ length: 6 }, (_, n) => [`dbgbcr${n}_el1`, 0x1e4 + n * 0x2000] as const),
  ...Array.from({ length: 4 }, (_, n) => [`dbgwvr${n}_el1`, 0x7654_3210 + n * 0x108] as const),
  ...Array.from({ length: 4 }, (_, n) => [`dbgwcr${n}_el1`, 0x1ff4 + n * 0x8] as const),
  ["mdccint_el1", 0x4000_0000], ["oseccr_el1", 0x55], ["osdtrrx_el1", 0x1234_5678], ["osdtrtx_el1", 0x0bad_cafe],
  ["dbgclaimset_el1", 0x5a],
];

/** The registers that are read back: those, with the claim tags where they are read. */
const READ = VALUES.map(([name]) => name === "dbgclaimset_el1" ? "dbgclaimclr_el1" : name);

/** The program, for `assembleProgram` at RESTORING_GUEST_BASE. The label `restore` is where it begins, `restored` the end. */
export function restoringGuestSource(): string {
  const restore = VALUES.map(([name, value]) => `        ldr     x0, =${value}\n        msr     ${name}, x0`);
  const read = READ.map((name) => `        mrs     x0, ${name}\n        eor     x20, x0, x20, ror #7`);
  return `${START}${restore.join("\n")}\n${UNLOCK}${read.join("\n")}\n${REST}`;
}

const START = String.raw`
        ldr     x26, =0x09000000
        adr     x0, vectors
        msr     vbar_el1, x0
        adr     x0, stack
        mov     sp, x0
        ldr     x25, =0x08000000                // GICD: interrupt 40, an edge, to CPU 0
        mov     w0, #1
        str     w0, [x25]
        mov     w0, #0x100
        str     w0, [x25, #0x104]
        mov     w0, #1
        strb    w0, [x25, #0x828]
        mov     w0, #0x20000
        str     w0, [x25, #0xc08]
        ldr     x25, =0x08010000                // GICC
        mov     w0, #0xff
        str     w0, [x25, #4]
        mov     w0, #1
        str     w0, [x25]
        mov     x20, #0
        mov     x21, #0
        mov     x22, #0
        mov     x7, #0
        msr     daifclr, #2
restore: mov    x0, #1
        msr     oslar_el1, x0
        isb
`;

const UNLOCK = String.raw`
        msr     oslar_el1, xzr
        isb
`;

const REST = String.raw`
        adr     x0, user
        msr     daifset, #2
        msr     elr_el1, x0
        mov     x0, #0x340                      // EL0, interrupts unmasked
        msr     spsr_el1, x0
        eret
user:   mrs     x1, mdccsr_el0
        mrs     xzr, mdccsr_el0
        mrs     x2, mdccsr_el0
        svc     #0
restored:
        msr     daifset, #2
        mrs     x0, mdscr_el1
        eor     x20, x0, x20, ror #7
        mov     x0, x20
        bl      show
        mov     x0, x21
        bl      show
        mov     x0, x22
        bl      show
        ldr     x0, =0x84000008                 // SYSTEM_OFF
        hvc     #0
        b       .
        .ltorg

// x0 in 16 digits, and a line's end. Changes x0 to x3.
show:   mov     x1, #60
1:      lsr     x2, x0, x1
        and     x2, x2, #15
        cmp     x2, #9
        mov     x3, #('a' - 10)
        b.hi    2f
        mov     x3, #'0'
2:      add     x2, x2, x3
        strb    w2, [x26]
        subs    x1, x1, #4
        b.pl    1b
        mov     w2, #10
        strb    w2, [x26]
        ret

sync:   mrs     x10, esr_el1
        mrs     x11, elr_el1
        lsr     x12, x10, #26
        cmp     x12, #0x15
        b.eq    1f
        ldr     x13, =0x6220c003                // MRS of MDCCSR_EL0, but for Rt
        bic     x10, x10, #0x3e0
        cmp     x10, x13
        b.ne    .
        add     x21, x21, #1
        add     x11, x11, #4
        msr     elr_el1, x11
        eret
1:      adr     x11, restored
        mov     x12, #0x345
        msr     elr_el1, x11
        msr     spsr_el1, x12
        eret

irq:    stp     x0, x1, [sp, #-80]!
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        str     x10, [sp, #64]
        ldr     w10, [x25, #0xc]                // acknowledged
        mrs     x4, mdscr_el1
        eor     x5, x4, #0x1000
        msr     mdscr_el1, x5
        ldr     x0, =0x564d5868
        mov     x2, #10                         // GETVERSION
        mov     x3, #0x5658
        ldr     x7, =0x860000000e
        mrs     xzr, mdccsr_el0
        mrs     x6, mdscr_el1
        msr     mdscr_el1, x4
        cmp     x6, x5
        cinc    x22, x22, eq                    // the change was there
        cmp     x0, #6
        cinc    x22, x22, eq                    // and the answer
        str     w10, [x25, #0x10]
        ldr     x10, [sp, #64]
        ldp     x6, x7, [sp, #48]
        ldp     x4, x5, [sp, #32]
        ldp     x2, x3, [sp, #16]
        ldp     x0, x1, [sp], #80
        eret
        .ltorg
        .balign 2048
vectors: .space 0x280
        b       irq
        .balign 512
        b       sync
        .balign 128
        b       irq
        .balign 2048
        .space  4096
stack:  .quad   0
`;
