/** The registers of a guest's CPU as gdb numbers them, read and written by the monitor that holds it. */
import type { Vcpu } from "../../vcpu.ts";

/** A CPU that is held, or that is in the handler. */
export interface HeldCpu {
  /** The CPU. */
  readonly vcpu: Vcpu;
  /** Where it is to go on, and with which PSTATE. */
  place: { pc: bigint; state: bigint };
}

/** One register. */
interface Register {
  readonly name: string;
  /** Width, a multiple of 8. */
  readonly bits: number;
  readonly type: string;
  read(cpu: HeldCpu): bigint;
  write(cpu: HeldCpu, value: bigint): void;
}

/** PSTATE.SP and PSTATE.EL: the stack pointer that is in use. */
function stackPointer({ place: { state } }: HeldCpu): string {
  return (state & 0xdn) === 5n ? "SP_EL1" : "SP_EL0";
}

function place(name: string, bits: number, type: string, field: "pc" | "state"): Register {
  return {
    name,
    bits,
    type,
    read: (cpu) => cpu.place[field],
    write: (cpu, value) => void (cpu.place = { ...cpu.place, [field]: value }),
  };
}

const CORE: readonly Register[] = [
  ...Array.from({ length: 31 }, (_, n): Register => ({
    name: `x${n}`,
    bits: 64,
    type: "int",
    read: ({ vcpu }) => vcpu.x(n),
    write: ({ vcpu }, value) => vcpu.setX(n, value),
  })),
  {
    name: "sp",
    bits: 64,
    type: "data_ptr",
    read: (cpu) => cpu.vcpu.get(stackPointer(cpu)),
    write: (cpu, value) => cpu.vcpu.set(stackPointer(cpu), value),
  },
  place("pc", 64, "code_ptr", "pc"),
  place("cpsr", 32, "int", "state"),
];

/** What gdb shows as `info registers system`. */
// deno-fmt-ignore
const SYSTEM = [
  "SCTLR_EL1", "ACTLR_EL1", "CPACR_EL1", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "MAIR_EL1", "AMAIR_EL1", "VBAR_EL1",
  "ESR_EL1", "FAR_EL1", "AFSR0_EL1", "AFSR1_EL1", "PAR_EL1", "ELR_EL1", "SPSR_EL1", "SP_EL0", "SP_EL1",
  "TPIDR_EL0", "TPIDRRO_EL0", "TPIDR_EL1", "CONTEXTIDR_EL1", "CNTKCTL_EL1", "CNTV_CTL_EL0", "CNTV_CVAL_EL0",
  "CNTP_CTL_EL0", "CNTP_CVAL_EL0", "MDSCR_EL1",
];

function systemRegister(name: string, bits = 64): Register {
  return {
    name: bits === 64 ? name : name.toLowerCase(),
    bits,
    type: "int",
    read: ({ vcpu }) => vcpu.get(name),
    write: ({ vcpu }, value) => vcpu.set(name, value),
  };
}

const VECTORS: readonly Register[] = [
  ...Array.from({ length: 32 }, (_, n): Register => ({
    name: `v${n}`,
    bits: 128,
    type: "uint128",
    read: ({ vcpu: { cpu } }) => (cpu.v[2 * n + 1] as bigint) << 64n | (cpu.v[2 * n] as bigint),
    write: ({ vcpu: { cpu } }, value) => {
      cpu.v[2 * n] = BigInt.asUintN(64, value);
      cpu.v[2 * n + 1] = value >> 64n;
    },
  })),
  systemRegister("FPSR", 32),
  systemRegister("FPCR", 32),
];

/** Features by gdb's names. */
const FEATURES: readonly (readonly [name: string, registers: readonly Register[], group?: string])[] = [
  ["org.gnu.gdb.aarch64.core", CORE],
  ["org.gnu.gdb.aarch64.fpu", VECTORS],
  ["hindsight.aarch64.el1", SYSTEM.map((name) => systemRegister(name)), "system"],
];
const REGISTERS = FEATURES.flatMap(([, registers]) => registers);
/** Those of a `g` packet. */
const GENERAL = CORE.length + VECTORS.length;

function toPacket(value: bigint, bits: number): string {
  const digits = BigInt.asUintN(bits, value).toString(16).padStart(bits / 4, "0");
  return (digits.match(/../g) as string[]).reverse().join("");
}

/** The number that digits of bytes in memory order stand for; undefined when they are none. */
function fromPacket(digits: string, bits: number): bigint | undefined {
  if (digits.length !== bits / 4 || !/^[0-9a-f]+$/i.test(digits)) return undefined;
  return BigInt(`0x${(digits.match(/../g) as string[]).reverse().join("")}`);
}

/** A register's value for a packet; undefined for a number that none has. */
export function registerText(cpu: HeldCpu, number: number): string | undefined {
  const register = REGISTERS[number];
  return register && toPacket(register.read(cpu), register.bits);
}

/** Sets a register; false for what is no register, or no value of it. */
export function setRegister(cpu: HeldCpu, number: number, digits: string): boolean {
  const register = REGISTERS[number], value = register && fromPacket(digits, register.bits);
  if (register === undefined || value === undefined) return false;
  register.write(cpu, value);
  return true;
}

/** All values of a `g` packet. */
export function generalText(cpu: HeldCpu): string {
  return REGISTERS.slice(0, GENERAL).map(({ bits, read }) => toPacket(read(cpu), bits)).join("");
}

/** Sets all values of a `G` packet; false when they are not all there. */
export function setGeneral(cpu: HeldCpu, digits: string): boolean {
  let at = 0;
  for (const [number, { bits }] of REGISTERS.slice(0, GENERAL).entries()) {
    if (!setRegister(cpu, number, digits.slice(at, at += bits / 4))) return false;
  }
  return at === digits.length;
}

/** `target.xml`. */
export function targetDescription(): string {
  let number = 0;
  const features = FEATURES.map(([name, registers, group]) => {
    const rows = registers.map(({ name: register, bits, type }) =>
      `<reg name="${register}" bitsize="${bits}" type="${type}" regnum="${number++}"` +
      `${group === undefined ? "" : ` group="${group}" save-restore="no"`}/>`
    );
    return `<feature name="${name}">${rows.join("")}</feature>`;
  });
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">` +
    `<architecture>aarch64</architecture>${features.join("")}</target>`;
}
