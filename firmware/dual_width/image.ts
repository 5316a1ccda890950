/** The builder of dual-width images: kernel, shim, processes and the tables that both regimes walk, as one flat file. */
import type { Program } from "../../machine/a64/program.ts";
import { AddressSpace } from "./address_space.ts";
import { assembleKernel, assembleShim } from "./kernel.ts";
import {
  DEVICE_PAGES,
  deviceOffset,
  IMAGE_BASE,
  KERNEL_BASE,
  type KernelForm,
  MMAP_TOP,
  PAGE,
  PROCESS,
  PROCESS_SIZE,
  PROCESSES,
  WINDOW_BASE,
  WINDOW_SIZE,
} from "./layout.ts";
import { type ProcessImage, processImage, type ProcessSource } from "./process_image.ts";

/** What an image is built of. */
export interface DualWidthOptions {
  /** The kernel's form. */
  readonly form: KernelForm;
  /** 1–4 processes; the first runs first. */
  readonly processes: readonly ProcessSource[];
  /** Another process comes after every system call. */
  readonly switchAlways?: boolean;
  /** Ticks of the counter between two interrupts of the timer of EL2, which end a turn; none when absent. */
  readonly tickPeriod?: number;
  /** Bytes of RAM that the kernel owns, a multiple of 4096 (default WINDOW_SIZE). */
  readonly windowSize?: number;
  /** A kernel other than `assembleKernel(form)`: an experiment's. */
  readonly kernel?: Program;
}

/** A process in an image. */
export interface PlacedProcess {
  /** Its number, from 1. */
  readonly pid: number;
  /** Physical address of its root. */
  readonly root: number;
}

/** An image for `-kernel`. */
export interface DualWidthImage {
  /** The file; it is entered at its first byte, at IMAGE_BASE. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The kernel in it. */
  readonly kernel: Program;
  /** In the order given. */
  readonly processes: readonly PlacedProcess[];
  /** Virtual addresses of all pages that the kernel has, and EL0 has not. */
  readonly kernelPages: readonly bigint[];
}

/** Collects pages at physical addresses, one after another. */
class Pages {
  #pages: Uint8Array[] = [];

  get next(): number {
    return IMAGE_BASE + this.#pages.length * PAGE;
  }

