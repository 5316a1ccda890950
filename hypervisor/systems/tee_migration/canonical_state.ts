/**
 * A realm's state in terms of the architecture: what a monitor at EL2 has to carry from one machine to another beside
 * pages, none of it a matter of how either machine is built. Anything else must be at rest before (`isCanonical`).
 */
import { boardRow } from "../../../machine/board.ts";
import { returnFromException } from "../../../machine/cpu/exception_return.ts";
import { selectStackPointer } from "../../../machine/cpu/stack_pointer.ts";
import {
  ByteReader,
  bytes,
  ByteWriter,
  type FieldKind,
  listOf,
  record,
  text,
  u32,
  u64,
  u8,
} from "../../../machine/layout.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import { readPhysical, writePhysical } from "../../own_memory.ts";
import type { Vcpu } from "../../vcpu.ts";

/** Registers of EL0 and EL1, as Linux, and what is like it, uses them; each is of the base architecture. */
// deno-fmt-ignore
const REGISTERS = [
  "SP_EL0", "SP_EL1", "ELR_EL1", "SPSR_EL1", "SCTLR_EL1", "CPACR_EL1", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1",
  "MAIR_EL1", "AMAIR_EL1", "VBAR_EL1", "ESR_EL1", "FAR_EL1", "AFSR0_EL1", "AFSR1_EL1", "CONTEXTIDR_EL1",
  "TPIDR_EL0", "TPIDRRO_EL0", "TPIDR_EL1", "PAR_EL1", "CSSELR_EL1", "CNTKCTL_EL1", "MDSCR_EL1", "PMUSERENR_EL0",
  "FPCR", "FPSR", "CNTV_CVAL_EL0", "CNTV_CTL_EL0",
] as const;

/** Registers of devices that keep what is written to them, by row of the board: PL011 (Arm DDI 0183), PL061 (DDI 0190). */
const DEVICES: Readonly<Record<string, readonly number[]>> = {
  uart0: [0x24, 0x28, 0x2c, 0x30, 0x34, 0x38],
  gpio: [0x400, 0x404, 0x408, 0x40c, 0x410],
};
/** UARTFR: BUSY, RXFE; UARTIMSC.TXIM. */
const FLAGS = 0x18, BUSY = 1n << 3n, RECEIVER_EMPTY = 1n << 4n, MASKS = 0x38, TRANSMIT_MASK = 1n << 5n;
/** OSLSR_EL1.OSLK and CNTx_CTL_EL0.ENABLE. */
const LOCKED = 2n, ENABLE = 1n;

const cpuState = record({
  index: u8,
  x: listOf(u64, 31),
  v: listOf(u64, 64),
  pc: u64,
  state: u64,
  osLock: u64,
  registers: listOf(record({ name: text(16), value: u64 }), 64),
});

/** The state of one CPU that is on; those that are off have none. */
export type CpuState = ReturnType<typeof cpuState.read>;

const layout = record({
  /** CPUs that are on, in order. */
  cpus: listOf(cpuState, 8),
  devices: listOf(record({ name: text(16), offset: u32, value: u32 }), 64),
  counter: u64,
  controller: bytes(1 << 20),
  controllerVersion: u32,
});

/** Layout of CPUs that stand still already, while others do not. */
export const stoppedCpus: FieldKind<readonly CpuState[]> = listOf(cpuState, 8);

function deviceBase({ site }: El2Monitor, name: string): number | undefined {
  return site.board.rows.some((row) => row.name === name) ? boardRow(site.board, name).base : undefined;
}

/**
 * Why the realm cannot be carried as it is, or undefined: an interrupt in service, a line that is not idle, a timer that
 * shows physical time. All CPUs that are on stand still; `vcpu` is at EL2. Most of it passes: then it is asked again.
 */
export function obstacle(monitor: El2Monitor, vcpu: Vcpu, cpus: readonly CpuState[]): string | undefined {
  if (!monitor.gic.isQuiet) return "an interrupt is in service";
  const uses = ({ index }: CpuState): boolean => {
    const other = monitor.vcpu(monitor.site.cpus[index] as Vcpu["cpu"]);
    return (other.get("CNTP_CTL_EL0") & ENABLE) !== 0n;
  };
  if (cpus.some(uses)) return "the physical timer is used";
  const uart = deviceBase(monitor, "uart0");
  if (uart === undefined) return undefined;
  const read = (offset: number): bigint => readPhysical(monitor.site.memory, vcpu.cpu, uart + offset, 4);
  const flags = read(FLAGS);
  if ((flags & BUSY) !== 0n || (flags & RECEIVER_EMPTY) === 0n) return "the serial line is busy";
  return (read(MASKS) & TRANSMIT_MASK) === 0n ? undefined : "the serial line is being written to";
}

