/**
 * The inverse of mp-mailbox: a machine whose CPUs wait at mailboxes (`spin-table`) presented as one with PSCI. The shim is
 * entered at EL2 as a kernel is, stays there, and enters its own kernel at EL1 with a tree that offers PSCI by HVC. CPU_ON
 * of a CPU that is still in the firmware's pen writes its release word; a CPU that was turned off waits in the shim's own.
 * SYSTEM_OFF and SYSTEM_RESET go on to the firmware below by SMC. PSCI 1.0, Arm DEN0022; Arm ARM D1.10, D13.2.48 (HCR_EL2).
 */
import { assembleProgram, type Program, type Source } from "../../machine/a64/program.ts";
import { CONSOLE } from "../loader/console.ts";
import { deviceTreeReader } from "./device_tree_text.ts";
import { psciAnswers, type ShimMutant } from "./psci_answers_text.ts";
import { deviceTreeWriter } from "./rewrite_text.ts";
import { coresText } from "./start_text.ts";
import { sharedEquates } from "./variables.ts";

/** Where the shim is loaded: where the loader of mp-mailbox looks for a kernel. */
export const PSCI_SHIM_AT = 0x4020_0000;
/** Where the shim looks for its kernel (arm64 Image). */
export const SHIM_KERNEL_AT = 0x4060_0000;

const EQUATES = `
        .equ    SHIM_STATE, 0                   // u64 each, in a line of its own for each CPU
        .equ    SHIM_ENTRY, 8
        .equ    SHIM_CONTEXT, 16
        .equ    SHIM_SIZE, 64
        .equ    STATE_FRESH, 0                  // in the firmware's pen
        .equ    STATE_OFF, 1
        .equ    STATE_PENDING, 2
        .equ    STATE_ON, 3
        .equ    SHIM_STACK, 1024
        .equ    EL1H, 0x3c5
        .equ    RESULT_NOT_SUPPORTED, -1
        .equ    RESULT_INVALID, -2
        .equ    RESULT_ALREADY_ON, -4
        .equ    RESULT_PENDING, -5
`;

