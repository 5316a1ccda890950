/** An NVMe controller with one namespace (NVM Express 1.4), as QEMU's `nvme`: its registers. */
import { record } from "../../layout.ts";
import { type Section, sectionLayout } from "../../snapshot.ts";
import { type HeldValues, registerMap } from "../register_map.ts";
import { EXECUTION_FIELDS, NvmeExecution, type NvmeOptions, type NvmePort } from "./execution.ts";
import { VERSION } from "./identify.ts";
import type { NvmeRegisters } from "./pci.ts";
import { IO_QUEUES, QUEUE_ENTRIES } from "./queues.ts";

/** Queues of 2048 entries, contiguous; ready within 7.5 s; the NVM command set; pages of 4–64 KiB. */
const CAP_LOW = 0x0f01_0000 | (QUEUE_ENTRIES - 1);
const CAP_HIGH = 0x0040_0020;

const CC_ENABLE = 1;
const CSTS_READY = 1;
const CSTS_FATAL = 2;
const CSTS_SHUTDOWN = 0xc;
const CSTS_SHUTDOWN_COMPLETE = 8;
/** Largest CC.MPS that CAP allows. */
const LARGEST_MPS = 4;

/** CC.IOCQES and CC.IOSQES, as powers of two: the only ones, and asked for before there are I/O queues, as by QEMU. */
const ENTRY_SIZES = 0x46;

/** Where doorbells begin: one of each queue of commands, one of its completions, by turns. */
const DOORBELLS = 0x1000;

/** Accesses come through the function, which knows no CPU. */
const ACCESS = { cpu: -1, secure: false } as const;

const entrySizes = (cc: number): number => (cc >>> 16) & 0xff;
const commandSet = (cc: number): number => (cc >>> 4) & 7;
const pageShift = (cc: number): number => (cc >>> 7) & 0xf;
const shutdown = (cc: number): number => (cc >>> 14) & 3;

// deno-fmt-ignore
const map = registerMap<NvmeController<NvmePort>>()([
  // offset name       access bits reset     behaviour
  [0x00, "CAP_low",    "RO",  32, CAP_LOW,   { read: () => CAP_LOW }],
  [0x04, "CAP_high",   "RO",  32, CAP_HIGH,  { read: () => CAP_HIGH }],
  [0x08, "VS",         "RO",  32, VERSION,   { read: () => VERSION }],
  [0x0c, "INTMS",      "RW",  32, 0,         { read: ({ execution }) => execution.mask, write: ({ execution }, value) => void (execution.mask |= value) }],
  [0x10, "INTMC",      "RW",  32, 0,         { read: ({ execution }) => execution.mask, write: ({ execution }, value) => void (execution.mask &= ~value) }],
  [0x14, "CC",         "RW",  32, 0,         { written: (device, previous) => device.configured(previous) }],
  [0x1c, "CSTS",       "RO",  32, 0],
  [0x24, "AQA",        "RW",  28, 0],
  [0x28, "ASQ_low",    "RW",  32, 0],
  [0x2c, "ASQ_high",   "RW",  32, 0],
  [0x30, "ACQ_low",    "RW",  32, 0],
  [0x34, "ACQ_high",   "RW",  32, 0],
]);

const layout = sectionLayout("nvme", 1, { registers: record(map.fields), ...EXECUTION_FIELDS });

type Registers = HeldValues<keyof typeof map.fields>;

/** A controller: a reset of it, by CC.EN, keeps where the admin queues are. */
export class NvmeController<Port extends NvmePort> {
  /** Name of the device and of its section. */
  readonly name: string;
  /** Its way to memory and interrupts, such as its function of PCI. */
  readonly port: Port;
  /** What is done with its queues. */
  readonly execution: NvmeExecution;
  readonly #options: NvmeOptions;
  #registers: Registers = map.reset();

  /** A controller that is not enabled; `attach` makes its port, behind which its registers answer. */
  constructor(options: NvmeOptions, attach: (registers: NvmeRegisters) => Port) {
    this.name = options.name;
    this.#options = options;
    this.execution = new NvmeExecution(options, this);
    this.port = attach({
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
      configured: () => this.execution.driveInterrupt(),
    });
  }

  #read(offset: number, size: number): number {
    return map.read(this, this.#registers, offset, size, ACCESS);
  }

  #write(offset: number, size: number, value: number): void {
    if (offset < DOORBELLS) return map.write(this, this.#registers, offset, size, value, ACCESS);
    if (offset % 4 === 0) this.execution.doorbell((offset - DOORBELLS) / 4, value & 0xffff);
  }

  /** CC was written. */
  configured(previous: number): void {
    const { CC } = this.#registers;
    if (shutdown(CC) !== 0 && shutdown(previous) === 0) {
      // The driver may disable the namespace's cache; a shutdown writes it back.
      this.#options.disk.flush();
      this.#registers.CSTS = (this.#registers.CSTS & ~CSTS_SHUTDOWN) | CSTS_SHUTDOWN_COMPLETE;
    } else if (shutdown(CC) === 0) this.#registers.CSTS &= ~CSTS_SHUTDOWN;
    if ((CC & ~previous & CC_ENABLE) !== 0) this.#start();
    if ((previous & ~CC & CC_ENABLE) !== 0) this.#stop();
  }

  /** Ready with the admin queues, or failed when they cannot be. */
  #start(): void {
    const { CC, AQA, ASQ_low, ASQ_high, ACQ_low, ACQ_high } = this.#registers;
    const submission = BigInt(ASQ_high) << 32n | BigInt(ASQ_low);
    const completion = BigInt(ACQ_high) << 32n | BigInt(ACQ_low);
    const commands = AQA & 0xfff, completions = AQA >>> 16;
    const isAligned = ((submission | completion) & BigInt(this.pageSize - 1)) === 0n;
    const isPossible = isAligned && commands > 0 &&
      completions > 0 &&
      pageShift(CC) <= LARGEST_MPS && commandSet(CC) === 0 && entrySizes(CC) === ENTRY_SIZES;
    if (!isPossible) return this.fail();
    this.execution.start(submission, commands + 1, completion, completions + 1);
    this.#registers.CSTS |= CSTS_READY;
  }

  #stop(): void {
    this.execution.stop();
    this.#registers.CSTS = 0;
  }

  /** Ready, and not failed. */
  get isReady(): boolean {
    return (this.#registers.CSTS & (CSTS_READY | CSTS_FATAL)) === CSTS_READY;
  }

  /** CC.MPS in bytes. */
  get pageSize(): number {
    return 4096 << pageShift(this.#registers.CC);
  }

  /** Only a reset helps. */
  fail(): void {
    this.#registers.CSTS |= CSTS_FATAL;
  }

  /** Power-on state. */
  reset(): void {
    this.#registers = map.reset();
    this.execution.reset();
  }

  /** Registers, queues, features, events and counters. */
  save(): Section {
    return layout.encode(this.name, { registers: this.#registers, ...this.execution.state });
  }

  /** Restores what `save` gave; the port restores itself. */
  restore(section: Section): void {
    const { registers, ...state } = layout.decode(section);
    this.#registers = registers;
    this.execution.state = state;
  }
}

/** Doorbells of all queues end here, counted from the start of the BAR. */
export const DOORBELLS_END: number = DOORBELLS + 8 * (IO_QUEUES + 1);
