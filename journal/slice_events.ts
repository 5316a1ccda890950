/** Events on the way back that write what is looked for: exceptions, firmware, MSR, DMA, an operator, a reset. */
import type { EventKind, EventOf } from "../machine/events.ts";
import type { SliceKind, SliceNode } from "./slice_graph.ts";
import {
  controlLocation,
  type Location,
  locationsNamed,
  registerLocation,
  systemLocation,
} from "./slice_location.ts";
import { dmaText, memoryOrigin } from "./slice_origins.ts";
import { SliceEnds } from "./slice_ends.ts";
import { memoryName } from "./slice_links.ts";

type Events = { readonly [K in EventKind]?: (row: number, event: EventOf<K>) => void };

/** ESR_ELx.EC of HVC and SMC, and the registers that a call may use; of a data abort from a lower level. */
const CALLS: ReadonlySet<number> = new Set([0x16, 0x17]), CALL_ARGUMENTS = 8;
const DATA_ABORT = 0x24;

/** Reads events backward. */
export class SliceEvents extends SliceEnds {
  /** What is done for each kind. */
  protected readonly handlers: Events = {
    exceptionTaken: (row, event) => this.exception(row, event),
    exceptionReturned: (row, event) => this.returned(row, event),
    firmwareCalled: (row, event) => this.answered(row, event, 4),
    semihostingCalled: (row, event) => this.answered(row, event, 2),
    systemRegisterWritten: (row, event) => this.systemWrite(row, event),
    registerPatched: (_, event) => this.registerPatched(event),
    memoryPatched: (_, event) => this.memoryWritten(event, "input", event.bytes.length, () => "patched"),
    memoryWrittenByDevice: (row, event) =>
      this.memoryWritten(event, "dma", event.size, (at) => dmaText(this.columns, row, at)),
    cpuStarted: (row, event) => this.started(row, event),
    guestRegisterWritten: (row, event) => this.monitorGave(row, event),
    exceptionInjected: (_, event) => this.injected(event),
    machineReset: (_, event) => this.reset(event),
  };

  /** ELR has where the step was, SPSR its flags, FAR the address that it computed. */
  protected exception(row: number, event: EventOf<"exceptionTaken">): void {
    const { cpu, to } = event, { node, made } = this.lazily(() => this.eventNode("exception", event));
    const system = (name: string) => systemLocation(cpu, `${name}_EL${to}`);
    const saved = this.give(system("SPSR"), node, event.savedState);
    const link = this.give(system("ELR"), node, event.returnAddress);
    const fault = event.exception === "synchronous" && this.give(system("FAR"), node, event.faultAddress);
    if (event.exception !== "irq" && event.exception !== "fiq") {
      this.give(system("ESR"), node, event.syndrome);
    }
    if (to === 2) this.give(systemLocation(cpu, "HPFAR_EL2"), node);
    const went = this.give(controlLocation(cpu), node);
    const found = made();
    if (found === undefined || !this.graph.isFollowed(found)) return;
    if (saved) this.wantPlace(found, registerLocation(cpu, 64, 0), "value");
    if ((link && this.choice.control) || went) this.wantPlace(found, controlLocation(cpu), "control");
    if (fault) this.wantFaultAddress(found, row);
    if (event.exception !== "synchronous") this.wantInterrupt(found, row);
  }

  /** The address that a faulting access computed. */
  protected wantFaultAddress(node: SliceNode, row: number): void {
    const { columns } = this, next = row + 1;
    const isStep = next < columns.count && columns.instant.at(next) === columns.instant.at(row) &&
      columns.event.at(next) < 0;
    const flow = isStep ? this.flows.of(columns.opcode.at(next)) : undefined;
    const sources = flow?.addresses[0];
    if (sources !== undefined) this.want(node, row, sources, "value");
    else this.wantPlace(node, controlLocation(columns.cpu.at(row)), "control");
  }

  /** The interrupt that was raised last before one was taken. */
  protected wantInterrupt(consumer: SliceNode, row: number): void {
    for (let at = row - 1; at >= 0; at--) {
      const event = this.columns.events[this.columns.event.at(at)];
      if (event?.kind !== "interruptRaised") continue;
      const origin = this.eventNode("device", event);
      return this.graph.link({ consumer, role: "control", value: undefined }, "interrupt", origin);
    }
  }

  protected returned(_row: number, event: EventOf<"exceptionReturned">): void {
    const { cpu, from } = event, { node, made } = this.lazily(() => this.eventNode("return", event));
    const flags = this.give(registerLocation(cpu, 64, 0), node, event.state >> 28n & 15n);
    const went = this.give(controlLocation(cpu), node, event.address);
    const found = made();
    if (found === undefined || !this.graph.isFollowed(found)) return;
    if (flags) this.wantPlace(found, systemLocation(cpu, `SPSR_EL${from}`) as Location, "value");
    if (went) this.wantPlace(found, systemLocation(cpu, `ELR_EL${from}`) as Location, "value");
  }

