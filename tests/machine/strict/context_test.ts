/** Register writes that wait: which, what MRS reads, and what makes them act. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { HELPERS } from "../../../machine/ir/helpers.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { isDeferred } from "../../../machine/cpu/strict_context.ts";
import { IMMEDIATE_NAMES, immediateReason } from "../../../machine/cpu/strict_context_registers.ts";
import {
  patchSystemRegister,
  peekSystemRegister,
  readSystemRegister,
  SYSTEM_REGISTER_TABLE,
  systemRegisterNamed,
  writeSystemRegister,
} from "../../../machine/cpu/system_registers.ts";
import { resetCpu } from "../../../machine/cpu/reset.ts";
import { NEVER } from "../../../machine/cpu/system_register_row.ts";
import { register } from "../cpu/access_support.ts";
import { eventsOf, putAt, RAM } from "../cpu/support.ts";
import { strictCpus } from "./support.ts";

const write = (cpu: Cpu, name: string, value: bigint): void =>
  writeSystemRegister(cpu, systemRegisterNamed(name).encoding, 0, value);
const read = (cpu: Cpu, name: string): bigint =>
  readSystemRegister(cpu, systemRegisterNamed(name).encoding, 0);

/** Writes of these wait on every CPU model; the others of the table act at once, for a reason. */
// deno-fmt-ignore
const DEFERRED = [
  "CNTHCTL_EL2", "CNTKCTL_EL1", "CONTEXTIDR_EL1", "CPACR_EL1", "CPTR_EL2", "CPTR_EL3", "CSSELR_EL1",
  "DBGBCR0_EL1", "DBGBCR1_EL1", "DBGBCR2_EL1", "DBGBCR3_EL1", "DBGBCR4_EL1", "DBGBCR5_EL1",
  "DBGBVR0_EL1", "DBGBVR1_EL1", "DBGBVR2_EL1", "DBGBVR3_EL1", "DBGBVR4_EL1", "DBGBVR5_EL1",
  "DBGWCR0_EL1", "DBGWCR1_EL1", "DBGWCR2_EL1", "DBGWCR3_EL1",
  "DBGWVR0_EL1", "DBGWVR1_EL1", "DBGWVR2_EL1", "DBGWVR3_EL1",
  "HCR_EL2", "HSTR_EL2", "MAIR_EL1",
  "MAIR_EL2", "MAIR_EL3", "MDCR_EL2", "MDCR_EL3", "MDSCR_EL1", "SCR_EL3", "SCTLR_EL1", "SCTLR_EL2", "SCTLR_EL3",
  "TCR_EL1", "TCR_EL2", "TCR_EL3", "TTBR0_EL1", "TTBR0_EL2", "TTBR0_EL3", "TTBR1_EL1", "VBAR_EL1", "VBAR_EL2",
  "VBAR_EL3", "VMPIDR_EL2", "VPIDR_EL2", "VTCR_EL2", "VTTBR_EL2",
];

Deno.test("writes wait for every register with storage that controls something", () => {
  const rows = SYSTEM_REGISTER_TABLE.filter(({ feature, access }) =>
    feature === undefined && access.write !== NEVER
  );
  assertEquals(rows.filter(isDeferred).map(({ name }) => name).sort(), DEFERRED);
});

Deno.test("immediateReason has a reason for every other register with storage, and none for nothing", () => {
  for (const row of SYSTEM_REGISTER_TABLE) {
    const isStored = row.index !== undefined && row.access.write !== NEVER;
    assert(!isStored || isDeferred(row) || immediateReason(row.name, row.encoding) !== undefined, row.name);
  }
  for (const start of IMMEDIATE_NAMES) {
    assert(SYSTEM_REGISTER_TABLE.some(({ name }) => name.startsWith(start)), start);
  }
});

Deno.test("MRS reads what was written, and everything else what is in force, up to ISB", () => {
  const { cpu } = strictCpus(["context"]);
  const before = register(cpu, "CPACR_EL1");
  write(cpu, "CPACR_EL1", 0x30_0000n);
  assertEquals([read(cpu, "CPACR_EL1"), peekSystemRegister(cpu, "CPACR_EL1")], [0x30_0000n, 0x30_0000n]);
  assertEquals(register(cpu, "CPACR_EL1"), before);
  callHelper(cpu, "instructionBarrier", [], 0n, 0n);
  assertEquals(register(cpu, "CPACR_EL1"), 0x30_0000n);
  assert(HELPERS.instructionBarrier.endsBlock);
});

