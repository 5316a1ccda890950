/** Exceptions that instructions raise: targets, syndromes, return addresses and saved state, as QEMU 7.2 gave them. */
import { assertEquals } from "@std/assert";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { Exception } from "../../../machine/cpu/exception.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { savedState } from "../../../machine/cpu/pstate.ts";
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import { patchSystemRegister, peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { raiseIllegalState, takeException } from "../../../machine/cpu/take_exception.ts";
import type { HelperName } from "../../../machine/ir/helpers.ts";
import { eventsOf, putAt, RAM, testCpus, type TestOptions } from "./support.ts";

type Level = 0 | 1 | 2 | 3;

interface Case {
  readonly name: string;
  readonly helper: HelperName;
  readonly immediates?: readonly number[];
  readonly level: Level;
  /** Registers set before. */
  readonly set?: Readonly<Record<string, bigint>>;
  readonly options?: TestOptions;
  /** Target level, syndrome and offset of the return address; undefined when nothing is raised. */
  readonly taken: readonly [target: number, syndrome: number, offset: number] | undefined;
}

const SCR = 0x531n, RW = 1n << 31n, TGE = 1n << 27n;
const FULL: TestOptions = { el2: true, el3: true };
const EL2_ONLY: TestOptions = { el2: true };

function at(levels: readonly Level[], make: (level: Level) => Omit<Case, "level">): Case[] {
  return levels.map((level) => ({ level, ...make(level) }));
}

const natural = (level: Level): number => Math.max(1, level);

// deno-fmt-ignore
const CASES: readonly Case[] = [
  ...at([0, 1, 2, 3], (level) => ({ name: "SVC", helper: "supervisorCall", immediates: [0x1234], taken: [natural(level), 0x56001234, 4] })),
  ...at([0, 1, 2, 3], (level) => ({ name: "BRK", helper: "breakpoint", immediates: [0x1234], taken: [natural(level), 0xf2001234, 0] })),
  ...at([0, 1, 2, 3], (level) => ({ name: "HLT", helper: "halt", immediates: [0x1234], taken: [natural(level), 0x02000000, 0] })),
  ...at([0, 1, 2, 3], (level) => ({ name: "undefined", helper: "undefinedInstruction", taken: [natural(level), 0x02000000, 0] })),
  ...at([1, 2, 3], (level) => ({ name: "HVC", helper: "hypervisorCall", immediates: [0x1234], taken: [level === 3 ? 3 : 2, 0x5a001234, 4] })),
  ...at([1, 2, 3], () => ({ name: "SMC", helper: "secureMonitorCall", immediates: [0x1234], taken: [3, 0x5e001234, 4] })),
  ...at([0], () => ({ name: "HVC", helper: "hypervisorCall", immediates: [1], taken: [1, 0x02000000, 0] })),
  ...at([0], () => ({ name: "SMC", helper: "secureMonitorCall", immediates: [1], taken: [1, 0x02000000, 0] })),
  ...at([0], () => ({ name: "ERET", helper: "exceptionReturn", taken: [1, 0x02000000, 0] })),
  // Routing.
  { name: "SVC with TGE", helper: "supervisorCall", immediates: [1], level: 0, set: { HCR_EL2: RW | TGE }, taken: [2, 0x56000001, 4] },
  { name: "BRK with TGE", helper: "breakpoint", immediates: [1], level: 0, set: { HCR_EL2: RW | TGE }, taken: [2, 0xf2000001, 0] },
  { name: "undefined with TGE", helper: "undefinedInstruction", level: 0, set: { HCR_EL2: RW | TGE }, taken: [2, 0x02000000, 0] },
  { name: "undefined with TGE in Secure state", helper: "undefinedInstruction", level: 0, set: { HCR_EL2: RW | TGE, SCR_EL3: 0x530n }, taken: [1, 0x02000000, 0] },
  { name: "BRK with TDE", helper: "breakpoint", immediates: [1], level: 1, set: { MDCR_EL2: 0x106n }, taken: [2, 0xf2000001, 0] },
  { name: "SMC with TSC", helper: "secureMonitorCall", immediates: [1], level: 1, set: { HCR_EL2: RW | 1n << 19n }, taken: [2, 0x5e000001, 0] },
  { name: "SMC with TSC at EL2", helper: "secureMonitorCall", immediates: [1], level: 2, set: { HCR_EL2: RW | 1n << 19n }, taken: [3, 0x5e000001, 4] },
  { name: "SMC with SMD", helper: "secureMonitorCall", immediates: [1], level: 1, set: { SCR_EL3: 0x5b1n }, taken: [1, 0x02000000, 0] },
  { name: "SMC with SMD at EL2", helper: "secureMonitorCall", immediates: [1], level: 2, set: { SCR_EL3: 0x5b1n }, taken: [2, 0x02000000, 0] },
  { name: "HVC without HCE", helper: "hypervisorCall", immediates: [1], level: 1, set: { SCR_EL3: 0x431n }, taken: [1, 0x02000000, 0] },
  { name: "HVC without HCE at EL3", helper: "hypervisorCall", immediates: [1], level: 3, set: { SCR_EL3: 0x431n }, taken: [3, 0x02000000, 0] },
  { name: "HVC in Secure state", helper: "hypervisorCall", immediates: [1], level: 1, set: { SCR_EL3: 0x530n }, taken: [1, 0x02000000, 0] },
  { name: "HVC with HCD, no EL3", helper: "hypervisorCall", immediates: [1], level: 1, set: { HCR_EL2: RW | 1n << 29n }, options: EL2_ONLY, taken: [1, 0x02000000, 0] },
  { name: "HVC, no EL3", helper: "hypervisorCall", immediates: [1], level: 1, options: EL2_ONLY, taken: [2, 0x5a000001, 4] },
  { name: "SMC, no EL3", helper: "secureMonitorCall", immediates: [1], level: 1, options: EL2_ONLY, taken: [1, 0x02000000, 0] },
  { name: "HVC, no EL2", helper: "hypervisorCall", immediates: [1], level: 1, options: {}, taken: [1, 0x02000000, 0] },
  // Firmware and semihosting.
  { name: "HVC to firmware", helper: "hypervisorCall", immediates: [1], level: 1, options: { firmware: "hvc" }, taken: undefined },
  { name: "HVC at EL0 is not for firmware", helper: "hypervisorCall", immediates: [1], level: 0, options: { firmware: "hvc" }, taken: [1, 0x02000000, 0] },
  { name: "SMC to firmware", helper: "secureMonitorCall", immediates: [1], level: 1, options: { ...EL2_ONLY, firmware: "smc" }, taken: undefined },
  { name: "SMC with TSC before firmware", helper: "secureMonitorCall", immediates: [1], level: 1, options: { ...EL2_ONLY, firmware: "smc" }, set: { HCR_EL2: RW | 1n << 19n }, taken: [2, 0x5e000001, 0] },
  { name: "semihosting", helper: "halt", immediates: [0xf000], level: 1, options: { semihosting: true }, taken: undefined },
  { name: "semihosting at EL0", helper: "halt", immediates: [0xf000], level: 0, options: { semihosting: true }, taken: [1, 0x02000000, 0] },
  { name: "no semihosting", helper: "halt", immediates: [0xf000], level: 1, taken: [1, 0x02000000, 0] },
  // WFI, WFE; the trapped instruction is the return address.
  { name: "WFI with TWI", helper: "waitForInterrupt", level: 1, set: { HCR_EL2: RW | 1n << 13n }, taken: [2, 0x07e00000, 0] },
  { name: "WFI with SCR_EL3.TWI", helper: "waitForInterrupt", level: 2, set: { SCR_EL3: 0x1531n }, taken: [3, 0x07e00000, 0] },
  { name: "WFI without nTWI", helper: "waitForInterrupt", level: 0, set: { SCTLR_EL1: 0n }, taken: [1, 0x07e00000, 0] },
  { name: "WFI without nTWI, with TGE", helper: "waitForInterrupt", level: 0, set: { SCTLR_EL1: 0n, HCR_EL2: RW | TGE }, taken: [2, 0x07e00000, 0] },
  { name: "WFE with TWE", helper: "waitForEvent", level: 1, set: { HCR_EL2: RW | 1n << 14n }, taken: [2, 0x07e00001, 0] },
  { name: "WFE without nTWE", helper: "waitForEvent", level: 0, set: { SCTLR_EL1: 1n << 16n }, taken: [1, 0x07e00001, 0] },
  { name: "WFE that is allowed", helper: "waitForEvent", level: 0, set: { SCTLR_EL1: 1n << 18n }, taken: undefined },
  // PSTATE fields; QEMU 7.2 exchanges Op1 and Op2 of the syndrome.
  { name: "MSR DAIFSet without UMA", helper: "writePstateField", immediates: [3, 6, 5], level: 0, set: { SCTLR_EL1: 0n }, taken: [1, 0x620cd3ea, 0] },
  { name: "MSR DAIFClr without UMA", helper: "writePstateField", immediates: [3, 7, 3], level: 0, set: { SCTLR_EL1: 0n }, taken: [1, 0x620ed3e6, 0] },
  { name: "MSR SPSel at EL0", helper: "writePstateField", immediates: [0, 5, 1], level: 0, taken: [1, 0x02000000, 0] },
  { name: "MSR PAN", helper: "writePstateField", immediates: [0, 4, 1], level: 1, taken: [1, 0x02000000, 0] },
  // Floating point.
  { name: "FP without FPEN", helper: "checkFpEnabled", level: 0, set: { CPACR_EL1: 0n }, taken: [1, 0x1fe00000, 0] },
  { name: "FP without FPEN at EL1", helper: "checkFpEnabled", level: 1, set: { CPACR_EL1: 0n }, taken: [1, 0x1fe00000, 0] },
  { name: "FP with FPEN for EL1", helper: "checkFpEnabled", level: 1, set: { CPACR_EL1: 1n << 20n }, taken: undefined },
  { name: "FP at EL0 with FPEN for EL1", helper: "checkFpEnabled", level: 0, set: { CPACR_EL1: 1n << 20n }, taken: [1, 0x1fe00000, 0] },
  { name: "FP without FPEN, with TGE", helper: "checkFpEnabled", level: 0, set: { CPACR_EL1: 0n, HCR_EL2: RW | TGE }, taken: [2, 0x02000000, 0] },
  { name: "FP with TFP", helper: "checkFpEnabled", level: 1, set: { CPACR_EL1: 3n << 20n, CPTR_EL2: 0x400n }, taken: [2, 0x1fe00000, 0] },
  { name: "FP with TFP at EL2", helper: "checkFpEnabled", level: 2, set: { CPTR_EL2: 0x400n }, taken: [2, 0x1fe00000, 0] },
  { name: "FP with CPTR_EL3.TFP at EL3", helper: "checkFpEnabled", level: 3, set: { CPTR_EL3: 0x400n }, taken: [3, 0x1fe00000, 0] },
];

function prepare({ level, set = {}, options = FULL }: Case) {
  const test = testCpus(options);
  const { cpu } = test;
  if (cpu.features.el3) patchSystemRegister(cpu, "SCR_EL3", SCR);
  for (const [name, value] of Object.entries(set)) patchSystemRegister(cpu, name, value);
  putAt(cpu, level);
  return test;
}

Deno.test("callHelper raises the exceptions of each instruction with their targets and syndromes", () => {
  for (const one of CASES) {
    const { cpu } = prepare(one);
    callHelper(cpu, one.helper, [one.helper, ...one.immediates ?? []], 0n, 0n);
    const { pending } = cpu;
    const taken = pending &&
      [pending.target, pending.syndrome, Number(pending.returnAddress - BigInt(RAM))];
    assertEquals(taken, one.taken as typeof taken, `${one.name} at EL${one.level}`);
  }
});

Deno.test("checkSpAlignment raises where SCTLR_ELx.SA or SA0 asks for it", () => {
  // deno-fmt-ignore
  const cases: [level: Level, register: string, bit: bigint, sp: bigint, target: number | undefined][] = [
    [0, "SCTLR_EL1", 4n, 8n, 1], [0, "SCTLR_EL1", 3n, 8n, undefined], [0, "SCTLR_EL1", 4n, 16n, undefined],
    [1, "SCTLR_EL1", 3n, 1n, 1], [1, "SCTLR_EL1", 4n, 1n, undefined], [2, "SCTLR_EL2", 3n, 8n, 2], [3, "SCTLR_EL3", 3n, 8n, 3],
  ];
  for (const [level, register, bit, sp, target] of cases) {
    const { cpu } = testCpus(FULL);
    patchSystemRegister(cpu, register, 1n << bit);
    putAt(cpu, level);
    cpu.registers.sp = sp;
    callHelper(cpu, "checkSpAlignment", ["checkSpAlignment"], 0n, 0n);
    assertEquals(cpu.pending?.target, target as 1 | undefined, `EL${level} ${register} ${bit}`);
    if (cpu.pending) assertEquals(cpu.pending.syndrome, 0x9a000000);
  }
});

Deno.test("raiseIllegalState has class 0x0e", () => {
  const { cpu } = testCpus();
  raiseIllegalState(cpu);
  assertEquals(cpu.pending?.syndrome, 0x3a000000);
});

function exception(cpu: Cpu, fields: Partial<Exception> = {}): Exception {
  return { kind: "synchronous", target: 1, syndrome: 0x56000000, returnAddress: cpu.pc, ...fields };
}

Deno.test("takeException chooses the vector by kind, stack pointer and level", () => {
  const offsets = { synchronous: 0, irq: 0x80, fiq: 0x100, serror: 0x180 } as const;
  for (const [kind, offset] of Object.entries(offsets)) {
    for (const [level, spSel, group] of [[1, 0, 0], [1, 1, 0x200], [0, 0, 0x400]] as const) {
      const { cpu } = testCpus();
      patchSystemRegister(cpu, "VBAR_EL1", 0x8_0000_07e0n);
      putAt(cpu, level);
      cpu.spSel = spSel;
      takeException(cpu, exception(cpu, { kind: kind as Exception["kind"] }));
      assertEquals(cpu.pc, 0x8_0000_0000n + BigInt(offset + group), `${kind} from EL${level} SP${spSel}`);
    }
  }
});

Deno.test("takeException saves state, banks the stack pointer and masks everything", () => {
  const test = testCpus(FULL);
  const { cpu } = test;
  putAt(cpu, 1);
  Object.assign(cpu, { spSel: 0, daif: 2, illegal: true });
  cpu.registers.nzcv = 0xa;
  cpu.registers.sp = 0x1000n;
  patchSystemRegister(cpu, "SP_EL2", 0x2000n);
  patchSystemRegister(cpu, "VBAR_EL2", 0x9000n);
  const details = {
    target: 2,
    syndrome: 0x92000045,
    faultAddress: 0x1234_5678n,
    faultIpa: 0x4005_6789,
  } as const;
  takeException(cpu, exception(cpu, details));
  const { system } = cpu.registers;
  const read = (name: keyof typeof INDEX) => system[INDEX[name]];
  assertEquals(read("SPSR_EL2"), 0xa010_0084n);
  assertEquals([read("ESR_EL2"), read("FAR_EL2"), read("HPFAR_EL2")], [0x92000045n, 0x1234_5678n, 0x400560n]);
  assertEquals([read("ELR_EL2"), cpu.pc], [BigInt(RAM), 0x9400n]);
  assertEquals([cpu.el, cpu.spSel, cpu.daif, cpu.illegal, cpu.registers.sp], [2, 1, 15, false, 0x2000n]);
  assertEquals(peekSystemRegister(cpu, "SP_EL0"), 0x1000n);
  assertEquals(eventsOf(test, "exceptionTaken").map(({ from, to, vector }) => [from, to, vector]), [[
    1,
    2,
    0x9400n,
  ]]);
});

Deno.test("takeException leaves ESR and FAR alone for interrupts", () => {
  const { cpu } = testCpus();
  patchSystemRegister(cpu, "ESR_EL1", 0x11n);
  patchSystemRegister(cpu, "FAR_EL1", 0x22n);
  takeException(cpu, exception(cpu, { kind: "irq", syndrome: 0 }));
  assertEquals([peekSystemRegister(cpu, "ESR_EL1"), peekSystemRegister(cpu, "FAR_EL1")], [0x11n, 0x22n]);
});

Deno.test("takeException hands exceptions of a level to the monitor installed there", () => {
  const { cpu } = testCpus(FULL);
  putAt(cpu, 1);
  const seen: number[] = [];
  cpu.monitors[3] = {
    handle(inside, { syndrome }) {
      seen.push(inside.el, syndrome);
      callHelper(inside, "exceptionReturn", ["exceptionReturn"], 0n, 0n);
      inside.registers.pc = inside.nextPc;
    },
  };
  const before = savedState(cpu);
  takeException(cpu, exception(cpu, { target: 3, syndrome: 0x5e000000, returnAddress: 0x4000_0004n }));
  assertEquals(seen, [3, 0x5e000000]);
  assertEquals([cpu.pc, savedState(cpu)], [0x4000_0004n, before]);
});

interface Return {
  readonly spsr: bigint;
  readonly el?: Level;
  readonly set?: Readonly<Record<string, bigint>>;
  readonly options?: TestOptions;
  /** PSTATE after, in SPSR format. */
  readonly state: bigint;
}

// deno-fmt-ignore
const RETURNS: readonly Return[] = [
  { spsr: 0x3c5n, state: 0x3c5n }, { spsr: 0xf000_0044n, state: 0xf000_0044n }, { spsr: 0n, state: 0n },
  { spsr: 0x3c8n, state: 0x3c8n }, { spsr: 0x3c9n, state: 0x3c9n }, { spsr: 0x3ccn, state: 0x3ccn }, { spsr: 0x3cdn, state: 0x3cdn },
  // Illegal: level and stack pointer stay, IL is set, flags and masks are restored (QEMU 7.2 gives the same).
  { spsr: 0x1d3n, state: 0x1001cdn }, { spsr: 0x3c1n, state: 0x1003cdn }, { spsr: 0x3c2n, state: 0x1003cdn },
  { spsr: 0x3c7n, state: 0x1003cdn }, { spsr: 0xf00003c1n, state: 0xf01003cdn }, { spsr: 0x2003c1n, state: 0x1003cdn },
  { spsr: 0x3c9n, set: { SCR_EL3: 0x530n }, state: 0x1003cdn },
  { spsr: 0x3c5n, set: { HCR_EL2: RW | TGE }, state: 0x1003cdn },
  { spsr: 0x3c5n, set: { HCR_EL2: RW | TGE, SCR_EL3: 0x530n }, state: 0x3c5n },
  { spsr: 0x3c0n, set: { HCR_EL2: RW | TGE }, state: 0x3c0n },
  { spsr: 0x3c9n, options: { el3: true }, state: 0x1003cdn },
  { spsr: 0x3cdn, el: 1, state: 0x1003c5n }, { spsr: 0x3c9n, el: 1, state: 0x1003c5n }, { spsr: 0x3cdn, el: 2, state: 0x1003c9n },
  // Legal, with IL of its own.
  { spsr: 0x1003c5n, state: 0x1003c5n },
];

Deno.test("returnFromException restores PSTATE, and sets IL for illegal returns", () => {
  for (const { spsr, el = 3, set = {}, options = FULL, state } of RETURNS) {
    const test = testCpus(options);
    const { cpu } = test;
    if (options.el3) patchSystemRegister(cpu, "SCR_EL3", SCR);
    for (const [name, value] of Object.entries(set)) patchSystemRegister(cpu, name, value);
    putAt(cpu, el);
    patchSystemRegister(cpu, `SPSR_EL${el}`, spsr);
    patchSystemRegister(cpu, `ELR_EL${el}`, 0x1234_5678n);
    cpu.monitor.restore(true, RAM, 8);
    callHelper(cpu, "exceptionReturn", ["exceptionReturn"], 0n, 0n);
    const name = `SPSR ${spsr.toString(16)} from EL${el}`;
    assertEquals([cpu.nextPc, savedState(cpu), cpu.pending], [0x1234_5678n, state, undefined], name);
    assertEquals([cpu.eventRegister, cpu.monitor.open], [true, false], name);
    assertEquals(eventsOf(test, "exclusiveCleared").map(({ reason }) => reason), ["exceptionReturn"]);
    assertEquals(eventsOf(test, "exceptionReturned").map((event) => event.state), [state]);
  }
});
