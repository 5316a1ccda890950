/** An NVMe controller as a plain block of registers with a wire to the interrupt controller: no PCI anywhere. */
import type { Section } from "../../snapshot.ts";
import { Dma } from "../dma.ts";
import type { Device, InterruptLine } from "../device.ts";
import { NvmeController } from "./controller.ts";
import type { NvmeOptions, NvmePort } from "./execution.ts";
import type { NvmeRegisters } from "./pci.ts";

/** The block: it is always a bus master, and signals by its wire alone. */
export class NvmeBlock implements Device {
  /** Name of the device and of its section. */
  readonly name: string;
  readonly #controller: NvmeController<NvmePort>;
  #registers!: NvmeRegisters;

  /** A controller that is not enabled. */
  constructor(options: NvmeOptions, line: InterruptLine) {
    const { name, memory, events } = options;
    this.name = name;
    this.#controller = new NvmeController(options, (registers) => {
      this.#registers = registers;
      return {
        dma: new Dma(name, memory, events),
        usesMsix: false,
        signal: () => {},
        setInterrupt: (level) => line.set(level),
      };
    });
  }

  /** Reads a register. */
  read(offset: number, size: number): number {
    return this.#registers.read(offset, size);
  }

  /** Writes a register. */
  write(offset: number, size: number, value: number): void {
    this.#registers.write(offset, size, value);
  }

  reset(): void {
    this.#controller.reset();
  }

  save(): Section {
    return this.#controller.save();
  }

  restore(section: Section): void {
    this.#controller.restore(section);
    this.#controller.execution.driveInterrupt();
  }
}
