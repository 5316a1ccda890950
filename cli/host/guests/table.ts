/** The table of guests. */
import { type DebianPackage, PackageError } from "./debian_package.ts";
import { bootDisk } from "./boot_disk.ts";
import { concatenated, cpioArchive, file } from "./file_tree.ts";
import { type Guest, GuestError, type GuestFiles, type Ingredients, type PackageRequest } from "./guest.ts";
import { initramfs, initramfsTree } from "./initramfs.ts";
import { moduleClosure } from "./kernel_modules.ts";
import { rootDisk } from "./root_disk.ts";
import { programsWithLibraries } from "./shared_libraries.ts";
import { trustedFirmware } from "./trusted_firmware.ts";

const arm64 = (name: string): PackageRequest => ({ name, architecture: "arm64", isMeta: false });
const all = (name: string): PackageRequest => ({ name, architecture: "all", isMeta: false });
const newest = (name: string): PackageRequest => ({ name, architecture: "arm64", isMeta: true });

/** A guest of files that the first package holds: by local name a path, or a pattern of one. */
function fromPackage(
  request: PackageRequest,
  summary: string,
  paths: Record<string, string | RegExp>,
): Guest {
  const make = ({ packages }: Ingredients): GuestFiles => {
    const contents = packages.get(request.name)!;
    return new Map(Object.entries(paths).map(([name, path]) => [name, taken(contents, path)]));
  };
  return { summary, packages: [request], guests: [], recipe: 1, make };
}

/** The one file of a package that a path or a pattern names. */
function taken({ control, files }: DebianPackage, wanted: string | RegExp): Uint8Array {
  const path = typeof wanted === "string" ? wanted : [...files.keys()].find((path) => wanted.test(path));
  const content = path === undefined ? undefined : files.get(path);
  if (content) return content;
  throw new PackageError(
    `${control.get("Package")} (version ${control.get("Version")}) has no file ${wanted}`,
  );
}

/** A Debian kernel, with a first root that loads its modules. */
function linux(metapackage: string, summary: string): Guest {
  const make = ({ packages }: Ingredients): GuestFiles => {
    const kernel = packages.get(metapackage)!, busybox = taken(packages.get("busybox-static")!, BUSYBOX);
    return new Map([
      ["Image", taken(kernel, /^boot\/vmlinuz-/)],
      ["initrd.gz", initramfs(initramfsTree(busybox, kernel.files))],
      ["System.map", taken(kernel, /^boot\/System\.map-/)],
      ["config", taken(kernel, /^boot\/config-/)],
    ]);
  };
  return { summary, packages: [newest(metapackage), arm64("busybox-static")], guests: [], recipe: 1, make };
}

const BUSYBOX = "bin/busybox";

/** What the tools' guest runs, by path in the packages below. */
const TOOLS = [
  "sbin/kexec",
  "usr/bin/efivar",
  ...["rpctool", "checkvm", "toolbox-cmd"].map((tool) => `usr/bin/vmware-${tool}`),
];

/** Packages with those programs, and with the libraries that they need in turn. */
// deno-fmt-ignore
const TOOL_PACKAGES = [
  "kexec-tools", "libc6", "zlib1g", "libxenmisc4.17", "libxencall1", "libxendevicemodel1", "libxenevtchn1",
  "libxenforeignmemory1", "libxengnttab1", "libxentoollog1", "libxentoolcore1",
  "efivar", "libefivar1",
  "open-vm-tools", "libglib2.0-0", "libpcre2-8-0", "libffi8", "libtirpc3", "libgssapi-krb5-2", "libkrb5-3",
  "libk5crypto3", "libcom-err2", "libkrb5support0", "libkeyutils1",
];

const TOOLS_GUEST: Guest = {
  summary: "first root of linux-cloud with kexec, efivar and tools for guests of VMware",
  packages: TOOL_PACKAGES.map(arm64),
  guests: ["linux-cloud"],
  recipe: 1,
  make: ({ packages, guests }) => {
    const base = Deno.readFileSync(guests.get("linux-cloud")!.files["initrd.gz"]!);
    const tools = initramfs(programsWithLibraries([...packages.values()], TOOLS));
    return new Map([["initrd.gz", concatenated([base, tools])]]); // Linux unpacks one archive after the other
  },
};

/** The service of open-vm-tools, its commands, and what tells that a system is virtual. */
const VMWARE_PROGRAMS = [
  "usr/bin/vmtoolsd",
  "usr/bin/systemd-detect-virt",
  ...["rpctool", "checkvm", "toolbox-cmd"].map((tool) => `usr/bin/vmware-${tool}`),
];

