/**
 * The second stage of kexec-hypervisor (US20230325223A1): what Linux enters after its copy, and what enters the hypervisor.
 *
 * Position-independent, put on a page of its own; entered at its first byte with the MMU off, by Linux's kexec with x0 to x3
 * zero, which tells it nothing: the boot info follows the code, and is found PC-relative. At EL1 there is no place for a hypervisor:
 * it says so and resets by PSCI. At EL2 it leaves the host's state behind (HCR_EL2.E2H of a VHE host among it), quiets
 * what still masters the bus, computes SHA-256 of each segment and refuses the first that differs, moves what was staged,
 * cleans it to the Point of Coherency, and enters the hypervisor with x0 and x1 as the boot info says. Needs the PL011
 * and, to refuse, PSCI; an exception is told and resets too.
 */
import { assembleProgram, type Program, type Source } from "../../machine/a64/program.ts";
import { CONSOLE } from "../loader/console.ts";
import { BOOT_INFO_EQUATES, BOOT_INFO_SIZE } from "./layout.ts";
import { QUIESCE, RELOCATE, VERIFY } from "./second_stage_steps.ts";
import { SHA256, SHA256_WORK } from "./sha256.ts";

const EQUATES = `
${BOOT_INFO_EQUATES}
        .equ    SYSTEM_RESET, 0x84000009
        .equ    HCR_RW, 0x80000000
        .equ    SCTLR_OFF, 0x30c50830           // RES1 bits of E2H = 0: MMU, caches off
        .equ    CPTR_NONE, 0x33ff               // nothing of SIMD is trapped
        .equ    VIRTIO_MAGIC, 0x74726976
`;

/** Entry, level and state. x19 = boot info, x26 = PL011. */
const ENTRY = `
second_stage:
        msr     daifset, #15
        adr     x19, boot_info
        adrp    x0, second_stage_stack
        add     x0, x0, :lo12:second_stage_stack
        mov     sp, x0
        ldr     x26, [x19, #BI_UART]
        ldr     x0, [x19, #BI_MAGIC]
        ldr     x1, =BI_MAGIC_VALUE
        adr     x2, text_no_info
        cmp     x0, x1
        b.ne    refuse
        mrs     x20, currentel
        lsr     x20, x20, #2
        adr     x0, text_entered
        bl      put_text
        add     w0, w20, #'0'
        strb    w0, [x26]
        adr     x2, text_no_el2
        cmp     x20, #2
        b.ne    refuse
        mrs     x20, hcr_el2
        adr     x0, text_nvhe
        adr     x1, text_vhe
        tst     x20, #(1 << 34)                 // E2H
        csel    x0, x0, x1, eq
        bl      put_text
        // TLBs and registers of the host's regime mean something else from here on.
        ldr     x0, =HCR_RW
        msr     hcr_el2, x0
        isb
        ldr     x0, =SCTLR_OFF
        msr     sctlr_el2, x0
        mov     x0, #CPTR_NONE
        msr     cptr_el2, x0
        msr     hstr_el2, xzr
        mrs     x0, mdcr_el2
        and     x0, x0, #31                     // HPMN stays
        msr     mdcr_el2, x0
        mov     x0, #3                          // EL1PCTEN, EL1PCEN
        msr     cnthctl_el2, x0
        msr     cntvoff_el2, xzr
        msr     cnthp_ctl_el2, xzr
        msr     vttbr_el2, xzr
        mrs     x0, midr_el1
        msr     vpidr_el2, x0
        mrs     x0, mpidr_el1
        msr     vmpidr_el2, x0
        adr     x0, vectors
        msr     vbar_el2, x0
        isb
        ic      iallu
        tlbi    alle2
        tlbi    alle1
        dsb     sy
        isb
        bl      quiesce
        bl      verify
        bl      relocate
launch: adr     x0, text_launch
        bl      put_text
        ldr     x0, [x19, #BI_ENTRY]
        bl      put_hex
        bl      end_line
        ldr     x4, [x19, #BI_ENTRY]
        ldr     x0, [x19, #BI_X0]
        ldr     x1, [x19, #BI_X1]
        mov     x2, xzr
        mov     x3, xzr
        dsb     sy
        isb
enter_hypervisor:
        br      x4
        .ltorg

end_line:
        mov     w0, #'\\n'
        strb    w0, [x26]
        ret

// Says what is at x2, and resets the machine.
refuse: mov     x20, x2
        adr     x0, text_refused
        bl      put_text
        mov     x0, x20
        bl      put_text
        bl      end_line
reset:  ldr     w0, =SYSTEM_RESET
        ldr     x1, [x19, #BI_CONDUIT]
        cbnz    x1, 1f
        smc     #0
1:      hvc     #0
2:      wfi
        b       2b
        .ltorg
`;

const TEXTS = String.raw`
text_entered:     .asciz "second stage: entered at EL"
text_nvhe:        .asciz ", of a host at EL1\n"
text_vhe:         .asciz ", of a VHE host\n"
text_refused:     .asciz "\nsecond stage: refused: "
text_no_info:     .asciz "no boot info behind the code"
text_no_el2:      .asciz "a hypervisor needs EL2, and the host was not entered there"
text_mismatch:    .asciz "SHA-256 of this segment is not the manifest's"
text_stubborn:    .asciz "this device masters the bus and does not stop"
text_exception:   .asciz "an exception, ESR_EL2 and ELR_EL2 above"
text_virtio:      .asciz "second stage: quiet: virtio-mmio "
text_pci:         .asciz "second stage: quiet: bus master "
text_segment:     .asciz "second stage: segment "
text_at:          .asciz " at "
text_verified:    .asciz " verified\n"
text_measurement: .asciz "second stage: measurement "
text_launch:      .asciz "second stage: launch "
`;

const VECTORS = `
        .balign 2048
vectors:
        .rept   16
        b       exception
        .balign 128
        .endr
exception:
        mrs     x0, esr_el2
        bl      put_hex
        bl      end_line
        mrs     x0, elr_el2
        bl      put_hex
        bl      end_line
        adr     x2, text_exception
        b       refuse
`;

/** The boot info's place, and memory to work in. */
const DATA = `
        .balign 16
measured:
        .space  32                              // the measurement before, and what it is extended with:
digest: .space  32
boot_info:
        .space  ${BOOT_INFO_SIZE}
        .balign 16
work:   .space  ${SHA256_WORK}
        .space  1024
second_stage_stack:
second_stage_end:
`;

const sources: readonly Source[] = [
  { name: "second_stage", text: EQUATES + ENTRY },
  CONSOLE,
  { name: "quiesce", text: QUIESCE },
  { name: "verify", text: VERIFY },
  { name: "relocate", text: RELOCATE },
  SHA256,
  { name: "second_stage_data", text: TEXTS + VECTORS + DATA },
];

let assembled: Program | undefined;

/** The second stage, for any page: `symbols` has `boot_info`, the place of what `bootInfoBytes` gives, and `enter_hypervisor`. */
export function secondStageProgram(): Program {
  return assembled ??= assembleProgram(sources, { name: "second_stage", base: 0n });
}

/** The second stage with a boot info in its place. */
export function secondStageBytes(bootInfo: Uint8Array): Uint8Array<ArrayBuffer> {
  const { bytes, symbols } = secondStageProgram(), filled = bytes.slice();
  filled.set(bootInfo, Number(symbols.get("boot_info")));
  return filled;
}
