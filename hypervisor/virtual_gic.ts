/**
 * The interrupt controller of a virtual machine under a monitor at EL2: the board's own model once more, its registers
 * trapped, its outputs HCR_EL2.VI and VF, and physical interrupts forwarded to it (Arm IHI 0048B, IHI 0069).
 *
 * With HCR_EL2.{IMO,FMO} set every physical interrupt comes to EL2. The monitor acknowledges it, drops its priority and
 * drives the input of the same number here; it stays active, and so quiet, until the guest deactivates it here. Then
 * the input goes low and the physical one is deactivated: if its line is still high it comes again. Enables, routes and
 * edge or level of the guest's are mirrored to the board's controller. What concerns another virtual CPU reaches it by
 * a physical SGI: its own EL2 sets its own HCR_EL2. There is no ITS: a machine with this monitor has none (its=off).
 */
import { type Board, boardRow } from "../machine/board.ts";
import { HCR } from "../machine/cpu/controls.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import {
  type GicAccess,
  type GicCpuInterface,
  type GicRegister,
  ICC_REGISTERS,
} from "../machine/cpu/gic_interface.ts";
import { INDEX } from "../machine/cpu/system_register_index.ts";
import { octets, words } from "../machine/devices/fixed_arrays.ts";
import {
  at,
  CPUS_MAX,
  type InterruptEvents,
  lowestBit,
  STORED_WORDS,
} from "../machine/devices/gic_interrupts.ts";
import type { EventHub } from "../machine/events.ts";
import type { MappedDevice } from "../machine/memory/physical.ts";
import { type Section, sectionLayout } from "../machine/snapshot.ts";
import { FIRST_SPECIAL, KICK_INTERRUPT, type PhysicalGic, physicalGic } from "./physical_gic.ts";
import { GicMirror } from "./virtual_gic_mirror.ts";
import { buildModel, type GicModel } from "./virtual_gic_model.ts";

/** A register frame of the virtual machine, where the board has the physical one. */
export interface VirtualFrame {
  /** First intermediate physical address. */
  readonly base: number;
  /** Bytes that answer. */
  readonly size: number;
  /** What answers; an access names the virtual CPU. */
  readonly device: MappedDevice;
}

/** A system register that is trapped and answered here. */
export interface VirtualRegister {
  /** Name in the Arm ARM. */
  readonly name: GicRegister;
  /** Reads it as EL1 of a CPU does. */
  read(cpu: Cpu): bigint;
  /** Writes it as EL1 of a CPU does. */
  write(cpu: Cpu, value: bigint): void;
}

/** What a virtual controller stands on. */
export interface VirtualGicSite {
  /** The board, which has a GIC. */
  readonly board: Board;
  /** Where `virtualInterruptRaised` and `virtualInterruptAcknowledged` go. */
  readonly events: EventHub;
  /** CPUs in order: virtual CPU n is CPU n. */
  readonly cpus: readonly Cpu[];
}

const VI = 1 << HCR.VI, VF = 1 << HCR.VF;
/** The physical interrupts and SErrors that EL2 takes, which also gives EL1 the virtual ones. */
const ROUTES = 1n << BigInt(HCR.IMO) | 1n << BigInt(HCR.FMO) | 1n << BigInt(HCR.AMO);
/** ICH_HCR_EL2: TC, TALL0, TALL1 and TDIR, all accesses to the CPU interface trap. */
export const TRAPS_ALL: bigint = 1n << 10n | 1n << 11n | 1n << 12n | 1n << 14n;
/** What EL1 of a CPU without EL2 and EL3 is to its interface. */
export const GUEST: GicAccess = {
  level: 1,
  secure: false,
  secureBank: false,
  fiqToMonitor: false,
  irqToMonitor: false,
  fiqToHypervisor: false,
  irqToHypervisor: false,
};

const SECTION = "monitor2.gic_links";
const layout = sectionLayout("virtual gic links", 1, {
  forwarded: words(STORED_WORDS),
  taken: words(STORED_WORDS),
  driven: octets(CPUS_MAX),
  kicked: octets(CPUS_MAX),
});

/** The controller of one virtual machine; bits of words are laid out as in `BankedInterrupts`. */
export class VirtualGic {
  /** Register frames to trap. */
  readonly frames: readonly VirtualFrame[];
  /** System registers to trap: none with a GICv2. */
  readonly registers: readonly VirtualRegister[];
  /** The controller that the monitor itself uses. */
  readonly physical: PhysicalGic;
  readonly #model: GicModel;
  readonly #cpus: readonly Cpu[];
  /** Physical interrupts that are active on behalf of virtual ones. */
  #forwarded: Uint32Array = new Uint32Array(STORED_WORDS);
  /** Of those, the ones that the guest has acknowledged. */
  #taken: Uint32Array = new Uint32Array(STORED_WORDS);
  /** VI and VF as each CPU last wrote them (bits 0 and 1). */
  #driven: Uint8Array = new Uint8Array(CPUS_MAX);
  /** A kick is on its way. */
  #kicked: Uint8Array = new Uint8Array(CPUS_MAX);
  /** What the model asks for; follows from its state. */
  readonly #wanted = new Uint8Array(CPUS_MAX);
  readonly #mirror: GicMirror;

