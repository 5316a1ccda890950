/** Export as trace events in JSON, which Perfetto and Chrome open (Trace Event Format): slices, instants and counters. */
import { classOf, type EventOf, type MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import { exceptionClassOf } from "./event_place.ts";
import type { ExportedStep, Exporter, PlaceNames } from "./export.ts";

/** Processes: groups of tracks. */
const MACHINE = 1, DEVICES = 2;
/** Tracks of the machine: of each CPU its exceptions and its level, then the others. */
const EXCEPTIONS = 10, LEVELS = 11, PER_CPU = 10;
const INPUTS = 1, IDLE = 2, TURNS = 3, CONSOLE = 1, FIRST_DEVICE = 10;
/** Nanoseconds over which counters count. */
const BUCKET = 1_000_000;
const LINE_FEED = 10, LONGEST_LINE = 512;

/** An event of the format; times are in microseconds. */
interface TraceEvent {
  readonly ph: "B" | "E" | "X" | "i" | "C" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly name?: string;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly s?: "g" | "t";
  readonly args?: Readonly<Record<string, unknown>>;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const microseconds = (nanoseconds: number): number => nanoseconds / 1000;

class PerfettoExporter implements Exporter {
  readonly classes = ["input", "trap", "device", "detail"] as const;
  #isFirst = true;
  #depths: number[] = [];
  #levels: { level: number; since: number }[] = [];
  #turn = { cpu: 0, since: 0 };
  #devices = new Map<string, number>();
  #line = { text: "", time: 0 };
  #counts = new Map<string, number>();
  #bucket = 0;

  constructor(private readonly names: PlaceNames) {}

  begin(machine: Machine): string {
    const time = machine.virtualTime, { cpus } = machine.board;
    this.#depths = cpus.map(() => 0);
    this.#levels = cpus.map(({ el }) => ({ level: el, since: time }));
    this.#turn = { cpu: machine.currentCpu.index, since: time };
    this.#bucket = Math.floor(time / BUCKET);
    const head = `{"displayTimeUnit":"ns","otherData":{"recorder":"hindsight"},"traceEvents":[\n`;
    return head + this.#write([
      named("process_name", MACHINE, 0, "machine"),
      named("process_name", DEVICES, 0, "devices"),
      named("thread_name", MACHINE, INPUTS, "inputs"),
      named("thread_name", MACHINE, IDLE, "idle"),
      named("thread_name", MACHINE, TURNS, "turns"),
      named("thread_name", DEVICES, CONSOLE, "console"),
      ...cpus.flatMap((_, cpu) => [
        named("thread_name", MACHINE, EXCEPTIONS + cpu * PER_CPU, `cpu${cpu} exceptions`),
        named("thread_name", MACHINE, LEVELS + cpu * PER_CPU, `cpu${cpu} level`),
      ]),
    ]);
  }

  step({ events, times, instant }: ExportedStep): string {
    return this.#write(events.flatMap((event, index) => this.#of(event, times[index] as number, instant)));
  }

  end(time: number): string {
    const open = this.#depths.flatMap((depth, cpu) =>
      Array.from({ length: depth }, (): TraceEvent => (
        { ph: "E", pid: MACHINE, tid: EXCEPTIONS + cpu * PER_CPU, ts: microseconds(time) }
      ))
    );
    const levels = this.#levels.map((_, cpu) => this.#level(cpu, -1, time)).flat();
    const rest = [
      ...open,
      ...levels,
      ...this.#nextTurn(-1, time),
      ...this.#console(time),
      ...this.#count(time + BUCKET),
    ];
    return `${this.#write(rest)}\n]}\n`;
  }

  #write(events: readonly TraceEvent[]): string {
    let text = "";
    for (const event of events) {
      text += `${this.#isFirst ? "" : ",\n"}${JSON.stringify(event)}`;
      this.#isFirst = false;
    }
    return text;
  }

  #of(event: MachineEvent, time: number, instant: number): TraceEvent[] {
    const counters = this.#count(time);
    return [...counters, ...this.#told(event, time, instant)];
  }

  #told(event: MachineEvent, time: number, instant: number): TraceEvent[] {
    const ts = microseconds(time);
    switch (event.kind) {
      case "exceptionTaken":
        return this.#taken(event, time);
      case "exceptionReturned": {
        const levels = this.#level(event.cpu, event.to, time);
        if ((this.#depths[event.cpu] ?? 0) === 0) return levels;
        (this.#depths[event.cpu] as number)--;
        return [{ ph: "E", pid: MACHINE, tid: EXCEPTIONS + event.cpu * PER_CPU, ts }, ...levels];
      }
      case "deviceRead":
      case "deviceWritten":
        return this.#access(event, time, instant);
      case "timeSkipped": {
        const [start, end] = [microseconds(event.from), microseconds(event.to)];
        return [{
          ph: "X",
          pid: MACHINE,
          tid: IDLE,
          name: "idle",
          ts: start,
          dur: end - start,
          args: { instant },
        }];
      }
      case "cpuSwitched":
        return this.#nextTurn(event.to, time);
      case "stepRetired":
        return [];
      default:
        if (classOf(event.kind) !== "input" && classOf(event.kind) !== "trap") return [];
        return [{
          ph: "i",
          s: "g",
          pid: MACHINE,
          tid: INPUTS,
          name: event.kind,
          cat: classOf(event.kind),
          ts,
          args: argsOf(event),
        }];
    }
  }

  #taken(event: EventOf<"exceptionTaken">, time: number): TraceEvent[] {
    (this.#depths[event.cpu] as number)++;
    this.#counts.set(`exceptions cpu${event.cpu}`, (this.#counts.get(`exceptions cpu${event.cpu}`) ?? 0) + 1);
    const name = exceptionClassOf(event);
    const place = this.names(event.returnAddress);
    const args = { ...argsOf(event), ...place === undefined ? {} : { from: place } };
    const tid = EXCEPTIONS + event.cpu * PER_CPU;
    return [
      { ph: "B", pid: MACHINE, tid, name, cat: "exception", ts: microseconds(time), args },
      ...this.#level(event.cpu, event.to, time),
    ];
  }

  /** The slice of the level that ends, where there is another. */
  #level(cpu: number, next: number, time: number): TraceEvent[] {
    const { level, since } = this.#levels[cpu] as { level: number; since: number };
    if (level === next) return [];
    this.#levels[cpu] = { level: next, since: time };
    return [slice(LEVELS + cpu * PER_CPU, `EL${level}`, since, time)];
  }

  #nextTurn(next: number, time: number): TraceEvent[] {
    const { cpu, since } = this.#turn;
    this.#turn = { cpu: next, since: time };
    return [slice(TURNS, `cpu${cpu}`, since, time)];
  }

  #access(
    event: EventOf<"deviceRead"> | EventOf<"deviceWritten">,
    time: number,
    instant: number,
  ): TraceEvent[] {
    const { device, address, size, value, cpu } = event;
    const found: TraceEvent[] = [];
    let tid = this.#devices.get(device);
    if (tid === undefined) {
      this.#devices.set(device, tid = FIRST_DEVICE + this.#devices.size);
      found.push(named("thread_name", DEVICES, tid, device));
    }
    this.#counts.set(device, (this.#counts.get(device) ?? 0) + 1);
    const way = event.kind === "deviceRead" ? "read" : "write";
    const args = { address: hex(address), size, value: hex(value), cpu, instant };
    const name = `${way} ${hex(address & 0xfff)}`;
    found.push({ ph: "i", s: "t", pid: DEVICES, tid, name, cat: "device", ts: microseconds(time), args });
    if (way === "write" && device.startsWith("uart") && (address & 0xfff) === 0) {
      if (this.#line.text === "") this.#line.time = time;
      const byte = Number(value & 0xffn);
      if (byte !== LINE_FEED) this.#line.text += String.fromCharCode(byte);
      if (byte === LINE_FEED || this.#line.text.length >= LONGEST_LINE) found.push(...this.#console(time));
    }
    return found;
  }

  /** The line that is complete. */
  #console(end: number): TraceEvent[] {
    const { text, time } = this.#line;
    this.#line = { text: "", time: end };
    if (text.trim() === "") return [];
    const name = text.replace(/\r$/, "");
    return [{
      ph: "X",
      pid: DEVICES,
      tid: CONSOLE,
      name,
      cat: "console",
      ts: microseconds(time),
      dur: microseconds(end - time),
    }];
  }

  /** Counters of the stretch of time that is over. */
  #count(time: number): TraceEvent[] {
    const bucket = Math.floor(time / BUCKET);
    if (bucket === this.#bucket) return [];
    const at = (number: number) => microseconds(number * BUCKET);
    const events = [...this.#counts].flatMap(([name, count]): TraceEvent[] => [
      { ph: "C", pid: DEVICES, tid: 0, name: `${name} per ms`, ts: at(this.#bucket), args: { count } },
      { ph: "C", pid: DEVICES, tid: 0, name: `${name} per ms`, ts: at(this.#bucket + 1), args: { count: 0 } },
    ]);
    this.#counts.clear();
    this.#bucket = bucket;
    return events;
  }
}

function slice(tid: number, name: string, from: number, to: number): TraceEvent {
  return { ph: "X", pid: MACHINE, tid, name, ts: microseconds(from), dur: microseconds(to - from) };
}

function named(name: string, pid: number, tid: number, value: string): TraceEvent {
  return { ph: "M", pid, tid, name, args: { name: value } };
}

/** The fields of an event as JSON can have them. */
function argsOf(event: MachineEvent): Record<string, unknown> {
  const value = (field: unknown): unknown => {
    if (typeof field === "bigint") return hex(field);
    if (field instanceof Uint8Array) return field.toHex();
    return Array.isArray(field) ? field.map(value) : field;
  };
  const { kind: _kind, index: _index, ...fields } = event;
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, value(field)]));
}

/** Makes an exporter. */
export function perfettoExporter(names: PlaceNames): Exporter {
  return new PerfettoExporter(names);
}
