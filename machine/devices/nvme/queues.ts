/** Submission and completion queues of an NVMe controller, and what of them is state. */
import { flag, listOf, record, u16, u32, u64, type ValueOf } from "../../layout.ts";

/** I/O queues that a controller can have, of each kind, as QEMU's; the admin queues are number 0. */
export const IO_QUEUES = 64;

/** Most entries of an I/O queue. */
export const QUEUE_ENTRIES = 2048;

const submission = {
  id: u16,
  /** The completion queue. */
  completion: u16,
  /** Physical address of the first entry. */
  address: u64,
  /** Entries. */
  size: u32,
  /** What the controller takes next. */
  head: u32,
  /** Where the driver puts the next command. */
  tail: u32,
};

const completion = {
  id: u16,
  address: u64,
  size: u32,
  /** What the driver takes next. */
  head: u32,
  /** Where the controller puts the next completion. */
  tail: u32,
  /** The phase tag of this round. */
  phase: flag,
  /** Number of the interrupt. */
  vector: u16,
  /** Completions cause interrupts. */
  interrupts: flag,
};

/** A submission queue. */
export type SubmissionQueue = ValueOf<typeof submission>;
/** A completion queue. */
export type CompletionQueue = ValueOf<typeof completion>;

/** Fields of the section. */
export const queueFields = {
  submissions: listOf(record(submission), IO_QUEUES + 1),
  completions: listOf(record(completion), IO_QUEUES + 1),
};

/** Completions that a queue has room for; one entry stays empty. */
export function roomOf({ head, tail, size }: CompletionQueue): number {
  return (head - tail - 1 + size) % size;
}

/** All queues of a controller, by number. */
export class NvmeQueues {
  readonly #submissions: (SubmissionQueue | undefined)[] = [];
  readonly #completions: (CompletionQueue | undefined)[] = [];

  /** Submission queues in order of their numbers. */
  get submissions(): SubmissionQueue[] {
    return this.#submissions.filter((queue) => queue !== undefined);
  }

  /** Completion queues in order of their numbers. */
  get completions(): CompletionQueue[] {
    return this.#completions.filter((queue) => queue !== undefined);
  }

  /** A submission queue by number. */
  submission(id: number): SubmissionQueue | undefined {
    return this.#submissions[id];
  }

  /** A completion queue by number. */
  completion(id: number): CompletionQueue | undefined {
    return this.#completions[id];
  }

  /** Adds an empty queue of commands. */
  addSubmission(id: number, completion: number, address: bigint, size: number): void {
    this.#submissions[id] = { id, completion, address, size, head: 0, tail: 0 };
  }

  /** Adds an empty queue of completions. */
  addCompletion(
    id: number,
    address: bigint,
    size: number,
    interrupt: { vector: number; enabled: boolean },
  ): void {
    const { vector, enabled: interrupts } = interrupt;
    this.#completions[id] = { id, address, size, head: 0, tail: 0, phase: true, vector, interrupts };
  }

  /** Removes a queue of commands. */
  removeSubmission(id: number): void {
    this.#submissions[id] = undefined;
  }

  /** Removes a queue of completions. */
  removeCompletion(id: number): void {
    this.#completions[id] = undefined;
  }

  /** Puts these queues in the place of all. */
  restore(submissions: readonly SubmissionQueue[], completions: readonly CompletionQueue[]): void {
    this.#submissions.length = this.#completions.length = 0;
    for (const queue of submissions) this.#submissions[queue.id] = { ...queue };
    for (const queue of completions) this.#completions[queue.id] = { ...queue };
  }
}
