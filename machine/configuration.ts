/** The machine's configuration: with the images it names and the inputs, all that a run is a function of. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { CPU_MODELS, type CpuModel } from "./a64/feature.ts";
import { ConfigurationError } from "./errors.ts";
import {
  completeDevice,
  completeNetwork,
  type DeviceConfiguration,
  devices,
  type DriveConfiguration,
  drives,
  flashImage,
  type FlashReference,
  image,
  type ImageReference,
  type NetworkConfiguration,
  networks,
} from "./peripheral_configuration.ts";

/**
 * Version of the machine's behaviour: raised by every change after which a committed journal has another root
 * (design: versions). Equality on replay is promised within one version.
 */
export const BEHAVIOUR_VERSION = 3;

/** Most RAM in MiB: it shares one WebAssembly memory of 4 GiB with flash and CPU state. */
export const MAXIMUM_MEMORY_MIB = 3072;

/** Default power-on time of the real-time clock, 2026-01-01T00:00:00Z, in seconds since 1970. */
export const DEFAULT_RTC_BASE = 1767225600;

/** What `--strict` makes visible: TLBs, instruction caches, the data cache, unsynchronized register writes. */
export const STRICT_MODELS = ["tlb", "icache", "dcache", "context"] as const;

/** How a kernel that is entered directly brings its other CPUs up: by PSCI, or by a word in memory for each. */
export const ENABLE_METHODS = ["psci", "spin-table"] as const;

/** The name of an enable method, as in the device tree. */
export type EnableMethod = (typeof ENABLE_METHODS)[number];

/** What `--stop-at` ends a run at. */
export const STOPPERS = ["vector-loop"] as const;

/** The name of what ends a run. */
export type StopperName = (typeof STOPPERS)[number];

/** Devices of the board that can be taken off its bus and put back, by the names of their rows. */
export const DETACHABLE_NAMES = ["uart0", "uart1", "rtc"] as const;

/** A device that can be taken off the bus. */
export type DetachableName = (typeof DETACHABLE_NAMES)[number];

/** The name of a strict model. */
export type StrictModelName = (typeof STRICT_MODELS)[number];

export type { ImageReference } from "./peripheral_configuration.ts";

/** What one `-device loader` option asks for. */
export type LoaderEntry =
  /** A file: ELF by its headers, anything else (or with `forceRaw`) as raw bytes at `address`; `cpu` starts there. */
  | {
    readonly kind: "image";
    readonly image: ImageReference;
    readonly address: number;
    readonly forceRaw: boolean;
    readonly cpu: number | undefined;
  }
  /** Bytes, as hexadecimal digits in memory order, at most 8 (see `loaderData` in boot.ts). */
  | { readonly kind: "data"; readonly address: number; readonly bytes: string }
  /** The address where a CPU starts. */
  | { readonly kind: "entry"; readonly address: number; readonly cpu: number };

/** `-device guest-loader`: what a hypervisor is to start, described in the device tree's /chosen node. */
export interface GuestModule {
  /** What the hypervisor is to take it for. */
  readonly kind: "kernel" | "initrd";
  /** Its bytes, as they are. */
  readonly image: ImageReference;
  /** Physical address. */
  readonly address: number;
  /** `bootargs=`: the command line of a kernel. */
  readonly bootargs: string | undefined;
}

/** `-fw_cfg`: a file that firmware and Linux find in fw_cfg by its name. */
export type FirmwareFile =
  /** `string=`: its bytes are those of the text. */
  | { readonly kind: "text"; readonly name: string; readonly text: string }
  /** `file=`. */
  | { readonly kind: "image"; readonly name: string; readonly image: ImageReference };

/** What is in memory at power-on, and where CPUs start. */
export interface BootConfiguration {
  /** `-bios`: contents of the first flash bank. */
  readonly bios: ImageReference | undefined;
  /** `-pflash`, first and second: contents of the flash banks at power-on, whole banks. */
  readonly pflash: readonly FlashReference[];
  /** `-kernel`: a flat image, an arm64 Image or an ELF file. */
  readonly kernel: ImageReference | undefined;
  /** `-initrd`. */
  readonly initrd: ImageReference | undefined;
  /** `-append`: the kernel's command line. */
  readonly append: string | undefined;
  /** `-dtb`: a device tree that takes the place of the machine's own. */
  readonly dtb: ImageReference | undefined;
  /** `-device loader` in the order given. */
  readonly loaders: readonly LoaderEntry[];
  /** `-device guest-loader` in the order given. */
  readonly guestModules: readonly GuestModule[];
  /** `-fw_cfg` in the order given. */
  readonly firmwareFiles: readonly FirmwareFile[];
}

