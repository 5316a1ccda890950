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
  [["-M", "virt,gic-version=2", "-M", "virt,highmem=off"], { highmem: false }],
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

// deno-fmt-ignore
const REFUSED: readonly (readonly [args: string[], message: string])[] = [
  [["-M", "raspi3b"],                    'There is no machine "raspi3b": use -M virt'],
  [["-M", "virt,secured=on"],            'Did you mean "secure"?'],
  [["-M", "virt,secure=maybe"],          'secure is on or off, not "maybe"'],
  [["-M", "virt,gic-version=3"],         "gic-version=3 is not built"],
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
  [["-device", "virtio-net-device"],     "there is only -device loader"],
  [["-device", "loader"],                "needs file=F"],
  [["-device", "loader,addr=0x10,data=5"], "needs file=F"],
  [["-device", "loader,fil=x"],          'Did you mean "file"?'],
  [["-drive", "if=pflash,file=x"],       "-bios FILE"],
  [["-serial", "pty"],                   "the serial port is the terminal"],
  [["-enable-kvm"],                      "every run is emulated"],
  [["-d", "in_asm"],                     "hindsight events"],
  [["-s"],                               "hindsight state"],
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
