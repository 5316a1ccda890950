/** Scans by AT against tables walked independently, and every special case of the sheet. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { StoredRegister } from "../../../../machine/cpu/system_register_index.ts";
import { ScanRefusedError } from "../../../../hypervisor/systems/gva_scan/halves.ts";
import { scanAddressSpace, type ScanOptions } from "../../../../hypervisor/systems/gva_scan/scanner.ts";
import { runText, type ScanRun } from "../../../../hypervisor/systems/gva_scan/runs.ts";
import { CpuTranslationPort } from "../../../../hypervisor/systems/gva_scan/translation_port.ts";
import { walkTables } from "../../../../cli/systems/gva_scan/table_walker.ts";
import { SEED } from "../../../journal/support.ts";
import { register, setRegisters } from "../../../machine/cpu/access_support.ts";
import { putAt, RAM, testCpus } from "../../../machine/cpu/support.ts";
import {
  ACCESSED,
  enableStage1,
  type Granule,
  type GuestCpu,
  guestCpu,
  HCR_RW,
  HCR_VM,
  LEAF,
  randomSpace,
  SECOND,
  VTCR,
  walkedRegisters,
} from "./support.ts";

/** A small space: a table of each level, another for the upper half, and those of stage 2. */
const TOP = RAM + 0x1_0000, MIDDLE = TOP + 0x1000, BOTTOM = TOP + 0x2000, EMPTY = TOP + 0x3000;
const SECOND_TOP = TOP + 0x4000, SECOND_MIDDLE = TOP + 0x6000, SECOND_BOTTOM = TOP + 0x7000;

function scan({ cpu }: GuestCpu, options?: ScanOptions, back?: (ipa: bigint) => boolean) {
  const runs: ScanRun[] = [];
  const summary = scanAddressSpace(new CpuTranslationPort(cpu, back), (run) => void runs.push(run), options);
  return { ...summary, runs };
}

/** Bits of an address, so that walks begin at every level. */
const SIZES: Readonly<Record<Granule, readonly number[]>> = {
  12: [39, 48, 30, 25],
  14: [47, 48, 36, 25],
  16: [42, 48, 29, 25],
};

for (const granule of [12, 14, 16] as Granule[]) {
  for (const withStage2 of [false, true]) {
    const name = `${2 ** (granule - 10)} KiB granule, stage 2 ${withStage2 ? "on" : "off"}`;
    Deno.test(`scanAddressSpace finds what the tables say: ${name}`, () => {
      const seen = new Set<string>();
      const sizes = SIZES[granule];
      for (const [index, inputSize] of sizes.entries()) {
        const seed = SEED + index, guest = randomSpace(seed, granule, withStage2, inputSize);
        const walked = walkTables(walkedRegisters(guest.cpu), guest.read);
        const scanned = scan(guest);
        assertEquals(scanned.runs.map(runText), walked.runs.map(runText), `seed ${seed}`);
        const bound = 2 ** (granule - 3) * walked.tables + walked.leaves;
        assert(scanned.stage1 + scanned.stage2 <= bound, `seed ${seed}: more than ${bound} AT`);
        assert(withStage2 || scanned.stage2 === 0);
        for (const { state } of scanned.runs) seen.add(state);
      }
      const expected = ["hole", "mapped", "unaccessed", ...(withStage2 ? ["protected", "unbacked"] : [])];
      assertEquals([...seen].sort(), expected.sort());
    });
  }
}

function spaceOf(options: { inputSize?: number; stage2?: boolean } = {}): GuestCpu {
  const guest = guestCpu(), { inputSize = 39, stage2 = false } = options;
  enableStage1(guest, 12, inputSize, [TOP, EMPTY]);
  setRegisters(guest.cpu, { HCR_EL2: HCR_RW });
  guest.put(TOP, BigInt(MIDDLE) | 3n);
  guest.put(MIDDLE, BigInt(BOTTOM) | 3n);
  guest.put(BOTTOM + 8, BigInt(RAM) | LEAF | 2n);
  if (!stage2) return guest;
  guest.put(SECOND_TOP + 8, BigInt(SECOND_MIDDLE) | 3n);
  guest.put(SECOND_MIDDLE, BigInt(SECOND_BOTTOM) | 3n);
  for (let page = 0; page < 256; page++) {
    guest.put(SECOND_BOTTOM + page * 8, BigInt(RAM + page * 4096) | SECOND | 3n);
  }
  setRegisters(guest.cpu, { HCR_EL2: HCR_VM, VTCR_EL2: VTCR, VTTBR_EL2: BigInt(SECOND_TOP) });
  return guest;
}

/** First address of TTBR1's half of 39 bits. */
const UPPER = 0xffff_ff80_0000_0000n;
const lines = (runs: readonly ScanRun[]): string[] => runs.map(runText);