/** A system of a monitor, and how it is set up; what there is, the hypervisor knows. */
export interface MonitorSystemConfiguration {
  /** Its slug, such as `time-scale`. */
  readonly name: string;
  /** Options by name, as given. */
  readonly options: Readonly<Record<string, string>>;
}

/** `--monitor`: software at a level that is written in TypeScript. */
export interface MonitorConfiguration {
  /** The exception level that is its own. */
  readonly level: 2 | 3;
  /** What it does beside hosting its guest, in the order given. */
  readonly systems: readonly MonitorSystemConfiguration[];
}

/** Everything but images and inputs that decides a run. */
export interface MachineConfiguration {
  /** BEHAVIOUR_VERSION of the build that made it. */
  readonly behaviour: number;
  /** `-M`; only `virt`. */
  readonly machine: "virt";
  /** `-M virt,secure=on`: EL3 and the Secure devices exist. */
  readonly secure: boolean;
  /** `-M virt,virtualization=on`: EL2 and the interrupt controller's virtual interfaces exist. */
  readonly virtualization: boolean;
  /** `-M virt,gic-version=`. */
  readonly gicVersion: 2 | 3;
  /** `-M virt,its=`: a GICv3 has an Interrupt Translation Service. */
  readonly its: boolean;
  /** `-M virt,highmem=`; moves PCIe windows only, so nothing depends on it yet. */
  readonly highmem: boolean;
  /** `-cpu`. */
  readonly cpuModel: CpuModel;
  /** `-smp`: 1–8 CPUs. */
  readonly cpus: number;
  /** `-m` in MiB: 1–MAXIMUM_MEMORY_MIB. */
  readonly memoryMiB: number;
  /** Virtual nanoseconds of a step. */
  readonly nanosecondsPerStep: number;
  /** Steps of a turn, at least 64. */
  readonly quantum: number;
  /** When given, quanta and order of turns are drawn from it. */
  readonly scheduleSeed: number | undefined;
  /** `-rtc base=`: the real-time clock at power-on, in seconds since 1970. */
  readonly rtcBase: number;
  /** `-seed`: device-tree seeds and the like derive from it. */
  readonly seed: number;
  /** Steps between two root blocks. */
  readonly rootInterval: number;
  /** HLT #0xF000 is a semihosting call. */
  readonly semihosting: boolean;
  /** `--strict`: what is modelled as the architecture allows instead of as it usually behaves; in table order. */
  readonly strictModels: readonly StrictModelName[];
  /** `--enable-method`: what the device tree says of CPUs, and whether those but the first start to wait in memory. */
  readonly enableMethod: EnableMethod;
  /** `-drive` in the order given. */
  readonly drives: readonly DriveConfiguration[];
  /** `-netdev` in the order given. */
  readonly networks: readonly NetworkConfiguration[];
  /** `-device` in the order given, but for loaders. */
  readonly devices: readonly DeviceConfiguration[];
  /** Registers of virtio-mmio are legacy ones, as QEMU gives them unless `-global virtio-mmio.force-legacy=off`. */
  readonly virtioMmioLegacy: boolean;
  /** What the terminal is connected to: the first serial port, the second, or the first virtio console for its input. */
  readonly consoleInput: "uart0" | "uart1" | "virtio";
  /** `-M virt,uart1=on`: a second serial port, where QEMU 9.1 and later have it; never false. */
  readonly uart1: boolean | undefined;
  /** `-M virt,secure-ram=on`: the Secure memory that comes with secure=on, for a monitor at EL3; never false. */
  readonly secureRam: boolean | undefined;
  /** `-M virt,unplugged=…`: devices that the device tree names and that nothing answers for at power-on; absent without. */
  readonly unplugged: readonly DetachableName[] | undefined;
  /** `-M virt,rootports=`: 1 to 4 root ports without ECAM in place of the PCI Express host; absent without. */
  readonly rootPorts: number | undefined;
  /** `-M virt,virtual-timer=off`: false where the device tree does not name the virtual timer's interrupt; never true. */
  readonly virtualTimer: boolean | undefined;
  /** `--monitor` for each level that has one; absent without. */
  readonly monitors: readonly MonitorConfiguration[] | undefined;
  /** `--stop-at`: what ends the run with an event; absent without. */
  readonly stopAt: readonly StopperName[] | undefined;
  /** Images, command line and entry. */
  readonly boot: BootConfiguration;
}

