/**
 * Debug exceptions of a guest that come to EL2 because a system wants BRK there: they go on to the guest's EL1, as they
 * would have without MDCR_EL2.TDE (Arm ARM D2.4, D2.12, D13.3).
 *
 * TDE makes EL2 the target of all of them, and so enables breakpoints, watchpoints and steps at EL1 whatever
 * MDSCR_EL1.KDE and PSTATE.D say. What the guest would not have had is undone here: EL2 steps over the instruction with
 * MDSCR_EL1.MDE clear; and while the guest's own MDSCR_EL1.SS does not act at EL1, EL2 steps each instruction up to the
 * return that makes it act, where SPSR_EL1.SS says what it would have made of PSTATE.SS. A load-exclusive is not stepped,
 * since the return would clear the monitor, but let run, up to breakpoints of EL2 behind the store-exclusive and where
 * branches between them lead; a breakpoint within a pair is gone past by carrying the rest of the pair out.
 */
import { CPUS_MAX } from "../machine/devices/gic_interrupts.ts";
import { flag, listOf, record, u64 } from "../machine/layout.ts";
import { type Section, sectionLayout } from "../machine/snapshot.ts";
import { BREAKPOINTS, WATCHPOINTS } from "../machine/cpu/breakpoints.ts";
import { EXCEPTION_CLASS } from "../machine/cpu/syndrome.ts";
import type { Exit } from "./exit.ts";
import { completeExclusive } from "./exclusive_forward.ts";
import { exclusiveEnds, opcodeAt } from "./exclusive_pair.ts";
import { syndrome } from "./injection.ts";
import type { ExitHandler } from "./system.ts";
import type { Vcpu } from "./vcpu.ts";

/** MDCR_EL2.TDE. */
const TDE = 1n << 8n;
/** MDSCR_EL1. */
const SS = 1n, KDE = 1n << 13n, MDE = 1n << 15n;
/** SPSR_ELx. */
const SPSR_D = 1n << 9n, SPSR_SS = 1n << 21n;
/** Status of a step's syndrome without more: the step was due before an instruction was executed. */
const STEP_STATUS = 0x22;
/** ERET, ERETAA, ERETAB. */
const RETURNS: readonly number[] = [0xd69f03e0, 0xd69f0bff, 0xd69f0fff];
/** Vectors of EL1 for exceptions from EL1 are below this, and each of that many bytes. */
const SAME_LEVEL_END = 0x400n, VECTOR_SIZE = 0x80n;

/** DBGBCRn_EL1 for any instruction of EL1 at an address. */
const BREAK_EL1 = 0x1e3n;

/** An instruction of EL1 that EL2 steps, or instructions that it lets run. */
interface Step {
  readonly isOn: boolean;
  /** MDE and SS of MDSCR_EL1 as the guest has them. */
  readonly kept: bigint;
  /** The guest's breakpoint and watchpoint registers, where EL2 has its own: in the order of MATCHING. */
  readonly matching: bigint[];
  /** The instruction is an exception return. */
  readonly isReturn: boolean;
}

const NO_STEP: Step = { isOn: false, kept: 0n, matching: [], isReturn: false };

/** What EL2's own breakpoints take the place of; watchpoints are off meanwhile. */
const MATCHING: readonly string[] = [
  ...Array.from({ length: BREAKPOINTS }, (_, n) => [`DBGBVR${n}_EL1`, `DBGBCR${n}_EL1`]).flat(),
  ...Array.from({ length: WATCHPOINTS }, (_, n) => `DBGWCR${n}_EL1`),
];

const layout = sectionLayout("debug exceptions", 1, {
  steps: listOf(
    record({ isOn: flag, kept: u64, matching: listOf(u64, MATCHING.length), isReturn: flag }),
    CPUS_MAX,
  ),
});

/** The debug exceptions of one guest. */
export class DebugExceptions {
  #isUsed = false;
  readonly #steps: Step[] = Array.from({ length: CPUS_MAX }, () => NO_STEP);
  /** What was stepped until the present exit; within one handler run. */
  #stepped = NO_STEP;

  /** Exits, for what no system takes. */
  readonly handlers = {
    breakpointInstruction: (vcpu, { iss }) => inject(vcpu, EXCEPTION_CLASS.breakpointInstruction, iss),
    breakpointLower: (vcpu, exit) => this.#matched(vcpu, exit),
    watchpointLower: (vcpu, exit) => this.#matched(vcpu, exit),
    softwareStepLower: (vcpu, exit) => this.#stepDone(vcpu, exit),
  } as const satisfies Readonly<Record<string, ExitHandler>>;

  /** Has debug exceptions come to EL2, for a system that takes some; before the first CPU starts. */
  use(): void {
    this.#isUsed = true;
  }

  reset(): void {
    this.#steps.fill(NO_STEP);
  }

