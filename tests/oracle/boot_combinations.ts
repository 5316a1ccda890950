/** Machines and boots on which QEMU and ours are compared: each as a configuration and as a command line. */
import { createHash } from "node:crypto";
import type { BootImages } from "../../machine/boot_images.ts";
import type {
  BootConfiguration,
  ConfigurationInput,
  ImageReference,
  LoaderEntry,
} from "../../machine/configuration.ts";

/** One machine. */
export interface Combination {
  /** As ours is configured. */
  readonly configuration: ConfigurationInput;
  /** The images it names. */
  readonly images: BootImages;
  /** QEMU's arguments; the first is that of `-M`. */
  readonly arguments: readonly string[];
}

/** Runs a program and returns what it prints; throws Error with its messages when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  input: Uint8Array = new Uint8Array(0),
): Promise<Uint8Array> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
  }
  return stdout;
}

/** Calls `use` with a directory that is gone afterwards. */
export async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = Deno.makeTempDirSync();
  try {
    return await use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Images and options of one boot, as both sides name them. */
export class BootBuilder {
  /** Contents by SHA-256. */
  readonly images = new Map<string, Uint8Array>();
  /** Command line. */
  readonly arguments: string[] = [];
  /** Configuration. */
  readonly boot: { -readonly [K in keyof BootConfiguration]?: BootConfiguration[K] } = {};

  /** Files for QEMU go to `directory`; without one, only our side can be used. */
  constructor(private readonly directory?: string) {}

  /** Adds an image option. */
  add(role: "bios" | "kernel" | "initrd" | "dtb", bytes: Uint8Array): this {
    this.boot[role] = this.#reference(bytes);
    this.arguments.push(`-${role}`, this.#path(bytes));
    return this;
  }

  /** Adds the kernel's command line. */
  append(text: string): this {
    this.boot.append = text;
    this.arguments.push("-append", text);
    return this;
  }

  /** Adds `-device loader,file=`. */
  load(
    bytes: Uint8Array,
    address: number,
    { cpu, forceRaw = false }: { cpu?: number; forceRaw?: boolean } = {},
  ): this {
    const image = this.#reference(bytes);
    this.#loader({ kind: "image", image, address, forceRaw, cpu });
    const tail = `${cpu === undefined ? "" : `,cpu-num=${cpu}`}${forceRaw ? ",force-raw=on" : ""}`;
    const position = isElfName(bytes) && !forceRaw ? "" : `,addr=${address}`;
    this.arguments.push("-device", `loader,file=${this.#path(bytes)}${position}${tail}`);
    return this;
  }

  /** Adds `-device loader,addr=,cpu-num=`. */
  start(cpu: number, address: number): this {
    this.#loader({ kind: "entry", address, cpu });
    this.arguments.push("-device", `loader,addr=${address},cpu-num=${cpu}`);
    return this;
  }

  /** Adds `-device loader,addr=,data=`; `bytes` is what `loaderData` makes of it. */
  data(address: number, data: bigint, length: number, bigEndian: boolean, bytes: string): this {
    this.#loader({ kind: "data", address, bytes });
    const order = bigEndian ? ",data-be=on" : "";
    this.arguments.push("-device", `loader,addr=${address},data=${data},data-len=${length}${order}`);
    return this;
  }

  #loader(entry: LoaderEntry): void {
    this.boot.loaders = [...this.boot.loaders ?? [], entry];
  }

  #reference(bytes: Uint8Array): ImageReference {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.images.set(sha256, bytes);
    return { sha256, size: bytes.length, name: "" };
  }

  #path(bytes: Uint8Array): string {
    const path = `${this.directory ?? ""}/${createHash("sha256").update(bytes).digest("hex")}`;
    if (this.directory !== undefined) Deno.writeFileSync(path, bytes);
    return path;
  }
}

function isElfName(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f;
}

/** A machine with a boot. */
export function combine(
  boot: BootBuilder,
  machine: {
    secure: boolean;
    virtualization: boolean;
    cpus: number;
    memoryMiB: number;
    highmem: boolean;
    gicVersion?: 2 | 3;
    its?: boolean;
  },
): Combination {
  const flag = (on: boolean): string => on ? "on" : "off";
  const { secure, virtualization, cpus, memoryMiB, highmem, gicVersion = 2, its = true } = machine;
  const gic = `gic-version=${gicVersion}${gicVersion === 3 ? `,its=${flag(its)}` : ""}`;
  const options = `virt,${gic},secure=${flag(secure)},virtualization=${flag(virtualization)}`;
  return {
    configuration: { ...machine, boot: boot.boot },
    images: boot.images,
    arguments: [
      `${options},highmem=${flag(highmem)}`,
      "-smp",
      `${cpus}`,
      "-m",
      `${memoryMiB}`,
      ...boot.arguments,
    ],
  };
}

/** A flat image of `size` bytes that are not all alike. */
export function flatImage(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => index * 7 + (index >> 8) & 0xff);
}

/** An arm64 Image of 3000 bytes. */
export function arm64Image(textOffset: number, imageSize: number): Uint8Array {
  const bytes = flatImage(3000);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, BigInt(textOffset), true);
  view.setBigUint64(16, BigInt(imageSize), true);
  bytes.set([0x41, 0x52, 0x4d, 0x64], 56);
  return bytes;
}

/** A segment of `elfFile`. */
export interface SegmentParts {
  /** Virtual address; the physical one when absent. */
  readonly virtual?: bigint;
  /** Physical address. */
  readonly physical: bigint;
  /** Bytes in the file. */
  readonly bytes: Uint8Array;
  /** Bytes in memory; as in the file when absent. */
  readonly memorySize?: bigint;
}

/** A little-endian AArch64 ELF file with executable segments. */
export function elfFile(entry: bigint, segments: readonly SegmentParts[]): Uint8Array {
  const tableEnd = 64 + 56 * segments.length;
  const bytes = new Uint8Array(segments.reduce((sum, segment) => sum + segment.bytes.length, tableEnd));
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 183, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, entry, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  let offset = tableEnd;
  for (const [index, { virtual, physical, bytes: contents, memorySize }] of segments.entries()) {
    const at = 64 + 56 * index;
    const fileSize = BigInt(contents.length);
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, 5, true);
    const fields = [BigInt(offset), virtual ?? physical, physical, fileSize, memorySize ?? fileSize, 4096n];
    for (const [field, value] of fields.entries()) view.setBigUint64(at + 8 + 8 * field, value, true);
    bytes.set(contents, offset);
    offset += contents.length;
  }
  return bytes;
}

/** An ELF file of one segment of 16 bytes in the file and 256 in memory, entered at its start. */
export function smallElf(address: number): Uint8Array {
  const segment = { physical: BigInt(address), bytes: flatImage(16), memorySize: 256n };
  return elfFile(BigInt(address), [segment]);
}
