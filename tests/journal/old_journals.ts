/** The journals kept as fixtures: one of each format, with its images inside. */
import { FORMAT } from "../../journal/format.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { appendImages } from "../../journal/images.ts";
import { Recorder } from "../../journal/recorder.ts";
import { MemoryFile } from "../../journal/storage.ts";
import type { MachineImages } from "../../machine/compose.ts";
import { counterGuest } from "./guest.ts";

/** Where they are. */
export const OLD_JOURNALS: URL = new URL("../fixtures/journals/", import.meta.url);

/** The journal of this build's format: the counter guest, its console typed at, a CPU switched, every step stored. */
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

/** The same journal with images after its first block. */
function packed(file: MemoryFile, images: MachineImages): Uint8Array {
  const reader = JournalReader.open(file);
  const result = new MemoryFile();
  const writer = new JournalWriter(result);
  for (const block of reader.blocks) {
    if (block.kind === "index") continue;
    writer.append(block.kind, reader.payload(block.number), block);
    if (block.number === 0) appendImages(writer, images);
  }
  writer.finish();
  return result.bytes;
}
