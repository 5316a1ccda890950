/** System instructions: registers, operations, hints, barriers, exceptions (Arm ARM C4.1: branches and system). */
import type { Builder } from "../ir/builder.ts";
import type { HelperName } from "../ir/helpers.ts";
import { alias, instruction, type Row } from "./instruction.ts";
import { POINTER_HINTS } from "./pointer_authentication.ts";
import { systemEncoding } from "./system_names.ts";
import { isOperation, type SystemFields } from "./system_operands.ts";

type Exception = { readonly imm16: number };

/** An instruction that only takes an exception, with its immediate. */
function exception(
  helper: "supervisorCall" | "hypervisorCall" | "secureMonitorCall" | "breakpoint" | "halt",
) {
  return (ir: Builder, { imm16 }: Exception): void => void ir.call(helper, [imm16]);
}

/** UDF, and DCPS1–3 and DRPS, which exist in Debug state alone. */
function undefinedAlways(ir: Builder): void {
  ir.undefined();
}

type RegisterMove = Readonly<Record<"o0" | "op1" | "CRn" | "CRm" | "op2" | "Rt", number>>;

function registerEncoding({ o0, op1, CRn, CRm, op2 }: RegisterMove): number {
  return systemEncoding(2 + o0, op1, CRn, CRm, op2);
}

function readRegister(ir: Builder, fields: RegisterMove): void {
  ir.writeX(fields.Rt, 64, ir.call("readSystemRegister", [registerEncoding(fields), fields.Rt]));
}

function writeRegister(ir: Builder, fields: RegisterMove): void {
  ir.call("writeSystemRegister", [registerEncoding(fields), fields.Rt], ir.readX(fields.Rt, 64));
}

type Operation = SystemFields & { readonly Rt: number };

/** CRn of cache maintenance and address translation, CRm of the latter, and all of DC ZVA (Arm ARM C5.3). */
const MAINTENANCE_CRN = 7, TRANSLATION_CRM = 8, DC_ZVA = systemEncoding(1, 3, 7, 4, 1);

function operate(ir: Builder, { op1, CRn, CRm, op2, Rt }: Operation): void {
  const encoding = systemEncoding(1, op1, CRn, CRm, op2);
  const isCache = CRn === MAINTENANCE_CRN && CRm !== TRANSLATION_CRM;
  const helper = encoding === DC_ZVA ? "zeroBlock" : isCache ? "maintainCache" : "systemInstruction";
  ir.call(helper, [encoding, Rt], ir.readX(Rt, 64));
}

function operateLong(ir: Builder, { op1, CRn, CRm, op2, Rt }: Operation): void {
  ir.writeX(Rt, 64, ir.call("systemInstructionLong", [systemEncoding(1, op1, CRn, CRm, op2), Rt]));
}

/** PSTATE fields that MSR (immediate) writes: op1, op2, name, extension (Arm ARM C5.2). */
// deno-fmt-ignore
const PSTATE_FIELDS = [
  ["000", "011", "UAO",  "UAO"],   ["000", "100", "PAN", "PAN"], ["000", "101", "SPSel",   "Armv8.0"],
  ["011", "001", "SSBS", "SSBS2"], ["011", "010", "DIT", "DIT"], ["011", "110", "DAIFSet", "Armv8.0"],
  ["011", "111", "DAIFClr", "Armv8.0"],
] as const;

function pstateRow([op1, op2, name, feature]: typeof PSTATE_FIELDS[number]): Row {
  const immediates = [parseInt(op1, 2), parseInt(op2, 2)];
  return instruction(
    `MSR_imm_${name}`,
    `1101010100 0 00 ${op1} 0100 CRm:4 ${op2} 11111`,
    `msr ${name}, #{CRm}`,
    (ir, { CRm }) => void ir.call("writePstateField", [...immediates, CRm]),
    { feature },
  );
}

/** Hints that do something, by CRm:op2; all others are NOP. */
// deno-fmt-ignore
const HINTS: readonly (HelperName | undefined)[] = [
  undefined, "yieldProcessor", "waitForEvent", "waitForInterrupt", "sendEvent", "sendEventLocal",
];

function hint(ir: Builder, { imm7 }: { readonly imm7: number }): void {
  const helper = HINTS[imm7];
  if (helper !== undefined) ir.call(helper);
  POINTER_HINTS.get(imm7)?.(ir);
}

/** What a hint belongs to; without it the hint is NOP. */
const hintFeature = {
  feature: ({ imm7 }: { readonly imm7: number }) => POINTER_HINTS.has(imm7) ? "PAuth" : "Armv8.0",
  absent: "nop",
} as const;

type Barrier = { readonly CRm: number };

/** Names of hints, by number: a text each for the same row. */
// deno-fmt-ignore
const HINT_NAMES: readonly (readonly [number, string])[] = [
  [0, "nop"], [1, "yield"], [2, "wfe"], [3, "wfi"], [4, "sev"], [5, "sevl"], [6, "dgh"], [7, "xpaclri"],
  [8, "pacia1716"], [10, "pacib1716"], [12, "autia1716"], [14, "autib1716"], [16, "esb"], [17, "psb csync"],
  [18, "tsb csync"], [20, "csdb"], [24, "paciaz"], [25, "paciasp"], [26, "pacibz"], [27, "pacibsp"],
  [28, "autiaz"], [29, "autiasp"], [30, "autibz"], [31, "autibsp"], [32, "bti"], [34, "bti c"], [36, "bti j"],
  [38, "bti jc"],
];

