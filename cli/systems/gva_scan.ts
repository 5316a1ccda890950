/** gva-scan (US20190026232A1, US10642751): a guest's address space listed by AT from EL2. */
import type { SystemScenario } from "./scenario.ts";
import { checkLinux } from "./gva_scan/live_linux.ts";
import { checkLinuxTrace } from "./gva_scan/live_trace.ts";
import { checkTwin, checkTwinOnQemu } from "./gva_scan/twin.ts";
import { checkGranules, checkMappedBy } from "./gva_scan/small_guests.ts";

const EXPLAIN =
  `On a PE that holds a guest's EL1&0 registers, software at EL2 learns what a guest virtual address leads to
without reading a table: AT S1E1R, ISB, MRS PAR_EL1 (Arm ARM C5.4, D13.2). A translation fault of stage 1 at level L
(PAR_EL1.FST = 0b0001LL) says that nothing is mapped up to the next multiple of what a descriptor of that level spans, with
4 KiB granules 512 GiB, 1 GiB, 2 MiB or 4 KiB. So a table costs at most 512 questions, where asking for each page of 48 bits
costs 2^36. What is mapped is asked for once more with AT S12E1R, for its physical address and combined attributes.

Special cases. S = 1 without PTW: the guest maps it, stage 2 has nothing ("unbacked"). S = 1 with PTW: a table of the guest
is where stage 2 has nothing; it is mapped and the question asked again, or it is a hole; FST says nothing about what to skip
then. Access flag and permission faults mean that something is mapped ("unaccessed", "protected"). An external abort on
the walk is an exception of AT itself, which is caught: a hole, and on. PAR_EL1 has no size: where a block may begin its
descriptor is read. Stage 1 off: one line, the identity. A granule or size that the CPU does not have is refused, as is
{E2H, TGE} = {1, 1}. Tables that lead to themselves end a scan at its limit, which says where to go on.

To use it: record any guest with --monitor el2:gva-scan[,limit=N][,at=MICROSECONDS/…] and a script with the line
  monitor el2 gva-scan              or          at 600000000 monitor el2 gva-scan limit=100000 from=0xffff800000000000
To look at it:
  hindsight events RUN --kind addressRangeScanned,addressSpaceScanned --json
  hindsight diff RUN OTHER          what two runs mapped differently, among the rest of what differs
  hindsight why RUN --at N …        where a descriptor's value came from
The checks write the scans of a live Debian to a JSON file beside its journal, tell what differs between two scans, and find
the store that mapped a page by halving the run on scans of that page.
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "gva-scan",
  explain: EXPLAIN,
  checks: [
    {
      name: "4, 16 and 64 KiB granules: runs as in the tables, on every engine with equal roots",
      run: checkGranules,
    },
    {
      name:
        "a scan by A64 code at EL2 writes what the monitor's scanner finds, stage 2 on and off, every granule",
      run: checkTwin,
    },
    {
      name: "the same bytes write the same PAR_EL1 on QEMU",
      run: checkTwinOnQemu,
    },
    {
      name: "the difference of two scans is what the guest did, each change traced to its own store",
      run: checkMappedBy,
    },
    {
      name:
        "five instants of a live Debian: runs as in the tables and in /proc/self/pagemap, AT within the bound",
      needs: ["linux-cloud"],
      run: (context) => checkLinux(context),
    },
    {
      name: "the same with four CPUs and a GICv3",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => checkLinux(context, ["-smp", "4", "-M", "virt,gic-version=3,its=off"], "debian-smp4"),
    },
    {
      name: "what Debian's kernel maps between two scans is traced to the stores of its descriptors",
      isLong: true,
      needs: ["linux-cloud"],
      run: checkLinuxTrace,
    },
  ],
};
