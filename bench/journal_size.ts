/** What a journal costs at each depth, and how fast record and replay are. */
import { COUNTER_GUEST_BASE, COUNTER_GUEST_SOURCE } from "../firmware/counter_guest.ts";
import { DEPTHS } from "../journal/payloads.ts";
import { Replay } from "../journal/replay.ts";
import { assembleProgram } from "../machine/a64/program.ts";
import { type Measured, recordFlat } from "./machines.ts";

/** Shown above the figures. */
export const question = "journal bytes per thousand steps at each depth; record and replay rates";

const U_BOOT = ".guests/u-boot/u-boot.bin";
/** Steps of U-Boot's boot that are measured. */
const U_BOOT_STEPS = 4_000_000;

function row(name: string, depth: string, { file, steps, seconds, run, images }: Measured): void {
  const started = performance.now();
  new Replay(run, images).runToEnd();
  const replayed = (performance.now() - started) / 1000;
  const bytes = (file.size / steps * 1000).toFixed(1);
  console.log(
    `  ${name.padEnd(8)} ${depth.padEnd(7)} ${bytes.padStart(9)} bytes/1000 steps   record ` +
      `${(steps / seconds / 1e6).toFixed(2)} M steps/s   replay ${
        (steps / replayed / 1e6).toFixed(2)
      } M steps/s`,
  );
}

/** Prints a row for each guest and depth. */
export function run(): void {
  const { bytes } = assembleProgram(COUNTER_GUEST_SOURCE, {
    name: "counter_guest",
    base: COUNTER_GUEST_BASE,
  });
  for (const depth of DEPTHS) row("counter", depth, recordFlat(bytes, { depth, machine: { cpus: 2 } }));
  let image: Uint8Array;
  try {
    image = Deno.readFileSync(U_BOOT);
  } catch {
    console.log(`  u-boot: not measured; \`deno task guests u-boot\` brings it`);
    return;
  }
  for (const depth of DEPTHS) {
    row("u-boot", depth, recordFlat(image, { depth, as: "bios", limit: U_BOOT_STEPS }));
  }
}