function hintAlias([number, name]: readonly [number, string]): Row {
  const bits = number.toString(2).padStart(7, "0");
  return alias(name.replace(" ", "_").toUpperCase(), `1101010100 0 00 011 0010 ${bits} 11111`, name);
}

/** DC, IC, AT, TLBI and the prediction restrictions, with and without a register. */
function operationAliases(mnemonic: string): Row[] {
  const name = mnemonic.toUpperCase();
  const withRegister = `${mnemonic} {op1,CRn,CRm,op2:operation(${mnemonic})}, {Rt:x64}`;
  const without = `${mnemonic} {op1,CRn,CRm,op2:operation(${mnemonic}!)}`;
  // deno-fmt-ignore
  return [
    alias(name,           "1101010100 0 01 op1:3 CRn:4 CRm:4 op2:3 Rt:5",  withRegister, isOperation(mnemonic, true)),
    alias(`${name}_none`, "1101010100 0 01 op1:3 CRn:4 CRm:4 op2:3 11111", without,      isOperation(mnemonic, false)),
  ];
}

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // Exceptions.
  instruction("UDF",   "0000000000000000 imm16:16",          "udf #{imm16}",                       undefinedAlways),
  instruction("SVC",   "11010100 000 imm16:16 000 01",       "svc #{imm16:hexadecimal}",           exception("supervisorCall")),
  instruction("HVC",   "11010100 000 imm16:16 000 10",       "hvc #{imm16:hexadecimal}",           exception("hypervisorCall")),
  instruction("SMC",   "11010100 000 imm16:16 000 11",       "smc #{imm16:hexadecimal}",           exception("secureMonitorCall")),
  instruction("BRK",   "11010100 001 imm16:16 000 00",       "brk #{imm16:hexadecimal}",           exception("breakpoint")),
  instruction("HLT",   "11010100 010 imm16:16 000 00",       "hlt #{imm16:hexadecimal}",           exception("halt")),
  instruction("DCPS1", "11010100 101 imm16:16 000 01",       "dcps1{imm16:optionalImmediate}",     undefinedAlways),
  instruction("DCPS2", "11010100 101 imm16:16 000 10",       "dcps2{imm16:optionalImmediate}",     undefinedAlways),
  instruction("DCPS3", "11010100 101 imm16:16 000 11",       "dcps3{imm16:optionalImmediate}",     undefinedAlways),
  instruction("ERET",  "1101011 0100 11111 000000 11111 00000", "eret", (ir) => void ir.call("exceptionReturn")),
  instruction("DRPS",  "1101011 0101 11111 000000 11111 00000", "drps", undefinedAlways),
  // Registers.
  instruction("MRS",     "1101010100 1 1 o0:1 op1:3 CRn:4 CRm:4 op2:3 Rt:5", "mrs {Rt:x64}, {o0,op1,CRn,CRm,op2:systemRegister(read)}",  readRegister),
  instruction("MSR_reg", "1101010100 0 1 o0:1 op1:3 CRn:4 CRm:4 op2:3 Rt:5", "msr {o0,op1,CRn,CRm,op2:systemRegister(write)}, {Rt:x64}", writeRegister),
  ...PSTATE_FIELDS.map(pstateRow),
  // Operations.
  instruction("SYS",  "1101010100 0 01 op1:3 CRn:4 CRm:4 op2:3 Rt:5", "sys #{op1}, {CRn:controlRegister}, {CRm:controlRegister}, #{op2}{Rt:optionalX}",       operate),
  instruction("SYSL", "1101010100 1 01 op1:3 CRn:4 CRm:4 op2:3 Rt:5", "sysl {Rt:x64}, #{op1}, {CRn:controlRegister}, {CRm:controlRegister}, #{op2}", operateLong),
  ...["ic", "dc", "at", "tlbi", "cfp", "dvp", "cpp"].flatMap(operationAliases),
  // Hints.
  instruction("HINT", "1101010100 0 00 011 0010 imm7:7 11111", "hint #{imm7}", hint, hintFeature),
  ...HINT_NAMES.map(hintAlias),
  // Barriers and the exclusive monitor.
  instruction("CLREX", "1101010100 0 00 011 0011 CRm:4 010 11111", "clrex{CRm:optionalSy}",    (ir) => void ir.call("clearExclusive")),
  instruction("DSB",   "1101010100 0 00 011 0011 CRm:4 100 11111", "dsb {CRm:barrier}",        (ir, { CRm }: Barrier) => void ir.call("dataBarrier", [0, CRm])),
  instruction("DMB",   "1101010100 0 00 011 0011 CRm:4 101 11111", "dmb {CRm:barrier}",        (ir, { CRm }: Barrier) => void ir.call("dataBarrier", [1, CRm])),
  instruction("ISB",   "1101010100 0 00 011 0011 CRm:4 110 11111", "isb{CRm:optionalSy(sy)}",  (ir) => void ir.call("instructionBarrier")),
  // Steps are in program order and nothing is executed speculatively.
  instruction("SB",    "1101010100 0 00 011 0011 0000 111 11111",  "sb", () => {}, { feature: "SB" }),
  alias("SSBB",        "1101010100 0 00 011 0011 0000 100 11111",  "ssbb"),
  alias("PSSBB",       "1101010100 0 00 011 0011 0100 100 11111",  "pssbb"),
];
