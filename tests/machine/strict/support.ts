/** CPUs with strict models for unit tests: mapped memory, and what happened. */
import { SYSTEM_INSTRUCTIONS } from "../../../machine/a64/system_names.ts";
import { performSystemInstruction } from "../../../machine/cpu/address_translate.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { StrictModels } from "../../../machine/cpu/strict_models.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { StrictModelName } from "../../../machine/configuration.ts";
import { type MappedCpu, mappedCpus, setRegisters } from "../cpu/access_support.ts";
import { RAM, type TestOptions } from "../cpu/support.ts";

/** CPUs at EL1 with stage 1 on (see access_support.ts), and strict models. */
export interface StrictCpus extends MappedCpu {
  /** The models. */
  readonly strict: StrictModels;
}

/** Builds them. */
export function strictCpus(names: readonly StrictModelName[], options: TestOptions = {}): StrictCpus {
  let strict: StrictModels | undefined;
  const mapped = mappedCpus({
    ...options,
    strict: (memory, events) => {
      const has = (name: StrictModelName) => names.includes(name);
      const choice = {
        tlb: has("tlb"),
        icache: has("icache"),
        dcache: has("dcache"),
        context: has("context"),
      };
      strict = new StrictModels(choice, memory, events, options.count ?? 1);
      if (strict.hasCaches) memory.cache = strict;
      return strict;
    },
  });
  return { ...mapped, strict: strict! };
}

/** The table of pages of the stage 2 that `twoStages` sets up. */
export const STAGE2_PAGES = RAM + 0xe_2000;

/** CPUs at EL1 with stage 2 on as well, which maps the first MiB of memory in pages, each to itself. */
export function twoStages(names: readonly StrictModelName[]): StrictCpus {
  const test = strictCpus(names, { el2: true });
  const table = RAM + 0xe_0000, second = RAM + 0xe_1000;
  test.put(table + 8, BigInt(second) | 3n);
  test.put(second, BigInt(STAGE2_PAGES) | 3n);
  for (let page = 0; page < 256; page++) {
    test.put(STAGE2_PAGES + page * 8, BigInt(RAM + page * 4096) | 0x7ffn);
  }
  setRegisters(test.cpu, {
    VTTBR_EL2: BigInt(table) | 3n << 48n,
    VTCR_EL2: 25n | 1n << 6n | 2n << 16n | 1n << 31n,
    HCR_EL2: 1n << 31n | 1n,
  });
  return test;
}

/** Performs AT, DC, IC or TLBI by its name; the syndrome of its exception. */
export function perform(cpu: Cpu, name: string, operand = 0n): string | undefined {
  performSystemInstruction(cpu, SYSTEM_INSTRUCTIONS[name]!.encoding, operand);
  const { pending } = cpu;
  cpu.pending = undefined;
  return pending?.syndrome.toString(16);
}

/** Names of the events of strict models, in order. */
export function strictEvents({ events }: { readonly events: readonly MachineEvent[] }): string[] {
  return events.map(({ kind }) => kind).filter((kind) => /^(stale|breakBeforeMake)/.test(kind));
}
