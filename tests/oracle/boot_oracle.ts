/** Compares memory, program counters and exception levels out of reset with those of qemu-system-aarch64 7.2. */
import { Buffer } from "node:buffer";
import { buildBoard, RAM_BASE } from "../../machine/board.ts";
import { type BootPlan, loaderData, planBoot } from "../../machine/boot.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import {
  arm64Image,
  BootBuilder,
  type Combination,
  combine,
  elfFile,
  flatImage,
  run,
  smallElf,
  withDirectory,
} from "./boot_combinations.ts";

/** Bytes compared at the start of RAM and, where QEMU shows it, of flash. */
const RAM_WINDOW = 80 * 2 ** 20;
const FLASH_WINDOW = 2 * 2 ** 20;

function boots(directory: string): BootBuilder[] {
  const make = (): BootBuilder => new BootBuilder(directory);
  const flat = flatImage(3000);
  const initrd = flatImage(70_000);
  const highHalf = elfFile(0xffff_0000_4020_0004n, [
    { virtual: 0xffff_0000_4020_0000n, physical: 0x4020_0000n, bytes: flatImage(300), memorySize: 0x2000n },
    { virtual: 0xffff_0000_4030_0000n, physical: 0x4030_0000n, bytes: flatImage(0), memorySize: 0x100n },
  ]);
  return [
    make(),
    make().add("bios", flatImage(1_000_000)),
    make().add("kernel", flat).append("console=ttyAMA0"),
    make().add("kernel", flat).add("initrd", initrd),
    make().add("kernel", arm64Image(0, 0)),
    make().add("kernel", arm64Image(0, 0x10000)).add("initrd", initrd),
    make().add("kernel", arm64Image(0x80000, 0x3c0_0000)).add("initrd", initrd),
    make().add("kernel", arm64Image(0x1000, 0x20_0001)),
    make().add("kernel", flatImage(60)),
    ...[0x1000, 0x4000_0000, 0x4000_1000, 0x4010_0000, 0x4010_0008, 0x4080_0000].map((address) =>
      make().add("kernel", smallElf(address))
    ),
    make().add("kernel", highHalf).append("one"),
    make().add("bios", flat).load(flat, 0x4100_0000, { forceRaw: true }).start(0, 0x4100_0000),
    make().add("kernel", flat).load(highHalf, 0, { cpu: 0 }),
    make().load(smallElf(0x4100_0000), 0x4200_0000, { forceRaw: true, cpu: 0 }),
    make().load(smallElf(0x4100_0000), 0),
    make().data(0x4100_0000, 0x12345678n, 4, false, loaderData(0x12345678n, 4, false))
      .data(0x4100_0010, 0x12345678n, 4, true, loaderData(0x12345678n, 4, true))
      .data(0x4100_0020, 0x123456789abcdef0n, 8, true, loaderData(0x123456789abcdef0n, 8, true))
      .data(0x4000_0000, 1n, 1, false, loaderData(1n, 1, false)),
  ];
}

/** The bytes of a window as a plan makes them, the device tree as its header. */
function planned({ writes }: BootPlan, base: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const write of writes) {
    const contents = write.what === "device tree" ? write.bytes.subarray(0, 8) : write.bytes;
    const end = write.address + contents.length;
    if (write.address < base || end > base + size) continue;
    bytes.set(contents, write.address - base);
    bytes.fill(0, end - base, Math.min(size, end - base + write.zeros));
  }
  return bytes;
}

/** Hides what differs in the device tree: all but its magic number and size. */
function hideTree({ writes }: BootPlan, base: number, bytes: Uint8Array): void {
  const tree = writes.find(({ what }) => what === "device tree");
  if (tree === undefined || tree.address < base || tree.address >= base + bytes.length) return;
  bytes.fill(0, tree.address - base + 8, tree.address - base + tree.bytes.length);
}

interface Reset {
  readonly ram: Uint8Array;
  readonly flash: Uint8Array | undefined;
  /** Program counter and level of each CPU, as `4000000 EL1`. */
  readonly cpus: readonly string[];
}

async function qemuReset({ configuration, arguments: args }: Combination, directory: string): Promise<Reset> {
  const [ram, flash] = [`${directory}/ram`, `${directory}/flash`];
  const commands = [
    `pmemsave ${RAM_BASE} ${RAM_WINDOW} "${ram}"`,
    ...configuration.secure ? [] : [`pmemsave 0 ${FLASH_WINDOW} "${flash}"`],
    "info registers -a",
    "quit",
  ];
  const common = ["-cpu", "cortex-a57", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"];
  const input = new TextEncoder().encode(commands.map((line) => `${line}\n`).join(""));
  const text = new TextDecoder().decode(await run("qemu-system-aarch64", ["-M", ...args, ...common], input));
  const counters = [...text.matchAll(/ PC=0*([0-9a-f]+) /g)].map(([, pc]) => pc);
  const levels = [...text.matchAll(/PSTATE=\S+ \S+ +(?:NS |S )?(EL\d)/g)].map(([, level]) => level);
  return {
    ram: Deno.readFileSync(ram),
    flash: configuration.secure ? undefined : Deno.readFileSync(flash),
    cpus: counters.map((pc, index) => `${pc} ${levels[index]}`),
  };
}

/** Offset of the first byte that differs, or -1. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return -1;
  return a.findIndex((byte, index) => byte !== b[index]);
}

async function compare(combination: Combination, directory: string): Promise<boolean> {
  const board = buildBoard(parseConfiguration(combination.configuration));
  const plan = planBoot(board, combination.images);
  const theirs = await qemuReset(combination, directory);
  const reasons: string[] = [];
  const windows = [{ name: "RAM", base: RAM_BASE as number, bytes: theirs.ram }];
  if (theirs.flash !== undefined) windows.push({ name: "flash", base: 0, bytes: theirs.flash });
  for (const { name, base, bytes } of windows) {
    hideTree(plan, base, bytes);
    const at = firstDifference(bytes, planned(plan, base, bytes.length));
    if (at >= 0) reasons.push(`${name} differs at 0x${(base + at).toString(16)}`);
  }
  // A CPU that is off has its level and counter only after CPU_ON.
  const ours = plan.cpus.map(({ pc, level }) => `${pc.toString(16)} EL${level}`);
  for (const [index, cpu] of ours.entries()) {
    if (plan.cpus[index]?.on && cpu !== theirs.cpus[index]) {
      reasons.push(`cpu${index} starts at ${theirs.cpus[index]}, ours at ${cpu}`);
    }
  }
  for (const reason of reasons) console.log(`${combination.arguments.join(" ")}: ${reason}`);
  return reasons.length === 0;
}

/** Runs all combinations of machine options and boots; needs qemu-system-aarch64. */
export function bootOracle(): Promise<{ agreed: number; disagreed: number }> {
  return withDirectory(async (directory) => {
    const count = { agreed: 0, disagreed: 0 };
    for (const secure of [false, true]) {
      for (const virtualization of [false, true]) {
        for (const boot of boots(directory)) {
          const machine = { secure, virtualization, cpus: 2, memoryMiB: 128, highmem: true };
          count[await compare(combine(boot, machine), directory) ? "agreed" : "disagreed"]++;
        }
      }
    }
    return count;
  });
}

if (import.meta.main) {
  const { agreed, disagreed } = await bootOracle();
  console.log(`resets against QEMU: ${agreed} agreed, ${disagreed} disagreed`);
  Deno.exit(disagreed === 0 ? 0 : 1);
}
