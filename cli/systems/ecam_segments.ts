/** ecam-segments (US20240028547A1): root ports without ECAM, shown as segments that have it. */
import { checkBare, checkBoot, checkPlugging, checkTree } from "./ecam_segments/linux.ts";
import { checkCalls, checkFuzz, checkGhosts, checkLinkDown } from "./ecam_segments/small.ts";
import { checkBijection, checkTables, checkTopologies } from "./ecam_segments/topologies.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN =
  `A root port of -M virt,rootports=N is like a Raspberry Pi 4's: its own header is in its block of registers, and of what is
below, an index register chooses one function, which a window shows. Operating systems want ECAM instead, a flat region with
4 KiB for each function.

At power-on, as firmware: the monitor lets the links come up, walks all buses by true cycles, gives bridges bus numbers (one
set for all ports, since a requester ID is all an ITS sees) and windows, endpoints their addresses, and each bus that has
endpoints a segment n, in which it is bus 0. It writes into the guest's device tree a pci-host-ecam-generic for each segment
(linux,pci-domain n, bus-range 0 0, msi-map from requester ID 0 to the true one, interrupt-map with the bridges' swizzle), or
makes ACPI tables of that tree: MCFG {base, n, 0, 0}, PNP0A08 with _SEG n, _BBN 0, _CRS, _PRT, _CCA 1, PNP0C02, IORT.

Later, as a shim: nothing answers at a segment's region. The access is an External abort, which SCR_EL3.EA brings to EL3
(Arm ARM D1.13.4), or a stage 2 translation fault at EL2; it becomes the true cycle of the function that has this place. Where
firmware found none it reads as all ones (behind the port its one device would answer at all 32 device numbers), and while the
link is down. shape=tree is the inverse: one segment, in which every bus has its true number. Other addresses are the guest's abort. The same by SMC or HVC: Arm DEN 0115, 0x84000130 to 0x84000134.

To use it, with Linux entered directly by its device tree:
  hindsight record -M virt,gic-version=3,rootports=2 --monitor el3:ecam-segments -device nvme,drive=D,bus=rootport0 …
  options: first=N, shape=segments|tree, bridges=nest|refuse, window=BYTES, ecam=ADDRESS, tree=auto|none|ADDRESS, acpi=ADDRESS
  monitor el3 ecam-segments map | down rootport0 | up rootport0
To look at it:
  hindsight events RUN --kind segmentMapped                    the mapping table (segmentOmitted: what is not shown, and why)
  hindsight query RUN 'kind == "configurationRead"'            the operating system's cycles
  hindsight query RUN 'kind == "configurationCycleDone"'       true cycles, by the bus, device and function they went to
`;

/** The system for `hindsight system`. */
export const ecamSegmentsSystem: SystemScenario = {
  slug: "ecam-segments",
  explain: EXPLAIN,
  checks: [
    {
      name:
        "random reads and writes through segments and by the ports' index and window give the same; every engine",
      run: checkFuzz,
    },
    {
      name:
        "each function is in its segment once, where the link has 32 ghosts; outside is an abort; EL3, EL2; every engine",
      run: checkGhosts,
    },
    { name: "with the link down a segment reads as all ones; every engine", run: checkLinkDown },
    { name: "calls of DEN 0115 give what ECAM gives, by SMC and HVC", run: checkCalls },
    {
      name:
        "empty slots, bridges, windows and numbers that do not suffice: what is shown, and the reason of what is not",
      run: checkTopologies,
    },
    {
      name: "tables of every topology say what its segments are, and iasl takes them apart without an error",
      run: checkTables,
    },
    {
      name:
        "segments of every topology and the one tree that they are merged into are bijections to the same functions",
      run: checkBijection,
    },
    {
      name:
        "Debian by ACPI: each endpoint once, NVMe and network work, messages by IORT, no complaint about firmware",
      needs: ["linux-cloud", "pci-tools"],
      run: (context) => checkBoot(context, "acpi"),
    },
    {
      name: "Debian by device tree: the same",
      needs: ["linux-cloud", "pci-tools"],
      run: (context) => checkBoot(context, "tree"),
    },
    {
      name: "Debian without the system finds no PCI",
      isLong: true,
      needs: ["linux-cloud", "pci-tools"],
      run: checkBare,
    },
    {
      name: "Debian's NVMe is unplugged, and comes back in its segment",
      isLong: true,
      needs: ["linux-cloud", "pci-tools"],
      run: checkPlugging,
    },
    {
      name:
        "Debian finds the same functions by their true numbers where the segments are merged into one tree",
      isLong: true,
      needs: ["linux-cloud", "pci-tools"],
      run: checkTree,
    },
    {
      name: "Debian with 4 CPUs",
      isLong: true,
      needs: ["linux-cloud", "pci-tools"],
      run: (context) => checkBoot(context, "acpi", "ITS-MSI", { cpus: 4 }),
    },
    {
      name: "Debian below a monitor at EL2, by ACPI: messages by a GICv2m",
      isLong: true,
      needs: ["linux-cloud", "pci-tools"],
      run: (context) => checkBoot(context, "acpi", "GICv2m", { level: 2, gic: 2 }),
    },
    {
      name: "Debian below a monitor at EL2, by device tree: interrupts by INTx through the switch",
      isLong: true,
      needs: ["linux-cloud", "pci-tools"],
      run: (context) => checkBoot(context, "tree", "Level", { level: 2, gic: 3 }),
    },
  ],
};
