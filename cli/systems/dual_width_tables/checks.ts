/** The acceptance of dual-width-tables, criterion by criterion. */
import type { SystemCheck } from "../scenario.ts";
import { callsAreLinuxs } from "./against_linux.ts";
import { equalsQemu, needsInvalidation, refusesWritableShim } from "./against_qemu.ts";
import { BUSYBOX_GUEST } from "./images.ts";
import { equalsTwin, runsBusybox, survivesInterrupts, switchesProcesses } from "./processes.ts";
import { catchesFaults, endsTrespassers, hasOneHierarchy, protects } from "./protection.ts";

const needs = [BUSYBOX_GUEST];

/** In order. */
// deno-fmt-ignore
export const CHECKS: readonly SystemCheck[] = [
  { name: "unmodified static busybox runs sh -c 'echo ok' at EL0 under the kernel at EL2", needs, run: runsBusybox },
  { name: "every page of the kernel: EL0's load, store and fetch are translation faults of level 0", run: protects },
  { name: "both regimes walk one hierarchy of tables, in the EL2 format",               needs, run: hasOneHierarchy },
  { name: "the VHE twin's processes see the same: calls, results, faults, console, memory", needs, run: equalsTwin },
  { name: "two processes switch with TLBI, also under all strict models",               needs, run: switchesProcesses },
  { name: "system calls give what Debian's kernel gives for the same executable",           needs, run: callsAreLinuxs },
  { name: "planted faults are caught: each missing TLBI, and a width too many",              run: catchesFaults },
  { name: "an interrupt at each boundary around a system call is taken to EL2, unseen by processes", run: survivesInterrupts },
  { name: "a process that goes for the kernel or the shim is refused or ended, others go on",  run: endsTrespassers },
  { name: "a shim that EL0 can write is not executed by EL1, here and on QEMU",              run: refusesWritableShim },
  { name: "a switch without TLBI leaves old translations in use, under --strict tlb and on QEMU", run: needsInvalidation },
  { name: "the same bytes on QEMU: console and every exception with its syndrome are equal", needs, run: equalsQemu },
];
