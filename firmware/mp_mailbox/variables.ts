/** What the loader and the shim have in common: their variables, what they know of a core, and constants. */
import { FUNCTION } from "../../machine/psci.ts";
import { UART_ADDRESS } from "../loader/console.ts";
import { LOADER_DEVICE_TREE_AT } from "../loader/pagefault_boot.ts";
import { MAILBOX_EQUATES } from "./page.ts";

/** What the loader knows of a core. */
const CORE_EQUATES = `
        .equ    CORE_NUMBER, 0                  // MPIDR_EL1's affinity
        .equ    CORE_PAGE, 8                    // its mailbox
        .equ    CORE_PLACE, 16                  // its node's offset in the structure, or its GICC's address
        .equ    CORE_ID, 24                     // the number that its page waits for
        .equ    CORE_KIND, 28
        .equ    CORE_GICR, 32                   // its redistributor's frame
        .equ    CORE_SIZE, 40
        .equ    CORE_UNTRIED, 0                 // those that are copied: COPY_…
        .equ    CORE_BOOT, 1
        .equ    CORE_PARKED, 2
        .equ    CORE_DEAD, 3
`;

/** CPUs that there is room for. */
const CORES_MOST = 16;
/** Bytes for the rewritten tree. */
const TREE_ROOM = 0x2_0000;
/** Seconds that a core has to come to its pen. */
const PATIENCE = 1;

/** Variables, 8 bytes each. */
// deno-fmt-ignore
const VARS = [
  "TREE", "TREE_GOOD", "STRUCT", "NODE", "NAME", "CPU_CELLS", "CHOSEN", "BOOTARGS", "SYSTEM_TABLE", "CONDUIT", "CPU_ON",
  "GIC", "GICD", "GIC_CPU", "GIC_CPU_SIZE", "CORES", "PAGES", "WAITS", "CALLING", "READING", "MAP", "MAP_SIZE",
  "MAP_STEP", "MADT", "FADT", "REDISTRIBUTORS", "PSCI",
] as const;

const SLOTS_SIZE = 16 * 16;

const VARS_EQUATES = VARS.map((name, index) => `        .equ    VARS_${name}, ${index * 8}\n`).join("") +
  `        .equ    VARS_SLOTS, ${VARS.length * 8 + 8}
        .equ    VARS_CORE, VARS_SLOTS + ${SLOTS_SIZE}
        .equ    VARS_SIZE, VARS_CORE + ${CORES_MOST} * CORE_SIZE
`;

/** Equates of the loader and the shim; `kernel` is where each looks for its kernel. */
export const sharedEquates = (kernel: number): string => `
        .equ    UART, 0x${UART_ADDRESS.toString(16)}
        .equ    KERNEL_AT, ${kernel}
        .equ    DEVICE_TREE_AT, ${LOADER_DEVICE_TREE_AT}
        .equ    IMAGE_MAGIC, 0x644d5241         // "ARM\\x64" at 56
        .equ    CORES_MOST, ${CORES_MOST}
        .equ    TREE_ROOM, ${TREE_ROOM}
        .equ    PATIENCE, ${PATIENCE}
        .equ    PSCI_CPU_ON, ${FUNCTION.CPU_ON_64}
        .equ    PSCI_VERSION, ${FUNCTION.PSCI_VERSION}
        .equ    CONDUIT_HVC, 1
        .equ    CONDUIT_SMC, 2
${CORE_EQUATES}${VARS_EQUATES}${MAILBOX_EQUATES}`;
