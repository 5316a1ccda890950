/** What `hindsight system explain el2-trampoline` says. */

/** The mechanism, and how to look at it. */
export const EXPLAIN: string = `
A hypervisor of two components: the vmkernel, which schedules and owns the interrupts, at EL1, and the VMM, which runs a
guest, at EL2. Both EL1s, the vmkernel's and the guest's, use the same registers, so a world switch exchanges them. What
the vmkernel calls by HVC is neither of the two but the trampoline: a page of vectors at EL2 that is there while the
vmkernel runs. It is active because VBAR_EL2 holds its vectors and TTBR0_EL2 a map of its pages, and it makes itself
inactive by exchanging these two for the VMM's: from then on every exception to EL2 is the VMM's, and an HVC is the
guest's. The way back mirrors it.

    vmkernel, EL1    HVC #1 ->  trampoline: EL1's registers to CONTEXT; TTBR0_EL2, VBAR_EL2; ISB; TLBI ALLE2; DSB; ISB;
                                HCR_EL2, VTTBR_EL2, VTCR_EL2, MDCR_EL2, CNTHCTL_EL2; EL1's registers from CONTEXT
                     guest, EL1 <- ERET       VMM: stage 2, PSCI, the distributor, list registers
    vmkernel, EL1    <- ERET    the same with the other world's values, when the guest gives way, or is off, or an interrupt
                                is the vmkernel's (GICC_HPPIR says so; nothing is acknowledged, so the vmkernel takes it once)

CONTEXT is one virtual address, which each space maps to its own world's save area: the code that saves and loads is the
same in both directions, and a translation left in the TLB would exchange the worlds' registers (that is why the TLBI is
there, and --strict tlb shows its lack). The page of the switch is mapped alike in both. The guest has PPI 27 and the
shared interrupts but one, the vmkernel PPI 30 (EL1's physical timer, which keeps running) and that one; priorities and
GICC_PMR keep the guest's out while the vmkernel runs. Performance monitors, debug registers and the physical timer are
the vmkernel's: for the guest they read as zero.

The family: "plain" is US10019275B2. "tags" is US10162655B2: with HCR_EL2.E2H = 1 translations of EL2 have an ASID, both
spaces keep theirs, and there is no TLBI. "redirection" is US10255090B2: the vmkernel is at EL2 too, with its commands at
EL0; what exits from EL0 goes to EL1, where a vector of HVC bounces it to EL2. The VMM is A64 code, or TypeScript that
takes exceptions while VBAR_EL2 holds its address: --monitor el2:el2-trampoline,vectors=ADDRESS, with virtualization=on,
the only monitor that shares its level with the guest's own code.

In the field: KVM without VHE (kvm-arm.mode=nvhe), whose kernel is at EL1 and calls its own vectors at EL2.

To look at it, after \`deno task systems el2-trampoline\` (journals are in DIR/el2-trampoline/):
  hindsight query many.hindsight 'kind == "systemRegisterWritten" && register == "VBAR_EL2"' --limit 4
  hindsight events plain.hindsight --kind exceptionTaken,exceptionReturned,tlbInvalidated | head -40
  hindsight diff plain-keys.hindsight tags.hindsight             what E2H and an ASID change, and that the console does not
  hindsight explore plain.hindsight --from 1500 --to 1700 --inject irq:100     an interrupt at each instant of a switch
  hindsight why plain.hindsight TTBR0_EL2 --at 3000
`.trim();