  /** A CPU starts. */
  started(vcpu: Vcpu): void {
    this.#steps[vcpu.index] = NO_STEP;
    if (this.#isUsed) vcpu.change("MDCR_EL2", TDE);
  }

  /** Before an exit is handled: the guest's registers as it has them itself. */
  entered(vcpu: Vcpu): void {
    const step = this.#stepped = this.#steps[vcpu.index] as Step;
    if (!step.isOn) return;
    this.#steps[vcpu.index] = NO_STEP;
    for (const [index, value] of step.matching.entries()) vcpu.set(MATCHING[index] as string, value);
    vcpu.change("MDSCR_EL1", step.kept, MDE | SS);
    vcpu.savedState &= ~SPSR_SS;
    const offset = vcpu.returnAddress - vcpu.get("VBAR_EL1");
    // An exception to EL1 saved a PSTATE.SS that the guest did not have.
    const isAtVector = offset >= 0n && offset < SAME_LEVEL_END && offset % VECTOR_SIZE === 0n;
    if (vcpu.level === 1 && isAtVector) vcpu.change("SPSR_EL1", 0n, SPSR_SS);
  }

  /** Breakpoints, watchpoints and steps would be taken to EL1 from the present state of the guest. */
  #areEnabled(vcpu: Vcpu): boolean {
    if (vcpu.level === 0) return true;
    return (vcpu.get("MDSCR_EL1") & KDE) !== 0n && (vcpu.savedState & SPSR_D) === 0n;
  }

  #matched(vcpu: Vcpu, exit: Exit): boolean {
    if (this.#stepped.matching.length > 0) return this.#stepDone(vcpu, exit);
    if (!this.#areEnabled(vcpu)) return completeExclusive(vcpu) !== undefined || this.#step(vcpu, MDE);
    return inject(vcpu, classOf(vcpu, exit), exit.iss, exit.faultAddress);
  }

  #stepDone(vcpu: Vcpu, exit: Exit): boolean {
    if ((vcpu.get("MDSCR_EL1") & SS) === 0n) return true;
    if (!this.#areEnabled(vcpu)) return this.#step(vcpu, 0n);
    if (!this.#stepped.isOn) return inject(vcpu, classOf(vcpu, exit), exit.iss);
    // The instruction that EL2 stepped made the guest's own step act.
    if (this.#stepped.isReturn && (vcpu.get("SPSR_EL1") & SPSR_SS) !== 0n) vcpu.savedState |= SPSR_SS;
    else inject(vcpu, classOf(vcpu, exit), STEP_STATUS);
    return true;
  }

  /** Goes on for one instruction of EL1, with bits of MDSCR_EL1 clear; or past an exclusive pair. */
  #step(vcpu: Vcpu, clear: bigint): true {
    const control = vcpu.get("MDSCR_EL1"), opcode = opcodeAt(vcpu.cpu, vcpu.returnAddress) ?? 0;
    const ends = exclusiveEnds(vcpu.cpu, vcpu.returnAddress);
    const lets = ends !== undefined && ends.length <= BREAKPOINTS;
    this.#steps[vcpu.index] = {
      isOn: true,
      kept: control & (MDE | SS),
      matching: lets ? MATCHING.map((name) => vcpu.get(name)) : [],
      isReturn: RETURNS.includes(opcode),
    };
    if (lets) {
      for (const name of MATCHING) vcpu.set(name, 0n);
      for (const [n, address] of ends.entries()) {
        vcpu.set(`DBGBVR${n}_EL1`, address);
        vcpu.set(`DBGBCR${n}_EL1`, BREAK_EL1);
      }
      vcpu.set("MDSCR_EL1", control & ~SS | MDE);
    } else {
      vcpu.set("MDSCR_EL1", control & ~clear | SS);
      vcpu.savedState |= SPSR_SS;
    }
    return true;
  }

  /** The section, where debug exceptions come to EL2. */
  save(name: string): Section[] {
    return this.#isUsed ? [layout.encode(name, { steps: this.#steps })] : [];
  }

  /** Restores what `save` gave. */
  restore(name: string, section: (name: string) => Section): void {
    if (!this.#isUsed) return;
    for (const [index, step] of layout.decode(section(name)).steps.entries()) this.#steps[index] = step;
  }
}

/** The class as EL1 has it: the odd number beside a class from a lower level is that from the same. */
function classOf({ level }: Vcpu, exit: Exit): number {
  return EXCEPTION_CLASS[exit.class] | (level === 1 ? 1 : 0);
}

function inject(vcpu: Vcpu, exceptionClass: number, iss: number, faultAddress?: bigint): true {
  const value = (syndrome("unknown", iss) | exceptionClass << 26) >>> 0;
  vcpu.inject({ syndrome: value, ...(faultAddress !== undefined && { faultAddress }) });
  return true;
}
