/** What a boot adds to a device tree, the board's own or a user's. */
import { type Board, RAM_BASE } from "./board.ts";
import type { AddressRange } from "./boot_images.ts";
import type { GuestModule } from "./configuration.ts";
import { cells, type DeviceTree, type DeviceTreeNode, sizedCells, strings } from "./device_tree.ts";
import { ConfigurationError } from "./errors.ts";
import { monitorMemory } from "./monitor.ts";
import { FUNCTION, type PsciConduit } from "./psci.ts";

/** What a boot tells its guest through the tree. */
export interface BootDescription {
  /** `-append`; not written when absent or empty. */
  readonly append: string | undefined;
  /** Where the initrd is, when a kernel is entered directly. */
  readonly initrd: AddressRange | undefined;
  /** What a hypervisor starts, in the order given. */
  readonly modules: readonly GuestModule[];
  /** How PSCI is called; with `none` no node is written. */
  readonly conduit: PsciConduit;
}

/** A root property of one cell that must be there. */
function rootCell(root: DeviceTreeNode, name: string, what: string): number {
  const value = root.get(name);
  const cell = value?.length === 4 ? new DataView(value.buffer, value.byteOffset).getUint32(0) : 0;
  if (cell < 1 || cell > 4) {
    throw new ConfigurationError(`Cannot load ${what}: its root has no ${name} between 1 and 4`);
  }
  return cell;
}

/** A kernel or initrd for a guest of the hypervisor that is booted (the multiboot binding that Xen reads). */
function describeModule(chosen: DeviceTreeNode, { kind, address, image, bootargs }: GuestModule): void {
  const node = chosen.add(`module@0x${address.toString(16).padStart(8, "0")}`)
    .set("reg", sizedCells(2, address, image.size))
    .set(
      "compatible",
      strings("multiboot,module", kind === "kernel" ? "multiboot,kernel" : "multiboot,ramdisk"),
    );
  if (bootargs !== undefined) node.set("bootargs", strings(bootargs));
}

/**
 * Adds RAM, the command line, the initrd and PSCI to a tree, as QEMU 7.2 does before it hands one over, be it the
 * board's own or a user's; `what` names it in messages. Throws ConfigurationError when a user's tree cannot take them.
 */
export function describeBoot(board: Board, { root }: DeviceTree, boot: BootDescription, what: string): void {
  const addressCells = rootCell(root, "#address-cells", what);
  const sizeCells = rootCell(root, "#size-cells", what);
  const size = monitorMemory(board).base - RAM_BASE;
  root.remove(({ name }) => name === "memory" || name.startsWith("memory@"));
  root.add(`memory@${RAM_BASE.toString(16)}`)
    .set("device_type", strings("memory"))
    .set("reg", new Uint8Array([...sizedCells(addressCells, RAM_BASE), ...sizedCells(sizeCells, size)]));
  const chosen = root.require("chosen");
  for (const module of boot.modules) describeModule(chosen, module);
  if (boot.append !== undefined && boot.append !== "") chosen.set("bootargs", strings(boot.append));
  if (boot.initrd !== undefined) {
    chosen.set("linux,initrd-start", cells(boot.initrd.base));
    chosen.set("linux,initrd-end", cells(boot.initrd.limit));
  }
  if (boot.conduit === "none") return;
  root.remove(({ name }) => name === "psci");
  root.add("psci")
    .set("compatible", strings("arm,psci-1.0", "arm,psci-0.2", "arm,psci"))
    .set("method", strings(boot.conduit))
    .set("cpu_suspend", cells(FUNCTION.CPU_SUSPEND_64))
    .set("cpu_off", cells(FUNCTION.CPU_OFF))
    .set("cpu_on", cells(FUNCTION.CPU_ON_64))
    .set("migrate", cells(FUNCTION.MIGRATE_64));
}
