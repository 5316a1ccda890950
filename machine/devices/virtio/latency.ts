/** How long virtio devices take, in virtual nanoseconds: constants, since a run may depend on nothing else. */

/**
 * From the notification of a queue to the completion of all that is available then. A disk takes what a fast solid-state
 * disk takes for a read; the others take what a host takes to wake up and answer. None is zero, so that drivers see
 * requests in flight, and interrupts come when the driver has gone on, as with real devices.
 */
// deno-fmt-ignore
export const LATENCY_NANOSECONDS = {
  block:   20_000,
  net:      5_000,
  rng:      5_000,
  console:  5_000,
} as const;
