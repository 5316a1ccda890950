/** The machine that a command line asks for, before any file is read. */
import type { ConfigurationInput, FirmwareFile, GuestModule, LoaderEntry } from "../machine/configuration.ts";
import type { DeviceConfiguration } from "../machine/peripheral_configuration.ts";

/** The parts of a boot that are files, by their name in the configuration. */
export const IMAGE_ROLES = ["bios", "kernel", "initrd", "dtb"] as const;

/** A part of a boot that is one file. */
export type ImageRole = (typeof IMAGE_ROLES)[number];

/** A `-device loader` whose file is not read yet, or one without a file. */
export type LoaderRequest =
  | (Omit<LoaderEntry & { kind: "image" }, "image"> & { readonly file: string })
  | Exclude<LoaderEntry, { kind: "image" }>;

/** A `-device guest-loader` whose file is not read yet. */
export type GuestModuleRequest = Omit<GuestModule, "image"> & { readonly file: string };

/** A `-fw_cfg` whose file is not read yet, or one that is a text. */
export type FirmwareFileRequest =
  | (Omit<FirmwareFile & { kind: "image" }, "image"> & { readonly file: string })
  | Exclude<FirmwareFile, { kind: "image" }>;

/** How a disk's file is to be read. */
export type DiskFormat = "raw" | "qcow2";

/** A `-drive` whose file is not read yet. */
export interface DriveRequest {
  /** `id=`, or one made up as QEMU does. */
  readonly id: string;
  /** `file=`. */
  readonly file: string;
  /** `format=`; found out from the file when absent. */
  readonly format: DiskFormat | undefined;
  /** `readonly=on`. */
  readonly readOnly: boolean;
}

/** A flash bank whose file is not read yet. */
export interface FlashRequest {
  /** Its contents at power-on. */
  readonly file: string;
  /** `readonly=on`. */
  readonly readOnly: boolean;
}

/** An address of UDP on the host. */
export interface UdpAddress {
  /** Name or number. */
  readonly host: string;
  /** 1–65535; 0 for any, of a local address only. */
  readonly port: number;
}

/** A `-netdev`; what is of the host only, addresses and folders, does not enter the configuration. */
export type NetworkRequest =
  | {
    readonly kind: "user";
    readonly id: string;
    /** `tftp=`: its files are served. */
    readonly folder: string | undefined;
    /** `bootfile=`. */
    readonly bootFile: string | undefined;
  }
  | {
    readonly kind: "bridge";
    readonly id: string;
    /** Where frames are received. */
    readonly local: UdpAddress;
    /** Where frames are sent to. */
    readonly remote: UdpAddress;
  }
  | { readonly kind: "link"; readonly id: string };

/** How gdb is to watch the machine run. */
export interface DebugRequest {
  /** A port of this computer; 0 for one that is free. */
  readonly port: number;
  /** `-S`: nothing runs before gdb says so. */
  readonly startsHalted: boolean;
}

/** The machine that a command line asks for, its files by name. */
export interface MachineRequest {
  /** All but what boots and what is plugged in. */
  readonly configuration: ConfigurationInput;
  /** Files by role. */
  readonly files: Readonly<Partial<Record<ImageRole, string>>>;
  /** `-append`. */
  readonly append: string | undefined;
  /** `-device loader` in order. */
  readonly loaders: readonly LoaderRequest[];
  /** `-device guest-loader` in order. */
  readonly guestModules: readonly GuestModuleRequest[];
  /** `-fw_cfg` in order. */
  readonly firmwareFiles: readonly FirmwareFileRequest[];
  /** `-pflash` and `-drive if=pflash`: contents of the flash banks. */
  readonly flash: readonly FlashRequest[];
  /** `-drive` in order. */
  readonly drives: readonly DriveRequest[];
  /** `-netdev` and `-nic` in order. */
  readonly networks: readonly NetworkRequest[];
  /** What is plugged in, in order: cards of `-nic`, `-device`, disks of `-drive if=virtio`. */
  readonly devices: readonly DeviceConfiguration[];
  /** `-no-reboot`: a reset ends the recording. */
  readonly endsAtReset: boolean;
  /** `-gdb` or `-s`, with `-S`; it changes no result. */
  readonly debug: DebugRequest | undefined;
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
export interface RequestDraft {
  /** As in the request. */
  readonly configuration: Writable<ConfigurationInput>;
  /** As in the request. */
  readonly files: Partial<Record<ImageRole, string>>;
  /** As in the request. */
  append: string | undefined;
  /** As in the request. */
  readonly loaders: LoaderRequest[];
  /** As in the request. */
  readonly guestModules: GuestModuleRequest[];
  /** As in the request. */
  readonly firmwareFiles: FirmwareFileRequest[];
  /** By bank; a bank may be missing until all is read. */
  readonly flash: (FlashRequest | undefined)[];
  /** As in the request. */
  readonly drives: DriveRequest[];
  /** As in the request. */
  readonly networks: NetworkRequest[];
  /** Cards of `-nic`, which come before `-device`. */
  readonly cards: DeviceConfiguration[];
  /** `-device`. */
  readonly devices: DeviceConfiguration[];
  /** Disks of `-drive if=virtio`, which come after `-device`. */
  readonly disks: DeviceConfiguration[];
  /** Names of `-object` and `-chardev`, by kind; devices refer to them. */
  readonly objects: Map<string, "rng" | "chardev" | "terminal">;
  /** `-serial` in order. */
  readonly serialPorts: string[];
  /** As in the request. */
  endsAtReset: boolean;
  /** `-gdb` or `-s`. */
  debugPort: number | undefined;
  /** `-S`. */
  startsHalted: boolean;
}

/** A request in which nothing was asked for. */
export function emptyDraft(): RequestDraft {
  return {
    configuration: {},
    files: {},
    append: undefined,
    loaders: [],
    guestModules: [],
    firmwareFiles: [],
    flash: [],
    drives: [],
    networks: [],
    cards: [],
    devices: [],
    disks: [],
    objects: new Map(),
    serialPorts: [],
    endsAtReset: false,
    debugPort: undefined,
    startsHalted: false,
  };
}

/** What reads an option's value into a draft; throws UsageError. */
export type OptionReader = (draft: RequestDraft, value: string, host: HostFacts) => void;
