/** What a GICv3 does over several accesses, beyond what the oracle's walks on one CPU see (Arm IHI 0069). */
import { assertEquals, assertThrows } from "@std/assert";
import type { InterruptLine } from "../../../machine/devices/device.ts";
import { buildGicV3, MONITOR, NON_SECURE, readyGicV3, SECURE, SGI_FRAME } from "./gic_v3_support.ts";
import { assertRoundTrip } from "./support.ts";

const GICD_CTLR = 0x0,
  GICD_IGROUPR = 0x80,
  GICD_ISPENDR = 0x200,
  GICD_ICPENDR = 0x280,
  GICD_ISACTIVER = 0x300;
const GICD_IPRIORITYR = 0x400,
  GICD_ICFGR = 0xc00,
  GICD_IGRPMODR = 0xd00,
  GICD_NSACR = 0xe00,
  GICD_IROUTER = 0x6000;

const pulse = (line: InterruptLine) => {
  line.set(true);
  line.set(false);
};

Deno.test("GicV3 level-sensitive input is pending while it is high, and again after its end", () => {
  const { gic, cpus, mrs, msr } = readyGicV3();
  const line = gic.sharedLine(33, "uart0");
  line.set(true);
  assertEquals(cpus[0]!.nonSecureGroup1.level, true);
  assertEquals([mrs("ICC_IAR1_EL1"), cpus[0]!.nonSecureGroup1.level], [33n, false]);
  msr("ICC_EOIR1_EL1", 33);
  assertEquals(cpus[0]!.nonSecureGroup1.level, true);
  line.set(false);
  assertEquals([cpus[0]!.nonSecureGroup1.level, mrs("ICC_IAR1_EL1")], [false, 1023n]);
});

Deno.test("GicV3 edge-triggered input stays pending until it is acknowledged", () => {
  const { gic, readD, writeD, mrs } = readyGicV3();
  writeD(GICD_ICFGR + 8, 0b1000);
  pulse(gic.sharedLine(33, "uart0"));
  assertEquals([readD(GICD_ISPENDR + 4), mrs("ICC_IAR1_EL1"), readD(GICD_ISPENDR + 4)], [2, 33n, 0]);
});

Deno.test("GICD_IROUTER sends a shared interrupt to one CPU, or to none while that does not exist", () => {
  const { gic, cpus, seen, writeD, mrs } = readyGicV3({ cpuCount: 3 });
  const levels = () => cpus.map(({ nonSecureGroup1 }) => nonSecureGroup1.level);
  gic.sharedLine(40, "rtc").set(true);
  assertEquals(levels(), [true, false, false]);
  writeD(GICD_IROUTER + 40 * 8, 2);
  assertEquals(levels(), [false, false, true]);
  writeD(GICD_IROUTER + 40 * 8, 3);
  assertEquals(levels(), [false, false, false]);
  writeD(GICD_IROUTER + 40 * 8, 1);
  writeD(GICD_IROUTER + 40 * 8 + 4, 1); // affinity 3
  assertEquals(levels(), [false, false, false]);
  writeD(GICD_IROUTER + 40 * 8 + 4, 0);
  gic.sharedLine(40, "rtc").set(false);
  gic.sharedLine(40, "rtc").set(true);
  assertEquals([mrs("ICC_IAR1_EL1", 0), mrs("ICC_IAR1_EL1", 1)], [1023n, 40n]);
  assertEquals(seen.map(({ kind, cpu }) => `${kind} ${cpu}`), [
    "interruptRaised 0",
    "interruptRaised 1",
    "interruptAcknowledged 1",
  ]);
});

Deno.test("GicV3 gives the more urgent interrupt first, of equals the one with the lower number", () => {
  const { writeD, mrs } = readyGicV3();
  writeD(GICD_IPRIORITYR + 40, 0x40a0_40a0);
  writeD(GICD_ISPENDR + 4, 0xf00);
  const given = [mrs("ICC_IAR1_EL1"), mrs("ICC_IAR1_EL1"), mrs("ICC_RPR_EL1")];
  assertEquals(given, [41n, 1023n, 0x40n]);
});

