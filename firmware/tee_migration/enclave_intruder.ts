/**
 * A normal world that tries what it may not: accesses to Secure memory before, while and after there is an enclave, and calls
 * that nobody should make. It prints an attempt's name and what came of it, a line each, and powers off.
 *
 * Link address 0x40080000, entry at its first byte at EL1. Needs a PL011, PSCI by SMC and a monitor at EL3 with enclaves.
 */
import { assembleProgram } from "../../machine/a64/program.ts";

/** Where Secure memory is, and an enclave's first byte in it. */
const SECURE = "0x0e000000", ENCLAVE = "0x0e200000";
/** Normal memory with nothing in it: where the same accesses do something. */
const NORMAL = "0x40200000";

/** Accesses by name; X1 has the address, and X0 what was read. A fault's syndrome is shown in place of that. */
const ACCESSES: Readonly<Record<string, string>> = {
  load: "ldr x0, [x1]",
  "load byte": "ldrb w0, [x1]",
  "load pair": "ldp x2, x0, [x1]",
  "load vector": "ldr q0, [x1]\numov x0, v0.d[0]",
  "load exclusive": "ldxr x0, [x1]",
  "load acquire": "ldar x0, [x1]",
  store: "str x1, [x1]\nmov x0, #0",
  "store vector": "str q0, [x1]\nmov x0, #0",
  "store exclusive": "ldr x2, =0x40080000\nldxr x3, [x2]\nstxr w0, x1, [x1]",
  fetch: "adr x30, 7f\nbr x1\n7: mov x0, #0",
};

/** Calls by name: X0 to X2. IMAGE and the like are labels. */
const CALLS: readonly (readonly [name: string, ...registers: readonly string[]])[] = [
  ["find none", "0xf2000004"],
  ["enter none", "0x72000002"],
  ["destroy none", "0xf2000003"],
  ["create from Secure memory", "0xf2000001", SECURE, "0x2000"],
  ["create from a device", "0xf2000001", "0x09000000", "0x1000"],
  ["create from nowhere", "0xf2000001", "0x7000000000", "0x2000"],
  ["create across the end of RAM", "0xf2000001", "0x40fff000", "0x2000"],
  ["create from an odd address", "0xf2000001", "image + 8", "IMAGE_BYTES"],
  ["create with nothing", "0xf2000001", "image", "0"],
  ["create with too much", "0xf2000001", "image", "0xffffffffffffffff"],
  ["create with half", "0xf2000001", "image", "0x1000"],
  ["create what is no program", "0xf2000001", "start", "0x2000"],
  ["an unknown call", "0xf2000009", "image", "IMAGE_BYTES"],
  ["create", "0xf2000001", "image", "IMAGE_BYTES"],
  ["create another", "0xf2000001", "image", "IMAGE_BYTES"],
  ["find", "0xf2000004"],
  ["enter", "0x72000002"],
];

/** What comes after the enclave has run. */
const LATER: typeof CALLS = [
  ["destroy", "0xf2000003"],
  ["destroy again", "0xf2000003"],
  ["enter after that", "0x72000002"],
  ["PSCI version", "0x84000000"],
];

const attempt = (name: string, code: string): string => `
        adr     x28, 9f
        adr     x29, 8f
${code}
        b       9f
8:      mrs     x0, ESR_EL1
9:      bl      tell
        .ascii  "${name}"
        .byte   0
        .align  2
`;
const accesses = (address: string): string =>
  Object.entries(ACCESSES).map(([name, code]) =>
    attempt(`${name} ${address}`, `ldr x1, =${address}\n${code}`)
  ).join("");
const calls = (rows: typeof CALLS): string =>
  rows.map(([name, ...registers]) =>
    attempt(name, `${registers.map((value, at) => `ldr x${at}, =${value}`).join("\n")}\nsmc #0`)
  ).join("");

const SOURCE = `
        .equ    UART, 0x09000000
start:  adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x0, #(3 << 20)
        msr     CPACR_EL1, x0
${accesses(NORMAL)}
${accesses(SECURE)}
${calls(CALLS)}
${attempt("an SMC that is no call", "ldr x0, =0xf2000004\nsmc #1")}
${accesses(ENCLAVE)}
${calls(LATER)}
${accesses(ENCLAVE)}
        ldr     x0, =0x84000008
        smc     #0
// Prints the text behind the call and X0, and goes on behind the text.
tell:   ldr     x9, =UART
1:      ldrb    w10, [x30], #1
        cbz     w10, 2f
        str     w10, [x9]
        b       1b
2:      mov     w10, #' '
        str     w10, [x9]
        mov     x11, #16
3:      ror     x0, x0, #60
        and     x12, x0, #15
        add     x13, x12, #'0'
        add     x14, x12, #'a' - 10
        cmp     x12, #10
        csel    x13, x13, x14, lo
        str     w13, [x9]
        subs    x11, x11, #1
        b.ne    3b
        mov     w10, #'\\n'
        str     w10, [x9]
        add     x30, x30, #3
        and     x30, x30, #~3
        ret
        .align  11
vectors:
        .org    vectors + 0x200
        msr     ELR_EL1, x29
        eret
        .org    vectors + 0x800
        .ltorg
        .align  12
image:  .incbin "image"
`;

/** The guest, with an enclave's image. */
export function enclaveIntruder(image: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return assembleProgram(SOURCE, {
    ...{
      name: "intruder",
      base: 0x40080000n,
      symbols: { IMAGE_BYTES: BigInt(image.length) },
      files: { image },
    },
  }).bytes;
}
