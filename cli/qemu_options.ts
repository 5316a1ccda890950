/** The options of QEMU that make a machine: one table, read into a request for a machine. */
import { UsageError } from "./errors.ts";
import {
  emptyDraft,
  type HostFacts,
  type ImageRole,
  type MachineRequest,
  type OptionReader,
} from "./machine_request.ts";
import type { OptionRow, Options } from "./options.ts";
import { readMonitor } from "./monitor_option.ts";
import { readDevice } from "./qemu_devices.ts";
import { readDrive, readFlash } from "./qemu_drives.ts";
import {
  readAccelerator,
  readClock,
  readCpu,
  readCpus,
  readMachine,
  readMemory,
  readSeed,
  readSemihosting,
} from "./qemu_machine.ts";
import { readFirmwareFile } from "./qemu_firmware.ts";
import { readGdb, USUAL_GDB_PORT } from "./qemu_gdb.ts";
import { readNetdev, readNic } from "./qemu_networks.ts";
import { finishRequest, readChardev, readGlobal, readObject, readSerial } from "./qemu_wiring.ts";

/** An option of QEMU: read, of no effect here, or not possible here with what to do instead. */
interface QemuRow extends OptionRow {
  readonly read: OptionReader;
}

const file = (role: ImageRole): OptionReader => (draft, value) => void (draft.files[role] = value);
const nothing: OptionReader = () => {};

/** Takes the values that QEMU may be given and that change nothing here, refuses others. */
function only(option: string, words: readonly string[], instead: string): OptionReader {
  return (_draft, value) => {
    if (!words.includes(value)) throw new UsageError(`${option} ${value} is not possible here: ${instead}`);
  };
}

function refuse(option: string, instead: string): OptionReader {
  return () => {
    throw new UsageError(`${option} is not possible here: ${instead}`);
  };
}

const USE_DRIVE = "use -drive file=FILE, or -drive file=FILE,if=none,id=NAME and -device nvme,drive=NAME";

const DEVICE_HELP = "loader,file=F[,addr=A][,cpu-num=N][,force-raw=on] | loader,addr=A,data=N,data-len=L | " +
  "loader,addr=A,cpu-num=N | guest-loader,addr=A,kernel=F|initrd=F[,bootargs=TEXT] | " +
  "virtio-blk-pci|virtio-blk-device|nvme|nvme-ea|nvme-mmio,drive=D[,serial=S] | virtio-net-pci|virtio-net-device,netdev=N[,mac=M] | " +
  "virtio-rng-pci|virtio-rng-device | virtio-serial-pci|virtio-serial-device and virtconsole; of PCIe addr=SLOT; " +
  "with rootports= bus=rootportN; x3130-upstream and xio3130-downstream,id=B";

