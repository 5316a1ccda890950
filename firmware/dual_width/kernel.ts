/**
 * dual-width-tables: a kernel at EL2 with its processes at EL0, one hierarchy of translation tables and two widths of
 * virtual addresses (US10002084B1).
 *
 * Armv8.0 gives EL2 one range, translated by TTBR0_EL2, and descriptors of it have AP[1] RES1: read by the EL1&0
 * regime, every page of them is EL0's. So the kernel gives both regimes the same root and protects itself by width:
 * TCR_EL2.T0SZ = 16 makes 48 bits of address at EL2, TCR_EL1.T0SZ = 17 with EPD1 = 1 makes 47 at EL1 and EL0. Both walks
 * start at level 0, where EL0 has the lower half of the root; the kernel lives in the upper half, and an access of EL0
 * there is a translation fault of level 0. HCR_EL2.TGE = 1 would turn EL0's translation off (with E2H = 0), so what EL0
 * does is taken to EL1 first: to a page of vectors, the shim, that executes HVC. The shim is AP = 0b11, since what EL0
 * can write EL1 may not execute (Arm ARM D8.4.2). nG is RES0 in the EL2 format: a switch of processes invalidates TLBs.
 *
 * Form: `-M virt,virtualization=on -cpu cortex-a57 -kernel`, entered at EL2 at IMAGE_BASE on one CPU; it needs 8 MiB of
 * RAM, the PL011, PSCI by SMC, and a GICv2 where it is built with ticks. The same sources with VHE = 1 are the twin for
 * `-cpu max`: E2H = TGE = 1, TTBR1_EL2; the shim is mapped there too, for processes to see the same, and not used.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { CONSOLE_SOURCE, DATA_SOURCE } from "./console.ts";
import { ENTRY_SOURCE } from "./entry.ts";
import { IMAGE_BASE, type KernelForm, layoutEquates, linearOffset } from "./layout.ts";
import { FAULTS_SOURCE } from "./faults.ts";
import { MEMORY_SOURCE } from "./memory.ts";
import { MEMORY_CALLS_SOURCE } from "./memory_calls.ts";
import { PROCESS_SOURCE } from "./process.ts";
import { SIGNALS_SOURCE } from "./signals.ts";
import { SYSTEM_CALLS_SOURCE } from "./system_calls.ts";
import { USER_ACCESS_SOURCE } from "./user_access.ts";

/** The sources in their order, by name. */
export function kernelSources(form: KernelForm): { name: string; text: string }[] {
  return [
    { name: "layout", text: layoutEquates(form) },
    { name: "entry", text: ENTRY_SOURCE },
    { name: "process", text: PROCESS_SOURCE },
    { name: "memory", text: MEMORY_SOURCE },
    { name: "user_access", text: USER_ACCESS_SOURCE },
    { name: "memory_calls", text: MEMORY_CALLS_SOURCE },
    { name: "system_calls", text: SYSTEM_CALLS_SOURCE },
    { name: "signals", text: SIGNALS_SOURCE },
    { name: "faults", text: FAULTS_SOURCE },
    { name: "console", text: CONSOLE_SOURCE },
    { name: "data", text: DATA_SOURCE },
  ];
}

/** Assembles a kernel at its linear address. Throws ProgramError for sources that were changed wrongly. */
export function assembleKernel(form: KernelForm, sources = kernelSources(form)): Program {
  return assembleProgram(sources, { base: BigInt(IMAGE_BASE) + linearOffset(form) });
}

/** A kernel with one text of its sources replaced, for experiments. Throws RangeError unless it is there exactly once. */
export function changedKernel(form: KernelForm, from: string, to: string): Program {
  let found = 0;
  const sources = kernelSources(form).map(({ name, text }) => {
    found += text.split(from).length - 1;
    return { name, text: text.replace(from, () => to) };
  });
  if (found !== 1) throw new RangeError(`Cannot change the kernel: it has "${from}" ${found} times`);
  return assembleKernel(form, sources);
}

/** The shim: vectors for EL1 whose every entry executes HVC; 0 stands for "from EL0, synchronous", all that can be. */
export function assembleShim(): Program {
  const vectors = Array.from(
    { length: 16 },
    (_, index) => `.balign 128\nhvc #${index === 8 ? 0 : index + 1}\nb .\n`,
  );
  return assembleProgram(vectors.join(""), { name: "shim" });
}
