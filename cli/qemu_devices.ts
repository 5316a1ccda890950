/** QEMU's `-device`: loaders, and what is plugged into the virtio-mmio and PCIe buses. */
import { loaderData } from "../machine/boot.ts";
import {
  DEVICE_DRIVERS,
  type DeviceConfiguration,
  type DeviceDriver,
} from "../machine/peripheral_configuration.ts";
import { UsageError } from "./errors.ts";
import type { GuestModuleRequest, LoaderRequest, RequestDraft } from "./machine_request.ts";
import { wholeNumber } from "./options.ts";
import { eachProperty, number64, onOff, properties, type Property } from "./properties.ts";
import { suggestion } from "./suggest.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Names that QEMU takes for others, on a board with PCIe. */
const ALIASES: Readonly<Record<string, DeviceDriver>> = {
  "virtio-blk": "virtio-blk-pci",
  "virtio-net": "virtio-net-pci",
  "virtio-rng": "virtio-rng-pci",
  "virtio-serial": "virtio-serial-pci",
};

/** What is no device of its own on a bus. */
const OTHERS: Readonly<Record<string, (draft: RequestDraft, list: readonly Property[]) => void>> = {
  loader: ({ loaders }, list) => void loaders.push(loaderOf(list)),
  "guest-loader": ({ guestModules }, list) => void guestModules.push(guestModuleOf(list)),
  virtconsole: readConsolePort,
};

/** A device of a model with nothing said about it. */
export function plainDevice(driver: DeviceDriver): Writable<DeviceConfiguration> {
  return {
    driver,
    id: undefined,
    drive: undefined,
    netdev: undefined,
    mac: undefined,
    serial: undefined,
    slot: undefined,
    bootIndex: undefined,
  };
}

/** The model of a name or alias; throws UsageError, `option` before the name in its message. */
export function driverNamed(name: string, option: string): DeviceDriver {
  const driver = Object.hasOwn(ALIASES, name)
    ? ALIASES[name]
    : DEVICE_DRIVERS.find((known) => known === name);
  if (driver !== undefined) return driver;
  const known = [...DEVICE_DRIVERS, ...Object.keys(OTHERS)];
  throw new UsageError(
    `${option}${name} is not built: there are ${known.join(", ")}${
      suggestion(name, [...known, ...Object.keys(ALIASES)])
    }`,
  );
}

/** `-device`. */
export function readDevice(draft: RequestDraft, text: string): void {
  const [[, name] = ["", ""], ...list] = properties(text, "driver");
  if (Object.hasOwn(OTHERS, name)) return OTHERS[name]!(draft, list);
  draft.devices.push(deviceOf(driverNamed(name, "-device "), list));
}

const nothing = (): void => {};

/** `addr=SLOT` or `addr=SLOT.FUNCTION`, hexadecimal without need of 0x, as QEMU reads it. */
function slotOf(option: string, value: string): number {
  const [, digits = "", func = "0"] = /^(?:0x)?([0-9a-f]{1,2})(?:\.([0-7]))?$/i.exec(value) ?? [];
  const slot = parseInt(digits, 16);
  return slot >= 0 && slot <= 31 && func === "0" ? slot : refuseSlot(option, value);
}

/** Slot 0 is the host's, but on the buses of bridges. */
function refuseSlot(option: string, value: string): never {
  throw new UsageError(
    `${option}: addr is a slot from 1 to 0x1f, function 0, such as addr=0x3, not "${value}"`,
  );
}

/** `bootindex=`; −1 is none, as in QEMU. */
function bootIndexOf(option: string, value: string): number | undefined {
  return value === "-1" ? undefined : wholeNumber(value, `${option}: bootindex`, 0, 2 ** 31 - 1);
}

function macOf(option: string, value: string): string {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value)) return value.toLowerCase();
  throw new UsageError(`${option}: mac is six bytes such as 52:54:00:12:34:56, not "${value}"`);
}

