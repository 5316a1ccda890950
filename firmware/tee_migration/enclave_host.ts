/**
 * The normal world of an enclave: a guest at EL1 that makes it, runs it, shows what it shows, and has a timer's interrupts
 * meanwhile.
 *
 * Link address 0x40080000, entry at its first byte at EL1 or EL2. Needs a GICv2, the virtual timer (INTID 27), a PL011, and a
 * monitor at EL3 with enclaves.
 */
import { assembleProgram } from "../../machine/a64/program.ts";

/** Makes the enclave if there is an image, and runs whatever is there for ever; 30 µs between interrupts. */
const SOURCE = `
        .equ    UART, 0x09000000
        .equ    GICD, 0x08000000
        .equ    GICC, 0x08010000
        .equ    PERIOD, 1875
start:  mrs     x0, CurrentEL
        cmp     x0, #8
        b.ne    1f
        mov     x0, #(1 << 31)
        msr     HCR_EL2, x0
        msr     CNTVOFF_EL2, xzr
        mov     x0, #0x3c5
        msr     SPSR_EL2, x0
        adr     x0, 1f
        msr     ELR_EL2, x0
        eret
1:      adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x0, #(3 << 20)
        msr     CPACR_EL1, x0
        ldr     x19, =UART
        mov     w0, #0x301
        str     w0, [x19, #0x30]
        ldr     x20, =GICD
        ldr     x21, =GICC
        mov     w0, #1
        str     w0, [x20]
        mov     w0, #0x08000000
        str     w0, [x20, #0x100]
        mov     w0, #1
        str     w0, [x21]
        mov     w0, #0xff
        str     w0, [x21, #4]
        ldr     x22, =buffer
        mov     x23, #0                         // interrupts
        mrs     x0, CNTVCT_EL0
        add     x0, x0, #PERIOD
        msr     CNTV_CVAL_EL0, x0
        mov     x0, #1
        msr     CNTV_CTL_EL0, x0
        ldr     x0, =0xf2000001                 // create
        ldr     x1, =image
        ldr     x2, =IMAGE_BYTES
        cbz     x2, run
        smc     #0
        cbz     x0, run
        b       refused
run:    msr     DAIFClr, #2
        ldr     x0, =0x72000002                 // enter
        smc     #0
        cmp     x0, #5
        b.hs    away
        adr     x6, reasons
        ldrsw   x7, [x6, x0, lsl #2]
        add     x6, x6, x7
        br      x6
        .align  2
reasons:
        .word   done - reasons, shown - reasons, run - reasons, idle - reasons, faulted - reasons
away:   cmn     x0, #4                          // busy, or gone: it may come back
        b.eq    idle
        cmn     x0, #5
        b.ne    refused
idle:   wfi
        b       run
shown:  stp     x2, x3, [x22]
        stp     x4, x5, [x22, #16]
        mov     x6, #0
2:      ldrb    w7, [x22, x6]
        .if     BUFFERED
        ldr     x8, [x22, #0x50]
        add     x9, x22, #0x80
        strb    w7, [x9, x8]
        add     x8, x8, #1
        str     x8, [x22, #0x50]
        .else
        str     w7, [x19]
        .endif
        add     x6, x6, #1
        cmp     x6, x1
        b.lo    2b
        b       run
done:   msr     DAIFSet, #2
        msr     CNTV_CTL_EL0, xzr
        .if     BUFFERED
        mov     w7, #'<'
        str     w7, [x19]
        ldr     x8, [x22, #0x50]
        add     x9, x22, #0x80
        mov     x6, #0
5:      ldrb    w7, [x9, x6]
        str     w7, [x19]
        add     x6, x6, #1
        cmp     x6, x8
        b.lo    5b
        .endif
        mov     w7, #'.'
        str     w7, [x19]
3:      wfi
        b       3b
faulted:
        add     w7, w1, #'@'                    // the exception class as a letter
        mov     w6, #'F'
        b       4f
refused:
        neg     x7, x0
        add     w7, w7, #'0'
        mov     w6, #'R'
4:      msr     DAIFSet, #2
        msr     CNTV_CTL_EL0, xzr
        str     w6, [x19]
        str     w7, [x19]
        b       3b
tick:   stp     x0, x1, [x22, #0x40]
        ldr     w1, [x21, #0xc]
        mrs     x0, CNTVCT_EL0
        add     x0, x0, #PERIOD
        msr     CNTV_CVAL_EL0, x0
        add     x23, x23, #1
        str     w1, [x21, #0x10]
        ldp     x0, x1, [x22, #0x40]
        eret
        .align  11
vectors:
        .org    vectors + 0x280
        b       tick
        .org    vectors + 0x800
buffer: .skip   0x100
        .align  12
image:
`;

/** How the guest is made. */
export interface EnclaveHostOptions {
  /** Link address (default 0x40080000). */
  readonly base?: bigint;
  /** What the enclave shows is written when it has ended, behind a `<` (default false). */
  readonly isBuffered?: boolean;
}

/** The guest with an image, or for one that comes from elsewhere. */
export function enclaveHost(
  image: Uint8Array<ArrayBuffer> = new Uint8Array(0),
  { base = 0x40080000n, isBuffered = false }: EnclaveHostOptions = {},
): Uint8Array<ArrayBuffer> {
  const source = image.length === 0 ? SOURCE : `${SOURCE}        .incbin "image"\n`;
  return assembleProgram(source, {
    ...{ name: "enclave host", base },
    symbols: { IMAGE_BYTES: BigInt(image.length), BUFFERED: isBuffered ? 1n : 0n },
    ...image.length === 0 ? {} : { files: { image } },
  }).bytes;
}

/** A loader that starts CPU 1 at an address by PSCI, and goes to a kernel with the device tree that it was given. */
export function besideKernel(host: bigint, kernel: bigint): Uint8Array<ArrayBuffer> {
  return assembleProgram(
    `
start:  mov     x20, x0
        ldr     x0, =0xc4000003
        mov     x1, #1
        ldr     x2, =${host}
        mov     x3, #0
        smc     #0
        mov     x0, x20
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        ldr     x4, =${kernel}
        br      x4
`,
    { name: "loader", base: 0x40080000n },
  ).bytes;
}
