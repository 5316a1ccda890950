/**
 * The guest of el3-simdev: it accesses device registers by every instruction that can, at every level that it has, waits
 * for the devices' interrupts, and prints what each access gave or which exception it was.
 *
 * It is a flat kernel for `-M virt -kernel` at REGISTER_GUEST_BASE, entered at EL1 or EL2 with the MMU off, with a GICv2
 * and PSCI by the conduit given. The accesses are done at the level of entry and each one below, then at EL1 with stage 1
 * on and all of the first GiB as Normal memory, where unaligned accesses are no alignment faults.
 */

import { type RegisterAccess, RTC, UART } from "./register_accesses.ts";

/** Where `-kernel` puts a flat image. */
export const REGISTER_GUEST_BASE = 0x40080000n;

/** What a guest is made for. */
export interface RegisterGuestOptions {
  /** What it does. */
  readonly accesses: readonly RegisterAccess[];
  /** It waits for the alarm of the clock and for the serial port's interrupt (default false). */
  readonly waits?: boolean;
  /** How PSCI is called (default hvc). */
  readonly conduit?: "hvc" | "smc";
}

const HEX64 = 2n ** 64n;

function accessText({ text, address, value = 0, other = 0, isNormal = false }: RegisterAccess): string {
  const number = (n: number): string => `0x${((BigInt(n) + HEX64) % HEX64).toString(16)}`;
  return `
        ${isNormal ? "cbz     x27, 7f" : ""}
        ldr     x1, =${number(address)}
        ldr     x2, =${number(value)}
        ldr     x3, =${number(other)}
        ${text}
7:      bl      keep`;
}

/** The program, for `assembleProgram` at REGISTER_GUEST_BASE. */
export function registerGuestSource(
  { accesses, waits = false, conduit = "hvc" }: RegisterGuestOptions,
): string {
  return `
${PROGRAM}
        .macro  firmware_call
        ${conduit}     #0
        .endm
        .macro  wait_for_all
        ${waits ? "bl      wait_for_interrupts" : ""}
        .endm
${MAIN}
// Each access leaves x1 to x3 in a slot; what it raises, the handler puts behind.
batch:  mov     x29, x30
${accesses.map(accessText).join("\n")}
        ret     x29
${DATA}`;
}

const PROGRAM = String.raw`
        .equ    UART,           ${UART}
        .equ    RTC,            ${RTC}
        .equ    GICD,           0x08000000
        .equ    GICC,           0x08010000
        .equ    PSCI_OFF,       0x84000008
        .equ    SLOT,           64
        .equ    EC_SVC,         0x15

        // Moves between a general register and that of the level which took an exception, EL1's or EL2's.
        .macro  bank_read register, name
        mrs     x20, currentel
        cmp     x20, #8
        b.eq    9f
        mrs     \register, \name\()_el1
        b       8f
9:      mrs     \register, \name\()_el2
8:
        .endm
        .macro  bank_write name, register
        mrs     x20, currentel
        cmp     x20, #8
        b.eq    9f
        msr     \name\()_el1, \register
        b       8f
9:      msr     \name\()_el2, \register
8:
        .endm
`;