  /** Adds bytes, filled up to whole pages; returns where they are. */
  add(bytes: Uint8Array): number {
    const at = this.next;
    for (let from = 0; from < bytes.length; from += PAGE) {
      const page = new Uint8Array(PAGE);
      page.set(bytes.subarray(from, from + PAGE));
      this.#pages.push(page);
    }
    return at;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#pages.length * PAGE);
    for (const [index, page] of this.#pages.entries()) bytes.set(page, index * PAGE);
    return bytes;
  }
}

/** Tables for the kernel's half: one of level 3 for every 2 MiB, and those above; devices have their own. */
const kernelTables = (windowSize: number): number => Math.ceil(windowSize / 0x20_0000) + 8;
/** Tables for a process's half: text and data, mmap, stack and shim, a few megabytes of each. */
const PROCESS_TABLES = 64;

/**
 * Builds an image. Throws RangeError for what does not fit or may not be mapped, ConfigurationError for executables
 * that cannot be read.
 */
export function dualWidthImage(options: DualWidthOptions): DualWidthImage {
  const { form, windowSize = WINDOW_SIZE, kernel = assembleKernel(form) } = options;
  if (options.processes.length < 1 || options.processes.length > PROCESSES) {
    throw new RangeError(
      `Cannot build for ${options.processes.length} processes: 1 to ${PROCESSES} are possible`,
    );
  }
  const pages = new Pages();
  pages.add(new Uint8Array(kernel.size));
  const half = kernelHalf(form, windowSize, kernel, pages);
  const shim = pages.add(assembleShim().bytes);
  const processes = options.processes.map((source, index) => {
    const image = processImage(source);
    const root = placeProcess(form, image, shim, half.space, pages);
    return { pid: index + 1, root, image, source };
  });
  const limit = WINDOW_BASE + windowSize;
  if (pages.next > limit) {
    throw new RangeError(
      `Cannot build: the image ends at 0x${pages.next.toString(16)}, past the kernel's RAM at 0x${
        limit.toString(16)
      }`,
    );
  }
  const bytes = pages.bytes();
  bytes.set(kernel.bytes);
  const fill = new Filler(kernel, bytes);
  fill.word("first_root", BigInt(processes[0]?.root ?? 0));
  fill.word("free_next", BigInt(pages.next));
  fill.word("free_end", BigInt(limit));
  fill.word("tick_period", BigInt(options.tickPeriod ?? 0));
  fill.word("switch_always", options.switchAlways ? 1n : 0n);
  for (const [index, process] of processes.entries()) fill.process(index, process);
  return {
    bytes,
    kernel,
    processes: processes.map(({ pid, root }) => ({ pid, root })),
    kernelPages: half.mapped,
  };
}

/** Maps the linear window, the kernel's text read-only and executable, and the devices. */
function kernelHalf(
  form: KernelForm,
  windowSize: number,
  kernel: Program,
  pages: Pages,
): { space: AddressSpace; mapped: bigint[] } {
  const space = new AddressSpace(form, pages.next, kernelTables(windowSize)), mapped: bigint[] = [];
  const textEnd = kernel.symbols.get("kernel_text_end") ?? kernel.base;
  for (let at = 0; at < windowSize; at += PAGE) {
    const virtual = KERNEL_BASE[form] + BigInt(at);
    const isText = virtual >= kernel.base && virtual < textEnd;
    space.mapKernel(virtual, WINDOW_BASE + at, isText ? { execute: true } : { write: true });
    mapped.push(virtual);
  }
  for (const physical of DEVICE_PAGES) {
    const virtual = BigInt(physical) + deviceOffset(form);
    space.mapKernel(virtual, physical, { write: true, device: true });
    mapped.push(virtual);
  }
  pages.add(space.bytes);
  return { space, mapped };
}

/** Puts a process's pages and tables; returns its root. */
function placeProcess(
  form: KernelForm,
  image: ProcessImage,
  shim: number,
  kernel: AddressSpace,
  pages: Pages,
): number {
  const placed = image.pages.map(({ virtual, bytes, use }) => ({ virtual, use, physical: pages.add(bytes) }));
  const root = pages.next, space = new AddressSpace(form, root, PROCESS_TABLES, kernel);
  for (const { virtual, use, physical } of placed) space.mapUser(virtual, physical, use);
  space.mapShim(shim, { execute: true });
  pages.add(space.bytes);
  return root;
}

/** Writes what the kernel finds in its data. */
class Filler {
  readonly #view: DataView;

  constructor(private readonly kernel: Program, private readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset);
  }

  #offset(symbol: string): number {
    return Number((this.kernel.symbols.get(symbol) as bigint) - this.kernel.base);
  }

  word(symbol: string, value: bigint): void {
    this.#view.setBigUint64(this.#offset(symbol), value, true);
  }

  process(
    index: number,
    { pid, root, image, source }: PlacedProcess & { image: ProcessImage; source: ProcessSource },
  ): void {
    const at = this.#offset("processes") + index * PROCESS_SIZE;
    const put = (field: keyof typeof PROCESS, value: bigint) =>
      this.#view.setBigUint64(at + PROCESS[field], value, true);
    put("PC", image.entry);
    put("SP", image.sp);
    put("ROOT", BigInt(root));
    put("BRK_START", image.brk);
    put("BRK", image.brk);
    put("MMAP_NEXT", MMAP_TOP);
    put("STATE", 1n);
    put("PID", BigInt(pid));
    put("RANDOM", 0x9e37_79b9_7f4a_7c15n + BigInt(pid));
    const text = (field: "COMM" | "NAME", value: string, room: number) => {
      const encoded = new TextEncoder().encode(value).subarray(0, room - 1);
      this.bytes.set(encoded, at + PROCESS[field]);
    };
    text("COMM", source.path.split("/").at(-1) ?? "", 16);
    text("NAME", source.path, PROCESS.NAME_END - PROCESS.NAME);
  }
}
