/** The section of ecam-segments: which bus is which segment, and what is not shown. */
import { bytes, flag, listOf, record, text, u16, u32, u53, u8 } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import type { SegmentMap } from "./map.ts";

const segment = {
  segment: u16,
  shown: u8,
  base: u53,
  port: u8,
  bus: u8,
  windowBase: u53,
  windowSize: u53,
  path: bytes(256),
  functions: listOf(record({ device: u8, function: u8, identity: u32 }), 256),
};
const omission = { port: u8, bus: u8, device: u8, reason: text(128) };

const layout = sectionLayout("ecam-segments", 1, {
  segments: listOf(record(segment), 1024),
  omissions: listOf(record(omission), 1024),
  isTold: flag,
  isDescribed: flag,
});

/** What is saved. */
export interface SegmentsState extends SegmentMap {
  /** The journal has heard of the map. */
  readonly isTold: boolean;
  /** A tree was given its segments before. */
  readonly isDescribed: boolean;
}

/** Saves a state as a section of a name. */
export function saveSegments(
  name: string,
  { segments, omissions, isTold, isDescribed }: SegmentsState,
): Section {
  return layout.encode(name, {
    segments: segments.map(({ window, path, functions, ...rest }) => ({
      ...rest,
      windowBase: window.base,
      windowSize: window.size,
      path: Uint8Array.from(path),
      functions: functions.map((one) => ({ ...one })),
    })),
    omissions: omissions.map((one) => ({ ...one })),
    isTold,
    isDescribed,
  });
}

/** What `saveSegments` saved; throws RangeError when it is not that. */
export function restoreSegments(section: Section): SegmentsState {
  const { segments, ...rest } = layout.decode(section);
  return {
    ...rest,
    segments: segments.map(({ windowBase, windowSize, path, ...one }) => ({
      ...one,
      path: [...path],
      window: { base: windowBase, size: windowSize },
    })),
  };
}