const address = z.int().min(0).max(2 ** 48 - 1);
const cpuIndex = z.int().min(0).max(7);
const u32 = z.int().min(0).max(2 ** 32 - 1);
const positive = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const loader = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("image"),
    image,
    address: address.default(0),
    forceRaw: z.boolean().default(false),
    cpu: cpuIndex.optional(),
  }),
  z.strictObject({ kind: z.literal("data"), address, bytes: z.string().regex(/^([0-9a-f]{2}){1,8}$/) }),
  z.strictObject({ kind: z.literal("entry"), address, cpu: cpuIndex }),
]);

const commandLine = z.string().max(65536).regex(/^[^\0]*$/, "holds a zero byte");

const guestModule = z.strictObject({
  kind: z.enum(["kernel", "initrd"]),
  image,
  address,
  bootargs: commandLine.optional(),
});

/** Files that fit beside the board's own in fw_cfg's directory of 32. */
const FIRMWARE_FILES_MAX = 24;

const firmwareFileName = z.string().regex(
  /^[\x21-\x7e]{1,55}$/,
  "not a name of 1 to 55 printable characters",
);

const firmwareFile = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), name: firmwareFileName, text: commandLine }),
  z.strictObject({ kind: z.literal("image"), name: firmwareFileName, image }),
]);

const word = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "not a name of lower-case letters, digits and -");

const monitor = z.strictObject({
  level: z.union([z.literal(2), z.literal(3)], { error: "monitors are at level 2 or 3" }),
  systems: z.array(z.strictObject({
    name: word,
    options: z.record(word, z.string().max(1024)).default({}),
  })).max(32).default([]),
});

const boot = z.strictObject({
  bios: image.optional(),
  pflash: z.array(flashImage).max(2, "there are two flash banks").default([]),
  kernel: image.optional(),
  initrd: image.optional(),
  append: commandLine.optional(),
  dtb: image.optional(),
  loaders: z.array(loader).max(256).default([]),
  guestModules: z.array(guestModule).max(64).default([]),
  firmwareFiles: z.array(firmwareFile).max(FIRMWARE_FILES_MAX, `at most ${FIRMWARE_FILES_MAX} files`).default(
    [],
  ),
});

/** Only one value is possible; `why` says what there is and what not. */
function only<const T extends string | number>(value: T, why: string): z.ZodDefault<z.ZodLiteral<T>> {
  return z.literal(value, { error: why }).default(value as never) as never;
}

