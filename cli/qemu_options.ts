/** The options of QEMU that make a machine: one table, read into a configuration and the files it names. */
import type { ConfigurationInput, LoaderEntry } from "../machine/configuration.ts";
import { loaderData } from "../machine/boot.ts";
import { UsageError } from "./errors.ts";
import { type OptionRow, type Options, wholeNumber } from "./options.ts";
import { eachProperty, mebibytes, number64, onOff, properties, seconds } from "./properties.ts";

/** The parts of a boot that are files, by their name in the configuration. */
export const IMAGE_ROLES = ["bios", "kernel", "initrd", "dtb"] as const;

/** A part of a boot that is one file. */
export type ImageRole = (typeof IMAGE_ROLES)[number];

/** A `-device loader` whose file is not read yet, or one without a file. */
export type LoaderRequest =
  | (Omit<LoaderEntry & { kind: "image" }, "image"> & { readonly file: string })
  | Exclude<LoaderEntry, { kind: "image" }>;

/** The machine that a command line asks for, its files by name. */
export interface MachineRequest {
  /** All but what boots. */
  readonly configuration: ConfigurationInput;
  /** Files by role. */
  readonly files: Readonly<Partial<Record<ImageRole, string>>>;
  /** `-append`. */
  readonly append: string | undefined;
  /** `-device loader` in order. */
  readonly loaders: readonly LoaderRequest[];
  /** `-no-reboot`: a reset ends the recording. */
  readonly endsAtReset: boolean;
}

