/** How a backward slice gives values to those who look for them, and looks for what those were made from. */
import { hex } from "../machine/address.ts";
import { physicalAddress } from "../machine/address.ts";
import type { EventKind, EventOf, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import type { InstructionFlows, Sources } from "./instruction_flow.ts";
import type { RecordedRun } from "./run.ts";
import type { SliceGraph, SliceKind, SliceNode } from "./slice_graph.ts";
import {
  controlLocation,
  type Location,
  locationName,
  registerLocation,
  systemLocation,
} from "./slice_location.ts";
import type { Needs, Role } from "./slice_needs.ts";
import { consoleInput } from "./slice_origins.ts";
import type { StepColumns } from "./step_columns.ts";

/** Which dependences are followed beside those of values. */
export interface SliceChoice {
  /** The addresses from which values are loaded. */
  readonly address: boolean;
  /** The branch or exception that led to each step. */
  readonly control: boolean;
}

/** What rows of all sorts do. */
export class SliceLinks {
  constructor(
    protected readonly run: RecordedRun,
    protected readonly machine: Machine,
    protected readonly columns: StepColumns,
    protected readonly flows: InstructionFlows,
    protected readonly needs: Needs<SliceNode>,
    protected readonly graph: SliceGraph,
    protected readonly choice: SliceChoice,
  ) {}

  /** Gives a place's value to those who look for it; true when somebody did. */
  protected give(location: Location | undefined, node: () => SliceNode, value?: bigint): boolean {
    if (location === undefined || !this.needs.has(location)) return false;
    for (const need of this.needs.take(location)) {
      this.graph.link(need, locationName(location), node(), value);
    }
    return true;
  }

  /** Gives bytes of memory to those who look for them; true when somebody did. */
  protected giveMemory(address: number, size: number, node: () => SliceNode): boolean {
    const found = this.needs.takeMemory(address, size);
    for (const { need, address, size } of found) {
      const isWhole = address === need.address && size === need.size;
      const part = isWhole ? need : { ...need, value: undefined };
      this.graph.link(part, memoryName(address, size), node());
    }
    return found.length > 0;
  }

  /** The same for what an access wrote. */
  protected giveAccess(access: number, node: () => SliceNode): boolean {
    return this.pieces(access).map(({ address, size }) => this.giveMemory(address, size, node)).includes(
      true,
    );
  }

  /** A node that is made when it is first needed. */
  protected lazily(
    make: () => SliceNode,
  ): { readonly node: () => SliceNode; readonly made: () => SliceNode | undefined } {
    let made: SliceNode | undefined;
    return { node: () => made ??= make(), made: () => made };
  }

  /** The pieces of an access in one page each. */
  protected pieces(access: number): { address: number; size: number }[] {
    const { columns } = this;
    const size = columns.size.at(access), address = columns.physical.at(access);
    const next = columns.physicalNext.at(access);
    if (Number.isNaN(next)) return Number.isNaN(address) ? [] : [{ address, size }];
    const inPage = PAGE_SIZE - address % PAGE_SIZE;
    return [{ address, size: inPage }, { address: next, size: size - inPage }];
  }

  /** The node of a step. */
  protected stepNode(row: number): SliceNode {
    const { columns } = this;
    const step = { pc: columns.pc.at(row), opcode: columns.opcode.at(row), level: columns.level.at(row) };
    return this.graph.add("step", columns.instant.at(row), columns.cpu.at(row), { step });
  }

  /** The node of an event. */
  protected eventNode(kind: SliceKind, event: MachineEvent, text?: string): SliceNode {
    return this.graph.add(kind, event.instant, event.cpu, { event, ...text === undefined ? {} : { text } });
  }

  /** Looks for what a step's effects were made from. */
  protected follow(
    node: SliceNode,
    row: number,
    wanted: readonly Sources[],
    written: readonly number[],
  ): void {
    if (!this.graph.isFollowed(node)) return;
    const flow = this.flows.of(this.columns.opcode.at(row));
    const loads = new Set<number>();
    for (const sources of wanted) {
      this.want(node, row, sources, "value");
      for (const load of sources.loads) loads.add(load);
    }
    for (const load of loads) this.wantLoad(node, row, load);
    if (this.choice.address) {
      for (const access of new Set([...loads, ...written])) {
        const sources = flow.addresses[access];
        if (sources !== undefined) this.want(node, row, sources, "address");
      }
    }
    if (this.choice.control) this.wantPlace(node, controlLocation(this.columns.cpu.at(row)), "control");
  }

  /** Looks for a place. */
  protected wantPlace(consumer: SliceNode, location: Location, role: Role): void {
    this.needs.add(location, { consumer, role, value: undefined });
  }

  /** Registers and system registers of a computation; loads are looked for once for a step, elsewhere. */
  protected want(node: SliceNode, row: number, { registers, system }: Sources, role: Role): void {
    const cpu = this.columns.cpu.at(row), bank = this.columns.bank.at(row);
    for (const register of registers) this.wantPlace(node, registerLocation(cpu, register, bank), role);
    for (const name of system) {
      const location = systemLocation(cpu, name);
      if (location !== undefined) this.wantPlace(node, location, role);
      else this.machineValue(node, row, name, role);
    }
  }

  /** Looks for what a load read. */
  protected wantLoad(consumer: SliceNode, row: number, load: number): void {
    const { columns } = this, access = columns.accessesFrom.at(row) + load;
    if (access >= columns.accessesFrom.at(row + 1)) return;
    const value = columns.size.at(access) <= 8 ? columns.accessValue.at(access) : undefined;
    const pieces = this.pieces(access);
    for (const { address, size } of pieces) {
      const known = pieces.length === 1 ? value : undefined,
        need = { consumer, role: "value", value: known } as const;
      const isMemory = this.machine.board.memory.hostOffset(physicalAddress(address), size) >= 0;
      if (isMemory) this.needs.addMemory(address, size, need);
      else this.deviceValue(row, address, size, need);
    }
  }

  protected deviceValue(
    row: number,
    address: number,
    size: number,
    need: { consumer: SliceNode; role: Role; value: bigint | undefined },
  ): void {
    const event = this.eventOfInstant(row, "deviceRead", (read) => read.address === address);
    const { instant, cpu } = need.consumer;
    if (event === undefined) {
      const origin = this.graph.add("machine", instant, cpu, {
        text: "no memory, and no device that answers",
      });
      return this.graph.link(need, memoryName(address, size), origin);
    }
    const origin = this.graph.add("device", instant, cpu, {
      event,
      text: `${event.device} at ${hex(address)}${this.acknowledged(row)}`,
    });
    this.graph.link(need, memoryName(address, size), origin);
    this.wantAcknowledged(origin, row);
    if (!event.device.startsWith("uart") || address % PAGE_SIZE !== 0) return;
    const input = consoleInput(this.run, instant, Number(event.value & 0xffn));
    if (input === undefined || !this.graph.isFollowed(origin)) return;
    const from = this.graph.add("input", input.instant, -1, { event: input });
    this.graph.link({ consumer: origin, role: "value", value: undefined }, "console", from);
  }

  /** A register that keeps nothing: a counter, an ID, an interrupt acknowledged. */
  protected machineValue(consumer: SliceNode, row: number, name: string, role: Role): void {
    const origin = this.graph.add("machine", consumer.instant, consumer.cpu, {
      text: `${name}${this.acknowledged(row)}`,
    });
    this.graph.link({ consumer, role, value: undefined }, name, origin);
    this.wantAcknowledged(origin, row);
  }

  /** Says which interrupt a step acknowledged, if it did. */
  protected acknowledged(row: number): string {
    const event = this.eventOfInstant(row, "interruptAcknowledged");
    return event === undefined ? "" : `: interrupt ${event.interrupt}, acknowledged`;
  }

  /** What was acknowledged with a row was raised by somebody. */
  protected wantAcknowledged(consumer: SliceNode, row: number): void {
    const interrupt = this.eventOfInstant(row, "interruptAcknowledged")?.interrupt;
    if (interrupt === undefined || !this.graph.isFollowed(consumer)) return;
    for (let at = row - 1; at >= 0; at--) {
      const event = this.columns.events[this.columns.event.at(at)];
      if (event?.kind !== "interruptRaised" || event.interrupt !== interrupt) continue;
      const origin = this.eventNode("device", event);
      return this.graph.link({ consumer, role: "value", value: undefined }, "interrupt", origin);
    }
  }

  /** An event of a kind in the same instant as a row, before it. */
  protected eventOfInstant<K extends EventKind>(
    row: number,
    kind: K,
    isMeant = (_: EventOf<K>) => true,
  ): EventOf<K> | undefined {
    const { columns } = this, instant = columns.instant.at(row);
    for (let at = row - 1; at >= 0 && columns.instant.at(at) === instant; at--) {
      const event = columns.events[columns.event.at(at)];
      if (event?.kind === kind && isMeant(event as EventOf<K>)) return event as EventOf<K>;
    }
    return undefined;
  }
}

/** Bytes of physical memory. */
export function memoryName(address: number, size: number): string {
  return `[${hex(address)}, ${size}]`;
}
