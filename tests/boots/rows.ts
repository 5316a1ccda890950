/** The matrix of boots: what is booted on which machine, and what is typed until it powers off. */

/** A text that is waited for, behind the one before it, or one that is typed. */
export type Step = { readonly expect: string } | { readonly send: string };

/** One boot. */
export interface Boot {
  /** How it is asked for. */
  readonly name: string;
  /** What boots, for the table. */
  readonly guest: string;
  /** QEMU's `-cpu`. */
  readonly cpu: string;
  /** Version of the interrupt controller. */
  readonly gic: 2 | 3;
  /** Number of CPUs. */
  readonly smp: number;
  /** Exception level in which the guest is entered. */
  readonly level: 1 | 2 | 3;
  /** Options beside `-M`, `-cpu` and `-smp`, the same for QEMU. */
  readonly options: readonly string[];
  /** What must be seen and typed, in order; `{known}` stands for the SHA-256 of the root disk's file. */
  readonly steps: readonly Step[];
  /** Whether it is run when nothing is asked for. */
  readonly isQuick: boolean;
  /** Whether every engine replays it, not only the fast one. */
  readonly isForAllEngines: boolean;
  /** Why QEMU cannot be asked the same. */
  readonly notOnQemu?: string;
  /** `--monitor`, below which the guest runs; QEMU runs it without. */
  readonly monitors?: readonly string[];
}

const expect = (text: string): Step => ({ expect: text });
/** Types a line when a prompt stands at the start of a line. */
const typed = (prompt: string, line: string): Step[] => [expect(`\n${prompt}`), { send: `${line}\r` }];
const shell = (line: string): Step[] => typed("# ", line);
const loader = (line: string): Step[] => typed("=> ", line);

/** The line of a guest that reached its shell. */
const MARKER = expect("hindsight: shell");
const OFF = shell("poweroff -f");
const QUIET_END: readonly Step[] = [MARKER, ...shell("echo $((6 * 7))"), expect("\n42"), ...OFF];

const at = (path: string): string => `.guests/${path}`;
const CONSOLE = "console=ttyAMA0 panic=-1";

const linux = (guest: string, append = "", initrd = guest): string[] => [
  ...["-kernel", at(`${guest}/Image`), "-initrd", at(`${initrd}/initrd.gz`)],
  ...["-append", `${CONSOLE} ${append}`.trim(), "-m", "512M"],
];

/** A guest's disk behind a controller. */
const disk = (file: string, controller: string): string[] => [
  ...["-drive", `if=none,id=d0,format=raw,snapshot=on,file=${at(file)}`],
  ...["-device", `${controller},drive=d0`],
];

const bank = (unit: number, file: string): string[] => [
  ...["-drive", `if=pflash,format=raw,unit=${unit},snapshot=on,file=${at(file)}`],
];

/** The user network, with a folder of guests behind it. */
const network = (folder: string, card: string): string[] => [
  ...["-netdev", `user,id=n0,tftp=${at(folder)}`, "-device", `${card},netdev=n0`],
];

/** Xen's kernel and what it starts, placed as QEMU's documentation does. */
const xen = (): string[] => [
  ...["-kernel", at("xen/xen"), "-append", "dom0_mem=512M console=dtuart dtuart=/pl011@9000000", "-m", "1G"],
  "-device",
  `guest-loader,addr=0x49000000,kernel=${at("linux-cloud/Image")},bootargs=console=hvc0 panic=-1`,
  ...["-device", `guest-loader,addr=0x4c000000,initrd=${at("linux-cloud/initrd.gz")}`],
];

type Machine = Partial<Pick<Boot, "cpu" | "gic" | "smp" | "level">>;
type More = Partial<Pick<Boot, "isQuick" | "isForAllEngines" | "notOnQemu" | "monitors">>;

function boot(
  name: string,
  guest: string,
  machine: Machine,
  options: readonly string[],
  steps: readonly Step[],
  more: More = {},
): Boot {
  const rest = {
    cpu: "cortex-a57",
    gic: 2,
    smp: 1,
    level: 1,
    isQuick: false,
    isForAllEngines: false,
  } as const;
  return { ...rest, name, guest, ...machine, options, steps, ...more };
}

const QUICK: More = { isQuick: true };
const NO_WEB = "QEMU's network has no web server";

/** Debian's cloud kernel on every machine: some rows are for each day, the rest for `--all`. */
function cloudRows(): Boot[] {
  const quick = ["cortex-a57-gic2-smp1-el1", "cortex-a57-gic3-smp4-el1", "max-gic3-smp2-el2"];
  const rows: Boot[] = [];
  for (const cpu of ["cortex-a57", "max"]) {
    for (const gic of [2, 3] as const) {
      for (const smp of [1, 2, 4, 8]) {
        for (const level of [1, 2] as const) {
          const name = `${cpu}-gic${gic}-smp${smp}-el${level}`;
          const steps = [
            ...[MARKER, ...shell("uname -m"), expect("\naarch64")],
            ...[...shell("grep -c ^processor /proc/cpuinfo"), expect(`\n${smp}`), ...OFF],
          ];
          const options = linux("linux-cloud");
          const more = { isQuick: quick.includes(name) };
          rows.push(boot(`cloud-${name}`, "Linux cloud", { cpu, gic, smp, level }, options, steps, more));
        }
      }
    }
  }
  return rows;
}

