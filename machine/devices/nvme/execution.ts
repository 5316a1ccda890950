/** What an NVMe controller does with its queues: takes commands, carries them out, posts completions, interrupts. */
import { type Alarm, type Clock, NO_DEADLINE } from "../../clock.ts";
import type { EventHub } from "../../events.ts";
import { u32, type ValueOf } from "../../layout.ts";
import type { PhysicalMemory } from "../../memory/physical.ts";
import type { Disk } from "../../storage/disk.ts";
import type { Dma } from "../dma.ts";
import { SECTOR_SIZE } from "../../storage/image.ts";
import { adminCommand } from "./admin.ts";
import { COMMAND_SIZE, COMPLETION_SIZE, completionBytes, type Outcome, readCommand } from "./command.ts";
import { eventFields, EventRequests } from "./event_requests.ts";
import { featureFields, type FeatureValues, initialFeatures } from "./features.ts";
import { ioCommand } from "./input_output.ts";
import { noStatistics, type Statistics, statisticsFields } from "./log_pages.ts";
import { type CompletionQueue, NvmeQueues, queueFields, roomOf, type SubmissionQueue } from "./queues.ts";
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

/** What a controller is attached by: a function of PCI, or a bus and a wire. */
export interface NvmePort {
  /** Its access to memory. */
  readonly dma: Dma;
  /** Messages are sent in place of the pin. */
  readonly usesMsix: boolean;
  /** Sends the message of a vector; nothing where there are none. */
  signal(vector: number): void;
  /** Drives the pin. */
  setInterrupt(level: boolean): void;
}

/** The registers around the queues. */
export interface ExecutionHost {
  /** Its way to memory and interrupts. */
  readonly port: NvmePort;
  /** CSTS: commands are taken. */
  readonly isReady: boolean;
  /** CC.MPS in bytes. */
  readonly pageSize: number;
  /** Queues that are not in memory: only a reset helps. */
  fail(): void;
}

/** Virtual nanoseconds from a doorbell to the completion of what is there then: those of a fast solid-state disk. */
const LATENCY = 20_000;
/** Commands that are completed at once; more wait for as long again. */
const COMMANDS_AT_ONCE = 64;
/** Bytes that are filled with zeros at once, which costs little for a byte; further commands wait for as long again. */
const ZEROS_AT_ONCE = 2 ** 34;

/** Section fields, behind the controller's registers. */
// deno-fmt-ignore
export const EXECUTION_FIELDS = {
  /** INTMS and INTMC: interrupts that do not reach the pin, by vector. */
  mask:       u32,
  ...queueFields,
  features:   featureFields,
  events:     eventFields,
  statistics: statisticsFields,
} as const;

/** What is saved. */
export type ExecutionState = ValueOf<typeof EXECUTION_FIELDS>;

/** Queues and commands. What is in queues is completed in the order of the doorbells' deadline, a constant after them. */
export class NvmeExecution {
  /** Interrupts that do not reach the pin, by vector. */
  #mask = 0;
  readonly #options: NvmeOptions;
  readonly #host: ExecutionHost;
  readonly #alarm: Alarm;
  readonly #queues = new NvmeQueues();
  readonly #events = new EventRequests();
  #features: FeatureValues = initialFeatures();
  #statistics: Statistics = noStatistics();

  /** No queues. */
  constructor(options: NvmeOptions, host: ExecutionHost) {
    this.#options = options;
    this.#host = host;
    this.#alarm = options.clock.alarm(options.name, () => this.#serve());
  }

  /** INTMS and INTMC. */
  get mask(): number {
    return this.#mask;
  }

  set mask(mask: number) {
    this.#mask = mask >>> 0;
    this.driveInterrupt();
  }

  /** Adds the admin queues: addresses and numbers of entries. */
  start(commands: bigint, commandCount: number, completions: bigint, completionCount: number): void {
    this.#queues.addSubmission(0, 0, commands, commandCount);
    this.#queues.addCompletion(0, completions, completionCount, { vector: 0, enabled: true });
  }

  /** Forgets queues, events and features. */
  stop(): void {
    this.#alarm.clear();
    this.#queues.restore([], []);
    this.#events.reset();
    this.#features = initialFeatures();
    this.mask = 0;
  }

  /** The power-on state. */
  reset(): void {
    this.#statistics = noStatistics();
    this.stop();
  }