/** What is not a function of the command line, asked of the host once and then part of the configuration. */
export interface HostFacts {
  /** Seconds since 1970, for `-rtc base=utc`. */
  secondsNow(): number;
  /** A number below 2^53, for `-seed random`. */
  randomSeed(): number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A request being read. */
interface Draft extends Writable<MachineRequest> {
  configuration: Writable<ConfigurationInput>;
  files: Partial<Record<ImageRole, string>>;
  loaders: LoaderRequest[];
}

/** An option of QEMU: read, of no effect here, or not possible here with what to do instead. */
interface QemuRow extends OptionRow {
  readonly read: (draft: Draft, value: string, host: HostFacts) => void;
}

/** The option that is read, in messages. */
type Reader = QemuRow["read"];

const file = (role: ImageRole): Reader => (draft, value) => void (draft.files[role] = value);
const nothing: Reader = () => {};
const ignored = (): void => {};

/** Takes the values that QEMU may be given and that change nothing here, refuses others. */
function only(option: string, words: readonly string[], instead: string): Reader {
  return (_draft, value) => {
    if (!words.includes(value)) throw new UsageError(`${option} ${value} is not possible here: ${instead}`);
  };
}

function refuse(option: string, instead: string): Reader {
  return () => {
    throw new UsageError(`${option} is not possible here: ${instead}`);
  };
}

function readMachine({ configuration }: Draft, text: string): void {
  const flag = (key: "secure" | "virtualization" | "highmem") => (value: string): void => {
    configuration[key] = onOff("-M", key, value);
  };
  const onlyOff = (key: string) => (value: string): void => {
    if (onOff("-M", key, value)) throw new UsageError(`-M: ${key}=on is not built`);
  };
  eachProperty("-M", properties(text, "type"), {
    type: (value) => {
      if (value !== "virt") {
        throw new UsageError(`There is no machine "${value}": use -M virt`);
      }
    },
    secure: flag("secure"),
    virtualization: flag("virtualization"),
    highmem: flag("highmem"),
    "gic-version": (value) => {
      if (value !== "2") throw new UsageError(`-M: gic-version=${value} is not built; use gic-version=2`);
    },
    accel: (value) => accelerator(value),
    mte: onlyOff("mte"),
    ras: onlyOff("ras"),
    its: ignored,
    acpi: ignored,
    usb: ignored,
    graphics: ignored,
  });
}

function accelerator(text: string): void {
  const name = text.split(",")[0];
  if (name !== "tcg") {
    throw new UsageError(`-accel ${name} is not possible here: every run is emulated; leave -accel out`);
  }
}

/** A property of `-cpu max` that is always off here. */
const absent = (key: string) => (value: string): void => {
  if (onOff("-cpu", key, value)) throw new UsageError(`-cpu: ${key}=on is not built`);
};

/** A model, then properties; only those of `max` that choose among ours or turn off what is not here. */
function readCpu({ configuration }: Draft, text: string): void {
  const [[, name] = ["type", ""], ...list] = properties(text, "type");
  if (name !== "cortex-a57" && name !== "max") {
    throw new UsageError(`-cpu ${name} is not built: there are cortex-a57 and max; use -cpu cortex-a57`);
  }
  configuration.cpuModel = name;
  if (name !== "max" && list.length > 0) throw new UsageError(`-cpu ${name} takes no properties here`);
  eachProperty("-cpu", list, {
    "pauth-impdef": (value) => {
      configuration.cpuModel = onOff("-cpu", "pauth-impdef", value) ? "max,pauth-impdef=on" : "max";
    },
    sve: absent("sve"),
    sme: absent("sme"),
    lpa2: absent("lpa2"),
  });
}

function readCpus({ configuration }: Draft, text: string): void {
  eachProperty("-smp", properties(text, "cpus"), {
    cpus: (value) => void (configuration.cpus = wholeNumber(value, "-smp", 1, 8)),
  });
}

function readMemory({ configuration }: Draft, text: string): void {
  eachProperty("-m", properties(text, "size"), {
    size: (value) => void (configuration.memoryMiB = mebibytes("-m", value)),
  });
}

function readClock({ configuration }: Draft, text: string, host: HostFacts): void {
  eachProperty("-rtc", properties(text), {
    base: (value) =>
      void (configuration.rtcBase = value === "utc" ? host.secondsNow() : seconds("-rtc", value)),
    clock: (value) => {
      if (value !== "vm") {
        throw new UsageError(`-rtc: clock=${value} is not possible: there is only clock=vm`);
      }
    },
    driftfix: (value) => {
      if (value !== "none") {
        throw new UsageError(`-rtc: driftfix=${value} is not possible: nothing drifts here`);
      }
    },
  });
}

function readSemihosting({ configuration }: Draft, text: string): void {
  configuration.semihosting = true;
  eachProperty("-semihosting-config", properties(text, "enable"), {
    enable: (value) => void (configuration.semihosting = onOff("-semihosting-config", "enable", value)),
    target: (value) => {
      if (value === "native" || value === "auto") return;
      throw new UsageError(`-semihosting-config: target=${value} is not possible: use target=native`);
    },
  });
}

function readDevice({ loaders }: Draft, text: string): void {
  const [[, name] = ["", ""], ...list] = properties(text, "driver");
  if (name !== "loader") {
    throw new UsageError(
      `-device ${name} is not built: the board has what QEMU's virt has without options; there is only -device loader`,
    );
  }
  loaders.push(loaderOf(list.map(([key, value]) => [key, value])));
}

/** The three forms that QEMU's loader has (docs/system/generic-loader). */
function loaderOf(list: readonly (readonly [string, string])[]): LoaderRequest {
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

function readSeed({ configuration }: Draft, text: string, host: HostFacts): void {
  configuration.seed = text === "random" ? host.randomSeed() : wholeNumber(text, "-seed");
}

const NO_MONITOR = "commands are typed after Ctrl-A c";
const NO_DISKS =
  "disks, networks and flash from files are not built; firmware goes into flash with -bios FILE";

/** Every option of QEMU that is known, with what it does here. */
// deno-fmt-ignore
const TABLE: readonly QemuRow[] = [
  // Read.
  { name: "machine", aliases: ["M"], value: "virt[,P=V…]",  read: readMachine,     help: "the machine; P: secure, virtualization, highmem on|off, gic-version=2" },
  { name: "cpu",                     value: "MODEL",        read: readCpu,         help: "cortex-a57, max or max,pauth-impdef=on" },
  { name: "smp",                     value: "N",            read: readCpus,        help: "number of CPUs, 1 to 8 (default 1)" },
  { name: "m",                       value: "SIZE",         read: readMemory,      help: "RAM: 128M, 1G, or a number in MiB (default 128)" },
  { name: "bios",                    value: "FILE",         read: file("bios"),    help: "firmware, into the first flash bank" },
  { name: "kernel",                  value: "FILE",         read: file("kernel"),  help: "kernel: flat, arm64 Image or ELF" },
  { name: "initrd",                  value: "FILE",         read: file("initrd"),  help: "initial RAM disk" },
  { name: "append",                  value: "TEXT",         read: (draft, value) => void (draft.append = value), help: "the kernel's command line" },
  { name: "dtb",                     value: "FILE",         read: file("dtb"),     help: "a device tree in place of the machine's own" },
  { name: "device",                  value: "loader,…",     read: readDevice,      help: "file=F[,addr=A][,cpu-num=N][,force-raw=on] | addr=A,data=N,data-len=L | addr=A,cpu-num=N" },
  { name: "rtc",                     value: "base=TIME",    read: readClock,       help: "power-on time: utc or 2026-01-01T00:00:00 (the default)" },
  { name: "seed",                    value: "N",            read: readSeed,        help: "number from which all randomness derives, or random (default 0)" },
  { name: "semihosting",                                    read: (draft) => void (draft.configuration.semihosting = true), help: "HLT #0xF000 is a semihosting call" },
  { name: "semihosting-config",      value: "enable=on",    read: readSemihosting, help: "the same, with target=native" },
  { name: "no-reboot",                                      read: (draft) => void (draft.endsAtReset = true), help: "a reset of the machine ends the recording" },
  // Accepted, and without effect: what they ask for is what there is.
  { name: "nographic",                                      read: nothing,         help: "no effect: there is no display" },
  { name: "nodefaults",                                     read: nothing,         help: "no effect: there are no default devices" },
  { name: "no-user-config",                                 read: nothing,         help: "no effect: there are no configuration files" },
  { name: "accel",                   value: "tcg",          read: (_draft, value) => accelerator(value), help: "no effect: every run is emulated" },
  { name: "serial",                  value: "stdio",        read: only("-serial", ["stdio", "mon:stdio"], "the serial port is the terminal; leave it out"), help: "no effect: the first serial port is the terminal" },
  { name: "monitor",                 value: "none",         read: only("-monitor", ["none"], NO_MONITOR), help: "no effect" },
  { name: "display",                 value: "none",         read: only("-display", ["none"], "there is no display"), help: "no effect" },
  { name: "parallel",                value: "none",         read: only("-parallel", ["none"], "there is no parallel port"), help: "no effect" },
  { name: "vga",                     value: "none",         read: only("-vga", ["none"], "there is no display"), help: "no effect" },
  { name: "nic",                     value: "none",         read: only("-nic", ["none"], "networks are not built"), help: "no effect" },
  { name: "net",                     value: "none",         read: only("-net", ["none"], "networks are not built"), help: "no effect" },
  // Refused, with what to do.
  { name: "drive",                   value: "…",            read: refuse("-drive", NO_DISKS),    help: "refused: use -bios for firmware" },
  { name: "pflash",                  value: "FILE",         read: refuse("-pflash", NO_DISKS),   help: "refused: use -bios for firmware" },
  { name: "blockdev",                value: "…",            read: refuse("-blockdev", NO_DISKS), help: "refused: disks are not built" },
  { name: "netdev",                  value: "…",            read: refuse("-netdev", NO_DISKS),   help: "refused: networks are not built" },
  { name: "chardev",                 value: "…",            read: refuse("-chardev", "the serial port is the terminal"), help: "refused: the serial port is the terminal" },
  { name: "object",                  value: "…",            read: refuse("-object", "nothing here is built from objects"), help: "refused" },
  { name: "global",                  value: "…",            read: refuse("-global", "devices have no properties to set"), help: "refused" },
  { name: "enable-kvm",                                     read: refuse("-enable-kvm", "every run is emulated; leave it out"), help: "refused: every run is emulated" },
  { name: "icount",                  value: "…",            read: refuse("-icount", "every run counts its steps; leave it out"), help: "refused: every run counts its steps" },
  { name: "d",                       value: "…",            read: refuse("-d", "record, then use `hindsight events`"), help: "refused: use `hindsight events`" },
  { name: "D",                       value: "FILE",         read: refuse("-D", "record, then use `hindsight events`"), help: "refused: use `hindsight events`" },
  { name: "S",                                              read: refuse("-S", "record, then look at any instant with `hindsight state`"), help: "refused: use `hindsight state`" },
  { name: "gdb",                     value: "…",            read: refuse("-gdb", "record, then look at any instant with `hindsight state`"), help: "refused: use `hindsight state`" },
  { name: "s",                                              read: refuse("-s", "record, then look at any instant with `hindsight state`"), help: "refused: use `hindsight state`" },
];

/** The options of QEMU for `readOptions` and help texts; every one with a value may be repeated. */
export const QEMU_OPTIONS: readonly OptionRow[] = TABLE.map(({ read: _read, ...row }) => ({
  ...row,
  ...(row.value === undefined ? {} : { repeats: true }),
}));

/** Reads the machine that a command line asks for; throws UsageError naming the option and what is possible. */
export function machineRequest(options: Options, host: HostFacts): MachineRequest {
  const draft: Draft = {
    configuration: {},
    files: {},
    append: undefined,
    loaders: [],
    endsAtReset: false,
  };
  for (const { name, value, read } of TABLE) {
    if (value === undefined) {
      if (options.isOn(name)) read(draft, "", host);
    } else {
      for (const text of options.texts(name)) read(draft, text, host);
    }
  }
  return draft;
}