/** Every option of QEMU that is known, with what it does here. */
// deno-fmt-ignore
const TABLE: readonly QemuRow[] = [
  // Read.
  { name: "machine", aliases: ["M"], value: "virt[,P=V…]",  read: readMachine,     help: "the machine; P: secure, virtualization, its, highmem, virtual-timer, uart1, secure-ram on|off, gic-version=2|3|max, unplugged=rtc+uart0+uart1, rootports=N" },
  { name: "cpu",                     value: "MODEL",        read: readCpu,         help: "cortex-a57, max or max,pauth-impdef=on" },
  { name: "smp",                     value: "N",            read: readCpus,        help: "number of CPUs, 1 to 8 (default 1)" },
  { name: "m",                       value: "SIZE",         read: readMemory,      help: "RAM: 128M, 1G, or a number in MiB (default 128)" },
  { name: "bios",                    value: "FILE",         read: file("bios"),    help: "firmware, into the first flash bank" },
  { name: "kernel",                  value: "FILE",         read: file("kernel"),  help: "kernel: flat, arm64 Image or ELF" },
  { name: "initrd",                  value: "FILE",         read: file("initrd"),  help: "initial RAM disk" },
  { name: "append",                  value: "TEXT",         read: (draft, value) => void (draft.append = value), help: "the kernel's command line" },
  { name: "dtb",                     value: "FILE",         read: file("dtb"),     help: "a device tree in place of the machine's own" },
  { name: "fw_cfg",                  value: "name=N,…",     read: readFirmwareFile, help: "file=F or string=S: a file that firmware and Linux find in fw_cfg" },
  { name: "object",                  value: "rng-…,id=O",   read: readObject,      help: "rng-random or rng-builtin: entropy, which derives from -seed" },
  { name: "chardev",                 value: "KIND,id=C",    read: readChardev,     help: "the other end of a virtconsole: null, or stdio for the terminal" },
  { name: "pflash",                  value: "FILE",         read: readFlash,       help: "contents of the next flash bank" },
  { name: "drive",                   value: "file=F,…",     read: readDrive,       help: "a disk; if=virtio (the default), none or pflash, id=D, format=raw|qcow2, readonly=on, unit=0|1" },
  { name: "netdev",                  value: "KIND,id=N,…",  read: readNetdev,      help: "user[,tftp=FOLDER][,bootfile=NAME] | dgram,local.…,remote.… | socket,udp=HOST:PORT,localaddr=HOST:PORT | link (in a world)" },
  { name: "nic",                     value: "KIND,…",       read: readNic,         help: "none, or a -netdev and its card in one: user[,model=virtio-net-pci][,mac=M]" },
  { name: "device",                  value: "MODEL,…",      read: readDevice,      help: DEVICE_HELP },
  { name: "global",                  value: "D.P=V",        read: readGlobal,      help: "virtio-mmio.force-legacy=off: registers of virtio 1.0 there" },
  { name: "rtc",                     value: "base=TIME",    read: readClock,       help: "power-on time: utc or 2026-01-01T00:00:00 (the default)" },
  { name: "seed",                    value: "N",            read: readSeed,        help: "number from which all randomness derives, or random (default 0)" },
  { name: "semihosting",                                    read: (draft) => void (draft.configuration.semihosting = true), help: "HLT #0xF000 is a semihosting call" },
  { name: "semihosting-config",      value: "enable=on",    read: readSemihosting, help: "the same, with target=native" },
  { name: "no-reboot",                                      read: (draft) => void (draft.endsAtReset = true), help: "a reset of the machine ends the recording" },
  { name: "gdb",                     value: "tcp::PORT",    read: readGdb,         help: "gdb may connect while the machine runs, from this computer; 0 takes a free port (`hindsight gdb` goes back too)" },
  { name: "s",                                              read: (draft) => void (draft.debugPort = USUAL_GDB_PORT), help: `-gdb tcp::${USUAL_GDB_PORT}` },
  { name: "S",                                              read: (draft) => void (draft.startsHalted = true), help: "nothing runs before gdb says so" },
  // Accepted, and without effect: what they ask for is what there is.
  { name: "nographic",                                      read: nothing,         help: "no effect: there is no display" },
  { name: "nodefaults",                                     read: nothing,         help: "no effect: there are no default devices" },
  { name: "no-user-config",                                 read: nothing,         help: "no effect: there are no configuration files" },
  { name: "accel",                   value: "tcg",          read: (_draft, value) => readAccelerator(value), help: "no effect: every run is emulated" },
  { name: "serial",                  value: "stdio",        read: readSerial,      help: "the terminal, which the first serial port is; null and then stdio: the second one is (-M virt,uart1=on)" },
  { name: "monitor",                 value: "el2:SYSTEM,…", read: readMonitor, help: "a monitor at EL2 or EL3 hosts the guest, with these systems (see `hindsight system list`); none: no effect" },
  { name: "display",                 value: "none",         read: only("-display", ["none"], "there is no display"), help: "no effect" },
  { name: "parallel",                value: "none",         read: only("-parallel", ["none"], "there is no parallel port"), help: "no effect" },
  { name: "vga",                     value: "none",         read: only("-vga", ["none"], "there is no display"), help: "no effect" },
  { name: "net",                     value: "none",         read: only("-net", ["none"], "use -netdev and -device, or -nic"), help: "no effect" },
  // Refused, with what to do.
  { name: "blockdev",                value: "…",            read: refuse("-blockdev", USE_DRIVE), help: "refused: use -drive" },
  { name: "hda",                     value: "FILE",         read: refuse("-hda", USE_DRIVE), help: "refused: use -drive" },
  { name: "cdrom",                   value: "FILE",         read: refuse("-cdrom", `${USE_DRIVE}; readonly=on`), help: "refused: use -drive" },
  { name: "enable-kvm",                                     read: refuse("-enable-kvm", "every run is emulated; leave it out"), help: "refused: every run is emulated" },
  { name: "icount",                  value: "…",            read: refuse("-icount", "every run counts its steps; leave it out"), help: "refused: every run counts its steps" },
  { name: "d",                       value: "…",            read: refuse("-d", "record, then use `hindsight events`"), help: "refused: use `hindsight events`" },
  { name: "D",                       value: "FILE",         read: refuse("-D", "record, then use `hindsight events`"), help: "refused: use `hindsight events`" },
];

/** The options of QEMU for `readOptions` and help texts; every one with a value may be repeated. */
export const QEMU_OPTIONS: readonly OptionRow[] = TABLE.map(({ read: _read, ...row }) => ({
  ...row,
  ...(row.value === undefined ? {} : { repeats: true }),
}));

/** Reads the machine that a command line asks for; throws UsageError naming the option and what is possible. */
export function machineRequest(options: Options, host: HostFacts): MachineRequest {
  const draft = emptyDraft();
  for (const { name, value, read } of TABLE) {
    if (value === undefined) {
      if (options.isOn(name)) read(draft, "", host);
    } else {
      for (const text of options.texts(name)) read(draft, text, host);
    }
  }
  return finishRequest(draft);
}
