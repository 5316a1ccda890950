/** The virtio console (virtio 1.2, section 5.3): one port without a size, as a driver without MULTIPORT sees it. */
import { bytes, type FieldKind, record } from "../../layout.ts";
import { LEGACY_FEATURES, type VirtioHost, type VirtioModel } from "./device.ts";
import { LATENCY_NANOSECONDS } from "./latency.ts";

const RECEIVE = 0;
const TRANSMIT = 1;
const F_EMERG_WRITE = 1n << 2n;
const CONFIGURATION_SIZE = 12;
const EMERG_WR = 8;
const INPUT_MAX = 2 ** 30;
/** Most bytes that one chain transmits, many times what drivers send; what is behind them is lost. */
const OUTPUT_MAX = 2 ** 20;
/** Bytes for a unit of work. */
const WORK_BYTES = 16;

const layout = record({ input: bytes(INPUT_MAX) });

/** The console; bytes from outside wait until the driver has buffers for them. */
export class VirtioConsole implements VirtioModel<{ input: Uint8Array }> {
  /** Type of device (section 5). */
  readonly deviceId = 3;
  /** Entries of each queue at reset, as in QEMU. */
  readonly queueSizes: readonly number[] = [128, 128];
  /** What it offers to every driver. */
  readonly features: bigint = F_EMERG_WRITE;
  /** What it offers to legacy drivers besides. */
  readonly legacyFeatures: bigint = LEGACY_FEATURES;
  /** From a notification to the completion. */
  readonly latencyNanoseconds: number = LATENCY_NANOSECONDS.console;
  /** Section fields. */
  readonly layout: FieldKind<{ input: Uint8Array }> = layout;
  readonly #transmitted: (byte: number) => void;
  #host: VirtioHost | undefined;
  #input: Uint8Array = new Uint8Array(0);

  /** `transmitted` takes each byte of output. */
  constructor({ transmitted }: { readonly transmitted: (byte: number) => void }) {
    this.#transmitted = transmitted;
  }

  /** Connects the core. */
  connect(host: VirtioHost): void {
    this.#host = host;
  }

  /** No size, no further ports, no emergency character. */
  configuration(): Uint8Array {
    return new Uint8Array(CONFIGURATION_SIZE);
  }

  /** `emerg_wr` transmits a character before queues are set up; it reads zero, so that zero is none. */
  configurationWritten(configuration: Uint8Array): void {
    const byte = configuration[EMERG_WR] as number;
    if (byte !== 0) this.#transmitted(byte);
  }

  /** Transmits, or fills new buffers with what was typed. */
  serve(index: number): void {
    if (index === TRANSMIT) this.#transmit();
    else this.#refill();
  }

  #transmit(): void {
    const host = this.#host;
    const queue = host?.queues[TRANSMIT];
    if (host === undefined || queue === undefined) return;
    for (const chain of queue.takeAll()) {
      const size = Math.min(chain.readableSize, OUTPUT_MAX);
      for (const piece of chain.pieces(0, size)) {
        for (const byte of piece) this.#transmitted(byte);
      }
      host.spend(size / WORK_BYTES);
      queue.put(chain, 0);
    }
    queue.signal();
  }

  /** Bytes from outside. */
  receive(bytes: Uint8Array): void {
    const input = new Uint8Array(this.#input.length + bytes.length);
    input.set(this.#input);
    input.set(bytes, this.#input.length);
    this.#input = input;
    this.#refill();
  }

  #refill(): void {
    const host = this.#host;
    const queue = host?.queues[RECEIVE];
    if (host === undefined || queue === undefined) return;
    while (this.#input.length > 0) {
      const chain = queue.take();
      if (chain === undefined) break;
      const written = chain.write(0, this.#input);
      this.#input = this.#input.slice(written);
      queue.put(chain, written);
    }
    if (this.#input.length > 0) queue.requestNotification();
    queue.signal();
  }

  /** Input that was not read yet is lost with the power, and kept over a reset by the driver. */
  reset(power: boolean): void {
    if (power) this.#input = new Uint8Array(0);
  }

  /** The state to be saved. */
  state(): { input: Uint8Array } {
    return { input: this.#input };
  }

  /** Restores what `state` gave. */
  restore({ input }: { input: Uint8Array }): void {
    this.#input = input;
  }
}
