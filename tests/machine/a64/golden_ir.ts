/** The IR of representative instructions, as it stands in tests/golden/ir. */
import { assembleLine } from "../../../machine/a64/assembly.ts";
import { decode, lower } from "../../../machine/a64/rows.ts";
import { printIr } from "../../../machine/ir/passes.ts";

/** Lines of assembly by golden file; enough to show every generator of lowerings. */
// deno-fmt-ignore
const LINES: Readonly<Record<string, readonly string[]>> = {
  add_subtract: [
    "add x0, x1, #4", "add sp, sp, #1, lsl #12", "adds w0, wsp, #4095", "subs x0, x1, #1", "cmp w3, #7",
    "add x0, x1, x2", "sub w0, w1, w2, asr #3", "subs x0, x1, x2, lsl #12", "add x0, sp, w2, sxtb #2", "cmp x1, w2, uxtw",
    "adc x0, x1, x2", "sbcs w0, w1, w2",
  ],
  logical_bitfield: [
    "adr x0, #8", "adrp x0, #-4096", "mov x0, #0x120000", "mov w0, #-2", "movk x0, #5, lsl #32",
    "and x0, x1, #0xff00", "ands wzr, w1, #3", "orr sp, x1, #1", "mov x0, x1", "bics x0, x1, x2, ror #8", "eon w0, w1, w2",
    "lsl x0, x1, #4", "asr w0, w1, #31", "ubfx x0, x1, #8, #4", "sbfiz x0, x1, #8, #4", "sxtw x0, w1",
    "bfi x0, x1, #8, #4", "bfxil w0, w1, #8, #4", "extr x0, x1, x2, #7", "ror w0, w1, #0",
  ],
  multiply_divide: [
    "madd x0, x1, x2, x3", "mneg w0, w1, w2", "smaddl x0, w1, w2, x3", "umsubl x0, w1, w2, x3", "smulh x0, x1, x2",
    "udiv w0, w1, w2", "sdiv x0, x1, x2", "lsl w0, w1, w2", "ror x0, x1, x2", "crc32b w0, w1, w2", "crc32cx w0, w1, x2",
    "rbit w0, w1", "rev16 x0, x1", "rev32 x0, x1", "rev w0, w1", "clz x0, x1", "cls w0, w1",
  ],
  conditional: [
    "ccmp x0, x1, #3, ne", "ccmn w0, #31, #0, ge", "csel x0, x1, x2, hi", "cset w0, eq", "csetm x0, lt", "cneg w0, w1, mi",
  ],
  branch: [
    "b #-4", "bl #4096", "b.eq #8", "b.nv #8", "cbz w0, #8", "cbnz x0, #-8", "tbz w0, #3, #8", "tbnz x0, #63, #8",
    "br x1", "blr x30", "ret",
  ],
  load_store: [
    "ldr x0, [x1]", "ldr x0, [sp, #16]", "strb w0, [x1, #1]", "ldrsb x0, [x1, #1]", "ldrsh w0, [x1]", "ldrsw x0, [x1, #4]",
    "ldur x0, [x1, #-8]", "ldr x0, [x1], #8", "str x0, [sp, #-16]!", "ldr x1, [x1, #8]!", "ldr x0, [x1, x2]",
    "ldr w0, [x1, w2, sxtw #2]", "ldtr x0, [x1]", "sttrb w0, [x1, #-1]", "ldr x0, #16", "ldrsw x0, #-16", "prfm pldl1keep, [x0]",
    "ldr q0, [x1, #16]", "str b0, [x1], #1", "ldr d0, #8",
  ],
  load_store_pair: [
    "ldp x0, x1, [sp], #16", "stp x29, x30, [sp, #-16]!", "ldp w0, w0, [x1]", "ldpsw x0, x1, [x2, #8]", "stnp w0, w1, [x2]",
    "ldp q0, q1, [x0, #32]!", "stp s0, s1, [x0]",
  ],
  exclusive: [
    "ldxr w0, [x1]", "ldaxrb w0, [x1]", "stxr w0, x1, [x2]", "stlxrh w0, w1, [sp]", "ldar x0, [x1]", "stlrb w0, [x1]",
    "ldxp w0, w1, [x2]", "ldaxp x0, x1, [x2]", "stxp w0, x1, x2, [x3]", "stlxp w0, w1, w2, [x3]",
  ],
  system: [
    "udf #0", "svc #5", "hvc #1", "smc #0", "brk #1", "hlt #0xf000", "dcps1", "eret", "drps",
    "mrs x0, SCTLR_EL1", "msr VBAR_EL1, xzr", "msr DAIFSet, #2", "dc zva, x0", "ic iallu", "tlbi vae1is, x3", "at s1e1r, x0",
    "sysl x0, #3, c7, c0, #0", "nop", "yield", "wfe", "wfi", "sev", "sevl", "hint #99", "clrex", "dsb ish", "dmb ld", "isb",
  ],
  simd: [
    "fmov w0, s1", "fmov d0, x1", "fmov x0, v1.d[1]", "fmov v0.d[1], x1", "fmov d0, d1", "fmov s0, #-1.5", "fmov d0, #0.125",
    "dup v0.8b, v1.b[3]", "dup v0.2d, x1", "smov x0, v1.h[2]", "mov w0, v1.s[0]", "mov v0.s[1], w2", "mov v0.b[1], v2.b[15]",
    "mov d0, v1.d[1]", "movi v0.16b, #5", "movi v0.4s, #1, msl #8", "mvni v0.4h, #1, lsl #8", "orr v0.2s, #1", "bic v0.8h, #255",
    "movi d0, #0xff", "fmov v0.2d, #1.0", "and v0.8b, v1.8b, v2.8b", "orn v0.16b, v1.16b, v2.16b", "bsl v0.16b, v1.16b, v2.16b",
    "bit v0.8b, v1.8b, v2.8b", "bif v0.8b, v1.8b, v2.8b", "fadd s0, s1, s2",
  ],
};

/** Content of each golden file, by its path from the repository's root. */
export function goldenIr(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(LINES).map(([name, lines]) => [`tests/golden/ir/${name}.txt`, lines.map(irOf).join("\n")]),
  );
}

function irOf(line: string): string {
  const word = assembleLine(line, { address: 0n });
  const decoded = decode(word);
  if (decoded === undefined) throw new Error(`${line} is unallocated`);
  const ir = printIr(lower(decoded.row, decoded.fields));
  const indented = ir.replace(/^(?=.)/gm, "    ");
  return `${line}    ${decoded.row.name}\n${indented}${ir === "" ? "" : "\n"}`;
}
