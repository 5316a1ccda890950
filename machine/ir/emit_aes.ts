/** WebAssembly forms of the operations of AES (FIPS 197): the state is a vector of bytes. */
import type { CodeWriter } from "../wasm/code_writer.ts";
import { INVERSES, type NibbleTables, nibbleTables, RATIOS } from "./aes_field.ts";
import { emitShared } from "./emit_shared.ts";
import { repeated } from "./emit_vector.ts";
import type { Emit } from "./operation.ts";

/** Sixteen bytes as a vector. */
const vectorOf = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);

/** Looks the bytes on the stack up, of which those above 15 give 0; the table is pushed by `table`. */
function lookUp(code: CodeWriter, index: number, table: Uint8Array | number): void {
  if (typeof table === "number") code.localGet(table);
  else code.v128Const(vectorOf(table));
  code.localGet(index);
  code.i8x16Swizzle();
}

/** Sets two locals to the lower and the upper nibbles of a vector's bytes. */
function setNibbles(code: CodeWriter, vector: number, lower: number, upper: number): void {
  code.localGet(vector);
  code.i32Const(4);
  code.i8x16ShrU();
  code.localSet(upper);
  code.localGet(vector);
  code.v128Const(repeated(8, 0x0fn));
  code.v128And();
  code.localSet(lower);
}

/** SubBytes, or its inverse, of a local: see NibbleTables. */
function pushSubstituted(code: CodeWriter, vector: number, { split, constant, result }: NibbleTables): void {
  const [i, j, k, inverses, ratio] = [0, 1, 2, 3, 4].map(() => code.takeLocal("v128")) as Locals;
  setNibbles(code, vector, k, i);
  lookUp(code, k, split[0]);
  lookUp(code, i, split[1]);
  code.v128Xor();
  code.localSet(vector);
  setNibbles(code, vector, k, i);
  code.localGet(i);
  code.localGet(k);
  code.v128Xor();
  code.localSet(j);
  code.v128Const(vectorOf(INVERSES));
  code.localSet(inverses);
  lookUp(code, k, RATIOS);
  code.localSet(ratio);
  for (const [index, [a, b]] of ([[i, j], [j, i]] as const).entries()) {
    lookUp(code, a, inverses);
    code.localGet(ratio);
    code.v128Xor();
    code.localSet(k);
    lookUp(code, k, inverses);
    code.localGet(b);
    code.v128Xor();
    code.localSet(k);
    lookUp(code, k, result[index] as Uint8Array);
  }
  code.v128Xor();
  code.v128Const(repeated(8, BigInt(constant)));
  code.v128Xor();
}

type Locals = [number, number, number, number, number];

/** AddRoundKey, ShiftRows and SubBytes, or their inverses. */
export function emitAesRound(isInverse: boolean): Emit {
  const tables = nibbleTables(isInverse), step = isInverse ? 13 : 5;
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
      pushSubstituted(code, 0, tables);
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
