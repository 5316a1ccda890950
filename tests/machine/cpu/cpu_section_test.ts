/** Reset, the CPU's section, banked stack pointers and what the table of registers must keep in order. */
import { assertEquals, assertThrows } from "@std/assert";
import { ARCHITECTURE_CHOICES } from "../../../machine/cpu/implementation_defined.ts";
import { COUNTER_FREQUENCY } from "../../../machine/devices/generic_timer.ts";
import { restoreCpu, saveCpu } from "../../../machine/cpu/cpu_section.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { SYSTEM_SLOTS } from "../../../machine/cpu/registers.ts";
import { resetCpu } from "../../../machine/cpu/reset.ts";
import { selectStackPointer } from "../../../machine/cpu/stack_pointer.ts";
import { INDEX, STORED_REGISTERS } from "../../../machine/cpu/system_register_index.ts";
import {
  isSystemRegister,
  patchSystemRegister,
  peekSystemRegister,
  SYSTEM_REGISTER_TABLE,
} from "../../../machine/cpu/system_registers.ts";
import { eventsOf, testCpus } from "./support.ts";

/** Storage that no row names: tags behind two registers, and the time of the counters. */
const UNNAMED = ["SP_EL3", "DBGCLAIM_EL1", "PMU_ADVANCED_TO", "PMU_RETIRED_TO"];

Deno.test("SYSTEM_REGISTER_TABLE and STORED_REGISTERS name the same storage", () => {
  const stored = SYSTEM_REGISTER_TABLE.filter(({ index }) => index !== undefined);
  for (const { name, index } of stored) assertEquals(STORED_REGISTERS[index as number], name as never);
  const named = new Set(stored.map(({ name }) => name));
  assertEquals(STORED_REGISTERS.filter((name) => !named.has(name)), UNNAMED as never[]);
  assertEquals(new Set(STORED_REGISTERS).size, STORED_REGISTERS.length);
  assertEquals(STORED_REGISTERS.length <= SYSTEM_SLOTS, true);
});

Deno.test("CNTFRQ_EL0 is the frequency of the counter", () => {
  assertEquals(peekSystemRegister(testCpus().cpu, "CNTFRQ_EL0"), BigInt(COUNTER_FREQUENCY));
});

Deno.test("ARCHITECTURE_CHOICES has each topic once", () => {
  const topics = ARCHITECTURE_CHOICES.map(({ topic }) => topic);
  assertEquals(new Set(topics).size, topics.length);
});

Deno.test("resetCpu starts at its level with zeros, reset values and everything masked", () => {
  const { cpu } = testCpus({ el2: true, el3: true });
  cpu.slots.fill(7n);
  cpu.v.fill(7n);
  for (const { index } of SYSTEM_REGISTER_TABLE) if (index !== undefined) cpu.registers.system[index] = 7n;
  Object.assign(cpu, { waiting: "event", eventRegister: true, singleStep: true, illegal: true });
  cpu.monitor.restore(true, 4096, 8);
  resetCpu(cpu, { on: false, pc: 0x1000n, level: 2 });
  assertEquals([cpu.el, cpu.spSel, cpu.daif, cpu.illegal, cpu.singleStep], [2, 1, 15, false, false]);
  assertEquals([cpu.on, cpu.waiting, cpu.eventRegister, cpu.monitor.open, cpu.pc], [
    false,
    "none",
    false,
    false,
    0x1000n,
  ]);
  assertEquals(
    cpu.slots.slice(0, 34).every((value) => value === 0n) && cpu.v.every((value) => value === 0n),
    true,
  );
  assertEquals(peekSystemRegister(cpu, "SCTLR_EL1"), 0xc50838n);
  assertEquals(peekSystemRegister(cpu, "VMPIDR_EL2"), 0x8000_0000n);
  assertEquals(peekSystemRegister(cpu, "TPIDR_EL1"), 0n);
});

Deno.test("MPIDR_EL1 has the CPU's number as affinity 0", () => {
  const { cpus } = testCpus({ count: 3 });
  assertEquals(cpus.map((cpu) => peekSystemRegister(cpu, "MPIDR_EL1")), [
    0x8000_0000n,
    0x8000_0001n,
    0x8000_0002n,
  ]);
});

Deno.test("MIDR_EL1 and MPIDR_EL1 show EL1 what EL2 put there", () => {
  const { cpu } = testCpus({ el2: true });
  patchSystemRegister(cpu, "VPIDR_EL2", 0x1234n);
  patchSystemRegister(cpu, "VMPIDR_EL2", 0x5678n);
  assertEquals([peekSystemRegister(cpu, "MIDR_EL1"), peekSystemRegister(cpu, "MPIDR_EL1")], [
    0x411f_d070n,
    0x8000_0000n,
  ]);
  cpu.el = 1;
  assertEquals([peekSystemRegister(cpu, "MIDR_EL1"), peekSystemRegister(cpu, "MPIDR_EL1")], [
    0x1234n,
    0x5678n,
  ]);
});

