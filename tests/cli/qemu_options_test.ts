/** Tests of QEMU's options. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/errors.ts";
import { readOptions } from "../../cli/options.ts";
import { machineRequest, QEMU_OPTIONS } from "../../cli/qemu_options.ts";

const HOST = { secondsNow: () => 1234, randomSeed: () => 99 };
const request = (...args: string[]) => machineRequest(readOptions(args, QEMU_OPTIONS), HOST);

// deno-fmt-ignore
const CONFIGURATIONS: readonly (readonly [args: string[], configuration: unknown])[] = [
  [["-M", "virt"],                                    {}],
  [["-machine", "virt,secure=on,virtualization=on"],  { secure: true, virtualization: true }],
  [["-M", "virt,gic-version=2", "-M", "virt,highmem=off"], { gicVersion: 2, highmem: false }],
  [["-M", "virt,gic-version=3,its=off"],              { gicVersion: 3, its: false }],
  [["-M", "virt,gic-version=max,iommu=none"],         { gicVersion: 3 }],
  [["-cpu", "cortex-a57", "-smp", "4"],               { cpuModel: "cortex-a57", cpus: 4 }],
  [["-cpu", "max,sve=off"],                           { cpuModel: "max" }],
  [["-cpu", "max,pauth-impdef=on"],                   { cpuModel: "max,pauth-impdef=on" }],
  [["-cpu", "max,pauth-impdef=off"],                  { cpuModel: "max" }],
  [["-smp", "cpus=2"],                                { cpus: 2 }],
  [["-m", "128M"],                                    { memoryMiB: 128 }],
  [["-m", "1G"],                                      { memoryMiB: 1024 }],
  [["-m", "1024"],                                    { memoryMiB: 1024 }],
  [["-m", "size=1.5G"],                               { memoryMiB: 1536 }],
  [["-rtc", "base=utc,clock=vm"],                     { rtcBase: 1234 }],
  [["-rtc", "base=2026-01-01T00:00:00"],              { rtcBase: 1767225600 }],
  [["-rtc", "base=1970-01-02"],                       { rtcBase: 86400 }],
  [["-seed", "7"],                                    { seed: 7 }],
  [["-seed", "random"],                               { seed: 99 }],
  [["-semihosting"],                                  { semihosting: true }],
  [["-semihosting-config", "enable=on,target=native"], { semihosting: true }],
  [["-nographic", "-nodefaults", "-accel", "tcg", "-serial", "mon:stdio", "-monitor", "none", "-display", "none", "-nic", "none"], {}],
  [["-object", "rng-builtin,id=r", "-chardev", "null,id=c", "-global", "virtio-mmio.force-legacy=false"], { virtioMmioLegacy: false }],
  [["-M", "virt,secure-ram=on"], { secureRam: true }],
  [["-M", "virt,uart1=on,unplugged=rtc+uart1", "-serial", "null", "-serial", "stdio"], { uart1: true, unplugged: ["rtc", "uart1"], consoleInput: "uart1" }],
  [["-serial", "none", "-chardev", "stdio,id=c", "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=c"], { consoleInput: "virtio" }],
];

Deno.test("machineRequest reads QEMU's options into a configuration", () => {
  for (const [args, expected] of CONFIGURATIONS) {
    assertEquals(request(...args).configuration, expected as never, args.join(" "));
  }
});

Deno.test("machineRequest reads files, the command line and loaders", () => {
  const found = request(
    ..."-bios b -kernel k -initrd i -dtb d -no-reboot -device loader,file=f,,x,addr=0x40000000,cpu-num=1"
      .split(" "),
    ..."-device loader,addr=0x41000000,data=0x1122,data-len=2 -device loader,addr=0x10,cpu-num=0".split(" "),
    ..."-device loader,file=g,force-raw=on -append".split(" "),
    "-x a=b",
  );
  assertEquals(found.files, { bios: "b", kernel: "k", initrd: "i", dtb: "d" });
  assertEquals([found.append, found.endsAtReset], ["-x a=b", true]);
  assertEquals(found.loaders, [
    { kind: "image", file: "f,x", address: 0x40000000, forceRaw: false, cpu: 1 },
    { kind: "data", address: 0x41000000, bytes: "2211" },
    { kind: "entry", address: 0x10, cpu: 0 },
    { kind: "image", file: "g", address: 0, forceRaw: true, cpu: undefined },
  ]);
});

const plain = {
  id: undefined,
  drive: undefined,
  netdev: undefined,
  mac: undefined,
  serial: undefined,
  slot: undefined,
  bootIndex: undefined,
};

Deno.test("machineRequest reads drives, networks and devices, cards of -nic first and virtio disks last", () => {
  const found = request(
    ..."-drive file=a.img -drive file=b.qcow2,if=none,id=d0,format=qcow2,readonly=on,cache=none".split(" "),
    ..."-drive file=c,id=d1,if=virtio,format=raw -device nvme,drive=d0,serial=S1,addr=0x1e.0".split(" "),
    ..."-netdev user,id=n0,tftp=dir,bootfile=k -device virtio-net,netdev=n0,mac=52:54:00:AA:00:01".split(" "),
    "-netdev",
    "dgram,id=n1,local.type=inet,local.host=127.0.0.1,local.port=7001,remote.type=inet,remote.host=peer,remote.port=7002",
    ..."-netdev socket,id=n2,udp=:9,localaddr=0.0.0.0:0 -device virtio-net-device,netdev=n1,id=card".split(
      " ",
    ),
    ..."-nic user,model=virtio-net-device -nic none -device virtio-serial-pci -device virtconsole".split(" "),
    ..."-device virtio-rng-device,rng=r -object rng-random,id=r,filename=/dev/urandom".split(" "),
  );
  assertEquals(found.drives, [
    { id: "virtio0", file: "a.img", format: undefined, readOnly: false },
    { id: "d0", file: "b.qcow2", format: "qcow2", readOnly: true },
    { id: "d1", file: "c", format: "raw", readOnly: false },
  ]);
  assertEquals(found.networks, [
    { kind: "user", id: "n0", folder: "dir", bootFile: "k" },
    {
      kind: "bridge",
      id: "n1",
      local: { host: "127.0.0.1", port: 7001 },
      remote: { host: "peer", port: 7002 },
    },
    { kind: "bridge", id: "n2", local: { host: "0.0.0.0", port: 0 }, remote: { host: "127.0.0.1", port: 9 } },
    { kind: "user", id: "nic0", folder: undefined, bootFile: undefined },
  ]);
  assertEquals(found.devices, [
    { ...plain, driver: "virtio-net-device", netdev: "nic0" },
    { ...plain, driver: "nvme", drive: "d0", serial: "S1", slot: 30 },
    { ...plain, driver: "virtio-net-pci", netdev: "n0", mac: "52:54:00:aa:00:01" },
    { ...plain, driver: "virtio-net-device", netdev: "n1", id: "card" },
    { ...plain, driver: "virtio-serial-pci" },
    { ...plain, driver: "virtio-rng-device" },
    { ...plain, driver: "virtio-blk-pci", drive: "virtio0" },
    { ...plain, driver: "virtio-blk-pci", drive: "d1" },
  ]);
});

Deno.test("machineRequest reads files of fw_cfg", () => {
  assertEquals(
    request("-fw_cfg", "opt/a,string=x,,y=z", "-fw_cfg", "name=opt/b,file=path").firmwareFiles,
    [{ kind: "text", name: "opt/a", text: "x,y=z" }, { kind: "image", name: "opt/b", file: "path" }],
  );
});

Deno.test("machineRequest reads flash banks and guests of a hypervisor", () => {
  assertEquals(request("-pflash", "a", "-pflash", "b").flash.map(({ file }) => file), ["a", "b"]);
  assertEquals(request("-drive", "if=pflash,file=b,unit=1", "-drive", "if=pflash,file=a,readonly=on").flash, [
    { file: "a", readOnly: true },
    { file: "b", readOnly: false },
  ]);
  assertEquals(
    request(
      ..."-device guest-loader,addr=0x49000000,kernel=Image,bootargs=root=/dev/x -device".split(" "),
      "guest-loader,addr=0x4a000000,initrd=i",
    ).guestModules,
    [
      { kind: "kernel", file: "Image", address: 0x49000000, bootargs: "root=/dev/x" },
      { kind: "initrd", file: "i", address: 0x4a000000, bootargs: undefined },
    ],
  );
});

// deno-fmt-ignore
const REFUSED: readonly (readonly [args: string[], message: string])[] = [
  [["-M", "raspi3b"],                    'There is no machine "raspi3b": use -M virt'],
  [["-M", "virt,secured=on"],            'Did you mean "secure"?'],
  [["-M", "virt,secure=maybe"],          'secure is on or off, not "maybe"'],
  [["-M", "virt,gic-version=4"],         "gic-version=4 is not possible here (it is not built); use gic-version=2"],
  [["-M", "virt,gic-version=host"],      "every run is emulated"],
  [["-M", "vrt"],                        'Did you mean "virt"?'],
  [["-M", "virt,iommu=smmuv3"],          "iommu=smmuv3 is not built"],
  [["-M", "virt,mte=on"],                "mte=on is not built"],
  [["-accel", "kvm"],                    "every run is emulated"],
  [["-M", "virt,accel=kvm"],             "every run is emulated"],
  [["-cpu", "cortex-a53"],               "use -cpu cortex-a57"],
  [["-cpu", "cortex-a57,sve=off"],       "takes no properties"],
  [["-cpu", "max,sve=on"],               "sve=on is not built"],
  [["-cpu", "max,pauth=off"],            'there is no "pauth"'],
  [["-smp", "9"],                        "from 1 to 8"],
  [["-smp", "4,sockets=2"],              'there is no "sockets" here'],
  [["-m", "lots"],                       'not "lots"'],
  [["-m", "1K"],                         "whole MiB"],
  [["-m", "0"],                          "whole MiB"],
  [["-rtc", "base=localtime"],           "base is utc or a time"],
  [["-rtc", "base=2026-13-01"],          "base is utc or a time"],
  [["-rtc", "clock=host"],               "there is only clock=vm"],
  [["-seed", "x"],                       "-seed takes a whole number"],
  [["-semihosting-config", "target=gdb"], "use target=native"],
  [["-device", "virtio-net-device"],     "needs netdev=ID"],
  [["-device", "virtio-net-pci,netdev=n"], "there is no -netdev with id=n; there are none"],
  [["-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net1"], 'Did you mean "net0"?'],
  [["-nic", "user", "-device", "virtio-net-pci,netdev=nic0"], "netdev=nic0 is taken already, by virtio-net-pci"],
  [["-device", "virtio-gpu-pci"],        "virtio-gpu-pci is not built: there are virtio-blk-device, "],
  [["-device", "virtio-blk-pcie"],       'Did you mean "virtio-blk-pci"?'],
  [["-device", "virtio-blk-pci"],        "needs drive=ID"],
  [["-device", "nvme,drive=d"],          "there is no -drive with id=d"],
  [["-drive", "file=a,if=none,id=d", "-device", "nvme,drive=d", "-device", "virtio-blk,drive=d"], "drive=d is taken already, by nvme"],
  [["-drive", "file=a,id=d", "-drive", "file=b,id=d"], 'id=d is given twice: to "a" and "b"'],
  [["-drive", "if=none,id=d"],           "needs file=F"],
  [["-drive", "file=a,if=ide"],          'if is none or virtio or pflash here, not "ide"'],
  [["-drive", "file=a,format=qcow"],     'Did you mean "qcow2"?'],
  [["-drive", "file=a,readonly=1"],      "readonly is on or off"],
  [["-drive", "file=a,fromat=raw"],      'Did you mean "format"?'],
  [["-drive", "file=a,if=pflash,unit=1"], "needs one with unit=0"],
  [["-drive", "file=a,if=pflash,unit=0", "-drive", "file=b,if=pflash,unit=0"], "unit=0 is given twice"],
  [["-drive", "file=a,if=pflash,format=qcow2"], "flash from qcow2 is not built"],
  [["-pflash", "a", "-pflash", "b", "-pflash", "c"], "two flash banks"],
  [["-fw_cfg", "opt/a"],                 "needs name=NAME and one of file=FILE and string=TEXT"],
  [["-fw_cfg", "opt/a,file=f,string=s"], "needs name=NAME and one of file=FILE and string=TEXT"],
  [["-fw_cfg", "opt/a,gen_id=g"],        'there is no "gen_id" here'],
  [["-fw_cfg", "a,file=f", "-fw_cfg", "a,string=s"], "name=a is given twice"],
  [["-pflash", "a", "-bios", "b"],       "both fill the first flash bank"],
  [["-nic", "user,id=n", "-netdev", "user,id=m", "-device", "virtio-net-pci,netdev=m,bootindex=-2"], "bootindex takes a whole number"],
  [["-device", "virtio-rng-pci,bootindex=1"], 'there is no "bootindex" here'],
  [["-device", "virtio-rng-pci,addr=0"], "a slot from 1 to 0x1f"],
  [["-device", "virtio-rng-pci,addr=4.1"], "function 0"],
  [["-device", "virtio-rng-pci,addr=4", "-device", "virtio-rng-pci,addr=4.0"], "addr=0x4 is taken already"],
  [["-device", "virtio-rng-pci,bus=pci.1"], "only bus=pcie.0 is possible"],
  [["-device", "virtio-rng-device,addr=4"], 'there is no "addr" here'],
  [["-device", "virtio-rng-pci,id=a", "-device", "virtio-rng-pci,id=a"], "id=a is taken already"],
  [["-device", "virtconsole"],           "needs a bus before it"],
  [["-netdev", "user"],                  "needs id=NAME"],
  [["-netdev", "tap,id=n"],              "-netdev tap is not built: there are user, dgram, socket"],
  [["-netdev", "user,id=n,hostfwd=tcp::1-:2"], "use -netdev dgram to let frames in"],
  [["-netdev", "dgram,id=n"],            "needs local.type=inet,local.host=HOST,local.port=PORT"],
  [["-netdev", "dgram,id=n,local.type=unix"], "local.type=unix is not possible"],
  [["-netdev", "socket,id=n,listen=:1"], "listen= is not built; use udp="],
  [["-netdev", "socket,id=n,udp=x,localaddr=:1"], 'udp is HOST:PORT, not "x"'],
  [["-netdev", "user,id=n", "-netdev", "user,id=n"], "id=n is given twice"],
  [["-nic", "user,model=e1000"],         "-nic model=e1000 is not built"],
  [["-object", "secret,id=s"],           "-object secret is not possible here"],
  [["-global", "virtio-mmio.force-legacy=x"], "force-legacy"],
  [["-blockdev", "driver=raw"],          "use -drive file=FILE"],
  [["-hda", "x"],                        "use -drive file=FILE"],
  [["-device", "guest-loader,kernel=k"], "needs addr=A and one of"],
  [["-device", "guest-loader,addr=1,initrd=k,bootargs=x"], "bootargs= goes with kernel="],
  [["-device", "loader"],                "needs file=F"],
  [["-device", "loader,addr=0x10,data=5"], "needs file=F"],
  [["-device", "loader,fil=x"],          'Did you mean "file"?'],
  [["-serial", "pty"],                   "the first port is the terminal"],
  [["-serial", "stdio", "-serial", "stdio"], "the terminal can be one port only"],
  [["-serial", "null", "-serial", "null", "-serial", "null"], "there are two ports"],
  [["-enable-kvm"],                      "every run is emulated"],
  [["-d", "in_asm"],                     "hindsight events"],
];

Deno.test("machineRequest refuses what is not built, saying what to do", () => {
  for (const [args, message] of REFUSED) {
    assertThrows(() => request(...args), UsageError, message, args.join(" "));
  }
  assertThrows(
    () => request("-device", "loader,addr=0,data=0x1ffffffffffffffff,data-len=4"),
    UsageError,
    "64 bits",
  );
});
