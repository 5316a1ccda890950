/** Our side of translation cases: a CPU with memory, devices left out, set up as the guest of QEMU is. */
import type { CpuModel } from "../../machine/a64/feature.ts";
import { physicalAddress } from "../../machine/address.ts";
import { Clock } from "../../machine/clock.ts";
import { Cpu } from "../../machine/cpu/cpu.ts";
import { performSystemInstruction } from "../../machine/cpu/address_translate.ts";
import { dropTranslations, watchWrites } from "../../machine/cpu/memory_access.ts";
import { CPU_STATE_SIZE } from "../../machine/cpu/registers.ts";
import { ReferenceEngine } from "../../machine/engine/reference.ts";
import { restoreFlags } from "../../machine/cpu/pstate.ts";
import { selectStackPointer } from "../../machine/cpu/stack_pointer.ts";
import { takeException } from "../../machine/cpu/take_exception.ts";
import { INDEX, type StoredRegister } from "../../machine/cpu/system_register_index.ts";
import { SYSTEM_INSTRUCTIONS } from "../../machine/a64/system_names.ts";
import { EventHub } from "../../machine/events.ts";
import { PhysicalMemory } from "../../machine/memory/physical.ts";
import { AT_NAMES, type TranslationCase } from "./translation_cases.ts";
import type { Outcome } from "./translation_runner.ts";

const RAM = physicalAddress(0x4000_0000), RAM_SIZE = 128 << 20;

/** Registers that a case sets. */
const GIVEN = [
  ...["SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "HCR_EL2", "VTCR_EL2", "VTTBR_EL2"],
  ...["VBAR_EL1", "SCR_EL3", "SCTLR_EL2", "TCR_EL2", "TTBR0_EL2", "MAIR_EL2"],
] as const;
/** Registers that an outcome shows, zeroed before. */
const SHOWN = [
  ...["ESR_EL2", "FAR_EL2", "HPFAR_EL2", "ELR_EL2", "ESR_EL1", "FAR_EL1", "ELR_EL1", "SPSR_EL2", "PAR_EL1"],
  ...["ESR_EL3", "FAR_EL3"],
] as const;

/** A CPU that runs cases. */
export class TranslationMachine {
  /** The CPU. */
  readonly cpu: Cpu;
  readonly #engine = new ReferenceEngine();
  readonly #memory = new PhysicalMemory(CPU_STATE_SIZE, RAM_SIZE);

  /** `model` is that of `-cpu`; `el3` when cases run from there, and only AT. */
  constructor(model: CpuModel, private readonly el3: boolean) {
    const cpus: Cpu[] = [];
    const clock = new Clock();
    const surroundings = {
      memory: this.#memory,
      clock,
      events: new EventHub(clock),
      cpus,
      firmwareCall: () => false,
      semihostingCall: () => false,
    };
    this.#memory.addRegion("ram", RAM, RAM_SIZE);
    this.cpu = new Cpu(0, { model, el2: true, el3 }, surroundings as never, undefined as never);
    cpus.push(this.cpu);
    watchWrites(this.#memory, cpus);
  }

  #set(name: string, value: bigint): void {
    this.cpu.registers.system[INDEX[name as StoredRegister]] = value;
  }

  #get(name: string): bigint {
    return this.cpu.registers.system[INDEX[name as StoredRegister]] as bigint;
  }

  #write(at: bigint, value: bigint): void {
    const word = new Uint8Array(BigUint64Array.of(value).buffer);
    this.#memory.writeBytes(physicalAddress(Number(at)), word);
  }

  /** Runs a case as the guest of QEMU does. */
  run(one: TranslationCase): Outcome {
    this.#begin(one);
    const vector = one.operation < 0 ? this.#execute(one) : this.#translate(one);
    for (const at of one.memory.keys()) this.#write(at, 0n);
    const shown = Object.fromEntries(SHOWN.map((register) => [register, this.#get(register)]));
    const { registers } = this.cpu;
    // From EL3 the guest shows its own level's registers.
    const own = this.el3
      ? { ESR_EL2: shown.ESR_EL3, FAR_EL2: shown.FAR_EL3, HPFAR_EL2: 0n, ELR_EL2: 0n, SPSR_EL2: 0n }
      : {};
    return { ...shown, ...own, vector, x0: registers.x(0), x1: registers.x(1) } as Outcome;
  }

  #begin(one: TranslationCase): void {
    const { cpu } = this;
    for (const name of GIVEN) this.#set(name, one[name as keyof TranslationCase] as bigint);
    for (const name of SHOWN) this.#set(name, 0n);
    for (const [at, value] of one.memory) this.#write(at, value);
    dropTranslations([cpu]);
    this.#set("CPACR_EL1", 3n << 20n);
    selectStackPointer(cpu, this.el3 ? 3 : 2, 1);
    cpu.monitor.restore(false, 0, 0);
    cpu.slots.fill(0n, 0, 31);
    cpu.registers.setX(0, one.x0);
    cpu.registers.setX(1, one.x1);
  }

  /** One AT; the vector is that of an exception from the same level, or the guest's mark of none. */
  #translate(one: TranslationCase): bigint {
    const { cpu } = this;
    const name = `at ${AT_NAMES[one.operation]}`;
    performSystemInstruction(cpu, SYSTEM_INSTRUCTIONS[name]?.encoding as number, one.x0);
    const taken = cpu.pending;
    if (taken === undefined) return 0x100n;
    cpu.pending = undefined;
    takeException(cpu, taken);
    return 4n;
  }

  /** Code at EL1 or EL0 until it comes back to EL2; the number of the vector. */
  #execute(one: TranslationCase): bigint {
    const { cpu } = this;
    restoreFlags(cpu, one.state);
    selectStackPointer(cpu, (one.state & 4n) === 0n ? 0 : 1, Number(one.state & 1n) as 0 | 1);
    cpu.registers.pc = one.entry;
    for (let steps = 0; steps < 10 && cpu.el < 2; steps++) this.#engine.run(cpu, 1);
    return (cpu.registers.pc & 0x7ffn) / 0x80n;
  }
}
