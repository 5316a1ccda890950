/** The virtio entropy device (virtio 1.2, section 5.4): a stream of bytes derived from the configuration's seed. */
import { createHash } from "node:crypto";
import { type FieldKind, record, u53 } from "../../layout.ts";
import { LEGACY_FEATURES, type VirtioHost, type VirtioModel } from "./device.ts";
import { LATENCY_NANOSECONDS } from "./latency.ts";

/** Most bytes of an answer; a driver that wants more asks again. */
const ANSWER_SIZE_MAX = 4096;
const BLOCK_SIZE = 32;
/** Bytes for a unit of work. */
const WORK_BYTES = 16;

const layout = record({ position: u53 });

/** Block k of the stream is SHA-256("virtio-rng NAME SEED k"): like true entropy to a guest, and the same in every run. */
export class VirtioRng implements VirtioModel<{ position: number }> {
  /** Type of device (section 5). */
  readonly deviceId = 4;
  /** Entries of each queue at reset, as in QEMU. */
  readonly queueSizes: readonly number[] = [8];
  /** What it offers to every driver. */
  readonly features = 0n;
  /** What it offers to legacy drivers besides. */
  readonly legacyFeatures: bigint = LEGACY_FEATURES;
  /** From a notification to the completion. */
  readonly latencyNanoseconds: number = LATENCY_NANOSECONDS.rng;
  /** Section fields. */
  readonly layout: FieldKind<{ position: number }> = layout;
  readonly #seed: number;
  #host: VirtioHost | undefined;
  /** Bytes given out since power-on: a reset by the driver does not bring old ones back. */
  #position = 0;

  /** `seed` is the configuration's. */
  constructor({ seed }: { readonly seed: number }) {
    this.#seed = seed;
  }

  /** Connects the core. */
  connect(host: VirtioHost): void {
    this.#host = host;
  }

  /** There is none. */
  configuration(): Uint8Array {
    return new Uint8Array(0);
  }

  /** There is none. */
  configurationWritten(): void {}

  /** Fills all buffers that are available. */
  serve(): void {
    const host = this.#host as VirtioHost;
    const [queue] = host.queues;
    if (queue === undefined) return;
    for (const chain of queue.takeAll()) {
      const bytes = this.#next(Math.min(chain.writableSize, ANSWER_SIZE_MAX));
      host.spend(bytes.length / WORK_BYTES);
      queue.put(chain, chain.write(0, bytes));
    }
    queue.signal();
  }

  #next(count: number): Uint8Array {
    const first = Math.floor(this.#position / BLOCK_SIZE);
    const from = this.#position % BLOCK_SIZE;
    const blocks = new Uint8Array(Math.ceil((from + count) / BLOCK_SIZE) * BLOCK_SIZE);
    for (let at = 0; at < blocks.length; at += BLOCK_SIZE) {
      const text = `virtio-rng ${this.#host?.name} ${this.#seed} ${first + at / BLOCK_SIZE}`;
      blocks.set(createHash("sha256").update(text).digest(), at);
    }
    this.#position += count;
    return blocks.subarray(from, from + count);
  }

  /** The stream starts over with the power. */
  reset(power: boolean): void {
    if (power) this.#position = 0;
  }

  /** The state to be saved. */
  state(): { position: number } {
    return { position: this.#position };
  }

  /** Restores what `state` gave. */
  restore({ position }: { position: number }): void {
    this.#position = position;
  }
}
