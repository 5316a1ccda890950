/** The interrupt controller of a virtual machine: the board's model once more, not connected to the physical one. */
import { type Board, boardRow } from "../../../machine/board.ts";
import { HCR } from "../../../machine/cpu/controls.ts";
import type { GicRegister } from "../../../machine/cpu/gic_interface.ts";
import type { EventHub } from "../../../machine/events.ts";
import type { MappedDevice } from "../../../machine/memory/physical.ts";
import type { Section } from "../../../machine/snapshot.ts";
import { FRAME_ROWS, GUEST, virtualEvents, type VirtualFrame } from "../../virtual_gic.ts";
import { buildModel, type GicModel, OUTPUT } from "../../virtual_gic_model.ts";

/** The one virtual CPU. */
const VCPU = 0;
/** HCR_EL2.VI and VF. */
export const VIRTUAL_LINES: bigint = 1n << BigInt(HCR.VI) | 1n << BigInt(HCR.VF);

/** A controller with one virtual CPU. */
export class VmInterrupts {
  /** Register frames, where the board has the physical ones. */
  readonly frames: readonly VirtualFrame[];
  readonly #model: GicModel;
  #wanted = 0;

  /** `reset` must be called before it is used. */
  constructor(board: Board, events: EventHub) {
    this.#model = buildModel({ ...board.configuration, cpus: 1 }, virtualEvents(events), (_, bit, level) => {
      this.#wanted = level ? this.#wanted | bit : this.#wanted & ~bit;
    });
    this.frames = this.#model.frames.map(({ device, size }, index) => ({
      base: boardRow(board, FRAME_ROWS[board.configuration.gicVersion][index] as string).base,
      size,
      device: forOneCpu(device),
    }));
  }

  /** Reads a register of the CPU interface. */
  read(name: GicRegister): bigint {
    return this.#model.cpuInterfaces?.[VCPU]?.read(name, GUEST) ?? 0n;
  }

  /** Writes a register of the CPU interface. */
  write(name: GicRegister, value: bigint): void {
    this.#model.cpuInterfaces?.[VCPU]?.write(name, value, GUEST);
  }

  /** Drives an input. */
  drive(interrupt: number, level: boolean): void {
    this.#model.drive(VCPU, interrupt, level);
  }

  /** What HCR_EL2.VI and VF must be while the virtual machine runs. */
  get lines(): bigint {
    const irq = (this.#wanted & OUTPUT.irq) !== 0, fiq = (this.#wanted & OUTPUT.fiq) !== 0;
    return (irq ? 1n << BigInt(HCR.VI) : 0n) | (fiq ? 1n << BigInt(HCR.VF) : 0n);
  }

  /** Power-on state. */
  reset(): void {
    this.#wanted = 0;
    this.#model.reset();
    this.#model.cpuInterfaces?.[VCPU]?.reset();
  }

  /** The model's state. */
  save(): Section {
    return this.#model.save();
  }

  /** Restores what `save` gave, by its version and bytes. */
  restore(version: number, bytes: Uint8Array): void {
    this.#model.restore({ name: this.#model.name, version, bytes });
  }
}

/** The physical CPU's number is not the virtual one's. */
function forOneCpu(device: MappedDevice): MappedDevice {
  return {
    name: device.name,
    read: (offset, size, context) => device.read(offset, size, { ...context, cpu: VCPU }),
    write: (offset, size, value, context) => device.write(offset, size, value, { ...context, cpu: VCPU }),
  };
}
