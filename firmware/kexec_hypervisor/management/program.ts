/**
 * A management hypervisor in A64: started by ESXBootInfo, it takes the machine's CPUs and runs a Linux kernel at EL1.
 *
 * An ELF file linked at 0 that runs at any multiple of 2 MiB, entered at EL2 with the MMU off, X0 = 0x1BADB005 and X1 = address of
 * the list (`../loader/info_list.ts`); needs the PL011 of board `virt`, PSCI by SMC, physical addresses of 40 bits. It prints
 * each element, turns each CPU on by PSCI and keeps it in a pen at EL2, builds stage 2 tables that map all but its own
 * memory where it is, and enters module `kernel` with module `tree` in X0. The guest calls PSCI by HVC: CPU_ON lets a CPU out of the
 * pen and CPU_OFF brings it back. Interrupts and devices are the guest's. An access to what stage 2 has not is told, and
 * the guest takes a synchronous external abort. Entered 4 bytes behind its entry by a running kernel's stub, it adopts that CPU as
 * it is, and gives it back when asked to (MANAGEMENT_RELEASE). Its stage 1 is off: no exclusives, no unaligned accesses.
 */
import { assembleProgram, type Program } from "../../../machine/a64/program.ts";
import { elfExecutable } from "../../elf.ts";
import { CONSOLE } from "../../loader/console.ts";
import { INFO_LIST_EQUATES } from "../loader/info_list.ts";
import { MANAGEMENT_ENTRY } from "./entry.ts";
import { MANAGEMENT_CALLS } from "./calls.ts";
import { MANAGEMENT_LIST } from "./list.ts";
import { MANAGEMENT_SPACE } from "./space.ts";

/** Most CPUs that it takes: those of affinity 0 below this. */
const MOST_CPUS = 8;

/** X0 of the HVC by which an adopted kernel takes a CPU's EL2 back: 0 in X0 when it has it. */
export const MANAGEMENT_RELEASE = 0x8600_0010;

/** magic, flags (VHE is not used), checksum, and fields for video, runtime services and measurement. */
const HEADER = `
        .equ    HEADER_FLAGS, 0x200000          // it would like a measurement
        .balign 8
        .word   EBI_MAGIC, HEADER_FLAGS, 0 - EBI_MAGIC - HEADER_FLAGS
        .word   0, 0, 0, 0, 0, 0, 0, 0, 0
        .quad   0, 0
        .word   0, 1
`;

const MEMORY = `
        .bss
        .balign 8192
level1: .space  8192                            // two tables, one behind the other: 40 bits
level2: .space  LEVEL2_TABLES * 4096
cpu_table:
        .space  MOST_CPUS * CPU_SIZE
guest_entry:
        .space  16
        .balign 4096
stacks: .space  MOST_CPUS * 4096
management_end:
`;

const EQUATES = `
${INFO_LIST_EQUATES}
        .equ    UART, 0x09000000
        .equ    MOST_CPUS, ${MOST_CPUS}
        .equ    LEVEL2_TABLES, 8
        // What is known of a CPU.
        .equ    CPU_STATE, 0
        .equ    CPU_ENTRY, 8
        .equ    CPU_CONTEXT, 16
        .equ    CPU_HOST, 24                    // VBAR_EL2, HCR_EL2, CPTR_EL2, MDCR_EL2 of who was here before
        .equ    CPU_SIZE, 64
        .equ    RELEASE, 0x${MANAGEMENT_RELEASE.toString(16)}
        .equ    ABSENT, 0
        .equ    PARKED, 1
        .equ    RUNNING, 2
        .equ    CPU_OFF, 0x84000002
        .equ    CPU_ON, 0x84000003
        .equ    AFFINITY_INFO, 0x84000004
        .equ    SYSTEM_RESET, 0x84000009
        .equ    CPU_ON_64, 0xc4000003
        .equ    INVALID_PARAMETERS, -2
        .equ    ALREADY_ON, -4
`;

let assembled: Program | undefined;

/** The hypervisor. */
export function managementProgram(): Program {
  return assembled ??= assembleProgram([
    { name: "equates", text: EQUATES },
    { name: "entry", text: MANAGEMENT_ENTRY },
    { name: "list", text: MANAGEMENT_LIST },
    { name: "header", text: HEADER },
    { name: "calls", text: MANAGEMENT_CALLS },
    { name: "space", text: MANAGEMENT_SPACE },
    CONSOLE,
    { name: "memory", text: MEMORY },
  ], { name: "management", base: 0n });
}

/** The hypervisor as a file. */
export function managementExecutable(): Uint8Array<ArrayBuffer> {
  return elfExecutable(managementProgram());
}