  /** A controller as the board's is, without Security states and ITS; `reset` must be called before it is used. */
  constructor({ board, events, cpus }: VirtualGicSite) {
    this.#cpus = cpus;
    this.physical = physicalGic(board);
    this.#model = buildModel(board.configuration, virtualEvents(events), (cpu, bit, level) => {
      const others = at(this.#wanted, cpu) & ~bit;
      this.#wanted[cpu] = level ? others | bit : others;
    });
    this.#mirror = new GicMirror(this.#model.interrupts, this.physical, board.configuration.cpus);
    const { cpuInterfaces } = this.#model;
    this.frames = this.#model.frames.map(({ device, size }, index) => ({
      base: boardRow(board, FRAME_ROWS[board.configuration.gicVersion][index] as string).base,
      size,
      device: this.#settling(device, index === 0 || cpuInterfaces !== undefined),
    }));
    this.registers = cpuInterfaces === undefined
      ? []
      : ICC_REGISTERS.filter((name) => name.endsWith("_EL1")).map((name) =>
        this.#register(name, cpuInterfaces)
      );
  }

  /** A frame after whose accesses the world outside the model follows; `configures` if its registers are mirrored. */
  #settling(device: MappedDevice, configures: boolean): MappedDevice {
    return {
      name: device.name,
      read: (offset, size, context) => {
        const value = device.read(offset, size, context);
        this.#settle(this.#cpus[context.cpu] as Cpu);
        return value;
      },
      write: (offset, size, value, context) => {
        device.write(offset, size, value, context);
        const cpu = this.#cpus[context.cpu] as Cpu;
        if (configures) this.#mirror.follow(cpu);
        this.#settle(cpu);
      },
    };
  }

  #register(name: GicRegister, faces: readonly GicCpuInterface[]): VirtualRegister {
    const faceOf = (cpu: Cpu) => faces[cpu.index] as GicCpuInterface;
    return {
      name,
      read: (cpu) => {
        const value = faceOf(cpu).read(name, GUEST);
        this.#settle(cpu);
        return value;
      },
      write: (cpu, value) => {
        faceOf(cpu).write(name, value, GUEST);
        this.#settle(cpu);
      },
    };
  }

  /** An interrupt, from 16 on, that the monitor keeps: its physical one comes to `take`'s `isClaimed` only. */
  claim(interrupt: number): void {
    this.#mirror.claim(interrupt);
  }

  /** Power-on state of the virtual controller; the physical one is reset with the machine. */
  reset(): void {
    this.#forwarded.fill(0);
    this.#taken.fill(0);
    this.#driven.fill(0);
    this.#kicked.fill(0);
    this.#model.reset();
    this.#mirror.remember();
  }

  /** A CPU is to start at EL1: EL2 gets its interrupts, its interface its reset state, the board's controller a user. */
  started(cpu: Cpu): void {
    const { system } = cpu.registers;
    system[INDEX.HCR_EL2] = (system[INDEX.HCR_EL2] as bigint) | ROUTES;
    this.#driven[cpu.index] = 0;
    this.#model.cpuInterfaces?.[cpu.index]?.reset();
    cpu.surroundings.gic?.write("ICH_HCR_EL2", TRAPS_ALL, { ...GUEST, level: 2 });
    this.physical.start(cpu);
    this.#settle(cpu);
  }

  /**
   * A physical IRQ or FIQ was taken at EL2 of a CPU: acknowledges one interrupt and forwards it, unless `isClaimed` did
   * what is to be done, and made its line low. Returns its INTID, or undefined when there was none any more.
   */
  take(cpu: Cpu, isClaimed: (interrupt: number) => boolean): number | undefined {
    const acknowledged = this.physical.acknowledge(cpu);
    const interrupt = acknowledged & 0x3ff;
    if (interrupt >= FIRST_SPECIAL) {
      this.#settle(cpu);
      return undefined;
    }
    this.physical.dropPriority(cpu, acknowledged);
    if (interrupt === KICK_INTERRUPT) this.physical.deactivate(cpu, acknowledged);
    else if (isClaimed(interrupt)) this.physical.deactivate(cpu, interrupt);
    else this.#forward(cpu, interrupt);
    this.#settle(cpu);
    return interrupt;
  }

  #forward(cpu: Cpu, interrupt: number): void {
    const word = this.#model.interrupts.word(cpu.index, interrupt >>> 5);
    this.#forwarded[word] = at(this.#forwarded, word) | 1 << (interrupt & 31);
    this.#model.drive(cpu.index, interrupt, true);
  }

  /** Drives the input of a virtual interrupt that has no physical one, such as a timer that the monitor emulates. */
  drive(cpu: Cpu, interrupt: number, level: boolean): void {
    this.#model.drive(cpu.index, interrupt, level);
    this.#settle(cpu);
  }

  /** Whether a virtual interrupt is pending, as GICD_ISPENDR shows it. */
  isPending(cpu: Cpu, interrupt: number): boolean {
    return this.#model.interrupts.isPending(cpu.index, interrupt);
  }

  /** Makes a virtual interrupt pending as the operator does. Throws RangeError when there is none of the number. */
  inject(cpu: Cpu, interrupt: number): void {
    this.#model.inject(interrupt, cpu.index);
    this.#settle(cpu);
  }

  /** No physical interrupt is active on behalf of a virtual one: the controller is all in its model. */
  get isQuiet(): boolean {
    return this.#forwarded.every((word) => word === 0);
  }

  /** The model's state. */
  saveModel(): Section {
    return this.#model.save();
  }

  /**
   * Takes the state of another machine's model, which was quiet, on CPUs that are at EL2, at least one; the board's
   * controller follows. Throws RangeError for what is no such state.
   */
  adopt(cpus: readonly Cpu[], model: Section): void {
    this.#model.restore(model);
    for (const cpu of cpus) {
      this.#mirror.follow(cpu, true);
      this.#settle(cpu);
    }
  }

  /** What follows outside the model from a change in it, done by the CPU that is in EL2. */
  #settle(cpu: Cpu): void {
    this.#release(cpu, cpu.index);
    for (let word = CPUS_MAX; word < STORED_WORDS; word++) this.#release(cpu, word);
    this.#signal(cpu);
  }

  /** Ends the physical interrupts of a word whose virtual ones the guest has ended, or disabled before it took them. */
  #release(cpu: Cpu, word: number): void {
    const forwarded = at(this.#forwarded, word);
    if (forwarded === 0) return;
    const { active, enabled } = this.#model.interrupts.state;
    const taken = at(this.#taken, word) | forwarded & at(active, word);
    let done = forwarded & ~at(active, word) & (taken | ~at(enabled, word));
    this.#forwarded[word] = forwarded & ~done;
    this.#taken[word] = taken & ~done;
    for (; done !== 0; done &= done - 1) {
      const first = word < CPUS_MAX ? 0 : (word - CPUS_MAX + 1) * 32;
      const interrupt = first + lowestBit(done);
      this.#model.drive(cpu.index, interrupt, false);
      this.physical.deactivate(cpu, interrupt);
    }
  }

  /** Writes the CPU's own HCR_EL2, and kicks others that have something new to take. */
  #signal(cpu: Cpu): void {
    this.#kicked[cpu.index] = 0;
    for (const other of this.#cpus) {
      const { index } = other, wanted = at(this.#wanted, index), driven = at(this.#driven, index);
      if (wanted === driven) continue;
      if (other === cpu) this.#drive(cpu, wanted);
      else if ((wanted & ~driven) !== 0 && at(this.#kicked, index) === 0) {
        this.#kicked[index] = 1;
        this.physical.kick(cpu, index);
      }
    }
  }

  /** Asserts at a CPU again what the guest is to take, where HCR_EL2.VI and VF were cleared to keep it off. */
  signalAgain(cpu: Cpu): void {
    this.#drive(cpu, at(this.#driven, cpu.index));
  }

  #drive(cpu: Cpu, wanted: number): void {
    const { system } = cpu.registers;
    const bits = (wanted & 1 ? VI : 0) | (wanted & 2 ? VF : 0);
    system[INDEX.HCR_EL2] = (system[INDEX.HCR_EL2] as bigint) & ~BigInt(VI | VF) | BigInt(bits);
    this.#driven[cpu.index] = wanted;
    cpu.attention = true;
  }

  /** The model's section and that of what links it to the world. */
  save(): readonly Section[] {
    const links = {
      forwarded: this.#forwarded,
      taken: this.#taken,
      driven: this.#driven,
      kicked: this.#kicked,
    };
    return [this.#model.save(), layout.encode(SECTION, links)];
  }

  /** Restores what `save` gave; HCR_EL2 and the physical controller are restored with the machine. */
  restore(section: (name: string) => Section): void {
    this.#model.restore(section(this.#model.name));
    const { forwarded, taken, driven, kicked } = layout.decode(section(SECTION));
    this.#forwarded = forwarded;
    this.#taken = taken;
    this.#driven = driven;
    this.#kicked = kicked;
    this.#mirror.remember();
  }
}

/** Rows of the board for the frames of each generation, in the model's order. */
export const FRAME_ROWS: Readonly<Record<2 | 3, readonly string[]>> = {
  2: ["gicd", "gicc"],
  3: ["gicd", "gicr"],
};

/** The model's events under names of their own, so that those of the board's controller are told from them. */
export function virtualEvents(events: EventHub): InterruptEvents {
  return {
    emit: (name, cpu, fields) => {
      if (name === "interruptRaised") {
        events.emit("virtualInterruptRaised", cpu, fields as { interrupt: number; source: string });
      } else events.emit("virtualInterruptAcknowledged", cpu, fields);
    },
  };
}
