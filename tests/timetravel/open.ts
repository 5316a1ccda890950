/** Opens journals of real guests for rows that look at them in this process. */
import { FileSource } from "../../cli/host/file_source.ts";
import { findImages } from "../../cli/host/image_search.ts";
import type { MachineImages } from "../../machine/compose.ts";
import { JournalReader } from "../../journal/file.ts";
import { RecordedRun } from "../../journal/run.ts";
import { Timeline, type TimelineOptions } from "../../journal/timeline.ts";

/** The images of a run, where they were when it was recorded. */
export function imagesFor(path: string, { manifest }: RecordedRun): MachineImages {
  return findImages(manifest.configuration, new Map(), [], path);
}

/** The timeline of a journal whose images are where they were when it was recorded. */
export function openTimeline(path: string, options: TimelineOptions = {}): Timeline {
  const run = new RecordedRun(JournalReader.open(new FileSource(path)));
  return new Timeline(run, imagesFor(path, run), options);
}