Deno.test("selectStackPointer keeps the four stack pointers apart", () => {
  const { cpu } = testCpus({ el2: true, el3: true });
  const states = [[3, 1], [2, 1], [1, 1], [1, 0]] as const;
  for (const [index, [el, sp]] of states.entries()) {
    selectStackPointer(cpu, el, sp);
    cpu.registers.sp = BigInt(index + 1) << 8n;
  }
  for (const [index, [el, sp]] of states.entries()) {
    selectStackPointer(cpu, el, sp);
    assertEquals(cpu.registers.sp, BigInt(index + 1) << 8n);
  }
  selectStackPointer(cpu, 0, 0);
  assertEquals(cpu.registers.sp, 4n << 8n);
  selectStackPointer(cpu, 3, 0);
  patchSystemRegister(cpu, "SP_EL0", 5n);
  assertEquals(cpu.registers.sp, 5n);
  assertEquals(peekSystemRegister(cpu, "SP_EL2"), 2n << 8n);
});

/** Distinct values everywhere. */
function fill(cpu: ReturnType<typeof testCpus>["cpu"]): void {
  for (let n = 0; n < 31; n++) cpu.slots[n] = BigInt(n) << 40n | 1n;
  for (let n = 0; n < 64; n++) cpu.v[n] = ~BigInt(n);
  for (let n = 0; n < STORED_REGISTERS.length; n++) cpu.registers.system[n] = BigInt(n * 3 + 1) << 20n;
  cpu.registers.pc = 0xffff_0000_1234_5678n;
  cpu.registers.sp = 0x8000n;
  cpu.registers.nzcv = 9;
  const state = { el: 2, spSel: 0, daif: 5, illegal: true, singleStep: true, stepStarted: true, on: true };
  Object.assign(cpu, {
    ...state,
    waiting: "event",
    eventRegister: true,
    eventSource: "eventStream",
    yielded: true,
    serrorPending: true,
  });
  Object.assign(cpu, { pan: true, uao: true, dit: true, ssbs: true, branchType: 3 });
  cpu.monitor.restore(true, 0x4000_0040, 16);
}

Deno.test("saveCpu and restoreCpu make a round trip of everything", () => {
  const { cpu } = testCpus({ model: "max", el2: true, el3: true });
  fill(cpu);
  const [saved] = saveCpu(cpu);
  const other = testCpus({ model: "max", el2: true, el3: true }).cpu;
  restoreCpu(other, () => saved!);
  assertEquals(saveCpu(other), [saved!]);
  assertEquals(other.slots.slice(0, 36), cpu.slots.slice(0, 36));
  assertEquals(other.registers.system, cpu.registers.system);
  assertEquals([other.el, other.waiting, other.monitor.size, other.registers.sp], [2, "event", 16, 0x8000n]);
  assertEquals([other.pan, other.uao, other.dit, other.ssbs, other.branchType], [true, true, true, true, 3]);
  const old = testCpus({ el2: true, el3: true }).cpu;
  assertThrows(() => restoreCpu(old, () => saved!), RangeError, "PSTATE", "no such fields on cortex-a57");
});

Deno.test("saveCpu does not depend on the stale copy of the selected stack pointer", () => {
  const one = testCpus().cpu, two = testCpus().cpu;
  two.registers.system[INDEX.SP_EL1] = 0x1234n;
  assertEquals(saveCpu(two), saveCpu(one));
});

Deno.test("restoreCpu refuses what no CPU can be", () => {
  const { cpu } = testCpus();
  cpu.el = 1;
  const [saved] = saveCpu(cpu);
  const bytes = saved!.bytes.slice();
  const el = 4 + 31 * 8 + 8 + 1;
  assertEquals(bytes[el], 1);
  bytes[el] = 4;
  assertThrows(() => restoreCpu(cpu, () => ({ ...saved!, bytes })), RangeError, "PSTATE");
  assertThrows(() => restoreCpu(cpu, () => ({ ...saved!, version: 99 })), RangeError, "version 99");
  assertThrows(() => restoreCpu(cpu, () => ({ ...saved!, bytes: bytes.slice(0, 100) })), RangeError);
});

Deno.test("patchSystemRegister writes without checks or events and leaves what is read-only", () => {
  const test = testCpus();
  const { cpu } = test;
  patchSystemRegister(cpu, "TPIDR_EL1", 5n);
  patchSystemRegister(cpu, "MIDR_EL1", 5n);
  assertEquals([peekSystemRegister(cpu, "TPIDR_EL1"), peekSystemRegister(cpu, "MIDR_EL1")], [
    5n,
    0x411f_d070n,
  ]);
  assertEquals(eventsOf(test, "systemRegisterWritten"), []);
  assertEquals([isSystemRegister("VBAR_EL1"), isSystemRegister("vbar"), isSystemRegister("toString")], [
    true,
    false,
    false,
  ]);
  assertThrows(() => peekSystemRegister(cpu, "NO_EL1"), RangeError, "NO_EL1");
});

Deno.test("writeSystemRegister and writePstateField are events", () => {
  const test = testCpus();
  callHelper(test.cpu, "writeSystemRegister", ["writeSystemRegister", 0xc684, 3], 42n, 0n);
  callHelper(test.cpu, "writePstateField", ["writePstateField", 3, 7, 2], 0n, 0n);
  callHelper(test.cpu, "writePstateField", ["writePstateField", 0, 5, 0], 0n, 0n);
  const written = eventsOf(test, "systemRegisterWritten").map(({ register, value }) => [register, value]);
  assertEquals(written, [["TPIDR_EL1", 42n], ["DAIF", 0x340n], ["SPSel", 0n]]);
  assertEquals([test.cpu.daif, test.cpu.spSel], [13, 0]);
});
