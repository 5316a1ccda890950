/** pagefault-boot: its explanation and its acceptance. */
import { ADDRESSES, sweep } from "./pagefault_boot/sweep.ts";
import { type Kind, KINDS, KINDS_OF_MAX } from "./pagefault_boot/loaders.ts";
import { debian, debianOnQemu } from "./pagefault_boot/linux.ts";
import { refusals, vectorLoops } from "./pagefault_boot/refusals.ts";
import { relocation } from "./pagefault_boot/difference.ts";
import { proofs } from "./pagefault_boot/proof.ts";
import { locateMutants } from "./pagefault_boot/mutants.ts";
import { everyEngine, lateEffect, sameOnQemu } from "./pagefault_boot/recorded.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN = `
A boot loader is linked at a virtual address (VA) and can be loaded at any machine address (MA) that is a multiple of
its granule. It wants to run at VA, without an identity mapping to stand on while the MMU goes on:

1. ADR gives MA, a literal gives VA; the difference is VA - MA. It refuses where the two ranges intersect: a fetch at MA
   would then hit mapped, wrong bytes instead of aborting.
2. It builds tables that map its image, VA to MA, and nothing else, and sets MAIR_ELx, TCR_ELx (EPD1 = 1 at EL1) and
   TTBR0_ELx.
3. VBAR_ELx and SP get the virtual addresses of vectors and stack.
4. DSB; TLBI; DSB; ISB; then MSR SCTLR_ELx with M = 1, and an ISB.
5. The next fetch is at MA, where nothing is mapped: an Instruction Abort to the same level, EC 0x21, IFSC 0b0001LL, FAR
   and ELR the address behind the MSR. A CPU that defers the write takes it behind the ISB; both are right.
6. The handler, fetched at VBAR_ELx + 0x200 in the new space, checks class, status and address, installs the final
   vectors, and branches to ELR + difference. It leaves a hand-off record {MA, VA, difference, level, tables, ...}.

With a kernel in RAM (an arm64 Image at 0x40200000, its device tree at 0x40100000) it then maps itself at MA too, turns
the MMU off there, cleans the image to the Point of Coherency and enters it; from EL3 by way of EL2, leaving PSCI behind.
What goes wrong is printed with its syndrome. A VA outside the input addresses makes the fetch of the vector abort for
ever: --stop-at vector-loop ends such a run with the event vectorLoopDetected.

The files are in firmware/loader/. To look at it, in the journals that the checks leave in .systems/pagefault-boot:

  hindsight events el3-64k.hindsight --kind exceptionTaken,systemRegisterWritten
  hindsight diff at-one.hindsight at-other.hindsight               the same loader at two machine addresses
  hindsight bisect next-page.hindsight --when EXPR                 a planted fault; EXPR is among the check's figures
  hindsight why unadjusted.hindsight VBAR_EL1 --at INSTANT         no addition between ADR and MSR
  hindsight query keeps-tlb.hindsight 'kind == "staleTranslationUsed"'
  hindsight events outside-el1-4k.hindsight --kind exceptionTaken,vectorLoopDetected
`;

/** Tables of 64 KiB take most steps: they are tried at one level every day, and at all with `--all`. */
const isLight = ({ level, granule }: Kind): boolean => granule === "4K" || level === 1;

/** The system. */
export const pagefaultBootSystem: SystemScenario = {
  slug: "pagefault-boot",
  explain: EXPLAIN,
  checks: [
    {
      name: `one abort each at 64 machine addresses (${ADDRESSES} with --all), every level, 4K and 64K`,
      run: (context) => sweep(context, KINDS, context.all ? ADDRESSES : 64),
    },
    {
      name: "one abort each with 16K on a CPU that has it",
      run: (context) => sweep(context, KINDS_OF_MAX, context.all ? ADDRESSES : 8),
    },
    {
      name: "a journal of each level and granule replays on every engine",
      run: (context) => everyEngine(context, [...KINDS, ...KINDS_OF_MAX]),
    },
    {
      name:
        "SCTLR_ELx in force at the MSR or at the ISB: the same syndrome, and nothing is missing under --strict",
      run: (context) => lateEffect(context, context.all ? KINDS : KINDS.filter(isLight)),
    },
    {
      name: "the same bytes on QEMU: the same exceptions and the same text",
      run: (context) => sameOnQemu(context, [...KINDS, ...KINDS_OF_MAX], 1),
    },
    {
      name: `the same at ${ADDRESSES} machine addresses, every level, 4K and 64K, on QEMU`,
      isLong: true,
      run: (context) => sameOnQemu(context, KINDS, ADDRESSES),
    },
    {
      name: "the events of two machine addresses are equal modulo their distance, up to a planted fault",
      run: (context) => relocation(context, context.all ? KINDS : KINDS.filter(isLight)),
    },
    {
      name:
        "proof: no fetch of MA after the abort, no access outside declared ranges, intersecting ranges refused",
      run: (context) => proofs(context, context.all ? KINDS : KINDS.filter(isLight)),
    },
    {
      name: "planted faults are located by bisect at the instruction that did it",
      run: (context) => locateMutants(context, context.all ? KINDS : KINDS.slice(0, 1)),
    },
    {
      name: "what must not go on says why and parks, as on QEMU",
      run: (context) => refusals(context, context.all ? KINDS : KINDS.slice(-1)),
    },
    {
      name: "a VA outside the input addresses ends the run with vectorLoopDetected",
      run: (context) => vectorLoops(context, KINDS),
    },
    {
      name: "a loader at EL3 goes on to a Debian shell",
      needs: ["linux-cloud"],
      run: (context) => debian(context, KINDS.slice(-1), ["threaded"]),
    },
    {
      name: "a loader of each level and granule goes on to a Debian shell, on every fast engine",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => debian(context, KINDS, ["threaded", "compiled"]),
    },
    {
      name: "the same six boots on QEMU",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => debianOnQemu(context, KINDS),
    },
  ],
};
