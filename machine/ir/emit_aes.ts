/** WebAssembly forms of the operations of AES (FIPS 197): the state is a vector of bytes. */
import type { CodeWriter } from "../wasm/code_writer.ts";
import { emitShared } from "./emit_sha.ts";
import { repeated } from "./emit_vector.ts";
import type { Emit } from "./operation.ts";

/** Sixteen bytes as a vector. */
const vectorOf = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);

/**
 * AddRoundKey, ShiftRows by a step as in evaluation, SubBytes by a table: a part of 16 bytes of it for each value of
 * the upper nibble. Looking a byte up in the wrong part gives 0.
 */
export function emitAesRound(table: Uint8Array, step: 5 | 13): Emit {
  return emitShared({
    parameters: ["v128", "v128"],
    result: "v128",
    write(code) {
      code.localGet(0);
      code.localGet(1);
      code.v128Xor();
      code.localTee(0);
      code.localGet(0);
      code.i8x16Shuffle(Array.from({ length: 16 }, (_, index) => index * step & 15));
      code.localSet(0);
      for (let upper = 0; upper < 16; upper++) {
        code.v128Const(vectorOf(table.subarray(upper * 16, upper * 16 + 16)));
        code.localGet(0);
        code.v128Const(repeated(8, BigInt(upper * 16)));
        code.v128Xor();
        code.i8x16Swizzle();
        if (upper > 0) code.v128Or();
      }
    },
  });
}

/** Pushes a vector whose columns are rotated: row i is row i + `rows`. */
function pushRotated(code: CodeWriter, vector: number, rows: number): void {
  code.localGet(vector);
  code.localGet(vector);
  code.i8x16Shuffle(Array.from({ length: 16 }, (_, index) => index & 12 | index + rows & 3));
}

/** Doubles the bytes of a local in the field of AES. */
function double(code: CodeWriter, vector: number): void {
  code.localGet(vector);
  code.localGet(vector);
  code.i8x16Add();
  code.localGet(vector);
  code.i32Const(7);
  code.i8x16ShrS();
  code.v128Const(repeated(8, 0x1bn));
  code.v128And();
  code.v128Xor();
  code.localSet(vector);
}

/**
 * MixColumns: with r(v) the rotation by a row and u = v + r(v), it is 2u + r(v) + r²(u). Its inverse is the same after
 * v + 4(v + r²(v)), since 14, 9, 13, 11 are 2, 3, 1, 1 by 5, 0, 4, 0.
 */
export function emitAesMix(isInverse: boolean): Emit {
  return emitShared({
    parameters: ["v128"],
    result: "v128",
    write(code) {
      const sum = code.takeLocal("v128");
      const addRotated = (rows: number) => {
        code.localGet(0);
        pushRotated(code, 0, rows);
        code.v128Xor();
        code.localSet(sum);
      };
      if (isInverse) {
        addRotated(2);
        double(code, sum);
        double(code, sum);
        code.localGet(0);
        code.localGet(sum);
        code.v128Xor();
        code.localSet(0);
      }
      addRotated(1);
      pushRotated(code, 0, 1);
      pushRotated(code, sum, 2);
      code.v128Xor();
      double(code, sum);
      code.localGet(sum);
      code.v128Xor();
    },
  });
}
