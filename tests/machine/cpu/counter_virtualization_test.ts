/** FEAT_ECV: the offset of the physical counter, its traps, self-synchronized counters and the scale of event streams. */
import { assertEquals } from "@std/assert";
import { encodingOfSystemRegister } from "../../../machine/a64/system_names.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { systemAccessSyndrome } from "../../../machine/cpu/syndrome.ts";
import { patchSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { putAt, type TestCpus, testCpus } from "./support.ts";

const RW = 1n << 31n, E2H = 1n << 34n, TGE = 1n << 27n;
const SCR_NS = 1n, SCR_ECVEN = 1n << 28n;
/** CNTHCTL_EL2: EL1PCTEN and EL1PCEN; ECV, EL1TVT and EL1TVCT. */
const OPEN = 3n, ECV = 1n << 12n, EL1TVT = 1n << 13n, EL1TVCT = 1n << 14n;
const COUNT = 1000n, OFFSET = 300n;

/** A CPU of max with EL2 at physical count 1000, CNTPOFF_EL2 = 300 and EL0's accesses allowed. */
function guest({ el3 = false, cnthctl = OPEN | ECV, hcr = RW, scr = SCR_NS | SCR_ECVEN } = {}): TestCpus {
  const test = testCpus({ model: "max", el2: true, el3 });
  test.clock.instant = Number(COUNT) * 16 / test.clock.nanosecondsPerStep;
  const settings = {
    CNTPOFF_EL2: OFFSET,
    CNTKCTL_EL1: 0x303n,
    HCR_EL2: hcr,
    CNTHCTL_EL2: cnthctl,
    SCR_EL3: scr,
  };
  for (const [name, value] of Object.entries(settings)) {
    if (name !== "SCR_EL3" || el3) patchSystemRegister(test.cpu, name, value);
  }
  return test;
}

type Level = 0 | 1 | 2 | 3;

function access({ cpu }: TestCpus, level: Level, name: string, value?: bigint): bigint | string {
  putAt(cpu, level);
  const encoding = encodingOfSystemRegister(name) as number, isRead = value === undefined;
  const helper = isRead ? "readSystemRegister" : "writeSystemRegister";
  const result = callHelper(cpu, helper, [helper, encoding, 0], value ?? 0n, 0n);
  const { pending } = cpu;
  cpu.pending = undefined;
  if (pending === undefined) return result;
  const trapped = systemAccessSyndrome(encoding, 0, isRead);
  return `${pending.syndrome === trapped ? "trap" : "undefined"} ${pending.target}`;
}

const levels: readonly Level[] = [0, 1, 2];

Deno.test("CNTPOFF_EL2 is taken from the physical count that EL1 and EL0 read while CNTHCTL_EL2.ECV is 1", () => {
  for (const name of ["CNTPCT_EL0", "CNTPCTSS_EL0"]) {
    const read = (options: Parameters<typeof guest>[0], of = levels) =>
      of.map((level) => access(guest(options), level, name));
    assertEquals(read({}), [COUNT - OFFSET, COUNT - OFFSET, COUNT]);
    assertEquals(read({ cnthctl: OPEN }), [COUNT, COUNT, COUNT]);
    assertEquals(read({ el3: true }, [0, 1, 2, 3]), [COUNT - OFFSET, COUNT - OFFSET, COUNT, COUNT]);
    assertEquals(read({ el3: true, scr: SCR_NS }), [COUNT, COUNT, COUNT], "SCR_EL3.ECVEn is 0");
    assertEquals(read({ el3: true, scr: SCR_ECVEN }, [0, 1]), [COUNT, COUNT], "Secure");
    assertEquals(read({ hcr: RW | E2H | TGE, cnthctl: ECV | 0xf03n }, [0, 2]), [COUNT, COUNT], "a host");
    assertEquals(read({ hcr: RW | E2H, cnthctl: ECV | 0xf03n }), [COUNT - OFFSET, COUNT - OFFSET, COUNT]);
  }
});

Deno.test("the EL1 physical timer follows the count less CNTPOFF_EL2, whoever looks", () => {
  const test = guest(), { cpu } = test;
  const state = (): bigint => access(test, 2, "CNTP_CTL_EL0") as bigint;
  access(test, 1, "CNTP_CVAL_EL0", COUNT - OFFSET + 1n);
  access(test, 1, "CNTP_CTL_EL0", 1n);
  assertEquals([state(), access(test, 1, "CNTP_TVAL_EL0"), access(test, 2, "CNTP_TVAL_EL0")], [
    1n,
    1n,
    BigInt.asUintN(32, 1n - OFFSET),
  ]);
  patchSystemRegister(cpu, "CNTPOFF_EL2", OFFSET - 1n);
  assertEquals(state(), 5n);
  patchSystemRegister(cpu, "HCR_EL2", RW | E2H | TGE);
  patchSystemRegister(cpu, "CNTPOFF_EL2", OFFSET + 5n);
  assertEquals(access(test, 2, "CNTP_CTL_EL02"), 5n, "a host's machine has no offset");
  patchSystemRegister(cpu, "HCR_EL2", RW);
  assertEquals(state(), 1n);
  patchSystemRegister(cpu, "CNTHCTL_EL2", OPEN);
  assertEquals(state(), 5n);
});

Deno.test("CNTP_TVAL_EL0 counts from the count that its level sees", () => {
  const test = guest();
  access(test, 1, "CNTP_TVAL_EL0", 10n);
  assertEquals(access(test, 2, "CNTP_CVAL_EL0"), COUNT - OFFSET + 10n);
  access(test, 2, "CNTP_TVAL_EL0", 0xffff_fffen);
  assertEquals(access(test, 2, "CNTP_CVAL_EL0"), COUNT - 2n);
});

Deno.test("CNTHCTL_EL2.EL1TVT and EL1TVCT trap the virtual timer and counter below EL2, but for a host's EL0", () => {
  const results = (cnthctl: bigint, name: string, hcr = RW): unknown[] =>
    ([0, 1] as const).map((level) => access(guest({ cnthctl, hcr }), level, name));
  const trapped = ["trap 2", "trap 2"];
  for (const name of ["CNTV_CTL_EL0", "CNTV_CVAL_EL0"]) {
    assertEquals(results(OPEN | EL1TVT, name), trapped);
    assertEquals(results(OPEN | EL1TVCT, name), [0n, 0n]);
  }
  for (const name of ["CNTVCT_EL0", "CNTVCTSS_EL0"]) {
    assertEquals(results(OPEN | EL1TVCT, name), trapped);
    assertEquals(results(OPEN | EL1TVT, name), [COUNT, COUNT]);
    assertEquals(results(0xf03n | EL1TVCT, name, RW | E2H | TGE)[0], COUNT);
  }
});

Deno.test("CNTPOFF_EL2 is EL3's while SCR_EL3.ECVEn is 0, and nobody's without FEAT_ECV", () => {
  const test = guest({ el3: true, scr: SCR_NS });
  assertEquals([access(test, 2, "CNTPOFF_EL2"), access(test, 3, "CNTPOFF_EL2")], ["trap 3", OFFSET]);
  assertEquals(access(guest(), 1, "CNTPOFF_EL2"), "undefined 1");
  const old = testCpus({ el2: true });
  for (const name of ["CNTPOFF_EL2", "CNTPCTSS_EL0", "CNTVCTSS_EL0"]) {
    assertEquals(access(old, 2, name), "undefined 2", name);
  }
});

Deno.test("EVNTIS makes event streams count from bit 8 of their counter", () => {
  const { cpu } = guest();
  const streams: [string, number][] = [];
  cpu.timer.setEventStream = (name, _enabled, bit) => void streams.push([name, bit]);
  const EVNTEN = 4n, EVNTI_5 = 5n << 4n, EVNTIS = 1n << 17n;
  patchSystemRegister(cpu, "CNTKCTL_EL1", EVNTEN | EVNTI_5);
  patchSystemRegister(cpu, "CNTKCTL_EL1", EVNTEN | EVNTI_5 | EVNTIS);
  patchSystemRegister(cpu, "CNTHCTL_EL2", EVNTEN | EVNTI_5 | EVNTIS);
  assertEquals(streams, [["virtual", 5], ["virtual", 13], ["physical", 13]]);
});
