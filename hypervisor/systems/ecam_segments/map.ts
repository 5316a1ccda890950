/** The map of segments: what it becomes when something is unplugged or comes back, and how the journal hears of it. */
import type { EventHub } from "../../../machine/events.ts";
import type { Enumeration } from "./enumerate.ts";
import type { Omission, Segment } from "./segments.ts";

/** Which bus is which segment, and what is not shown. */
export interface SegmentMap {
  /** In order. */
  readonly segments: readonly Segment[];
  /** What is not shown. */
  readonly omissions: readonly Omission[];
}

/** A map after what is behind one root port was enumerated again: buses keep the segments that the guest was told of. */
export function changedMap(
  { segments, omissions: before }: SegmentMap,
  port: number,
  { buses, omissions }: Enumeration,
): SegmentMap {
  const late = buses.filter(({ bus }) => !segments.some((segment) => segment.bus === bus));
  const found = (segment: Segment): Pick<Segment, "functions" | "window" | "path"> =>
    buses.find(({ bus }) => bus === segment.bus) ?? { ...segment, functions: [] };
  return {
    segments: segments.map((segment) => {
      if (segment.port !== port) return segment;
      const { functions, window, path } = found(segment);
      return { ...segment, functions, window, path };
    }),
    omissions: [
      ...before.filter((omission) => omission.port !== port),
      ...omissions,
      // One that is new has no segment.
      ...late.map(({ bus }) => ({
        port,
        bus,
        device: 0,
        reason: "the guest was not told of a segment for it",
      })),
    ],
  };
}

/** Emits `segmentMapped` and `segmentOmitted` for all of a map; `nameOf` names root ports. */
export function tellMap(
  events: EventHub,
  { segments, omissions }: SegmentMap,
  nameOf: (port: number) => string,
): void {
  for (const { segment, base, port, bus, window, functions } of segments) {
    events.emit("segmentMapped", 0, {
      segment,
      address: base,
      port: nameOf(port),
      bus,
      window: window.base,
      size: window.size,
      functions: functions.map(({ device, function: number }) => device << 3 | number),
    });
  }
  for (const { port, bus, device, reason } of omissions) {
    events.emit("segmentOmitted", 0, { port: nameOf(port), requester: bus << 8 | device << 3, reason });
  }
}
