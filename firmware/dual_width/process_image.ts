/** A process before its first instruction: the pages of a static executable and the stack that Linux would give it. */
import { type ElfImage, type ElfSegment, parseElf } from "../../machine/elf.ts";
import { ByteWriter } from "../../machine/layout.ts";
import type { PageUse } from "./address_space.ts";
import { PAGE, STACK_SIZE, STACK_TOP } from "./layout.ts";

/** What a process is made of. */
export interface ProcessSource {
  /** Path by which it is known: AT_EXECFN, and what /proc/self/exe leads to; at most 119 characters. */
  readonly path: string;
  /** The executable: static, of type ET_EXEC, little-endian AArch64. */
  readonly executable: Uint8Array;
  /** argv, with the program's name first. */
  readonly arguments: readonly string[];
  /** Environment, as `NAME=value`. */
  readonly environment?: readonly string[];
}

/** A page of a process. */
export interface ProcessPage {
  /** Virtual address. */
  readonly virtual: bigint;
  /** 4096 bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Permissions. */
  readonly use: PageUse;
}

/** A process that can be put into memory. */
export interface ProcessImage {
  /** All its pages. */
  readonly pages: readonly ProcessPage[];
  /** First instruction. */
  readonly entry: bigint;
  /** SP_EL0: argc is there. */
  readonly sp: bigint;
  /** End of the data, page-aligned: where brk starts. */
  readonly brk: bigint;
}

const PF_X = 1, PF_W = 2;
const PAGE_BITS = BigInt(PAGE - 1);

/** Elements of the auxiliary vector (linux/auxvec.h). */
// deno-fmt-ignore
const AT = {
  NULL: 0, PHDR: 3, PHENT: 4, PHNUM: 5, PAGESZ: 6, BASE: 7, FLAGS: 8, ENTRY: 9, UID: 11, EUID: 12, GID: 13, EGID: 14,
  PLATFORM: 15, HWCAP: 16, CLKTCK: 17, SECURE: 23, RANDOM: 25, HWCAP2: 26, EXECFN: 31,
} as const;

/** FP, ASIMD, AES, PMULL, SHA1, SHA2, CRC32: what a Cortex-A57 has, on every CPU model, so that runs are the same. */
const HWCAP = 0xfbn;

/**
 * Makes a process of a static executable. Throws ConfigurationError for a file that is none, RangeError for one whose
 * segments leave EL0's half, share a page or have no place for a stack.
 */
export function processImage(source: ProcessSource): ProcessImage {
  const elf = parseElf(source.executable, source.path);
  const pages = new Map<bigint, ProcessPage>();
  let end = 0n;
  for (const segment of elf.segments) {
    const limit = segment.virtualAddress + BigInt(segment.memorySize);
    if (limit > STACK_TOP - BigInt(STACK_SIZE)) {
      throw new RangeError(
        `Cannot make a process of ${source.path}: its segment at 0x${segment.virtualAddress.toString(16)} ` +
          `ends past 0x${
            (STACK_TOP - BigInt(STACK_SIZE)).toString(16)
          }, where the stack and then the kernel are`,
      );
    }
    for (const page of segmentPages(segment)) {
      if (pages.has(page.virtual)) {
        throw new RangeError(
          `Cannot make a process of ${source.path}: two segments share the page 0x${
            page.virtual.toString(16)
          }`,
        );
      }
      pages.set(page.virtual, page);
    }
    if (limit > end) end = limit;
  }
  const { sp, bytes } = stack(source, elf);
  for (let at = 0; at < STACK_SIZE; at += PAGE) {
    const virtual = STACK_TOP - BigInt(STACK_SIZE - at);
    pages.set(virtual, { virtual, bytes: bytes.slice(at, at + PAGE), use: { write: true } });
  }
  return {
    pages: [...pages.values()],
    entry: elf.virtualEntry,
    sp,
    brk: (end + PAGE_BITS) & ~PAGE_BITS,
  };
}

function* segmentPages({ virtualAddress, bytes, memorySize, flags }: ElfSegment): Generator<ProcessPage> {
  const use = { write: (flags & PF_W) !== 0, execute: (flags & PF_X) !== 0 };
  const lead = Number(virtualAddress & PAGE_BITS), first = virtualAddress - BigInt(lead);
  for (let at = 0; at < lead + memorySize; at += PAGE) {
    const page = new Uint8Array(PAGE), skip = at === 0 ? lead : 0;
    const from = at + skip - lead;
    page.set(bytes.subarray(from, from + PAGE - skip), skip);
    yield { virtual: first + BigInt(at), bytes: page, use };
  }
}

/** The stack: strings at its top, below them argc, argv, envp and the auxiliary vector (ABI of Linux, arch/arm64). */
function stack(source: ProcessSource, elf: ElfImage): { sp: bigint; bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(STACK_SIZE), base = STACK_TOP - BigInt(STACK_SIZE);
  let top = STACK_SIZE - 16;
  const put = (data: Uint8Array): bigint => {
    top -= data.length;
    if (top < STACK_SIZE / 2) {
      throw new RangeError(`Cannot make a process of ${source.path}: arguments and environment do not fit`);
    }
    bytes.set(data, top);
    return base + BigInt(top);
  };
  const text = (string: string): bigint => put(new TextEncoder().encode(`${string}\0`));
  const execfn = text(source.path), platform = text("aarch64");
  const random = put(Uint8Array.from({ length: 16 }, (_, index) => (index * 0x6d + 0x35) & 0xff));
  const environment = (source.environment ?? []).map(text), args = source.arguments.map(text);
  const { offset, count } = elf.programHeaders;
  const inside = elf.segments.find((segment) =>
    offset >= segment.offset && offset < segment.offset + segment.bytes.length
  );
  const phdr = inside === undefined ? 0n : inside.virtualAddress + BigInt(offset - inside.offset);
  const auxiliary: [number, bigint][] = [
    [AT.PHDR, phdr],
    [AT.PHENT, 56n],
    [AT.PHNUM, BigInt(count)],
    [AT.PAGESZ, BigInt(PAGE)],
    [AT.BASE, 0n],
    [AT.FLAGS, 0n],
    [AT.ENTRY, elf.virtualEntry],
    [AT.UID, 0n],
    [AT.EUID, 0n],
    [AT.GID, 0n],
    [AT.EGID, 0n],
    [AT.SECURE, 0n],
    [AT.HWCAP, HWCAP],
    [AT.HWCAP2, 0n],
    [AT.CLKTCK, 100n],
    [AT.PLATFORM, platform],
    [AT.RANDOM, random],
    [AT.EXECFN, execfn],
    [AT.NULL, 0n],
  ];
  const words = [
    BigInt(args.length),
    ...args,
    0n,
    ...environment,
    0n,
    ...auxiliary.flatMap(([type, value]) => [BigInt(type), value]),
  ];
  const block = new ByteWriter();
  for (const word of words) block.u64(word);
  top = (top - words.length * 8) & ~15;
  bytes.set(block.bytes(), top);
  return { sp: base + BigInt(top), bytes };
}
