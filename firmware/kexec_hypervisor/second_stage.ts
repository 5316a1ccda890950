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

/** Devices that go on writing memory would write into the hypervisor's. x21 to x25 are its own. */
const QUIESCE = `
quiesce:
        mov     x27, x30
        add     x21, x19, #BI_DEVICES
        ldr     x22, [x19, #BI_DEVICE_COUNT]
1:      cbz     x22, 2f
        ldp     x0, x24, [x21], #DEVICE_SIZE
        sub     x22, x22, #1
        cmp     x0, #DEVICE_ECAM
        b.eq    3f
        // virtio-mmio: a status that is not 0 is a driver's; writing 0 resets the device (virtio 1.1, 4.2.2).
        ldr     w0, [x24]
        ldr     w1, =VIRTIO_MAGIC
        cmp     w0, w1
        b.ne    1b
        ldr     w0, [x24, #0x70]
        cbz     w0, 1b
        adr     x0, text_virtio
        bl      told
        str     wzr, [x24, #0x70]
        dsb     sy
        ldr     w0, [x24, #0x70]
        cbz     w0, 1b
        b       stubborn
2:      ret     x27
        // PCI: bit 2 of the command register of each function of bus 0.
3:      mov     x25, #256
4:      ldr     w0, [x24]
        cmn     w0, #1                          // nobody answers
        b.eq    5f
        ldr     w0, [x24, #4]
        tbz     w0, #2, 5f
        adr     x0, text_pci
        bl      told
        ldr     w0, [x24, #4]
        bic     w0, w0, #4
        strh    w0, [x24, #4]
        dsb     sy
        ldrh    w0, [x24, #4]
        tbnz    w0, #2, stubborn
5:      add     x24, x24, #1, lsl #12
        subs    x25, x25, #1
        b.ne    4b
        b       1b
stubborn:
        adr     x2, text_stubborn
        b       refuse

// Says what is at x0, and the address x24.
told:   mov     x28, x30
        bl      put_text
        mov     x0, x24
        bl      put_hex
        bl      end_line
        ret     x28
        .ltorg
`;

/** Digests; the measurement is SHA-256 of the one before and the segment's digest, from zeros on. */
const VERIFY = `
verify: mov     x27, x30
        add     x21, x19, #BI_SEGMENTS
        ldr     x22, [x19, #BI_SEGMENT_COUNT]
        stp     xzr, xzr, [x19, #BI_MEASUREMENT]
        stp     xzr, xzr, [x19, #(BI_MEASUREMENT + 16)]
1:      cbz     x22, 2f
        adr     x0, text_segment
        bl      put_text
        add     x0, x21, #SEGMENT_NAME
        bl      put_text
        adr     x0, text_at
        bl      put_text
        ldr     x0, [x21, #SEGMENT_ADDRESS]
        bl      put_hex
        ldp     x0, x1, [x21]
        adr     x2, digest
        adrp    x3, work
        add     x3, x3, :lo12:work
        bl      sha256
        adr     x2, text_mismatch
        adr     x0, digest
        add     x1, x21, #SEGMENT_DIGEST
        mov     x3, #4
3:      ldr     x4, [x0], #8
        ldr     x5, [x1], #8
        cmp     x4, x5
        b.ne    refuse
        subs    x3, x3, #1
        b.ne    3b
        adr     x0, text_verified
        bl      put_text
        // The measurement's bytes and the digest's, one after the other.
        adr     x0, measured
        ldp     x1, x2, [x19, #BI_MEASUREMENT]
        stp     x1, x2, [x0]
        ldp     x1, x2, [x19, #(BI_MEASUREMENT + 16)]
        stp     x1, x2, [x0, #16]
        mov     x1, #64
        add     x2, x19, #BI_MEASUREMENT
        adrp    x3, work
        add     x3, x3, :lo12:work
        bl      sha256
        add     x21, x21, #SEGMENT_SIZE
        sub     x22, x22, #1
        b       1b
2:      adr     x0, text_measurement
        bl      put_text
        add     x21, x19, #BI_MEASUREMENT
        mov     x22, #4
4:      ldr     x0, [x21], #8
        rev     x0, x0
        bl      put_hex
        mov     w0, #' '
        strb    w0, [x26]
        subs    x22, x22, #1
        b.ne    4b
        bl      end_line
        ret     x27
`;

/** Moves go upward, so that one may go down onto itself; all of it is cleaned, since caches are off now. */
const RELOCATE = `
relocate:
        add     x21, x19, #BI_MOVES
        ldr     x22, [x19, #BI_MOVE_COUNT]
1:      cbz     x22, 2f
        ldp     x0, x1, [x21]
        ldp     x2, x3, [x21, #16]
        add     x5, x1, x3                      // end with zeros
        add     x2, x1, x2                      // end of what is moved
        mov     x6, x1
3:      cmp     x1, x2
        b.hs    4f
        ldp     x7, x8, [x0], #16
        stp     x7, x8, [x1], #16
        b       3b
4:      sub     x7, x1, x2                      // 0 to 15 bytes too many
5:      cbz     x7, 6f
        strb    wzr, [x1, #-1]!
        sub     x7, x7, #1
        b       5b
6:      tst     x1, #7
        b.eq    7f
        cmp     x1, x5
        b.hs    8f
        strb    wzr, [x1], #1
        b       6b
7:      cmp     x1, x5
        b.hs    8f
        str     xzr, [x1], #8
        b       7b
8:      dsb     sy
        mrs     x7, ctr_el0
        ubfx    x7, x7, #16, #4
        mov     x8, #4
        lsl     x8, x8, x7
9:      dc      civac, x6
        add     x6, x6, x8
        cmp     x6, x5
        b.lo    9b
        add     x21, x21, #MOVE_SIZE
        sub     x22, x22, #1
        b       1b
2:      dsb     sy
        ic      iallu
        dsb     sy
        isb
        ret
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
