/** A corrupted translation table entry in U-Boot, traced by the tools alone from the data abort to the keys that were typed. */
import { hindsight } from "../boots/hindsight.ts";
import type { Row, RowContext } from "./row.ts";

const U_BOOT = ".guests/u-boot/u-boot.bin";
/** Of U-Boot's table at level 1, the entry of the GiB in which PCIe's configuration space is. */
const DESCRIPTOR = 0x5fff1800, ADDRESS = 0x40_1000_0000;
/** A write that goes astray, other work, and an access much later. */
const SCRIPT = `expect "Loading Environment"
send " "
expect "\\n=> "
send "mw.q ${DESCRIPTOR.toString(16)} 0\\r"
expect "\\n=> "
send "version\\r"
expect "\\n=> "
send "md.l ${ADDRESS.toString(16)} 4\\r"
`;
/** By then U-Boot has told of the abort. */
const UNTIL = 50_000_000;

async function run({ folder, tell, check }: RowContext): Promise<void> {
  const script = `${folder}/typed.script`, recorded = `${folder}/u.hindsight`;
  await Deno.writeTextFile(script, SCRIPT);
  const machine = ["-bios", U_BOOT, "-m", "512M", "-no-reboot", "--until", String(UNTIL)];
  await hindsight(["record", ...machine, "--script", script, "-o", recorded]);

  const abort = JSON.parse(
    await hindsight(["query", recorded, 'class == "dataAbortSame"', "--last", "--json"]),
  ) as { instant: number; faultAddress: string };
  tell(`data abort at instant ${abort.instant}, ${abort.faultAddress}`);
  check("the abort is of the access", BigInt(abort.faultAddress) === BigInt(ADDRESS), abort.faultAddress);

  const entry = `physical:0x${DESCRIPTOR.toString(16)},8`, at = String(abort.instant);
  const written = await hindsight(["who-wrote", recorded, entry, "--before", at]);
  for (const line of written.trimEnd().split("\n")) tell(line);
  check("who-wrote finds the store of mw", / 0x5fff3003 → 0x0 {2}← .*str x21, \[x2\]/.test(written), written);

  const why = await hindsight(["why", recorded, entry, "--at", at]);
  const origin = why.split("\n").find((line) => line.includes("consoleReceived"));
  tell(origin?.trim() ?? "no keys found");
  check("why goes back to what was typed", origin?.includes("mw.q 5fff1800 0") === true, why.slice(0, 2000));
}

/** The row. */
export const plantedDescriptor: Row = {
  name: "planted-entry",
  question: "who wrote the translation table entry that U-Boot aborts on, and where did it come from?",
  isQuick: true,
  run,
};
