/** Forks of one checkpoint: the machine stands where the loader is about to read its pairs, is given one, and is looked at. */
import {
  bridgeProgram,
  coreOffset,
  coreSizes,
  FLAGS,
  type Pair,
  PARAMETERS,
  RECORD,
} from "../../../firmware/bridge_space/image.ts";
import { SWITCH_SPAN } from "../../../firmware/bridge_space/switch_code.ts";
import { UART_ADDRESS } from "../../../firmware/loader/console.ts";
import { leavesOf } from "../../../firmware/loader/translation_tables.ts";
import { Replay } from "../../../journal/replay.ts";
import { type PhysicalAddress, physicalAddress } from "../../../machine/address.ts";
import type { EventObserver, Input, MachineEvent } from "../../../machine/events.ts";
import type { Machine, MachineOptions, Snapshot } from "../../../machine/machine.ts";
import type { Recorded } from "../scenario.ts";

/** Most steps from the checkpoint to the hand-over or refusal of a pair. */
const MOST_STEPS = 2_000_000;

/** Where the loader is in memory, by what it printed. Throws Error when it printed nothing. */
export function loadedAt(console: string): number {
  const match = /bridge: parameters at ([0-9a-f]{16})/.exec(console);
  if (match === null) throw new Error(`the loader never came to its parameters:\n${console.slice(-400)}`);
  return Number(`0x${match[1]}`) - offsetOf("parameters");
}

function offsetOf(symbol: string): number {
  return Number(bridgeProgram().symbols.get(symbol) as bigint);
}

/** One 8-byte field in memory. */
export interface Poke {
  readonly address: number;
  readonly value: bigint;
}

/** What makes a pair the only one. */
export function pokesOf(pair: Pair, loaded: number): Poke[] {
  const at = loaded + offsetOf("parameters"), first = at + PARAMETERS.PAIRS;
  const flags = Number(pair.startsKernel ?? false) << FLAGS.FLAG_KERNEL |
    Number(pair.mayTakeTwo ?? false) << FLAGS.FLAG_SECOND;
  return [
    { address: at + PARAMETERS.COUNT, value: 1n },
    { address: first, value: pair.from },
    { address: first + 8, value: pair.to },
    { address: first + 16, value: BigInt(flags) },
  ];
}

/** The same as lines of a script. */
export function pokeLines(pokes: readonly Poke[]): string[] {
  return pokes.map(({ address, value }) =>
    `poke 0x${address.toString(16)} 0x${value.toString(16).padStart(16, "0")}`
  );
}

function inputOf({ address, value }: Poke): Input {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return { kind: "memoryPatched", address, bytes };
}

/** How one pair went. */
export interface PairRun {
  /** What the console wrote. */
  readonly console: string;
  /** The loader handed over at VA_b. */
  readonly isHandedOver: boolean;
  /** Where it ended. */
  readonly instant: number;
  /** Traps and details from the checkpoint on. */
  readonly events: readonly MachineEvent[];
}

/** The checkpoint, and a machine that returns there. */
export class Checkpoint {
  /** Where it is. */
  readonly instant: number;
  /** First address of the loader in memory. */
  readonly loaded: number;
  readonly machine: Machine;
  readonly #snapshot: Snapshot;

  /** Goes through a recorded run to the place. Throws Error when it has none. */
  constructor({ run, images, console }: Recorded, options: MachineOptions) {
    this.loaded = loadedAt(console);
    const replay = new Replay(run, images, { ...options, checkEvents: false });
    const ready = BigInt(this.loaded + offsetOf("ready"));
    replay.machine.watch([{ kind: "execute", address: ready }]);
    let stop = replay.runTo(run.lastInstant);
    replay.machine.watch([]);
    if (stop === undefined) throw new Error("the loader was never ready");
    // Within a boundary there is no state to return to; the next instructions do nothing.
    while (stop?.isBegun === true) stop = replay.runTo(replay.instant + 1);
    this.machine = replay.release().machine;
    this.instant = this.machine.instant;
    this.#snapshot = this.machine.snapshot();
  }

