/** Scans by AT against tables walked independently, and every special case of the sheet. */
import { assert, assertEquals } from "@std/assert";
import { scanAddressSpace, type ScanOptions } from "../../../../hypervisor/systems/gva_scan/scanner.ts";
import { runText, type ScanRun } from "../../../../hypervisor/systems/gva_scan/runs.ts";
import { CpuTranslationPort } from "../../../../hypervisor/systems/gva_scan/translation_port.ts";
import { walkTables } from "../../../../cli/systems/gva_scan/table_walker.ts";
import { SEED } from "../../../journal/support.ts";
import { type Granule, type GuestCpu, randomSpace, walkedRegisters } from "./support.ts";

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