/** A device, by the properties that its kind has. */
function deviceOf(driver: DeviceDriver, list: readonly Property[]): DeviceConfiguration {
  const option = `-device ${driver}`;
  const device = plainDevice(driver);
  const isPci = !driver.endsWith("-device") && driver !== "nvme-mmio";
  const takesDrive = driver.startsWith("nvme") || driver.startsWith("virtio-blk");
  const takesNetwork = driver.startsWith("virtio-net");
  const only = (key: string, wanted: string) => (value: string): void => {
    if (value !== wanted) {
      throw new UsageError(`${option}: only ${key}=${wanted} is possible, not ${key}=${value}`);
    }
  };
  // deno-fmt-ignore
  eachProperty(option, list, {
    id: (value) => void (device.id = value),
    ...((takesDrive || takesNetwork) && driver !== "nvme-mmio" ? {
      bootindex: (value: string) => void (device.bootIndex = bootIndexOf(option, value)),
    } : {}),
    ...(isPci ? {
      addr: (value: string) => void (device.slot = slotOf(option, value)),
      bus: (value: string) => void (value !== "pcie.0" && (device.bus = value)),
      romfile: nothing,
      "disable-legacy": nothing,
      ...(driver.includes("3130") ? { chassis: nothing, slot: nothing, port: nothing } : {}),
      "disable-modern": (value: string) => only("disable-modern", "off")(onOff(option, "disable-modern", value) ? "on" : "off"),
    } : {}),
    ...(takesDrive ? {
      drive: (value: string) => void (device.drive = value),
      serial: (value: string) => void (device.serial = value),
    } : {}),
    ...(takesNetwork ? {
      netdev: (value: string) => void (device.netdev = value),
      mac: (value: string) => void (device.mac = macOf(option, value)),
    } : {}),
    ...(driver.startsWith("virtio-rng") ? { rng: nothing } : {}),
  });
  if (device.slot === 0 && device.bus === undefined) refuseSlot(option, "0");
  if (takesDrive && device.drive === undefined) {
    throw new UsageError(`${option} needs drive=ID, the id of a -drive`);
  }
  if (takesNetwork && device.netdev === undefined) {
    throw new UsageError(`${option} needs netdev=ID, the id of a -netdev`);
  }
  return device;
}

/** `virtconsole`: the port that every virtio console here has. */
function readConsolePort({ configuration, devices, objects }: RequestDraft, list: readonly Property[]): void {
  const option = "-device virtconsole";
  eachProperty(option, list, {
    id: nothing,
    name: nothing,
    bus: nothing,
    nr: nothing,
    chardev: (value) => {
      const kind = objects.get(value);
      if (kind === "terminal") configuration.consoleInput = "virtio";
      else if (kind !== "chardev") {
        throw new UsageError(`${option}: there is no -chardev with id=${value}`);
      }
    },
  });
  if (!devices.some(({ driver }) => driver.startsWith("virtio-serial"))) {
    throw new UsageError(
      `${option} needs a bus before it: -device virtio-serial-pci or virtio-serial-device`,
    );
  }
}

/** The three forms that QEMU's loader has (docs/system/generic-loader). */
function loaderOf(list: readonly Property[]): LoaderRequest {
  const option = "-device loader";
  let path: string | undefined, address: number | undefined, cpu: number | undefined;
  let forceRaw = false, data: bigint | undefined, length: number | undefined, bigEndian = false;
  eachProperty(option, list, {
    file: (value) => void (path = value),
    addr: (value) => void (address = wholeNumber(value, `${option}: addr`, 0, 2 ** 48 - 1)),
    "cpu-num": (value) => void (cpu = wholeNumber(value, `${option}: cpu-num`, 0, 7)),
    "force-raw": (value) => void (forceRaw = onOff(option, "force-raw", value)),
    data: (value) => void (data = number64(option, "data", value)),
    "data-len": (value) => void (length = wholeNumber(value, `${option}: data-len`, 1, 8)),
    "data-be": (value) => void (bigEndian = onOff(option, "data-be", value)),
  });
  if (path !== undefined && data === undefined) {
    return { kind: "image", file: path, address: address ?? 0, forceRaw, cpu };
  }
  if (path === undefined && data !== undefined && length !== undefined && address !== undefined) {
    return { kind: "data", address, bytes: loaderData(data, length, bigEndian) };
  }
  if (path === undefined && data === undefined && address !== undefined && cpu !== undefined) {
    return { kind: "entry", address, cpu };
  }
  throw new UsageError(
    `${option} needs file=F, or data=N,data-len=BYTES,addr=A, or addr=A,cpu-num=N (and file= excludes data=)`,
  );
}

/** QEMU's guest-loader (docs/system/guest-loader). */
function guestModuleOf(list: readonly Property[]): GuestModuleRequest {
  const option = "-device guest-loader";
  let address: number | undefined, bootargs: string | undefined;
  const files: { kind: "kernel" | "initrd"; file: string }[] = [];
  eachProperty(option, list, {
    addr: (value) => void (address = wholeNumber(value, `${option}: addr`, 0, 2 ** 48 - 1)),
    kernel: (value) => void files.push({ kind: "kernel", file: value }),
    initrd: (value) => void files.push({ kind: "initrd", file: value }),
    bootargs: (value) => void (bootargs = value),
  });
  const [module] = files;
  if (address === undefined || module === undefined || files.length > 1) {
    throw new UsageError(`${option} needs addr=A and one of kernel=F and initrd=F`);
  }
  if (bootargs !== undefined && module.kind === "initrd") {
    throw new UsageError(`${option}: bootargs= goes with kernel=, not with initrd=`);
  }
  return { ...module, address, bootargs };
}
