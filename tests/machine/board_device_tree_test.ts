/** The board's device tree against trees recorded from QEMU, its seeds, and what a boot adds to a user's tree. */
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { buildBoard } from "../../machine/board.ts";
import { boardDeviceTree } from "../../machine/board_device_tree.ts";
import { describeBoot } from "../../machine/boot_description.ts";
import { type ConfigurationInput, parseConfiguration } from "../../machine/configuration.ts";
import { cells, type DeviceTree, DeviceTreeNode, sizedCells, strings } from "../../machine/device_tree.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import {
  comparableTree,
  ourTree,
  RECORDED,
  recordedBoot,
  recordedPath,
} from "../oracle/device_tree_oracle.ts";

function tree(input: ConfigurationInput): DeviceTree {
  return boardDeviceTree(buildBoard(parseConfiguration(input)), true);
}

for (const { name, configuration } of RECORDED) {
  Deno.test(`boardDeviceTree is QEMU's for the recorded machine "${name}"`, () => {
    const { boot, images } = recordedBoot();
    const ours = comparableTree(ourTree({ ...configuration, boot }, images));
    assertEquals(ours, Deno.readFileSync(recordedPath(name)));
  });
}

Deno.test("boardDeviceTree derives its seeds from the configuration's seed and nothing else", () => {
  const seeds = (input: ConfigurationInput) =>
    ["kaslr-seed", "rng-seed"].map((name) => tree(input).root.child("chosen")?.get(name)?.toHex());
  assertEquals(seeds({ seed: 1 }), seeds({ seed: 1, cpus: 4 }));
  assertNotEquals(seeds({ seed: 1 }), seeds({ seed: 2 }));
  assertEquals(seeds({}).map((text) => text?.length), [16, 64]);
  const secure = tree({ secure: true }).root;
  assertNotEquals(secure.child("chosen")?.get("rng-seed"), secure.child("secure-chosen")?.get("rng-seed"));
});

Deno.test("boardDeviceTree names no virtual timer where that is asked for, and the same as ever otherwise", () => {
  const interrupts = (input: ConfigurationInput) => tree(input).root.child("timer")?.get("interrupts");
  const named = (...numbers: number[]) => cells(...numbers.flatMap((number) => [1, number, 0x104]));
  assertEquals(interrupts({ virtualTimer: false }), named(13, 14));
  for (const input of [{}, { virtualTimer: true }]) assertEquals(interrupts(input), named(13, 14, 11, 10));
  assertEquals(parseConfiguration({ virtualTimer: true }), parseConfiguration({}));
});

function userTree(): DeviceTree {
  const root = new DeviceTreeNode("").set("#address-cells", cells(1)).set("#size-cells", cells(2));
  root.add("memory").set("reg", cells(1, 2, 3));
  root.add("memory@80000000");
  root.add("memory-controller");
  root.add("psci").set("method", strings("smc"));
  return { root, reservations: [], bootCpu: 0 };
}

Deno.test("describeBoot replaces RAM and PSCI of a user's tree and adds the command line and the initrd", () => {
  const board = buildBoard(parseConfiguration({ memoryMiB: 3072 }));
  const user = userTree();
  const initrd = { base: 0x4400_0000, limit: 0x4400_1234 };
  describeBoot(board, user, { append: "a b", initrd, modules: [], conduit: "hvc" }, "dtb");
  const { root } = user;
  assertEquals(root.children.map(({ name }) => name), [
    "psci",
    "chosen",
    "memory@40000000",
    "memory-controller",
  ]);
  assertEquals(
    root.child("memory@40000000")?.get("reg"),
    new Uint8Array([...cells(0x4000_0000), ...sizedCells(2, 3 * 2 ** 30)]),
  );
  assertEquals(root.child("chosen")?.get("bootargs"), strings("a b"));
  assertEquals(root.child("chosen")?.get("linux,initrd-start"), cells(0x4400_0000));
  assertEquals(root.child("chosen")?.get("linux,initrd-end"), cells(0x4400_1234));
  assertEquals(root.child("psci")?.get("method"), strings("hvc"));
  assertEquals(root.child("psci")?.get("cpu_on"), cells(0xc400_0003));
});

Deno.test("describeBoot without conduit, command line or initrd leaves a user's own in place", () => {
  const user = userTree();
  user.root.add("chosen").set("bootargs", strings("own"));
  const boot = { append: "", initrd: undefined, modules: [], conduit: "none" } as const;
  describeBoot(buildBoard(parseConfiguration({})), user, boot, "dtb");
  assertEquals(user.root.child("chosen")?.get("bootargs"), strings("own"));
  assertEquals(user.root.child("chosen")?.get("linux,initrd-start"), undefined);
  assertEquals(user.root.child("psci")?.get("method"), strings("smc"));
});

Deno.test("describeBoot refuses a user's tree without cell counts between 1 and 4", () => {
  const board = buildBoard(parseConfiguration({}));
  const boot = { append: undefined, initrd: undefined, modules: [], conduit: "none" } as const;
  for (const wrong of [undefined, cells(0), cells(5), cells(2, 2), new Uint8Array(0)]) {
    const user = userTree();
    user.root.properties.splice(0, 1); // #size-cells
    if (wrong !== undefined) user.root.set("#size-cells", wrong);
    assertThrows(
      () => describeBoot(board, user, boot, 'dtb "x"'),
      ConfigurationError,
      "no #size-cells between 1 and 4",
    );
  }
});

Deno.test("boardDeviceTree says that DMA is coherent, but for the strict data cache", () => {
  const coherent = (strictModels: ConfigurationInput["strictModels"]) =>
    tree(strictModels === undefined ? {} : { strictModels }).root.children.filter((node) =>
      node.get("dma-coherent") !== undefined
    ).length;
  assertEquals([coherent(undefined), coherent(["tlb", "icache", "context"]), coherent(["dcache"])], [
    34,
    34,
    0,
  ]);
});

Deno.test("describeBoot describes a hypervisor's guests as QEMU 7.2's guest-loader does", () => {
  const image = { sha256: "0".repeat(64), size: 0x1a0_9fc0, name: "" };
  const tree = userTree();
  const modules = [
    { kind: "kernel", image, address: 0x4900_0000, bootargs: "console=hvc0" },
    { kind: "initrd", image: { ...image, size: 0xf_0d4c }, address: 0x4d00_0000, bootargs: undefined },
  ] as const;
  describeBoot(buildBoard(parseConfiguration({})), tree, {
    append: "a",
    initrd: undefined,
    modules,
    conduit: "smc",
  }, "dtb");
  const nodes = tree.root.child("chosen")?.children.map(({ name, properties }) => ({ name, properties }));
  assertEquals(nodes, [
    {
      name: "module@0x4d000000",
      properties: [
        { name: "compatible", value: strings("multiboot,module", "multiboot,ramdisk") },
        { name: "reg", value: cells(0, 0x4d00_0000, 0, 0xf_0d4c) },
      ],
    },
    {
      name: "module@0x49000000",
      properties: [
        { name: "bootargs", value: strings("console=hvc0") },
        { name: "compatible", value: strings("multiboot,module", "multiboot,kernel") },
        { name: "reg", value: cells(0, 0x4900_0000, 0, 0x1a0_9fc0) },
      ],
    },
  ]);
});
