/** Tests of driving a recording where the command line does not reach: a disk that fills up. */
import { assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { drive } from "../../../cli/host/record_driver.ts";
import { parseScript } from "../../../cli/script.ts";
import { ScriptRun } from "../../../cli/script_run.ts";
import { JournalWriteError } from "../../../journal/errors.ts";
import { JournalReader, JournalWriter } from "../../../journal/file.ts";
import { Recorder } from "../../../journal/recorder.ts";
import { Replay } from "../../../journal/replay.ts";
import { RecordedRun } from "../../../journal/run.ts";
import { MemoryFile } from "../../../journal/storage.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { FakeHost, guestImage } from "../support.ts";

/** A disk that takes some bytes and no more. */
class FullDisk extends MemoryFile {
  constructor(private readonly room: number) {
    super();
  }
  override write(bytes: Uint8Array): void {
    const fits = Math.max(0, (this.room ?? Infinity) - this.size);
    super.write(bytes.subarray(0, fits));
    if (bytes.length > fits) throw new Error("no space left on device");
  }
}

Deno.test("drive reports a full disk, and what was recorded replays up to the last whole block", async () => {
  const image = guestImage();
  const sha256 = createHash("sha256").update(image).digest("hex");
  const images = new Map([[sha256, image]]);
  const kernel = { sha256, size: image.length, name: "guest" };
  const configuration = parseConfiguration({ memoryMiB: 8, rootInterval: 64, boot: { kernel } });
  const script = parseScript('expect "> "\nsend "abcdefgh\\r"\nexpect "\\r> "\nsend "q"\n', "s");
  for (const room of [700, 2000, 3500]) {
    const disk = new FullDisk(room);
    const writer = new JournalWriter(disk);
    const recorder = new Recorder({ configuration, depth: "traps", recordedBy: "test" }, images, writer);
    const options = { until: undefined, readsInput: false, isPaced: false, endsAtReset: false };
    const run = drive({
      recorder,
      script: new ScriptRun(script),
      host: new FakeHost(),
      show: () => {},
      ...options,
    });
    await assertRejects(() => run, JournalWriteError, "no space left on device");
    const recorded = new RecordedRun(JournalReader.open(new MemoryFile(disk.bytes)));
    const replay = new Replay(recorded, images);
    assertEquals(replay.runToEnd(), undefined);
    assertEquals(replay.rootsChecked, recorded.roots.length);
    assertEquals(replay.instant, recorded.lastInstant);
  }
});
