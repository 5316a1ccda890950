/** Software step, with the outcomes of the same programs on QEMU 7.2. */
import { assertEquals } from "@std/assert";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { pendingInterrupt } from "../../../machine/cpu/interrupts.ts";
import { patchSystemRegister, peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { takeException } from "../../../machine/cpu/take_exception.ts";
import type { HelperName } from "../../../machine/ir/helpers.ts";
import { RAM, testCpus } from "./support.ts";

interface Case {
  readonly name: string;
  readonly spsr: bigint;
  readonly set: Readonly<Record<string, bigint>>;
  /** The stepped instruction: a helper with an immediate, a load-exclusive, or nothing. */
  readonly instruction?: readonly [HelperName, number] | "loadExclusive";
  /** Target, syndrome, offset of the return address, saved state; undefined when no exception follows. */
  readonly taken: readonly [number, bigint, number, bigint] | undefined;
}

const STEP = { MDSCR_EL1: 1n }, KERNEL = { MDSCR_EL1: 0x2001n };

// deno-fmt-ignore
const CASES: readonly Case[] = [
  { name: "EL0", spsr: 0x2001c0n, set: STEP, taken: [1, 0xcb000022n, 4, 0x1c0n] },
  { name: "EL1 with KDE", spsr: 0x2001c5n, set: KERNEL, taken: [1, 0xcf000022n, 4, 0x1c5n] },
  { name: "EL1 without KDE", spsr: 0x2001c5n, set: STEP, taken: undefined },
  { name: "EL1 with PSTATE.D", spsr: 0x2003c5n, set: KERNEL, taken: undefined },
  { name: "EL0 with SS clear", spsr: 0x1c0n, set: STEP, taken: [1, 0xca000022n, 0, 0x1c0n] },
  { name: "EL0 with SS clear and TDE", spsr: 0x1c0n, set: { ...STEP, MDCR_EL2: 0x106n }, taken: [2, 0xca000022n, 0, 0x1c0n] },
  { name: "EL1 with TDE", spsr: 0x2001c5n, set: { ...STEP, MDCR_EL2: 0x106n }, taken: [2, 0xcb000022n, 4, 0x1c5n] },
  { name: "Secure EL1", spsr: 0x2001c5n, set: { ...KERNEL, SCR_EL3: 0x530n }, taken: [1, 0xcf000022n, 4, 0x1c5n] },
  { name: "Secure EL1 with SDD", spsr: 0x2001c5n, set: { ...KERNEL, SCR_EL3: 0x530n, MDCR_EL3: 0x10000n }, taken: undefined },
  { name: "SVC", spsr: 0x2001c0n, set: STEP, instruction: ["supervisorCall", 3], taken: [1, 0x56000003n, 4, 0x1c0n] },
  { name: "HVC", spsr: 0x2001c5n, set: KERNEL, instruction: ["hypervisorCall", 1], taken: [2, 0x5a000001n, 4, 0x1c5n] },
  { name: "BRK", spsr: 0x2001c0n, set: STEP, instruction: ["breakpoint", 3], taken: [1, 0xf2000003n, 0, 0x2001c0n] },
  { name: "undefined", spsr: 0x2001c5n, set: KERNEL, instruction: ["undefinedInstruction", 0], taken: [1, 0x02000000n, 0, 0x2001c5n] },
  { name: "load-exclusive", spsr: 0x2001c0n, set: STEP, instruction: "loadExclusive", taken: [1, 0xcb000062n, 4, 0x1c0n] },
  // QEMU 7.2 ignores the OS lock here.
  { name: "OS lock", spsr: 0x2001c5n, set: { ...KERNEL, OSLAR_EL1: 1n }, taken: undefined },
];

Deno.test("pendingInterrupt steps one instruction after an exception return with SPSR.SS", () => {
  for (const { name, spsr, set, instruction, taken } of CASES) {
    const { cpu } = testCpus({ el2: true, el3: true });
    const start = { SCR_EL3: 0x531n, OSLAR_EL1: 0n, SPSR_EL3: spsr, ELR_EL3: BigInt(RAM), ...set };
    for (const [register, value] of Object.entries(start)) patchSystemRegister(cpu, register, value);
    callHelper(cpu, "exceptionReturn", ["exceptionReturn"], 0n, 0n);
    cpu.registers.pc = cpu.nextPc;
    cpu.attention = false;
    let exception = pendingInterrupt(cpu);
    if (exception === undefined) {
      assertEquals(cpu.attention, taken !== undefined, `${name}: ends the burst`);
      if (instruction === "loadExclusive") cpu.monitor.restore(true, RAM, 8);
      else if (instruction) callHelper(cpu, instruction[0], instruction, 0n, 0n);
      exception = cpu.pending;
      if (exception === undefined) {
        cpu.registers.pc += 4n;
        exception = pendingInterrupt(cpu);
      }
    }
    if (exception) takeException(cpu, exception);
    const read = (register: string) => peekSystemRegister(cpu, `${register}_EL${cpu.el}`);
    const result = exception && [cpu.el, read("ESR"), Number(read("ELR") - BigInt(RAM)), read("SPSR")];
    assertEquals(result, taken as typeof result, name);
  }
});