Deno.test("ICC_SGI1R_EL1 reaches CPUs of its list, and with IRM all but the sender", () => {
  const { readR, msr } = readyGicV3({ cpuCount: 4 });
  const pending = () => [0, 1, 2, 3].map((cpu) => readR(SGI_FRAME + GICD_ISPENDR, cpu));
  msr("ICC_SGI1R_EL1", 5n << 24n | 0b1011n, 1);
  assertEquals(pending(), [32, 32, 0, 32]);
  msr("ICC_SGI1R_EL1", 6n << 24n | 1n << 40n, 1);
  assertEquals(pending(), [96, 32, 64, 96]);
  msr("ICC_SGI1R_EL1", 7n << 24n | 1n << 16n | 0xfn, 1); // affinity 1 of no CPU
  assertEquals(pending(), [96, 32, 64, 96]);
});

Deno.test("ICC_SGI0R_EL1 and ICC_ASGI1R_EL1 of Non-secure software reach what GICR_NSACR lets it", () => {
  const { readR, writeR, msr } = buildGicV3({ security: true });
  writeR(SGI_FRAME + GICD_IGROUPR, 0x1);
  writeR(SGI_FRAME + GICD_IGRPMODR, 0x2);
  const send = (interrupt: bigint) => {
    msr("ICC_SGI0R_EL1", interrupt << 24n | 1n);
    msr("ICC_SGI1R_EL1", interrupt << 24n | 1n);
    msr("ICC_ASGI1R_EL1", interrupt << 24n | 1n);
  };
  for (let interrupt = 0n; interrupt < 3n; interrupt++) send(interrupt);
  assertEquals(readR(SGI_FRAME + GICD_ISPENDR), 0x1); // only the one of its own group
  writeR(SGI_FRAME + GICD_NSACR, 0b01_01_00);
  send(1n); // of Secure Group 1, which needs 2
  send(2n); // of Group 0, which needs 1
  assertEquals(readR(SGI_FRAME + GICD_ISPENDR), 0x5);
  writeR(SGI_FRAME + GICD_NSACR, 0b10_00);
  send(1n);
  assertEquals(readR(SGI_FRAME + GICD_ISPENDR), 0x7);
});

Deno.test("GicV3 signals each group by an output of its own", () => {
  const { cpus, writeD, msr } = buildGicV3({ security: true });
  writeD(GICD_CTLR, 7);
  writeD(0x104, 0xffff_ffff);
  msr("ICC_PMR_EL1", 0xff, 0, MONITOR);
  msr("ICC_IGRPEN0_EL1", 1, 0, MONITOR);
  msr("ICC_IGRPEN1_EL3", 3, 0, MONITOR);
  writeD(GICD_ISPENDR + 4, 1);
  const { group0, secureGroup1, nonSecureGroup1 } = cpus[0]!;
  const levels = () => [group0.level, secureGroup1.level, nonSecureGroup1.level];
  assertEquals(levels(), [true, false, false]);
  writeD(GICD_IGRPMODR + 4, 1);
  assertEquals(levels(), [false, true, false]);
  writeD(GICD_IGROUPR + 4, 1);
  assertEquals(levels(), [false, false, true]);
  msr("ICC_IGRPEN1_EL3", 2, 0, MONITOR);
  assertEquals(levels(), [false, false, false]);
});

Deno.test("GICD_CTLR.DS makes one Security state, and stays", () => {
  const { readD, writeD } = buildGicV3({ security: true });
  writeD(GICD_CTLR, 7);
  assertEquals([readD(GICD_CTLR), readD(GICD_CTLR, false)], [0x37, 0x12]);
  writeD(GICD_CTLR, 0x47);
  writeD(GICD_CTLR, 0x7);
  assertEquals([readD(GICD_CTLR), readD(GICD_CTLR, false), readD(4) >>> 10 & 1], [0x53, 0x53, 0]);
});

Deno.test("Non-secure software sees the upper half of the priorities as all there are", () => {
  const { readD, writeD, mrs, msr } = buildGicV3({ security: true });
  writeD(GICD_IGROUPR + 4, 0x2);
  writeD(GICD_IPRIORITYR + 32, 0xa0a0);
  assertEquals(readD(GICD_IPRIORITYR + 32, false), 0x4000);
  writeD(GICD_IPRIORITYR + 32, 0x2020, false);
  assertEquals(readD(GICD_IPRIORITYR + 32), 0x90a0);
  const half = { ...NON_SECURE, fiqToMonitor: true };
  msr("ICC_PMR_EL1", 0x40, 0, half); // the mask is in the Secure half, so it stays
  assertEquals(mrs("ICC_PMR_EL1", 0, MONITOR), 0n);
  msr("ICC_PMR_EL1", 0xf0, 0, MONITOR);
  assertEquals(mrs("ICC_PMR_EL1", 0, half), 0xe0n);
  msr("ICC_PMR_EL1", 0x40, 0, half);
  assertEquals([mrs("ICC_PMR_EL1", 0, MONITOR), mrs("ICC_PMR_EL1", 0, NON_SECURE)], [0xa0n, 0xa0n]);
});