const SHA256 = [
  MARKER,
  ...shell("mount -t ext4 $DISK /mnt && sha256sum /mnt/known.bin"),
  expect("\n{known}"),
];
const sha256Of = (device: string): Step[] => [
  ...SHA256.map((step) => "send" in step ? { send: step.send.replace("$DISK", device) } : step),
  ...OFF,
];

const KEXEC = [
  ...[MARKER, ...shell("mount -t ext4 /dev/vda /mnt")],
  ...shell("kexec --no-checks -l /mnt/boot/Image --initrd=/mnt/boot/initrd.gz --reuse-cmdline && kexec -e"),
  ...[expect("Linux version"), ...QUIET_END],
];

/** A load over the network: 512 bytes a packet, so that it is the small one that goes this way for each day. */
const TFTP = [
  ...[expect("Hit any key"), { send: " " }, ...loader("setenv autoload no; dhcp")],
  ...[expect("DHCP client bound"), ...loader("tftpboot 0x40400000 Image")],
  ...[expect("Bytes transferred"), ...loader("tftpboot 0x44000000 initrd.gz")],
  ...[expect("Bytes transferred"), ...loader(`setenv bootargs ${CONSOLE}`)],
  ...[...loader("booti 0x40400000 0x44000000:${filesize} ${fdtcontroladdr}"), ...QUIET_END],
];

const WGET = [
  ...[MARKER, ...shell("udhcpc -q -i eth0"), expect("udhcpc: eth0 has 10.0.2.15")],
  ...[...shell("wget -q -O - http://10.0.2.2/known.bin | sha256sum"), expect("\n{known}"), ...OFF],
];

// deno-fmt-ignore
const OTHER_ROWS: readonly Boot[] = [
  boot("cloud-virtio-mmio",  "Linux cloud, ext4 on virtio-blk-mmio",  {},                     [...linux("linux-cloud"), ...disk("root-disk/root.img", "virtio-blk-device")], sha256Of("/dev/vda")),
  boot("ext4-virtio-pci",    "Linux generic, ext4 on virtio-blk-pci", { smp: 2 },             [...linux("linux"), ...disk("root-disk/root.img", "virtio-blk-pci")], sha256Of("/dev/vda"), QUICK),
  boot("ext4-virtio-pci-v3", "Linux generic, ext4 on virtio-blk-pci", { gic: 3, smp: 2 },     [...linux("linux"), ...disk("root-disk/root.img", "virtio-blk-pci")], sha256Of("/dev/vda")),
  boot("ext4-nvme",          "Linux generic, ext4 on NVMe",           { gic: 3 },             [...linux("linux"), ...disk("root-disk/root.img", "nvme,serial=hindsight")], sha256Of("/dev/nvme0n1"), QUICK),
  boot("ext4-nvme-v2",       "Linux generic, ext4 on NVMe",           {},                     [...linux("linux"), ...disk("root-disk/root.img", "nvme,serial=hindsight")], sha256Of("/dev/nvme0n1")),
  boot("root-disk",          "Linux generic, root on ext4",           {},                     [...linux("linux", "root=/dev/vda"), ...disk("root-disk/root.img", "virtio-blk-pci")], [expect("hindsight: root disk"), ...OFF]),
  boot("u-boot-linux",       "U-Boot → Linux from virtio-blk",        {},                     ["-bios", at("u-boot/u-boot.bin"), "-m", "1G", ...disk("boot-disk/boot.img", "virtio-blk-device")], QUIET_END, QUICK),
  boot("u-boot-linux-pci",   "U-Boot → Linux from virtio-blk-pci",    { gic: 3, smp: 2 },     ["-bios", at("u-boot/u-boot.bin"), "-m", "1G", ...disk("boot-disk/boot.img", "virtio-blk-pci")], QUIET_END),
  boot("edk2-linux",         "EDK2 → UEFI shell → Linux EFI stub",    {},                     [...bank(0, "edk2/AAVMF_CODE.fd"), ...bank(1, "edk2/AAVMF_VARS.fd"), "-m", "1G", ...disk("boot-disk/boot.img", "virtio-blk-pci")], [expect("Shell"), ...QUIET_END], QUICK),
  boot("edk2-linux-gic3",    "EDK2 → UEFI shell → Linux EFI stub",    { gic: 3, smp: 2 },     [...bank(0, "edk2/AAVMF_CODE.fd"), ...bank(1, "edk2/AAVMF_VARS.fd"), "-m", "1G", ...disk("boot-disk/boot.img", "virtio-blk-pci")], [expect("Shell"), ...QUIET_END]),
  boot("xen-gic2",           "Xen 4.17 → dom0 Linux",                 { level: 2 },           xen(), [expect("Xen version 4.17"), ...QUIET_END], QUICK),
  boot("xen-gic3",           "Xen 4.17 → dom0 Linux",                 { gic: 3, level: 2, smp: 2 }, xen(), [expect("Xen version 4.17"), ...QUIET_END]),
  boot("tf-a-linux",         "TF-A → U-Boot → Linux",                 { level: 3 },           ["-bios", at("trusted-firmware/flash.bin"), "-m", "1G", ...disk("boot-disk/boot.img", "virtio-blk-device")], [expect("BL31: Preparing for EL3 exit"), ...QUIET_END]),
  boot("tf-a-linux-gic3",    "TF-A → U-Boot → Linux",                 { gic: 3, smp: 2, level: 3 }, ["-bios", at("trusted-firmware/flash-gicv3.bin"), "-m", "1G", ...disk("boot-disk/boot.img", "virtio-blk-device")], [expect("BL31: Preparing for EL3 exit"), ...QUIET_END]),
  boot("kexec",              "Linux → kexec → Linux",                 {},                     [...linux("linux-cloud", "", "linux-tools"), ...disk("root-disk/root.img", "virtio-blk-pci")], KEXEC, QUICK),
  boot("kexec-smp2",         "Linux → kexec → Linux",                 { smp: 2 },     [...linux("linux-cloud", "", "linux-tools"), ...disk("root-disk/root.img", "virtio-blk-pci")], KEXEC),
  boot("kvm",                "Linux cloud, KVM at EL2",               { level: 2 },           linux("linux-cloud"), [expect("Hyp mode initialized successfully"), ...QUIET_END], QUICK),
  boot("kvm-gic3",           "Linux cloud, KVM at EL2",               { gic: 3, smp: 2, level: 2 }, linux("linux-cloud"), [expect("Hyp mode initialized successfully"), ...QUIET_END]),
  boot("tftp",               "U-Boot, DHCP and TFTP → Linux",         {},                     ["-bios", at("u-boot/u-boot.bin"), "-m", "1G", ...network("linux-cloud", "virtio-net-device")], TFTP),
  boot("wget",               "Linux cloud, wget from the peer",       {},                     [...linux("linux-cloud"), ...network("root-disk", "virtio-net-pci")], WGET, { ...QUICK, notOnQemu: NO_WEB }),
];