/** The state of a CPU of a realm that has no obstacle; the CPU is at EL2, behind an exit. */
export function captureCpu(vcpu: Vcpu): CpuState {
  const { registers } = vcpu.cpu;
  return {
    index: vcpu.index,
    x: [...registers.slots.subarray(0, 31)],
    v: [...registers.v],
    pc: vcpu.returnAddress,
    state: vcpu.savedState,
    osLock: vcpu.get("OSLSR_EL1") & LOCKED,
    registers: REGISTERS.map((name) => ({ name, value: vcpu.get(name) })),
  };
}

/** The state of a realm whose CPUs stand still, as `captureCpu` gave them; `vcpu` is at EL2. */
export function captureState(monitor: El2Monitor, vcpu: Vcpu, cpus: readonly CpuState[]): Uint8Array {
  const { memory } = monitor.site, writer = new ByteWriter(), controller = monitor.gic.saveModel();
  const devices = Object.entries(DEVICES).flatMap(([name, offsets]) => {
    const base = deviceBase(monitor, name);
    if (base === undefined) return [];
    return offsets.map((offset) => ({
      name,
      offset,
      value: Number(readPhysical(memory, vcpu.cpu, base + offset, 4)),
    }));
  });
  layout.write(writer, {
    cpus: [...cpus].sort((a, b) => a.index - b.index),
    devices,
    counter: vcpu.get("CNTVCT_EL0"),
    controller: controller.bytes,
    controllerVersion: controller.version,
  });
  return writer.view().slice();
}

function applyCpu(vcpu: Vcpu, { x, v, registers, osLock, pc, state }: CpuState): void {
  const { cpu } = vcpu;
  if (x.length !== 31 || v.length !== 64) throw new RangeError("registers are missing");
  selectStackPointer(cpu, 2, 1);
  cpu.tlb.drop();
  for (const [number, value] of x.entries()) cpu.registers.setX(number, value);
  cpu.registers.v.set(v);
  for (const { name, value } of registers) {
    if (!(REGISTERS as readonly string[]).includes(name)) {
      throw new RangeError(`${name} is none of a realm's registers`);
    }
    vcpu.set(name, value);
  }
  vcpu.set("OSLAR_EL1", osLock >> 1n);
  vcpu.returnAddress = pc;
  vcpu.savedState = state;
}

/**
 * Puts a realm's state in CPUs that stand still, and leaves those that were on where the realm goes on, its counter too;
 * returns them. Throws RangeError for what is no state or not of such a machine.
 */
export function applyState(monitor: El2Monitor, vcpus: readonly Vcpu[], state: Uint8Array): Vcpu[] {
  const { memory } = monitor.site, parsed = layout.read(new ByteReader(state));
  const on = parsed.cpus.map((saved) => {
    const vcpu = vcpus[saved.index];
    if (vcpu === undefined) throw new RangeError(`there is no CPU ${saved.index}`);
    applyCpu(vcpu, saved);
    return vcpu;
  });
  const first = on[0];
  if (first === undefined) throw new RangeError("there is no CPU that is on");
  for (const { name, offset, value } of parsed.devices) {
    const base = deviceBase(monitor, name);
    if (base === undefined || !DEVICES[name]?.includes(offset)) throw new RangeError(`there is no ${name}`);
    writePhysical(memory, first.cpu, base + offset, 4, BigInt(value));
  }
  const { name } = monitor.gic.saveModel();
  const model = { name, version: parsed.controllerVersion, bytes: parsed.controller };
  monitor.gic.adopt(on.map(({ cpu }) => cpu), model);
  for (const vcpu of vcpus) setCounter(vcpu, parsed.counter);
  for (const { cpu } of on) cpu.registers.pc = returnFromException(cpu);
  return on;
}

/** The realm's virtual counter goes on from a count: it has not seen the time between. */
export function setCounter(vcpu: Vcpu, counter: bigint): void {
  vcpu.set("CNTVOFF_EL2", vcpu.get("CNTPCT_EL0") - counter);
}