Deno.test("ICC_CTLR_EL3 shows and sets what ICC_CTLR_EL1 holds of each Security state", () => {
  const { mrs, msr } = buildGicV3({ security: true });
  msr("ICC_CTLR_EL1", 3, 0, SECURE); // CBPR is EL3's while there are two states
  assertEquals([mrs("ICC_CTLR_EL1", 0, SECURE), mrs("ICC_CTLR_EL3", 0, MONITOR)], [0x8c02n, 0x2_8c08n]);
  msr("ICC_CTLR_EL3", 0x16, 0, MONITOR);
  const read = [SECURE, NON_SECURE].map((access) => mrs("ICC_CTLR_EL1", 0, access));
  assertEquals([...read, mrs("ICC_CTLR_EL3", 0, MONITOR)], [0x8c00n, 0x8c03n, 0x2_8c16n]);
});

Deno.test("EL3 is told of which Security state an interrupt of Group 1 is", () => {
  const { writeD, mrs, msr } = buildGicV3({ security: true });
  writeD(GICD_CTLR, 7);
  writeD(0x104, 0xffff_ffff);
  writeD(GICD_IGRPMODR + 4, 1);
  msr("ICC_PMR_EL1", 0xff, 0, MONITOR);
  msr("ICC_IGRPEN1_EL3", 3, 0, MONITOR);
  writeD(GICD_ISPENDR + 4, 1);
  const read = () =>
    [MONITOR, SECURE, NON_SECURE].map((access) =>
      (["ICC_HPPIR0_EL1", "ICC_HPPIR1_EL1"] as const).map((name) => mrs(name, 0, access))
    );
  assertEquals(read(), [[1020n, 32n], [1023n, 32n], [1023n, 1023n]]);
  writeD(GICD_IGROUPR + 4, 1);
  assertEquals(read(), [[1021n, 32n], [1023n, 1023n], [1023n, 32n]]);
});

Deno.test("EOImode leaves an interrupt active until ICC_DIR_EL1", () => {
  const { readD, writeD, mrs, msr } = readyGicV3();
  msr("ICC_CTLR_EL1", 2);
  writeD(GICD_ISPENDR + 4, 2);
  assertEquals(mrs("ICC_IAR1_EL1"), 33n);
  msr("ICC_EOIR1_EL1", 33);
  assertEquals([mrs("ICC_RPR_EL1"), readD(GICD_ISACTIVER + 4)], [0xffn, 2]);
  msr("ICC_DIR_EL1", 33);
  assertEquals(readD(GICD_ISACTIVER + 4), 0);
});

Deno.test("GICD_NSACR opens ISPENDR, ICPENDR and IROUTER of Secure interrupts step by step", () => {
  const { readD, writeD } = buildGicV3({ security: true });
  const attempt = (access: number) => {
    writeD(GICD_NSACR + 8, access);
    writeD(GICD_ICPENDR + 4, 1);
    writeD(GICD_ISPENDR + 4, 1, false);
    const set = readD(GICD_ISPENDR + 4);
    writeD(GICD_ISPENDR + 4, 1);
    writeD(GICD_ICPENDR + 4, 1, false);
    writeD(GICD_IROUTER + 32 * 8, access, false);
    return [set, readD(GICD_ISPENDR + 4), readD(GICD_IROUTER + 32 * 8)];
  };
  assertEquals([0, 1, 2, 3].map(attempt), [[0, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 3]]);
});

Deno.test("GicV3 asks for maintenance by interrupt 25 while ICH_MISR_EL2 has a reason", () => {
  const { cpus, mrs, msr } = readyGicV3();
  msr("ICH_HCR_EL2", 0x3); // En, UIE: fewer than two list registers are in use
  assertEquals([mrs("ICH_MISR_EL2"), cpus[0]!.nonSecureGroup1.level, mrs("ICC_IAR1_EL1")], [2n, true, 25n]);
  msr("ICH_LR0_EL2", 1n << 62n | 40n);
  msr("ICH_LR1_EL2", 1n << 62n | 41n);
  msr("ICC_EOIR1_EL1", 25);
  assertEquals([mrs("ICH_MISR_EL2"), cpus[0]!.nonSecureGroup1.level], [0n, false]);
  msr("ICH_HCR_EL2", 0x21); // VGrp0DIE goes by VENG0
  assertEquals(mrs("ICH_MISR_EL2"), 0x20n);
  msr("ICH_VMCR_EL2", 1);
  assertEquals(mrs("ICH_MISR_EL2"), 0n);
});

