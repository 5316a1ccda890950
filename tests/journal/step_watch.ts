/** Watch points found by looking at every step: slow, and what faster ways are compared with. */
import type { EventObserver, MachineEvent } from "../../machine/events.ts";
import type { WatchHit, WatchPoint } from "../../machine/watch.ts";

/** Gathers the hits of steps as they happen. */
export class StepWatch implements EventObserver {
  /** The classes of event that it needs. */
  readonly classes = ["step"] as const;
  /** Hits so far, in order. */
  readonly hits: WatchHit[] = [];

  /** Throws RangeError for a point in physical memory, which steps do not tell. */
  constructor(private readonly points: readonly WatchPoint[]) {
    if (points.some((point) => point.kind !== "execute" && point.space === "physical")) {
      throw new RangeError("Cannot watch physical memory by looking at steps");
    }
  }

  /** Takes a step. */
  observe(event: MachineEvent): void {
    if (event.kind !== "stepRetired") return;
    const { instant, cpu } = event;
    const hit = (point: WatchPoint, address: bigint): void => {
      this.hits.push({ point, instant, cpu, address });
    };
    for (const point of this.points) {
      if (point.cpu !== undefined && point.cpu !== cpu) continue;
      if (point.kind === "execute") {
        if (event.pc === point.address) hit(point, event.pc);
        continue;
      }
      const limit = point.address + BigInt(point.size);
      const touched = event.memory.find(({ write, address, size }) =>
        address < limit && point.address < address + BigInt(size) &&
        (point.kind === "access" || write === (point.kind === "write"))
      );
      if (touched !== undefined) hit(point, touched.address);
    }
  }
}
