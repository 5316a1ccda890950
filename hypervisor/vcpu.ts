/** What a monitor sees of a CPU that trapped: the registers of its guest, and those of its own level that say where to return. */
import type { Cpu } from "../machine/cpu/cpu.ts";
import type { ExceptionLevel } from "../machine/cpu/exception.ts";
import { patchSystemRegister, peekSystemRegister } from "../machine/cpu/system_registers.ts";
import { type InjectedException, injectException, syndrome } from "./injection.ts";

/** Number of the zero register in an instruction's fields. */
const ZERO_REGISTER = 31;
/** SPSR_ELx.M[3:2]: the exception level. */
const MODE_LEVEL = 2n;
/** SPSR_ELx.SS. */
const STEP = 1n << 21n;
/** Syndrome of a step: an instruction was executed (ISV), and the status. */
const STEPPED = 1 << 24 | 0x22;

/** A CPU as the software at EL2 or EL3 that hosts its guest has it. */
export class Vcpu {
  /** `monitorLevel` is the level of the software. */
  constructor(readonly cpu: Cpu, readonly monitorLevel: 2 | 3) {}

  /** Number of the CPU. */
  get index(): number {
    return this.cpu.index;
  }

  /** Xn; 31 is XZR. */
  x(n: number): bigint {
    return n === ZERO_REGISTER ? 0n : this.cpu.registers.x(n);
  }

  /** Sets Xn, which is an event; nothing for 31. */
  setX(n: number, value: bigint): void {
    if (n === ZERO_REGISTER) return;
    const { cpu, monitorLevel: level } = this;
    cpu.registers.setX(n, value = BigInt.asUintN(64, value));
    cpu.surroundings.events.emit("guestRegisterWritten", cpu.index, { level, number: n, value });
  }

  /** A system register by the Arm ARM's name, as the monitor's level reads it; RangeError for a wrong name. */
  get(name: string): bigint {
    return peekSystemRegister(this.cpu, name);
  }

  /** Writes a system register; what is read-only stays. RangeError for a wrong name. */
  set(name: string, value: bigint): void {
    patchSystemRegister(this.cpu, name, BigInt.asUintN(64, value));
  }

  /** Sets and clears bits of a system register. */
  change(name: string, set: bigint, clear: bigint = 0n): void {
    this.set(name, this.get(name) & ~clear | set);
  }

  /** ELR_ELx of the monitor's level: where the guest goes on. */
  get returnAddress(): bigint {
    return this.get(`ELR_EL${this.monitorLevel}`);
  }
  set returnAddress(address: bigint) {
    this.set(`ELR_EL${this.monitorLevel}`, address);
  }

  /** SPSR_ELx of the monitor's level: PSTATE of the guest. */
  get savedState(): bigint {
    return this.get(`SPSR_EL${this.monitorLevel}`);
  }
  set savedState(state: bigint) {
    this.set(`SPSR_EL${this.monitorLevel}`, state);
  }

  /** The level that trapped. */
  get level(): ExceptionLevel {
    return Number(this.savedState >> MODE_LEVEL & 3n) as ExceptionLevel;
  }

  /**
   * Goes on behind the instruction that trapped, as if it had been executed there: a software step of it is done, and its
   * exception is the next thing (Arm ARM D2.12).
   */
  skip(): void {
    this.returnAddress = BigInt.asUintN(64, this.returnAddress + 4n);
    const { savedState, level } = this;
    if ((savedState & STEP) === 0n) return;
    this.savedState = savedState & ~STEP;
    if (this.monitorLevel === 2) {
      this.inject({ syndrome: syndrome(level === 0 ? "softwareStepLower" : "softwareStepSame", STEPPED) });
    }
  }

  /** Makes the guest take an exception in place of what it would go on with (Arm ARM D1.10.2, AArch64.TakeException). */
  inject(exception: InjectedException): void {
    injectException(this, exception);
  }
}
