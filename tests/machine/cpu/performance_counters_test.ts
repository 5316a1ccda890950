/** PMU counters on virtual time. */
import { assertEquals } from "@std/assert";
import { selectStackPointer } from "../../../machine/cpu/stack_pointer.ts";
import { advanceCounters } from "../../../machine/cpu/performance_counters.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { patchSystemRegister, peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { putAt, testCpus } from "./support.ts";

const CYCLES = 1n << 31n;

function counting(controls: Readonly<Record<string, bigint>>, level: 0 | 1 | 2 | 3 = 1) {
  const test = testCpus({ el2: true, el3: true });
  putAt(test.cpu, level);
  const all = { SCR_EL3: 0x531n, ...controls };
  for (const [name, value] of Object.entries(all)) patchSystemRegister(test.cpu, name, value);
  return test;
}

const ON = { PMCNTENSET_EL0: CYCLES, PMCR_EL0: 0x41n };

Deno.test("PMCCNTR_EL0 counts nanoseconds of virtual time while it is enabled", () => {
  const { cpu, clock } = counting({});
  clock.instant = 100;
  assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), 0n);
  for (const [name, value] of Object.entries(ON)) patchSystemRegister(cpu, name, value);
  clock.instant += 10;
  assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), 80n);
  patchSystemRegister(cpu, "PMCNTENCLR_EL0", CYCLES);
  clock.instant += 10;
  assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), 80n);
  patchSystemRegister(cpu, "PMCR_EL0", 5n);
  assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), 0n);
});

Deno.test("PMCR_EL0.D divides cycles by 64 unless LC is set", () => {
  for (const [control, expected] of [[0x9n, 25n], [0x49n, 1600n]] as const) {
    const { cpu, clock } = counting({ PMCNTENSET_EL0: CYCLES, PMCR_EL0: control });
    clock.instant += 200;
    assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), expected);
  }
});

Deno.test("PMOVSSET_EL0 records overflow at 32 bits, or 64 with LC", () => {
  for (
    const [control, start, overflows] of [
      [1n, 0xffff_ffffn, true],
      [0x41n, 0xffff_ffffn, false],
      [0x41n, 0xffff_ffff_ffff_fff8n, true],
    ] as const
  ) {
    const { cpu, clock } = counting({ PMCNTENSET_EL0: CYCLES, PMCR_EL0: control, PMCCNTR_EL0: start });
    clock.instant += 1;
    assertEquals(peekSystemRegister(cpu, "PMOVSSET_EL0"), overflows ? CYCLES : 0n);
    assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), BigInt.asUintN(64, start + 8n));
    patchSystemRegister(cpu, "PMOVSCLR_EL0", CYCLES);
    assertEquals(peekSystemRegister(cpu, "PMOVSSET_EL0"), 0n);
  }
});

Deno.test("PMCCFILTR_EL0 leaves levels out, and time at other levels is not counted", () => {
  // deno-fmt-ignore
  const cases: [name: string, filter: bigint, level: 0 | 1 | 2 | 3, scr: bigint, counts: boolean][] = [
    ["P at EL1", 1n << 31n, 1, 0x531n, false], ["P and NSK at EL1", 5n << 29n, 1, 0x531n, true], ["P at EL0", 1n << 31n, 0, 0x531n, true],
    ["U at EL0", 1n << 30n, 0, 0x531n, false], ["U and NSU at EL0", 5n << 28n, 0, 0x531n, true], ["EL2", 0n, 2, 0x531n, false],
    ["NSH at EL2", 1n << 27n, 2, 0x531n, true], ["EL3", 0n, 3, 0x531n, true], ["M at EL3", 1n << 26n, 3, 0x531n, false],
    ["NSK at Secure EL1", 1n << 29n, 1, 0x530n, true],
  ];
  for (const [name, filter, level, scr, counts] of cases) {
    const { cpu, clock } = counting({ SCR_EL3: scr, PMCCFILTR_EL0: filter, ...ON }, level);
    clock.instant += 10;
    advanceCounters(cpu);
    assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), counts ? 80n : 0n, name);
  }
  const { cpu, clock } = counting({ PMCCFILTR_EL0: 1n << 31n, ...ON }, 0);
  clock.instant += 10;
  advanceCounters(cpu);
  selectStackPointer(cpu, 1, 1);
  clock.instant += 10;
  assertEquals(peekSystemRegister(cpu, "PMCCNTR_EL0"), 80n);
});

Deno.test("event counters count CPU_CYCLES and software increments, by their owner's enable bit", () => {
  const { cpu, clock } = counting({
    PMEVTYPER0_EL0: 0x11n,
    PMEVTYPER1_EL0: 0n,
    PMEVTYPER2_EL0: 9n,
    PMCNTENSET_EL0: 15n,
    PMEVCNTR3_EL0: 0xffff_ffffn,
    PMCR_EL0: 1n,
  });
  patchSystemRegister(cpu, "PMSWINC_EL0", 15n);
  clock.instant += 4;
  const counts = [0, 1, 2, 3].map((n) => peekSystemRegister(cpu, `PMEVCNTR${n}_EL0`));
  assertEquals(counts, [32n, 1n, 0n, 0n]);
  assertEquals(peekSystemRegister(cpu, "PMOVSSET_EL0"), 8n);
  patchSystemRegister(cpu, "MDCR_EL2", 1n);
  patchSystemRegister(cpu, "PMSWINC_EL0", 15n);
  assertEquals(peekSystemRegister(cpu, "PMCR_EL0") >> 11n & 31n, 1n);
  cpu.el = 2;
  assertEquals([peekSystemRegister(cpu, "PMEVCNTR1_EL0"), peekSystemRegister(cpu, "PMCR_EL0") >> 11n & 31n], [
    1n,
    6n,
  ]);
});

Deno.test("PMSELR_EL0 selects what PMXEVTYPER_EL0 and PMXEVCNTR_EL0 are", () => {
  const { cpu } = counting({ PMSELR_EL0: 2n, PMXEVTYPER_EL0: 0x1_0000_0011n, PMXEVCNTR_EL0: 0x55n });
  assertEquals(peekSystemRegister(cpu, "PMEVTYPER2_EL0"), 0x11n);
  assertEquals(peekSystemRegister(cpu, "PMEVCNTR2_EL0"), 0x55n);
  patchSystemRegister(cpu, "PMSELR_EL0", 31n);
  patchSystemRegister(cpu, "PMXEVTYPER_EL0", 0xffff_ffffn);
  assertEquals(peekSystemRegister(cpu, "PMCCFILTR_EL0"), 0xfc00_0000n);
  patchSystemRegister(cpu, "PMSELR_EL0", 7n);
  callHelper(cpu, "writeSystemRegister", ["writeSystemRegister", 0xdcea, 0], 9n, 0n);
  assertEquals(peekSystemRegister(cpu, "PMXEVCNTR_EL0"), 0n);
});
