/** FEAT_FGT: each bit traps what the Arm ARM says and nothing else, from the levels and in the states it says. */
import { assertEquals } from "@std/assert";
import { encodingOfSystemRegister, SYSTEM_INSTRUCTIONS } from "../../../machine/a64/system_names.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { Exception } from "../../../machine/cpu/exception.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { systemAccessSyndrome } from "../../../machine/cpu/syndrome.ts";
import {
  patchSystemRegister,
  peekSystemRegister,
  SYSTEM_REGISTER_TABLE,
} from "../../../machine/cpu/system_registers.ts";
import { INDEX, type StoredRegister } from "../../../machine/cpu/system_register_index.ts";
import { putAt, RAM, testCpus } from "./support.ts";

const RW = 1n << 31n, E2H = 1n << 34n, TGE = 1n << 27n;
const SCR_NS = 1n, SCR_HCE = 1n << 8n, FGTEN = 1n << 27n;

/** A guest's CPU with nothing else that traps. */
function guest(options: { el3?: boolean; level?: 0 | 1 | 2 | 3 } = {}): Cpu {
  const { el3 = false, level = 1 } = options;
  const { cpu } = testCpus({ model: "max", el2: true, el3 });
  if (el3) patchSystemRegister(cpu, "SCR_EL3", SCR_NS | SCR_HCE | FGTEN);
  patchSystemRegister(cpu, "HCR_EL2", RW);
  patchSystemRegister(cpu, "SCTLR_EL1", 0x4c5ca38n);
  patchSystemRegister(cpu, "CPACR_EL1", 3n << 20n);
  patchSystemRegister(cpu, "CNTKCTL_EL1", 0x303n);
  patchSystemRegister(cpu, "PMUSERENR_EL0", 15n);
  putAt(cpu, level);
  return cpu;
}

/** The pending exception, which is taken away. */
function takePending(cpu: Cpu): Exception | undefined {
  const { pending } = cpu;
  cpu.pending = undefined;
  return pending;
}

type Helper = "readSystemRegister" | "writeSystemRegister" | "systemInstruction";

/** What an access leaves pending: level and syndrome, or nothing; state is put back. */
function outcome(cpu: Cpu, helper: Helper, encoding: number): string {
  const { el } = cpu;
  const before = cpu.registers.system.slice(), { sp } = cpu.registers;
  callHelper(cpu, helper, [helper, encoding, 5], helper === "systemInstruction" ? BigInt(RAM) : 0n, 0n);
  const pending = takePending(cpu);
  cpu.registers.system.set(before);
  cpu.registers.sp = sp;
  putAt(cpu, el);
  return pending === undefined ? "ok" : `${pending.target}:${pending.syndrome.toString(16)}`;
}

const HELPER_OF: Readonly<Record<string, Helper>> = {
  HFGRTR_EL2: "readSystemRegister",
  HDFGRTR_EL2: "readSystemRegister",
  HFGWTR_EL2: "writeSystemRegister",
  HDFGWTR_EL2: "writeSystemRegister",
  HFGITR_EL2: "systemInstruction",
};

/** Names and encodings that an access may have. */
function accesses(helper: Helper): readonly (readonly [name: string, encoding: number])[] {
  if (helper === "systemInstruction") {
    return Object.entries(SYSTEM_INSTRUCTIONS).map(([name, { encoding }]) => [name, encoding] as const);
  }
  return SYSTEM_REGISTER_TABLE.map(({ name, encoding }) => [name, encoding] as const);
}

/** What each bit of a register traps at EL1, as `bit: names`. */
function trappedBy(register: StoredRegister): string[] {
  const cpu = guest(), helper = HELPER_OF[register] as Helper, lines: string[] = [];
  const all = accesses(helper),
    usual = new Map(all.map(([name, encoding]) => [name, outcome(cpu, helper, encoding)]));
  for (let bit = 0; bit < 64; bit++) {
    cpu.registers.system[INDEX[register]] = 1n << BigInt(bit);
    const names = all.filter(([name, encoding]) => outcome(cpu, helper, encoding) !== usual.get(name));
    for (const [name, encoding] of names) {
      const trap = `2:${systemAccessSyndrome(encoding, 5, helper === "readSystemRegister").toString(16)}`;
      assertEquals(outcome(cpu, helper, encoding), trap, name);
    }
    if (names.length > 0) lines.push(`${bit}: ${names.map(([name]) => name).sort().join(" ")}`);
  }
  return lines;
}

