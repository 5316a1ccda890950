/** An NVMe controller with one namespace (NVM Express 1.4) on PCI Express, as QEMU's `nvme`: registers, doorbells, queues. */
import { type Alarm, type Clock, NO_DEADLINE } from "../../clock.ts";
import type { EventHub } from "../../events.ts";
import { record, u32 } from "../../layout.ts";
import type { PhysicalMemory } from "../../memory/physical.ts";
import { type Section, sectionLayout } from "../../snapshot.ts";
import type { Disk } from "../../storage/disk.ts";
import { SECTOR_SIZE } from "../../storage/image.ts";
import { PciFunction } from "../pci/function.ts";
import { type HeldValues, registerMap } from "../register_map.ts";
import { adminCommand } from "./admin.ts";
import { COMMAND_SIZE, COMPLETION_SIZE, completionBytes, type Outcome, readCommand } from "./command.ts";
import { eventFields, EventRequests } from "./event_requests.ts";
import { featureFields, type FeatureValues, initialFeatures } from "./features.ts";
import { VERSION } from "./identify.ts";
import { ioCommand } from "./input_output.ts";
import { noStatistics, type Statistics, statisticsFields } from "./log_pages.ts";
import { nvmeFunction } from "./pci.ts";
import {
  type CompletionQueue,
  IO_QUEUES,
  isFull,
  NvmeQueues,
  QUEUE_ENTRIES,
  queueFields,
  type SubmissionQueue,
} from "./queues.ts";
import { Transfer } from "./transfer.ts";

/** What a controller is built on. */
export interface NvmeOptions {
  /** Name of the device in events and of its section. */
  readonly name: string;
  /** `serial=`: up to 20 ASCII characters. */
  readonly serial: string;
  /** The namespace. */
  readonly disk: Disk;
  /** Virtual time and alarms. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** What DMA reaches. */
  readonly memory: PhysicalMemory;
}

/** Virtual nanoseconds from a doorbell to the completion of what is there then: those of a fast solid-state disk. */
const LATENCY = 20_000;
/** Commands that are completed at once; more wait for as long again. */
const COMMANDS_AT_ONCE = 64;

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
const map = registerMap<NvmeController>()([
  // offset name       access bits reset     behaviour
  [0x00, "CAP_low",    "RO",  32, CAP_LOW,   { read: () => CAP_LOW }],
  [0x04, "CAP_high",   "RO",  32, CAP_HIGH,  { read: () => CAP_HIGH }],
  [0x08, "VS",         "RO",  32, VERSION,   { read: () => VERSION }],
  [0x0c, "INTMS",      "RW",  32, 0,         { read: (device) => device.mask, write: (device, value) => device.setMask(device.mask | value) }],
  [0x10, "INTMC",      "RW",  32, 0,         { read: (device) => device.mask, write: (device, value) => device.setMask(device.mask & ~value) }],
  [0x14, "CC",         "RW",  32, 0,         { written: (device, previous) => device.configured(previous) }],
  [0x1c, "CSTS",       "RO",  32, 0],
  [0x24, "AQA",        "RW",  28, 0],
  [0x28, "ASQ_low",    "RW",  32, 0],
  [0x2c, "ASQ_high",   "RW",  32, 0],
  [0x30, "ACQ_low",    "RW",  32, 0],
  [0x34, "ACQ_high",   "RW",  32, 0],
]);

const layout = sectionLayout("nvme", 1, {
  registers: record(map.fields),
  mask: u32,
  ...queueFields,
  features: featureFields,
  events: eventFields,
  statistics: statisticsFields,
});

type Registers = HeldValues<keyof typeof map.fields>;

/** A controller. What is in its queues is completed in the order of the doorbells' deadline, a constant after them. */
export class NvmeController {
  /** Name of the device and of its section. */
  readonly name: string;
  /** Its place on PCI. */
  readonly function: PciFunction;
  /** INTMS and INTMC: interrupts that do not reach the pin, by vector. */
  mask = 0;
  readonly #options: NvmeOptions;
  readonly #alarm: Alarm;
  readonly #queues = new NvmeQueues();
  readonly #events = new EventRequests();
  #registers: Registers = map.reset();
  #features: FeatureValues = initialFeatures();
  #statistics: Statistics = noStatistics();

