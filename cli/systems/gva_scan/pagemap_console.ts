/** What the pagemap program wrote on a console: the kernel's own view of one address space, against a scan of it. */
import type { ScanRun } from "../../../hypervisor/systems/gva_scan/runs.ts";

/** A page as /proc/self/pagemap tells it. */
export interface KernelPage {
  /** Virtual address. */
  readonly address: bigint;
  /** The entry, 64 bits. */
  readonly entry: bigint;
}

const PAGE = 4096n, PRESENT = 1n << 63n, FRAME = (1n << 55n) - 1n;

/** The pages of all mappings that the programs on a console told of, program by program. */
export function readPagemaps(console: string): KernelPage[][] {
  const parts = console.replaceAll("\r", "").matchAll(/\nready\n([^]*?)\npages\n([^]*?)\ndone\n/g);
  return [...parts].map(([, maps = "", pages = ""]) => {
    const entries = pages.split("\n").map((line) => BigInt(`0x${line}`));
    const addresses = maps.split("\n").flatMap((line) => {
      const [first = "", end = ""] = line.split(/[- ]/);
      const start = BigInt(`0x${first}`), count = Number((BigInt(`0x${end}`) - start) / PAGE);
      return Array.from({ length: count }, (_, at) => start + BigInt(at) * PAGE);
    });
    if (addresses.length !== entries.length) {
      throw new RangeError(`The console has ${addresses.length} pages and ${entries.length} entries`);
    }
    return addresses.map((address, at) => ({ address, entry: entries[at]! }));
  });
}

/** Guest frames that a scan found for user addresses, by page. */
function framesOf(runs: readonly ScanRun[]): Map<bigint, bigint> {
  const frames = new Map<bigint, bigint>();
  for (const { gva, size, ipa, state } of runs) {
    if (gva >> 63n !== 0n || state === "hole") continue;
    for (let at = 0n; at < size; at += PAGE) frames.set(gva + at, (ipa + at) / PAGE);
  }
  return frames;
}

/** How many pages agree, and where not: every present page has the scan's frame, and the scan has no other page. */
export function comparePagemap(
  pages: readonly KernelPage[],
  runs: readonly ScanRun[],
): { readonly agreeing: number; readonly failures: readonly string[] } {
  const frames = framesOf(runs), failures: string[] = [];
  let agreeing = 0;
  for (const { address, entry } of pages) {
    const theirs = (entry & PRESENT) === 0n ? undefined : entry & FRAME, ours = frames.get(address);
    frames.delete(address);
    if (ours === theirs) agreeing += ours === undefined ? 0 : 1;
    else failures.push(`page 0x${address.toString(16)}: pagemap has frame ${theirs}, the scan ${ours}`);
  }
  for (const address of frames.keys()) failures.push(`page 0x${address.toString(16)} is in no mapping`);
  return { agreeing, failures };
}
