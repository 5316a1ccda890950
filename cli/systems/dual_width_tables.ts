/** dual-width-tables: a kernel at EL2 and processes at EL0 with one hierarchy of tables and two widths of addresses. */
import type { SystemScenario } from "./scenario.ts";
import { CHECKS } from "./dual_width_tables/checks.ts";

const EXPLAIN = `
Armv8.0 gives EL2 a translation regime of its own with one range of addresses, TTBR0_EL2. A kernel that runs there and
its processes at EL0, which are translated by the EL1&0 regime, would need two sets of tables. This kernel
(firmware/dual_width/) gives both regimes the same root: TTBR0_EL1 = TTBR0_EL2, MAIR_EL1 = MAIR_EL2, stage 2 off.
Descriptors are in the EL2 format. There AP[1] is RES1, and the EL1&0 regime reads that as "EL0 may": every page of the
kernel looks like the process's own. What protects the kernel is width. TCR_EL2.T0SZ = 16 gives EL2 48 bits of address,
TCR_EL1.T0SZ = 17 (with EPD1 = 1) gives EL1 and EL0 47; with a 4 KiB granule both walks start at level 0, so EL0 has the
lower half of the same root, and the kernel lives in the upper half. An access of EL0 at 2^47 or above is a translation
fault of level 0, before any descriptor is looked at.

HCR_EL2.TGE = 1 would send system calls straight to EL2, but with E2H = 0 it also turns EL0's translation off. So SVC is
taken to EL1: VBAR_EL1 is the shim, one page below 2^47 whose vectors execute HVC. The shim is AP = 0b11: a page that EL0
can write is PXN for EL1. Interrupts go to EL2 by HCR_EL2.IMO, FMO and AMO. nG is RES0 in the EL2 format, so a process's
translations are global, and a switch of processes is MSR TTBR0_EL2; MSR TTBR0_EL1; ISB; TLBI ALLE2; TLBI VMALLE1; DSB; ISB.

The kernel enters its half as pagefault-boot does: no table maps it where it is loaded, the fetch behind the MSR of
SCTLR_EL2 aborts, and the vector lies in the upper half. Its system calls are those of Linux that a static shell needs;
the processes of the checks are Debian's busybox as it is, and small ones that try what they may not. The same sources
with E2H = TGE = 1 and TTBR1_EL2 are the twin for CPUs with FEAT_VHE.

To look at it, after "hindsight system run dual-width-tables -o DIR" (journals are in DIR/dual-width-tables/):
  events busybox.hindsight --kind exceptionTaken                       SVC to EL1, HVC to EL2, one after the other
  events two.hindsight --kind systemRegisterWritten,tlbInvalidated     each switch: both roots, both TLBIs
  events protection.hindsight --kind translationFaulted | head         EL0 at the kernel's pages: level 0, stage 1
  diff two.hindsight two-strict.hindsight                              what the strict models add: nothing but the MMU's start
  export busybox.hindsight --format qemu-log -o busybox.log            to be held against qemu-system-aarch64 -d int
`.trim();

/** The system. */
export const scenario: SystemScenario = { slug: "dual-width-tables", explain: EXPLAIN, checks: CHECKS };
