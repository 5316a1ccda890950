/**
 * A program's state as TEEs of every type have it: what EL0 sees of the architecture, in no relation to who carries it.
 * Services are calls that are made again where they could not be answered, so that nothing of a carrier is state.
 */
import { ByteReader, bytes, ByteWriter, listOf, record, u64 } from "../../../../machine/layout.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { HEADER_BYTES, parseHeader, type ProgramHeader } from "./program_image.ts";

/** Registers of EL0 beside the general ones; FPSR's and FPCR's fields of absent extensions are RES0. */
const REGISTERS = ["SP_EL0", "TPIDR_EL0", "TPIDRRO_EL0", "FPCR", "FPSR"] as const;
/** PSTATE.NZCV. */
const FLAGS = 0xf000_0000n;

const layout = record({
  header: bytes(HEADER_BYTES),
  measurement: bytes(32),
  x: listOf(u64, 31),
  v: listOf(u64, 64),
  pc: u64,
  flags: u64,
  registers: listOf(u64, REGISTERS.length),
  counter: u64,
});

/** The state. */
export type ProgramState = ReturnType<typeof layout.read>;

/** What tells programs apart: the header as it was, and the hash of the image that a program was made of. */
export type ProgramIdentity = Pick<ProgramState, "header" | "measurement">;

/** The state of a program that has not begun. */
export function firstState(identity: ProgramIdentity): ProgramState {
  const { entry, stack } = parseHeader(identity.header);
  const registers = REGISTERS.map((name) => name === "SP_EL0" ? BigInt(stack) : 0n);
  return {
    ...identity,
    ...{ x: Array<bigint>(31).fill(0n), v: Array<bigint>(64).fill(0n) },
    ...{ pc: BigInt(entry), flags: 0n, registers, counter: 0n },
  };
}

/** The registers of a program that a CPU has behind an exception from EL0; `pc` and `state` are what was saved of it. */
export function captureProgram(
  vcpu: Vcpu,
  identity: ProgramIdentity,
  { pc, state, counter }: { readonly pc: bigint; readonly state: bigint; readonly counter: bigint },
): ProgramState {
  const { registers } = vcpu.cpu;
  return {
    ...identity,
    x: [...registers.slots.subarray(0, 31)],
    v: [...registers.v],
    pc,
    flags: state & FLAGS,
    registers: REGISTERS.map((name) => vcpu.get(name)),
    counter,
  };
}

/** Puts the registers in a CPU at its monitor's level; where it goes on is `pc`, with `flags` at EL0. */
export function applyProgram(vcpu: Vcpu, { x, v, registers }: ProgramState): void {
  for (const [number, value] of x.entries()) vcpu.cpu.registers.setX(number, value);
  vcpu.cpu.registers.v.set(v);
  for (const [at, name] of REGISTERS.entries()) vcpu.set(name, registers[at] as bigint);
}

/** The bytes of a state. */
export function encodeProgram(state: ProgramState): Uint8Array {
  const writer = new ByteWriter();
  layout.write(writer, state);
  return writer.view().slice();
}

/** A state and its header; throws RangeError for what is none. */
export function decodeProgram(encoded: Uint8Array): { state: ProgramState; header: ProgramHeader } {
  const state = layout.read(new ByteReader(encoded));
  const { x, v, registers, measurement } = state;
  if (x.length !== 31 || v.length !== 64 || registers.length !== REGISTERS.length) {
    throw new RangeError("registers are missing");
  }
  if (measurement.length !== 32) throw new RangeError("its measurement is missing");
  return { state: { ...state, flags: state.flags & FLAGS }, header: parseHeader(state.header) };
}

/** Names of the registers in `registers`, in order. */
export const STATE_REGISTERS: readonly string[] = REGISTERS;
