/** Pacing: idle time of the machine takes as long on the wall clock. */
import type { Host } from "./host.ts";

/** Waits shorter than this many milliseconds are saved up: a host's timer is no finer. */
const WORTH_WAITING = 2;
/** Less than this many milliseconds left is nothing left. */
const CLOSE_ENOUGH = 0.01;
/** Longest sleep at once; a host's timer takes no more than 2^31 ms. */
const LONGEST = 60_000;

/** Turns spans of virtual time into waits, exact on the average. */
export class Pace {
  /** Milliseconds that the wall clock is behind; negative when the last wait took too long. */
  #owed = 0;

  /** Waits on this host's clock. */
  constructor(private readonly host: Pick<Host, "now" | "sleep">) {}

  /** Adds a span of idle time, in nanoseconds; whether it, with what was saved up, is worth a wait. */
  isWorthWaiting(nanoseconds: number): boolean {
    this.#owed += nanoseconds / 1e6;
    return this.#owed >= WORTH_WAITING;
  }

  /**
   * Waits for a span of virtual time that was found worth it. Returns the nanoseconds of it that passed: all of them,
   * or fewer when `until` was aborted before.
   */
  async wait(nanoseconds: number, until: AbortSignal): Promise<number> {
    const started = this.host.now(), owed = this.#owed;
    for (;;) {
      const elapsed = this.host.now() - started;
      if (owed - elapsed < CLOSE_ENOUGH) {
        this.#owed = Math.max(owed - elapsed, -WORTH_WAITING);
        return nanoseconds;
      }
      if (until.aborted) {
        this.#owed = 0;
        return Math.floor(nanoseconds * elapsed / owed);
      }
      await this.host.sleep(Math.min(owed - elapsed, LONGEST), until);
    }
  }
}
