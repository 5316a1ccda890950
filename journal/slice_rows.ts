/** One row of a window on the way back: what it wrote that is looked for, and what it read for that. */
import type { MachineEvent } from "../machine/events.ts";
import type { InstructionFlow, Sources } from "./instruction_flow.ts";
import { controlLocation, type Location, registerLocation, systemLocation } from "./slice_location.ts";
import { SliceEvents } from "./slice_events.ts";

/** Reads rows backward. */
export class SliceRows extends SliceEvents {
  /** Takes a row. */
  read(row: number): void {
    const at = this.columns.event.at(row);
    if (at < 0) return this.step(row);
    const event = this.columns.events[at] as MachineEvent;
    (this.handlers[event.kind] as ((row: number, event: MachineEvent) => void) | undefined)?.(row, event);
  }

  protected step(row: number): void {
    const { columns, needs } = this;
    const cpu = columns.cpu.at(row), bank = columns.bank.at(row), opcode = columns.opcode.at(row);
    const { node, made } = this.lazily(() => this.stepNode(row));
    const wanted: Sources[] = [], accesses: number[] = [];
    let flow: InstructionFlow | undefined;
    const output = (isMeant: (target: InstructionFlow["outputs"][number]["target"]) => boolean): void => {
      flow ??= this.flows.of(opcode);
      const found = flow.outputs.findLast(({ target }) => isMeant(target));
      if (found !== undefined) wanted.push(found.value);
    };
    const first = columns.registersFrom.at(row), last = columns.registersFrom.at(row + 1);
    for (let at = last - 1; at >= first; at--) {
      const register = columns.register.at(at), location = registerLocation(cpu, register, bank);
      if (!this.give(location, node, columns.registerValue.at(at))) continue;
      output((target) => target.kind === "register" && target.number === register);
    }
    if (needs.memory.size > 0) {
      const from = columns.accessesFrom.at(row), to = columns.accessesFrom.at(row + 1);
      for (let at = to - 1; at >= from; at--) {
        if (columns.isWrite.at(at) === 0 || !this.giveAccess(at, node)) continue;
        accesses.push(at - from);
        output((target) => target.kind === "memory" && target.access === at - from);
      }
    }
    const translated = systemLocation(cpu, "PAR_EL1") as Location;
    const isPar = (target: InstructionFlow["outputs"][number]["target"]): boolean =>
      target.kind === "system" && target.name === "PAR_EL1";
    if (needs.has(translated) && this.flows.of(opcode).outputs.some(({ target }) => isPar(target))) {
      this.give(translated, node);
      output(isPar);
    }
    const control = controlLocation(cpu);
    if (needs.has(control) && this.flows.of(opcode).decides) {
      this.give(control, node);
      output(({ kind }) => kind === "control");
    }
    const found = made();
    if (found !== undefined) this.follow(found, row, wanted, accesses);
  }
}
