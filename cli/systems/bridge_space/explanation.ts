/** What `hindsight system explain bridge-space` prints. */
export const EXPLANATION =
  `An image runs at VA_a in the address space S1 of the firmware and has to go on at VA_b in an address space S2
of its own, without turning the MMU off and without an abort.

In one space only one of both addresses is the image's, and the instruction after MSR TTBR0_ELx is fetched in the
new space. So there is a bridge: a third space, S3, has the page with the switch code twice, at VA_a and at VA_b.
With PSTATE.DAIF set:

  at VA_a, S1   MSR TTBR0_ELx, S3; ISB; TLBI; DSB; ISB     here the code is the same in both
  at VA_a, S3   BR to the copy at VA_b                     the same memory by another name
  at VA_b, S3   MSR VBAR_ELx; ISB
  at VA_b, S3   MSR TTBR0_ELx, S2; ISB; TLBI; DSB; ISB     and VA_a is gone

S1, S2 and S3 share TCR_ELx and MAIR_ELx, which are the firmware's. No data and no stack is touched on the way: the
bridge has only the switch code, the vectors that print the syndrome of whatever goes wrong, and the UART. The first
TLBI matters where S1 had something else at VA_b and it was used: the branch would go there (Arm ARM D8.14).
Copies nearer than the switch code is long would overlap: then it goes over two bridges, by a place far from both.

The loader is one file: UEFI (EDK2, and U-Boot's bootefi) starts it as a PE/COFF application. Pairs of addresses are in
a page of it: the checks write other pairs there in forks of one checkpoint. Under \`--strict tlb\` the TLB keeps all
that nobody invalidates, so that a missing TLBI shows.

A planner (firmware/bridge_space/planner.ts) finds the shortest way between any two spaces: over one bridge, over two
where the copies would overlap, and, where T0SZ differs so that TCR must change, with the MMU off in between and by a
page fault (pagefault-boot) where there is no identity mapping.

To look at it:
  hindsight system run bridge-space --check Debian     its journals are then in .systems/bridge-space
  hindsight events J --class step --from N --to M      the address of each instruction on its way
  hindsight query J 'kind == "systemRegisterWritten" && register == "TTBR0_EL1"' --from N
  hindsight events J --kind tlbInvalidated,exceptionTaken --from N
  hindsight bisect GOOD BAD        names the instruction that differs, such as a TLBI that is missing
`;
