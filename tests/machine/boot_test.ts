/** Boot plans: where QEMU 7.2 puts images (facts recorded by tests/oracle/boot_oracle.ts) and what is refused. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Board, buildBoard } from "../../machine/board.ts";
import { type BootPlan, cpuOnStart, loaderData, planBoot } from "../../machine/boot.ts";
import { applyWrites, largestGap } from "../../machine/boot_images.ts";
import { type ConfigurationInput, parseConfiguration } from "../../machine/configuration.ts";
import { writeDeviceTree } from "../../machine/device_tree.ts";
import { parseDeviceTree } from "../../machine/device_tree_reader.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { PhysicalMemory } from "../../machine/memory/physical.ts";
import { physicalAddress } from "../../machine/address.ts";
import { arm64Image, BootBuilder, elfFile, flatImage, smallElf } from "../oracle/boot_combinations.ts";

function board(input: ConfigurationInput): Board {
  return buildBoard(parseConfiguration(input));
}

function plan(boot: BootBuilder, input: ConfigurationInput = {}): BootPlan {
  return planBoot(board({ ...input, boot: boot.boot }), boot.images);
}

function make(): BootBuilder {
  return new BootBuilder();
}

/** What is where, as `kernel 40080000`. */
function places({ writes }: BootPlan): string[] {
  return writes.map(({ what, address }) => `${what} ${address.toString(16)}`);
}

function cpus({ cpus }: BootPlan): string[] {
  return cpus.map(({ on, pc, level, registers }) => {
    const values = Object.entries(registers).map(([name, value]) => ` ${name}=${value.toString(16)}`);
    return `${on ? "on" : "off"} EL${level} ${pc.toString(16)}${values.join("")}`;
  });
}

Deno.test("planBoot places kernel, initrd and device tree as QEMU does", () => {
  const initrd = flatImage(70_000);
  // deno-fmt-ignore
  const cases: [BootBuilder, string[]][] = [
    [make(),                                                    ["device tree 40000000"]],
    [make().add("bios", flatImage(10)),                         ["bios 0", "device tree 40000000"]],
    [make().add("kernel", flatImage(3000)),                     ["kernel 40080000", "entry code 40000000", "device tree 44000000"]],
    [make().add("kernel", flatImage(3000)).add("initrd", initrd),
      ["kernel 40080000", "initrd 44000000", "entry code 40000000", "device tree 44200000"]],
    [make().add("kernel", arm64Image(0, 0x3e1_0000)).add("initrd", initrd),
      ["kernel 40200000", "initrd 44010000", "entry code 40000000", "device tree 44200000"]],
    [make().add("kernel", smallElf(0x4020_0000)),               ["kernel 40200000", "device tree 40000000"]],
    [make().add("kernel", smallElf(0x4010_0000)),               ["kernel 40100000", "device tree 40000000"]],
    [make().add("kernel", smallElf(0x400f_f000)),               ["kernel 400ff000"]],
    [make().add("kernel", smallElf(0x1000)),                    ["kernel 1000", "device tree 40000000"]],
    [make().add("kernel", smallElf(0x4000_0000)),               ["kernel 40000000", "device tree 0"]],
    [make().add("bios", flatImage(10)).load(flatImage(9), 0x4100_0000, { forceRaw: true }),
      ["bios 0", "loader file 41000000", "device tree 40000000"]],
  ];
  for (const [boot, expected] of cases) assertEquals(places(plan(boot)), expected);
});

Deno.test("planBoot puts the initrd in the middle of RAM up to 256 MiB and at 128 MiB above", () => {
  const boot = make().add("kernel", flatImage(100)).add("initrd", flatImage(100));
  const initrdAt = (memoryMiB: number) => plan(boot, { memoryMiB }).writes[1]?.address;
  assertEquals([64, 255, 256, 3072].map(initrdAt), [0x4200_0000, 0x47f8_0000, 0x4800_0000, 0x4800_0000]);
});

Deno.test("planBoot enters a kernel through code at the start of RAM that has the tree's address in X0", () => {
  const code = plan(make().add("kernel", flatImage(3000)).add("initrd", flatImage(3000))).writes
    .find(({ what }) => what === "entry code")?.bytes ?? new Uint8Array(0);
  // Words read from QEMU's memory.
  // deno-fmt-ignore
  assertEquals([...new Uint32Array(code.slice().buffer)], [
    0x580000c0, 0xaa1f03e1, 0xaa1f03e2, 0xaa1f03e3, 0x58000084, 0xd61f0080, 0x44200000, 0, 0x40080000, 0,
  ]);
});

