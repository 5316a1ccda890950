/** Unmodified U-Boot below EL3: it enumerates the shim function, and reads a file from the disk behind it. */
import { crc32 } from "node:zlib";
import { partingOf } from "../el3_simdev/trace.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { AT_EL2, AT_EL3, REAL, type Server, SHIM_BASE } from "./machines.ts";

const SCRIPT = [
  ...['expect "Hit any key"', 'send " "', 'expect "=> "'],
  ...['send "pci enum; pci 0 long; pci display.l 0.1.0 0 40; pci bar 0.1.0\\r"', 'expect "=> "'],
  'send "nvme scan; load nvme 0 0x42000000 /known.bin; crc32 0x42000000 0x${filesize}\\r"',
  ...['expect "==> "', 'expect "=> "', "power cut"],
];

function record(context: CheckContext, { name, board, monitor, driver }: Server): Promise<Recorded> {
  return context.record({
    name: `u-boot-${name}`,
    options: [
      ...[
        "-M",
        board.replace(",highmem=off", ""),
        "-m",
        "512M",
        "-bios",
        context.guest("u-boot/u-boot.bin"),
        ...monitor,
      ],
      ...["-drive", `file=${context.guest("root-disk/root.img")},if=none,id=root,format=raw`],
      ...["-device", `${driver},drive=root,serial=root`],
    ],
    script: SCRIPT,
  });
}

/** What it says of the function 00.01.00, its words and its BAR; places told alike. */
function toldOf({ console }: Recorded, base: number): string[] {
  const from = console.indexOf("Found PCI device 00.01.00"), to = console.indexOf("crc32 for");
  const places = new RegExp(`${base.toString(16).padStart(8, "0").slice(0, 7)}`, "g");
  return console.slice(from, to).replaceAll(places, "place..").replaceAll("\r", "").split("\n")
    .filter((line) => !/bytes read in/.test(line));
}

/** The shim's at EL3 and EL2, and the board's own. */
export async function checkUBoot(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], real = await record(context, REAL);
  const wanted = toldOf(real, REAL.base);
  const sum = crc32(Deno.readFileSync(context.guest("root-disk/known.bin"))).toString(16).padStart(8, "0");
  for (const server of context.all ? [AT_EL3, AT_EL2] : [AT_EL3]) {
    const recorded = await record(context, server), parting = partingOf(wanted, toldOf(recorded, SHIM_BASE));
    if (parting !== undefined) {
      failures.push(`${server.name}: U-Boot says something else of the function, ${parting}`);
    }
    if (!recorded.console.includes(`==> ${sum}`)) {
      failures.push(`${server.name}: the file's sum is not ${sum}`);
    }
    const engine = recorded.engine === "threaded" ? "compiled" : "threaded";
    failures.push(...await context.replayOn(recorded, context.all ? ["threaded", "compiled"] : [engine]));
  }
  for (const words of ["00000040: 00018014", "64     MEM"]) {
    if (!wanted.some((line) => line.includes(words))) failures.push(`U-Boot did not say ${words}`);
  }
  return { failures, figures: { "lines about the function": wanted.length } };
}
