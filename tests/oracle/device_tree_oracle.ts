/** Compares our device trees with those that qemu-system-aarch64 7.2 dumps, as dtc prints both. */
import { createHash } from "node:crypto";
import { type Board, buildBoard } from "../../machine/board.ts";
import type { BootImages } from "../../machine/boot_images.ts";
import { planBoot } from "../../machine/boot.ts";
import {
  type BootConfiguration,
  type ConfigurationInput,
  type ImageReference,
  parseConfiguration,
} from "../../machine/configuration.ts";
import { type DeviceTree, type DeviceTreeNode, writeDeviceTree } from "../../machine/device_tree.ts";
import { parseDeviceTree } from "../../machine/device_tree_reader.ts";

/** One machine, as ours is configured and as QEMU's command line says it. */
interface Combination {
  readonly configuration: ConfigurationInput;
  readonly images: BootImages;
  readonly arguments: readonly string[];
}

/** Nodes of QEMU's tree for devices that our board has not (see the table in machine/board.ts). */
const NOT_BUILT = /^(pcie@|pl061@|gpio-keys$|gpio-restart$|gpio-poweroff$|platform-bus@|v2m@)/;

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

async function run(command: string, args: readonly string[], input?: Uint8Array): Promise<Uint8Array> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(input);
    await writer.close();
  }
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
  }
  return stdout;
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

function comparable(tree: DeviceTree): Uint8Array {
  withoutNotBuilt(tree.root);
  return writeDeviceTree(tree);
}

function ourTree(board: Board, images: BootImages): Uint8Array {
  const tree = planBoot(board, images).writes.find(({ what }) => what === "device tree");
  if (tree === undefined) throw new Error("our boot has no device tree");
  return tree.bytes;
}

/** Images of a boot, and both ways to name them. */
class ImageBuilder {
  readonly images = new Map<string, Uint8Array>();
  readonly arguments: string[] = [];
  readonly boot: { -readonly [K in keyof BootConfiguration]?: BootConfiguration[K] } = {};

  constructor(private readonly directory: string) {}

  add(role: "bios" | "kernel" | "initrd" | "dtb", bytes: Uint8Array): this {
    const path = `${this.directory}/${role}-${bytes.length}`;
    Deno.writeFileSync(path, bytes);
    this.boot[role] = this.#reference(bytes);
    this.arguments.push(`-${role}`, path);
    return this;
  }

  append(text: string): this {
    this.boot.append = text;
    this.arguments.push("-append", text);
    return this;
  }

  #reference(bytes: Uint8Array): ImageReference {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.images.set(sha256, bytes);
    return { sha256, size: bytes.length, name: "" };
  }
}

/** An ELF file with one executable segment of 16 bytes. */
export function smallElf(address: number): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 16);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 183, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(address), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  for (const [index, value] of [120, address, address, 16, 16, 4096].entries()) {
    view.setBigUint64(72 + 8 * index, BigInt(value), true);
  }
  return bytes;
}

async function boots(directory: string): Promise<ImageBuilder[]> {
  const flat = new Uint8Array(3000).fill(0x14);
  const dtb = await run("dtc", ["-q", "-I", "dts", "-O", "dtb", "-"], new TextEncoder().encode(USER_TREE));
  const make = (): ImageBuilder => new ImageBuilder(directory);
  return [
    make(),
    make().add("bios", flat),
    make().add("kernel", flat),
    make().add("kernel", flat).add("initrd", new Uint8Array(12345).fill(1)).append("console=ttyAMA0 quiet"),
    make().add("kernel", smallElf(0x4020_0000)).append("one two"),
    make().add("bios", flat).add("kernel", flat).append("from firmware"),
    make().add("kernel", flat).add("initrd", new Uint8Array(5)).append("").add("dtb", dtb),
    make().add("dtb", dtb),
  ];
}

function* combinations(images: readonly ImageBuilder[]): Generator<Combination> {
  const flag = (on: boolean): string => on ? "on" : "off";
  for (const secure of [false, true]) {
    for (const virtualization of [false, true]) {
      for (const [cpus, memoryMiB, highmem] of [[1, 128, true], [3, 200, false], [8, 3072, true]] as const) {
        for (const { boot, images: contents, arguments: bootArguments } of images) {
          const machine =
            `virt,secure=${flag(secure)},virtualization=${flag(virtualization)},gic-version=2,` +
            `highmem=${flag(highmem)}`;
          yield {
            configuration: { secure, virtualization, cpus, memoryMiB, highmem, boot },
            images: contents,
            arguments: [machine, "-smp", `${cpus}`, "-m", `${memoryMiB}`, ...bootArguments],
          };
        }
      }
    }
  }
}

async function compare(
  { configuration, images, arguments: args }: Combination,
  dump: string,
): Promise<boolean> {
  const [machine, ...rest] = args;
  const common = ["-cpu", "cortex-a57", "-nodefaults", "-display", "none"];
  await run("qemu-system-aarch64", ["-M", `${machine},dumpdtb=${dump}`, ...common, ...rest]);
  const theirs = Deno.readFileSync(dump);
  const read = parseDeviceTree(theirs, "QEMU's tree");
  const sameAfterReading = await printTree(writeDeviceTree(read)) === await printTree(theirs);
  const ours = ourTree(buildBoard(parseConfiguration(configuration)), images);
  const sameSize = ours.length === theirs.length;
  const expected = await printTree(comparable(read));
  const actual = await printTree(comparable(parseDeviceTree(ours, "our tree")));
  if (sameAfterReading && sameSize && expected === actual) return true;
  console.log(`differs: ${args.join(" ")}`);
  if (!sameAfterReading) console.log("  QEMU's tree, read and written by us, prints differently");
  if (!sameSize) console.log(`  QEMU's blob has ${theirs.length} bytes, ours ${ours.length}`);
  const lines = actual.split("\n");
  const first = expected.split("\n").findIndex((line, index) => line !== lines[index]);
  if (first >= 0) console.log(`  line ${first}: QEMU ${expected.split("\n")[first]}, ours ${lines[first]}`);
  return false;
}

/** Runs all combinations of machine options and boots; needs qemu-system-aarch64 and dtc. */
export async function deviceTreeOracle(): Promise<{ agreed: number; disagreed: number }> {
  const directory = Deno.makeTempDirSync();
  const count = { agreed: 0, disagreed: 0 };
  try {
    for (const combination of combinations(await boots(directory))) {
      if (await compare(combination, `${directory}/dump.dtb`)) count.agreed++;
      else count.disagreed++;
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
  return count;
}

if (import.meta.main) {
  const { agreed, disagreed } = await deviceTreeOracle();
  console.log(`device trees against QEMU: ${agreed} agreed, ${disagreed} disagreed`);
  Deno.exit(disagreed === 0 ? 0 : 1);
}