/** What the service loads by itself, where it looks. */
const VMWARE_PLUGINS = Object.entries({
  common: ["hgfsServer", "vix"],
  vmsvc: ["guestInfo", "powerOps", "timeSync", "vmbackup", "gdp", "appInfo", "componentMgr", "guestStore"],
}).flatMap(([folder, names]) =>
  names.map((name) => `usr/lib/aarch64-linux-gnu/open-vm-tools/plugins/${folder}/lib${name}.so`)
);

// deno-fmt-ignore
const VMWARE_PACKAGES = [
  "open-vm-tools", "libc6", "libglib2.0-0", "libpcre2-8-0", "libffi8", "zlib1g", "libtirpc3", "libgssapi-krb5-2",
  "libkrb5-3", "libk5crypto3", "libcom-err2", "libkrb5support0", "libkeyutils1", "libssl3", "libmount1", "libblkid1",
  "libselinux1", "systemd", "libsystemd-shared", "libacl1", "libcap2", "libcrypt1", "libgcrypt20", "libgpg-error0",
  "libip4tc2", "libkmod2", "liblz4-1", "libpam0g", "libaudit1", "libcap-ng0", "libseccomp2", "libzstd1", "liblzma5",
];

const OPEN_VM_TOOLS: Guest = {
  summary: "first root of linux-cloud with open-vm-tools, its service too, and systemd-detect-virt",
  packages: VMWARE_PACKAGES.map(arm64),
  guests: ["linux-cloud"],
  recipe: 1,
  make: ({ packages, guests }) => {
    const base = Deno.readFileSync(guests.get("linux-cloud")!.files["initrd.gz"]!);
    const tree = programsWithLibraries([...packages.values()], VMWARE_PROGRAMS, VMWARE_PLUGINS);
    // Not compressed, which a guest would spend as long on as on its boot: first, since it must be aligned.
    return new Map([["initrd", concatenated([cpioArchive(tree), base])]]);
  },
};

/** What the guest of firmware's variables runs, beside busybox. */
const EFI_TOOLS = ["usr/bin/efivar", "bin/efibootmgr"];

/** Packages with those, and their libraries. */
const EFI_TOOL_PACKAGES = ["efivar", "libefivar1", "efibootmgr", "libefiboot1", "libpopt0", "libc6"];

const EFI_TOOLS_GUEST: Guest = {
  summary: "first root of linux-cloud with efivar and efibootmgr",
  packages: EFI_TOOL_PACKAGES.map(arm64),
  guests: ["linux-cloud"],
  recipe: 1,
  make: ({ packages, guests }) => {
    const base = Deno.readFileSync(guests.get("linux-cloud")!.files["initrd.gz"]!);
    const tools = initramfs(programsWithLibraries([...packages.values()], EFI_TOOLS));
    return new Map([["initrd.gz", concatenated([base, tools])]]);
  },
};

/** Packages with lspci and setpci, their libraries, and the names of vendors and devices. */
// deno-fmt-ignore
const PCI_PACKAGES = [
  "pciutils", "libc6", "libpci3", "libkmod2", "libudev1", "zlib1g", "liblzma5", "libssl3", "libzstd1",
].map(arm64);

const PCI_TOOLS_GUEST: Guest = {
  summary: "first root of linux-cloud with lspci and setpci",
  packages: [...PCI_PACKAGES, all("pci.ids")],
  guests: ["linux-cloud"],
  recipe: 1,
  make: ({ packages, guests }) => {
    const base = Deno.readFileSync(guests.get("linux-cloud")!.files["initrd.gz"]!);
    const tree = programsWithLibraries([...packages.values()], ["usr/bin/lspci", "usr/bin/setpci"]);
    tree.set(PCI_NAMES, file(taken(packages.get("pci.ids")!, PCI_NAMES)));
    return new Map([["initrd", concatenated([cpioArchive(tree), base])]]); // as above
  },
};

/** Drivers of memory that is a disk, as firmware describes it in the device tree. */
const MEMORY_DISK_DRIVERS = ["of_pmem", "nd_pmem"];

const DPU_TOOLS_GUEST: Guest = {
  summary: "first root of linux-cloud with drivers of memory that is a disk, listed in /etc/modules.dpu",
  packages: [newest("linux-image-cloud-arm64")],
  guests: ["linux-cloud"],
  recipe: 1,
  make: ({ packages, guests }) => {
    const base = Deno.readFileSync(guests.get("linux-cloud")!.files["initrd.gz"]!);
    const closure = moduleClosure(packages.get("linux-image-cloud-arm64")!.files, MEMORY_DISK_DRIVERS);
    const names = [...closure.keys()].map((path) => `${path}\n`).join("");
    const tree = new Map([...closure].map(([path, content]) => [path, file(content)] as const));
    const drivers = initramfs(new Map([...tree, ["etc/modules.dpu", file(names)]]));
    return new Map([["initrd.gz", concatenated([base, drivers])]]);
  },
};

/** Where libpci looks for names. */
const PCI_NAMES = "usr/share/misc/pci.ids";

