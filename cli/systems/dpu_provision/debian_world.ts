/** The world with Debian: its kernel on the host, in the DPU's installer and in the system that is installed. */
import { createHash } from "node:crypto";
import { upcallShell } from "../../../firmware/rts_upcall/shell.ts";
import { dpuFirmware } from "../../../firmware/dpu_provision/boot_firmware.ts";
import { type BootPart, installedSystem, provisioningImage } from "../../../firmware/dpu_provision/image.ts";
import { type DpuModel, LARGE_DPU, SMALL_DPU } from "../../../firmware/dpu_provision/platform.ts";
import { standInImage } from "../../../firmware/dpu_provision/stand_in.ts";
import { kernelTree, LOADER_INITRD_AT } from "../../../firmware/loader/kernel_boot.ts";
import { LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import { RAM_BASE } from "../../../machine/board.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { EMPTY, sizedCells, strings } from "../../../machine/device_tree.ts";
import { parseWorld } from "../../../world/description.ts";
import { concatenated, cpioArchive, file } from "../../host/guests/file_tree.ts";
import { silentHost } from "../../host/silent_host.ts";
import { BATCH_OPTIONS, prepareMachine } from "../../machine_options.ts";
import { readOptions } from "../../options.ts";
import type { CheckContext } from "../scenario.ts";
import { dpuNode, imageOf, NEW, OLD, type ProvisioningWorld } from "./worlds.ts";

/** The guests. */
export const DEBIAN_GUESTS: readonly string[] = ["linux-cloud", "dpu-tools"];

/** RAM of the DPU and of the host, in MiB. */
const MEMORY = 256;
const PAGE = 4096, PART = 65_536;

/** A first root that runs a script. */
function rootWith(context: CheckContext, script: string): Uint8Array<ArrayBuffer> {
  const text = Deno.readTextFileSync(new URL(`scripts/${script}.sh`, import.meta.url));
  const base = Deno.readFileSync(context.guest("dpu-tools/initrd.gz"));
  return Uint8Array.from(concatenated([cpioArchive(new Map([[`${script}.sh`, file(text, 0o755)]])), base]));
}

/** Debian as a part of an image: its command line ends with what the script looks for. */
function debianPart(
  model: DpuModel,
  kernel: Uint8Array,
  initrd: Uint8Array,
  script: string,
  more: string,
  hasVolatileDisk: boolean,
): BootPart {
  // The board is another where firmware is in flash: it has no GPIO.
  const { reference: bios } = imageOf("firmware", dpuFirmware(model).bytes);
  const monitors = [{ level: 3, systems: [] }];
  const configuration = parseConfiguration({ memoryMiB: MEMORY, monitors, boot: { bios } });
  const append = `console=ttyAMA0 panic=-1 cryptomgr.notests=1 hindsight.run=/${script}.sh ${more}`;
  const place = { base: LOADER_INITRD_AT, size: initrd.length };
  const deviceTree = kernelTree({ configuration, append, initrd: place }), { base, size } = model.ramDisk;
  if (hasVolatileDisk) {
    deviceTree.root.add(`pmem@${base.toString(16)}`)
      .set("compatible", strings("pmem-region"))
      .set("reg", concatenated([sizedCells(2, base), sizedCells(2, size)]))
      .set("volatile", EMPTY);
  }
  // The volatile disk is no memory of its installer's; afterwards it is memory like any other.
  const ram = { base: RAM_BASE, size: hasVolatileDisk ? base - RAM_BASE : MEMORY * 2 ** 20 };
  const { entry, segments } = upcallShell({ conduit: "smc", ram, deviceTree });
  return {
    entry,
    segments: [
      { base: LOADER_KERNEL_AT, bytes: kernel },
      { base: LOADER_INITRD_AT, bytes: initrd },
      ...segments,
    ],
  };
}

/** The image with Debian. */
export function debianImage(context: CheckContext, version: number = NEW): Uint8Array<ArrayBuffer> {
  const kernel = Deno.readFileSync(context.guest("linux-cloud/Image")), model = LARGE_DPU;
  const part = (script: string, more: string, hasDisk: boolean) =>
    debianPart(model, kernel, rootWith(context, script), script, more, hasDisk);
  return provisioningImage({
    model,
    version,
    installer: part("installer", `slots=${model.slots.join()}`, true),
    system: part("system", `version=${version}`, false),
  });
}

/** The host's disk: a table, then images. */
function imagesDisk(images: readonly (readonly [DpuModel, number, Uint8Array])[]): Uint8Array {
  let offset = PART, table = "";
  const parts: [number, Uint8Array][] = [];
  for (const [{ name }, version, bytes] of images) {
    const sum = createHash("sha256").update(bytes).digest("hex");
    table += `${name} ${version} ${offset} ${bytes.length} ${sum}\n`;
    parts.push([offset, bytes]);
    offset += Math.ceil(bytes.length / PART) * PART;
  }
  if (table.length > PAGE) throw new RangeError("The table of images is longer than a page");
  const disk = new Uint8Array(offset);
  disk.set(new TextEncoder().encode(table));
  for (const [at, bytes] of parts) disk.set(bytes, at);
  return disk;
}

/** The world. The DPU has a small system in its first partition. */
export function debianWorld(context: CheckContext): ProvisioningWorld & { readonly image: Uint8Array } {
  const image = debianImage(context),
    disk = context.file("host-images.img"),
    initrd = context.file("host-initrd.img");
  Deno.writeFileSync(disk, imagesDisk([[SMALL_DPU, 7, standInImage(SMALL_DPU, 7)], [LARGE_DPU, NEW, image]]));
  Deno.writeFileSync(initrd, rootWith(context, "host"));
  const args = [
    ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", initrd, "-m", `${MEMORY}M`],
    ...["-append", "console=ttyAMA0 panic=-1 cryptomgr.notests=1 hindsight.run=/host.sh"],
    ...["-netdev", "link,id=lan", "-device", "virtio-net-pci,netdev=lan"],
    ...[
      "-drive",
      `if=none,id=images,format=raw,readonly=on,file=${disk}`,
      "-device",
      "virtio-blk-pci,drive=images",
    ],
  ];
  const host = prepareMachine(readOptions(args, BATCH_OPTIONS), silentHost);
  const { node, images } = dpuNode(LARGE_DPU, installedSystem(standInImage(LARGE_DPU, OLD)), MEMORY);
  const world = parseWorld({
    nodes: [
      { kind: "machine", name: "host", configuration: host.configuration },
      {
        kind: "program",
        name: "bmc",
        program: "bmc",
        options: { answer: 5_000_000_000, install: 300_000_000_000 },
      },
      node,
    ],
    links: [
      {
        ...{ name: "lan", kind: "network", latency: 200_000 },
        ends: [{ node: "host", port: "lan" }, { node: "bmc", port: "lan" }],
      },
      {
        ...{ name: "channel", kind: "message", latency: 500_000 },
        ends: [{ node: "bmc", port: "dpu" }, { node: "dpu", port: "bmc" }],
      },
      {
        ...{ name: "power", kind: "power", latency: 500_000 },
        ends: [{ node: "bmc", port: "power" }, { node: "dpu", port: "power" }],
      },
    ],
    rootInterval: 1_000_000_000,
  });
  return {
    world,
    image,
    images: new Map([
      ...host.images,
      ...images.map(({ bytes, reference }) => [reference.sha256, bytes] as const),
    ]),
  };
}
