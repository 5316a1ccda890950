/** Compares our device trees with those that qemu-system-aarch64 7.2 dumps, as dtc prints both. */
import { buildBoard } from "../../machine/board.ts";
import type { BootImages } from "../../machine/boot_images.ts";
import { planBoot } from "../../machine/boot.ts";
import { type ConfigurationInput, parseConfiguration } from "../../machine/configuration.ts";
import { type DeviceTreeNode, writeDeviceTree } from "../../machine/device_tree.ts";
import { parseDeviceTree } from "../../machine/device_tree_reader.ts";
import {
  BootBuilder,
  type Combination,
  combine,
  flatImage,
  run,
  smallElf,
  withDirectory,
} from "./boot_combinations.ts";

/** Nodes of QEMU's tree for devices that our board has not (see the table in machine/board.ts). */
const NOT_BUILT = /^platform-bus@/;

/** Properties that QEMU draws at random; ours derive from the seed. Only their sizes are compared. */
const SEEDS = /^(rng-seed|kaslr-seed)$/;

/** A user's tree for `-dtb`, with what QEMU amends and a memory reservation. */
const USER_TREE = `/dts-v1/;
/memreserve/ 0x48000000 0x1000;
/ {
  #address-cells = <1>; #size-cells = <1>; compatible = "example,board";
  memory { device_type = "memory"; reg = <0x40000000 0x1000>; };
  memory-controller { example,name = "kept"; };
  psci { compatible = "arm,psci"; method = "smc"; };
  soc { serial { example,name = "a longer string than the others"; }; };
};
`;

/** Trees that are recorded for tests which run without QEMU: a name, and our configuration of the machine. */
export const RECORDED: readonly { name: string; configuration: ConfigurationInput }[] = [
  { name: "plain", configuration: {} },
  { name: "secure", configuration: { secure: true, cpus: 2 } },
  { name: "virtualization", configuration: { virtualization: true, cpus: 3, memoryMiB: 3072 } },
  { name: "both", configuration: { secure: true, virtualization: true, cpus: 8, memoryMiB: 200 } },
  { name: "gic_v3", configuration: { gicVersion: 3, virtualization: true, cpus: 4 } },
  { name: "gic_v3_without_its", configuration: { gicVersion: 3, its: false, secure: true } },
];

/** Where a recorded tree is. */
export function recordedPath(name: string): URL {
  return new URL(`../fixtures/device_trees/${name}.dtb`, import.meta.url);
}

/** The boot of recorded trees: a kernel with everything. */
export function recordedBoot(directory?: string): BootBuilder {
  return new BootBuilder(directory).add("kernel", flatImage(3000)).add("initrd", flatImage(12345))
    .append("console=ttyAMA0 quiet");
}

async function printTree(blob: Uint8Array): Promise<string> {
  const bytes = await run("dtc", ["-q", "-I", "dtb", "-O", "dts", "-o", "-", "-"], blob);
  return new TextDecoder().decode(bytes);
}

function withoutNotBuilt(node: DeviceTreeNode): void {
  node.remove(({ name }) => NOT_BUILT.test(name));
  for (const property of node.properties) {
    if (SEEDS.test(property.name)) property.value = new Uint8Array(property.value.length);
  }
  for (const child of node.children) withoutNotBuilt(child);
}

/** A tree without what is not compared, written anew. */
export function comparableTree(blob: Uint8Array): Uint8Array {
  const tree = parseDeviceTree(blob, "a tree");
  withoutNotBuilt(tree.root);
  return writeDeviceTree(tree);
}

/** The tree of our machine. */
export function ourTree(configuration: ConfigurationInput, images: BootImages): Uint8Array {
  const { writes } = planBoot(buildBoard(parseConfiguration(configuration)), images);
  const tree = writes.find(({ what }) => what === "device tree");
  if (tree === undefined) throw new Error("our boot has no device tree");
  return tree.bytes;
}

