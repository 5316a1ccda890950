/** Every build opens every format, and replays to the recorded roots within one behaviour. */
import { assert, assertEquals } from "@std/assert";
import { JournalReader } from "../../journal/file.ts";
import { FORMAT } from "../../journal/format.ts";
import { imageReferences, packedImages } from "../../journal/images.ts";
import { Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { BEHAVIOUR_VERSION } from "../../machine/configuration.ts";
import { OLD_JOURNALS } from "./old_journals.ts";

for (let format = 1; format <= FORMAT; format++) {
  Deno.test(`a journal of format ${format} opens, and replays to its roots`, () => {
    const bytes = Deno.readFileSync(new URL(`format${format}.hindsight`, OLD_JOURNALS));
    const reader = JournalReader.open(new MemoryFile(bytes));
    assertEquals([reader.format, reader.finished, reader.torn], [format, true, undefined]);
    const run = new RecordedRun(reader);
    const { configuration } = run.manifest;
    const images = packedImages(reader, imageReferences(configuration));
    assertEquals(images.size, 1);
    assert([...run.stored({ from: 0, to: Infinity, classes: ["step", "detail", "input"] })].length > 1000);
    if (configuration.behaviour !== BEHAVIOUR_VERSION) return;
    const replay = new Replay(run, images);
    assertEquals(replay.runToEnd(), run.end);
  });
}
