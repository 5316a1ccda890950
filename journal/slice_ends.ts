/** Where a backward slice ends: resets, the beginning of the run, what is not looked for any longer. */
import type { MachineEvent } from "../machine/events.ts";
import type { SliceKind, SliceNode } from "./slice_graph.ts";
import { cpuOfLocation, isToldByEvents, type Location, systemLocation } from "./slice_location.ts";
import { memoryOrigin } from "./slice_origins.ts";
import { SliceLinks } from "./slice_links.ts";

/** Gives what no row gives. */
export class SliceEnds extends SliceLinks {
  /** All registers of a CPU have what a reset gives. */
  giveReset(cpu: number, instant: number, text: string): void {
    this.giveAll("reset", cpu, instant, text);
  }

  /** Registers of a CPU that only steps write have what nobody has looked for. */
  giveOlder(cpu: number, instant: number, text: string): void {
    this.giveAll("older", cpu, instant, text, (location) => !isToldByEvents(location));
  }

  protected giveAll(
    kind: SliceKind,
    cpu: number,
    instant: number,
    text: string,
    isMeant: (location: Location) => boolean = () => true,
  ): void {
    const { node } = this.lazily(() => this.graph.add(kind, instant, cpu, { text }));
    for (const location of this.needs.locations()) {
      if (cpuOfLocation(location) === cpu && isMeant(location)) this.give(location, node);
    }
  }

  /** Whether an event other than a step writes a register that is looked for. */
  writesRegister(event: MachineEvent): boolean {
    const isNeeded = (cpu: number, name: string): boolean => {
      const location = systemLocation(cpu, name);
      return location !== undefined && this.needs.has(location);
    };
    switch (event.kind) {
      case "systemRegisterWritten":
        return isNeeded(event.cpu, event.register);
      case "registerPatched":
        return isNeeded(event.target, event.register);
      case "exceptionTaken":
        return ["ELR", "SPSR", "ESR", "FAR", "HPFAR"].some((name) =>
          isNeeded(event.cpu, `${name}_EL${event.to}`)
        );
      case "exceptionInjected":
        return ["ELR", "SPSR", "ESR", "FAR"].some((name) => isNeeded(event.cpu, `${name}_EL${event.to}`));
      case "cpuStarted":
      case "machineReset":
        return true;
      default:
        return false;
    }
  }

  /** Memory was written in a way that no event tells: by semihosting. */
  giveUntold(address: number, size: number, instant: number, cpu: number): void {
    const { node } = this.lazily(() =>
      this.graph.add("machine", instant, cpu, { text: "written by the host" })
    );
    this.giveMemory(address, size, node);
  }

  /** Memory has what it had when the run began. */
  giveBeginning(instant: number): void {
    for (const { address, size } of [...this.needs.memory]) {
      for (let at = 0; at < size;) {
        const origin = this.run.checkpoint === undefined
          ? memoryOrigin(this.machine, address + at, size - at)
          : { size, text: undefined };
        this.giveMemory(address + at, origin.size, () => this.beginningNode(instant, origin.text));
        at += origin.size;
      }
    }
  }

  protected beginningNode(instant: number, text: string | undefined): SliceNode {
    if (this.run.checkpoint !== undefined) {
      return this.graph.add("older", instant, -1, { text: "where the recording begins" });
    }
    return text === undefined
      ? this.graph.add("zero", instant, -1, { text: "memory that nobody wrote" })
      : this.graph.add("image", instant, -1, { text });
  }
}