Deno.test("planBoot starts CPUs at the level, with the registers and behind the conduit that QEMU chooses", () => {
  const kernel = (): BootBuilder => make().add("kernel", flatImage(8));
  const elf = (): BootBuilder => make().add("kernel", smallElf(0x4020_0000));
  const bios = (): BootBuilder => make().add("bios", flatImage(8));
  const off1 = "off EL1 40000000";
  // deno-fmt-ignore
  const cases: [BootBuilder, secure: boolean, virtualization: boolean, conduit: string, cpus: string[]][] = [
    [kernel(), false, false, "hvc",  ["on EL1 40000000", off1]],
    [kernel(), false, true,  "smc",  ["on EL2 40000000", "off EL2 40000000"]],
    [kernel(), true,  false, "hvc",  ["on EL1 40000000 SCR_EL3=431", off1 + " SCR_EL3=431"]],
    [kernel(), true,  true,  "smc",  ["on EL2 40000000 SCR_EL3=531 HCR_EL2=80000000", "off EL2 40000000 SCR_EL3=531 HCR_EL2=80000000"]],
    [elf(),    false, false, "hvc",  ["on EL1 40200000", "off EL1 40200000"]],
    [elf(),    false, true,  "smc",  ["on EL2 40200000", "off EL2 40200000"]],
    [elf(),    true,  false, "none", ["on EL3 40200000", "on EL3 40200000"]],
    [elf(),    true,  true,  "none", ["on EL3 40200000", "on EL3 40200000"]],
    [bios(),   false, false, "hvc",  ["on EL1 0", "off EL1 0"]],
    [bios(),   false, true,  "smc",  ["on EL2 0", "off EL2 0"]],
    [bios(),   true,  false, "none", ["on EL3 0", "on EL3 0"]],
    [make(),   true,  false, "none", ["on EL3 0", "on EL3 0"]],
  ];
  for (const [boot, secure, virtualization, conduit, expected] of cases) {
    const actual = plan(boot, { secure, virtualization, cpus: 2 });
    assertEquals([actual.conduit, ...cpus(actual)], [conduit, ...expected]);
  }
});

Deno.test("planBoot resets the interrupt controller as for Non-secure only when a kernel is entered below EL3", () => {
  const of = (boot: BootBuilder, secure: boolean) => plan(boot, { secure }).resetsNonSecure;
  assertEquals(of(make().add("kernel", flatImage(8)), true), true);
  assertEquals(of(make().add("kernel", flatImage(8)), false), false);
  assertEquals(of(make().add("kernel", smallElf(0x4020_0000)), true), false);
  assertEquals(of(make().add("bios", flatImage(8)), true), false);
});

Deno.test("cpuOnStart is the state in which QEMU's CPU_ON starts a CPU", () => {
  const of = (secure: boolean, virtualization: boolean) =>
    cpuOnStart(board({ secure, virtualization }), 0x1234n);
  assertEquals(of(false, false), { on: true, pc: 0x1234n, level: 1, registers: {} });
  assertEquals(of(false, true), { on: true, pc: 0x1234n, level: 2, registers: {} });
  assertEquals(of(true, false), { on: true, pc: 0x1234n, level: 1, registers: { SCR_EL3: 0x431n } });
  assertEquals(of(true, true), { on: true, pc: 0x1234n, level: 2, registers: { SCR_EL3: 0x531n } });
});

Deno.test("planBoot lets loaders start a CPU at the highest level, without turning it on", () => {
  const elf = elfFile(0xffff_0000_4100_0004n, [
    { virtual: 0xffff_0000_4100_0000n, physical: 0x4100_0000n, bytes: flatImage(64) },
  ]);
  const boot = make().add("kernel", flatImage(8)).load(elf, 0, { cpu: 1 }).start(0, 0x4200_0000);
  assertEquals(cpus(plan(boot, { secure: true, cpus: 2 })), ["on EL3 42000000", "off EL3 41000004"]);
  const raw = make().load(elf, 0x4300_0000, { cpu: 0, forceRaw: true });
  assertEquals(cpus(plan(raw)), ["on EL1 43000000"]);
  assertEquals(cpus(plan(make().load(elf, 0))), ["on EL1 0"]);
});

