/** What commands see of the process: its streams, signals and clock; tests put another in its place. */
import { setImmediate } from "node:timers";

/** Where text and bytes go. */
export interface Output {
  /** A terminal is there. */
  readonly isTerminal: boolean;
  /** Text may be coloured. */
  readonly isColoured: boolean;
  /** Writes all of it, now. Throws {@linkcode BrokenPipeError} when nobody reads any more. */
  write(data: string | Uint8Array): void;
}

/** Where keys or piped bytes come from. */
export interface Keyboard {
  /** A terminal is there. */
  readonly isTerminal: boolean;
  /** Whether keys come one by one, Ctrl-C among them, instead of line by line. */
  setRaw(isRaw: boolean): void;
  /** Begins to read; bytes are handed over as they come, then `onEnd` is called once. */
  start(onBytes: (bytes: Uint8Array) => void, onEnd: () => void): void;
}

/** The process around a command. */
export interface Host {
  /** Standard output. */
  readonly stdout: Output;
  /** Standard error. */
  readonly stderr: Output;
  /** Standard input. */
  readonly stdin: Keyboard;
  /** Milliseconds of host time, from some moment on. */
  now(): number;
  /** Seconds since 1970. */
  secondsNow(): number;
  /** A number below 2^53 that nobody can foresee. */
  randomSeed(): number;
  /** Lets signals and keys be seen; the machine stands still meanwhile. */
  breathe(): Promise<void>;
  /** Waits some milliseconds, or until the signal is aborted. */
  sleep(milliseconds: number, until: AbortSignal): Promise<void>;
  /** Calls `listener` at each interrupt (Ctrl-C) or request to end; returns what undoes that. */
  onInterrupt(listener: () => void): () => void;
}

/** Nobody reads the output any more: the command ends without a word. */
export class BrokenPipeError extends Error {
  /** The class, for whoever catches the error. */
  override name = "BrokenPipeError";
}

const encoder = new TextEncoder();

type SyncStream = { writeSync(bytes: Uint8Array): number; isTerminal(): boolean };

function outputTo(stream: SyncStream): Output {
  const isTerminal = stream.isTerminal();
  return {
    isTerminal,
    isColoured: isTerminal && !Deno.noColor,
    write(data) {
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      try {
        for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) throw new BrokenPipeError("nobody reads the output");
        throw error;
      }
    },
  };
}

const keyboard: Keyboard = {
  isTerminal: Deno.stdin.isTerminal(),
  setRaw: (isRaw) => Deno.stdin.setRaw(isRaw),
  async start(onBytes, onEnd) {
    const buffer = new Uint8Array(4096);
    try {
      for (;;) {
        const count = await Deno.stdin.read(buffer);
        if (count === null) break;
        onBytes(buffer.slice(0, count));
      }
    } catch {
      // A closed or unreadable input is one that has ended.
    }
    onEnd();
  },
};

// Windows has no request to end that a process could see.
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** The process this runs in. */
export const processHost: Host = {
  stdout: outputTo(Deno.stdout),
  stderr: outputTo(Deno.stderr),
  stdin: keyboard,
  now: () => performance.now(),
  secondsNow: () => Math.floor(Date.now() / 1000),
  randomSeed: () => {
    const [low = 0, high = 0] = crypto.getRandomValues(new Uint32Array(2));
    return (high & 0x1fffff) * 2 ** 32 + low;
  },
  breathe: () => new Promise((resolve) => void setImmediate(resolve)),
  sleep: (milliseconds, until) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        until.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      if (until.aborted) done();
      else until.addEventListener("abort", done);
    }),
  onInterrupt(listener) {
    for (const signal of SIGNALS) Deno.addSignalListener(signal, listener);
    return () => {
      for (const signal of SIGNALS) Deno.removeSignalListener(signal, listener);
    };
  },
};
