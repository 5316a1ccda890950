/** Debian's generic kernel with a driver for what the board has: every node that is to be used is bound, or listed. */
import type { NodeMapping } from "../../../firmware/acpi/report.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { type Kind, linuxBoot } from "./boards.ts";
import { APPEND, diskOptions, typed } from "./boots.ts";

/** Tells which device has which driver, by the path in the namespace. */
const TELL = "for d in /sys/bus/*/devices/* /sys/devices/pci*; do if [ -e $d/firmware_node/path ]; then " +
  "read -r p < $d/firmware_node/path; l=`readlink $d/driver`; echo bound $p ${d##*/} ${l##*/}; fi; done";
const LOAD = "while read m; do insmod /$m; done < /etc/modules.board";

/** Devices that no driver of Linux takes from ACPI, and why; by the end of the node's path. */
// deno-fmt-ignore
export const UNBOUND: readonly { readonly node: RegExp; readonly reason: string }[] = [
  { node: /^\/pl031@/, reason: "its driver is one of AMBA, which PRP0001 does not reach; EFI's GetTime tells the time" },
  { node: /^\/flash@/, reason: "its driver takes a device tree or platform data alone" },
];

/** The driver by which a device is known to work. */
// deno-fmt-ignore
const DRIVERS: readonly { readonly node: RegExp; readonly driver: string }[] = [
  { node: /^\/pl011@/,          driver: "sbsa-uart" },
  { node: /^\/pl061@/,          driver: "pl061_gpio" },
  { node: /^\/gpio-keys$/,      driver: "gpio-keys" },
  { node: /^\/fw-cfg@/,         driver: "fw_cfg" },
  { node: /^\/cpus\/cpu@/,      driver: "processor" },
  { node: /^\/virtio_mmio@a003e00$/, driver: "virtio-mmio" },
  { node: /^\/pcie@/,           driver: "" }, // the host bridge has a root bus instead
];

/** Paths with a driver, from what the guest told. */
function boundPaths(console: string): Map<string, string[]> {
  const bound = new Map<string, string[]>();
  for (const [, path, , driver = ""] of console.matchAll(/^bound (\S+) (\S+) ?(\S*)\r?$/gm)) {
    const name = (path as string).replaceAll(/_+(?=\.|$)/g, "");
    bound.set(name, [...bound.get(name) ?? [], driver]);
  }
  return bound;
}

/** What became of each device of the map in the guest, by what `TELL` printed there. */
export function bindingFailures(
  nodes: readonly NodeMapping[],
  console: string,
): { failures: string[]; bound: number; listed: number } {
  const bound = boundPaths(console), failures: string[] = [];
  let listed = 0, count = 0;
  for (const { path, device, places, reason } of nodes) {
    const wanted = DRIVERS.find(({ node }) => node.test(path))?.driver;
    const drivers = device === undefined ? undefined : bound.get(device);
    if (wanted !== undefined && drivers?.includes(wanted)) count++;
    else if (wanted !== undefined) {
      failures.push(`${path} (${device}) has the driver ${drivers ?? "of none"}, not ${wanted}`);
    } else if (device === undefined || places.every(({ table }) => table !== "DSDT")) {
      if (places.length === 0 && reason === undefined) failures.push(`${path} is neither bound nor listed`);
      listed++;
    } else if (UNBOUND.some(({ node }) => node.test(path))) {
      if (drivers?.some((driver) => driver !== "")) {
        failures.push(`${path} is bound to ${drivers}, though listed as not`);
      }
      listed++;
    } else if (/^\/virtio_mmio@/.test(path) && drivers !== undefined) listed++; // nothing is plugged into it
    else if (path.startsWith("/gpio-keys/")) count++; // by the input device below
    else failures.push(`${path} (${device}) is neither bound nor listed`);
  }
  return { failures, bound: count, listed };
}

const GENERIC = { kernel: "linux", initrd: "linux-board/initrd.gz" } as const;
/** Prints four input events, a line each: press and release of the power key, each with its EV_SYN. */
const WATCH = '((hexdump -n 96 -v -e \'24/1 "%02x" "\\n"\' /dev/input/event0; echo end-watch) &)';
/** EV_KEY, KEY_POWER, 1 and 0, as little-endian numbers of 2, 2 and 4 bytes at the end of an event. */
const PRESSED = /0100740001000000\r?\n/, RELEASED = /0100740000000000\r?\n/;

/** Every node, and the power key: pressed by the operator, seen by the guest as an event of its input device. */
export async function boundOrListed(
  context: CheckContext,
  kind: Kind,
  engines: readonly string[],
): Promise<CheckOutcome> {
  const { boot, request } = linuxBoot(context, {
    kind,
    ...GENERIC,
    append: APPEND,
    options: diskOptions(context, "mmio", "virtio-blk-device"),
  });
  const press = ["key power", 'expect "end-watch"'];
  const script = typed(
    [LOAD, `${TELL}; ls /sys/firmware/qemu_fw_cfg/by_name`, "cat /proc/interrupts", WATCH],
    press,
  );
  const recorded = await context.record({ ...request, name: "binding", script, seconds: 1800 });
  const { failures, bound, listed } = bindingFailures(boot.conversion.nodes, recorded.console);
  for (
    const [what, text] of [
      ["the key's press", PRESSED],
      ["the key's release", RELEASED],
      ["the key's interrupt at the GPIO", /ARMH0061:00 +3 Edge +GPIO Key Poweroff/],
      ["fw_cfg's files", /bootorder/],
    ] as const
  ) {
    if (!text.test(recorded.console)) failures.push(`${what}: no ${text}`);
  }
  failures.push(...await context.replayOn(recorded, engines));
  return {
    failures,
    figures: { nodes: boot.conversion.nodes.length, bound, listed, instants: recorded.end.instant },
  };
}

/** virtio-mmio by PRP0001 and its compatible, as the tree's driver would find it: the disk behind it can be read. */
export async function forcedToProperties(
  context: CheckContext,
  kind: Kind,
  engines: readonly string[],
): Promise<CheckOutcome> {
  const conversion = { forcePrp0001: ["virtio,mmio"] };
  const { request } = linuxBoot(context, {
    kind,
    kernel: "linux-cloud",
    initrd: "linux-cloud/initrd.gz",
    append: APPEND,
    options: diskOptions(context, "mmio", "virtio-blk-device"),
    more: { conversion },
  });
  const script = typed([TELL, "md5sum /dev/vda; cat /proc/interrupts"]);
  const recorded = await context.record({ ...request, name: "forced", script, seconds: 1800 });
  const failures: string[] = [];
  if (!/^bound \S+ PRP0001:\w+ virtio-mmio\r?$/m.test(recorded.console)) {
    failures.push("no PRP0001 has the driver virtio-mmio");
  }
  if (/LNRO0005/.test(recorded.console)) failures.push("there is an LNRO0005");
  if (!/^[0-9a-f]{32} {2}\/dev\/vda\r?$/m.test(recorded.console)) failures.push("the disk cannot be read");
  failures.push(...await context.replayOn(recorded, engines));
  return { failures, figures: { instants: recorded.end.instant } };
}