/** Every system of a monitor at EL2, at work. */
const ALL_SYSTEMS =
  "el2:time-scale,scale=1/2,exclusive-probe,traps=tid2+tid3,gva-scan,at=2000000,icache-on-fault,policy=lazy,every=5000000";

/** The same Linux as the guest of a monitor, which it does not notice. */
function monitoredRows(): Boot[] {
  const row = (name: string, monitors: readonly string[], machine: Machine, more: More = {}): Boot => {
    const steps = [
      MARKER,
      ...shell("grep -c ^processor /proc/cpuinfo"),
      expect(`\n${machine.smp ?? 1}`),
      ...OFF,
    ];
    const guest = `Linux cloud below ${monitors.join(" and ")}`;
    return boot(`monitor-${name}`, guest, machine, linux("linux-cloud"), steps, { ...more, monitors });
  };
  return [
    row("el2", ["el2"], {}),
    row("el2-smp4", ["el2"], { smp: 4 }, QUICK),
    row("el2-gic3-smp2", ["el2"], { gic: 3, smp: 2 }, QUICK),
    row("el2-all-smp4", [ALL_SYSTEMS], { cpu: "max", smp: 4 }, QUICK),
    row("el2-max-smp2", ["el2"], { cpu: "max", smp: 2 }),
    row("el3-smp2", ["el3"], { smp: 2 }),
    row("el3-kvm", ["el3"], { level: 2 }),
    row("el2-el3-smp4", ["el2", "el3"], { smp: 4 }),
  ];
}

/** Every row. */
export const BOOTS: readonly Boot[] = [...cloudRows(), ...OTHER_ROWS, ...monitoredRows()];

/** The rows for a machine, as both programs take them. */
export function machineOptions({ cpu, gic, smp, level, monitors = [] }: Boot): string[] {
  const levels = level === 3 ? ",secure=on" : level === 2 ? ",virtualization=on" : "";
  // A monitor at EL2 emulates no ITS.
  const its = gic === 3 && monitors.some((monitor) => monitor.startsWith("el2")) ? ",its=off" : "";
  return ["-M", `virt,gic-version=${gic}${levels}${its}`, "-cpu", cpu, "-smp", String(smp), "-no-reboot"];
}