/** The general registers by bit (Arm ARM D13.2, HFGRTR_EL2), but for pointer authentication. */
// deno-fmt-ignore
const GENERAL = [
  "0: AFSR0_EL1", "1: AFSR1_EL1", "2: AIDR_EL1", "3: AMAIR_EL1", "9: CCSIDR_EL1", "10: CLIDR_EL1", "11: CONTEXTIDR_EL1",
  "12: CPACR_EL1", "13: CSSELR_EL1", "14: CTR_EL0", "15: DCZID_EL0", "16: ESR_EL1", "17: FAR_EL1", "18: ISR_EL1",
  "24: MAIR_EL1", "25: MIDR_EL1", "26: MPIDR_EL1", "27: PAR_EL1", "28: REVIDR_EL1", "29: SCTLR_EL1", "32: TCR_EL1",
  "33: TPIDR_EL1", "34: TPIDRRO_EL0", "35: TPIDR_EL0", "36: TTBR0_EL1", "37: TTBR1_EL1", "38: VBAR_EL1",
];
const READ_ONLY = /: (AIDR|CCSIDR|CLIDR|CTR|DCZID|ISR|MIDR|MPIDR|REVIDR|DBGAUTHSTATUS|OSLSR|PMCEID0)_/;
// deno-fmt-ignore
const DEBUG = [
  "0: DBGBCR0_EL1 DBGBCR1_EL1 DBGBCR2_EL1 DBGBCR3_EL1 DBGBCR4_EL1 DBGBCR5_EL1",
  "1: DBGBVR0_EL1 DBGBVR1_EL1 DBGBVR2_EL1 DBGBVR3_EL1 DBGBVR4_EL1 DBGBVR5_EL1",
  "2: DBGWCR0_EL1 DBGWCR1_EL1 DBGWCR2_EL1 DBGWCR3_EL1", "3: DBGWVR0_EL1 DBGWVR1_EL1 DBGWVR2_EL1 DBGWVR3_EL1",
  "4: MDSCR_EL1", "5: DBGCLAIMCLR_EL1 DBGCLAIMSET_EL1", "6: DBGAUTHSTATUS_EL1", "7: DBGPRCR_EL1", "9: OSLSR_EL1",
  "10: OSECCR_EL1", "11: OSDLR_EL1",
  "12: PMEVCNTR0_EL0 PMEVCNTR1_EL0 PMEVCNTR2_EL0 PMEVCNTR3_EL0 PMEVCNTR4_EL0 PMEVCNTR5_EL0 PMXEVCNTR_EL0",
  "13: PMEVTYPER0_EL0 PMEVTYPER1_EL0 PMEVTYPER2_EL0 PMEVTYPER3_EL0 PMEVTYPER4_EL0 PMEVTYPER5_EL0 PMXEVTYPER_EL0",
  "14: PMCCFILTR_EL0", "15: PMCCNTR_EL0", "16: PMCNTENCLR_EL0 PMCNTENSET_EL0", "17: PMINTENCLR_EL1 PMINTENSET_EL1",
  "18: PMOVSCLR_EL0 PMOVSSET_EL0", "19: PMSELR_EL0", "57: PMUSERENR_EL0", "58: PMCEID0_EL0 PMCEID1_EL0",
];
const byBit = (a: string, b: string): number => Number.parseInt(a) - Number.parseInt(b);
const isPointerKey = (line: string): boolean => /: AP[IDG]/.test(line);

Deno.test("HFGRTR_EL2 and HFGWTR_EL2 trap reads and writes, each bit its own", () => {
  assertEquals(trappedBy("HFGRTR_EL2").filter((line) => !isPointerKey(line)), GENERAL);
  const writes = GENERAL.filter((line) => !READ_ONLY.test(line));
  assertEquals(trappedBy("HFGWTR_EL2").filter((line) => !isPointerKey(line)), writes);
});

Deno.test("HDFGRTR_EL2 and HDFGWTR_EL2 trap debug and performance registers, PMCR_EL0 only when written", () => {
  assertEquals(trappedBy("HDFGRTR_EL2"), DEBUG);
  const onlyWrites = ["8: OSLAR_EL1", "20: PMSWINC_EL0", "21: PMCR_EL0"];
  assertEquals(
    trappedBy("HDFGWTR_EL2"),
    [...DEBUG.filter((line) => !READ_ONLY.test(line)), ...onlyWrites].sort(byBit),
  );
});

Deno.test("HFGITR_EL2 traps instructions, each bit its own", () => {
  // deno-fmt-ignore
  assertEquals(trappedBy("HFGITR_EL2"), [
    "0: ic ialluis", "1: ic iallu", "2: ic ivau", "3: dc ivac", "4: dc isw", "5: dc csw", "6: dc cisw", "7: dc cvau",
    "8: dc cvap", "9: dc cvadp", "10: dc civac", "11: dc zva", "12: at s1e1r", "13: at s1e1w", "14: at s1e0r",
    "15: at s1e0w", "16: at s1e1rp", "17: at s1e1wp", "28: tlbi vmalle1is", "29: tlbi vae1is", "30: tlbi aside1is",
    "31: tlbi vaae1is", "32: tlbi vale1is", "33: tlbi vaale1is", "42: tlbi vmalle1", "43: tlbi vae1", "44: tlbi aside1",
    "45: tlbi vaae1", "46: tlbi vale1", "47: tlbi vaale1", "54: dc cvac",
  ]);
});