async function qemuTree(
  { arguments: [machine, ...rest] }: Combination,
  directory: string,
): Promise<Uint8Array> {
  const dump = `${directory}/dump.dtb`;
  const common = ["-cpu", "cortex-a57", "-nodefaults", "-display", "none"];
  await run("qemu-system-aarch64", ["-M", `${machine},dumpdtb=${dump}`, ...common, ...rest]);
  return Deno.readFileSync(dump);
}

async function boots(directory: string): Promise<BootBuilder[]> {
  const flat = flatImage(3000);
  const dtb = await run("dtc", ["-q", "-I", "dts", "-O", "dtb", "-"], new TextEncoder().encode(USER_TREE));
  const make = (): BootBuilder => new BootBuilder(directory);
  return [
    make(),
    make().add("bios", flat),
    make().add("kernel", flat),
    recordedBoot(directory),
    make().add("kernel", smallElf(0x4020_0000)).append("one two"),
    make().add("bios", flat).add("kernel", flat).append("from firmware"),
    make().add("kernel", flat).add("initrd", flatImage(5)).append("").add("dtb", dtb),
    make().add("dtb", dtb),
  ];
}

function* combinations(boots: readonly BootBuilder[]): Generator<Combination> {
  for (const secure of [false, true]) {
    for (const virtualization of [false, true]) {
      for (const [cpus, memoryMiB, highmem] of [[1, 128, true], [3, 200, false], [8, 3072, true]] as const) {
        for (const boot of boots) yield combine(boot, { secure, virtualization, cpus, memoryMiB, highmem });
      }
      for (const [cpus, its] of [[1, true], [2, false], [8, true]] as const) {
        const machine = {
          secure,
          virtualization,
          cpus,
          memoryMiB: 128,
          highmem: true,
          gicVersion: 3,
          its,
        } as const;
        yield combine(boots[2] as BootBuilder, machine);
      }
    }
  }
}

async function compare(combination: Combination, directory: string): Promise<boolean> {
  const { configuration, images, arguments: args } = combination;
  const theirs = await qemuTree(combination, directory);
  const ours = ourTree(configuration, images);
  const reread = await printTree(writeDeviceTree(parseDeviceTree(theirs, "QEMU's tree")));
  const expected = (await printTree(comparableTree(theirs))).split("\n");
  const actual = (await printTree(comparableTree(ours))).split("\n");
  const first = expected.findIndex((line, index) => line !== actual[index]);
  const reasons = [];
  if (reread !== await printTree(theirs)) {
    reasons.push("QEMU's tree, read and written by us, prints differently");
  }
  if (ours.length !== theirs.length) {
    reasons.push(`QEMU's blob has ${theirs.length} bytes, ours ${ours.length}`);
  }
  if (first >= 0) reasons.push(`line ${first} is "${expected[first]}", ours "${actual[first]}"`);
  for (const reason of reasons) console.log(`${args.join(" ")}: ${reason}`);
  return reasons.length === 0;
}

async function record(directory: string): Promise<void> {
  const defaults = { secure: false, virtualization: false, cpus: 1, memoryMiB: 128, highmem: true };
  Deno.mkdirSync(new URL(".", recordedPath("any")), { recursive: true });
  for (const { name, configuration } of RECORDED) {
    const machine = combine(recordedBoot(directory), { ...defaults, ...configuration });
    Deno.writeFileSync(recordedPath(name), comparableTree(await qemuTree(machine, directory)));
  }
}

/** Runs all combinations of machine options and boots; needs qemu-system-aarch64 and dtc. */
export function deviceTreeOracle(): Promise<{ agreed: number; disagreed: number }> {
  return withDirectory(async (directory) => {
    const count = { agreed: 0, disagreed: 0 };
    for (const combination of combinations(await boots(directory))) {
      count[await compare(combination, directory) ? "agreed" : "disagreed"]++;
    }
    return count;
  });
}

if (import.meta.main) {
  if (Deno.args.includes("--record")) await withDirectory(record);
  const { agreed, disagreed } = await deviceTreeOracle();
  console.log(`device trees against QEMU: ${agreed} agreed, ${disagreed} disagreed`);
  Deno.exit(disagreed === 0 ? 0 : 1);
}
