/** The second opinion itself: tables walked against expectations written by hand, and what a check would tell of a wrong scan. */
import { assert, assertEquals } from "@std/assert";
import { failuresOf, type ObservedScan } from "../../../../cli/systems/gva_scan/observed.ts";
import { comparePagemap, readPagemaps } from "../../../../cli/systems/gva_scan/pagemap_console.ts";
import { changeText, diffScans } from "../../../../cli/systems/gva_scan/scan_diff.ts";
import { type WalkedRegisters, walkTables } from "../../../../cli/systems/gva_scan/table_walker.ts";
import { compareLines } from "../../../../cli/systems/gva_scan/twin.ts";
import { RunCollector, runText, type ScanRun } from "../../../../hypervisor/systems/gva_scan/runs.ts";

const REGISTERS: WalkedRegisters = {
  SCTLR_EL1: 1n,
  TCR_EL1: 25n | (1n << 23n) | (5n << 32n),
  TTBR0_EL1: 0x1000n,
  TTBR1_EL1: 0n,
  MAIR_EL1: 0x44ff00n,
  HCR_EL2: 0n,
  VTCR_EL2: 0n,
  VTTBR_EL2: 0n,
  ID_AA64MMFR0_EL1: 0x1125n,
};

/** 16 KiB of memory at 0x1000 with some words. */
function memory(words: Readonly<Record<number, bigint>>) {
  return (address: bigint) =>
    address >= 0x1000n && address < 0x5000n ? words[Number(address)] ?? 0n : undefined;
}

const TABLES = {
  0x1000: 0x2003n,
  0x1008: 0x4000_0705n,
  0x1010: 0x9003n,
  0x2000: 0x3003n,
  0x3008: 0x7000_0707n,
  0x3010: 0x7000_1707n,
  0x3018: 0x7000_2303n,
  0x3020: 0x8000_0000_0000_0603n,
  0x3030: 2n,
};

Deno.test("walkTables gives merged runs of leaves, holes and what is not accessed, and counts", () => {
  const { runs, tables, leaves } = walkTables(REGISTERS, memory(TABLES));
  assertEquals(runs.map(runText), [
    "0x0000000000001000       0x2000 mapped ipa 0x70000000 pa 0x70000000 attr 0xff sh 3",
    "0x0000000000003000       0x1000 unaccessed ipa 0x70002000",
    "0x0000000000004000       0x1000 mapped ipa 0x0 pa 0x0 attr 0x0 sh 2",
    "0x0000000040000000   0x40000000 mapped ipa 0x40000000 pa 0x40000000 attr 0xff sh 3",
    "0x0000000080000000   0x40000000 hole",
  ]);
  assertEquals([tables, leaves], [4, 4]);
});

Deno.test("walkTables reports the identity where stage 1 is off", () => {
  const { runs } = walkTables({ ...REGISTERS, SCTLR_EL1: 0n }, memory({}));
  assertEquals(runs.map(runText), ["0x0000000000000000 0x1000000000000 identity ipa 0x0"]);
});

Deno.test("failuresOf tells of a run that the tables have otherwise, and of too many AT", () => {
  const walked = walkTables(REGISTERS, memory(TABLES));
  const counts = { cpu: 0, stage1: 2000, stage2: 0, descriptorsRead: 0, backed: 0, runs: 5 };
  const summary = { ...counts, isComplete: true, next: 0n };
  const scan: ObservedScan = { instant: 7, runs: walked.runs, summary, walked };
  assertEquals(failuresOf(scan), []);
  const moved = walked.runs.map((run, at) => at === 0 ? { ...run, pa: 0x7100_0000n } : run);
  assertEquals(failuresOf({ ...scan, runs: moved }).length, 2);
  assertEquals(failuresOf({ ...scan, runs: walked.runs.slice(1) }).length, 1);
  assertEquals(failuresOf({ ...scan, summary: { ...summary, stage1: 5000, isComplete: false } }), [
    "the scan at instant 7 ended before its end",
    "the scan at instant 7 took 5000 AT; descriptors of all tables + leaves are 2052",
  ]);
});

const run = (gva: bigint, size: bigint, ipa: bigint, more: Partial<ScanRun> = {}): ScanRun => (
  { gva, size, state: "mapped", ipa, pa: ipa, attributes: 0xffn << 56n, ...more }
);

