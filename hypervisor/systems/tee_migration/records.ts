/**
 * What a host knows of who has the realm, whatever crashes; with a disk, whatever loses power. One record is written as a
 * whole, which is what makes exactly one copy runnable at any time:
 *
 * - Here it is runnable while the source's phase is `running` or `frozen`: without a copy from the start, with one from
 *   there. That a running realm goes back to where it stood still last when power is lost is what a loss of power is;
 *   `restarts` counts it, and the transcript's readers are told. The copy was sealed before the record named it.
 * - A destination names its copy in the record that says `prepared`, before the source is told so: the source commits
 *   to what is durable. It resumes by the record that makes it the source of the next epoch.
 * - A source commits by the record that names no copy any more. From then on the record at the destination is the only
 *   one with a copy, and whoever asks is told: a source that comes back repeats its commit, a destination its question.
 *
 * The disk is the monitor's own: neither guest nor host can write an older record back. Epochs only grow on it.
 */
import { type DestinationRecord, FRESH_DESTINATION } from "./destination.ts";
import type { Planted } from "./planted.ts";
import { NO_COPY, type SealedCopy, type SealedStore, type StoredRecord } from "./sealed_store.ts";
import type { SourceRecord } from "./source.ts";

/** The records of a host that has seen nothing: it has the realm, or waits for one. */
export function freshRecords(hasRealm: boolean): StoredRecord {
  const source: SourceRecord = { epoch: 0, attempt: 0, phase: hasRealm ? "running" : "finished" };
  return { source, destination: FRESH_DESTINATION, restarts: 0, copy: NO_COPY };
}

/** The records, and what keeps them. */
export class Records {
  #now: StoredRecord;

  /** `store` is the disk, if there is one. */
  constructor(
    fresh: StoredRecord,
    readonly store: SealedStore | undefined,
    private readonly planted: Planted | undefined,
  ) {
    this.#now = fresh;
  }

  /** As they are. */
  get now(): StoredRecord {
    return this.#now;
  }

  /** Takes what a snapshot has; the disk is restored by itself. */
  restore(records: StoredRecord): void {
    this.#now = records;
  }

  /** Reads the disk at power-on; false when it has nothing. */
  load(): boolean {
    const stored = this.store?.read();
    if (stored !== undefined) this.#now = stored;
    return stored !== undefined;
  }

  /** The realm is runnable here, whatever happens elsewhere. */
  get isHere(): boolean {
    return this.#now.source.phase === "running" || this.#now.source.phase === "frozen";
  }

  /** All of a realm is here, and only the source's word is missing. */
  get isPrepared(): boolean {
    return this.#now.destination.phase === "prepared";
  }

  #write(changes: Partial<StoredRecord>): void {
    this.#now = { ...this.#now, ...changes };
    const isForgotten = this.planted === "no-record" && changes.source?.phase === "committed";
    if (!isForgotten) this.store?.write(this.#now);
  }

  /** The source's agent writes its record. */
  persistSource(source: SourceRecord): void {
    if (source.phase !== "committed") return this.#write({ source });
    const { destination } = this.#now, { epoch } = source;
    // Whatever is offered of this epoch, or was resumed here before, is past.
    const past: DestinationRecord = { resumed: epoch, epoch, attempt: destination.attempt, phase: "none" };
    this.#write({ source, destination: past, copy: NO_COPY });
  }

  /** The destination's agent writes its record; `copy` is of a realm that is prepared. */
  persistDestination(destination: DestinationRecord, copy: SealedCopy | undefined): void {
    if (destination.phase === "running") {
      const source: SourceRecord = { epoch: destination.epoch + 1, attempt: 0, phase: "running" };
      return this.#write({ source, destination, restarts: 0 });
    }
    if (copy !== undefined) return this.#write({ destination, copy });
    this.#write(destination.phase === "prepared" ? { destination } : { destination, copy: NO_COPY });
  }

  /** The realm stands still, and there is a copy of it. */
  persistCopy(copy: SealedCopy): void {
    this.#write({ copy });
  }

  /** The realm begins anew here, from its copy or from the start, since power was lost. */
  persistRestart(): void {
    this.#write({ restarts: this.#now.restarts + 1 });
  }

  /** There is no realm here any more, nor anywhere: it ended, or was destroyed, or its copy cannot be opened. */
  persistEnd(): void {
    const { source, destination } = this.#now;
    this.#write({
      source: { ...source, phase: "finished" },
      destination: { ...destination, resumed: source.epoch, phase: "none" },
      copy: NO_COPY,
    });
  }
}
