/** The cryptographic instructions of Advanced SIMD (Arm ARM C4.1: cryptographic AES, SHA, two to four registers). */
import type { Builder, Value } from "../ir/builder.ts";
import type { CryptoOperation } from "../ir/crypto_operations.ts";
import { instruction, type Row } from "./instruction.ts";

type Two = Readonly<Record<"Rn" | "Rd", number>>;
type Three = Two & { readonly Rm: number };
type Four = Three & { readonly Ra: number };

/** A row's lowering from the value that it leaves in Rd. */
function result<Operands extends Two>(of: (ir: Builder, fields: Operands) => Value) {
  return (ir: Builder, fields: Operands): void => {
    ir.call("checkFpEnabled");
    ir.writeV(fields.Rd, of(ir, fields));
  };
}

/** Operations on whole registers. */
const oneRegister = (op: CryptoOperation) =>
  result((ir, { Rn }: Two) => ir.crypto(op, 128, [ir.readV(Rn, 128)]));
const twoRegisters = (op: CryptoOperation) =>
  result((ir, { Rn, Rd }: Two) => ir.crypto(op, 128, [ir.readV(Rd, 128), ir.readV(Rn, 128)]));
const threeRegisters = (op: CryptoOperation) =>
  result((ir, { Rm, Rn, Rd }: Three) =>
    ir.crypto(op, 128, [ir.readV(Rd, 128), ir.readV(Rn, 128), ir.readV(Rm, 128)])
  );

const sha1Rounds = (op: CryptoOperation) =>
  result((ir, { Rm, Rn, Rd }: Three) =>
    ir.crypto(op, 128, [ir.readV(Rd, 128), ir.readV(Rn, 32), ir.readV(Rm, 128)])
  );

const sha1Rotate = result((ir, { Rn }: Two) => ir.rotateRight(32, ir.readV(Rn, 32), ir.constant(32, 2)));

const low = (ir: Builder, n: number): Value => ir.readV(n, 64);
const high = (ir: Builder, n: number): Value => ir.extract(64, ir.readV(n, 128), 64);
/** Both halves of a register, read once: a record of the threaded engine has room for few. */
function halves(ir: Builder, n: number): [low: Value, high: Value] {
  const whole = ir.readV(n, 128);
  return [ir.extract(64, whole, 0), ir.extract(64, whole, 64)];
}

const sha1ScheduleFirst = result((ir, { Rm, Rn, Rd }: Three) => {
  const middle = ir.concatenate(low(ir, Rn), high(ir, Rd));
  return ir.xor(128, ir.xor(128, middle, ir.readV(Rd, 128)), ir.readV(Rm, 128));
});

/** SHA256H2 has its operands the other way round. */
const sha256RoundsHigh = result((ir, { Rm, Rn, Rd }: Three) =>
  ir.crypto("sha256RoundsHigh", 128, [ir.readV(Rn, 128), ir.readV(Rd, 128), ir.readV(Rm, 128)])
);

const rotated = (ir: Builder, value: Value, amount: number): Value =>
  ir.rotateRight(64, value, ir.constant(64, amount));
const sum = (ir: Builder, ...[first, ...rest]: [Value, ...Value[]]): Value =>
  rest.reduce((total, value) => ir.add(64, total, value), first);
const xor3 = (ir: Builder, a: Value, b: Value, c: Value): Value => ir.xor(64, ir.xor(64, a, b), c);

/** Σ of FIPS 180-4, 4.1.3. */
const rotations = (ir: Builder, value: Value, [a, b, c]: readonly [number, number, number]): Value =>
  xor3(ir, rotated(ir, value, a), rotated(ir, value, b), rotated(ir, value, c));
/** σ of FIPS 180-4, 4.1.3: the third is a shift. */
const shifted = (ir: Builder, value: Value, [a, b, c]: readonly [number, number, number]): Value =>
  xor3(
    ir,
    rotated(ir, value, a),
    rotated(ir, value, b),
    ir.shiftRight(64, value, ir.constant(64, c)),
  );
