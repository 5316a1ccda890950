/**
 * Holds a guest's CPUs for a debugger, and lets them go, one instruction or for good. A CPU that is held waits at EL2 in a
 * loop of WFI, where interrupts reach the monitor and none the guest. A step is PSTATE.SS and MDSCR_EL1.SS with
 * MDCR_EL2.TDE, which makes EL2 the target of its exception (Arm ARM D2.12); virtual interrupts are kept off it, so that
 * the instruction itself is what is stepped. A breakpoint is BRK in place of the guest's instruction (D2.8).
 */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { CPUS_MAX } from "../../../machine/devices/gic_interrupts.ts";
import { flag, listOf, record, u32, u53, u64 } from "../../../machine/layout.ts";
import type { FieldKind, ValueOf } from "../../../machine/layout.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import type { Exit } from "../../exit.ts";
import { translateGuest } from "../../guest_memory.ts";
import { performSystem, readPhysical, writePhysical } from "../../own_memory.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { HeldCpu } from "./gdb_registers.ts";

/** WFI, and a branch back to it. */
const WAIT = 0x17ff_ffff_d503_207fn;
/** PSTATE at EL2 with its own stack pointer, debug exceptions, SError and FIQ masked. */
const WAITING = 0x349n;
const BRK = 0xd420_0000n;
/** MDSCR_EL1.SS, SPSR_EL2.SS, and OSLSR_EL1.OSLK, which disables steps. */
const SS = 1n, OSLK = 2n, SPSR_SS = 1n << 21n;
/** HCR_EL2.VF and VI; TWI and TWE, since an instruction that waits would be stepped when something comes. */
const VIRTUAL = 3n << 6n, TRAP_WAITS = 3n << 13n;
/** Breakpoints at most. */
const MOST_BREAKPOINTS = 1024;

const fields = {
  loop: u53,
  isHeld: flag,
  /** By CPU: it waits; where it goes on; it takes one step, with MDSCR_EL1.SS and the OS Lock as they were. */
  cpus: listOf(
    record({ isWaiting: flag, pc: u64, state: u64, isStepping: flag, keptStep: u64, isLocked: flag }),
    CPUS_MAX,
  ),
  breakpoints: listOf(record({ address: u64, physical: u53, opcode: u32 }), MOST_BREAKPOINTS),
};

/** What is held. */
export type HoldState = ValueOf<typeof fields>;

/** The layout of the state in a section. */
export const holdFields: FieldKind<HoldState> = record(fields);

/** Why a CPU that ran stands still. */
export type HoldReason = "step" | "breakpoint";

/** Holds the CPUs of one guest. */
export class GuestHold {
  #state: HoldState;

  /** `stopped` is told of a CPU that came to the end of its step, or to a breakpoint. */
  constructor(
    private readonly monitor: El2Monitor,
    private readonly stopped: (vcpu: Vcpu, reason: HoldReason) => void,
  ) {
    this.#state = this.#none(0);
    monitor.debug.use();
  }