Deno.test("planBoot writes loaders' data before images, so that an image at the same place wins", () => {
  const actual = plan(make().data(0x4000_0000, 5n, 4, false, loaderData(5n, 4, false)));
  assertEquals(places(actual), ["loader data 40000000", "device tree 40000000"]);
});

Deno.test("loaderData lays data out as QEMU does", () => {
  assertEquals(loaderData(0x12345678n, 4, false), "78563412");
  assertEquals(loaderData(0x12345678n, 2, false), "7856");
  assertEquals(loaderData(0x12345678n, 8, true), "0000000012345678");
  assertEquals(loaderData(0x12345678n, 4, true), "00000000");
  for (const length of [0, 9, 1.5]) {
    assertThrows(() => loaderData(0n, length, false), ConfigurationError, "data-len");
  }
  assertThrows(() => loaderData(1n << 64n, 8, false), ConfigurationError, "more than 64 bits");
});

Deno.test("planBoot makes a device tree of 1 MiB, and of twice a user's size and 20,000 bytes", () => {
  const tree = (boot: BootBuilder) => plan(boot).writes.find(({ what }) => what === "device tree")?.bytes;
  assertEquals(tree(make())?.length, 2 ** 20);
  const own = parseDeviceTree(tree(make()) ?? new Uint8Array(0), "tree");
  const user = writeDeviceTree(own);
  assertEquals(tree(make().add("dtb", user))?.length, (user.length + 10_000) * 2);
});

Deno.test("planBoot hands a kernel beside firmware over through fw_cfg", () => {
  const boot = make().add("bios", flatImage(8)).add("kernel", flatImage(300)).add("initrd", flatImage(5))
    .append("hi");
  const items = (from: BootBuilder) =>
    plan(from).firmwareItems.flatMap((item) =>
      "selector" in item ? [[item.selector, item.bytes.slice(0, 4).toHex(), item.bytes.length]] : []
    );
  assertEquals(items(boot), [
    [0x05, "0100", 2],
    [0x08, "2c010000", 4],
    [0x11, flatImage(4).toHex(), 300],
    [0x0b, "05000000", 4],
    [0x12, flatImage(4).toHex(), 5],
    [0x14, "03000000", 4],
    [0x15, "686900", 3],
  ]);
  assertEquals(items(make().add("kernel", flatImage(300))), [[0x05, "0100", 2]]);
});

Deno.test("BootPlan.heap is the largest gap between images, as QEMU's SYS_HEAPINFO gives it", () => {
  const boot = make().add("kernel", flatImage(0x432)).add("initrd", flatImage(3000));
  assertEquals(plan(boot).heap, { base: 0x4008_0432, limit: 0x4400_0000 });
});

Deno.test("largestGap ignores writes outside, and takes the first of equal gaps", () => {
  const write = (address: number, size: number) => ({
    what: "",
    address,
    bytes: new Uint8Array(size),
    zeros: 0,
  });
  const range = { base: 100, limit: 200 };
  assertEquals(largestGap([], range), range);
  assertEquals(largestGap([write(0, 10), write(300, 10)], range), range);
  assertEquals(largestGap([write(140, 20)], range), { base: 100, limit: 140 });
  assertEquals(largestGap([write(90, 20), write(105, 15)], range), { base: 120, limit: 200 });
  assertEquals(largestGap([write(50, 500)], range), { base: 100, limit: 100 });
});

Deno.test("applyWrites puts bytes and the zeros behind them in memory, in order", () => {
  const memory = new PhysicalMemory(65536, 4 * 2 ** 20);
  memory.addRegion("ram", physicalAddress(0x4000_0000), 4 * 2 ** 20);
  memory.writeBytes(physicalAddress(0x4000_0000), new Uint8Array(2 ** 20).fill(0xff));
  const at = (address: number, byte: number, size: number, zeros: number) => ({
    what: "",
    address,
    bytes: new Uint8Array(size).fill(byte),
    zeros,
  });
  applyWrites([at(0x4000_0000, 1, 4, 0), at(0x4000_0002, 2, 4, 100_000)], memory, false);
  const bytes = memory.readBytes(physicalAddress(0x4000_0000), 100_010);
  assertEquals([...bytes.subarray(0, 8)], [1, 1, 2, 2, 2, 2, 0, 0]);
  assert(bytes.subarray(6, 100_006).every((byte) => byte === 0));
  assertEquals([...bytes.subarray(100_006)], [255, 255, 255, 255]);
});

