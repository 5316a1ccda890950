/** Lists the instruction rows that U-Boot executes under QEMU up to its prompt; fails when one of them is missing. */
import { parseArgs } from "@std/cli";
import { decode } from "../../machine/a64/rows.ts";

const QEMU = "-M virt -cpu cortex-a57 -m 1G -display none -nodefaults -serial stdio -d in_asm".split(" ");

/** Runs U-Boot until its prompt and gives the log of translated instructions. */
async function translatedInstructions(image: string): Promise<string> {
  const log = await Deno.makeTempFile();
  const command = new Deno.Command("qemu-system-aarch64", {
    args: [...QEMU, "-D", log, "-bios", image],
    stdin: "piped",
    stdout: "piped",
  });
  const child = command.spawn();
  let output = "";
  const limit = setTimeout(() => child.kill(), 60_000);
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (/Hit any key/.test(output)) await interruptAutoboot(child);
    if (/^=> /m.test(output)) child.kill();
  }
  clearTimeout(limit);
  await child.status;
  const content = await Deno.readTextFile(log);
  await Deno.remove(log);
  if (!/^=> /m.test(output)) throw new Error("U-Boot did not reach its prompt in 60 s");
  return content;
}

async function interruptAutoboot(child: Deno.ChildProcess): Promise<void> {
  if (child.stdin.locked) return;
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("\r"));
}

const [image] = parseArgs(Deno.args)._;
if (image === undefined) {
  console.error("usage: uboot_rows.ts PATH-TO-u-boot.bin");
  Deno.exit(2);
}
const counts = new Map<string, number>(), absent: string[] = [];
for (
  const [, address, hex] of (await translatedInstructions(String(image))).matchAll(
    /^0x(\w+):\s+([0-9a-f]{8})\s/gm,
  )
) {
  const row = decode(parseInt(hex as string, 16))?.row;
  if (row?.lowering === undefined) absent.push(`${hex} at 0x${address}: ${row?.name ?? "unallocated"}`);
  else counts.set(row.name, (counts.get(row.name) ?? 0) + 1);
}
for (const [name, count] of [...counts].toSorted()) console.log(`${String(count).padStart(6)}  ${name}`);
for (const line of absent) console.log(`missing  ${line}`);
console.log(`${counts.size} rows needed and implemented, ${absent.length} instructions missing`);
if (absent.length > 0) Deno.exit(1);
