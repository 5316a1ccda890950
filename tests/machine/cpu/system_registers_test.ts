/** System register accesses where QEMU 7.2 is no guide: the Arm ARM's own order of traps, and what AArch64 alone means. */
import { assertEquals } from "@std/assert";
import { encodingOfSystemRegister } from "../../../machine/a64/system_names.ts";
import {
  patchSystemRegister,
  peekSystemRegister,
  readSystemRegister,
  writeSystemRegister,
} from "../../../machine/cpu/system_registers.ts";
import { putAt, testCpus } from "./support.ts";

const RW = 1n << 31n;

interface Case {
  readonly name: string;
  readonly register: string;
  readonly level: 0 | 1 | 2 | 3;
  readonly set: Readonly<Record<string, bigint>>;
  /** Level and class of what a read raises. */
  readonly taken: readonly [number, number] | undefined;
}

// deno-fmt-ignore
const CASES: readonly Case[] = [
  { name: "EL1's trap before EL2's", register: "CTR_EL0", level: 0, set: { SCTLR_EL1: 0n, HCR_EL2: RW | 1n << 17n }, taken: [1, 0x18] },
  { name: "EL2's trap when EL1 has none", register: "CTR_EL0", level: 0, set: { SCTLR_EL1: 1n << 15n, HCR_EL2: RW | 1n << 17n }, taken: [2, 0x18] },
  { name: "EL2's trap before EL3's", register: "CPACR_EL1", level: 1, set: { CPTR_EL2: RW, CPTR_EL3: RW }, taken: [2, 0x18] },
  { name: "EL3's trap when EL2 has none", register: "CPACR_EL1", level: 1, set: { CPTR_EL3: RW }, taken: [3, 0x18] },
  { name: "EL3's trap in Secure state", register: "CPACR_EL1", level: 1, set: { SCR_EL3: 0x530n, CPTR_EL2: RW, CPTR_EL3: RW }, taken: [3, 0x18] },
  { name: "UNDEFINED before traps", register: "CPTR_EL2", level: 1, set: { CPTR_EL3: RW }, taken: [1, 0] },
  { name: "FPEN before TFP", register: "FPCR", level: 1, set: { CPACR_EL1: 0n, CPTR_EL2: 0x400n }, taken: [1, 0x07] },
  { name: "TIDCP and CRn 11", register: "S3_1_C11_C0_2", level: 1, set: { HCR_EL2: RW | 1n << 20n }, taken: [2, 0x18] },
  { name: "TIDCP and CRn 15", register: "S3_1_C15_C2_0", level: 1, set: { HCR_EL2: RW | 1n << 20n }, taken: [2, 0x18] },
  { name: "TIDCP and nothing there", register: "S3_7_C15_C9_5", level: 1, set: { HCR_EL2: RW | 1n << 20n }, taken: [2, 0x18] },
  { name: "TIDCP and another CRn", register: "S3_7_C13_C9_5", level: 1, set: { HCR_EL2: RW | 1n << 20n }, taken: [1, 0] },
  { name: "TIDCP at EL0", register: "S3_7_C15_C9_5", level: 0, set: { HCR_EL2: RW | 1n << 20n }, taken: [1, 0] },
  { name: "SP_EL0 while it is selected", register: "SP_EL0", level: 0, set: {}, taken: [1, 0] },
  { name: "MDSCR_EL1.TDCC", register: "MDCCSR_EL0", level: 0, set: { MDSCR_EL1: 1n << 12n }, taken: [1, 0x18] },
  { name: "MDCR_EL2.TPMCR", register: "PMCR_EL0", level: 1, set: { MDCR_EL2: 0x26n }, taken: [2, 0x18] },
  { name: "MDCR_EL3.TDA", register: "MDCR_EL2", level: 2, set: { MDCR_EL3: 1n << 9n }, taken: [3, 0x18] },
  { name: "EL1PCTEN at EL0", register: "CNTPCT_EL0", level: 0, set: { CNTKCTL_EL1: 1n, CNTHCTL_EL2: 2n }, taken: [2, 0x18] },
  { name: "EL1PCEN at EL0", register: "CNTPCT_EL0", level: 0, set: { CNTKCTL_EL1: 1n, CNTHCTL_EL2: 1n }, taken: undefined },
];

Deno.test("readSystemRegister checks privilege, then traps from the lowest level up", () => {
  for (const { name, register, level, set, taken } of CASES) {
    const { cpu } = testCpus({ el2: true, el3: true });
    for (const [control, value] of Object.entries({ SCR_EL3: 0x531n, ...set })) {
      patchSystemRegister(cpu, control, value);
    }
    putAt(cpu, level);
    readSystemRegister(cpu, encodingOfSystemRegister(register) as number, 0);
    const { pending } = cpu;
    assertEquals(
      pending && [pending.target, pending.syndrome >>> 26],
      taken as [1, number] | undefined,
      name,
    );
  }
});

Deno.test("HCR_EL2.RW and SCR_EL3.RW are one whatever is written", () => {
  const { cpu } = testCpus({ el2: true, el3: true });
  patchSystemRegister(cpu, "HCR_EL2", 0n);
  patchSystemRegister(cpu, "SCR_EL3", 0n);
  assertEquals([peekSystemRegister(cpu, "HCR_EL2"), peekSystemRegister(cpu, "SCR_EL3")], [RW, 0x430n]);
});

Deno.test("EL2's registers read as zero and ignore writes at EL3 when EL2 does not exist", () => {
  const { cpu } = testCpus({ el3: true });
  for (const name of ["HCR_EL2", "VBAR_EL2", "CNTHP_CVAL_EL2", "CNTVOFF_EL2"]) {
    const encoding = encodingOfSystemRegister(name) as number;
    writeSystemRegister(cpu, encoding, 0, (1n << 64n) - 1n);
    assertEquals([readSystemRegister(cpu, encoding, 0), cpu.pending], [0n, undefined], name);
  }
  assertEquals(peekSystemRegister(cpu, "VPIDR_EL2"), peekSystemRegister(cpu, "MIDR_EL1"));
});

Deno.test("timer registers reach the CPU's timer", () => {
  const { cpu, clock } = testCpus({ el2: true });
  clock.instant = 200;
  patchSystemRegister(cpu, "CNTVOFF_EL2", 40n);
  assertEquals([peekSystemRegister(cpu, "CNTPCT_EL0"), peekSystemRegister(cpu, "CNTVCT_EL0")], [100n, 60n]);
  patchSystemRegister(cpu, "CNTV_TVAL_EL0", 0xffff_ffffn);
  assertEquals([peekSystemRegister(cpu, "CNTV_CVAL_EL0"), peekSystemRegister(cpu, "CNTV_TVAL_EL0")], [
    59n,
    0xffff_ffffn,
  ]);
  patchSystemRegister(cpu, "CNTV_CTL_EL0", 7n);
  assertEquals(peekSystemRegister(cpu, "CNTV_CTL_EL0"), 7n);
  patchSystemRegister(cpu, "CNTHP_CVAL_EL2", 101n);
  patchSystemRegister(cpu, "CNTHP_CTL_EL2", 1n);
  assertEquals(peekSystemRegister(cpu, "CNTHP_CTL_EL2"), 1n);
});