Deno.test("a write that waits has the register's form when MRS reads it", () => {
  const { cpu } = strictCpus(["context"]);
  write(cpu, "VBAR_EL1", 0xffffn);
  assertEquals(read(cpu, "VBAR_EL1"), 0xffe0n);
  write(cpu, "CSSELR_EL1", ~0n & (1n << 64n) - 1n);
  assertEquals(read(cpu, "CSSELR_EL1"), 0xfn);
});

Deno.test("a CPU's writes are its own, and an operator's act at once and replace them", () => {
  const { cpus } = strictCpus(["context"], { count: 2 });
  const [first, second] = cpus as [Cpu, Cpu];
  write(first, "VBAR_EL1", 0x800n);
  assertEquals(read(second, "VBAR_EL1"), 0n);
  patchSystemRegister(first, "VBAR_EL1", 0x1000n);
  callHelper(first, "instructionBarrier", [], 0n, 0n);
  assertEquals([register(first, "VBAR_EL1"), read(first, "VBAR_EL1")], [0x1000n, 0x1000n]);
});

Deno.test("firmware's answer to HVC synchronizes, as the exception and return would", () => {
  const { cpu } = strictCpus(["context"], { firmware: "hvc" });
  write(cpu, "VBAR_EL1", 0x800n);
  callHelper(cpu, "hypervisorCall", ["hypervisorCall", 0], 0n, 0n);
  assertEquals(register(cpu, "VBAR_EL1"), 0x800n);
});

Deno.test("exception return synchronizes before it looks at SCR_EL3 and HCR_EL2", () => {
  const { cpu } = strictCpus(["context"], { el2: true, el3: true });
  putAt(cpu, 3);
  write(cpu, "SCR_EL3", 0x401n);
  write(cpu, "SPSR_EL3", 0x3c9n);
  write(cpu, "ELR_EL3", BigInt(RAM));
  callHelper(cpu, "exceptionReturn", ["exceptionReturn"], 0n, 0n);
  assertEquals([cpu.el, cpu.illegal], [2, false]);
});

Deno.test("staleRegisterUsed names the register once for each write", () => {
  const test = strictCpus(["context"]);
  const { cpu } = test;
  write(cpu, "VPIDR_EL2", 1n);
  cpu.pending = undefined;
  write(cpu, "CPACR_EL1", 0x30_0000n);
  for (let count = 0; count < 2; count++) {
    callHelper(cpu, "checkFpEnabled", ["checkFpEnabled"], 0n, 0n);
    cpu.pending = undefined;
  }
  write(cpu, "CPACR_EL1", 0x10_0000n);
  callHelper(cpu, "checkFpEnabled", ["checkFpEnabled"], 0n, 0n);
  const found = eventsOf(test, "staleRegisterUsed").map((
    event,
  ) => [event.register, event.used, event.written]);
  assertEquals(found, [["CPACR_EL1", 0n, 0x30_0000n], ["CPACR_EL1", 0n, 0x10_0000n]]);
});

Deno.test("the section of waiting writes gives them back, in force or not", () => {
  const { cpu, strict } = strictCpus(["context"]);
  write(cpu, "TTBR0_EL1", 0x1234_0000n);
  const [section] = strict.save();
  resetCpu(cpu, { on: true, pc: BigInt(RAM), level: 1 });
  assertEquals(read(cpu, "TTBR0_EL1"), 0n);
  assert(cpu.tlb.isQuick);
  strict.restore([cpu], () => section!);
  assertEquals([read(cpu, "TTBR0_EL1"), register(cpu, "TTBR0_EL1"), cpu.tlb.isQuick], [
    0x1234_0000n,
    0n,
    false,
  ]);
  callHelper(cpu, "instructionBarrier", [], 0n, 0n);
  assertEquals([register(cpu, "TTBR0_EL1"), cpu.tlb.isQuick], [0x1234_0000n, true]);
  const bytes = section!.bytes.slice();
  bytes[8] = 0x21;
  assertThrows(() => strict.restore([cpu], () => ({ ...section!, bytes })), RangeError);
});
