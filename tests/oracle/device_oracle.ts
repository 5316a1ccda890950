/** Compares the device models with QEMU's, live: traces with the seed of the fixtures and with another one. */
import { replayTrace, tracePath } from "../machine/devices/trace.ts";
import { NVME_TRACE, replayNvmeTrace } from "../machine/devices/nvme/trace.ts";
import { TRACE_NAMES, TRACE_TARGETS, type TraceName } from "../machine/devices/trace_targets.ts";
import { compareGicV3Cpus } from "./devices/gic_v3_cpus.ts";
import { recordCpusTrace } from "./devices/cpus_recorder.ts";
import { firmwareCases } from "../machine/firmware_lines.ts";
import { recordFirmwareFiles } from "./devices/fw_cfg_recorder.ts";
import { recordNvmeTrace } from "./devices/nvme_recorder.ts";
import { recordTrace } from "./devices/trace_recorder.ts";

/** Seed of the recorded fixtures. */
const FIXTURE_SEED = 1;

function record(name: TraceName, seed: number): Promise<string[]> {
  return name === "gic_v2_cpus" ? recordCpusTrace(seed) : recordTrace(name, seed);
}

/** Keeps what QEMU says as a fixture, or compares it with the one there. */
async function keep(what: string, path: URL | string, lines: readonly string[]): Promise<void> {
  const text = lines.join("\n") + "\n";
  if (Deno.args.includes("--record")) await Deno.writeTextFile(path, text);
  else if (text !== await Deno.readTextFile(path)) {
    throw new Error(`${what}: QEMU answers otherwise than the fixture says; renew it with --record`);
  }
}

/** Disks take QEMU as long as they take, so that a trace of another run is another trace: only the model is asked. */
async function compareNvme(seed: number): Promise<number> {
  const lines = await recordNvmeTrace(seed, 200);
  const steps = replayNvmeTrace(`nvme with seed ${seed}`, lines);
  if (seed === FIXTURE_SEED && Deno.args.includes("--record")) {
    await Deno.writeTextFile(NVME_TRACE, lines.join("\n") + "\n");
  }
  return steps;
}

if (import.meta.main) {
  const otherSeed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  let steps = 0;
  for (const seed of [FIXTURE_SEED, otherSeed]) {
    steps += await compareNvme(seed);
    steps += await compareGicV3Cpus(seed);
    for (const name of TRACE_NAMES) {
      const lines = await record(name, seed);
      steps += replayTrace(`${name} with seed ${seed}`, lines, TRACE_TARGETS[name]());
      if (seed !== FIXTURE_SEED) continue;
      await keep(name, tracePath(name), lines);
    }
  }
  const files = (await Promise.all(firmwareCases().map(recordFirmwareFiles))).flat();
  await keep("files of fw_cfg", new URL("../fixtures/devices/fw_cfg_files.txt", import.meta.url), files);
  console.log(
    `devices: ${steps} accesses agreed in ${TRACE_NAMES.length} traces and on CPUs with a GICv3, seeds ${FIXTURE_SEED} and ${otherSeed}`,
  );
}