/** One line for each option: its range and its default. */
// deno-fmt-ignore
const schema = z.strictObject({
  behaviour:          u32.default(BEHAVIOUR_VERSION),
  machine:            only("virt", "only -M virt can be built"),
  secure:             z.boolean().default(false),
  virtualization:     z.boolean().default(false),
  gicVersion:         z.union([z.literal(2), z.literal(3)], { error: "there are gic-version=2 and gic-version=3" }).default(2),
  its:                z.boolean().default(true),
  highmem:            z.boolean().default(true),
  cpuModel:           z.enum(CPU_MODELS, { error: `there are ${CPU_MODELS.join("; ")}` }).default(CPU_MODELS[0]),
  cpus:               z.int().min(1).max(8, "at most 8 CPUs").default(1),
  memoryMiB:          z.int().min(1).max(MAXIMUM_MEMORY_MIB,
    "at most 3 GiB of RAM fit beside flash in one WebAssembly memory of 4 GiB; use -m 3G or less").default(128),
  nanosecondsPerStep: z.int().min(1).max(1_000_000_000).default(8),
  quantum:            z.int().min(64, "a turn has at least 64 steps").max(2 ** 32 - 1).default(10_000),
  scheduleSeed:       u32.optional(),
  rtcBase:            u32.default(DEFAULT_RTC_BASE),
  seed:               z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  rootInterval:       positive.default(2 ** 25),
  semihosting:        z.boolean().default(false),
  strictModels:       z.array(z.enum(STRICT_MODELS, `the strict models are ${STRICT_MODELS.join(", ")}`)).max(64).default([])
    .transform((given) => STRICT_MODELS.filter((name) => given.includes(name))),
  enableMethod:       z.enum(ENABLE_METHODS, `there are ${ENABLE_METHODS.join(" and ")}`).default("psci"),
  drives,
  networks,
  devices,
  virtioMmioLegacy:   z.boolean().default(true),
  consoleInput:       z.enum(["uart0", "uart1", "virtio"]).default("uart0"),
  uart1:              z.boolean().transform((wanted) => wanted ? true : undefined).optional(),
  secureRam:          z.boolean().transform((wanted) => wanted ? true : undefined).optional(),
  unplugged:          z.array(z.enum(DETACHABLE_NAMES, `there are ${DETACHABLE_NAMES.join(", ")}`)).min(1).max(8).optional()
    .transform((given) => given && DETACHABLE_NAMES.filter((name) => given.includes(name))),
  rootPorts:          z.int().min(0).max(4, "at most 4 root ports").transform((count) => count === 0 ? undefined : count).optional(),
  virtualTimer:       z.boolean().transform((named) => named ? undefined : false).optional(),
  monitors:           z.array(monitor).min(1).max(2, "there are two levels for monitors").optional(),
  stopAt:             z.array(z.enum(STOPPERS, `a run can stop at ${STOPPERS.join(", ")}`)).min(1).max(8).optional(),
  boot:               boot.default({ pflash: [], loaders: [], guestModules: [], firmwareFiles: [] }),
});

/** A configuration as given: everything that has a default may be left out. */
export type ConfigurationInput =
  & Partial<Omit<MachineConfiguration, "boot">>
  & { readonly boot?: Partial<BootConfiguration> };

/** Puts `undefined` where an optional value is absent, so that every key is there. */
function complete(parsed: z.output<typeof schema>): MachineConfiguration {
  const { bios, pflash, kernel, initrd, append, dtb, loaders, guestModules, firmwareFiles } = parsed.boot;
  return {
    ...parsed,
    scheduleSeed: parsed.scheduleSeed,
    virtualTimer: parsed.virtualTimer,
    uart1: parsed.uart1,
    secureRam: parsed.secureRam,
    rootPorts: parsed.rootPorts,
    unplugged: parsed.unplugged,
    monitors: parsed.monitors,
    stopAt: parsed.stopAt,
    networks: parsed.networks.map(completeNetwork),
    devices: parsed.devices.map(completeDevice),
    boot: {
      bios,
      pflash,
      kernel,
      initrd,
      append,
      dtb,
      loaders: loaders.map((entry) => entry.kind === "image" ? { ...entry, cpu: entry.cpu } : entry),
      guestModules: guestModules.map((module) => ({ ...module, bootargs: module.bootargs })),
      firmwareFiles,
    },
  };
}

/**
 * Checks an untrusted configuration and fills in defaults; throws ConfigurationError naming each wrong option, what
 * it is and what is possible. That the combination can be built and its images fit is checked by the board and `planBoot`.
 */
export function parseConfiguration(value: ConfigurationInput | unknown): MachineConfiguration {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
    throw new ConfigurationError(`Cannot use the machine configuration: ${issues.join("; ")}`);
  }
  return complete(parsed.data);
}

/** JSON with sorted keys, without absent values and without the names of images. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  const isImage = "sha256" in value;
  const entries = Object.entries(value)
    .filter(([key, inner]) => inner !== undefined && !(isImage && key === "name"))
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([key, inner]) => [key, canonical(inner)]);
  return Object.fromEntries(entries);
}

/** The bytes that stand for a configuration: the same for configurations that give the same runs. */
export function configurationBytes(configuration: MachineConfiguration): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(canonical(configuration)));
}

/** SHA-256 of `configurationBytes`, as 64 hexadecimal digits. */
export function configurationHash(configuration: MachineConfiguration): string {
  return createHash("sha256").update(configurationBytes(configuration)).digest("hex");
}
