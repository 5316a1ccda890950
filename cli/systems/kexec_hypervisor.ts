/** kexec-hypervisor (US20230325223A1, US12360795): a hypervisor loaded by a process of the operating system that is to be its guest. */
import type { CheckContext, SystemScenario } from "./scenario.ts";
import { checkAdoption } from "./kexec_hypervisor/adoption.ts";
import { CHAIN, chainOnQemu, checkChain } from "./kexec_hypervisor/chains.ts";
import { EL2_VHE, NEEDS } from "./kexec_hypervisor/host.ts";
import { checkKexecTools } from "./kexec_hypervisor/kexec_tools.ts";
import { checkPlanted } from "./kexec_hypervisor/planted.ts";
import { checkBusMasters, checkEl1, checkSpinTable } from "./kexec_hypervisor/refusals.ts";

const EXPLAIN =
  `A static process (/kexec-hypervisor) of Debian, entered at EL2, reads a hypervisor, a kernel and an initrd from files, checks
their kinds and, with -m, a manifest; plans where each goes in physical memory; edits the host's /sys/firmware/fdt; and calls
kexec_load (arm64 system call 104) with segments {hypervisor, kernel, initrd, device tree, ESXBootInfo, second stage}. On
reboot(LINUX_REBOOT_CMD_KEXEC) Linux turns its other CPUs off by PSCI, copies the segments, turns the MMU off, and by
HVC_SOFT_RESTART of its stub (nVHE) or at once (VHE) enters the second stage at EL2, with x0 to x3 zero: only kexec_file_load
would pass a device tree. So the boot info is found PC-relative. The second stage sets EL2 state (HCR_EL2.E2H of a VHE host
goes), quiets bus masters, compares SHA-256 of each segment, moves the hypervisor to its place, cleans it to the Point of
Coherency, and enters it: Xen with the tree's address in x0 and its modules in /chosen/module@…; a management hypervisor, an
ELF file with an ESXBootInfo header, with x0 = 0x1BADB005 and x1 = address of a list of typed elements.

Ours takes all CPUs by PSCI and runs Debian at EL1 below stage 2, without its own memory: what the guest does there is told
and aborts. Refused, the host running on: wrong files, overlapping segments (EINVAL), CPUs that cannot be turned off (EBUSY),
a host at EL1. Refused in the second stage, with PSCI SYSTEM_RESET: EL1, and a segment that is not what was loaded.

In a host of yours: put firmware/kexec_hypervisor's loader and the files into an initramfs, and type
  /kexec-hypervisor xen /xen "dom0_mem=512M console=dtuart" /Image "console=hvc0" /initrd.gz && /kexec-hypervisor exec
Look at it:
  hindsight events xen.hindsight --kind firmwareCalled        CPU_OFF of the host, CPU_ON of Xen
  hindsight query xen.hindsight 'pc == 0x…'                   the second stage's entry: its segment's address on the console
  hindsight bisect planted.hindsight --when 'memory(0x…, 1) == …'   the store that copied a wrong byte
  hindsight diff esx.hindsight planted.hindsight
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "kexec-hypervisor",
  explain: EXPLAIN,
  checks: [
    {
      name: "Debian → unmodified Xen 4.17 → dom0 shell, all CPUs by PSCI; memory at entry is the manifest's",
      needs: NEEDS,
      run: (context) => checkChain(context, CHAIN.xen, context.all ? ["compiled", "threaded"] : ["compiled"]),
    },
    {
      name:
        "thirteen refusals with the host running on; then → management hypervisor by ESXBootInfo → Debian at EL1",
      needs: NEEDS,
      run: (context) => checkChain(context, CHAIN.esx, context.all ? ["compiled", "threaded"] : ["compiled"]),
    },
    {
      name: "a host at EL1 is refused by the loader, and by the second stage with a reset",
      isLong: true,
      needs: NEEDS,
      run: checkEl1,
    },
    {
      name: "CPUs of a spin table: EBUSY, and the host runs on",
      isLong: true,
      needs: NEEDS,
      run: checkSpinTable,
    },
    {
      name: "bus masters that are still active are quieted",
      isLong: true,
      needs: NEEDS,
      run: checkBusMasters,
    },
    {
      name:
        "a wrong byte planted after the load: refused by its digest, and bisect finds the store that copied it",
      isLong: true,
      needs: NEEDS,
      run: checkPlanted,
    },
    {
      name: "a running Debian is adopted as a guest with all its memory, and released again",
      isLong: true,
      needs: NEEDS,
      run: checkAdoption,
    },
    {
      name: "kexec-tools' own kexec -l xen reaches a dom0 shell, and Xen says the same",
      isLong: true,
      needs: [...NEEDS, "linux-tools"],
      run: checkKexecTools,
    },
    ...(["xen", "esx"] as const).map((mode) => ({
      name: `the same files on QEMU: Debian → ${mode}, with equal digests and measurement`,
      isLong: true,
      needs: NEEDS,
      run: (context: CheckContext) => chainOnQemu(context, CHAIN[mode]),
    })),
    ...(["xen", "esx"] as const).map((mode) => ({
      name: `a VHE host with GICv3 and 4 CPUs → ${mode}`,
      isLong: true,
      needs: NEEDS,
      run: (context: CheckContext) =>
        checkChain(context, { ...CHAIN[mode], options: EL2_VHE, cpus: 4, name: `${mode}-vhe` }, [
          "compiled",
          "threaded",
        ]),
    })),
  ],
};
