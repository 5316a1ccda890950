/** A64 code that leaves a loader's address space and enters a Linux arm64 image (Documentation/arm64/booting.rst). */
import type { Source } from "../../machine/a64/program.ts";
import { SECURE_FIRMWARE } from "./secure_firmware.ts";
import type { LoaderLevel } from "./translation_layout.ts";

/** Offset of `image_size` in the header of an arm64 image. */
const IMAGE_SIZE_AT = 16;

/** SCTLR_ELx.I, C and M. */
const SCTLR_CACHES_MMU = 0x1005;

/** TLBI of everything of a level's own regime. */
const TLBI_ALL: Readonly<Record<LoaderLevel, string>> = { 1: "vmalle1", 2: "alle2", 3: "alle3" };

/** The instruction that drops all translations of a level's own regime on this CPU. */
export function tlbiAll(level: LoaderLevel): string {
  return `tlbi    ${TLBI_ALL[level]}`;
}

/** From EL1 and EL2 the kernel is entered where the loader is. */
const ENTER = `
        mov     x0, x20
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        br      x21
`;

/** SCR_EL3: RW, HCE, RES1 bits and NS. */
const SCR = 0x531;
/** SPSR_EL3 with D, A, I and F masked, and SP_ELx. */
const EL2H = 0x3c9, EL1H = 0x3c5;

/** From EL3 it is entered at EL2, or EL1 where there is no EL2, with all interrupts in Group 1 of a GICv2. */
const ENTER_FROM_EL3 = `
        .equ    GICD, 0x08000000
        .equ    GICC, 0x08010000
        adr     x0, psci_vectors
        msr     vbar_el3, x0
        mov     x0, #${SCR}
        msr     scr_el3, x0
        msr     cptr_el3, xzr
        msr     mdcr_el3, xzr
        ldr     x0, =GICD
        ldr     w1, [x0, #4]                    // GICD_TYPER.ITLinesNumber: words of 32 interrupts, less one
        and     w1, w1, #31
        mov     w2, #-1
        add     x3, x0, #0x80
1:      str     w2, [x3], #4                    // GICD_IGROUPRn
        subs    w1, w1, #1
        b.pl    1b
        mov     w1, #3
        str     w1, [x0]                        // GICD_CTLR: both groups
        ldr     x0, =GICC
        mov     w1, #0xff
        str     w1, [x0, #4]                    // GICC_PMR: from 0x80 on it is the kernel's to change
        mov     x2, #${EL1H}
        mrs     x0, id_aa64pfr0_el1
        tst     x0, #0xf00
        b.eq    2f
        mov     x2, #${EL2H}
        mov     x0, #0x80000000
        msr     hcr_el2, x0                     // EL1 is AArch64
        msr     cntvoff_el2, xzr
        ldr     x0, =0x30c50830
        msr     sctlr_el2, x0
2:      ldr     x0, =0x30d00800
        msr     sctlr_el1, x0
        msr     spsr_el3, x2
        msr     elr_el3, x21
        isb
        mov     x0, x20
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        eret
`;

/**
 * `start_kernel`, for a loader at `level`, which never returns: x0 = physical address of the device tree, x1 = of the
 * kernel image, x2 = first address and x3 = bytes of the loader itself. It must be entered at its physical address, with
 * the MMU off or the loader mapped there too; position-independent, uses no stack and no data. The MMU and caches go
 * off, kernel, tree and loader are cleaned and invalidated to the Point of Coherency, stale translations and
 * instructions dropped. At EL3 it leaves PSCI behind (`SECURE_FIRMWARE`): then the loader's memory stays its own.
 */
export function kernelStart(level: LoaderLevel): readonly Source[] {
  const text = `
start_kernel:
        msr     daifset, #15
        mov     x20, x0
        mov     x21, x1
        dsb     sy
        mrs     x0, sctlr_el${level}
        ldr     x1, =${SCTLR_CACHES_MMU}
        bic     x0, x0, x1
        msr     sctlr_el${level}, x0
        isb
        bl      clean_range
        mov     x2, x21
        ldr     x3, [x21, #${IMAGE_SIZE_AT}]
        bl      clean_range
        mov     x2, x20
        ldr     w3, [x20, #4]                   // totalsize, big-endian
        rev     w3, w3
        bl      clean_range
        ic      iallu
        ${tlbiAll(level)}
        dsb     sy
        isb
${level === 3 ? ENTER_FROM_EL3 : ENTER}
        .ltorg

// Cleans and invalidates x3 bytes from x2 on, to the Point of Coherency; changes x0 to x3.
clean_range:
        mrs     x0, ctr_el0
        ubfx    x0, x0, #16, #4                 // DminLine: log2 of words
        mov     x1, #4
        lsl     x1, x1, x0
        add     x3, x2, x3
        sub     x0, x1, #1
        bic     x2, x2, x0
1:      dc      civac, x2
        add     x2, x2, x1
        cmp     x2, x3
        b.lo    1b
        dsb     sy
        ret
`;
  return [{ name: "kernel_start", text }, ...(level === 3 ? [SECURE_FIRMWARE] : [])];
}
