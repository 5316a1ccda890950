/**
 * Programs that TEEs of both types carry: at EL0, linked at 0x4000000000, with services by SVC (0 exit with X0, 1 show X1 bytes
 * at X0, 2 wait for a count in X0 of CNTVCT_EL0), as images with the header that says what they need.
 */
import { assembleProgram } from "../../machine/a64/program.ts";

/** First address of programs. */
export const PROGRAM_BASE = 0x40_0000_0000n;
const HEADER_BYTES = 0x200, PAGE = 0x1000, FLAG_SHIMS = 1n, FLAG_CROSSES = 2n;
/** Bytes of data: variables, 16 KiB that are worked on, stack. */
const DATA_BYTES = 0x6000n;

/** What is said of a program beside its code. */
export interface ImageOptions {
  /** Extensions that it needs. */
  readonly features?: string;
  /** What is lacking may be emulated (default false). */
  readonly allowsShims?: boolean;
  /** It may go to TEEs of the other type (default true). */
  readonly crossesTypes?: boolean;
  /** Where its data are behind its first address (default 64 KiB, so that every granule keeps them apart). */
  readonly dataAt?: bigint;
}

/** Bytes that only the ticker knows, which are in its data from 0x100 on: no image has them. */
export const ENCLAVE_CANARY: string = "5ec2e7c0ffee0123deadbeef8badf00d1badb002feedfacecafed00d0ddba11a";

/** Words that are the canary when they are put together by EOR. */
const MASK = 0xa5a5_5a5a_c3c3_3c3cn;
function canaryWord(index: number): string {
  const bytes = Uint8Array.fromHex(ENCLAVE_CANARY.slice(index * 16, index * 16 + 16));
  return `0x${(new DataView(bytes.buffer).getBigUint64(0, true) ^ MASK).toString(16)}`;
}

const HEX_OUTPUT = `
// Shows X0 as 16 digits: X1 to X5 are lost.
put_hex:
        add     x1, x19, #0x40
        mov     x2, #16
1:      ror     x0, x0, #60
        and     x3, x0, #15
        add     x4, x3, #'0'
        add     x5, x3, #'a' - 10
        cmp     x3, #10
        csel    x4, x4, x5, lo
        strb    w4, [x1], #1
        subs    x2, x2, #1
        b.ne    1b
        add     x0, x19, #0x40
        mov     x1, #16
        svc     #1
        ret
`;

/**
 * Works with SHA-256's instructions on 16 KiB of memory, and every 200 µs of its own time shows a letter that depends on all
 * before, by memory, vector registers, general registers, flags, TPIDR_EL0 and FPCR; after 26 letters a checksum. It shows ! when its
 * counter went back, or on by more than 4 ms.
 */
export const TICKER_SOURCE: string = `
        .equ    PERIOD, 12500
start:  ldr     x19, =DATA
        ldr     x20, =${MASK}
        adr     x0, hidden
        add     x1, x19, #0x100
        mov     x2, #4
1:      ldr     x3, [x0], #8
        eor     x3, x3, x20
        str     x3, [x1], #8
        subs    x2, x2, #1
        b.ne    1b
        mov     x3, #0
        ldp     q30, q31, [x19, #0x100]
        movi    v8.16b, #1
        mov     x0, #(3 << 22)                  // round to zero
        msr     FPCR, x0
        fmov    d9, #1.0
        fmov    d10, #3.0
        mov     x0, #0x1234
        msr     TPIDR_EL0, x0
        mov     x23, #0
        mov     x13, #0
        mrs     x24, CNTVCT_EL0
tick:   add     x9, x19, #1, lsl #12
        mov     x10, #0x4000
        mov     x11, #0
2:      add     x12, x9, x11
        ldp     q2, q3, [x12]
        sha256h q0, q1, v2.4s
        sha256h2 q1, q0, v3.4s
        sha256su0 v2.4s, v3.4s
        sha256su1 v3.4s, v0.4s, v1.4s
        fdiv    d9, d9, d10
        fadd    d9, d9, d10
        stp     q3, q0, [x12]
        str     d9, [x12, #8]
        umov    x14, v0.d[0]
        adcs    x13, x13, x14                   // the carry goes around, and through the wait
        add     x11, x11, #32
        sub     x12, x11, x10
        cbnz    x12, 2b
        ldr     x0, =PERIOD
        add     x24, x24, x0
        mov     x0, x24
        svc     #2
        adc     x13, x13, xzr
        mrs     x5, CNTVCT_EL0
        subs    x5, x5, x24
        b.lo    wrong
        lsr     x5, x5, #18
        cbnz    x5, wrong
        add     v8.16b, v8.16b, v8.16b
        umov    w2, v8.b[0]
        umov    w4, v0.s[0]
        mrs     x6, TPIDR_EL0
        add     x6, x6, #3
        msr     TPIDR_EL0, x6
        ldr     w3, [x19]
        add     w3, w3, w2
        add     w3, w3, w4
        add     w3, w3, w6
        add     w3, w3, w23
        add     w3, w3, w13
        str     w3, [x19]
        and     w3, w3, #15
        add     w3, w3, #'a'
shown:  strb    w3, [x19, #0x20]
        add     x0, x19, #0x20
        mov     x1, #1
        svc     #1
        add     x23, x23, #1
        cmp     x23, #26
        b.ne    tick
        umov    x0, v1.d[0]
        eor     x0, x0, x13
        ldp     x1, x2, [x19, #0x100]
        eor     x0, x0, x1
        umov    x2, v31.d[1]
        eor     x0, x0, x2
        fmov    x2, d9
        eor     x0, x0, x2
        mov     x26, x0
        bl      put_hex
        mov     x0, x26
        svc     #0
wrong:  mov     w3, #'!'
        b       shown
        .align  3
hidden: .quad   ${[0, 1, 2, 3].map(canaryWord).join(", ")}
${HEX_OUTPUT}
`;