  /** The state root of a pair's run at an instant, without anybody who looks. */
  rootOf(pair: Pair, instant: number): Uint8Array {
    const { machine } = this;
    machine.restore(this.#snapshot);
    for (const poke of pokesOf(pair, this.loaded)) machine.submit(inputOf(poke));
    machine.run(instant);
    return machine.stateRoot().root;
  }

  /** Gives the machine a pair, and runs it to the hand-over or the end. */
  take(pair: Pair): PairRun {
    const { machine } = this, events: MachineEvent[] = [];
    machine.restore(this.#snapshot);
    let console = "";
    machine.board.transmitted = (byte) => void (console += String.fromCharCode(byte));
    for (const poke of pokesOf(pair, this.loaded)) machine.submit(inputOf(poke));
    const observer: EventObserver = {
      classes: ["trap", "detail"],
      observe: (event) => void events.push(event),
    };
    machine.board.events.add(observer);
    machine.watch([{ kind: "execute", address: pair.to + BigInt(coreOffset("handed_off")) }]);
    const { reason } = machine.run(this.instant + MOST_STEPS);
    machine.board.events.remove(observer);
    machine.watch([]);
    return { console, isHandedOver: reason === "watched", instant: machine.instant, events };
  }
}

/** Reads 8 bytes of a machine's memory. */
export function quadAt(machine: Machine, address: number | bigint): bigint {
  const bytes = machine.board.memory.viewBytes(physicalAddress(Number(address)) as PhysicalAddress, 8);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** What a space has to map: pages from virtual to physical addresses. */
function pagesOf(ranges: readonly (readonly [virtual: bigint, physical: bigint, size: number])[]): string[] {
  return ranges.flatMap(([virtual, physical, size]) =>
    Array.from({ length: size / 4096 }, (_, page) => {
      const offset = BigInt(page * 4096);
      return `${hex(virtual + offset)}→${hex(physical + offset)}`;
    })
  ).sort();
}

/** What tables map, by a walk of their own. */
function mappedBy(machine: Machine, root: bigint, bits: number): string[] {
  const leaves = leavesOf({ granule: 12, inputBits: bits }, root, (address) => quadAt(machine, address));
  return [...leaves].map(({ virtual, physical }) => `${hex(virtual)}→${hex(physical)}`).sort();
}

/** What is wrong with a pair that was handed over, by events, registers and tables. */
export function faultsOf(
  { machine }: Checkpoint,
  { from, to }: Pair,
  { events }: PairRun,
  level: 1 | 2,
  bits: number,
): string[] {
  const faults: string[] = [], cpu = machine.currentCpu;
  const record = (field: keyof typeof RECORD) =>
    quadAt(machine, from + BigInt(coreOffset("record") + RECORD[field]));
  const expect = (what: string, found: bigint | number | string, expected: bigint | number | string) => {
    if (found === expected) return;
    const shown = [found, expected].map((value) => typeof value === "string" ? value : hex(value));
    faults.push(`${hex(from)} to ${hex(to)}: ${what} is ${shown[0]}, not ${shown[1]}`);
  };
  expect("PC", cpu.pc, to + BigInt(coreOffset("handed_off")));
  expect("the level", cpu.el, level);
  const written = (name: string) =>
    events.flatMap((event) =>
      event.kind === "systemRegisterWritten" && event.register === `${name}_EL${level}` ? [event.value] : []
    );
  const middle = record("VA_C");
  const s3 = record("S3"), s2 = record("S2"), s4 = record("S4");
  const roots = middle === 0n ? [s3, s2] : [s3, s4, s4, s2];
  expect("the TTBR0 writes", written("TTBR0").map(hex).join(), roots.map(hex).join());
  // The second TLBI of a bridge changes no result here: what it drops is not looked for.
  const first = events.findIndex((event) =>
    event.kind === "systemRegisterWritten" && event.register === `TTBR0_EL${level}`
  );
  const flushes = events.slice(first).filter(({ kind }) => kind === "tlbInvalidated").length;
  expect("the number of TLBIs from there on", flushes, roots.length);
  expect("VBAR", record("LANDED_VBAR"), to + BigInt(coreOffset("vectors")));
  for (const name of ["SCTLR", "TCR", "MAIR"]) expect(`writes of ${name}`, written(name).length, 0);
  expect("SCTLR.M", record("SCTLR") & record("LANDED_SCTLR") & 1n, 1n);
  const aborts = events.filter((event) => event.kind === "exceptionTaken" && event.exception !== "irq");
  expect("exceptions", aborts.length, 0);
  const stale = events.filter(({ kind }) => kind === "staleTranslationUsed");
  expect("uses of stale translations", stale.length, 0);
  const device = [UART_ADDRESS, UART_ADDRESS, 4096] as const;
  const bridge = (...places: readonly bigint[]) =>
    pagesOf([...places.map((place) => [place, from, SWITCH_SPAN] as const), device]).join();
  expect("S3", mappedBy(machine, s3, bits).join(), bridge(from, middle === 0n ? to : middle));
  if (middle !== 0n) expect("S4", mappedBy(machine, s4, bits).join(), bridge(middle, to));
  expect("S2", mappedBy(machine, s2, bits).join(), pagesOf([[to, from, coreSizes().image], device]).join());
  return faults;
}