Deno.test("scanAddressSpace asks once for what a table does not have, and puts PAR_EL1 back", () => {
  const guest = spaceOf();
  setRegisters(guest.cpu, { PAR_EL1: 0x1234n });
  const { runs, stage1, stage2 } = scan(guest);
  assertEquals(lines(runs), [
    "0x0000000000001000       0x1000 mapped ipa 0x40000000 pa 0x40000000 attr 0xff sh 3",
  ]);
  // 512 of each of three tables but for the two that lead on, and 512 of the upper half's.
  assertEquals([stage1, stage2], [3 * 512 - 2 + 512, 0]);
  assertEquals(register(guest.cpu, "PAR_EL1"), 0x1234n);
});

Deno.test("scanAddressSpace records what the guest maps and stage 2 does not, page by page", () => {
  const guest = spaceOf({ stage2: true });
  for (let page = 2; page < 6; page++) guest.put(BOTTOM + page * 8, BigInt(RAM + page * 4096) | LEAF | 2n);
  guest.put(SECOND_BOTTOM + 3 * 8, 0n);
  guest.put(SECOND_BOTTOM + 4 * 8, BigInt(RAM + 4 * 4096) | (SECOND & ~0x40n) | 3n);
  guest.put(BOTTOM + 7 * 8, 0x7f_0000_0000n | LEAF | 2n);
  assertEquals(lines(scan(guest).runs), [
    "0x0000000000001000       0x1000 mapped ipa 0x40000000 pa 0x40000000 attr 0xff sh 3",
    "0x0000000000002000       0x1000 mapped ipa 0x40002000 pa 0x40002000 attr 0xff sh 3",
    "0x0000000000003000       0x1000 unbacked ipa 0x40003000 attr 0xff sh 3",
    "0x0000000000004000       0x1000 protected ipa 0x40004000 attr 0xff sh 3",
    "0x0000000000005000       0x1000 mapped ipa 0x40005000 pa 0x40005000 attr 0xff sh 3",
    "0x0000000000007000       0x1000 unbacked ipa 0x7f00000000 attr 0xff sh 3",
  ]);
});

Deno.test("scanAddressSpace backs a table that stage 2 does not have and asks again; else it is a hole", () => {
  const guest = spaceOf({ stage2: true }), leaf = SECOND_BOTTOM + (BOTTOM - RAM) / 4096 * 8;
  const whole = lines(scan(guest).runs), mapped = BigInt(BOTTOM) | SECOND | 3n;
  guest.put(leaf, 0n);
  assertEquals(lines(scan(guest).runs), ["0x0000000000000000     0x200000 hole"]);
  const asked: bigint[] = [];
  // Somebody who says that he did and did not is asked once.
  const lied = scan(guest, {}, (ipa) => asked.push(ipa) > 0);
  assertEquals([lines(lied.runs), asked], [["0x0000000000000000     0x200000 hole"], [BigInt(BOTTOM)]]);
  const backed = scan(guest, {}, () => (guest.put(leaf, mapped), true));
  assertEquals([lines(backed.runs), backed.backed], [whole, 1]);
});

Deno.test("scanAddressSpace takes a leaf that no access may use as mapped, with its address from the descriptor", () => {
  const guest = spaceOf();
  guest.put(BOTTOM + 8, (BigInt(RAM) | LEAF | 2n) & ~ACCESSED);
  guest.put(MIDDLE + 8, 0x8020_0000n | LEAF & ~ACCESSED);
  assertEquals(lines(scan(guest).runs), [
    "0x0000000000001000       0x1000 unaccessed ipa 0x40000000",
    "0x0000000000200000     0x200000 unaccessed ipa 0x80200000",
  ]);
});

Deno.test("scanAddressSpace goes on behind an external abort on a walk, which AT takes as an exception", () => {
  for (const level of [1, 2]) {
    const guest = spaceOf();
    putAt(guest.cpu, level as 1 | 2);
    guest.put(MIDDLE + 16, 0x7000_0000n | 3n);
    const runs = lines(scan(guest).runs);
    assertEquals(runs, [
      "0x0000000000001000       0x1000 mapped ipa 0x40000000 pa 0x40000000 attr 0xff sh 3",
      "0x0000000000400000     0x200000 hole",
    ]);
    assertEquals(guest.cpu.pending, undefined);
  }
});

Deno.test("scanAddressSpace reports the identity once while stage 1 is off", () => {
  const guest = spaceOf(), runs = ["0x0000000000000000 0x1000000000000 identity ipa 0x0"];
  setRegisters(guest.cpu, { SCTLR_EL1: 0x30d0_0800n });
  assertEquals([lines(scan(guest).runs), scan(guest).stage1], [runs, 0]);
  setRegisters(guest.cpu, { SCTLR_EL1: 0x30d0_0801n, HCR_EL2: HCR_RW | (1n << 12n) });
  assertEquals(lines(scan(guest).runs), runs);
});

Deno.test("scanAddressSpace leaves out a half that TCR_EL1 disables, whatever its size", () => {
  const guest = spaceOf();
  guest.put(EMPTY, BigInt(MIDDLE) | 3n);
  const tcr = register(guest.cpu, "TCR_EL1");
  const upper = { gva: UPPER + 0x1000n, ipa: BigInt(RAM) };
  setRegisters(guest.cpu, { TCR_EL1: tcr & ~63n | (1n << 7n) });
  assertEquals(scan(guest).runs.map(({ gva, ipa }) => ({ gva, ipa })), [upper]);
  setRegisters(guest.cpu, { TCR_EL1: tcr | (1n << 23n) });
  assertEquals(scan(guest).runs.map(({ gva }) => gva), [0x1000n]);
});

