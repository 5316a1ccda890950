/** What a journal costs at each depth, and how fast record and replay are. */
import { COUNTER_GUEST_BASE, COUNTER_GUEST_SOURCE } from "../firmware/counter_guest.ts";
import { DEPTHS } from "../journal/payloads.ts";
import { Replay } from "../journal/replay.ts";
import { assembleProgram } from "../machine/a64/program.ts";
import { type Measured, recordFlat } from "./machines.ts";
import { print, type Request } from "./request.ts";

/** Shown above the figures. */
export const question = "journal bytes per thousand steps at each depth; record and replay rates";

const U_BOOT = ".guests/u-boot/u-boot.bin";
/** Steps of U-Boot's boot that are measured. */
const U_BOOT_STEPS = 4_000_000;

/** What a depth cost. */
interface Row {
  readonly guest: string;
  readonly depth: string;
  /** Journal bytes of a thousand steps. */
  readonly bytesPerThousand: number;
  /** Million steps a second. */
  readonly record: number;
  /** Million steps a second. */
  readonly replay: number;
}

function row(
  request: Request,
  guest: string,
  depth: string,
  { file, steps, seconds, run, images }: Measured,
): Row {
  const started = performance.now();
  new Replay(run, images).runToEnd();
  const replayed = (performance.now() - started) / 1000;
  const bytesPerThousand = file.size / steps * 1000;
  const [record, replay] = [steps / seconds / 1e6, steps / replayed / 1e6] as const;
  print(
    request,
    `  ${guest.padEnd(8)} ${depth.padEnd(7)} ${bytesPerThousand.toFixed(1).padStart(9)} bytes/1000 steps   ` +
      `record ${record.toFixed(2)} M steps/s   replay ${replay.toFixed(2)} M steps/s`,
  );
  return { guest, depth, bytesPerThousand, record, replay };
}

/** Prints a row for each guest and depth. */
export function run(request: Request): Row[] {
  const rows: Row[] = [];
  const { bytes } = assembleProgram(COUNTER_GUEST_SOURCE, {
    name: "counter_guest",
    base: COUNTER_GUEST_BASE,
  });
  for (const depth of DEPTHS) {
    rows.push(row(request, "counter", depth, recordFlat(bytes, { depth, machine: { cpus: 2 } })));
  }
  let image: Uint8Array;
  try {
    image = Deno.readFileSync(U_BOOT);
  } catch {
    print(request, "  u-boot: not measured; `deno task guests u-boot` brings it");
    return rows;
  }
  for (const depth of DEPTHS) {
    rows.push(row(request, "u-boot", depth, recordFlat(image, { depth, as: "bios", limit: U_BOOT_STEPS })));
  }
  return rows;
}
