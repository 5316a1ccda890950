/** icache-on-fault (US20190227934A1): coherency maintenance of non-unified caches on a virtual machine's page faults. */
import type { SystemScenario } from "./scenario.ts";
import { checkLines, checkMutants, checkPages, checkQemu } from "./icache_on_fault/code_pages.ts";
import { checkDebian, checkMutantDebian, checkStrictDebian } from "./icache_on_fault/linux.ts";

const EXPLAIN =
  `The guest starts with nothing mapped at stage 2. Its first access to a page is an abort to EL2: an
instruction abort (EC 0x20) or a data abort (EC 0x24), translation fault (xFSC 0b0001LL), the page in
HPFAR_EL2. What the monitor put into the frame, it put there as data. So before the page is executable:

  DC CVAU for each line of CTR_EL0.DminLine     cleaned to where instruction caches look
  DSB ISH
  IC IVAU for each line of CTR_EL0.IminLine     old instructions of the frame are gone, on all CPUs
  DSB ISH, write the descriptor with XN clear, DSB ISHST, ERET

A walk's fault (S1PTW) gets data maintenance and no execution, a device neither, nothing an external abort.
With policy=lazy a data access maps without execution and without maintenance; a fetch upgrades, after
maintenance, and takes writing away: what is written is never executed.

  hindsight record -kernel Image … --strict icache -o a.hindsight \\
    --monitor el2:icache-on-fault,every=50000,seed=7          a page taken away every 50,000 steps
  --monitor el2:icache-on-fault,every=50000,seed=7,omit=ic    the same, with a fault to be found
  hindsight events a.hindsight --kind stage2Faulted,rangeMaintained,stage2Mapped,stage2Unmapped
  hindsight events b.hindsight --kind staleInstructionFetched the stale instruction, and its frame
  hindsight diff a.hindsight b.hindsight                      where they part
The last stage2Mapped of the frame before the stale fetch is the mapping to blame; the checks find the
same by bisecting over the instruction cache's state.
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "icache-on-fault",
  explain: EXPLAIN,
  checks: [
    {
      name:
        "code that a guest writes, paged in and out under strict caches: 0 stale instructions, output as un-paged",
      run: checkPages,
    },
    { name: "the same guest prints the same on QEMU", run: checkQemu },
    { name: "without IC or DC: stale at one place, and bisect names the mapping", run: checkMutants },
    { name: "lines maintained by range against flushing everything", run: checkLines },
    {
      name:
        "Debian to a shell with pages taken and moved: sha256sum as un-paged, written pages never executed",
      needs: ["linux-cloud"],
      run: checkDebian,
    },
    {
      name: "Debian without IC: the first stale instruction, and bisect names the mapping",
      needs: ["linux-cloud"],
      run: checkMutantDebian,
    },
    {
      name: "Debian under the strict instruction cache: 0 stale instructions, sha256sum as un-paged",
      needs: ["linux-cloud"],
      isLong: true,
      run: checkStrictDebian,
    },
  ],
};