/**
 * Extensions of `-cpu max` at work: atomics, dot products, SHA-512, SHA-3, flags, conversions; four times each 200 µs, and then
 * a letter that depends on all before; after 26 letters a checksum.
 */
export const EXTENSIONS_SOURCE: string = `
        .equ    PERIOD, 12500
start:  ldr     x19, =DATA
        mov     x23, #26
        mov     x20, #0x5a5a
        mov     x22, #0
        movi    v0.16b, #3
        movi    v1.16b, #5
        movi    v4.16b, #0
        mrs     x24, CNTVCT_EL0
tick:   mov     x25, #4
again:  ldadd   x20, x21, [x19]
        ldeor   w21, w22, [x19]
        swpal   x21, x22, [x19]
        mov     x10, x21
        cas     x10, x20, [x19]
        stp     x20, x21, [x19, #0x80]
        add     x11, x19, #0x80
        mov     x12, x20
        mov     x13, x21
        mov     x14, x22
        mov     x15, x23
        caspal  x12, x13, x14, x15, [x11]
        udot    v4.4s, v0.16b, v1.16b
        sdot    v4.4s, v1.16b, v4.16b
        sha512h q0, q1, v2.2d
        eor3    v1.16b, v0.16b, v4.16b, v1.16b
        rax1    v0.2d, v0.2d, v1.2d
        cmp     x20, x21
        cfinv
        rmif    x20, #3, #15
        adc     x20, x20, x22
        umov    x9, v0.d[0]
        eor     x20, x20, x9
        scvtf   d5, w20
        fjcvtzs w9, d5
        add     x20, x20, x9
        sqrdmlah v4.4s, v0.4s, v1.4s
        subs    x25, x25, #1
        b.ne    again
        ldr     x0, =PERIOD
        add     x24, x24, x0
        mov     x0, x24
        svc     #2
        and     w3, w20, #15
        add     w3, w3, #'a'
        strb    w3, [x19, #0x20]
        add     x0, x19, #0x20
        mov     x1, #1
        svc     #1
        subs    x23, x23, #1
        b.ne    tick
        ldr     x0, [x19]
        eor     x0, x0, x20
        umov    x1, v4.d[1]
        eor     x0, x0, x1
        mov     x26, x0
        bl      put_hex
        mov     x0, x26
        svc     #0
${HEX_OUTPUT}
`;

/** Instructions that a CPU without them has to have emulated, each time around. */
export const EXTENSIONS_EACH_TIME = 14;
/** Times around. */
export const EXTENSIONS_TIMES: number = 26 * 4;

/** What the second program needs. */
export const EXTENSIONS_FEATURES = "LSE+DotProd+SHA512+SHA3+FlagM+JSCVT+RDM";

/** Does one thing that a program may not, by name, and then shows that it could. */
export const TRESPASSES: Readonly<Record<string, string>> = {
  "a load from normal memory": "ldr x1, =0x40080000\nldr x0, [x1]",
  "a load of the vectors": "ldr x1, =0x3fffff0000\nldr x0, [x1]",
  "a store to its code": "adr x1, start\nstr x1, [x1]",
  "a jump to its data": "ldr x1, =DATA\nbr x1",
  "a register of EL1": "mrs x0, TTBR0_EL1",
  "an ID register": "mrs x0, ID_AA64ISAR0_EL1",
  "a service that there is not": "svc #99",
  "output of memory that is not its own": "mov x0, #0x1000\nmov x1, #8\nsvc #1",
  "an SMC": "smc #0",
  "an HVC": "hvc #0",
  "cache maintenance": "ldr x1, =DATA\ndc civac, x1",
};

/** Makes an image of a program. */
export function programImage(source: string, options: ImageOptions = {}): Uint8Array<ArrayBuffer> {
  const { features = "", allowsShims = false, crossesTypes = true, dataAt = 0x1_0000n } = options;
  const data = PROGRAM_BASE + dataAt;
  const { bytes } = assembleProgram(source, { name: "program", base: PROGRAM_BASE, symbols: { DATA: data } });
  const code = Math.ceil(bytes.length / PAGE) * PAGE, image = new Uint8Array(PAGE + code);
  const view = new DataView(image.buffer), text = new TextEncoder();
  const flags = (allowsShims ? FLAG_SHIMS : 0n) | (crossesTypes ? FLAG_CROSSES : 0n);
  image.set(text.encode("TEEPROG1"));
  [PROGRAM_BASE, data + DATA_BYTES, 2n, flags].forEach((word, at) =>
    view.setBigUint64(8 + at * 8, word, true)
  );
  image.set(text.encode(features), 0x40);
  const ranges = [PROGRAM_BASE, BigInt(code), BigInt(PAGE), 1n, data, DATA_BYTES, 2n ** 64n - 1n, 2n];
  ranges.forEach((word, at) => view.setBigUint64(0x80 + at * 8, word, true));
  image.set(bytes, PAGE);
  if (features.length > 0x40 || HEADER_BYTES > PAGE) throw new RangeError("the features' names are too long");
  return image;
}
