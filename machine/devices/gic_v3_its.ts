/** The Interrupt Translation Service of a GICv3: registers, command queue, messages (Arm IHI 0069, section 12.18). */
import { u32, u64 } from "../layout.ts";
import { listOf } from "../layout.ts";
import type { EventHub } from "../events.ts";
import type { AccessContext, PhysicalMemory } from "../memory/physical.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Device } from "./device.ts";
import { Dma } from "./dma.ts";
import {
  type Command,
  type CommandResult,
  type ItsContext,
  runCommand,
  translate,
} from "./gic_v3_its_commands.ts";
import { ITS_ID_BITS, ItsTable, TABLE_ENTRY_SIZE, TRANSLATION_SIZE } from "./gic_v3_its_tables.ts";
import type { LpiTarget } from "./gic_v3_lpi.ts";
import type { MessageReceiver } from "./pci/host_bridge.ts";
import { type Behaviour, constants, registerMap } from "./register_map.ts";

/** What an ITS is built on. */
export interface GicV3ItsOptions {
  /** Name of the device and of its section. */
  readonly name: string;
  /** Physical address of its frames. */
  readonly base: number;
  /** Where events go. */
  readonly events: EventHub;
  /** Where tables and commands are. */
  readonly memory: PhysicalMemory;
  /** Where interrupts go. */
  readonly lpis: LpiTarget;
}

const TRANSLATER = 0x1_0040;
/**
 * Accesses to memory and interrupts, as events count them, after which the commands that follow wait for the next read
 * of a register. More than drivers ever have waiting; without it one write could ask for hours of work.
 */
const WORK_AT_ONCE = 2 ** 15;
const CTLR_ENABLED = 1;
const CTLR_QUIESCENT = 0x8000_0000;
/** GITS_CBASER: 4 KiB pages of commands. */
const CBASER_VALID = 1n << 63n;
const CBASER_ADDRESS = 0xf_ffff_ffff_f000n;
const COMMAND_SIZE = 32;
const CREADR_STALLED = 1n;
/** Bits 19:5 of GITS_CWRITER and GITS_CREADR. */
const OFFSET_MASK = 0xf_ffe0n;
/** GITS_BASERn: type and size of entries cannot be written. */
const BASER_FIXED = 7n << 56n | 0x1fn << 48n;
const baserOf = (type: number): bigint =>
  BigInt(type) << 56n | BigInt(TABLE_ENTRY_SIZE - 1) << 48n | 2n << 8n;
/** Devices and collections; pages of 64 KiB until the guest asks for others, as in QEMU. */
const BASERS: readonly bigint[] = [baserOf(1), baserOf(4), 0n, 0n, 0n, 0n, 0n, 0n];
const DEVICES = 0;
const COLLECTIONS = 1;

/** Physical LPIs, sizes of translations and of each kind of number; collections are in memory, targets by number. */
const TYPER = 1n | BigInt(TRANSLATION_SIZE - 1) << 4n | BigInt(ITS_ID_BITS - 1) << 8n |
  BigInt(ITS_ID_BITS - 1) << 13n | BigInt(ITS_ID_BITS - 1) << 32n | 1n << 36n;

const layout = sectionLayout("gic-v3-its", 1, {
  CTLR: u32,
  CBASER: u64,
  CWRITER: u64,
  CREADR: u64,
  BASER: listOf(u64, BASERS.length),
});

type State = ReturnType<typeof layout.decode>;

/** The half of a 64-bit register that a word is, and the bits of it that an access touches. */
function merged(old: bigint, value: number, half: number, lanes: number): bigint {
  const shift = BigInt(half * 32);
  return old & ~(BigInt(lanes) << shift) | BigInt(value) << shift;
}

const halfOf = (value: bigint, half: number): number => Number(value >> BigInt(half * 32) & 0xffff_ffffn);

/** A register of two words that the ITS's state holds; `write` takes its whole new value. */
function wide(
  name: "CBASER" | "CWRITER" | "CREADR",
  write: (its: GicV3Its, value: bigint) => void = () => {},
): Required<Pick<Behaviour<GicV3Its>, "read" | "write">> {
  return {
    read: ({ state }, { index }) => halfOf(state[name], index),
    write: (its, value, { index, lanes }) => write(its, merged(its.state[name], value, index, lanes)),
  };
}

