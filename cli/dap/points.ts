/** What a client wants a run to stop for: breakpoints of every kind, each a watch point, and exceptions. */
import type { EventOf } from "../../machine/events.ts";
import type { WatchHit, WatchPoint } from "../../machine/watch.ts";
import { EXCEPTION_FILTERS, type ExceptionFilter } from "./protocol.ts";

/** Which request sets it; each request replaces all of its kind. */
export type PointKind = "function" | "instruction" | "data" | `source ${number}`;

/** A breakpoint that stands. */
export interface Point {
  /** Its number for the client. */
  readonly id: number;
  /** What is watched. */
  readonly watch: WatchPoint;
  /** Name, or address, for people. */
  readonly label: string;
  /** Whether a hit counts, as the client's condition and count say; asked once for each hit. */
  readonly counts: () => boolean;
}

/** An exception was taken. */
export type ExceptionTaken = EventOf<"exceptionTaken">;

/** All points of a session. */
export class Points {
  readonly #byKind = new Map<PointKind, readonly Point[]>();
  #filters: readonly ExceptionFilter[] = [];
  #nextId = 1;

  /** A number that no point had before. */
  takeId(): number {
    return this.#nextId++;
  }

  /** Replaces all points of a kind. */
  replace(kind: PointKind, points: readonly Point[]): void {
    this.#byKind.set(kind, points);
  }

  /** Replaces the filters of exceptions by those of these names; others are not known and left out. */
  filter(names: readonly string[]): void {
    this.#filters = EXCEPTION_FILTERS.filter(({ filter }) => names.includes(filter));
  }

  /** All points. */
  get all(): readonly Point[] {
    return [...this.#byKind.values()].flat();
  }

  /** What is watched. */
  get watches(): readonly WatchPoint[] {
    return this.all.map(({ watch }) => watch);
  }

  /** Some exceptions stop a run. */
  get hasFilters(): boolean {
    return this.#filters.length > 0;
  }

  /** The filter by which an exception stops a run, if any does. */
  filterOf({ exception, syndrome }: ExceptionTaken): ExceptionFilter | undefined {
    const exceptionClass = Number(syndrome >> 26n & 0x3fn);
    return this.#filters.find(({ classes, kinds }) =>
      exception === "synchronous"
        ? classes?.includes(exceptionClass) === true
        : kinds?.includes(exception) === true
    );
  }

  /** The points that hits are of and that count. */
  counting(hits: readonly WatchHit[]): Point[] {
    return this.all.filter(({ watch, counts }) => hits.some(({ point }) => point === watch) && counts());
  }
}
