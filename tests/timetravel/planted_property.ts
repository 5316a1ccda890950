/** A device tree with one wrong letter, which stops a driver of Linux: what `diff` says of two boots. */
import { Machine } from "../../machine/machine.ts";
import { physicalAddress } from "../../machine/address.ts";
import { assembleProgram } from "../../machine/a64/program.ts";
import { createHash } from "node:crypto";
import { parseConfiguration } from "../../machine/configuration.ts";
import { hindsight } from "../boots/hindsight.ts";
import type { Row, RowContext } from "./row.ts";

const KERNEL = ".guests/linux-cloud/Image";
/** Where a kernel's first words load the device tree's address from (QEMU's boot loader, which the machine's is like). */
const TREE_POINTER = 0x40000018;
const MEMORY = 512;

/** The tree that the machine gives a kernel, without the room behind it. */
function deviceTree(): Uint8Array {
  const { bytes } = assembleProgram("b .", { base: 0x40080000n });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const configuration = parseConfiguration({
    boot: { kernel: { sha256, size: bytes.length, name: "guest" } },
    memoryMiB: MEMORY,
  });
  const { memory } = new Machine(configuration, new Map([[sha256, bytes]])).board;
  const at = (address: number, size: number) => memory.viewBytes(physicalAddress(address), size).slice();
  const pointer = Number(new DataView(at(TREE_POINTER, 8).buffer).getBigUint64(0, true));
  const header = new DataView(at(pointer, 40).buffer), size = header.getUint32(12) + header.getUint32(32);
  const tree = at(pointer, size);
  new DataView(tree.buffer).setUint32(4, size);
  return tree;
}

/** The tree with the second compatible of the clock misspelled: no bus finds it then. */
function misspelled(tree: Uint8Array): Uint8Array {
  const [name, wrong] = ["arm,pl031\0arm,primecell", "arm,pl031\0arm,primecall"].map((text) =>
    new TextEncoder().encode(text)
  );
  const at = tree.findIndex((_, start) => name!.every((byte, index) => tree[start + index] === byte));
  if (at < 0) throw new Error("The device tree has no clock");
  const copy = tree.slice();
  copy.set(wrong!, at);
  return copy;
}

async function run({ folder, tell, check }: RowContext): Promise<void> {
  const tree = deviceTree(), boot = ["-m", `${MEMORY}M`, "-kernel", KERNEL, "-no-reboot"];
  const [good, bad] = [`${folder}/good`, `${folder}/bad`];
  for (const [path, bytes] of [[good, tree], [bad, misspelled(tree)]] as const) {
    await Deno.writeFile(`${path}.dtb`, bytes);
    const append = ["-append", "console=ttyAMA0 panic=-1", "-dtb", `${path}.dtb`];
    await hindsight(["record", ...boot, ...append, "-o", path, "--until-console", "Kernel panic"], {
      seconds: 300,
    });
  }
  const started = performance.now();
  const text = await hindsight(["diff", good, bad], { exitCode: 1 });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  for (
    const line of text.split("\n").filter((line) =>
      /^ {2}(first|cause|followed|the rest|console| {10}[−+])/.test(line)
    )
  ) {
    tell(line.slice(0, 160));
  }
  tell(`${seconds} s`);
  const json = JSON.parse(await hindsight(["diff", good, bad, "--json"], { exitCode: 1 }));
  const { followed, firstUse, sides } = json;
  check(
    "the first event that differs is an access to the clock",
    sides[0].event.device === "rtc",
    sides[0].event.device,
  );
  const around = (firstUse?.around ?? []).map((hex: string) =>
    new TextDecoder().decode(Uint8Array.fromHex(hex))
  );
  check(
    "the wrong letter is named",
    around[0]?.includes("primecell") && around[1]?.includes("primecall"),
    around.join(),
  );
  const lines = followed.console.differences.map(({ side, text }: { side: number; text: string }) =>
    `${side} ${text}`
  );
  check(
    "the console has lost the driver's lines",
    lines[0]?.includes("registered as rtc0"),
    lines.join("; "),
  );
  check(
    "and nothing else",
    lines.every((line: string) => line.startsWith("0 ") && line.includes("rtc")),
    lines.join("; "),
  );
  const clock = followed.kinds.find(({ name }: { name: string }) => name === "deviceRead rtc");
  check(
    "no read of the clock is left",
    clock.counts.left > 0 && clock.counts.right + clock.counts.timing === 0,
  );
  const same = (followed.counts.same + followed.counts.timing) / followed.events[0];
  check("most of the rest is the same", same > 0.85, same.toFixed(3));
}

/** The row. */
export const plantedProperty: Row = {
  name: "planted-property",
  question: "does diff name the wrong letter of a device tree that stops a driver of Linux?",
  isQuick: true,
  run,
};
