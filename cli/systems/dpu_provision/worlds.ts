/** Worlds of a host, a management controller and a DPU: the small ones, whose host is a program and whose DPU boots A64. */
import "../../../hypervisor/install.ts";
import { createHash } from "node:crypto";
import { dpuFirmware } from "../../../firmware/dpu_provision/boot_firmware.ts";
import { factoryDisk, factoryVariables } from "../../../firmware/dpu_provision/boot_entries.ts";
import { installedSystem } from "../../../firmware/dpu_provision/image.ts";
import { type DpuModel, SMALL_DPU } from "../../../firmware/dpu_provision/platform.ts";
import { type InstallOrder, standInImage } from "../../../firmware/dpu_provision/stand_in.ts";
import { variableDisk } from "../../../hypervisor/variable_store/variable_log.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import { hashOfImage, MemoryImage } from "../../../machine/storage/image.ts";
import { parseWorld, type WorldDescription } from "../../../world/description.ts";

/** Numbers of the nodes. */
export const HOST = 0, BMC = 1, DPU = 2;
/** Bytes of the disk of the variables. */
const VARIABLES = 0x8000;
/** The versions of the system that a DPU has, and of the one that it gets. */
export const OLD = 1, NEW = 2;

/** A world, and what its machines are started with. */
export interface ProvisioningWorld {
  /** Nodes and links. */
  readonly world: WorldDescription;
  /** Images of the machines. */
  readonly images: MachineImages;
}

/** An image with its reference in a configuration. */
export function imageOf(name: string, bytes: Uint8Array) {
  return {
    bytes,
    reference: { sha256: createHash("sha256").update(bytes).digest("hex"), size: bytes.length, name },
  };
}

/** A disk with its reference. */
function diskOf(name: string, bytes: Uint8Array) {
  const disk = new MemoryImage(bytes);
  return { bytes: disk, reference: { sha256: hashOfImage(disk), size: disk.size, name } };
}

/** A DPU as a node: its firmware, its disk, its variables. */
export function dpuNode(model: DpuModel, system: Uint8Array, memoryMiB: number) {
  const firmware = imageOf("dpu-firmware.bin", dpuFirmware(model).bytes);
  const disk = diskOf("dpu-nv.img", factoryDisk(model, system));
  const variables = diskOf("dpu-vars.img", variableDisk(VARIABLES, factoryVariables(model)));
  const drive = (id: string, { reference }: typeof disk) => ({ id, image: reference });
  const monitors = [{
    level: 3,
    systems: [
      { name: "rts-upcall", options: { drive: "vars" } },
      { name: "dpu-provision", options: {} },
    ],
  }];
  const configuration = {
    memoryMiB,
    monitors,
    boot: { bios: firmware.reference },
    drives: [drive("nv", disk), drive("vars", variables)],
    devices: [{ driver: "nvme", drive: "nv", serial: "dpu" }],
  };
  return { node: { kind: "machine", name: "dpu", configuration }, images: [firmware, disk, variables] };
}

/** The links: the host's network, the channel and the power of the DPU. */
export const LINKS = [
  {
    ...{ name: "lan", kind: "network", latency: 20_000 },
    ends: [{ node: "host", port: "lan" }, { node: "bmc", port: "lan" }],
  },
  {
    ...{ name: "channel", kind: "message", latency: 20_000 },
    ends: [{ node: "bmc", port: "dpu" }, { node: "dpu", port: "bmc" }],
  },
  {
    ...{ name: "power", kind: "power", latency: 20_000 },
    ends: [{ node: "bmc", port: "power" }, { node: "dpu", port: "power" }],
  },
] as const;

/** What of a small world is as one likes. */
export interface SmallOptions {
  /** How the installer writes. */
  readonly order?: InstallOrder;
  /** What the host publishes in place of the image; its manifest is of the image, but for `manifest`. */
  readonly published?: (image: Uint8Array) => Uint8Array | undefined;
  /** Changes to the manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** The image's model, and the size of the DPU's volatile disk. */
  readonly model?: DpuModel;
  /** Bytes that make the image larger. */
  readonly padding?: number;
  /** Options of the controller. */
  readonly bmc?: Readonly<Record<string, unknown>>;
  /** Of a million messages of the channel, how many are lost. */
  readonly lossPerMillion?: number;
}

/** A small world. */
export function smallWorld(options: SmallOptions = {}): ProvisioningWorld {
  const { order = "other partition", published = (image) => image, model = SMALL_DPU } = options;
  const more = options.padding === undefined ? {} : { padding: options.padding };
  const image = standInImage(model, NEW, { order, ...more });
  const { node, images } = dpuNode(
    SMALL_DPU,
    installedSystem(standInImage(SMALL_DPU, OLD, { padding: 0x1000 })),
    16,
  );
  const path = `/${SMALL_DPU.name}.img`, contents = published(image);
  const manifest = {
    model: model.name,
    version: NEW,
    size: image.length,
    sha256: createHash("sha256").update(image).digest("hex"),
    ...options.manifest,
  };
  const files = [
    { path: `${path}.manifest`, base64: new TextEncoder().encode(JSON.stringify(manifest)).toBase64() },
    ...contents === undefined ? [] : [{ path, base64: contents.toBase64() }],
  ];
  const times = { retransmission: 500_000, idle: 3_000_000 };
  const host = { images: [{ model: SMALL_DPU.name, version: NEW, path }], files, poll: 500_000, ...times };
  const controller = {
    ...{
      answer: 4_000_000,
      install: 8_000_000,
      chunk: 8192,
      retry: 1_000_000,
      tries: 2,
      attempts: 6,
      ...times,
    },
    ...options.bmc,
  };
  const { lossPerMillion = 0 } = options;
  const world = parseWorld({
    nodes: [
      { kind: "program", name: "host", program: "dpu-host", options: host },
      { kind: "program", name: "bmc", program: "bmc", options: controller },
      node,
    ],
    links: LINKS.map((link) => link.name === "channel" ? { ...link, lossPerMillion } : link),
    rootInterval: 1_000_000,
  });
  return { world, images: new Map(images.map(({ bytes, reference }) => [reference.sha256, bytes])) };
}
