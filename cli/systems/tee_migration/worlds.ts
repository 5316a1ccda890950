/** Worlds of two hosts, in which a realm can move from one machine to another. */
import "../../../hypervisor/install.ts";
import { createHash } from "node:crypto";
import { hostProgram } from "../../../firmware/tee_migration/host.ts";
import { realmProgram } from "../../../firmware/tee_migration/realm.ts";
import type { Planted } from "../../../hypervisor/systems/tee_migration/planted.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import type { DiskImage } from "../../../machine/storage/block.ts";
import { hashOfImage, MemoryImage } from "../../../machine/storage/image.ts";
import { parseWorld, type WorldDescription } from "../../../world/description.ts";

/** Where the RAM of an untrusted host begins: the realm has 8 MiB. */
export const HOST_BASE = 0x4080_0000;
/** Bytes of a monitor's disk. */
const DISK_BYTES = 2 ** 20;

function image(name: string, bytes: Uint8Array) {
  return { sha256: createHash("sha256").update(bytes).digest("hex"), size: bytes.length, name, bytes };
}
const DISK = new MemoryImage(new Uint8Array(DISK_BYTES));
const realm = image("realm", realmProgram()), pair = image("pair", realmProgram(2));
const restless = image("restless", realmProgram(1, true));
const host = image("host", hostProgram(HOST_BASE)),
  disk = { sha256: hashOfImage(DISK), size: DISK_BYTES, name: "disk" };

/** All that small worlds start from. */
export const REALM_IMAGES: MachineImages = new Map<string, Uint8Array | DiskImage>([
  ...[realm, pair, restless, host].map(({ sha256, bytes }) => [sha256, bytes] as const),
  [disk.sha256, DISK],
]) as MachineImages;

const named = ({ sha256, size, name }: Omit<ReturnType<typeof image>, "bytes">) => ({ sha256, size, name });

/** How the hosts are. */
export interface HostsOptions {
  /** The cluster's secret at either. */
  readonly cluster?: readonly [string, string];
  /** What the realm needs. */
  readonly features?: string;
  /** A fault planted at either. */
  readonly planted?: readonly [Planted | undefined, Planted | undefined];
  /** Untrusted software runs beside the realm. */
  readonly hasHost?: boolean;
  /** The monitors have disks. */
  readonly hasDisk?: boolean;
  /** The realm never stands still. */
  readonly isRestless?: boolean;
  /** CPUs of the realm. */
  readonly cpus?: 1 | 2;
}

const SECRET = "our cluster's key";

/** Two hosts; the realm is at the first. */
export function hosts(
  {
    cluster = [SECRET, SECRET],
    features = "",
    planted = [undefined, undefined],
    hasHost = false,
    hasDisk = false,
    isRestless = false,
    cpus = 1,
  }: HostsOptions = {},
  links: readonly unknown[] = [{
    ...{ name: "wire", kind: "message", latency: 100_000 },
    ends: [{ node: "east", port: "mig" }, { node: "west", port: "mig" }],
  }],
  more: readonly unknown[] = [],
): WorldDescription {
  const one = (name: string, role: string, number: 0 | 1) => {
    const options = {
      ...{ role, cluster: cluster[number], timeout: "3" },
      ...features === "" ? {} : { features },
      ...planted[number] === undefined ? {} : { planted: planted[number] },
      ...hasHost ? { host: `0x${HOST_BASE.toString(16)}` } : {},
      ...hasDisk ? { drive: "sealed" } : {},
    };
    const loaders = hasHost
      ? [{ kind: "image", image: named(host), address: HOST_BASE, forceRaw: true }]
      : [];
    return {
      kind: "machine",
      name,
      configuration: {
        ...{ memoryMiB: 16, seed: number + 1, cpus: cpus + (hasHost ? 1 : 0) },
        monitors: [{ level: 2, systems: [{ name: "tee-migration", options }] }],
        boot: { kernel: named(isRestless ? restless : cpus === 2 ? pair : realm), loaders },
        drives: hasDisk ? [{ id: "sealed", image: named(disk) }] : [],
      },
    };
  };
  return parseWorld({
    nodes: [one("east", "source", 0), one("west", "destination", 1), ...more],
    links,
    rootInterval: 10_000_000,
  });
}