/** The device; tables and commands stay in guest memory. */
export class GicV3Its implements Device, MessageReceiver {
  // deno-fmt-ignore
  static readonly #map = registerMap<GicV3Its>()([
    // offset   name               access bits reset behaviour, count
    [0x0_0000, "GITS_CTLR",       "RW",  32, 0,     { read: ({ state }) => state.CTLR, write: (its, value, { lanes }) => its.writeControl(value, lanes) }],
    [0x0_0004, "GITS_IIDR",       "RO",  32, 0,     { read: () => 0x43b }],
    [0x0_0008, "GITS_TYPER",      "RO",  32, 0,     { read: (_, { index }) => halfOf(TYPER, index) }, 2],
    [0x0_0080, "GITS_CBASER",     "RW",  32, 0,     wide("CBASER", (its, value) => its.writeQueueBase(value)), 2],
    [0x0_0088, "GITS_CWRITER",    "RW",  32, 0,     wide("CWRITER", (its, value) => its.writeQueueEnd(value)), 2],
    [0x0_0090, "GITS_CREADR",     "RO",  32, 0,     wide("CREADR"), 2],
    [0x0_0100, "GITS_BASER",      "RW",  32, 0,     {
      read:  ({ state }, { index }) => halfOf(state.BASER[index >> 1] as bigint, index & 1),
      write: (its, value, { index, lanes }) => its.writeTableBase(index >> 1, value, index & 1, lanes),
    }, 16],
    [0x0_ffd0, "GITS_PIDR",       "RO",  32, 0,     constants([0x44, 0, 0, 0, 0x94, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1]), 12],
    [TRANSLATER, "GITS_TRANSLATER", "WO", 32, 0,    { write: (its, value) => its.receive(value, 0) }],
  ]);

  /** Name of the device. */
  readonly name: string;
  /** Physical address of GITS_TRANSLATER. */
  readonly address: number;
  /** Registers by their names. */
  state: State = atReset();
  readonly #events: EventHub;
  readonly #dma: Dma;
  readonly #lpis: LpiTarget;

  /** An ITS that is disabled. */
  constructor({ name, base, events, memory, lpis }: GicV3ItsOptions) {
    this.name = name;
    this.address = base + TRANSLATER;
    this.#events = events;
    this.#dma = new Dma(name, memory, events);
    this.#lpis = lpis;
  }

  /** Reads a register; software that waits for its commands reads GITS_CREADR, so they go on first if some wait. */
  read(offset: number, size: number, context: AccessContext): number {
    if ((this.state.CREADR & CREADR_STALLED) === 0n) this.#runQueue();
    return GicV3Its.#map.read(this, {}, offset, size, context);
  }

  /** Writes a register. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    GicV3Its.#map.write(this, {}, offset, size, value, context);
  }

  get #isEnabled(): boolean {
    return (this.state.CTLR & CTLR_ENABLED) !== 0;
  }

  #context(): ItsContext {
    const table = (index: number): ItsTable => new ItsTable(this.state.BASER[index] as bigint, this.#dma);
    const start = this.#events.nextIndex;
    return {
      source: this.name,
      dma: this.#dma,
      lpis: this.#lpis,
      devices: table(DEVICES),
      collections: table(COLLECTIONS),
      isEnough: () => this.#events.nextIndex - start >= WORK_AT_ONCE,
    };
  }

  /** GITS_CTLR: what waits in the queue is done once the ITS is enabled. */
  writeControl(value: number, lanes: number): void {
    if ((lanes & CTLR_ENABLED) === 0) return;
    this.state.CTLR = (CTLR_QUIESCENT | value & CTLR_ENABLED) >>> 0;
    this.#runQueue();
  }

  /** GITS_CBASER: as in QEMU, cannot be written while the ITS is enabled; starts the queue over. */
  writeQueueBase(value: bigint): void {
    if (this.#isEnabled) return;
    this.state.CBASER = value;
    this.state.CREADR = 0n;
  }

  /** GITS_CWRITER: the commands up to there are carried out at once. */
  writeQueueEnd(value: bigint): void {
    this.state.CWRITER = value & OFFSET_MASK;
    this.#runQueue();
  }

  /** GITS_BASERn: as in QEMU, cannot be written while the ITS is enabled. */
  writeTableBase(index: number, value: number, half: number, lanes: number): void {
    const old = this.state.BASER[index] as bigint;
    if (this.#isEnabled || old === 0n) return;
    this.state.BASER[index] = merged(old, value, half, lanes) & ~BASER_FIXED | old & BASER_FIXED;
  }

  /** Carries out commands up to the end of the queue, as many as is enough for one access. */
  #runQueue(): void {
    const { CBASER, CWRITER } = this.state;
    const size = (Number(CBASER & 0xffn) + 1) * 0x1000;
    const end = Number(CWRITER & OFFSET_MASK);
    if (!this.#isEnabled || (CBASER & CBASER_VALID) === 0n || end >= size) return;
    const base = Number(CBASER & CBASER_ADDRESS);
    const context = this.#context();
    let at = Number(this.state.CREADR & OFFSET_MASK) % size;
    let result: CommandResult = "done";
    while (at !== end && !context.isEnough()) {
      const bytes = this.#dma.read(base + at, COMMAND_SIZE);
      result = bytes === undefined ? "stall" : runCommand(context, commandOf(bytes));
      if (result !== "done") break;
      at = (at + COMMAND_SIZE) % size;
    }
    this.state.CREADR = BigInt(at) | (result === "stall" ? CREADR_STALLED : 0n);
  }

  /** A message: an event of a device; CPUs that write the register are device 0, as in QEMU. */
  receive(event: number, requester: number): void {
    if (this.#isEnabled) translate(this.#context(), requester, event);
  }

  /** Disabled, with no tables and no queue. */
  reset(): void {
    this.state = atReset();
  }

  /** The registers. */
  save(): Section {
    return layout.encode(this.name, this.state);
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    this.state = layout.decode(section);
  }
}

function commandOf(bytes: Uint8Array<ArrayBuffer>): Command {
  const view = new DataView(bytes.buffer);
  const word = (index: number): bigint => view.getBigUint64(index * 8, true);
  return [word(0), word(1), word(2), word(3)];
}

function atReset(): State {
  return { CTLR: CTLR_QUIESCENT, CBASER: 0n, CWRITER: 0n, CREADR: 0n, BASER: [...BASERS] };
}