/** Bits of `a` where `x` is one, of `b` where it is zero. */
const choose = (ir: Builder, x: Value, a: Value, b: Value): Value =>
  ir.xor(64, ir.and(64, ir.xor(64, a, b), x), b);
const majority = (ir: Builder, a: Value, b: Value, c: Value): Value =>
  xor3(ir, ir.and(64, a, b), ir.and(64, a, c), ir.and(64, b, c));

const UPPER_0 = [28, 34, 39] as const, UPPER_1 = [14, 18, 41] as const;
const LOWER_0 = [1, 8, 7] as const, LOWER_1 = [19, 61, 6] as const;

const sha512First = result((ir, { Rm, Rn, Rd }: Three) => {
  const [x0, x1] = halves(ir, Rn), [y0, y1] = halves(ir, Rm), [d0, d1] = halves(ir, Rd);
  const upper = sum(ir, choose(ir, y1, x0, x1), rotations(ir, y1, UPPER_1), d1);
  const next = ir.add(64, upper, y0);
  return ir.concatenate(
    upper,
    sum(ir, choose(ir, next, y1, x0), rotations(ir, next, UPPER_1), d0),
  );
});

const sha512Second = result((ir, { Rm, Rn, Rd }: Three) => {
  const x0 = low(ir, Rn), [y0, y1] = halves(ir, Rm), [d0, d1] = halves(ir, Rd);
  const upper = sum(ir, majority(ir, x0, y1, y0), rotations(ir, y0, UPPER_0), d1);
  return ir.concatenate(
    upper,
    sum(ir, majority(ir, upper, y0, y1), rotations(ir, upper, UPPER_0), d0),
  );
});

const sha512ScheduleFirst = result((ir, { Rn, Rd }: Two) => {
  const [d0, d1] = halves(ir, Rd);
  return ir.concatenate(
    ir.add(64, d1, shifted(ir, low(ir, Rn), LOWER_0)),
    ir.add(64, d0, shifted(ir, d1, LOWER_0)),
  );
});

const sha512ScheduleSecond = result((ir, { Rm, Rn, Rd }: Three) => {
  const d = halves(ir, Rd), n = halves(ir, Rn), m = halves(ir, Rm);
  const half = (at: 0 | 1) => sum(ir, d[at], shifted(ir, n[at], LOWER_1), m[at]);
  return ir.concatenate(half(1), half(0));
});

const exclusiveOr3 = result((ir, { Rm, Ra, Rn }: Four) =>
  ir.xor(128, ir.xor(128, ir.readV(Rn, 128), ir.readV(Rm, 128)), ir.readV(Ra, 128))
);

const bitClearExclusiveOr = result((ir, { Rm, Ra, Rn }: Four) =>
  ir.xor(128, ir.readV(Rn, 128), ir.and(128, ir.readV(Rm, 128), ir.not(128, ir.readV(Ra, 128))))
);

const rotateExclusiveOr = result((ir, { Rm, Rn }: Three) => {
  const half = (of: typeof low) => ir.xor(64, of(ir, Rn), rotated(ir, of(ir, Rm), 63));
  return ir.concatenate(half(high), half(low));
});

const exclusiveOrRotate = result((ir, { Rm, imm6, Rn }: Three & { readonly imm6: number }) => {
  const half = (of: typeof low) => rotated(ir, ir.xor(64, of(ir, Rn), of(ir, Rm)), imm6);
  return ir.concatenate(half(high), half(low));
});

// deno-fmt-ignore
const AES = [
  ["AESE",  "00100", twoRegisters("aesEncrypt")],   ["AESD",   "00101", twoRegisters("aesDecrypt")],
  ["AESMC", "00110", oneRegister("aesMixColumns")], ["AESIMC", "00111", oneRegister("aesInverseMixColumns")],
] as const;

const QSV = "{Rd:scalar(q)}, {Rn:scalar(s)}, {Rm:vector(4s)}",
  QQV = "{Rd:scalar(q)}, {Rn:scalar(q)}, {Rm:vector(4s)}";