Deno.test("The end of a virtual interrupt with HW deactivates the physical one", () => {
  const { cpus, readD, mrs, msr, writeD } = readyGicV3();
  writeD(GICD_ISACTIVER + 4, 1 << 8);
  msr("ICH_HCR_EL2", 1);
  msr("ICH_VMCR_EL2", 0xff00_0003n);
  msr("ICH_LR0_EL2", 1n << 62n | 1n << 61n | 1n << 60n | 0x80n << 48n | 40n << 32n | 60n);
  assertEquals([cpus[0]!.virtualIrq.level, cpus[0]!.virtualFiq.level], [true, false]);
  assertEquals([mrs("ICV_IAR1_EL1"), mrs("ICV_RPR_EL1"), cpus[0]!.virtualIrq.level], [60n, 0x80n, false]);
  msr("ICV_EOIR1_EL1", 60);
  assertEquals([readD(GICD_ISACTIVER + 4), mrs("ICH_LR0_EL2") >> 62n], [0, 0n]);
});

Deno.test("A CPU's reset leaves what is pending, and the other CPUs", () => {
  const { gic, cpus, mrs, msr } = readyGicV3({ cpuCount: 2 });
  gic.privateLine(0, 30, "timer").set(true);
  gic.privateLine(1, 30, "timer").set(true);
  gic.cpuInterfaces[0]!.reset();
  assertEquals(cpus.map(({ nonSecureGroup1 }) => nonSecureGroup1.level), [false, true]);
  assertEquals([mrs("ICC_PMR_EL1"), mrs("ICC_BPR0_EL1"), mrs("ICC_BPR1_EL1")], [0n, 2n, 3n]);
  msr("ICC_PMR_EL1", 0xff);
  msr("ICC_IGRPEN1_EL1", 1);
  assertEquals(mrs("ICC_IAR1_EL1"), 30n);
});

Deno.test("GicV3.reset as Secure firmware hands it on puts all interrupts in Group 1", () => {
  const { gic, readD, readR } = buildGicV3({ security: true });
  gic.reset(true);
  assertEquals([readD(GICD_IGROUPR + 4), readD(GICD_IGROUPR + 32), readR(SGI_FRAME + GICD_IGROUPR)], [
    0xffff_ffff,
    0xffff_ffff,
    0xffff_ffff,
  ]);
});

Deno.test("GicV3.inject makes an interrupt pending as the operator", () => {
  const { gic, seen, mrs } = readyGicV3({ cpuCount: 2 });
  gic.inject(50);
  gic.inject(3, 1);
  assertEquals([mrs("ICC_IAR1_EL1", 0), mrs("ICC_IAR1_EL1", 1)], [50n, 3n]);
  assertEquals(
    seen[0],
    { ...seen[0]!, kind: "interruptRaised", interrupt: 50, source: "operator" } as typeof seen[0],
  );
  assertThrows(() => gic.inject(288), RangeError, "Cannot inject interrupt 288 of cpu0");
  assertThrows(() => gic.sharedLine(31, "uart0"), RangeError, 'Cannot wire "uart0" to interrupt 31');
  assertThrows(() => gic.privateLine(2, 30, "timer"), RangeError, "of cpu2");
});

Deno.test("GicV3 restores everything, inputs and outputs included", () => {
  const { gic, writeD, msr } = readyGicV3({ cpuCount: 2, hasLpis: true });
  gic.sharedLine(33, "uart0").set(true);
  writeD(GICD_IROUTER + 40 * 8, 1);
  msr("ICH_LR2_EL2", 1n << 63n | 5n, 1);
  const fresh = buildGicV3({ cpuCount: 2, hasLpis: true });
  assertRoundTrip(gic, fresh.gic);
  assertEquals(fresh.cpus[0]!.nonSecureGroup1.level, true);
  assertThrows(() => buildGicV3().gic.restore(gic.save()), RangeError, "it has 2 CPUs, the machine 1");
});
