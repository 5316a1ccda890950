/** The contract between a virtio device, the core that runs its queues and the transport in front (virtio 1.2). */
import type { FieldKind } from "../../layout.ts";
import type { Dma } from "../dma.ts";
import type { Virtqueue } from "./queue.ts";

/** Bits of the device status register (section 2.1). */
// deno-fmt-ignore
export const STATUS = {
  ACKNOWLEDGE:        0x01,
  DRIVER:             0x02,
  DRIVER_OK:          0x04,
  FEATURES_OK:        0x08,
  DEVICE_NEEDS_RESET: 0x40,
  FAILED:             0x80,
} as const;

/** Bits of the interrupt status (section 4.2.2); a PCI function's ISR register has the same. */
export const INTERRUPT = { USED_BUFFER: 1, CONFIGURATION_CHANGE: 2 } as const;

/** Feature bits that are not a device's own (section 6). */
// deno-fmt-ignore
export const FEATURE = {
  NOTIFY_ON_EMPTY: 1n << 24n,
  ANY_LAYOUT:      1n << 27n,
  INDIRECT_DESC:   1n << 28n,
  EVENT_IDX:       1n << 29n,
  VERSION_1:       1n << 32n,
  RING_RESET:      1n << 40n,
} as const;

/** Features that only legacy drivers are offered, by most devices. */
export const LEGACY_FEATURES: bigint = FEATURE.NOTIFY_ON_EMPTY | FEATURE.ANY_LAYOUT;

/** What a transport does for the core. */
export interface VirtioTransport {
  /** Features of its own that it offers to modern drivers. */
  readonly features?: bigint;
  /** The driver is to be told that buffers of a queue were used; the core has set the interrupt status. */
  usedBuffers(queue: number): void;
  /** The driver is to be told that the configuration changed; the core has set the interrupt status. */
  configurationChanged(): void;
  /** Whether the device may reach memory now: a PCI function while Bus Master Enable is set, others always. */
  reachesMemory(): boolean;
}

/** What the core does for a model. */
export interface VirtioHost {
  /** Name in events: the slot's. */
  readonly name: string;
  /** The queues by number. */
  readonly queues: readonly Virtqueue[];
  /** The door to memory. */
  readonly dma: Dma;
  /** Features that both sides have agreed on. */
  readonly driverFeatures: bigint;
  /** The driver has set DRIVER_OK, and nothing is broken. */
  readonly driverReady: boolean;
  /** Tells the driver that the configuration changed. */
  configurationChanged(): void;
  /** The driver broke the rules: the device stops until it is reset. */
  fail(): void;
  /** Counts work beyond that of descriptors and of copying, in units of about a microsecond. */
  spend(work: number): void;
}

/** A kind of device without its transport: what virtio 1.2 section 5 says of it. Its state is of type S. */
export interface VirtioModel<S = unknown> {
  /** Type of device (section 5). */
  readonly deviceId: number;
  /** Entries of each queue at reset: most of them on PCI. */
  readonly queueSizes: readonly number[];
  /** Feature bits of its own that it offers. */
  readonly features: bigint;
  /** What a legacy driver is offered besides: ring features and its own; `LEGACY_FEATURES` for most. */
  readonly legacyFeatures: bigint;
  /** Virtual nanoseconds from a notification to the completion of all that is available then. */
  readonly latencyNanoseconds: number;
  /** State beside queues, as section fields. */
  readonly layout: FieldKind<S>;
  /** Called once, before anything else. */
  connect(host: VirtioHost): void;
  /** The configuration space as it reads now. */
  configuration(): Uint8Array;
  /** The driver wrote: the whole space as it would be. What cannot be written is to be ignored. */
  configurationWritten(configuration: Uint8Array): void;
  /** A queue was notified `latencyNanoseconds` ago or more: use what is available. */
  serve(queue: number): void;
  /** The driver reset the device, or, with `power`, power came on or the machine was reset. */
  reset(power: boolean): void;
  /** The state to be saved. */
  state(): S;
  /** Restores what `state` gave; touches nothing else. */
  restore(state: S): void;
}
