/** Opens journals of real guests for rows that look at them in this process. */
import { FileSource } from "../../cli/host/file_source.ts";
import { findImages } from "../../cli/host/image_files.ts";
import { JournalReader } from "../../journal/file.ts";
import { RecordedRun } from "../../journal/run.ts";
import { Timeline, type TimelineOptions } from "../../journal/timeline.ts";

/** The timeline of a journal whose images are where they were when it was recorded. */
export function openTimeline(path: string, options: TimelineOptions = {}): Timeline {
  const run = new RecordedRun(JournalReader.open(new FileSource(path)));
  return new Timeline(run, findImages(run.manifest.configuration, new Map(), [], path), options);
}
