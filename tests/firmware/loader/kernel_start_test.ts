/** What a kernel finds that a loader starts: the state that booting.rst promises, and at EL3 PSCI behind it. */
import { assertEquals } from "@std/assert";
import { CONSOLE } from "../../../firmware/loader/console.ts";
import {
  LOADER_DEVICE_TREE_AT,
  LOADER_KERNEL_AT,
  pagefaultBoot,
} from "../../../firmware/loader/pagefault_boot.ts";
import { assembleProgram, type Program } from "../../../machine/a64/program.ts";
import { FUNCTION } from "../../../machine/psci.ts";
import { patch, runPlaced } from "./guest.ts";

const MA = 0x4567_0000;

/** Calls of PSCI with their argument, and what version 1.0 answers where there is one CPU. */
// deno-fmt-ignore
const CALLS: readonly (readonly [call: number, argument: number, answer: bigint])[] = [
  [FUNCTION.PSCI_VERSION,      0,                       0x10000n],
  [FUNCTION.MIGRATE_INFO_TYPE, 0,                       2n],
  [FUNCTION.PSCI_FEATURES,     FUNCTION.CPU_ON_64,      0n],
  [FUNCTION.PSCI_FEATURES,     FUNCTION.CPU_SUSPEND_64, -1n],
  [FUNCTION.CPU_ON_64,         0,                       -4n],
  [FUNCTION.CPU_ON_64,         1,                       -2n],
  [FUNCTION.CPU_OFF,           0,                       -1n],
];

/** An arm64 image that prints what it was entered with and what PSCI answers, and powers off. */
function kernel(level: 1 | 2 | 3, calls: typeof CALLS): Program {
  const call = (number: number, argument: number) => `
        ldr     x0, =${number}
        ldr     x1, =${argument}
        ${level === 1 ? "hvc" : "smc"} #0
        bl      put_hex`;
  return assembleProgram([
    {
      name: "kernel",
      text: `
        b       start
        .word   0
        .quad   0, end - image, 0b1010, 0, 0, 0
        .ascii  "ARM\\x64"
        .word   0
        .set    image, ${LOADER_KERNEL_AT}
start:  ldr     x26, =0x09000000
        orr     x20, x1, x2
        orr     x20, x20, x3
        bl      put_hex                         // the device tree
        mov     x0, x20
        bl      put_hex                         // x1 to x3
        mrs     x0, currentel
        bl      put_hex
        mrs     x0, daif
        bl      put_hex
        mrs     x0, sctlr_el${level === 1 ? 1 : 2}
        ldr     x1, =0x1005
        and     x0, x0, x1
        bl      put_hex                         // MMU and caches
        ${calls.map(([number, argument]) => call(number, argument)).join("")}
        ${call(FUNCTION.SYSTEM_OFF, 0)}
        b       .
        .ltorg`,
    },
    CONSOLE,
    { name: "end", text: "end: .space 4\n" },
  ], { base: BigInt(LOADER_KERNEL_AT) });
}

/** A blob that begins as a device tree does: magic number and total size. */
const TREE = new Uint8Array([0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 64]);

Deno.test("start_kernel enters a kernel with the MMU off, the tree in x0, and PSCI from EL3", () => {
  for (const level of [1, 2, 3] as const) {
    const loader = pagefaultBoot({ level, granule: 12, inputBits: 48, link: 0xab_cd00_0000n });
    const calls = level === 3 ? CALLS : [];
    const { console, stop } = runPlaced([{ program: loader, at: MA }, {
      program: kernel(level, calls),
      at: LOADER_KERNEL_AT,
    }], {
      machine: { secure: level === 3, virtualization: level >= 2, strictModels: ["tlb", "icache", "dcache"] },
      prepare: (machine) => patch(machine, LOADER_DEVICE_TREE_AT, TREE),
    });
    assertEquals(stop.reason, "poweredOff", console);
    const printed = console.split("\r\n").at(-1)?.match(/0x[0-9a-f]{16}/g)?.map(BigInt);
    const answers = calls.map(([, , answer]) => BigInt.asUintN(64, answer));
    const currentEl = level === 1 ? 4n : 8n, masked = 0x3c0n;
    assertEquals(printed, [BigInt(LOADER_DEVICE_TREE_AT), 0n, currentEl, masked, 0n, ...answers], console);
  }
});