const MAIN = String.raw`
_start: adr     x28, slots
        mov     x27, #0
        adr     x0, stack_end
        mov     sp, x0
        adr     x0, vectors
        msr     vbar_el1, x0
        mov     x0, #(3 << 20)
        msr     cpacr_el1, x0
        mrs     x0, currentel
        cmp     x0, #8
        b.ne    at_el1
        adr     x0, vectors
        msr     vbar_el2, x0
        mov     x0, #0x33ff
        msr     cptr_el2, x0
        isb
        bl      batch
        wait_for_all
        mov     x0, #(1 << 31)
        msr     hcr_el2, x0
        adr     x0, at_el1
        msr     elr_el2, x0
        mov     x0, #0x3c5
        msr     spsr_el2, x0
        adr     x0, stack_end
        msr     sp_el1, x0
        eret

at_el1: isb
        bl      batch
        wait_for_all
        adr     x0, stack_end
        msr     sp_el0, x0
        adr     x0, at_el0
        msr     elr_el1, x0
        msr     spsr_el1, xzr
        eret
at_el0: bl      batch
        svc     #0

// Stage 1 with 1 GiB blocks: the first and the second are Normal, Non-cacheable.
behind_el0:
        adr     x0, table
        msr     ttbr0_el1, x0
        mov     x1, #0x701                      // AF, AttrIndx 0, AP = 00, Block
        str     x1, [x0]
        ldr     x2, =0x40000701
        str     x2, [x0, #8]
        mov     x1, #0x44
        msr     mair_el1, x1
        ldr     x1, =(32 | 1 << 23)             // T0SZ = 32, EPD1
        msr     tcr_el1, x1
        dsb     sy
        tlbi    vmalle1
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        orr     x1, x1, #1
        bic     x1, x1, #2
        msr     sctlr_el1, x1
        isb
        mov     x27, #1
        bl      batch

        adr     x26, slots
report: ldp     x0, x1, [x26]
        bl      put_hex
        mov     x0, x1
        bl      put_hex
        ldr     x0, [x26, #16]
        bl      put_hex
        ldr     x0, [x26, #24]
        cbz     x0, 1f
        bl      put_hex
        ldr     x0, [x26, #32]
        bl      put_hex
        ldr     x0, [x26, #40]
        adr     x1, batch
        sub     x0, x0, x1
        bl      put_hex
        ldr     x0, [x26, #48]
        bl      put_hex
1:      mov     w0, #10
        bl      put_byte
        add     x26, x26, #SLOT
        cmp     x26, x28
        b.lo    report
        ldr     x0, =PSCI_OFF
        firmware_call
        b       .

// Keeps x1 to x3, and takes the next slot.
keep:   stp     x1, x2, [x28]
        str     x3, [x28, #16]
        add     x28, x28, #SLOT
        ret

put_byte:
        ldr     x4, =UART
        strb    w0, [x4]
        ret

// x0 in hexadecimal without leading zeros, and a space. Changes x0, x4 to x7.
put_hex:
        ldr     x4, =UART
        mov     x5, #60
        mov     x7, #0
1:      lsr     x6, x0, x5
        and     x6, x6, #15
        orr     x7, x7, x6
        cbnz    x7, 2f
        cbnz    x5, 3f
2:      cmp     x6, #9
        add     x6, x6, #'0'
        b.ls    4f
        add     x6, x6, #('a' - 10 - '0')
4:      strb    w6, [x4]
3:      sub     x5, x5, #4
        tbz     x5, #63, 1b
        mov     w6, #' '
        strb    w6, [x4]
        ret

// The alarm of the clock one second from now, then the serial port's transmit interrupt: each acknowledged number, what
// the device says of it, and the number behind it, as slots.
wait_for_interrupts:
        mov     x25, x30
        ldr     x10, =GICD
        mov     w1, #1
        str     w1, [x10]
        mov     w1, #6                          // INTID 33 and 34
        str     w1, [x10, #0x104]
        mov     w1, #1
        strb    w1, [x10, #0x821]
        strb    w1, [x10, #0x822]
        ldr     x11, =GICC
        mov     w1, #0xff
        str     w1, [x11, #4]
        mov     w1, #1
        str     w1, [x11]
        ldr     x12, =RTC
        ldr     w1, [x12]
        add     w1, w1, #1
        str     w1, [x12, #4]
        str     wzr, [x12, #0x1c]
        mov     w1, #1
        str     w1, [x12, #0x10]
        wfi
        ldr     w1, [x11, #0xc]
        mov     w13, w1
        ldr     w2, [x12, #0x14]
        ldr     w3, [x12, #0x18]
        bl      keep
        mov     w1, #1
        str     w1, [x12, #0x1c]
        str     wzr, [x12, #0x10]
        str     w13, [x11, #0x10]
        ldr     w1, [x11, #0xc]
        ldr     w2, [x12, #0x18]
        ldr     x12, =UART
        mov     w3, #0x20
        str     w3, [x12, #0x38]
        mov     w3, #'.'
        strb    w3, [x12]
        wfi
        ldr     w3, [x11, #0xc]
        bl      keep
        ldr     w2, [x12, #0x40]
        mov     w1, #0x7ff
        str     w1, [x12, #0x44]
        str     wzr, [x12, #0x38]
        str     w3, [x11, #0x10]
        ldr     w1, [x11, #0xc]
        bl      keep
        ret     x25

// A synchronous exception: its registers into the slot, and on behind the instruction, or where a call came from. SVC
// ends the part at EL0.
taken:  stp     x20, x21, [sp, #-16]!
        bank_read x21, esr
        lsr     x20, x21, #26
        cmp     x20, #EC_SVC
        b.eq    called
        str     x21, [x28, #24]
        and     x20, x20, #0x3e
        cmp     x20, #0x20
        bank_read x21, far
        str     x21, [x28, #32]
        bank_read x21, elr
        str     x21, [x28, #40]
        ldr     x20, [x28, #24]
        lsr     x20, x20, #27
        cmp     x20, #0x10                      // EC 0x20 and 0x21: a fetch
        add     x21, x21, #4
        csel    x21, x30, x21, eq
        bank_write elr, x21
        bank_read x21, spsr
        str     x21, [x28, #48]
        ldp     x20, x21, [sp], #16
        eret
called: ldp     x20, x21, [sp], #16
        adr     x0, behind_el0
        msr     elr_el1, x0
        mov     x0, #0x3c5
        msr     spsr_el1, x0
        eret
`;

const DATA = String.raw`
        .ltorg
        .balign 2048
vectors:
        .rept   16
        b       taken
        .balign 128
        .endr
        .balign 4096
table:  .space  4096
stack:  .space  512
stack_end:
        .balign 64
slots:  .space  SLOT * 1024
`;