  #none(loop: number): HoldState {
    const { cpus } = this.monitor.site.board.configuration;
    return {
      loop,
      isHeld: false,
      cpus: Array.from({ length: cpus }, () => NOT_HELD),
      breakpoints: [],
    };
  }

  /** All CPUs are held, or are about to be. */
  get isHeld(): boolean {
    return this.#state.isHeld;
  }

  /** Puts the loop into memory of the monitor's, before CPUs start. */
  reset(): void {
    const page = this.monitor.space.pool.take();
    writePhysical(this.monitor.site.memory, undefined, page, 8, WAIT);
    this.#state = this.#none(page);
  }

  #own(index: number): HoldState["cpus"][number] {
    return this.#state.cpus[index] as HoldState["cpus"][number];
  }

  #change(index: number, change: Partial<HoldState["cpus"][number]>): void {
    this.#state.cpus[index] = { ...this.#own(index), ...change };
  }

  /** Holds all CPUs; `vcpu` is in the handler. */
  hold(vcpu: Vcpu): void {
    if (this.#state.isHeld) return;
    this.#state.isHeld = true;
    for (const { index, on } of this.monitor.site.cpus) {
      if (on && index !== vcpu.index) this.monitor.gic.physical.kick(vcpu.cpu, index);
    }
  }

  /** Lets all CPUs go on. */
  release(vcpu: Vcpu): void {
    if (!this.#state.isHeld) return;
    this.#state.isHeld = false;
    for (const { index, on } of this.monitor.site.cpus) {
      if (on && index !== vcpu.index) this.monitor.gic.physical.kick(vcpu.cpu, index);
    }
  }

  /** Lets one CPU take a step; it may be another than the one in the handler. */
  step(vcpu: Vcpu, index: number): void {
    const { vcpu: stepped } = this.cpu(vcpu, index);
    this.#change(index, {
      isStepping: true,
      keptStep: stepped.get("MDSCR_EL1") & SS,
      isLocked: (stepped.get("OSLSR_EL1") & OSLK) !== 0n,
    });
    if (index !== vcpu.index) this.monitor.gic.physical.kick(vcpu.cpu, index);
  }

  /** A CPU as a debugger has it; `by` is in the handler. */
  cpu(by: Vcpu, index: number): HeldCpu {
    const own = this.#own(index), { cpus } = this.monitor.site;
    const vcpu = index === by.index ? by : this.monitor.vcpu(cpus[index] as Vcpu["cpu"]);
    const change = (place: HeldCpu["place"]): void => {
      if (own.isWaiting) this.#change(index, { pc: place.pc, state: place.state });
      else if (index === by.index) {
        vcpu.returnAddress = place.pc;
        vcpu.savedState = place.state;
      }
    };
    const place = (): HeldCpu["place"] => {
      const { isWaiting, pc, state } = this.#own(index);
      if (isWaiting) return { pc, state };
      if (index === by.index) return { pc: vcpu.returnAddress, state: vcpu.savedState };
      return { pc: vcpu.cpu.pc, state: 5n };
    };
    return {
      vcpu,
      get place() {
        return place();
      },
      set place(value) {
        change(value);
      },
    };
  }

  /** Before an exit is handled: the step is over, whatever came; true when nothing else is to be done about it. */
  exit(vcpu: Vcpu, exit: Exit): boolean {
    const isOurs = exit.class === "breakpointInstruction" && this.#isBreakpoint(vcpu);
    if (this.#endStep(vcpu)) {
      // An instruction that the monitor emulates is a step, and so is one that makes the guest take an exception.
      this.stopped(vcpu, isOurs ? "breakpoint" : "step");
      if (exit.class === "waitTrapped") vcpu.skip();
      return isOurs || exit.class === "softwareStepLower" || exit.class === "waitTrapped";
    }
    if (isOurs) this.stopped(vcpu, "breakpoint");
    return isOurs;
  }

  #endStep(vcpu: Vcpu): boolean {
    const { isStepping, isWaiting, keptStep, isLocked } = this.#own(vcpu.index);
    if (!isStepping || isWaiting) return false;
    this.#change(vcpu.index, { isStepping: false });
    vcpu.change("MDSCR_EL1", keptStep, SS);
    if (isLocked) vcpu.set("OSLAR_EL1", 1n);
    vcpu.savedState &= ~SPSR_SS;
    vcpu.change("HCR_EL2", 0n, TRAP_WAITS);
    this.monitor.gic.signalAgain(vcpu.cpu);
    return true;
  }

  #isBreakpoint({ returnAddress }: Vcpu): boolean {
    return this.#state.breakpoints.some(({ address }) => address === returnAddress);
  }

  /** Before the guest goes on: it waits, or it takes its step. */
  returning(vcpu: Vcpu): void {
    const { isWaiting, isStepping, pc, state } = this.#own(vcpu.index);
    const goes = !this.#state.isHeld || isStepping;
    if (isWaiting && goes) {
      vcpu.returnAddress = pc;
      vcpu.savedState = state;
      this.#change(vcpu.index, { isWaiting: false });
      if (!isStepping) this.monitor.gic.signalAgain(vcpu.cpu);
    } else if (!isWaiting && !goes) {
      this.#change(vcpu.index, {
        isWaiting: true,
        pc: vcpu.returnAddress,
        state: vcpu.savedState,
      });
      vcpu.returnAddress = BigInt(this.#state.loop);
      vcpu.savedState = WAITING;
    }
    if (!isStepping || !goes) return;
    vcpu.change("MDSCR_EL1", SS);
    vcpu.set("OSLAR_EL1", 0n);
    vcpu.savedState |= SPSR_SS;
    vcpu.change("HCR_EL2", TRAP_WAITS, VIRTUAL);
  }

  /** Puts a breakpoint at a guest's virtual address; false when there is no memory. */
  insert(by: Vcpu, index: number, address: bigint): boolean {
    const { breakpoints } = this.#state;
    if (breakpoints.some((other) => other.address === address)) return true;
    const physical = this.physical(by, index, address, true);
    if (physical === undefined || address % 4n !== 0n || breakpoints.length === MOST_BREAKPOINTS) {
      return false;
    }
    const opcode = Number(readPhysical(this.monitor.site.memory, by.cpu, physical, 4));
    breakpoints.push({ address, physical, opcode });
    this.#writeCode(by, physical, BRK);
    return true;
  }

  /** Takes a breakpoint away; `by` is in the handler. */
  remove(by: Vcpu, address: bigint): void {
    const { breakpoints } = this.#state;
    const at = breakpoints.findIndex((other) => other.address === address);
    const [found] = at < 0 ? [] : breakpoints.splice(at, 1);
    if (found !== undefined) this.#writeCode(by, found.physical, BigInt(found.opcode));
  }

  /** Takes all breakpoints away. */
  removeAll(by: Vcpu): void {
    for (const { address } of [...this.#state.breakpoints]) this.remove(by, address);
  }

  /** What the guest has where a breakpoint is. */
  withoutBreakpoints(physical: number, bytes: Uint8Array): void {
    for (const breakpoint of this.#state.breakpoints) {
      for (let byte = 0; byte < 4; byte++) {
        const at = breakpoint.physical + byte - physical;
        if (at >= 0 && at < bytes.length) bytes[at] = breakpoint.opcode >>> (8 * byte) & 0xff;
      }
    }
  }

  #writeCode({ cpu }: Vcpu, physical: number, opcode: bigint): void {
    writePhysical(this.monitor.site.memory, cpu, physical, 4, opcode);
    performSystem(cpu, "dc cvau", BigInt(physical));
    performSystem(cpu, "ic ialluis");
  }

  /** The physical address of memory at a virtual one of the guest; undefined where there is none, or none to be written. */
  physical(by: Vcpu, index: number, address: bigint, writes = false): number | undefined {
    const { site } = this.monitor, own = this.#own(index);
    const cpu = own.isWaiting ? site.cpus[index] as Vcpu["cpu"] : by.cpu;
    for (const stage of ["s12e1", "s12e0"] as const) {
      const place = translateGuest(cpu, stage, address);
      if (place.faulted) continue;
      return site.memory.directOffset(place.address as PhysicalAddress, writes) < 0
        ? undefined
        : place.address;
    }
    return undefined;
  }

  /** The state. */
  save(): HoldState {
    return { ...this.#state, cpus: [...this.#state.cpus], breakpoints: [...this.#state.breakpoints] };
  }

  /** Restores what `save` gave. */
  restore(state: HoldState): void {
    this.#state = { ...state, cpus: [...state.cpus], breakpoints: [...state.breakpoints] };
  }
}

const NOT_HELD = { isWaiting: false, pc: 0n, state: 0n, isStepping: false, keptStep: 0n, isLocked: false };
