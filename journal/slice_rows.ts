/** One row of a window on the way back: what it wrote that is looked for, and what it read for that. */
import { hex } from "../machine/address.ts";
import { physicalAddress } from "../machine/address.ts";
import type { EventKind, EventOf, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import type { InstructionFlow, InstructionFlows, Sources } from "./instruction_flow.ts";
import type { RecordedRun } from "./run.ts";
import type { SliceGraph, SliceKind, SliceNode } from "./slice_graph.ts";
import {
  controlLocation,
  cpuOfLocation,
  isToldByEvents,
  type Location,
  locationName,
  locationsNamed,
  registerLocation,
  systemLocation,
} from "./slice_location.ts";
import type { Needs, Role } from "./slice_needs.ts";
import { consoleInput, dmaText, memoryOrigin } from "./slice_origins.ts";
import type { StepColumns } from "./step_columns.ts";

/** Which dependences are followed beside those of values. */
export interface SliceChoice {
  /** The addresses from which values are loaded. */
  readonly address: boolean;
  /** The branch or exception that led to each step. */
  readonly control: boolean;
}

type Events = { readonly [K in EventKind]?: (row: number, event: EventOf<K>) => void };

/** Reads rows backward. */
export class SliceRows {
  readonly #events: Events;

  constructor(
    private readonly run: RecordedRun,
    private readonly machine: Machine,
    private readonly columns: StepColumns,
    private readonly flows: InstructionFlows,
    private readonly needs: Needs<SliceNode>,
    private readonly graph: SliceGraph,
    private readonly choice: SliceChoice,
  ) {
    this.#events = {
      exceptionTaken: (row, event) => this.#exception(row, event),
      exceptionReturned: (row, event) => this.#return(row, event),
      firmwareCalled: (row, event) => this.#answered(row, event, 4),
      semihostingCalled: (row, event) => this.#answered(row, event, 2),
      systemRegisterWritten: (row, event) => this.#systemWrite(row, event),
      registerPatched: (_, event) => this.#registerPatched(event),
      memoryPatched: (_, event) => this.#memoryWritten(event, "input", event.bytes.length, () => "patched"),
      memoryWrittenByDevice: (row, event) =>
        this.#memoryWritten(event, "dma", event.size, (at) => dmaText(columns, row, at)),
      cpuStarted: (row, event) => this.#started(row, event),
      machineReset: (_, event) => this.#reset(event),
    };
  }

  /** Takes a row. */
  read(row: number): void {
    const at = this.columns.event.at(row);
    if (at < 0) return this.#step(row);
    const event = this.columns.events[at] as MachineEvent;
    (this.#events[event.kind] as ((row: number, event: MachineEvent) => void) | undefined)?.(row, event);
  }

  /** Gives a place's value to those who look for it; true when somebody did. */
  #give(location: Location | undefined, node: () => SliceNode, value?: bigint): boolean {
    if (location === undefined || !this.needs.has(location)) return false;
    for (const need of this.needs.take(location)) {
      this.graph.link(need, locationName(location), node(), value);
    }
    return true;
  }

  #giveMemory(address: number, size: number, node: () => SliceNode): boolean {
    const found = this.needs.takeMemory(address, size);
    for (const { need, address, size } of found) {
      const isWhole = address === need.address && size === need.size;
      const part = isWhole ? need : { ...need, value: undefined };
      this.graph.link(part, memoryName(address, size), node());
    }
    return found.length > 0;
  }

  /** A node that is made when it is first needed. */
  #lazily(
    make: () => SliceNode,
  ): { readonly node: () => SliceNode; readonly made: () => SliceNode | undefined } {
    let made: SliceNode | undefined;
    return { node: () => made ??= make(), made: () => made };
  }

  #step(row: number): void {
    const { columns, needs } = this;
    const cpu = columns.cpu.at(row), bank = columns.bank.at(row), opcode = columns.opcode.at(row);
    const { node, made } = this.#lazily(() => this.#stepNode(row));
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
      if (!this.#give(location, node, columns.registerValue.at(at))) continue;
      output((target) => target.kind === "register" && target.number === register);
    }
    if (needs.memory.size > 0) {
      const from = columns.accessesFrom.at(row), to = columns.accessesFrom.at(row + 1);
      for (let at = to - 1; at >= from; at--) {
        if (columns.isWrite.at(at) === 0 || !this.#giveAccess(at, node)) continue;
        accesses.push(at - from);
        output((target) => target.kind === "memory" && target.access === at - from);
      }
    }
    const translated = systemLocation(cpu, "PAR_EL1") as Location;
    const isPar = (target: InstructionFlow["outputs"][number]["target"]): boolean =>
      target.kind === "system" && target.name === "PAR_EL1";
    if (needs.has(translated) && this.flows.of(opcode).outputs.some(({ target }) => isPar(target))) {
      this.#give(translated, node);
      output(isPar);
    }
    const control = controlLocation(cpu);
    if (needs.has(control) && this.flows.of(opcode).decides) {
      this.#give(control, node);
      output(({ kind }) => kind === "control");
    }
    const found = made();
    if (found !== undefined) this.#follow(found, row, wanted, accesses);
  }

  #stepNode(row: number): SliceNode {
    const { columns } = this;
    const step = { pc: columns.pc.at(row), opcode: columns.opcode.at(row), level: columns.level.at(row) };
    return this.graph.add("step", columns.instant.at(row), columns.cpu.at(row), { step });
  }

  /** The pieces of an access in one page each. */
  #pieces(access: number): { address: number; size: number }[] {
    const { columns } = this;
    const size = columns.size.at(access), address = columns.physical.at(access);
    const next = columns.physicalNext.at(access);
    if (Number.isNaN(next)) return Number.isNaN(address) ? [] : [{ address, size }];
    const inPage = PAGE_SIZE - address % PAGE_SIZE;
    return [{ address, size: inPage }, { address: next, size: size - inPage }];
  }

  #giveAccess(access: number, node: () => SliceNode): boolean {
    return this.#pieces(access).map(({ address, size }) => this.#giveMemory(address, size, node)).includes(
      true,
    );
  }

  /** Looks for what a step's effects were made from. */
  #follow(node: SliceNode, row: number, wanted: readonly Sources[], written: readonly number[]): void {
    if (!this.graph.isFollowed(node)) return;
    const flow = this.flows.of(this.columns.opcode.at(row));
    const loads = new Set<number>();
    for (const sources of wanted) {
      this.#want(node, row, sources, "value");
      for (const load of sources.loads) loads.add(load);
    }
    for (const load of loads) this.#wantLoad(node, row, load);
    if (this.choice.address) {
      for (const access of new Set([...loads, ...written])) {
        const sources = flow.addresses[access];
        if (sources !== undefined) this.#want(node, row, sources, "address");
      }
    }
    if (this.choice.control) this.#wantPlace(node, controlLocation(this.columns.cpu.at(row)), "control");
  }

  #wantPlace(consumer: SliceNode, location: Location, role: Role): void {
    this.needs.add(location, { consumer, role, value: undefined });
  }

  /** Registers and system registers of a computation; loads are looked for once for a step, elsewhere. */
  #want(node: SliceNode, row: number, { registers, system }: Sources, role: Role): void {
    const cpu = this.columns.cpu.at(row), bank = this.columns.bank.at(row);
    for (const register of registers) this.#wantPlace(node, registerLocation(cpu, register, bank), role);
    for (const name of system) {
      const location = systemLocation(cpu, name);
      if (location !== undefined) this.#wantPlace(node, location, role);
      else this.#machineValue(node, row, name, role);
    }
  }

  /** A register that keeps nothing: a counter, an ID, an interrupt acknowledged. */
  #machineValue(consumer: SliceNode, row: number, name: string, role: Role): void {
    const origin = this.graph.add("machine", consumer.instant, consumer.cpu, {
      text: `${name}${this.#acknowledged(row)}`,
    });
    this.graph.link({ consumer, role, value: undefined }, name, origin);
    this.#wantAcknowledged(origin, row);
  }

  /** Says which interrupt a step acknowledged, if it did. */
  #acknowledged(row: number): string {
    const event = this.#eventOfInstant(row, "interruptAcknowledged");
    return event === undefined ? "" : `: interrupt ${event.interrupt}, acknowledged`;
  }

  /** An event of a kind in the same instant as a row, before it. */
  #eventOfInstant<K extends EventKind>(
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

  #wantLoad(consumer: SliceNode, row: number, load: number): void {
    const { columns } = this, access = columns.accessesFrom.at(row) + load;
    if (access >= columns.accessesFrom.at(row + 1)) return;
    const value = columns.size.at(access) <= 8 ? columns.accessValue.at(access) : undefined;
    const pieces = this.#pieces(access);
    for (const { address, size } of pieces) {
      const known = pieces.length === 1 ? value : undefined,
        need = { consumer, role: "value", value: known } as const;
      const isMemory = this.machine.board.memory.hostOffset(physicalAddress(address), size) >= 0;
      if (isMemory) this.needs.addMemory(address, size, need);
      else this.#deviceValue(row, address, size, need);
    }
  }

  #deviceValue(
    row: number,
    address: number,
    size: number,
    need: { consumer: SliceNode; role: Role; value: bigint | undefined },
  ): void {
    const event = this.#eventOfInstant(row, "deviceRead", (read) => read.address === address);
    const { instant, cpu } = need.consumer;
    if (event === undefined) {
      const origin = this.graph.add("machine", instant, cpu, {
        text: "no memory, and no device that answers",
      });
      return this.graph.link(need, memoryName(address, size), origin);
    }
    const origin = this.graph.add("device", instant, cpu, {
      event,
      text: `${event.device} at ${hex(address)}${this.#acknowledged(row)}`,
    });
    this.graph.link(need, memoryName(address, size), origin);
    this.#wantAcknowledged(origin, row);
    if (!event.device.startsWith("uart") || address % PAGE_SIZE !== 0) return;
    const input = consoleInput(this.run, instant, Number(event.value & 0xffn));
    if (input === undefined || !this.graph.isFollowed(origin)) return;
    const from = this.graph.add("input", input.instant, -1, { event: input });
    this.graph.link({ consumer: origin, role: "value", value: undefined }, "console", from);
  }

  #eventNode(kind: SliceKind, event: MachineEvent, text?: string): SliceNode {
    return this.graph.add(kind, event.instant, event.cpu, { event, ...text === undefined ? {} : { text } });
  }

  /** ELR has where the step was, SPSR its flags, FAR the address that it computed. */
  #exception(row: number, event: EventOf<"exceptionTaken">): void {
    const { cpu, to } = event, { node, made } = this.#lazily(() => this.#eventNode("exception", event));
    const system = (name: string) => systemLocation(cpu, `${name}_EL${to}`);
    const saved = this.#give(system("SPSR"), node, event.savedState);
    const link = this.#give(system("ELR"), node, event.returnAddress);
    const fault = event.exception === "synchronous" && this.#give(system("FAR"), node, event.faultAddress);
    if (event.exception !== "irq" && event.exception !== "fiq") {
      this.#give(system("ESR"), node, event.syndrome);
    }
    if (to === 2) this.#give(systemLocation(cpu, "HPFAR_EL2"), node);
    const went = this.#give(controlLocation(cpu), node);
    const found = made();
    if (found === undefined || !this.graph.isFollowed(found)) return;
    if (saved) this.#wantPlace(found, registerLocation(cpu, 64, 0), "value");
    if ((link && this.choice.control) || went) this.#wantPlace(found, controlLocation(cpu), "control");
    if (fault) this.#wantFaultAddress(found, row);
    if (event.exception !== "synchronous") this.#wantInterrupt(found, row);
  }

  /** The address that a faulting access computed. */
  #wantFaultAddress(node: SliceNode, row: number): void {
    const { columns } = this, next = row + 1;
    const isStep = next < columns.count && columns.instant.at(next) === columns.instant.at(row) &&
      columns.event.at(next) < 0;
    const flow = isStep ? this.flows.of(columns.opcode.at(next)) : undefined;
    const sources = flow?.addresses[0];
    if (sources !== undefined) this.#want(node, row, sources, "value");
    else this.#wantPlace(node, controlLocation(columns.cpu.at(row)), "control");
  }

  /** The interrupt that was raised last before one was taken. */
  #wantInterrupt(consumer: SliceNode, row: number): void {
    for (let at = row - 1; at >= 0; at--) {
      const event = this.columns.events[this.columns.event.at(at)];
      if (event?.kind !== "interruptRaised") continue;
      const origin = this.#eventNode("device", event);
      return this.graph.link({ consumer, role: "control", value: undefined }, "interrupt", origin);
    }
  }

  /** What was acknowledged with a row was raised by somebody. */
  #wantAcknowledged(consumer: SliceNode, row: number): void {
    const interrupt = this.#eventOfInstant(row, "interruptAcknowledged")?.interrupt;
    if (interrupt === undefined || !this.graph.isFollowed(consumer)) return;
    for (let at = row - 1; at >= 0; at--) {
      const event = this.columns.events[this.columns.event.at(at)];
      if (event?.kind !== "interruptRaised" || event.interrupt !== interrupt) continue;
      const origin = this.#eventNode("device", event);
      return this.graph.link({ consumer, role: "value", value: undefined }, "interrupt", origin);
    }
  }

  #return(_row: number, event: EventOf<"exceptionReturned">): void {
    const { cpu, from } = event, { node, made } = this.#lazily(() => this.#eventNode("return", event));
    const flags = this.#give(registerLocation(cpu, 64, 0), node, event.state >> 28n & 15n);
    const went = this.#give(controlLocation(cpu), node, event.address);
    const found = made();
    if (found === undefined || !this.graph.isFollowed(found)) return;
    if (flags) this.#wantPlace(found, systemLocation(cpu, `SPSR_EL${from}`) as Location, "value");
    if (went) this.#wantPlace(found, systemLocation(cpu, `ELR_EL${from}`) as Location, "value");
  }

  /** Firmware, or the host by semihosting, answers in X0. */
  #answered(
    _row: number,
    event: EventOf<"firmwareCalled"> | EventOf<"semihostingCalled">,
    count: number,
  ): void {
    const { cpu } = event, { node, made } = this.#lazily(() => this.#eventNode("firmware", event));
    this.#give(registerLocation(cpu, 0, 0), node, event.result);
    const found = made();
    if (found === undefined || !this.graph.isFollowed(found)) return;
    for (let n = 0; n < count; n++) this.#wantPlace(found, registerLocation(cpu, n, 0), "value");
  }

  /** MSR: the event says which register it was, the step what came into it. */
  #systemWrite(row: number, event: EventOf<"systemRegisterWritten">): void {
    const { columns } = this, { cpu, instant } = event;
    let step = row + 1;
    while (step < columns.count && columns.instant.at(step) === instant && columns.event.at(step) >= 0) {
      step++;
    }
    const isStep = step < columns.count && columns.instant.at(step) === instant && columns.event.at(step) < 0;
    const { node, made } = this.#lazily(() =>
      isStep ? this.#stepNode(step) : this.#eventNode("machine", event)
    );
    this.#give(systemLocation(cpu, event.register), node, event.value);
    const found = made();
    if (found === undefined || !isStep) return;
    const flow = this.flows.of(columns.opcode.at(step));
    const outputs = flow.outputs.filter(({ target }) =>
      target.kind === "system" || (target.kind === "register" && target.number === 64)
    );
    this.#follow(found, row, outputs.map(({ value }) => value), []);
  }

  #registerPatched(event: EventOf<"registerPatched">): void {
    const { node } = this.#lazily(() => this.#eventNode("input", event));
    for (const location of locationsNamed(event.register, event.target, 1) ?? []) {
      this.#give(location, node, event.value);
    }
  }

  #memoryWritten(
    event: EventOf<"memoryPatched"> | EventOf<"memoryWrittenByDevice">,
    kind: SliceKind,
    size: number,
    text: (address: number) => string,
  ): void {
    for (const { need, address, size: length } of this.needs.takeMemory(event.address, size)) {
      const node = this.#eventNode(kind, event, text(address));
      this.graph.link(need, memoryName(address, length), node);
    }
  }

  /** A CPU begins with its context in X0, which another gave to the firmware, and all else as after a reset. */
  #started(row: number, event: EventOf<"cpuStarted">): void {
    const { columns } = this, { node, made } = this.#lazily(() => this.#eventNode("firmware", event));
    this.#give(registerLocation(event.cpu, 0, 0), node, event.context);
    const found = made(), { instant } = event;
    for (let at = row - 1; found !== undefined && at >= 0 && at < columns.count; at++) {
      if (columns.instant.at(at) > instant) break;
      const call = columns.events[columns.event.at(at)];
      if (call?.kind !== "firmwareCalled" || call.instant !== instant || !this.graph.isFollowed(found)) {
        continue;
      }
      this.#wantPlace(found, registerLocation(call.cpu, 3, 0), "value");
      break;
    }
    this.giveReset(event.cpu, event.instant, `cpu${event.cpu} is turned on`);
  }

  #reset(event: EventOf<"machineReset">): void {
    for (const { index } of this.machine.board.cpus) {
      this.giveReset(index, event.instant, "the machine is reset");
    }
    for (const { address, size, open } of [...this.needs.memory]) {
      for (let at = 0; at < size;) {
        const origin = memoryOrigin(this.machine, address + at, size - at);
        if (open[at] === 1 && origin.text !== undefined) {
          this.#giveMemory(
            address + at,
            origin.size,
            () => this.graph.add("image", event.instant, -1, { text: origin.text as string }),
          );
        }
        at += origin.size;
      }
    }
  }

  /** All registers of a CPU have what a reset gives. */
  giveReset(cpu: number, instant: number, text: string): void {
    this.#giveAll("reset", cpu, instant, text);
  }

  /** Registers of a CPU that only steps write have what nobody has looked for. */
  giveOlder(cpu: number, instant: number, text: string): void {
    this.#giveAll("older", cpu, instant, text, (location) => !isToldByEvents(location));
  }

  #giveAll(
    kind: SliceKind,
    cpu: number,
    instant: number,
    text: string,
    isMeant: (location: Location) => boolean = () => true,
  ): void {
    const { node } = this.#lazily(() => this.graph.add(kind, instant, cpu, { text }));
    for (const location of this.needs.locations()) {
      if (cpuOfLocation(location) === cpu && isMeant(location)) this.#give(location, node);
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
      case "cpuStarted":
      case "machineReset":
        return true;
      default:
        return false;
    }
  }

  /** Memory was written in a way that no event tells: by semihosting. */
  giveUntold(address: number, size: number, instant: number, cpu: number): void {
    const { node } = this.#lazily(() =>
      this.graph.add("machine", instant, cpu, { text: "written by the host" })
    );
    this.#giveMemory(address, size, node);
  }

  /** Memory has what it had when the run began. */
  giveBeginning(instant: number): void {
    for (const { address, size } of [...this.needs.memory]) {
      for (let at = 0; at < size;) {
        const origin = this.run.checkpoint === undefined
          ? memoryOrigin(this.machine, address + at, size - at)
          : { size, text: undefined };
        this.#giveMemory(address + at, origin.size, () => this.#beginningNode(instant, origin.text));
        at += origin.size;
      }
    }
  }

  #beginningNode(instant: number, text: string | undefined): SliceNode {
    if (this.run.checkpoint !== undefined) {
      return this.graph.add("older", instant, -1, { text: "where the recording begins" });
    }
    return text === undefined
      ? this.graph.add("zero", instant, -1, { text: "memory that nobody wrote" })
      : this.graph.add("image", instant, -1, { text });
  }
}

/** Bytes of physical memory. */
function memoryName(address: number, size: number): string {
  return `[${hex(address)}, ${size}]`;
}
