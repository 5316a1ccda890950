/** The virtio entropy device (virtio 1.2, section 5.4): a stream of bytes derived from the configuration's seed. */
import { createHash } from "node:crypto";
import { record, u53 } from "../../layout.ts";
import { LEGACY_FEATURES, type VirtioHost, type VirtioModel } from "./device.ts";
import { LATENCY_NANOSECONDS } from "./latency.ts";

/** Most bytes of an answer; a driver that wants more asks again. */
const ANSWER_SIZE_MAX = 4096;
const BLOCK_SIZE = 32;

const layout = record({ position: u53 });

/** Block k of the stream is SHA-256("virtio-rng NAME SEED k"): like true entropy to a guest, and the same in every run. */
export class VirtioRng implements VirtioModel<{ position: number }> {
  readonly deviceId = 4;
  readonly queueSizes: readonly number[] = [8];
  readonly features = 0n;
  readonly legacyFeatures: bigint = LEGACY_FEATURES;
  readonly latencyNanoseconds = LATENCY_NANOSECONDS.rng;
  readonly layout = layout;
  readonly #seed: number;
  #host: VirtioHost | undefined;
  /** Bytes given out since power-on: a reset by the driver does not bring old ones back. */
  #position = 0;

  /** `seed` is the configuration's. */
  constructor({ seed }: { readonly seed: number }) {
    this.#seed = seed;
  }

  connect(host: VirtioHost): void {
    this.#host = host;
  }

  configuration(): Uint8Array {
    return new Uint8Array(0);
  }

  configurationWritten(): void {}

  serve(): void {
    const host = this.#host as VirtioHost;
    const [queue] = host.queues;
    if (queue === undefined) return;
    for (const chain of queue.takeAll()) {
      const bytes = this.#next(Math.min(chain.writableSize, ANSWER_SIZE_MAX));
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

  reset(power: boolean): void {
    if (power) this.#position = 0;
  }

  state(): { position: number } {
    return { position: this.#position };
  }

  restore({ position }: { position: number }): void {
    this.#position = position;
  }
}