  /** A controller that is not enabled. */
  constructor(options: NvmeOptions) {
    const { name, clock } = options;
    this.name = name;
    this.#options = options;
    this.#alarm = clock.alarm(name, () => this.#serve());
    this.function = nvmeFunction(options, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
      configured: () => this.#driveInterrupt(),
    });
  }

  #read(offset: number, size: number): number {
    return map.read(this, this.#registers, offset, size, ACCESS);
  }

  #write(offset: number, size: number, value: number): void {
    if (offset < DOORBELLS) return map.write(this, this.#registers, offset, size, value, ACCESS);
    if (offset % 4 === 0) this.#doorbell((offset - DOORBELLS) / 4, value & 0xffff);
  }

  /** INTMS and INTMC. */
  setMask(mask: number): void {
    this.mask = mask >>> 0;
    this.#driveInterrupt();
  }

  /** CC was written. */
  configured(previous: number): void {
    const { CC } = this.#registers;
    if (shutdown(CC) !== 0 && shutdown(previous) === 0) {
      this.#flush();
      this.#registers.CSTS = (this.#registers.CSTS & ~CSTS_SHUTDOWN) | CSTS_SHUTDOWN_COMPLETE;
    } else if (shutdown(CC) === 0) this.#registers.CSTS &= ~CSTS_SHUTDOWN;
    if ((CC & ~previous & CC_ENABLE) !== 0) this.#start();
    if ((previous & ~CC & CC_ENABLE) !== 0) this.#stop();
  }

  /** The driver may disable the namespace's cache; a shutdown writes it back. */
  #flush(): void {
    this.#options.disk.flush();
  }

  /** Ready with the admin queues, or failed when they cannot be. */
  #start(): void {
    const { CC, AQA, ASQ_low, ASQ_high, ACQ_low, ACQ_high } = this.#registers;
    const submission = BigInt(ASQ_high) << 32n | BigInt(ASQ_low);
    const completion = BigInt(ACQ_high) << 32n | BigInt(ACQ_low);
    const commands = AQA & 0xfff, completions = AQA >>> 16;
    const isAligned = ((submission | completion) & BigInt(this.#pageSize - 1)) === 0n;
    const isPossible = isAligned && commands > 0 &&
      completions > 0 &&
      pageShift(CC) <= LARGEST_MPS && commandSet(CC) === 0 && entrySizes(CC) === ENTRY_SIZES;
    if (!isPossible) {
      this.#registers.CSTS |= CSTS_FATAL;
      return;
    }
    this.#queues.addSubmission(0, 0, submission, commands + 1);
    this.#queues.addCompletion(0, completion, completions + 1, { vector: 0, enabled: true });
    this.#registers.CSTS |= CSTS_READY;
  }

  /** A reset of the controller, which keeps where the admin queues are. */
  #stop(): void {
    this.#alarm.clear();
    this.#queues.restore([], []);
    this.#events.reset();
    this.#features = initialFeatures();
    this.#registers.CSTS = 0;
    this.setMask(0);
  }

  get #isReady(): boolean {
    return (this.#registers.CSTS & (CSTS_READY | CSTS_FATAL)) === CSTS_READY;
  }

  get #pageSize(): number {
    return 4096 << pageShift(this.#registers.CC);
  }

  #doorbell(index: number, value: number): void {
    if (!this.#isReady) return;
    const id = index >>> 1;
    const queue = index % 2 === 0 ? this.#queues.submission(id) : this.#queues.completion(id);
    if (queue === undefined || value >= queue.size) {
      this.#events.doorbell(queue === undefined ? "register" : "value");
    } else if (index % 2 === 0) queue.tail = value;
    else {
      queue.head = value;
      this.#driveInterrupt();
    }
    this.#schedule();
  }

  /** Sets the alarm when there is something to do. */
  #schedule(): void {
    if (this.#alarm.deadline !== NO_DEADLINE) return;
    const isWaiting = this.#events.isDue || this.#queues.submissions.some((queue) => this.#canTake(queue));
    if (isWaiting) this.#alarm.set(this.#options.clock.now + LATENCY);
  }

  #canTake({ head, tail, completion }: SubmissionQueue): boolean {
    const queue = this.#queues.completion(completion);
    return head !== tail && queue !== undefined && !isFull(queue);
  }

  /** Completes commands, one of each queue by turns. */
  #serve(): void {
    const touched = new Set<CompletionQueue>();
    let left = COMMANDS_AT_ONCE;
    for (let before = -1; left > 0 && left !== before && this.#isReady;) {
      before = left;
      for (const queue of this.#queues.submissions) {
        if (left > 0 && this.#isReady && this.#canTake(queue)) {
          left--;
          this.#take(queue, touched);
        }
      }
    }
    this.#tellEvents(touched);
    for (const { head, tail, interrupts, vector } of touched) {
      if (interrupts && head !== tail) this.function.signal(vector);
    }
    this.#driveInterrupt();
    if (this.#isReady) this.#schedule();
  }

  /** Takes the next command of a queue. */
  #take(queue: SubmissionQueue, touched: Set<CompletionQueue>): void {
    const { dma } = this.function;
    const bytes = dma.read(queue.address + BigInt(queue.head * COMMAND_SIZE), COMMAND_SIZE);
    if (bytes === undefined) return this.#fail();
    queue.head = (queue.head + 1) % queue.size;
    const command = readCommand(bytes);
    const completion = this.#queues.completion(queue.completion) as CompletionQueue;
    const outcome = this.#carryOut(queue.id, command);
    if (outcome !== undefined) this.#post(completion, queue, command.identifier, outcome, touched);
  }

  #carryOut(queue: number, command: ReturnType<typeof readCommand>): Outcome | undefined {
    const { disk, serial } = this.#options;
    const transfer = new Transfer(this.function.dma, this.#pageSize);
    const common = { transfer, features: this.#features, statistics: this.#statistics };
    if (queue !== 0) return ioCommand({ ...common, disk }, command);
    return adminCommand({
      ...common,
      serial,
      blocks: disk.size / SECTOR_SIZE,
      readOnly: disk.readOnly,
      pageSize: this.#pageSize,
      usesMsix: this.function.usesMsix,
      queues: this.#queues,
      events: this.#events,
      flush: () => this.#flush(),
    }, command);
  }

  /** Writes a completion of a command of `queue`. */
  #post(
    completion: CompletionQueue,
    { head, id }: SubmissionQueue,
    identifier: number,
    outcome: Outcome,
    touched: Set<CompletionQueue>,
  ): void {
    const bytes = completionBytes(outcome, { head, queue: id, identifier, phase: completion.phase });
    const at = completion.address + BigInt(completion.tail * COMPLETION_SIZE);
    if (!this.function.dma.write(at, bytes)) return this.#fail();
    completion.tail = (completion.tail + 1) % completion.size;
    if (completion.tail === 0) completion.phase = !completion.phase;
    touched.add(completion);
  }

  /** Ends requests for events that have happened. */
  #tellEvents(touched: Set<CompletionQueue>): void {
    const completion = this.#queues.completion(0), submission = this.#queues.submission(0);
    if (completion === undefined || submission === undefined) return;
    while (this.#isReady && this.#events.isDue && !isFull(completion)) {
      const { identifier, outcome } = this.#events.take();
      this.#post(completion, submission, identifier, outcome, touched);
    }
  }

  /** Queues that are not in memory: only a reset helps. */
  #fail(): void {
    this.#registers.CSTS |= CSTS_FATAL;
  }

  /** The pin, which is not used with MSI-X: completions that the driver has not taken, of vectors that are not masked. */
  #driveInterrupt(): void {
    const isPending = ({ head, tail, interrupts, vector }: CompletionQueue): boolean =>
      interrupts && head !== tail && ((this.mask >>> vector) & 1) === 0;
    this.function.setInterrupt(!this.function.usesMsix && this.#queues.completions.some(isPending));
  }

  /** Power-on state. */
  reset(): void {
    this.#registers = map.reset();
    this.#statistics = noStatistics();
    this.#stop();
  }

  /** Registers, queues, features, events and counters. */
  save(): Section {
    return layout.encode(this.name, {
      registers: this.#registers,
      mask: this.mask,
      submissions: this.#queues.submissions,
      completions: this.#queues.completions,
      features: this.#features,
      events: this.#events.state,
      statistics: this.#statistics,
    });
  }

  /** Restores what `save` gave; the function restores itself. */
  restore(section: Section): void {
    const { registers, mask, submissions, completions, features, events, statistics } = layout.decode(
      section,
    );
    this.#registers = registers;
    this.mask = mask;
    this.#queues.restore(submissions, completions);
    this.#features = features;
    this.#events.state = events;
    this.#statistics = statistics;
  }
}

/** Doorbells of all queues end here, counted from the start of the BAR. */
export const DOORBELLS_END: number = DOORBELLS + 8 * (IO_QUEUES + 1);
