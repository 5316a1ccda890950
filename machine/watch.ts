/** Watch points: what a debugger wants to be told of while the machine runs; no part of its state, and no event. */

/** What is watched. Addresses without their tag bits. */
export type WatchPoint =
  /** A CPU is about to execute the instruction at a virtual address; any CPU when `cpu` is absent. */
  | { readonly kind: "execute"; readonly address: bigint; readonly cpu?: number }
  /** A CPU, or a device where the space is physical, accesses some of `size` bytes from an address. */
  | {
    readonly kind: "read" | "write" | "access";
    readonly address: bigint;
    readonly size: number;
    readonly space: "virtual" | "physical";
    readonly cpu?: number;
  };

/** What was watched for happened. */
export interface WatchHit {
  /** What was watched. */
  readonly point: WatchPoint;
  /** Instant of the step. */
  readonly instant: number;
  /** The CPU; −1 for a device's DMA. */
  readonly cpu: number;
  /** The address accessed, in the space of the point. */
  readonly address: bigint;
}
