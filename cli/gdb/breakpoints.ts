/** The breakpoints and watchpoints that a client has inserted; none of them touches the machine's memory. */
import type { WatchPoint } from "../../machine/watch.ts";

/** Packets Z0–Z4: which watch point each stands for, and how a stop reply calls it. */
// deno-fmt-ignore
const KINDS = [
  { kind: "execute", reply: "swbreak" },
  { kind: "execute", reply: "hwbreak" },
  { kind: "write",   reply: "watch" },
  { kind: "read",    reply: "rwatch" },
  { kind: "access",  reply: "awatch" },
] as const;

/** How stop replies call a hit. */
export type HitName = (typeof KINDS)[number]["reply"];

/** Most bytes that a watchpoint may cover: gdb asks for as many as an expression has. */
export const LONGEST_WATCH: number = 1 << 16;
/** Most points at once: more than anybody wants, less than is slow. */
export const MOST_POINTS = 4096;

/** What `Z` and `z` packets name. */
export interface PointRequest {
  /** 0–4. */
  readonly type: number;
  /** Where. */
  readonly address: bigint;
  /** Bytes watched; of a breakpoint the length of its instruction. */
  readonly length: number;
  /** Which addresses are meant. */
  readonly space: "virtual" | "physical";
}

/** The set of points. */
export class Breakpoints {
  readonly #points = new Map<string, { readonly point: WatchPoint; readonly name: HitName }>();

  /** All points, for a run. */
  points(): readonly WatchPoint[] {
    return [...this.#points.values()].map(({ point }) => point);
  }

  /** Inserts a point; false when it is none that can be watched. One that is there already stays. */
  insert(request: PointRequest): boolean {
    const point = pointOf(request), row = KINDS[request.type];
    if (point === undefined || row === undefined || this.#points.size >= MOST_POINTS) return false;
    const key = keyOf(request);
    if (!this.#points.has(key)) this.#points.set(key, { point, name: row.reply });
    return true;
  }

  /** Removes a point, if it is there. */
  remove(request: PointRequest): void {
    this.#points.delete(keyOf(request));
  }

  /** Removes all. */
  clear(): void {
    this.#points.clear();
  }

  /** How a stop reply calls a hit of one of the points. */
  nameOf(point: WatchPoint): HitName {
    for (const inserted of this.#points.values()) if (inserted.point === point) return inserted.name;
    return point.kind === "execute" ? "swbreak" : "watch";
  }
}

function keyOf({ type, address, length, space }: PointRequest): string {
  return [type, address, type < 2 ? 0 : length, space].join();
}

function pointOf({ type, address, length, space }: PointRequest): WatchPoint | undefined {
  const row = KINDS[type];
  if (row === undefined) return undefined;
  if (row.kind === "execute") return space === "virtual" ? { kind: "execute", address } : undefined;
  if (length < 1 || length > LONGEST_WATCH) return undefined;
  return { kind: row.kind, address, size: length, space };
}
