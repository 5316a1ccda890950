/**
 * The PRDA kernel (US10331556B2, US10795813B2): threads that migrate between PEs, and one address that always means the
 * data area of the PE they are on.
 *
 * A processor-related data area (PRDA) is a page of each PE's. At the constant address PRDA every PE finds its own one:
 * each PE translates with a root copy of its own, the copies are alike but for one slot, and that slot points at the
 * subtree of the PE's area. Dispatch writes the slot from TPIDR_ELx, by break-before-make with a TLBI that is not
 * broadcast (Arm ARM D8.14.1); TTBR0_ELx.CnP is 0, since the copies differ. An address taken on one PE and used
 * after a migration reaches the area of the other. The second mechanism defers: the handler of an interrupt that struck
 * in a non-preemptible section notes it, and the section's end yields.
 *
 * Linked at PRDA_KERNEL_BASE; entered by `-kernel` at EL1 (`-M virt`) or EL2 (`-M virt,virtualization=on`), as asked;
 * needs GICv2, as many CPUs as PEs, PSCI, and 8 MiB.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { kernelText } from "./kernel_text.ts";
import { type SchemeName, SCHEMES } from "./schemes.ts";

/** Where `-kernel` puts a flat image. */
export const PRDA_KERNEL_BASE = 0x40080000n;

/** The virtual address of "my PRDA". */
export const PRDA_ADDRESS = 0x1_0000_0000n;

/** Bytes of one PE's area in physical memory: the page, its level 2 and level 3 tables, and the PE's root copy. */
export const PRDA_AREA_SIZE = 0x4000;

/** What the kernel does wrong on purpose. */
export const PRDA_MUTANTS = ["sharedRoot", "commonNotPrivate", "missingInvalidate"] as const;

/** A kernel to be built. */
export interface PrdaKernelOptions {
  /** How threads increment. */
  readonly scheme: SchemeName;
  /** Exception level of kernel and threads; 1 by default. */
  readonly level?: 1 | 2;
  /** PEs, 2–8; 2 by default. */
  readonly pes?: number;
  /** Threads, 1–16; two for each PE by default. */
  readonly threads?: number;
  /** Rounds of each thread, 1–2^20; 3 by default. */
  readonly rounds?: number;
  /** Ticks of CNTVCT_EL0 from one timer interrupt of a PE to the next, 0–65535; 0, the default, for no timer. */
  readonly period?: number;
  /** Preemptions put off in one section after which the watchdog reports it, 1–4095; 3 by default. */
  readonly bound?: number;
  /** What is wrong; nothing by default. */
  readonly mutant?: (typeof PRDA_MUTANTS)[number];
}

/** A kernel that was built. */
export interface PrdaKernel {
  /** Image and symbols. */
  readonly program: Program;
  /** All options, defaults filled in. */
  readonly options: Required<Omit<PrdaKernelOptions, "mutant">>;
  /** What is wrong with it, if anything. */
  readonly mutant: PrdaKernelOptions["mutant"];
  /** What the counters have to come to together. */
  readonly expected: number;
}

/** The interrupt that ticks for a PE when an operator injects it: the virtual timer's on PE 0, else a shared one. */
export function tickInterrupt(pe: number): number {
  return pe === 0 ? 27 : 40 + pe;
}

/** An option that is an integer of a range. */
const inRange = (name: string, value: number, least: number, most: number): number => {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`Cannot build a PRDA kernel with ${name} ${value}: it is ${least} to ${most}`);
};

/** Builds the kernel. Throws RangeError for an option out of its range. */
export function prdaKernel({ scheme, mutant, ...given }: PrdaKernelOptions): PrdaKernel {
  if (!Object.hasOwn(SCHEMES, scheme)) {
    throw new RangeError(`There is no PRDA scheme "${scheme}": there are ${Object.keys(SCHEMES).join(", ")}`);
  }
  const pes = inRange("pes", given.pes ?? 2, 2, 8);
  const options = {
    scheme,
    level: inRange("level", given.level ?? 1, 1, 2) as 1 | 2,
    pes,
    threads: inRange("threads", given.threads ?? 2 * pes, 1, 16),
    rounds: inRange("rounds", given.rounds ?? 3, 1, 2 ** 20),
    period: inRange("period", given.period ?? 0, 0, 65535),
    bound: inRange("bound", given.bound ?? 3, 1, 4095),
  };
  const expected = options.threads * options.rounds * SCHEMES[scheme].increments;
  const program = assembleProgram(kernelText({ ...options, expected, mutant }), {
    name: "prda",
    base: PRDA_KERNEL_BASE,
  });
  return { program, options, mutant, expected };
}