Deno.test("planBoot refuses what does not fit or is not there, and says what to do", () => {
  const kernel = (): BootBuilder => make().add("kernel", flatImage(8));
  const missing = kernel();
  missing.images.clear();
  const cut = make().add("bios", flatImage(8));
  cut.boot.bios = { sha256: cut.boot.bios?.sha256 ?? "", size: 9, name: "u-boot.bin" };
  const withOwnTree = (bytes: Uint8Array): BootBuilder => make().add("dtb", bytes);
  const far = { virtual: 0n, physical: 0x2000_0000n, bytes: flatImage(4) };
  // deno-fmt-ignore
  const cases: [BootBuilder, string, memoryMiB?: number][] = [
    [missing,                                              "Cannot load kernel: the file is missing"],
    [cut,                                                  'Cannot load bios "u-boot.bin": it has 8 bytes, not 9'],
    [make().add("bios", new Uint8Array(0)),                "Cannot load bios: the file is empty"],
    [make().add("kernel", new Uint8Array(0)),              "Cannot load kernel: the file is empty"],
    [make().load(new Uint8Array(0), 0),                    "Cannot load loader file: the file is empty"],
    [make().add("bios", new Uint8Array(64 * 2 ** 20 + 1)), "Cannot load bios: it has 67108865 bytes, the flash bank 67108864"],
    [make().add("kernel", new Uint8Array(2 ** 20)),        "do not fit in RAM, which ends at 0x40100000; use a larger -m", 1],
    [make().add("kernel", arm64Image(0, 0x800_0000)),      "its 134217728 bytes at 0x40200000 do not fit in RAM"],
    [kernel().add("initrd", new Uint8Array(2 ** 20)),      "Cannot load initrd: its 1048576 bytes at 0x40081000 do not fit", 1],
    [kernel(),                                             "Cannot load device tree at 0x40200000–0x40300000: RAM ends at 0x40200000", 2],
    [make().append("x"),                                   "Cannot use -append without -kernel"],
    [make().add("initrd", flatImage(4)),                   "Cannot use -initrd without -kernel"],
    [make().add("kernel", smallElf(0x4020_0000)).add("initrd", flatImage(4)), "Cannot use -initrd: kernel is an ELF file"],
    [make().add("kernel", elfFile(0x2000_0000n, [far])),   "Cannot load kernel at 0x20000000–0x20000004: there is no memory"],
    [make().add("kernel", smallElf(0x47ff_ffff)),          "RAM ends at 0x48000000; use a larger -m"],
    [make().load(flatImage(16), 0x03ff_ffff),              '"flash0" ends at 0x4000000'],
    [make().load(flatImage(16), 0x4000_1000),              "Cannot load device tree at 0x40000000–0x40100000: loader file is at 0x40001000–0x40001010"],
    [make().load(flatImage(16), 0x4100_0000).load(flatImage(4), 0x4100_000f), "loader file is at 0x41000000–0x41000010"],
    [make().load(smallElf(0x4100_0000).slice(0, 125), 0),  "(force-raw=on takes it as it is): it is cut"],
    [make().start(1, 0),                                   "Cannot start cpu-num=1: there is no such CPU with -smp 1"],
    [make().data(0, 1n, 1, false, "01"),                   "Cannot load data at 0x0: there is no RAM"],
    [make().add("bios", flatImage(4)).add("kernel", Uint8Array.of(0x1f, 0x8b)), "it is compressed with gzip"],
    [withOwnTree(flatImage(100)),                          "Cannot load dtb: it does not start with the magic number"],
  ];
  for (const [boot, message, memoryMiB] of cases) {
    assertThrows(() => plan(boot, memoryMiB === undefined ? {} : { memoryMiB }), ConfigurationError, message);
  }
});

Deno.test("planBoot refuses a command line that does not fit a user's device tree", () => {
  const dtb = writeDeviceTree(
    parseDeviceTree(
      plan(make()).writes.find(({ what }) => what === "device tree")?.bytes ?? new Uint8Array(0),
      "tree",
    ),
  );
  const boot = make().add("kernel", flatImage(8)).append("x".repeat(60_000)).add("dtb", dtb);
  assertThrows(() => plan(boot), ConfigurationError, "with what the boot adds it has");
});