const VVV = "{Rd:vector(4s)}, {Rn:vector(4s)}, {Rm:vector(4s)}", VV = "{Rd:vector(4s)}, {Rn:vector(4s)}";
const QQD = "{Rd:scalar(q)}, {Rn:scalar(q)}, {Rm:vector(2d)}",
  DDD = "{Rd:vector(2d)}, {Rn:vector(2d)}, {Rm:vector(2d)}";

// deno-fmt-ignore
const SHA_THREE = [
  ["SHA1C",     "000", QSV, sha1Rounds("sha1Choose")],         ["SHA1P",     "001", QSV, sha1Rounds("sha1Parity")],
  ["SHA1M",     "010", QSV, sha1Rounds("sha1Majority")],       ["SHA1SU0",   "011", VVV, sha1ScheduleFirst],
  ["SHA256H",   "100", QQV, threeRegisters("sha256RoundsLow")], ["SHA256H2", "101", QQV, sha256RoundsHigh],
  ["SHA256SU1", "110", VVV, threeRegisters("sha256Schedule1")],
] as const;

// deno-fmt-ignore
const SHA_TWO = [
  ["SHA1H", "00000", "{Rd:scalar(s)}, {Rn:scalar(s)}", sha1Rotate], ["SHA1SU1", "00001", VV, twoRegisters("sha1Schedule")],
  ["SHA256SU0", "00010", VV, twoRegisters("sha256Schedule0")],
] as const;

// deno-fmt-ignore
const SHA_512 = [
  ["SHA512H", "00", QQD, sha512First], ["SHA512H2", "01", QQD, sha512Second], ["SHA512SU1", "10", DDD, sha512ScheduleSecond],
] as const;

const shaFeature = (name: string): { feature: "SHA1" | "SHA256" } => ({
  feature: name.startsWith("SHA1") ? "SHA1" : "SHA256",
});

const SHA512 = { feature: "SHA512" } as const, SHA3 = { feature: "SHA3" } as const;
const FOUR = "{Rd:vector(16b)}, {Rn:vector(16b)}, {Rm:vector(16b)}, {Ra:vector(16b)}";

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...AES.map(([name, opcode, meaning]) => instruction(name, `0100 1110 00 10100 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(16b)}, {Rn:vector(16b)}`, meaning, { feature: "AES" })),
  ...SHA_THREE.map(([name, opcode, text, meaning]) => instruction(name, `0101 1110 00 0 Rm:5 0 ${opcode} 00 Rn:5 Rd:5`, `${name.toLowerCase()} ${text}`, meaning, shaFeature(name))),
  ...SHA_TWO.map(([name, opcode, text, meaning]) => instruction(name, `0101 1110 00 10100 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${text}`, meaning, shaFeature(name))),
  ...SHA_512.map(([name, opcode, text, meaning]) => instruction(name, `1100 1110 011 Rm:5 10 00 ${opcode} Rn:5 Rd:5`, `${name.toLowerCase()} ${text}`, meaning, SHA512)),
  instruction("SHA512SU0", "1100 1110 110 00000 1000 00 Rn:5 Rd:5", "sha512su0 {Rd:vector(2d)}, {Rn:vector(2d)}", sha512ScheduleFirst, SHA512),
  instruction("EOR3",      "1100 1110 000 Rm:5 0 Ra:5 Rn:5 Rd:5",    `eor3 ${FOUR}`, exclusiveOr3,        SHA3),
  instruction("BCAX",      "1100 1110 001 Rm:5 0 Ra:5 Rn:5 Rd:5",    `bcax ${FOUR}`, bitClearExclusiveOr, SHA3),
  instruction("RAX1",      "1100 1110 011 Rm:5 10 00 11 Rn:5 Rd:5",  `rax1 ${DDD}`,  rotateExclusiveOr,   SHA3),
  instruction("XAR",       "1100 1110 100 Rm:5 imm6:6 Rn:5 Rd:5",    `xar ${DDD}, #{imm6}`, exclusiveOrRotate, SHA3),
];
