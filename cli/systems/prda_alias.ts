/** The system prda-alias (US10331556B2, US10795813B2): per-processor areas at one address, and non-preemptible operations. */
import { INTERLEAVING_CHECKS } from "./prda_alias/interleavings.ts";
import { PREEMPTION_CHECKS } from "./prda_alias/preemption.ts";
import { RSEQ_CHECKS } from "./prda_alias/rseq.ts";
import { VIOLATION_CHECKS } from "./prda_alias/violation.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN = `
Each PE has a data area of its own (PRDA). A kernel that reads the address of "my area" from TPIDR_ELx and then uses
it can be preempted and migrated in between: it then uses the area of another PE. There are two remedies.

The alias. One constant virtual address, 0x1_0000_0000, is the area of whatever PE uses it. Each PE translates with a
root copy of its own; the copies are alike but for one slot, which points at the subtree of the PE's area. Dispatch
writes the slot from TPIDR_ELx: an invalid descriptor first, DSB, TLBI VAE1 (VAE2 at EL2) of this PE alone, DSB, ISB,
then the new one (break-before-make, Arm ARM D8.14.1). TTBR0_ELx.CnP is 0: with 1 the PEs would assert that their
tables are alike, and be given one another's translations. An address taken on one PE and used on another reaches the
area of the other. That alone does not make a load, an add and a store one operation: they carry a value from one area
to the other. So increments are exclusives (an exception return clears the local monitor, and STXR fails) or LDADD.

Deferral. The handler of an interrupt looks whether the interrupted context is in a non-preemptible section: by the
depth in the thread's block, or by ELR_ELx in a table of ranges. If so it notes that a preemption is pending and
returns; the end of the outermost section sees that and yields. Sections within others count; one in which more ticks
are put off than a bound is reported by the watchdog, with its ELR_ELx.

The kernel (firmware/prda/) runs at EL1 or EL2 on 2 to 8 PEs. Its timer tick moves the thread to the next PE's queue.
The checker looks at each access to an area: {pe, va, pa, owner}, and calls one that reached, or could have reached,
the area of another PE a wrong owner, with its cause. This is a finding about a journal, not an event of the machine,
which does not know what an owner is.

To look at a run yourself, in the folder of the checks (-o):

  hindsight bisect naive-random-1.hindsight --inputs --symbols naive-three.map --when 'memory(symbol("sum"), 8) != 12'
  hindsight explore naive.hindsight --from 271 --to 700 --inject irq:27 --symbols naive.map --when 'memory(symbol("sum"), 8) != 12'
  hindsight diff naive.hindsight naive-wrong-owner-increments-lost.hindsight
  hindsight events naive-minimal-1.hindsight --class input,trap --symbols naive-three.map
  hindsight why naive-minimal-1.hindsight sum --at 3000 --symbols naive-three.map

The control with real software: threads of a program under Debian's kernel and glibc 2.36 increment per-CPU counters,
in a restartable sequence (rseq) of glibc's area or without. At every boundary of the sequence a switch is forced to a
CPU where another thread asks for the migration of the first. With the sequence no increment is lost.
`;

/** The system. */
export const scenario: SystemScenario = {
  slug: "prda-alias",
  explain: EXPLAIN,
  checks: [...PREEMPTION_CHECKS, ...VIOLATION_CHECKS, ...INTERLEAVING_CHECKS, ...RSEQ_CHECKS],
};
