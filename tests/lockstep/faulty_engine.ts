/** An engine with a planted fault, to see that lockstep finds it. */
import type { Cpu } from "../../machine/cpu/cpu.ts";
import type { Engine } from "../../machine/engine/engine.ts";
import type { EventHub, EventObserver, MachineEvent } from "../../machine/events.ts";
import { Machine } from "../../machine/machine.ts";
import type { Contestant } from "./compare.ts";

/** What goes wrong after an instruction. */
export interface Fault {
  /** Name, for people. */
  readonly name: string;
  /** True for the words that it happens to. */
  matches(word: number): boolean;
  /** Does it. */
  corrupt(cpu: Cpu, word: number): void;
}

/** Wraps an engine step by step, and spoils the state after some instructions. */
class FaultyEngine implements Engine, EventObserver {
  readonly name: string;
  readonly classes = ["step"] as const;
  #word: number | undefined;

  constructor(private readonly inner: Engine, private readonly fault: Fault, events: EventHub) {
    this.name = `${inner.name} with ${fault.name}`;
    events.add(this);
  }

  observe(event: MachineEvent): void {
    if (event.kind === "stepRetired") this.#word = event.opcode;
  }

  run(cpu: Cpu): void {
    this.#word = undefined;
    this.inner.run(cpu, 1);
    if (this.#word !== undefined && this.fault.matches(this.#word)) this.fault.corrupt(cpu, this.#word);
  }
}

/** A contestant with a fault. */
export function faulty(fault: Fault): Contestant {
  return {
    name: `reference with ${fault.name}`,
    build({ configuration, images }) {
      const machine = new Machine(configuration, images, { engine: "reference" });
      Object.assign(machine, { engine: new FaultyEngine(machine.engine, fault, machine.board.events) });
      return machine;
    },
  };
}