const ENTRY = `
_start: b       begin
        .word   0
        .quad   0, image_end - _start, 10
        .quad   0, 0, 0
        .ascii  "ARM\\x64"
        .word   0
begin:  msr     daifset, #15
        ldr     x26, =UART
        mov     x19, x0
        adrp    x28, vars
        add     x28, x28, :lo12:vars
        mov     x1, x28
        adrp    x2, image_end
1:      str     xzr, [x1], #8
        cmp     x1, x2
        b.lo    1b
        adrp    x1, stacks
        add     x1, x1, :lo12:stacks
        add     sp, x1, #SHIM_STACK
        adr     x1, shim_vectors
        msr     vbar_el2, x1
        isb
        mrs     x0, currentel
        cmp     x0, #8
        adr     x0, text_level
        b.ne    stop
        ldr     x1, =KERNEL_AT
        ldr     w1, [x1, #56]
        ldr     w2, =IMAGE_MAGIC
        cmp     w1, w2
        adr     x0, text_kernel
        b.ne    stop
        bl      read_tree
        adr     x0, text_conduit
        ldr     x1, [x28, #VARS_CONDUIT]
        cmp     x1, #CONDUIT_SMC
        b.ne    stop
        bl      own_core
        cbz     x0, stop
        mov     x1, #STATE_ON
        str     x1, [x0, #SHIM_STATE]
        mov     x0, #0
        bl      write_tree
        mov     x27, x0
        adr     x0, text_shim
        bl      put_text
        ldr     x0, =KERNEL_AT
        mov     x1, x27
        b       enter_kernel

refuse:
stop:   mov     x20, x0
        adr     x0, text_stopped
        bl      put_text
        mov     x0, x20
        bl      put_text
        adr     x0, text_line
        bl      put_text
1:      wfi
        b       1b

// x0 = the record of the CPU that runs, 0 when it is not described; x15 = its number in the table. Changes x1, x3 to x5.
own_core:
        mrs     x1, mpidr_el1
// The same of the CPU x1.
find_core:
        ldr     x3, =0xff00ffffff
        and     x1, x1, x3
        adrp    x3, vars
        add     x3, x3, :lo12:vars
        ldr     x4, [x3, #VARS_CORES]
        add     x3, x3, #VARS_CORE
        mov     x15, #0
1:      mov     x0, #0
        cmp     x15, x4
        b.eq    2f
        ldr     x5, [x3], #CORE_SIZE
        cmp     x5, x1
        b.eq    3f
        add     x15, x15, #1
        b       1b
3:      adrp    x0, records
        add     x0, x0, :lo12:records
        add     x0, x0, x15, lsl #6             // SHIM_SIZE
2:      ret

// Out of the firmware's pen, or the shim's: to the kernel, by this CPU's record.
shim_secondary:
        msr     daifset, #15
        bl      own_core
        cbz     x0, shim_lost
        adrp    x1, stacks
        add     x1, x1, :lo12:stacks
        add     x2, x15, #1
        lsl     x2, x2, #10                     // SHIM_STACK
        add     sp, x1, x2
        mov     x1, #STATE_ON
        str     x1, [x0, #SHIM_STATE]
        ldr     x1, [x0, #SHIM_CONTEXT]
        ldr     x0, [x0, #SHIM_ENTRY]

// To EL1 at x0, with x1 as context.
enter_kernel:
        adr     x2, shim_vectors
        msr     vbar_el2, x2
        mov     x2, #0x80000000                 // HCR_EL2.RW
        msr     hcr_el2, x2
        mov     x2, #3                          // CNTHCTL_EL2.{EL1PCTEN, EL1PCEN}
        msr     cnthctl_el2, x2
        msr     cntvoff_el2, xzr
        ldr     x2, =0x33ff
        msr     cptr_el2, x2
        msr     hstr_el2, xzr
        mrs     x2, midr_el1
        msr     vpidr_el2, x2
        mrs     x2, mpidr_el1
        msr     vmpidr_el2, x2
        mrs     x2, id_aa64pfr0_el1
        ubfx    x2, x2, #24, #4                 // GIC: system registers
        cbz     x2, 1f
        mov     x2, #0xf                        // ICC_SRE_EL2.{Enable, DIB, DFB, SRE}
        msr     icc_sre_el2, x2
        isb
        msr     ich_hcr_el2, xzr
1:      ldr     x2, =0x30d00800
        msr     sctlr_el1, x2
        mov     x2, #EL1H
        msr     spsr_el2, x2
        msr     elr_el2, x0
        ic      iallu
        dsb     sy
        isb
        mov     x0, x1
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        eret

shim_lost:
        wfi
        b       shim_lost
`;

const DATA = `
        .rodata
text_shim:    .asciz "psci-shim: PSCI by HVC\\r\\n"
text_stopped: .asciz "psci-shim: stopped: "
text_level:   .asciz "not entered at EL2"
text_kernel:  .asciz "there is no kernel"
        .bss
        .balign 64
vars:   .space  VARS_SIZE
        .balign 64
records:
        .space  SHIM_SIZE * CORES_MOST
        .balign 16
stacks: .space  SHIM_STACK * CORES_MOST
        .balign 64
tree_copy:
        .space  TREE_ROOM
        .balign 4096
image_end:
`;

/** The shim's sources in order. */
export function psciShimSources(mutant?: ShimMutant): readonly Source[] {
  return [
    { name: "psci_shim", text: sharedEquates(SHIM_KERNEL_AT) + EQUATES + ENTRY + psciAnswers(mutant) },
    deviceTreeReader("spin-table"),
    coresText(),
    deviceTreeWriter("psci"),
    CONSOLE,
    { name: "data", text: DATA },
  ];
}

/** The shim, an arm64 Image at PSCI_SHIM_AT; its memory stays its own. Labels of interest: `records`, `shim_secondary`. */
export function psciShim(mutant?: ShimMutant): Program {
  return assembleProgram(psciShimSources(mutant), { name: "psci_shim", base: BigInt(PSCI_SHIM_AT) });
}
