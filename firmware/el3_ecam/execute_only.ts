/**
 * A guest whose code at EL0 may be executed and not read: an access of it cannot be taken apart by its instruction. A
 * flat kernel for `-M virt -kernel`, entered at EL1 with the MMU off; it prints ESR_EL1, FAR_EL1, the distance of ELR_EL1
 * from its access and SPSR_EL1 on the PL011, or what was loaded and 0, and turns off by PSCI with the conduit given.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { CONSOLE, UART_ADDRESS } from "../loader/console.ts";

/** The program, which loads from an address. */
export function executeOnlyProgram(address: number, conduit: "hvc" | "smc"): Program {
  const source = String.raw`
_start: ldr     x26, =${UART_ADDRESS}
        ldr     x0, =stack_end
        mov     sp, x0
        ldr     x0, =vectors
        msr     vbar_el1, x0
        ldr     x0, =table
        ldr     x1, =0x441              // Device-nGnRnE for all: AF, AP = 01, Block
        str     x1, [x0]
        ldr     x1, =0x40000705         // Normal, EL1 alone: AF, Inner Shareable, AP = 00, UXN = 0
        str     x1, [x0, #8]
        msr     ttbr0_el1, x0
        ldr     x1, =0xff00             // Attr1: Normal, Write-Back
        msr     mair_el1, x1
        ldr     x1, =(32 | 1 << 23)     // T0SZ = 32, EPD1
        msr     tcr_el1, x1
        dsb     sy
        tlbi    vmalle1
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        orr     x1, x1, #1
        msr     sctlr_el1, x1
        isb
        ldr     x0, =user
        msr     elr_el1, x0
        msr     spsr_el1, xzr
        ldr     x1, =${address}
        eret
user:   ldr     w2, [x1]
        svc     #0

taken:  mrs     x19, esr_el1
        lsr     x0, x19, #26
        cmp     x0, #0x15
        b.ne    aborted
        mov     x0, x2
        bl      put_hex
        mov     x0, #0
        bl      put_hex
        b       off
aborted:
        mov     x0, x19
        bl      put_hex
        mrs     x0, far_el1
        bl      put_hex
        mrs     x0, elr_el1
        ldr     x1, =user
        sub     x0, x0, x1
        bl      put_hex
        mrs     x0, spsr_el1
        bl      put_hex
off:    ldr     x0, =0x84000008
        ${conduit}     #0
        b       .
${CONSOLE.text}
        .ltorg
        .balign 2048
vectors:
        .rept   16
        b       taken
        .balign 128
        .endr
        .balign 4096
table:  .space  4096
stack:  .space  256
stack_end:
`;
  return assembleProgram(source, { name: "execute-only", base: 0x40080000n });
}
