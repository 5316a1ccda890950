/** Power-on: the manifest is read from RAM, and the instances and virtual machines of it are made. */
import type { PhysicalAddress } from "../../../machine/address.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { parseManifest } from "./configuration.ts";
import type { Kernel } from "./kernel.ts";
import { CallError } from "./objects.ts";
import type { Range } from "./ram.ts";
import type { VirtualMachines } from "./virtual_machines.ts";

/** Bytes of a manifest. */
const MOST_MANIFEST = 1 << 20;

/** The manifest: who there is at power-on. What is wrong in it is the operator's to know: throws ConfigurationError. */
export function foundInstances(
  site: MonitorSite,
  address: number,
  machines: VirtualMachines,
  kernel: Kernel,
): void {
  const text = manifestText(site, address, machines.ram);
  const manifest = parseManifest(text, address);
  const images = manifest.instances.flatMap((instance) =>
    instance.images.map((image) => ({ base: image.address, size: image.size }))
  );
  const pages = machines.reset([{ base: address, size: text.length + 1 }, ...images]);
  kernel.state = { operator: manifest.operator, pages, instances: [], floor: 0 };
  for (const instance of manifest.instances) {
    try {
      kernel.found(instance);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      throw new ConfigurationError(
        `Cannot make the instance ${instance.name} of the manifest: ${error.code}`,
      );
    }
  }
}

/** JSON up to a zero byte. */
function manifestText({ memory }: MonitorSite, address: number, { base, size }: Range): string {
  if (address < base || address >= base + size) {
    throw new ConfigurationError(`There is no RAM for a manifest at 0x${address.toString(16)}`);
  }
  const room = memory.readBytes(address as PhysicalAddress, Math.min(MOST_MANIFEST, base + size - address));
  const end = room.indexOf(0);
  return new TextDecoder().decode(room.subarray(0, end < 0 ? undefined : end));
}
