/** How a scan asks a PE: AT instructions, registers and memory, by the ways that software at EL2 has. */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { SYSTEM_INSTRUCTIONS } from "../../../machine/a64/system_names.ts";
import { performSystemInstruction } from "../../../machine/cpu/address_translate.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { effectiveHcr, isEl2Enabled } from "../../../machine/cpu/translation_regime.ts";
import { SCANNED_REGISTERS, type ScannedRegisters } from "./halves.ts";

/** The AT instructions of a scan: stage 1, and both stages, both as reads at EL1. */
export type Translate = "s1e1r" | "s12e1r";

/** A PE that holds the registers of EL1&0 whose address space is scanned. */
export interface TranslationPort {
  /**
   * AT, ISB, MRS PAR_EL1. An AT that takes an exception is caught, and told in PAR_EL1's format: its fault status code,
   * and PTW and S where it was stage 2's on a walk.
   */
  translate(instruction: Translate, gva: bigint): bigint;
  /** The registers that describe the address space. */
  registers(): ScannedRegisters;
  /** Eight bytes of physical memory, little-endian; undefined where there is none. */
  read(address: bigint): bigint | undefined;
  /** Lets stage 2 map the page at an address that has nothing; false when nothing belongs there. */
  back(ipa: bigint): boolean;
  /** PAR_EL1, saved before a scan. */
  save(): bigint;
  /** PAR_EL1, put back after it. */
  restore(par: bigint): void;
}

const PAR_F = 1n, PAR_RES1 = 1n << 11n, PAR_WALK = 3n << 8n, ISS_S1PTW = 1 << 7;

function encodingOf(name: Translate): number {
  const instruction = SYSTEM_INSTRUCTIONS[`at ${name}`];
  if (instruction === undefined) throw new RangeError(`There is no instruction AT ${name}`);
  return instruction.encoding;
}

const ENCODINGS: Readonly<Record<Translate, number>> = {
  s1e1r: encodingOf("s1e1r"),
  s12e1r: encodingOf("s12e1r"),
};

/** A scan's port on a CPU of the machine; `back` is the monitor's, for pages of stage 2 that it maps on demand. */
export class CpuTranslationPort implements TranslationPort {
  /** `cpu` is at EL2, or where a monitor's command found it. */
  constructor(private readonly cpu: Cpu, readonly back: (ipa: bigint) => boolean = () => false) {}

  /** AT by the machine's own instruction. PAR_EL1 is written at once, so that the ISB has nothing to do. */
  translate(instruction: Translate, gva: bigint): bigint {
    const { cpu } = this;
    performSystemInstruction(cpu, ENCODINGS[instruction], gva);
    const { pending } = cpu;
    if (pending === undefined) return cpu.registers.system[INDEX.PAR_EL1] as bigint;
    // As an exception table does: the abort is never taken, its syndrome says what it was.
    cpu.pending = undefined;
    const { syndrome } = pending;
    return (BigInt(syndrome & 63) << 1n) | PAR_F | PAR_RES1 | ((syndrome & ISS_S1PTW) !== 0 ? PAR_WALK : 0n);
  }

  /** HCR_EL2 as it acts; without EL2 its registers are 0. */
  registers(): ScannedRegisters {
    const { cpu } = this, hasEl2 = isEl2Enabled(cpu);
    const valueOf = (name: string) => {
      if (name === "HCR_EL2") return effectiveHcr(cpu);
      return name.endsWith("_EL2") && !hasEl2 ? 0n : peekSystemRegister(cpu, name);
    };
    return Object.fromEntries(SCANNED_REGISTERS.map((name) => [name, valueOf(name)])) as ScannedRegisters;
  }

  /** Memory as it is, never a device. */
  read(address: bigint): bigint | undefined {
    const { memory } = this.cpu.surroundings;
    const offset = memory.hostOffset(Number(address) as PhysicalAddress, 8);
    return offset < 0 ? undefined : memory.view.getBigUint64(offset, true);
  }

  /** PAR_EL1. */
  save(): bigint {
    return this.cpu.registers.system[INDEX.PAR_EL1] as bigint;
  }

  /** PAR_EL1. */
  restore(par: bigint): void {
    this.cpu.registers.system[INDEX.PAR_EL1] = par;
  }
}