Deno.test("RunCollector merges what goes on in every way, and nothing else", () => {
  const found: ScanRun[] = [], collector = new RunCollector((one) => void found.push(one));
  const parts = [
    run(0x1000n, 0x1000n, 0x8000n),
    run(0x2000n, 0x2000n, 0x9000n),
    run(0x4000n, 0x1000n, 0xb000n, { pa: 0x1000n }),
    run(0x5000n, 0x1000n, 0xc000n, { pa: 0x2000n, attributes: 0n }),
    run(0x7000n, 0x1000n, 0xe000n, { pa: 0x4000n, attributes: 0n }),
    { ...run(0x8000n, 0x1000n, 0n, { pa: 0n }), state: "hole" as const },
    { ...run(0x9000n, 0x1000n, 0n, { pa: 0n }), state: "hole" as const },
  ];
  for (const one of parts) collector.add(one);
  collector.end();
  assertEquals(found.map(({ gva, size }) => [gva, size]), [
    [0x1000n, 0x3000n],
    [0x4000n, 0x1000n],
    [0x5000n, 0x1000n],
    [0x7000n, 0x1000n],
    [0x8000n, 0x2000n],
  ]);
});

Deno.test("diffScans tells what was mapped, unmapped, moved and changed, in parts of runs", () => {
  const before = [run(0x1000n, 0x4000n, 0n), run(0x8000n, 0x1000n, 0x8000n)];
  const after = [
    run(0x0n, 0x2000n, 0x1_0000n),
    run(0x2000n, 0x1000n, 0x1000n),
    run(0x3000n, 0x1000n, 0x2000n, { attributes: 0x44n << 56n }),
    run(0x8000n, 0x1000n, 0x8000n),
  ];
  assertEquals(diffScans(before, after).map(({ kind, before, after }) => [kind, (before ?? after)!.gva]), [
    ["mapped", 0x0n],
    ["moved", 0x1000n],
    ["changed", 0x3000n],
    ["unmapped", 0x4000n],
  ]);
  assertEquals(diffScans(before, before), []);
  const line = changeText(diffScans(before, [])[1]!);
  assert(line.startsWith("unmapped: 0x0000000000008000"), line);
});

const CONSOLE =
  "# /pagemap\r\nready\r\n1000-3000 r--p 0 00:00 0  /x\r\n8000-9000 rw-p 0 00:00 0\r\npages\r\n" +
  "8000000000000123\r\n0000000000000000\r\n8100000000000456\r\ndone\r\n# ";

Deno.test("comparePagemap finds a page with another frame, one too few and one too many", () => {
  const [pages = []] = readPagemaps(CONSOLE);
  assertEquals(pages.map(({ address }) => address), [0x1000n, 0x2000n, 0x8000n]);
  const right = [run(0x1000n, 0x1000n, 0x123000n), run(0x8000n, 0x1000n, 0x456000n)];
  const kernel = run(0xffff_8000_0000_0000n, 0x1000n, 0n);
  assertEquals(comparePagemap(pages, [...right, kernel]), { agreeing: 2, failures: [] });
  const wrong = [run(0x1000n, 0x1000n, 0x124000n), run(0x9000n, 0x1000n, 0n)];
  assertEquals(comparePagemap(pages, wrong).failures, [
    "page 0x1000: pagemap has frame 291, the scan 292",
    "page 0x8000: pagemap has frame 1110, the scan undefined",
    "page 0x9000 is in no mapping",
  ]);
});

Deno.test("compareLines tells of a line that the scan does not have, and of another count", () => {
  const text =
    "M 0000000000001000 ff00000040000b80 ff00000050000b80\nH 0000000000200000 000000000000082d\nN 3 1\n";
  const attributes = (255n << 56n) | 0x380n, mapped = run(0x1000n, 0x1000n, 0x4000_0000n);
  const hole: ScanRun = { ...run(0x20_0000n, 0x20_0000n, 0n), state: "hole", attributes: 0n };
  const runs = [{ ...mapped, pa: 0x5000_0000n, attributes }, hole];
  assertEquals(compareLines(text, runs, 12), []);
  assertEquals(compareLines(text, [{ ...mapped, attributes }, hole], 12).length, 1);
  assertEquals(compareLines(text, [], 12).length, 3);
});
