/** What firmware finds in fw_cfg: the machine's own files as QEMU's, and the user's. */
import { assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { buildBoard } from "../../machine/board.ts";
import { planBoot } from "../../machine/boot.ts";
import { type ConfigurationInput, parseConfiguration } from "../../machine/configuration.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { Clock } from "../../machine/clock.ts";
import { Dma } from "../../machine/devices/dma.ts";
import { EventHub } from "../../machine/events.ts";
import { FwCfg } from "../../machine/devices/fw_cfg.ts";
import { PhysicalMemory } from "../../machine/memory/physical.ts";
import { firmwareCases, firmwareLines } from "./firmware_lines.ts";

const FILE = Uint8Array.of(1, 2, 3);
const image = { sha256: createHash("sha256").update(FILE).digest("hex"), size: 3, name: "f" };

/** Files of a machine by name. */
function files(input: ConfigurationInput): Map<string, Uint8Array> {
  const { firmwareItems } = planBoot(buildBoard(parseConfiguration(input)), new Map([[image.sha256, FILE]]));
  return new Map(firmwareItems.flatMap((item) => "file" in item ? [[item.file, item.bytes] as const] : []));
}

Deno.test("planBoot serves the machine's own files with QEMU's bytes", () => {
  const recorded = Deno.readTextFileSync(new URL("../fixtures/devices/fw_cfg_files.txt", import.meta.url));
  const lines = firmwareCases().flatMap(({ name, configuration }) =>
    firmwareLines(name, [...files(configuration)].sort(([a], [b]) => a < b ? -1 : 1))
  );
  assertEquals(lines, recorded.trimEnd().split("\n"));
});

Deno.test("planBoot serves files of -fw_cfg", () => {
  const firmwareFiles = [
    { kind: "text", name: "opt/org.example/text", text: "hi" },
    { kind: "image", name: "opt/org.example/file", image },
  ] as const;
  const served = files({ boot: { firmwareFiles } });
  assertEquals(served.get("opt/org.example/text"), Uint8Array.of(0x68, 0x69));
  assertEquals(served.get("opt/org.example/file"), FILE);
});

Deno.test("planBoot refuses fw_cfg files of one name, of a name too long, too many and missing", () => {
  const text = (name: string) => ({ kind: "text" as const, name, text: "" });
  const refused = (
    why: string,
    ...firmwareFiles: NonNullable<ConfigurationInput["boot"]>["firmwareFiles"] & object
  ) => assertThrows(() => files({ boot: { firmwareFiles } }), ConfigurationError, why);
  refused('"bootorder": there is one of that name', text("bootorder"));
  refused('"a": there is one of that name', text("a"), text("a"));
  refused("not a name", text("n".repeat(56)));
  refused("not a name", text(""));
  refused("at most 24 files", ...Array.from({ length: 25 }, (_, index) => text(`f${index}`)));
  refused('fw_cfg file "x" "f": the file is missing', {
    kind: "image",
    name: "x",
    image: { ...image, sha256: "0".repeat(64) },
  });
});

Deno.test("FwCfg has room for all files that a configuration may have", () => {
  const firmwareFiles = Array.from(
    { length: 24 },
    (_, index) => ({ kind: "text" as const, name: `f${index}`, text: "" }),
  );
  const { firmwareItems } = planBoot(buildBoard(parseConfiguration({ boot: { firmwareFiles } })), new Map());
  const dma = new Dma("fwCfg", new PhysicalMemory(0, 4096), new EventHub(new Clock()));
  new FwCfg({ name: "fwCfg", dma, items: firmwareItems });
});
