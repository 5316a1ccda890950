/** The journals kept as fixtures: one of each format, with its images inside. */
import { FORMAT } from "../../journal/format.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { appendImages } from "../../journal/images.ts";
import { checkpointsOf } from "../../journal/later_checkpoints.ts";
import { Recorder } from "../../journal/recorder.ts";
import { Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import type { MachineImages } from "../../machine/compose.ts";
import { counterGuest } from "./guest.ts";

/** Where they are. */
export const OLD_JOURNALS: URL = new URL("../fixtures/journals/", import.meta.url);

/**
 * The journal of this build's format: the counter guest, its console typed at, a CPU switched, every step stored, with
 * checkpoints at roots.
 */
export function journalOfThisFormat(): { path: string; content: Uint8Array } {
  const guest = counterGuest();
  const file = new MemoryFile();
  const configuration = guest.configuration({ cpus: 2, rootInterval: 1000 });
  const recorder = new Recorder(
    { configuration, depth: "steps", recordedBy: "fixture" },
    guest.images,
    new JournalWriter(file),
  );
  recorder.run(1500);
  recorder.submit({ kind: "consoleReceived", bytes: new TextEncoder().encode("typed") });
  recorder.submit({ kind: "cpuSwitchForced", target: 1 });
  recorder.run(1_000_000);
  recorder.finish("poweredOff");
  return { path: `tests/fixtures/journals/format${FORMAT}.hindsight`, content: packed(file, guest.images) };
}

/** The same journal with images after its first block, and checkpoints. */
function packed(file: MemoryFile, images: MachineImages): Uint8Array {
  return withCheckpoints(new RecordedRun(JournalReader.open(file)), images, 1500, images);
}

/** A journal with checkpoints at roots, `steps` apart at least, and images to be packed. */
export function withCheckpoints(
  run: RecordedRun,
  images: MachineImages,
  steps: number,
  packed: MachineImages = new Map(),
): Uint8Array {
  const result = new MemoryFile(), writer = new JournalWriter(result);
  const checkpoints = new Map(
    checkpointsOf(new Replay(run, images), steps).map(([root, payloads]) => [root.instant, payloads]),
  );
  for (const block of run.reader.blocks) {
    if (block.kind === "index") continue;
    writer.append(block.kind, run.reader.payload(block.number), block);
    if (block.number === 0) appendImages(writer, packed);
    if (block.kind !== "roots") continue;
    for (const payload of checkpoints.get(block.firstInstant) ?? []) {
      writer.append("checkpoint", payload, block);
    }
  }
  writer.finish();
  return result.bytes;
}
