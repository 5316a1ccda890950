/** The cryptographic instructions of Advanced SIMD (Arm ARM C4.1); missing so far. */
import { missing, type Row } from "./instruction.ts";

// Two registers: name, opcode, text.
// deno-fmt-ignore
const AES = [["AESE", "00100"], ["AESD", "00101"], ["AESMC", "00110"], ["AESIMC", "00111"]] as const;
// deno-fmt-ignore
const SHA_THREE = [
  ["SHA1C",   "000", "{Rd:scalar(q)}, {Rn:scalar(s)}, {Rm:vector(4s)}"], ["SHA1P",     "001", "{Rd:scalar(q)}, {Rn:scalar(s)}, {Rm:vector(4s)}"],
  ["SHA1M",   "010", "{Rd:scalar(q)}, {Rn:scalar(s)}, {Rm:vector(4s)}"], ["SHA1SU0",   "011", "{Rd:vector(4s)}, {Rn:vector(4s)}, {Rm:vector(4s)}"],
  ["SHA256H", "100", "{Rd:scalar(q)}, {Rn:scalar(q)}, {Rm:vector(4s)}"], ["SHA256H2",  "101", "{Rd:scalar(q)}, {Rn:scalar(q)}, {Rm:vector(4s)}"],
  ["SHA256SU1", "110", "{Rd:vector(4s)}, {Rn:vector(4s)}, {Rm:vector(4s)}"],
] as const;
// deno-fmt-ignore
const SHA_TWO = [
  ["SHA1H", "00000", "{Rd:scalar(s)}, {Rn:scalar(s)}"], ["SHA1SU1", "00001", "{Rd:vector(4s)}, {Rn:vector(4s)}"], ["SHA256SU0", "00010", "{Rd:vector(4s)}, {Rn:vector(4s)}"],
] as const;

const shaFeature = (name: string): { feature: "SHA1" | "SHA256" } => ({
  feature: name.startsWith("SHA1") ? "SHA1" : "SHA256",
});

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...AES.map(([name, opcode]) => missing(name, `0100 1110 00 10100 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(16b)}, {Rn:vector(16b)}`, { feature: "AES" })),
  ...SHA_THREE.map(([name, opcode, text]) => missing(name, `0101 1110 00 0 Rm:5 0 ${opcode} 00 Rn:5 Rd:5`, `${name.toLowerCase()} ${text}`, shaFeature(name))),
  ...SHA_TWO.map(([name, opcode, text]) => missing(name, `0101 1110 00 10100 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${text}`, shaFeature(name))),
];
