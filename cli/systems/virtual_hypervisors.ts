/** virtual-hypervisors (US11422840B2): one hypervisor kernel partitioned into virtual hypervisors that cannot tell of each other. */
import type { SystemScenario } from "./scenario.ts";
import { consolesAreTheirOwn } from "./virtual_hypervisors/consoles.ts";
import { planesCrash } from "./virtual_hypervisors/crashes.ts";
import { oneEach, twoEach } from "./virtual_hypervisors/debian.ts";
import { fuzzedCalls } from "./virtual_hypervisors/fuzzed_calls.ts";
import { leaksAreFound, sameStepByStep, sameWithAll } from "./virtual_hypervisors/interference.ts";
import { limitsHold } from "./virtual_hypervisors/limits.ts";
import { refusals } from "./virtual_hypervisors/refusals.ts";
import { sharesHold } from "./virtual_hypervisors/shares.ts";

const EXPLAIN =
  `EL2 is one hypervisor kernel. It gives PE, memory and devices to virtual machines of several instances, each a virtual
hypervisor with a namespace, a resource group and a management plane of its own:

    VTTBR_EL2      VMID and stage 2 tables of each; its memory is blocks of 2 MiB, zeros when it comes
    HCR_EL2        VM, IMO, FMO, AMO; TWI and TWE: who waits gives the PE away; TID3; VI and VF from its own GIC model
    CNTVOFF_EL2    set at each change, so that CNTVCT_EL0 goes on from where it was; EL1PCTEN = EL1PCEN = 0 trap the
                   physical counter and timer, which show the same time
    CNTHP_*_EL2    fires at whole quanta (2^20 ns) of a virtual machine's own time, whoever else is there

A virtual machine's time is its own instructions (8 ns each), its own exits, and its own waits: one ends at its own
deadline, whenever the machine comes to see it. It can be preempted at whole quanta of that time and where it waits, so
an exclusive pair that is cut is cut with nobody else there, too. Stride scheduling at each level of the resource tree
says who runs; nobody can tell.

A manifest, JSON in RAM, makes instances; calls are JSON with a credential: monitor el2 virtual-hypervisors {"as":…,
"call":"createVm",…} in a script, a message to the port "management", or HVC #0x48 from within (X0, X1 the call, X2, X3
room for the answer). What is not in the caller's namespace is ENOENT, whether or not it is in another.

Use it: the files of a recording are beside its journal.

    hindsight record -m 64M --monitor el2:virtual-hypervisors,manifest=0x40200000 \\
      -device loader,file=manifest.json,addr=0x40200000,force-raw=on -device loader,file=guest,addr=0x40400000 …

Look at it:

    hindsight events RUN --instance 2 --vm 1               what it knows, at instants of its own
    hindsight events RUN --kind vcpuEntered,managementCalled
    diff <(hindsight events --json A --instance 2 --class all) <(hindsight events --json B --instance 2 --class all)

leak=counter, quantum, register, phase or memory plants something that depends on who else is there, to see it found.
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "virtual-hypervisors",
  explain: EXPLAIN,
  checks: [
    ...([2, 3] as const).map((gic) => ({
      name:
        `GICv${gic}: a witness's projected journal is byte for byte the same with neighbours absent, idle, computing, hostile`,
      run: (context: Parameters<typeof sameWithAll>[0]) => sameWithAll(context, gic),
    })),
    { name: "the same with every instruction, register and access of it", run: sameStepByStep },
    {
      name:
        "CPU shares hold within 1 % over 10^9 instructions (quick: 2·10^8), by groups, with one more, beside one that waits",
      run: sharesHold,
    },
    { name: "10,000 calls at random: nothing of the other instance is read or changed", run: fuzzedCalls },
    {
      name: "an instance at its cap is refused memory while another takes its own; groups bound those inside",
      run: limitsHold,
    },
    {
      name: "a management plane crashes and is there again; its virtual machines know nothing of it",
      run: planesCrash,
    },
    {
      name: "what is typed comes at a virtual machine's own time; one console has the machine's line",
      run: consolesAreTheirOwn,
    },
    { name: "machines, manifests and commands that cannot be are refused with the reason", run: refusals },
    {
      name: "a Debian in each of two instances at once (--all: one alone has the same journal of its own)",
      needs: ["linux-cloud"],
      run: oneEach,
    },
    {
      name:
        "two instances with two Debians each, on two engines; the second's journals are the same with the first absent or hostile",
      needs: ["linux-cloud"],
      isLong: true,
      run: twoEach,
    },
    { name: "leaks that are planted are found, at the instruction that shows them", run: leaksAreFound },
  ],
};
