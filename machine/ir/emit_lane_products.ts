/** WebAssembly forms of products of lanes: high halves of doubled ones, and those of polynomials. */
import type { CodeWriter, SharedFunction } from "../wasm/code_writer.ts";
import { emitShared } from "./emit_shared.ts";
import { saturatingForm, setSaturating } from "./emit_saturating.ts";
import { byLane, fromVector, pushVector, repeated, setScratch, vectorLocal } from "./emit_vector.ts";
import { type Emit, type EmitForm, int } from "./operation.ts";

/** Doubled products of two locals' lanes, of 16 or 32 bits, in halves. */
function pushDoublingHigh(code: CodeWriter, lane: number, a: number, b: number, rounds: boolean): void {
  const lane2 = lane * 2,
    product = lane === 16 ? "i32x4Extmul" : "i64x2Extmul",
    from = lane === 16 ? "I16x8S" : "I32x4S";
  for (const half of ["Low", "High"] as const) {
    code.localGet(a);
    code.localGet(b);
    code[`${product}${half}${from}` as "i32x4ExtmulLowI16x8S"]();
    if (rounds) {
      code.v128Const(repeated(lane2, 1n << BigInt(lane - 2)));
      code.instruction(byLane("Add")[lane2] as number);
    }
    code.i32Const(1);
    code.instruction(byLane("Shl")[lane2] as number);
  }
  const size = lane / 8;
  code.i8x16Shuffle(
    Array.from({ length: 16 }, (_, byte) => byte + (Math.floor(byte / size) + 1) * size),
  );
}

/** High halves of doubled products; where both numbers are the least, what is above the greatest has become its complement. */
export const emitDoublingMulHigh: EmitForm = saturatingForm((node, e) => {
  const { code } = e, lane = int(node, 0), a = vectorLocal(e, 0), b = vectorLocal(e, 1);
  for (const local of [a, b]) {
    code.localGet(local);
    code.v128Const(repeated(lane, 1n << BigInt(lane - 1)));
    code.instruction(byLane("Eq")[lane] as number);
  }
  code.v128And();
  const saturating = setSaturating(e);
  pushDoublingHigh(code, lane, a, b, int(node, 1) === 1);
  code.localGet(saturating);
  code.v128Xor();
  fromVector(e, node.width);
});

/** Products of polynomials modulo the lane: the bits of the second from the highest on. */
export const emitPolynomialMul: EmitForm = {
  emit: (node, e) => {
    const { code } = e, lane = int(node, 0), a = vectorLocal(e, 0), shift = byLane("Shl")[lane] as number;
    pushVector(e, 1);
    const b = setScratch(e), left = e.scratch("i32"), product = e.scratch("v128");
    code.v128Const(0n);
    code.localSet(product);
    code.i32Const(lane);
    code.localSet(left);
    const again = code.loop();
    code.localGet(product);
    code.i32Const(1);
    code.instruction(shift);
    code.localGet(b);
    code.i32Const(lane - 1);
    code.instruction(byLane("ShrS")[lane] as number);
    code.localGet(a);
    code.v128And();
    code.v128Xor();
    code.localSet(product);
    code.localGet(b);
    code.i32Const(1);
    code.instruction(shift);
    code.localSet(b);
    code.localGet(left);
    code.i32Const(1);
    code.i32Sub();
    code.localTee(left);
    code.brIf(again);
    code.end();
    code.localGet(product);
    fromVector(e, node.width);
  },
};

/** Every fourth bit, from bit n on. */
const everyFourth = (n: number): bigint => 0x1111_1111_1111_1111n << BigInt(n) & 0xffff_ffff_ffff_ffffn;

/**
 * The product of two polynomials of 32 bits, by products of integers: where only every fourth bit may be one, at most
 * eight of them meet, and what they carry stays below the next.
 */
const POLYNOMIAL_32: SharedFunction = {
  parameters: ["i64", "i64"],
  result: "i64",
  write(code) {
    const parts = [0, 1].map((argument) =>
      [0, 1, 2, 3].map((n) => {
        const part = code.takeLocal("i64");
        code.localGet(argument);
        code.i64Const(everyFourth(n));
        code.i64And();
        code.localSet(part);
        return part;
      })
    ) as [number[], number[]];
    for (let n = 0; n < 4; n++) {
      for (const [i, part] of parts[0].entries()) {
        code.localGet(part);
        code.localGet(parts[1][n - i & 3] as number);
        code.i64Mul();
        if (i > 0) code.i64Xor();
      }
      code.i64Const(everyFourth(n));
      code.i64And();
      if (n > 0) code.i64Or();
    }
  },
};

/** The product of two polynomials of 64 bits from three of 32 (Karatsuba). */
const POLYNOMIAL_64: SharedFunction = {
  parameters: ["i64", "i64"],
  result: "v128",
  write(code) {
    const low = code.takeLocal("i64"), high = code.takeLocal("i64"), middle = code.takeLocal("i64");
    const lower = (argument: number) => {
      code.localGet(argument);
      code.i64Const(0xffff_ffffn);
      code.i64And();
    };
    const upper = (argument: number) => {
      code.localGet(argument);
      code.i64Const(32);
      code.i64ShrU();
    };
    for (const [part, product] of [[lower, low], [upper, high]] as const) {
      part(0);
      part(1);
      code.callShared(POLYNOMIAL_32);
      code.localSet(product);
    }
    for (const argument of [0, 1]) {
      lower(argument);
      upper(argument);
      code.i64Xor();
    }
    code.callShared(POLYNOMIAL_32);
    code.localGet(low);
    code.i64Xor();
    code.localGet(high);
    code.i64Xor();
    code.localSet(middle);
    code.localGet(middle);
    code.i64Const(32);
    code.i64Shl();
    code.localGet(low);
    code.i64Xor();
    code.i64x2Splat();
    upper(middle);
    code.localGet(high);
    code.i64Xor();
    code.i64x2ReplaceLane(1);
  },
};

/** The whole product of two lanes of 64 bits. */
export const emitPolynomialMulLong: Emit = emitShared(POLYNOMIAL_64);