/** Packages with gdb, and with the libraries that it needs. */
// deno-fmt-ignore
const DEBUGGER_PACKAGES = [
  "gdb-minimal", "libc6", "libexpat1", "libgcc-s1", "libgmp10", "liblzma5", "libmpfr6", "libncursesw6", "libreadline8",
  "libstdc++6", "libtinfo6", "libxxhash0", "libzstd1", "zlib1g", "libdebuginfod1", "libcurl3-gnutls", "libnghttp2-14",
  "librtmp1", "libssh2-1", "libpsl5", "libnettle8", "libhogweed6", "libgnutls30", "libldap-2.5-0", "libbrotli1", "libidn2-0",
  "libp11-kit0", "libtasn1-6", "libunistring2", "libffi8", "libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libcom-err2",
  "libkrb5support0", "libkeyutils1", "libsasl2-2", "libssl3", "libelf1", "libdw1", "libbz2-1.0",
];

const DEBUGGER_GUEST: Guest = {
  summary: "first root of linux-cloud with gdb",
  packages: DEBUGGER_PACKAGES.map(arm64),
  guests: ["linux-cloud"],
  recipe: 1,
  make: ({ packages, guests }) => {
    const base = Deno.readFileSync(guests.get("linux-cloud")!.files["initrd.gz"]!);
    const tree = programsWithLibraries([...packages.values()], ["usr/bin/gdb"]);
    return new Map([["initrd", concatenated([cpioArchive(tree), base])]]); // as above
  },
};

/** Drivers of what the board has beside disks and networks: keys, their events, fw_cfg. */
const BOARD_DRIVERS = ["gpio_keys", "evdev", "qemu_fw_cfg"];

const LINUX_BOARD: Guest = {
  summary: "first root of linux with drivers of keys and fw_cfg, listed in /etc/modules.board",
  packages: [newest("linux-image-arm64")],
  guests: ["linux"],
  recipe: 1,
  make: ({ packages, guests }) => {
    const base = Deno.readFileSync(guests.get("linux")!.files["initrd.gz"]!);
    const closure = moduleClosure(packages.get("linux-image-arm64")!.files, BOARD_DRIVERS);
    const names = [...closure.keys()].map((path) => `${path}\n`).join("");
    const tree = new Map([...closure].map(([path, content]) => [path, file(content)] as const));
    const drivers = initramfs(new Map([...tree, ["etc/modules.board", file(names)]]));
    return new Map([["initrd.gz", concatenated([base, drivers])]]);
  },
};

/** Every guest there is; a new one is a row here. */
const GUESTS: Readonly<Record<string, Guest>> = {
  "u-boot": fromPackage(all("u-boot-qemu"), "U-Boot boot loader for QEMU's virt machine", {
    "u-boot.bin": "usr/lib/u-boot/qemu_arm64/u-boot.bin",
    "uboot.elf": "usr/lib/u-boot/qemu_arm64/uboot.elf",
  }),
  "linux-cloud": linux("linux-image-cloud-arm64", "Debian's kernel for clouds, with busybox"),
  "linux": linux("linux-image-arm64", "Debian's kernel, with busybox"),
  "linux-tools": TOOLS_GUEST,
  "linux-gdb": DEBUGGER_GUEST,
  "linux-board": LINUX_BOARD,
  "efi-tools": EFI_TOOLS_GUEST,
  "pci-tools": PCI_TOOLS_GUEST,
  "dpu-tools": DPU_TOOLS_GUEST,
  "open-vm-tools": OPEN_VM_TOOLS,
  "edk2": fromPackage(all("qemu-efi-aarch64"), "EDK2, UEFI firmware for QEMU's virt machine", {
    "AAVMF_CODE.fd": "usr/share/AAVMF/AAVMF_CODE.fd",
    "AAVMF_VARS.fd": "usr/share/AAVMF/AAVMF_VARS.fd",
  }),
  "xen": fromPackage(arm64("xen-hypervisor-4.17-arm64"), "Xen 4.17", {
    "xen": "boot/xen-4.17-arm64",
    "xen.efi": "boot/xen-4.17-arm64.efi",
    "config": "boot/xen-4.17-arm64.config",
  }),
  "root-disk": rootDisk,
  "boot-disk": bootDisk,
  "trusted-firmware": trustedFirmware,
};

/** The names of all guests, in the table's order. */
export const GUEST_NAMES: readonly string[] = Object.keys(GUESTS);

/**
 * The row of a guest.
 *
 * @throws {GuestError} when there is none
 */
export function guestNamed(name: string): Guest {
  const guest = Object.hasOwn(GUESTS, name) ? GUESTS[name] : undefined;
  if (!guest) throw new GuestError(`No guest "${name}"; there are: ${GUEST_NAMES.join(", ")}`);
  return guest;
}