Deno.test("scanAddressSpace refuses sizes, granules and regimes that it cannot scan, and changes nothing", () => {
  const base = 25n | (25n << 16n) | (2n << 30n) | (5n << 32n);
  const refused: [Partial<Record<StoredRegister, bigint>>, string][] = [
    [{ TCR_EL1: base & ~63n | 15n }, "TTBR0_EL1: TCR_EL1.T0SZ is 15"],
    [{ TCR_EL1: base & ~(63n << 16n) | (40n << 16n) }, "TTBR1_EL1: TCR_EL1.T1SZ is 40"],
    [{ TCR_EL1: base | (3n << 14n) }, "TTBR0_EL1: TCR_EL1.TG0 is 3, a reserved value"],
    [{ TCR_EL1: base & ~(3n << 30n) }, "TTBR1_EL1: TCR_EL1.TG1 is 0, a reserved value"],
    [{ HCR_EL2: HCR_RW | (1n << 27n) | (1n << 34n) }, "EL1&0: HCR_EL2.{E2H,TGE} is {1,1}"],
  ];
  for (const [registers, reason] of refused) {
    const guest = spaceOf();
    setRegisters(guest.cpu, { TCR_EL1: base, PAR_EL1: 77n, ...registers });
    const events = guest.events.length;
    assertThrows(() => scan(guest), ScanRefusedError, `Cannot scan ${reason}`);
    assertEquals([register(guest.cpu, "PAR_EL1"), guest.events.length], [77n, events]);
  }
  const a57 = testCpus({ el2: true });
  setRegisters(a57.cpu, { SCTLR_EL1: 1n, TCR_EL1: base | (2n << 14n) });
  const port = new CpuTranslationPort(a57.cpu);
  assertThrows(
    () => scanAddressSpace(port, () => {}),
    ScanRefusedError,
    "16 KiB granules, which ID_AA64MMFR0_EL1",
  );
});

Deno.test("scanAddressSpace ends at its limit where a table is its own entry, and goes on from there", () => {
  const guest = spaceOf({ inputSize: 48 });
  for (let at = 0; at < 4096; at += 8) guest.put(TOP + at, BigInt(TOP) | ACCESSED | 3n);
  const first = scan(guest, { limit: 5000 });
  assertEquals([first.stage1, first.next], [5000, 5000n << 12n]);
  const other = spaceOf(), whole = scan(other);
  const cut = scan(other, { limit: 700 }), rest = scan(other, { from: cut.next! });
  assertEquals(lines([...cut.runs, ...rest.runs]), lines(whole.runs));
});

Deno.test("scanAddressSpace sees blocks in whose middle stage 2 changes, and big-endian tables", () => {
  const guest = spaceOf({ stage2: true });
  guest.put(MIDDLE + 8, BigInt(RAM) | LEAF);
  guest.put(SECOND_BOTTOM + 3 * 8, BigInt(RAM + 9 * 4096) | SECOND | 3n);
  const walked = walkTables(walkedRegisters(guest.cpu), guest.read), { runs } = scan(guest);
  assertEquals(lines(runs), lines(walked.runs));
  assertEquals(lines(runs.slice(1)), [
    "0x0000000000200000       0x3000 mapped ipa 0x40000000 pa 0x40000000 attr 0xff sh 3",
    "0x0000000000203000       0x1000 mapped ipa 0x40003000 pa 0x40009000 attr 0xff sh 3",
    "0x0000000000204000      0xfc000 mapped ipa 0x40004000 pa 0x40004000 attr 0xff sh 3",
    "0x0000000000300000     0x100000 unbacked ipa 0x40100000 attr 0xff sh 3",
  ]);
  const big = spaceOf(), before = lines(scan(big).runs);
  for (const at of [TOP, MIDDLE, BOTTOM + 8]) {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigUint64(0, big.read(BigInt(at))!, false);
    big.put(at, bytes.getBigUint64(0, true));
  }
  setRegisters(big.cpu, { SCTLR_EL1: 0x30d0_0801n | (1n << 25n) });
  assertEquals(lines(scan(big).runs), before);
});

Deno.test("scanAddressSpace follows tables that stage 2 has in the second of its first tables", () => {
  const guest = spaceOf({ stage2: true }), high = 1n << 39n;
  guest.put(SECOND_TOP + 0x1000, 0x4000_0000n | SECOND & ~2n);
  guest.put(TOP, (high + BigInt(MIDDLE - 0x4000_0000)) | 3n);
  guest.put(MIDDLE + 8, 0x8020_0000n | LEAF & ~ACCESSED);
  assertEquals(lines(scan(guest).runs), [
    "0x0000000000001000       0x1000 mapped ipa 0x40000000 pa 0x40000000 attr 0xff sh 3",
    "0x0000000000200000     0x200000 unaccessed ipa 0x80200000",
  ]);
});