  /** Firmware, or the host by semihosting, answers in X0. */
  protected answered(
    _row: number,
    event: EventOf<"firmwareCalled"> | EventOf<"semihostingCalled">,
    count: number,
  ): void {
    const { cpu } = event, { node, made } = this.lazily(() => this.eventNode("firmware", event));
    this.give(registerLocation(cpu, 0, 0), node, event.result);
    const found = made();
    if (found === undefined || !this.graph.isFollowed(found)) return;
    for (let n = 0; n < count; n++) this.wantPlace(found, registerLocation(cpu, n, 0), "value");
  }

  /** A monitor answers in a register: a call by what it was given, an access by its address. */
  protected monitorGave(row: number, event: EventOf<"guestRegisterWritten">): void {
    const { columns } = this, { cpu } = event;
    const { node, made } = this.lazily(() => this.eventNode("firmware", event));
    this.give(registerLocation(cpu, event.number, 0), node, event.value);
    const found = made();
    if (found === undefined || !this.graph.isFollowed(found)) return;
    for (let at = row - 1; at >= 0 && columns.instant.at(at) === event.instant; at--) {
      const exit = columns.events[columns.event.at(at)];
      if (exit?.kind !== "exceptionTaken" || exit.to !== event.level) continue;
      const exceptionClass = Number(exit.syndrome >> 26n);
      if (CALLS.has(exceptionClass)) {
        for (let n = 0; n < CALL_ARGUMENTS; n++) this.wantPlace(found, registerLocation(cpu, n, 0), "value");
      } else if (exceptionClass === DATA_ABORT) this.wantFaultAddress(found, at);
      return;
    }
  }

  /** A monitor made its guest take an exception: what its registers have is the monitor's. */
  protected injected(event: EventOf<"exceptionInjected">): void {
    const { cpu, to } = event, { node } = this.lazily(() => this.eventNode("firmware", event));
    for (const [name, value] of [["ELR", event.returnAddress], ["ESR", event.syndrome]] as const) {
      this.give(systemLocation(cpu, `${name}_EL${to}`), node, value);
    }
    this.give(systemLocation(cpu, `SPSR_EL${to}`), node);
    this.give(systemLocation(cpu, `FAR_EL${to}`), node);
  }

  /** MSR: the event says which register it was, the step what came into it. */
  protected systemWrite(row: number, event: EventOf<"systemRegisterWritten">): void {
    const { columns } = this, { cpu, instant } = event;
    let step = row + 1;
    while (step < columns.count && columns.instant.at(step) === instant && columns.event.at(step) >= 0) {
      step++;
    }
    const isStep = step < columns.count && columns.instant.at(step) === instant && columns.event.at(step) < 0;
    const { node, made } = this.lazily(() => isStep ? this.stepNode(step) : this.eventNode("machine", event));
    this.give(systemLocation(cpu, event.register), node, event.value);
    const found = made();
    if (found === undefined || !isStep) return;
    const flow = this.flows.of(columns.opcode.at(step));
    const outputs = flow.outputs.filter(({ target }) =>
      target.kind === "system" || (target.kind === "register" && target.number === 64)
    );
    this.follow(found, row, outputs.map(({ value }) => value), []);
  }

  protected registerPatched(event: EventOf<"registerPatched">): void {
    const { node } = this.lazily(() => this.eventNode("input", event));
    for (const location of locationsNamed(event.register, event.target, 1) ?? []) {
      this.give(location, node, event.value);
    }
  }

  protected memoryWritten(
    event: EventOf<"memoryPatched"> | EventOf<"memoryWrittenByDevice">,
    kind: SliceKind,
    size: number,
    text: (address: number) => string,
  ): void {
    for (const { need, address, size: length } of this.needs.takeMemory(event.address, size)) {
      const node = this.eventNode(kind, event, text(address));
      this.graph.link(need, memoryName(address, length), node);
    }
  }

  /** A CPU begins with its context in X0, which another gave to the firmware, and all else as after a reset. */
  protected started(row: number, event: EventOf<"cpuStarted">): void {
    const { columns } = this, { node, made } = this.lazily(() => this.eventNode("firmware", event));
    this.give(registerLocation(event.cpu, 0, 0), node, event.context);
    const found = made(), { instant } = event;
    for (let at = row - 1; found !== undefined && at >= 0 && at < columns.count; at++) {
      if (columns.instant.at(at) > instant) break;
      const call = columns.events[columns.event.at(at)];
      if (call?.kind !== "firmwareCalled" || call.instant !== instant || !this.graph.isFollowed(found)) {
        continue;
      }
      this.wantPlace(found, registerLocation(call.cpu, 3, 0), "value");
      break;
    }
    this.giveReset(event.cpu, event.instant, `cpu${event.cpu} is turned on`);
  }

  protected reset(event: EventOf<"machineReset">): void {
    for (const { index } of this.machine.board.cpus) {
      this.giveReset(index, event.instant, "the machine is reset");
    }
    for (const { address, size, open } of [...this.needs.memory]) {
      for (let at = 0; at < size;) {
        const origin = memoryOrigin(this.machine, address + at, size - at);
        if (open[at] === 1 && origin.text !== undefined) {
          this.giveMemory(
            address + at,
            origin.size,
            () => this.graph.add("image", event.instant, -1, { text: origin.text as string }),
          );
        }
        at += origin.size;
      }
    }
  }
}
