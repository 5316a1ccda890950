/** How fast the reference engine is with recording on, beside QEMU TCG with no recording. */
import { recordFlat, secondsOfQemu } from "./machines.ts";
import { buildWorkload, WORKLOADS } from "./workloads.ts";

/** Shown above the figures. */
export const question =
  "steps per second of the reference engine with recording on, and of QEMU in the same run";

/** QEMU gets so many times the rounds, so that its start does not count. */
const SCALE = 200;

/** Prints a row for each workload, and the geometric mean of the ratios. */
export async function run(): Promise<void> {
  const ratios: number[] = [];
  for (const workload of WORKLOADS) {
    const { steps, seconds } = recordFlat(buildWorkload(workload, workload.rounds));
    const ours = steps / seconds / 1e6;
    const theirs = await secondsOfQemu(buildWorkload(workload, workload.rounds * SCALE));
    const peer = theirs === undefined ? undefined : steps * SCALE / theirs / 1e6;
    if (peer !== undefined) ratios.push(ours / peer);
    const shown = peer === undefined
      ? "QEMU not installed"
      : `QEMU ${peer.toFixed(0)} M/s, ratio ${(ours / peer).toFixed(5)}`;
    console.log(`  ${workload.name.padEnd(12)} ${ours.toFixed(2)} M steps/s   ${shown}`);
  }
  if (ratios.length > 0) {
    const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
    console.log(`  geometric mean of the ratios ${mean.toFixed(5)}`);
  }
}
