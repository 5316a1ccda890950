/**
 * The runtime of a realm that carries a program: a kernel at EL1 with pages of 4 KiB that has the program at EL0 and answers its
 * services. A program that comes from elsewhere is put into its pool and its context by the monitor.
 *
 * Link address 0x40080000, entry at its first byte at EL1. Needs a PL011, 10 MiB of RAM, and a monitor at EL2 that hosts
 * programs, which it calls by HVC: #0 with X0 = 0xc6000060 there is a program (X1 image, X2 bytes, X3 pool, X4 bytes), 0xc6000061
 * wait for one (X1 context, X3, X4), 0xc6000062 it ended; #1 the instruction at ELR_EL1 is UNDEFINED here; #2 the program waits.
 */
import { assembleProgram } from "../../machine/a64/program.ts";

/** The pool, the context (header, then registers) and how much of the window there are tables for. */
const SOURCE = `
        .equ    UART, 0x09000000
        .equ    POOL, 0x40400000
        .equ    POOL_BYTES, 0x400000
        .equ    WINDOW, 0x4000000000
        .equ    REGISTERS, 0x200
start:  adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x0, #(3 << 20)
        msr     CPACR_EL1, x0
        ldr     x0, =stack_top
        mov     sp, x0
        ldr     x19, =UART
        mov     w0, #0x301
        str     w0, [x19, #0x30]
        // Tables: devices and RAM for EL1 alone by blocks of 1 GiB, the window by pages.
        ldr     x1, =root
        ldr     x0, =(1 | 1 << 10 | 3 << 53)
        str     x0, [x1]
        ldr     x0, =(0x40000000 | 1 | 1 << 2 | 3 << 8 | 1 << 10 | 1 << 54)
        str     x0, [x1, #8]
        ldr     x2, =middle
        orr     x0, x2, #3
        str     x0, [x1, #0x800]
        ldr     x3, =leaves
        mov     x4, #4
1:      orr     x0, x3, #3
        str     x0, [x2], #8
        add     x3, x3, #1, lsl #12
        subs    x4, x4, #1
        b.ne    1b
        ldr     x0, =0xff04
        msr     MAIR_EL1, x0
        ldr     x0, =(25 | 25 << 16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 30)
        msr     TCR_EL1, x0
        msr     TTBR0_EL1, x1
        dsb     sy
        isb
        tlbi    vmalle1
        dsb     sy
        isb
        ldr     x0, =0x30d01805                 // EL0 has no WFI, WFE, CTR_EL0, DC ZVA
        msr     SCTLR_EL1, x0
        isb
        mov     x0, #(2 | 1 << 2 | 9 << 4)      // EL0 reads CNTVCT_EL0; an event each 16 µs
        msr     CNTKCTL_EL1, x0
        ldr     x20, =context
        ldr     x21, =POOL
        ldr     x2, =IMAGE_BYTES
        cbz     x2, await
        // A new program: header, contents, first registers.
        ldr     x22, =image
        mov     x0, #0
2:      ldr     x1, [x22, x0]
        str     x1, [x20, x0]
        add     x0, x0, #8
        cmp     x0, #0x200
        b.ne    2b
        ldr     x0, [x22, #0x10]
        str     x0, [x20, #REGISTERS + 31 * 8]  // SP_EL0
        ldr     x0, [x22, #8]
        str     x0, [x20, #REGISTERS + 36 * 8]  // PC
        ldr     x23, [x22, #0x18]
        add     x24, x22, #0x80
        mov     x25, x21
3:      ldp     x1, x2, [x24]
        ldr     x3, [x24, #0x10]
        cmn     x3, #1
        b.eq    5f
        add     x4, x22, x3
        mov     x5, #0
4:      ldr     x6, [x4, x5]
        str     x6, [x25, x5]
        add     x5, x5, #8
        cmp     x5, x2
        b.ne    4b
5:      add     x25, x25, x2
        add     x24, x24, #0x20
        subs    x23, x23, #1
        b.ne    3b
        ldr     x0, =0xc6000060
        mov     x1, x22
        ldr     x2, =IMAGE_BYTES
        mov     x3, x21
        ldr     x4, =POOL_BYTES
        hvc     #0
        cbz     x0, run
        mov     w6, #'R'
        neg     x7, x0
        add     w7, w7, #'0'
        b       told
await:  ldr     x0, =0xc6000061
        mov     x1, x20
        mov     x3, x21
        ldr     x4, =POOL_BYTES
        hvc     #0
run:    // Pages of the ranges one behind the other, from the pool.
        ldr     x23, [x20, #0x18]
        add     x24, x20, #0x80
        ldr     x1, =leaves
        ldr     x5, =WINDOW
6:      ldp     x2, x3, [x24]
        ldr     x4, [x24, #0x18]
        ldr     x6, =(3 | 1 << 2 | 3 << 6 | 3 << 8 | 1 << 10 | 1 << 53)
        cmp     x4, #1
        b.eq    7f
        ldr     x6, =(3 | 1 << 2 | 1 << 6 | 3 << 8 | 1 << 10 | 3 << 53)
7:      sub     x2, x2, x5
        lsr     x2, x2, #9
8:      orr     x7, x21, x6
        str     x7, [x1, x2]
        add     x2, x2, #8
        add     x21, x21, #1, lsl #12
        subs    x3, x3, #1, lsl #12
        b.ne    8b
        add     x24, x24, #0x20
        subs    x23, x23, #1
        b.ne    6b
        dsb     sy
        ic      iallu
        tlbi    vmalle1
        dsb     sy
        isb
        add     x30, x20, #REGISTERS
        ldp     x0, x1, [x30, #31 * 8]
        msr     SP_EL0, x0
        msr     TPIDR_EL0, x1
        ldp     x0, x1, [x30, #33 * 8]
        msr     TPIDRRO_EL0, x0
        msr     FPCR, x1
        ldp     x0, x1, [x30, #35 * 8]
        msr     FPSR, x0
        msr     ELR_EL1, x1
        ldr     x0, [x30, #37 * 8]
        orr     x0, x0, #0x3c0
        msr     SPSR_EL1, x0
        add     x1, x30, #38 * 8
${vectorPairs()}
${generalPairs()}
        eret
lower:  stp     x0, x1, [sp, #-16]!
        mrs     x0, ESR_EL1
        lsr     x1, x0, #26
        cmp     x1, #0x15
        b.eq    service
        cbz     x1, undefined
        cmp     x1, #1
        b.ne    fault
        mrs     x0, ELR_EL1                     // WFI, WFE: nothing to wait for
        add     x0, x0, #4
        msr     ELR_EL1, x0
back:   ldp     x0, x1, [sp], #16
        eret
undefined:
        ldp     x0, x1, [sp], #16
        hvc     #1
        mov     x1, #0                          // nobody knew it
        b       fault
service:
        and     x0, x0, #0xffff
        cmp     x0, #1
        b.eq    output
        cmp     x0, #2
        b.eq    wait
        cbz     x0, done
        b       fault
wait:   ldr     x0, [sp]
        mrs     x1, CNTVCT_EL0
        cmp     x0, x1
        b.ls    back
        mrs     x1, ELR_EL1                     // it asks again
        sub     x1, x1, #4
        msr     ELR_EL1, x1
        ldp     x0, x1, [sp], #16
        hvc     #2
        sevl
        wfe
        wfe
        eret
output: stp     x2, x3, [sp, #-16]!
        ldp     x0, x1, [sp, #16]
        sub     x2, x1, #1
        cmp     x2, #32
        b.hs    unknown
        add     x2, x0, x2
        ldtrb   w3, [x0]                        // either faults before anything is shown
        ldtrb   w3, [x2]
        ldr     x2, =UART
9:      ldtrb   w3, [x0]
        str     w3, [x2]
        add     x0, x0, #1
        subs    x1, x1, #1
        b.ne    9b
        ldp     x2, x3, [sp], #16
        b       back
unknown:
        mov     x1, #0x15
        b       fault
same:   mov     x1, #0x15                       // what the program gave could not be read
fault:  mov     w6, #'F'
        add     w7, w1, #'@'
        b       told
done:   mov     w6, #'.'
        mov     w7, #0
told:   ldr     x19, =UART
        str     w6, [x19]
        cbz     w7, 1f
        str     w7, [x19]
1:      ldr     x0, =0xc6000062
        hvc     #0
        msr     CNTKCTL_EL1, xzr
2:      wfi
        b       2b
        .align  11
vectors:
        .org    vectors + 0x200
        b       same
        .org    vectors + 0x400
        b       lower
        .org    vectors + 0x800
        .ltorg
        .align  12
root:   .skip   0x1000
middle: .skip   0x1000
leaves: .skip   0x4000
context:
        .skip   0x1000
        .skip   0x1000
stack_top:
image:
`;

/** Loads V0 to V31 from X1. */
function vectorPairs(): string {
  const pairs = Array.from({ length: 16 }, (_, at) => `ldp q${2 * at}, q${2 * at + 1}, [x1, #${32 * at}]`);
  return pairs.join("\n");
}

/** Loads X0 to X30 from X30. */
function generalPairs(): string {
  const pairs = Array.from({ length: 15 }, (_, at) => `ldp x${2 * at}, x${2 * at + 1}, [x30, #${16 * at}]`);
  return [...pairs, "ldr x30, [x30, #240]"].join("\n");
}

/** The runtime with a program's image, or for one that comes from elsewhere. */
export function enclaveRuntime(image: Uint8Array<ArrayBuffer> = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  const source = image.length === 0 ? SOURCE : `${SOURCE}        .incbin "image"\n`;
  return assembleProgram(source, {
    ...{ name: "enclave runtime", base: 0x40080000n },
    symbols: { IMAGE_BYTES: BigInt(image.length) },
    ...image.length === 0 ? {} : { files: { image } },
  }).bytes;
}
