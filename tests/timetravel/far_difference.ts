/** The first divergence of two runs of 1 G steps that differ from step 500 M on: how much is compared and replayed. */
import { createHash } from "node:crypto";
import { diff } from "../../journal/diff.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { Recorder } from "../../journal/recorder.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { assembleProgram } from "../../machine/a64/program.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import type { Row, RowContext } from "./row.ts";

const STEPS = 1_000_000_000, DIFFERS = 500_000_000;
/** A counter in memory, for ever. */
const GUEST = `
        adr     x1, counter
1:      ldr     x0, [x1]
        add     x0, x0, #1
        str     x0, [x1]
        b       1b
        .align  12                              // code in the page of what it writes would be translated anew
counter: .quad  0
`;

function record(patched: boolean) {
  const program = assembleProgram(GUEST, { base: 0x40080000n });
  const sha256 = createHash("sha256").update(program.bytes).digest("hex");
  const images = new Map([[sha256, program.bytes]]);
  const kernel = { sha256, size: program.bytes.length, name: "guest" };
  const configuration = parseConfiguration({ boot: { kernel }, memoryMiB: 16 });
  const file = new MemoryFile();
  const recorder = new Recorder(
    { configuration, depth: "traps", recordedBy: "test" },
    images,
    new JournalWriter(file),
    { compile: "sync" },
  );
  if (patched) {
    recorder.run(DIFFERS);
    recorder.submit({ kind: "registerPatched", target: 0, register: "x0", value: 0n });
    recorder.submit({ kind: "memoryPatched", address: 0x40300000, bytes: Uint8Array.of(1) });
  }
  recorder.run(STEPS);
  recorder.finish("instant");
  return { run: new RecordedRun(JournalReader.open(file)), images };
}

function run({ tell, check }: RowContext): Promise<void> {
  const [left, right] = [record(false), record(true)];
  const started = performance.now();
  const found = diff(left, right, { compile: "sync" });
  if (found.kind !== "divergent") throw new Error(`found ${found.kind}`);
  const { rootsCompared, probes, intervalSteps } = found.effort;
  tell(
    `${rootsCompared} stored roots and ${probes} of replays compared, ${intervalSteps} steps of one interval`,
  );
  tell(`${((performance.now() - started) / 1000).toFixed(1)} s`);
  check("the first divergent event is the patch", found.instant === DIFFERS, String(found.instant));
  check("at most 40 roots are compared", rootsCompared + probes <= 40, `${rootsCompared} + ${probes}`);
  const interval = left.run.manifest.configuration.rootInterval;
  check("one interval is replayed", intervalSteps <= 2 * interval, `${intervalSteps} of ${interval}`);
  return Promise.resolve();
}

/** The row. */
export const farDifference: Row = {
  name: "far-difference",
  question: "how much does it take to find where two runs of 1 G steps part?",
  isQuick: true,
  run,
};
