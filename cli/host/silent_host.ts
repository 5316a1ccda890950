/** A host without streams and signals, for runs that nobody watches. */
import type { Host, Output } from "./host.ts";

const nowhere: Output = { isTerminal: false, isColoured: false, write: () => {} };

/** Nothing comes in, nothing goes out; the clock is the process's. */
export const silentHost: Host = {
  stdout: nowhere,
  stderr: nowhere,
  stdin: { isTerminal: false, setRaw: () => {}, start: (_onBytes, onEnd) => onEnd() },
  now: () => performance.now(),
  secondsNow: () => Math.floor(Date.now() / 1000),
  randomSeed: () => 0,
  breathe: () => Promise.resolve(),
  sleep: () => Promise.resolve(),
  onInterrupt: () => () => {},
};
