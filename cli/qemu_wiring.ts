/** What refers to what on a command line: objects, global properties, and the check that every end has its other end. */
import type { DeviceConfiguration } from "../machine/peripheral_configuration.ts";
import { UsageError } from "./errors.ts";
import type { MachineRequest, RequestDraft } from "./machine_request.ts";
import { eachProperty, onOff, properties } from "./properties.ts";
import { suggestion } from "./suggest.ts";

const nothing = (): void => {};

/** `-object`: sources of entropy, which here is drawn from the seed whatever they are. */
export function readObject({ objects }: RequestDraft, text: string): void {
  const [[, kind] = ["", ""], ...list] = properties(text, "qom-type");
  const kinds = ["rng-random", "rng-builtin"];
  if (!kinds.includes(kind)) {
    throw new UsageError(
      `-object ${kind} is not possible here: there are ${kinds.join(", ")}${suggestion(kind, kinds)}`,
    );
  }
  let id: string | undefined;
  eachProperty(`-object ${kind}`, list, { id: (value) => void (id = value), filename: nothing });
  addObject(objects, "-object", id, text, "rng");
}

/** `-chardev`: nobody at the other end, or the terminal, whose input then no longer goes to the serial port. */
export function readChardev({ objects }: RequestDraft, text: string): void {
  const [[, kind] = ["", ""], ...list] = properties(text, "backend");
  if (kind !== "null" && kind !== "stdio") {
    throw new UsageError(
      `-chardev ${kind} is not possible here: there are null and stdio, which is the terminal`,
    );
  }
  let id: string | undefined;
  eachProperty(`-chardev ${kind}`, list, { id: (value) => void (id = value), mux: nothing, signal: nothing });
  addObject(objects, "-chardev", id, text, kind === "stdio" ? "terminal" : "chardev");
}

/** `-serial`: the terminal, for one of two ports, or nobody. */
export function readSerial({ serialPorts, configuration }: RequestDraft, text: string): void {
  const isTerminal = text === "stdio" || text === "mon:stdio";
  if (!isTerminal && text !== "null" && text !== "none") {
    throw new UsageError(
      `-serial ${text} is not possible here: there are stdio, mon:stdio, null and none; the first port is the terminal`,
    );
  }
  if (serialPorts.push(text) > 2) {
    throw new UsageError("-serial is given more than twice: there are two ports");
  }
  if (serialPorts.length < 2 || !isTerminal) return;
  if (/stdio/.test(serialPorts[0] as string)) {
    throw new UsageError("-serial: the terminal can be one port only; use -serial null -serial stdio");
  }
  configuration.consoleInput = "uart1";
}

function addObject(
  objects: RequestDraft["objects"],
  option: string,
  id: string | undefined,
  text: string,
  kind: "rng" | "chardev" | "terminal",
): void {
  if (id === undefined || id === "") throw new UsageError(`${option} ${text} needs id=NAME`);
  if (objects.has(id)) throw new UsageError(`${option}: id=${id} is given twice`);
  objects.set(id, kind);
}

/** Properties that `-global` may set, with the only value that is possible. */
const GLOBALS: Readonly<Record<string, boolean>> = {
  "virtio-pci.disable-modern": false,
  "virtio-pci.disable-legacy": true,
};

/** `-global`. */
export function readGlobal({ configuration }: RequestDraft, text: string): void {
  const rows = Object.entries(GLOBALS).map(([key, wanted]) =>
    [key, (value: string): void => {
      if (onOff("-global", key, value) === wanted) return;
      throw new UsageError(
        `-global ${key}=${value} is not built: virtio is 1.0 here; use ${key}=${wanted ? "on" : "off"}`,
      );
    }] as const
  );
  eachProperty("-global", properties(text), {
    "virtio-mmio.force-legacy": (value) =>
      void (configuration.virtioMmioLegacy = onOff("-global", "virtio-mmio.force-legacy", value)),
    ...Object.fromEntries(rows),
  });
}

/** The one that has an id, if any; the error names the ids that there are. */
function refuseMissing(device: DeviceConfiguration, key: "drive" | "netdev", known: readonly string[]): void {
  const wanted = device[key];
  if (wanted === undefined || known.includes(wanted)) return;
  throw new UsageError(
    `-device ${device.driver}: there is no -${key} with id=${wanted}; there are ${
      known.join(", ") || "none"
    }${suggestion(wanted, known)}`,
  );
}

/** Other buses than the board's own are root ports', and switches' below them. */
function refuseBus({ driver, bus }: DeviceConfiguration, rootPorts: number): void {
  if (bus === undefined || rootPorts > 0) return;
  throw new UsageError(
    `-device ${driver}: only bus=pcie.0 is possible, not bus=${bus}; rootports=2 of -M virt gives rootport0 and rootport1`,
  );
}

/** Nothing is in two devices. */
function refuseShared(
  devices: readonly DeviceConfiguration[],
  key: "drive" | "netdev" | "id" | "slot" | "bootIndex",
): void {
  const takers = new Map<string | number, string>();
  for (const { driver, [key]: value } of devices) {
    if (value === undefined) continue;
    const other = takers.get(value);
    if (other !== undefined) {
      const name = key === "slot" ? `addr=0x${value.toString(16)}` : `${key.toLowerCase()}=${value}`;
      throw new UsageError(`-device ${driver}: ${name} is taken already, by ${other}`);
    }
    takers.set(value, driver);
  }
}

/** Names that sections and events can have. */
function refuseOddIds(option: string, things: readonly { readonly id: string | undefined }[]): void {
  for (const { id } of things) {
    if (id === undefined || /^[A-Za-z][A-Za-z0-9_.-]{0,27}$/.test(id)) continue;
    throw new UsageError(
      `${option}: id=${id.slice(0, 40)} is no name: a letter, then up to 27 letters, digits, _ . or -`,
    );
  }
}

/** Ends the reading of a command line: what refers to something must find it. Throws UsageError. */
export function finishRequest(draft: RequestDraft): MachineRequest {
  const { cards, devices, disks, flash, objects: _, debugPort, startsHalted, ...rest } = draft;
  const all = [...cards, ...devices, ...disks];
  refuseOddIds("-drive", draft.drives);
  refuseOddIds("-netdev", draft.networks);
  refuseOddIds("-device", all);
  for (const device of all) {
    refuseMissing(device, "drive", draft.drives.map(({ id }) => id));
    refuseMissing(device, "netdev", draft.networks.map(({ id }) => id));
    refuseBus(device, draft.configuration.rootPorts ?? 0);
  }
  for (const key of ["drive", "netdev", "id", "bootIndex"] as const) refuseShared(all, key);
  refuseShared(all.filter(({ bus }) => bus === undefined), "slot");
  if (flash.length > 0 && flash[0] === undefined) {
    throw new UsageError(`-drive: flash bank unit=1 needs one with unit=0, the firmware`);
  }
  if (flash.length > 0 && draft.files.bios !== undefined) {
    throw new UsageError("-bios and -pflash both fill the first flash bank: give one of them");
  }
  if (startsHalted && debugPort === undefined) {
    throw new UsageError("-S waits for gdb to say go: give -s or -gdb tcp::PORT as well");
  }
  const debug = debugPort === undefined ? undefined : { port: debugPort, startsHalted };
  return { ...rest, devices: all, flash: flash.filter((file) => file !== undefined), debug };
}