Deno.test("fine-grained traps act below an enabled EL2, with SCR_EL3.FGTEn, and not for the EL0 of a host", () => {
  const tpidr = encodingOfSystemRegister("TPIDR_EL0") as number;
  const trap = `2:${systemAccessSyndrome(tpidr, 5, true).toString(16)}`;
  const result = (level: 0 | 1 | 2 | 3, hcr: bigint, scr: bigint | undefined): string => {
    const cpu = guest({ el3: scr !== undefined, level });
    patchSystemRegister(cpu, "HFGRTR_EL2", 1n << 35n);
    patchSystemRegister(cpu, "HCR_EL2", RW | hcr);
    if (scr !== undefined) patchSystemRegister(cpu, "SCR_EL3", scr);
    return outcome(cpu, "readSystemRegister", tpidr);
  };
  assertEquals([0, 1, 2].map((level) => result(level as 0, 0n, undefined)), [trap, trap, "ok"]);
  assertEquals([0, 1, 2, 3].map((level) => result(level as 0, 0n, SCR_NS | FGTEN)), [trap, trap, "ok", "ok"]);
  assertEquals([0, 1].map((level) => result(level as 0, 0n, SCR_NS)), ["ok", "ok"]);
  assertEquals([0, 1].map((level) => result(level as 0, 0n, FGTEN)), ["ok", "ok"], "Secure");
  assertEquals(result(0, E2H | TGE, undefined), "ok", "the EL0 of a host");
  assertEquals([result(0, E2H, undefined), result(0, TGE, undefined)], [trap, trap]);
});

Deno.test("traps to EL1 and UNDEFINED come before fine-grained traps", () => {
  const cpu = guest({ level: 0 });
  patchSystemRegister(cpu, "HFGRTR_EL2", 1n << 14n | 1n << 29n);
  const ctr = encodingOfSystemRegister("CTR_EL0") as number,
    sctlr = encodingOfSystemRegister("SCTLR_EL1") as number;
  assertEquals(
    outcome(cpu, "readSystemRegister", ctr),
    `2:${systemAccessSyndrome(ctr, 5, true).toString(16)}`,
  );
  patchSystemRegister(cpu, "SCTLR_EL1", 0n);
  assertEquals(
    outcome(cpu, "readSystemRegister", ctr),
    `1:${systemAccessSyndrome(ctr, 5, true).toString(16)}`,
  );
  assertEquals(outcome(cpu, "readSystemRegister", sctlr), "1:2000000");
});

Deno.test("HFGITR_EL2 sends SVC and ERET to EL2, to be executed again", () => {
  const cpu = guest();
  const pend = (helper: "supervisorCall" | "exceptionReturn", level: 0 | 1): unknown => {
    putAt(cpu, level);
    callHelper(cpu, helper, helper === "supervisorCall" ? [helper, 0x1234] : [helper], 0n, 0n);
    const pending = takePending(cpu);
    return pending && [pending.target, pending.syndrome, pending.returnAddress - cpu.pc];
  };
  patchSystemRegister(cpu, "HFGITR_EL2", 1n << 52n);
  assertEquals(pend("supervisorCall", 0), [2, 0x5600_1234, 0n]);
  assertEquals(pend("supervisorCall", 1), [1, 0x5600_1234, 4n]);
  patchSystemRegister(cpu, "HFGITR_EL2", 1n << 53n);
  assertEquals(pend("supervisorCall", 0), [1, 0x5600_1234, 4n]);
  assertEquals(pend("supervisorCall", 1), [2, 0x5600_1234, 0n]);
  patchSystemRegister(cpu, "HFGITR_EL2", 1n << 51n);
  assertEquals(pend("exceptionReturn", 1), [2, 0x6a00_0000, 0n]);
  assertEquals(pend("exceptionReturn", 0), [1, 0x200_0000, 0n]);
});

Deno.test("the registers of FEAT_FGT keep what they trap, and are EL3's while SCR_EL3.FGTEn is 0", () => {
  const cpu = guest({ el3: true, level: 2 });
  for (const name of Object.keys(HELPER_OF)) {
    const encoding = encodingOfSystemRegister(name) as number;
    callHelper(cpu, "writeSystemRegister", ["", encoding, 0], (1n << 64n) - 1n, 0n);
    const bits = peekSystemRegister(cpu, name);
    const lines = trappedBy(name as StoredRegister).map((line) => Number.parseInt(line));
    const others = name === "HFGITR_EL2" ? [51, 52, 53] : [];
    const expected = [...lines, ...others].reduce((sum, bit) => sum | 1n << BigInt(bit), 0n);
    const keys = name.startsWith("HFG") && name !== "HFGITR_EL2" ? 0x1f0n : 0n;
    assertEquals(bits | keys, expected | keys, name);
    assertEquals(outcome(cpu, "readSystemRegister", encoding), "ok");
    patchSystemRegister(cpu, "SCR_EL3", SCR_NS);
    const trap = `3:${systemAccessSyndrome(encoding, 5, true).toString(16)}`;
    assertEquals(outcome(cpu, "readSystemRegister", encoding), trap, name);
    patchSystemRegister(cpu, "SCR_EL3", SCR_NS | FGTEN);
    assertEquals(
      outcome(testCpus({ el2: true }).cpu, "readSystemRegister", encoding),
      "2:2000000",
      "cortex-a57",
    );
  }
});
