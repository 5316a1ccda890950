/** Carries a call out: decodes W7, moves a register or a buffer to or from the port, and says what became of it. */
import { EXCEPTION_CLASS, SYNDROME_IL } from "../../../machine/cpu/syndrome.ts";
import type { GuestAccessFault } from "../../guest_memory.ts";
import { injectUndefined } from "../../injection.ts";
import type { Vcpu } from "../../vcpu.ts";
import { type BufferAccess, type GuestBuffer, readElements, writeElements } from "./guest_buffer.ts";
import { decodeInstruction, type PortInstruction } from "./instruction.ts";
import { type PortSite, readPort, stringAtPort } from "./port_space.ts";
import { BX, CX, DI, DX, Registers, SI } from "./registers.ts";

/** What became of a call. */
export interface CallResult {
  /**
   * `answered`: by a port; `unknown`: nothing is there; `continued`: more of a long string instruction is to do, at the
   * same instruction; `faulted`: a data abort was injected at it; `undefined`: UNDEFINED was.
   */
  readonly outcome: "answered" | "unknown" | "continued" | "faulted" | "undefined";
  /** The port; 0 where none was decoded. */
  readonly port: number;
  /** Of a string instruction, those that moved now. */
  readonly bytes: Uint8Array;
}

/** Most bytes that one call moves: an interrupt can come between, as between the elements of REP. */
export const CALL_BYTES = 65536;

const NOTHING = new Uint8Array(0);
const DIRECTION_WRITE = 1 << 6, SAME_OR_LOWER = 1, EXTERNAL_ABORT = 0x10;
/** PAR_EL1 of a fault: the fault status, and that it is stage 2's. */
const PAR_STATUS = 1n, PAR_STAGE2 = 9n;
/** Pages that are brought in for one call at most: those of CALL_BYTES, and for elements that cross into others. */
const MENDS_MAX = 64;

/** Brings in what stage 2 has not for an access to a guest's buffer; false where nobody does. */
export type MendAccess = (vcpu: Vcpu, fault: GuestAccessFault, isWrite: boolean) => boolean;

/** The data abort that the caller's own access would have met. */
function injectDataAbort(vcpu: Vcpu, { address, par }: GuestAccessFault, isWrite: boolean): void {
  // What stage 2 refuses is the monitor's: to the guest, nothing answers there.
  const isGuests = par !== undefined && (par >> PAR_STAGE2 & 1n) === 0n;
  const status = isGuests ? Number(par >> PAR_STATUS & 0x3fn) : EXTERNAL_ABORT;
  const exceptionClass = EXCEPTION_CLASS.dataAbortLower + (vcpu.level === 0 ? 0 : SAME_OR_LOWER);
  const syndrome = (exceptionClass << 26 | SYNDROME_IL | (isWrite ? DIRECTION_WRITE : 0) | status) >>> 0;
  vcpu.inject({ syndrome, faultAddress: address });
}

/** Reads `count` elements, or writes those given; what is brought in meanwhile is tried again from the first. */
function move(
  vcpu: Vcpu,
  buffer: GuestBuffer,
  { count, given }: { readonly count: number; readonly given: Uint8Array | undefined },
  mend: MendAccess,
): BufferAccess {
  for (let mends = 0;; mends++) {
    const access = given === undefined ? readElements(buffer, count) : writeElements(buffer, given);
    const { fault } = access;
    if (fault === undefined || mends === MENDS_MAX || !mend(vcpu, fault, given !== undefined)) return access;
  }
}

function performString(
  vcpu: Vcpu,
  instruction: PortInstruction,
  site: PortSite,
  mend: MendAccess,
): CallResult {
  const { size, isIn, port, string } = instruction as Required<PortInstruction>;
  const registers = new Registers(vcpu), pointer = isIn ? DI : SI;
  const elements = string.repeats ? vcpu.x(CX) : 1n;
  if (elements === 0n) return { outcome: "answered", port, bytes: NOTHING };
  const total = elements * BigInt(size);
  const device = stringAtPort(registers, port, { isIn, bytes: total }, site);
  if (device?.bytes === 0) return { outcome: "answered", port, bytes: NOTHING };
  const most = BigInt(CALL_BYTES), part = Number(total < most ? total : most);
  const buffer: GuestBuffer = {
    cpu: vcpu.cpu,
    stage: vcpu.level === 0 ? "s12e0" : "s12e1",
    address: vcpu.x(pointer),
    size,
    step: string.step,
  };
  const given = isIn ? device?.give(part) ?? new Uint8Array(part).fill(0xff) : undefined;
  const { bytes, fault } = move(vcpu, buffer, { count: part / size, given }, mend);
  const moved = BigInt(bytes.length / size);
  if (moved > 0n) {
    if (string.repeats) vcpu.setX(CX, elements - moved);
    vcpu.setX(pointer, buffer.address + moved * BigInt(string.step));
    device?.moved(bytes);
  }
  if (fault !== undefined) {
    injectDataAbort(vcpu, fault, isIn);
    return { outcome: "faulted", port, bytes };
  }
  if (BigInt(part) < total) return { outcome: "continued", port, bytes };
  if (device !== undefined) registers.setHigh(BX, 1);
  return { outcome: device === undefined ? "unknown" : "answered", port, bytes };
}

/** Carries a call out; ELR_EL2 is at its instruction, and stays there. */
export function performCall(vcpu: Vcpu, site: PortSite, mend: MendAccess): CallResult {
  const instruction = decodeInstruction(Number(vcpu.x(7) & 0xffff_ffffn), vcpu.x(DX));
  if (instruction === undefined) {
    injectUndefined(vcpu);
    return { outcome: "undefined", port: 0, bytes: NOTHING };
  }
  const { isIn, port, size, string } = instruction;
  if (string !== undefined) return performString(vcpu, instruction, site, mend);
  // Nothing takes a single OUT.
  const isAnswered = isIn && readPort(new Registers(vcpu), port, size, site);
  return { outcome: isAnswered ? "answered" : "unknown", port, bytes: NOTHING };
}
