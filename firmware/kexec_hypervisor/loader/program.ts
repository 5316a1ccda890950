/**
 * The loader of kexec-hypervisor (US20230325223A1): a static process of Linux that starts a hypervisor instead of its kernel.
 *
 * Linked at KEXEC_LOADER_BASE, entered at EL0 as root; needs CONFIG_KEXEC and /sys/firmware/fdt with #address-cells and
 * #size-cells of 2. It reads the modules from files and checks them, plans where each goes in physical memory, edits the
 * host's device tree, takes SHA-256 of each segment into the boot info of its second stage, and calls kexec_load (arm64
 * system call 104). `kexec-hypervisor exec` calls reboot(LINUX_REBOOT_CMD_KEXEC). Whatever it refuses, and whatever the kernel
 * refuses, is told with the reason and exit code 1, and the host goes on.
 *
 *     kexec-hypervisor [-f] [-m MANIFEST] xen|esx HYPERVISOR[@ADDRESS] ARGUMENTS KERNEL[@ADDRESS] ARGUMENTS INITRD[@ADDRESS]
 *     kexec-hypervisor exec | unload
 *     kexec-hypervisor adopt HYPERVISOR@ADDRESS MODULE | release MODULE
 *
 * `adopt` puts the management hypervisor into memory that the host has not (`mem=`), by /dev/mem, and has `../host_module.ts` bring
 * each CPU below it; `release` brings them back.
 *
 * -f goes on where the host was entered at EL1, which the second stage then refuses; -m wants each file in the output of
 * `sha256sum`. Addresses are hexadecimal, for who knows better than the plan.
 */
import { assembleProgram, type Program, type Source } from "../../../machine/a64/program.ts";
import { elfExecutable } from "../../elf.ts";
import { BOOT_INFO_EQUATES } from "../layout.ts";
import { secondStageProgram } from "../second_stage.ts";
import { SHA256, SHA256_WORK } from "../sha256.ts";
import { ADOPTION } from "./adoption.ts";
import { FILES } from "./files.ts";
import { KINDS } from "./kinds.ts";
import { LOAD } from "./load.ts";
import { MAIN } from "./main.ts";
import { MANIFEST } from "./manifest.ts";
import { PLAN } from "./plan.ts";
import { INFO_LIST } from "./info_list.ts";
import { TEXTS } from "./texts.ts";
import { TREE } from "./tree.ts";
import { TREE_READ } from "./tree_read.ts";
import { TREE_EQUATES, TREE_WRITTEN } from "./tree_written.ts";
import { LOADER_EQUATES, LOADER_MEMORY } from "./layout.ts";

/** Where the process is linked. */
export const KEXEC_LOADER_BASE = 0x40_0000n;

/** The second stage inside, page-aligned in the process for nothing but its own labels' sake. */
const SECOND_STAGE = `
        .balign 16
stage_bytes:
        .incbin "second stage"
        .balign 16
sha256_work:
        .space  ${SHA256_WORK}
`;

let assembled: Program | undefined;

/** The process; `symbols` has `after_kexec_load` and `after_reboot`, where the two system calls return. */
export function kexecLoaderProgram(): Program {
  if (assembled !== undefined) return assembled;
  const stage = secondStageProgram();
  const sources: readonly Source[] = [
    { name: "equates", text: BOOT_INFO_EQUATES + LOADER_EQUATES + TREE_EQUATES },
    { name: "main", text: MAIN },
    { name: "files", text: FILES },
    { name: "kinds", text: KINDS },
    { name: "manifest", text: MANIFEST },
    { name: "tree", text: TREE },
    { name: "tree_read", text: TREE_READ },
    { name: "tree_written", text: TREE_WRITTEN },
    { name: "plan", text: PLAN },
    { name: "load", text: LOAD },
    { name: "info_list", text: INFO_LIST },
    { name: "adoption", text: ADOPTION },
    SHA256,
    { name: "texts", text: TEXTS },
    { name: "second_stage", text: SECOND_STAGE },
    { name: "memory", text: LOADER_MEMORY },
  ];
  assembled = assembleProgram(sources, {
    name: "kexec_hypervisor",
    base: KEXEC_LOADER_BASE,
    symbols: { STAGE_BYTES: BigInt(stage.bytes.length), STAGE_BOOT_INFO: stage.symbols.get("boot_info")! },
    files: { "second stage": stage.bytes },
  });
  return assembled;
}

/** The process as an executable for Linux on arm64. */
export function kexecLoaderExecutable(): Uint8Array<ArrayBuffer> {
  return elfExecutable(kexecLoaderProgram());
}
