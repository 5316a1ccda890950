/** The helpers of machine/ir/helpers.ts: what every engine calls for instructions that IR operations do not cover. */
import type { Feature } from "../a64/feature.ts";
import { systemEncoding } from "../a64/system_names.ts";
import type { HelperName } from "../ir/helpers.ts";
import { hasBit, HCR, hypervisorBit, monitorBit, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { exceptionLink, returnFromException } from "./exception_return.ts";
import { isExceptionReturnTrapped, isSupervisorCallTrapped } from "./fine_grained_traps.ts";
import { sendEvent, sendEventLocal, waitForEvent, waitForInterrupt, yieldProcessor } from "./hints.ts";
import { addPac, authenticate, genericPac, stripPac } from "./pointer_authentication.ts";
import { setMasks, setPan } from "./pstate.ts";
import { debugTarget } from "./software_step.ts";
import { selectStackPointer } from "./stack_pointer.ts";
import { pendingWrites, synchronizeContext } from "./strict_context.ts";
import { syndromeOf } from "./syndrome.ts";
import { executeSystemInstruction, executeSystemInstructionLong } from "./system_instructions.ts";
import { INDEX } from "./system_register_index.ts";
import { type TrapName, trapOf } from "./system_register_traps.ts";
import { isTrapped, readSystemRegister, writeSystemRegister } from "./system_registers.ts";
import { generalTarget, raiseSpAlignment, raiseSynchronous, raiseUndefined } from "./take_exception.ts";
import { controlRegister, isSecureBelowEl3 } from "./translation_regime.ts";

/** The immediate of HLT that asks for semihosting. */
const SEMIHOSTING_CALL = 0xf000;

const nextInstruction = (cpu: Cpu) => ({ returnAddress: BigInt.asUintN(64, cpu.pc + 4n) });

function supervisorCall(cpu: Cpu, imm16: number): void {
  if (isSupervisorCallTrapped(cpu)) return raiseSynchronous(cpu, 2, syndromeOf("supervisorCall", imm16));
  raiseSynchronous(cpu, generalTarget(cpu), syndromeOf("supervisorCall", imm16), nextInstruction(cpu));
}

/** What built-in firmware answers is an exception and a return to those who call it. */
function answersCall(cpu: Cpu, conduit: "hvc" | "smc"): boolean {
  const isAnswered = cpu.surroundings.firmwareCall(cpu, conduit);
  if (!isAnswered) return false;
  synchronizeContext(cpu);
  // The firmware's return leaves nothing to step; what was stepped is not told (Arm ARM SoftwareStep_DidNotStep).
  if (cpu.stepStarted) cpu.singleStep = cpu.stepStarted = false;
  return true;
}

/** HVC is UNDEFINED at EL0, without EL2, at Secure EL1, and where EL3 or, without it, EL2 itself disables it. */
function isHypervisorCallDefined(cpu: Cpu): boolean {
  if (!cpu.features.el2 || (cpu.el === 1 && isSecureBelowEl3(cpu))) return false;
  return cpu.features.el3 ? monitorBit(cpu, SCR.HCE) : !hasBit(cpu, "HCR_EL2", HCR.HCD);
}

function hypervisorCall(cpu: Cpu, imm16: number): void {
  if (cpu.el === 0) return raiseUndefined(cpu);
  if (answersCall(cpu, "hvc")) return;
  if (!isHypervisorCallDefined(cpu)) return raiseUndefined(cpu);
  const syndrome = syndromeOf("hypervisorCall", imm16);
  raiseSynchronous(cpu, cpu.el === 3 ? 3 : 2, syndrome, nextInstruction(cpu));
}

/** SMC: EL2's trap comes before the firmware, the firmware before EL3. */
function secureMonitorCall(cpu: Cpu, imm16: number): void {
  if (cpu.el === 0) return raiseUndefined(cpu);
  const syndrome = syndromeOf("secureMonitorCall", imm16);
  if (cpu.el === 1 && hypervisorBit(cpu, HCR.TSC)) return raiseSynchronous(cpu, 2, syndrome);
  if (answersCall(cpu, "smc")) return;
  if (!cpu.features.el3 || monitorBit(cpu, SCR.SMD)) return raiseUndefined(cpu);
  raiseSynchronous(cpu, 3, syndrome, nextInstruction(cpu));
}

function breakpoint(cpu: Cpu, imm16: number): void {
  const target = cpu.el > 1 ? cpu.el as 2 | 3 : debugTarget(cpu);
  raiseSynchronous(cpu, target, syndromeOf("breakpointInstruction", imm16));
}

/** HLT: semihosting above EL0 where it is on; otherwise UNDEFINED, since nothing can halt the CPU. */
function halt(cpu: Cpu, imm16: number): void {
  const isAnswered = imm16 === SEMIHOSTING_CALL && cpu.el > 0 && cpu.surroundings.semihostingCall(cpu);
  if (isAnswered) synchronizeContext(cpu);
  else raiseUndefined(cpu);
}

/** Bits of the syndrome of a trapped exception return: it authenticates; by key B. */
const ISS_ERET = 2, ISS_ERETA = 1;

/** ERET, or ERETAA and ERETAB with the number of a key. */
function exceptionReturn(cpu: Cpu, key: number | undefined): void {
  if (cpu.el === 0) return raiseUndefined(cpu);
  if (isExceptionReturnTrapped(cpu)) {
    const iss = key === undefined ? 0 : ISS_ERET | (key === 0 ? 0 : ISS_ERETA);
    return raiseSynchronous(cpu, 2, syndromeOf("exceptionReturnTrapped", iss));
  }
  const link = exceptionLink(cpu);
  const address = key === undefined ? link : authenticate(cpu, key, link, cpu.registers.sp);
  if (cpu.pending === undefined) cpu.nextPc = returnFromException(cpu, address);
}

const UMA: readonly TrapName[] = ["UMA"];
const DAIF_SET = 3 << 3 | 6, DAIF_CLEAR = 3 << 3 | 7;

/** A field of PSTATE of one bit. */
interface PstateField {
  /** Name of its register. */
  readonly name: string;
  /** EL0 may not write it. */
  readonly privileged: boolean;
  /** Extension that it belongs to. */
  readonly feature: Feature;
  readonly write: (cpu: Cpu, value: boolean) => void;
}

/** The fields by op1 in bits 5–3 and op2 in bits 2–0. */
// deno-fmt-ignore
const PSTATE_FIELDS: Readonly<Record<number, PstateField>> = {
  0o03: { name: "UAO",   privileged: true,  feature: "UAO",     write: (cpu, value) => (cpu.uao = value) },
  0o04: { name: "PAN",   privileged: true,  feature: "PAN",     write: setPan },
  0o05: { name: "SPSel", privileged: true,  feature: "Armv8.0", write: (cpu, value) => selectStackPointer(cpu, cpu.el, value ? 1 : 0) },
  0o31: { name: "SSBS",  privileged: false, feature: "SSBS2",   write: (cpu, value) => (cpu.ssbs = value) },
  0o32: { name: "DIT",   privileged: false, feature: "DIT",     write: (cpu, value) => (cpu.dit = value) },
};

/** MSR (immediate); `field` is op1 in bits 5–3 and op2 in bits 2–0. Fields of one bit take bit 0 of CRm. */
function writePstateField(cpu: Cpu, field: number, CRm: number): void {
  if (field === DAIF_SET || field === DAIF_CLEAR) return changeMasks(cpu, field, CRm);
  const row = PSTATE_FIELDS[field];
  if (row === undefined || !cpu.implements(row.feature) || (row.privileged && cpu.el === 0)) {
    return raiseUndefined(cpu);
  }
  row.write(cpu, (CRm & 1) === 1);
  emitWrite(cpu, row.name, BigInt(CRm & 1));
}

function changeMasks(cpu: Cpu, field: number, CRm: number): void {
  const encoding = systemEncoding(0, field >> 3, 4, CRm, field & 7);
  if (isTrapped(cpu, UMA, encoding, 31, false)) return;
  setMasks(cpu, field === DAIF_SET ? cpu.daif | CRm : cpu.daif & ~CRm);
  emitWrite(cpu, "DAIF", BigInt(cpu.daif << 6));
}

function emitWrite(cpu: Cpu, register: string, value: bigint): void {
  cpu.surroundings.events.emit("systemRegisterWritten", cpu.index, { register, value });
}

const SCTLR_SA = 3, SCTLR_SA0 = 4;

/** SP as a base must be a multiple of 16 where SCTLR_ELx.SA or SA0 says so (Arm ARM D1.8). */
function checkSpAlignment(cpu: Cpu): void {
  if ((cpu.registers.sp & 15n) === 0n) return;
  if (hasBit(cpu, controlRegister(cpu), cpu.el === 0 ? SCTLR_SA0 : SCTLR_SA)) raiseSpAlignment(cpu);
}

const FLOATING_POINT: readonly TrapName[] = ["FPEN", "TFP_EL2", "TFP_EL3"];

/**
 * True when SIMD and floating-point instructions trap at the present level, or may be about to, so that every one has
 * to ask (strict models); constant until a burst ends.
 */
export function isFloatTrapped(cpu: Cpu): boolean {
  return trapOf(cpu, FLOATING_POINT, false) !== undefined || pendingWrites(cpu)?.isEmpty === false;
}

type Immediates = readonly (number | bigint | string)[];
type Helper = (cpu: Cpu, immediates: Immediates, a: bigint, b: bigint) => bigint | void;

const imm = (immediates: Immediates, index: number): number => immediates[index] as number;

/** Immediates start at 1, after the helper's name. */
// deno-fmt-ignore
const IMPLEMENTATIONS: Readonly<Record<HelperName, Helper>> = {
  undefinedInstruction:  raiseUndefined,
  supervisorCall:        (cpu, i) => supervisorCall(cpu, imm(i, 1)),
  hypervisorCall:        (cpu, i) => hypervisorCall(cpu, imm(i, 1)),
  secureMonitorCall:     (cpu, i) => secureMonitorCall(cpu, imm(i, 1)),
  breakpoint:            (cpu, i) => breakpoint(cpu, imm(i, 1)),
  halt:                  (cpu, i) => halt(cpu, imm(i, 1)),
  exceptionReturn:       (cpu, i) => exceptionReturn(cpu, i[1] as number | undefined),
  readSystemRegister:    (cpu, i) => readSystemRegister(cpu, imm(i, 1), imm(i, 2)),
  writeSystemRegister:   (cpu, i, a) => writeSystemRegister(cpu, imm(i, 1), imm(i, 2), a),
  writePstateField:      (cpu, i) => writePstateField(cpu, imm(i, 1) << 3 | imm(i, 2), imm(i, 3)),
  systemInstruction:     (cpu, i, a) => executeSystemInstruction(cpu, imm(i, 1), imm(i, 2), a),
  maintainCache:         (cpu, i, a) => executeSystemInstruction(cpu, imm(i, 1), imm(i, 2), a),
  zeroBlock:             (cpu, i, a) => executeSystemInstruction(cpu, imm(i, 1), imm(i, 2), a),
  systemInstructionLong: (cpu, i) => executeSystemInstructionLong(cpu, imm(i, 1), imm(i, 2)),
  waitForInterrupt:      waitForInterrupt,
  waitForEvent:          waitForEvent,
  sendEvent:             sendEvent,
  sendEventLocal:        sendEventLocal,
  yieldProcessor:        yieldProcessor,
  clearExclusive:        (cpu) => cpu.monitor.clear("clearExclusive"),
  // Steps and maintenance are in program order, so that data barriers have nothing to wait for.
  dataBarrier:           () => {},
  instructionBarrier:    synchronizeContext,
  checkSpAlignment:      checkSpAlignment,
  checkFpEnabled:        (cpu) => { isTrapped(cpu, FLOATING_POINT, 0, 0, false); },
  addPac:                (cpu, i, a, b) => addPac(cpu, imm(i, 1), a, b),
  authenticate:          (cpu, i, a, b) => authenticate(cpu, imm(i, 1), a, b),
  stripPac:              (cpu, i, a) => stripPac(cpu, imm(i, 1) === 1, a),
  genericPac:            (cpu, _i, a, b) => genericPac(cpu, a, b),
  readFpcr:              (cpu) => cpu.registers.system[INDEX.FPCR] as bigint,
};

/**
 * Calls a helper as an IR operation does: `immediates` are those of the node, the helper's own from index 1; `a` and
 * `b` are its arguments. An exception is left pending; a helper without a result gives 0n.
 */
export function callHelper(
  cpu: Cpu,
  name: HelperName,
  immediates: readonly (number | bigint | string)[],
  a: bigint,
  b: bigint,
): bigint {
  return IMPLEMENTATIONS[name](cpu, immediates, a, b) ?? 0n;
}