  /** A doorbell: those of queues of commands are even, those of their completions odd. */
  doorbell(index: number, value: number): void {
    if (!this.#host.isReady) return;
    const id = index >>> 1;
    const queue = index % 2 === 0 ? this.#queues.submission(id) : this.#queues.completion(id);
    if (queue === undefined || value >= queue.size) {
      this.#events.doorbell(queue === undefined ? "register" : "value");
    } else if (index % 2 === 0) queue.tail = value;
    else {
      queue.head = value;
      this.driveInterrupt();
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
    return head !== tail && queue !== undefined && roomOf(queue) > 0;
  }

  /** Completes commands and ends requests for events, and tells the driver. */
  #serve(): void {
    const touched = new Set<CompletionQueue>();
    this.#tellEvents(touched);
    this.#takeCommands(touched);
    this.#tellEvents(touched);
    for (const { head, tail, interrupts, vector } of touched) {
      if (interrupts && head !== tail) this.#host.port.signal(vector);
    }
    this.driveInterrupt();
    if (this.#host.isReady) this.#schedule();
  }

  /** Takes commands, one of each queue by turns, as many as are completed at once. */
  #takeCommands(touched: Set<CompletionQueue>): void {
    let left = COMMANDS_AT_ONCE, zeros = 0;
    const zeroed = (bytes: number): void => void (zeros += bytes);
    for (let before = -1; left !== before;) {
      before = left;
      for (const queue of this.#queues.submissions) {
        if (left === 0 || zeros >= ZEROS_AT_ONCE || !this.#host.isReady || !this.#canTake(queue)) continue;
        left--;
        this.#take(queue, touched, zeroed);
      }
    }
  }

  /** Takes the next command of a queue. */
  #take(queue: SubmissionQueue, touched: Set<CompletionQueue>, zeroed: (bytes: number) => void): void {
    const { dma } = this.#host.port;
    const bytes = dma.read(queue.address + BigInt(queue.head * COMMAND_SIZE), COMMAND_SIZE);
    if (bytes === undefined) return this.#host.fail();
    queue.head = (queue.head + 1) % queue.size;
    const command = readCommand(bytes);
    const completion = this.#queues.completion(queue.completion) as CompletionQueue;
    const outcome = this.#carryOut(queue.id, command, zeroed);
    // A command may let events be told of, which end their requests before it ends itself.
    if (queue.id === 0) this.#tellEvents(touched, 1);
    if (outcome !== undefined) this.#post(completion, queue, command.identifier, outcome, touched);
  }

  #carryOut(
    queue: number,
    command: ReturnType<typeof readCommand>,
    zeroed: (bytes: number) => void,
  ): Outcome | undefined {
    const { disk, serial } = this.#options;
    const { pageSize, port: { dma, usesMsix } } = this.#host;
    const common = {
      transfer: new Transfer(dma, pageSize),
      features: this.#features,
      statistics: this.#statistics,
    };
    if (queue !== 0) return ioCommand({ ...common, disk, zeroed }, command);
    return adminCommand({
      ...common,
      serial,
      blocks: disk.size / SECTOR_SIZE,
      readOnly: disk.readOnly,
      pageSize,
      usesMsix,
      queues: this.#queues,
      events: this.#events,
      flush: () => disk.flush(),
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
    if (!this.#host.port.dma.write(at, bytes)) return this.#host.fail();
    completion.tail = (completion.tail + 1) % completion.size;
    if (completion.tail === 0) completion.phase = !completion.phase;
    touched.add(completion);
  }

  /** Ends requests for events that have happened, while more than `kept` completions have room. */
  #tellEvents(touched: Set<CompletionQueue>, kept = 0): void {
    const completion = this.#queues.completion(0), submission = this.#queues.submission(0);
    if (completion === undefined || submission === undefined) return;
    while (this.#host.isReady && this.#events.isDue && roomOf(completion) > kept) {
      const { identifier, outcome } = this.#events.take();
      this.#post(completion, submission, identifier, outcome, touched);
    }
  }

  /** The pin, which is not used with MSI-X: completions that the driver has not taken, of vectors that are not masked. */
  driveInterrupt(): void {
    const isPending = ({ head, tail, interrupts, vector }: CompletionQueue): boolean =>
      interrupts && head !== tail && ((this.#mask >>> vector) & 1) === 0;
    const { port } = this.#host;
    port.setInterrupt(!port.usesMsix && this.#queues.completions.some(isPending));
  }

  /** Queues, features, events and counters. */
  get state(): ExecutionState {
    return {
      mask: this.#mask,
      submissions: this.#queues.submissions,
      completions: this.#queues.completions,
      features: this.#features,
      events: this.#events.state,
      statistics: this.#statistics,
    };
  }

  /** Touches nothing else. */
  set state({ mask, submissions, completions, features, events, statistics }: ExecutionState) {
    this.#mask = mask;
    this.#queues.restore(submissions, completions);
    this.#features = features;
    this.#events.state = events;
    this.#statistics = statistics;
  }
}
