/** Digests and packs bytes in a worker, which starts when a process has had enough of them to be worth it. */
import type { ByteWork, EventDigest } from "../../journal/byte_work.ts";
import { type PackedPayload, Packing } from "../../journal/packing.ts";
import { HASH_LENGTH, sha256 } from "../../machine/sha256.ts";
import {
  CONTROL,
  CONTROL_WORDS,
  DIGEST_SLOT_SIZE,
  DIGEST_SLOTS,
  JOB,
  offsetOf,
  PACK_SLOT_SIZE,
  PACK_SLOTS,
  QUEUE,
  type SharedBytes,
  SLOT,
  SLOTS_SIZE,
  STATE,
  wordOf,
} from "./byte_layout.ts";
import { atEnd } from "./endings.ts";

const SOURCE = new URL("./byte_worker.ts", import.meta.url);

/**
 * Bytes of payloads that are packed here first, since a worker takes nearly half a second of processor time to start.
 * Payloads of DENSE and more count DENSE_COUNTS times: only who does little else makes so many events at once.
 */
const FIRST_BYTES = 64 << 20, DENSE = 1 << 20, DENSE_COUNTS = 16;
/** Milliseconds after which a worker that does not answer is taken for dead. */
const PATIENCE = 60_000;

/** A worker and what it shares with this thread. */
class ByteThread {
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  readonly #bytes = new Uint8Array(new SharedArrayBuffer(SLOTS_SIZE));
  readonly #worker: Worker;
  #asked = 0;
  /** The next slot of a digest's pieces, and what is in it. */
  #slot = 0;
  #length = 0;
  #isDigesting = false;

  constructor() {
    this.#worker = new Worker(SOURCE, { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      endByteWorker();
      isBroken = true;
    };
    this.#worker.postMessage({ control: this.#control, bytes: this.#bytes } satisfies SharedBytes);
  }

  get isReady(): boolean {
    return Atomics.load(this.#control, CONTROL.ready) === 1;
  }

  end(): void {
    this.#ask(0, JOB.end, 0);
    this.#worker.terminate();
  }

  #state(slot: number): number {
    return Atomics.load(this.#control, wordOf(slot, SLOT.state));
  }

  #ask(slot: number, job: number, length: number, level = 0): void {
    const control = this.#control;
    control[wordOf(slot, SLOT.job)] = job;
    control[wordOf(slot, SLOT.length)] = length;
    control[wordOf(slot, SLOT.level)] = level;
    control[wordOf(slot, SLOT.state)] = STATE.asked;
    control[CONTROL.queue + (this.#asked & (QUEUE - 1))] = slot;
    this.#asked = (this.#asked + 1) | 0;
    Atomics.store(control, CONTROL.asked, this.#asked);
    Atomics.notify(control, CONTROL.asked);
  }

  /** Waits until the worker has done what it was asked. Throws Error if it never will. */
  #wait(slot: number): void {
    const word = wordOf(slot, SLOT.state);
    while (this.#state(slot) === STATE.asked) {
      if (Atomics.wait(this.#control, word, STATE.asked, PATIENCE) === "timed-out") {
        throw new Error("The thread that digests events does not answer");
      }
    }
  }

  /** A digest, unless there is one. */
  digest(): EventDigest | undefined {
    if (this.#isDigesting) return undefined;
    this.#isDigesting = true;
    return {
      update: (bytes) => this.#update(bytes),
      digest: () => this.#digest(),
      copy: () => {
        throw new RangeError("Cannot copy a digest that another thread has");
      },
    };
  }

  #update(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      if (this.#length === 0) this.#wait(this.#slot);
      const piece = bytes.subarray(from, from + DIGEST_SLOT_SIZE - this.#length);
      this.#bytes.set(piece, offsetOf(this.#slot) + this.#length);
      this.#length += piece.length;
      from += piece.length;
      if (this.#length === DIGEST_SLOT_SIZE) this.#send(JOB.update);
    }
  }

  #send(job: number): void {
    this.#ask(this.#slot, job, this.#length);
    this.#slot = (this.#slot + 1) % DIGEST_SLOTS;
    this.#length = 0;
  }

  #digest(): Uint8Array {
    const slot = this.#slot, at = offsetOf(slot);
    if (this.#length === 0) this.#wait(slot);
    this.#send(JOB.digest);
    this.#wait(slot);
    this.#isDigesting = false;
    return this.#bytes.slice(at, at + HASH_LENGTH);
  }

  pack(raw: Uint8Array, level: number): (() => PackedPayload) | undefined {
    let slot = DIGEST_SLOTS;
    while (slot < DIGEST_SLOTS + PACK_SLOTS && this.#state(slot) !== STATE.free) slot++;
    if (slot === DIGEST_SLOTS + PACK_SLOTS || raw.length > PACK_SLOT_SIZE) return undefined;
    const rawLength = raw.length;
    this.#bytes.set(raw, offsetOf(slot));
    this.#ask(slot, JOB.pack, rawLength, level);
    return () => this.#packed(slot, rawLength);
  }

  #packed(slot: number, rawLength: number): PackedPayload {
    this.#wait(slot);
    const word = (word: number) => this.#control[wordOf(slot, word)] as number, at = offsetOf(slot);
    const stored = this.#bytes.slice(at, at + word(SLOT.length));
    const packing = word(SLOT.packing) === Packing.Zstd ? Packing.Zstd : Packing.Plain;
    const rawCrc = word(SLOT.crc) >>> 0;
    Atomics.store(this.#control, wordOf(slot, SLOT.state), STATE.free);
    return { stored, packing, storedHash: sha256(stored), rawLength, rawCrc };
  }
}

/** The process's worker, once it is started. */
let thread: ByteThread | undefined;
/** It cannot be started here, or has failed. */
let isBroken = false;
/** Bytes of payloads so far, as they count. */
let total = 0;

function readyThread(): ByteThread | undefined {
  if (isBroken) return undefined;
  try {
    // Without the permission the worker would fail later.
    isBroken = navigator.hardwareConcurrency < 2 ||
      Deno.permissions.querySync({ name: "read", path: SOURCE }).state !== "granted";
    if (!isBroken) thread ??= new ByteThread();
  } catch {
    isBroken = true;
  }
  return thread?.isReady ? thread : undefined;
}

/** Ends the worker, if there is one; without it the process would not end. */
export function endByteWorker(): void {
  thread?.end();
  thread = undefined;
  total = 0;
}

atEnd(endByteWorker);

/** Work that goes to the process's worker as soon as there is one that is ready, after the first bytes. */
export function bytesInWorker(firstBytes: number = FIRST_BYTES): ByteWork {
  return {
    digest: () => total < firstBytes ? undefined : readyThread()?.digest(),
    pack: (raw, level) => {
      if (total < firstBytes) {
        total += raw.length >= DENSE ? DENSE_COUNTS * raw.length : raw.length;
        return undefined;
      }
      return readyThread()?.pack(raw, level);
    },
  };
}
