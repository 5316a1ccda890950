/** CPUs at EL2 with stage 2 tables of a monitor, for unit tests. */
import { physicalAddress } from "../../machine/address.ts";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { watchWrites } from "../../machine/cpu/memory_access.ts";
import type { StrictModelName } from "../../machine/configuration.ts";
import { StrictModels } from "../../machine/cpu/strict_models.ts";
import { PagePool } from "../../hypervisor/page_pool.ts";
import { Stage2 } from "../../hypervisor/stage2.ts";
import { setRegisters } from "../machine/cpu/access_support.ts";
import { putAt, RAM, type TestCpus, testCpus } from "../machine/cpu/support.ts";

/** Where the pool is: the upper half of the memory. */
export const POOL = RAM + 0x8_0000;

/** CPUs with tables. */
export interface MonitoredCpus extends TestCpus {
  /** What tables are made of. */
  readonly pool: PagePool;
  /** Empty tables, in force. */
  readonly stage2: Stage2;
}

/** CPUs at EL2, as a monitor's handler finds them, with stage 2 in force for EL1 and EL0, whose stage 1 is off. */
export function monitoredCpus(strictNames: readonly StrictModelName[] = [], count = 1): MonitoredCpus {
  const has = (name: StrictModelName): boolean => strictNames.includes(name);
  const choice = { tlb: has("tlb"), icache: has("icache"), dcache: has("dcache"), context: has("context") };
  const test = testCpus({
    el2: true,
    count,
    ...(strictNames.length === 0 ? {} : {
      strict: (memory, events) => {
        const strict = new StrictModels(choice, memory, events, count);
        if (strict.hasCaches) memory.cache = strict;
        return strict;
      },
    }),
  });
  const { memory } = test.cpu.surroundings;
  watchWrites(memory, test.cpus);
  const pool = new PagePool(physicalAddress(POOL), 0x8_0000);
  const stage2 = new Stage2(memory, pool);
  stage2.reset();
  for (const cpu of test.cpus) {
    setRegisters(cpu, { VTTBR_EL2: stage2.vttbr, VTCR_EL2: stage2.vtcr, HCR_EL2: 1n << 31n | 1n });
  }
  return { ...test, pool, stage2 };
}

/** What a guest's read of 8 bytes gives, or the DFSC of its abort. */
export function guestRead(cpu: Cpu, ipa: number): bigint | string {
  putAt(cpu, 1);
  const value = cpu.load(BigInt(ipa), 8, "normal"), { pending } = cpu;
  cpu.pending = undefined;
  putAt(cpu, 2);
  return pending === undefined ? value : `DFSC ${(pending.syndrome & 0x3f).toString(2).padStart(6, "0")}`;
}
