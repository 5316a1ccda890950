/** LPIs of a GICv3's redistributors: tables in memory, and what an ITS asks for (Arm IHI 0069, chapter 5). */
import { assertEquals } from "@std/assert";
import { assertRoundTrip } from "./support.ts";
import { buildGicV3, readyGicV3 } from "./gic_v3_support.ts";

const CONFIGURATION = 0x1_0000, PENDING = 0x2_0000, PENDING_SIZE = 0x1_0000;
const ENABLED = 1;

/** Two CPUs with LPIs 8192 to 65535 from tables of their own; `configure` sets an LPI's byte. */
function ready(isReady = true) {
  const built = readyGicV3({ cpuCount: 2, hasLpis: true });
  for (const cpu of [0, 1]) {
    built.writeR(0x70, CONFIGURATION | 15, cpu);
    built.writeR(0x78, PENDING + cpu * PENDING_SIZE, cpu);
    if (isReady) built.writeR(0, 1, cpu);
  }
  const lpis = built.gic.lpis!;
  const isPending = (cpu: number, lpi: number) =>
    (built.memory[PENDING + cpu * PENDING_SIZE + (lpi >>> 3)]! >>> (lpi & 7) & 1) === 1;
  return {
    ...built,
    lpis,
    isPending,
    configure: (lpi: number, value: number) => (built.memory[CONFIGURATION + lpi - 8192] = value),
  };
}

Deno.test("ICC_IAR1_EL1 acknowledges an LPI, which is then no longer pending and never active", () => {
  const { cpus, seen, lpis, configure, isPending, mrs, msr } = ready();
  configure(8200, 0xa0 | ENABLED);
  lpis.setPending(0, 8200, true, "its");
  assertEquals([cpus[0]!.nonSecureGroup1.level, isPending(0, 8200)], [true, true]);
  assertEquals([mrs("ICC_IAR1_EL1"), isPending(0, 8200), mrs("ICC_RPR_EL1")], [8200n, false, 0xa0n]);
  msr("ICC_EOIR1_EL1", 8200);
  assertEquals([mrs("ICC_RPR_EL1"), mrs("ICC_IAR1_EL1")], [0xffn, 1023n]);
  assertEquals(seen.map(({ kind }) => kind), ["interruptRaised", "interruptAcknowledged"]);
});

Deno.test("LPIs compete by priority, of equals the lowest number, with other interrupts before them", () => {
  const { gic, lpis, configure, writeD, mrs, msr } = ready();
  for (const [lpi, value] of [[8192, 0xc1], [8199, 0x81], [8300, 0x81], [65535, 0x41]] as const) {
    configure(lpi, value);
    lpis.setPending(0, lpi, true, "its");
  }
  writeD(0x428, 0x81_0000); // interrupt 42 at 0x81
  gic.inject(42);
  const order: bigint[] = [];
  for (let count = 0; count < 6; count++) {
    order.push(mrs("ICC_IAR1_EL1"));
    msr("ICC_EOIR1_EL1", order.at(-1)!);
  }
  assertEquals(order, [65535n, 8199n, 8300n, 42n, 8192n, 1023n]);
});

Deno.test("An LPI that is disabled stays pending until its configuration is read anew", () => {
  const { cpus, lpis, configure, isPending } = ready();
  const level = () => cpus[1]!.nonSecureGroup1.level;
  lpis.setPending(1, 8193, true, "its");
  assertEquals([level(), isPending(1, 8193)], [false, true]);
  configure(8193, 0x80 | ENABLED);
  assertEquals(level(), false);
  lpis.configurationChanged(1, 8193);
  assertEquals(level(), true);
  configure(8193, 0x80);
  lpis.configurationChanged(1, "all");
  assertEquals(level(), false);
});

Deno.test("GICR_CTLR.EnableLPIs finds what the table has pending, and without it there is none", () => {
  const { cpus, memory, configure, writeR, lpis, isPending, mrs } = ready(false);
  configure(8210, 0x20 | ENABLED);
  memory[PENDING + (8210 >>> 3)] = 1 << (8210 & 7);
  lpis.setPending(0, 8211, true, "its");
  assertEquals([cpus[0]!.nonSecureGroup1.level, isPending(0, 8211)], [false, false]);
  writeR(0, 1);
  assertEquals(cpus[0]!.nonSecureGroup1.level, true);
  writeR(0, 0);
  assertEquals([cpus[0]!.nonSecureGroup1.level, mrs("ICC_IAR1_EL1")], [false, 1023n]);
});

Deno.test("LpiTarget.move and moveAll take what is pending to another CPU", () => {
  const { cpus, lpis, configure, isPending } = ready();
  for (const lpi of [8192, 8201, 9000]) {
    configure(lpi, 0x40 | ENABLED);
    lpis.setPending(0, lpi, true, "its");
  }
  lpis.move(0, 1, 8201, "its");
  lpis.move(0, 1, 8202, "its"); // not pending
  assertEquals([isPending(0, 8201), isPending(1, 8201), isPending(1, 8202)], [false, true, false]);
  assertEquals(lpis.moveAll(0, 1, "its", () => true), false, "one at a time");
  assertEquals([8192, 9000].map((lpi) => isPending(0, lpi)), [false, true]);
  assertEquals(lpis.moveAll(0, 1, "its", () => false), true);
  assertEquals([8192, 9000].map((lpi) => [isPending(0, lpi), isPending(1, lpi)]), [[false, true], [
    false,
    true,
  ]]);
  assertEquals(cpus.map(({ nonSecureGroup1 }) => nonSecureGroup1.level), [false, true]);
});

Deno.test("LPIs beyond GICR_PROPBASER.IDbits, of CPUs or at addresses that do not exist are ignored", () => {
  const { memory, lpis, configure, writeR, isPending, cpus } = ready(false);
  writeR(0x70, CONFIGURATION | 13);
  writeR(0, 1);
  configure(16384, ENABLED);
  lpis.setPending(0, 16384, true, "its");
  lpis.setPending(0, 33, true, "its");
  lpis.setPending(2, 8192, true, "its");
  lpis.move(5, 0, 8192, "its");
  assertEquals([isPending(0, 16384), memory.some((byte, at) => at >= PENDING && byte !== 0)], [false, false]);
  writeR(0x7c, 0xf);
  lpis.setPending(0, 8192, true, "its");
  assertEquals(cpus[0]!.nonSecureGroup1.level, false);
});

Deno.test("Priorities of LPIs are in the Non-secure half while there are two Security states", () => {
  const { memory, gic, writeD, writeR, msr, mrs } = buildGicV3({ security: true, hasLpis: true });
  writeD(0, 7);
  writeR(0x70, CONFIGURATION | 15);
  writeR(0x78, PENDING);
  writeR(0, 1);
  memory[CONFIGURATION] = 0x40 | ENABLED;
  msr("ICC_PMR_EL1", 0xff);
  msr("ICC_IGRPEN1_EL1", 1);
  gic.lpis!.setPending(0, 8192, true, "its");
  assertEquals([mrs("ICC_IAR1_EL1"), mrs("ICC_RPR_EL1")], [8192n, 0xa0n]);
});

Deno.test("GicV3 restores the most urgent LPI without reading the tables", () => {
  const { gic, lpis, configure } = ready();
  configure(8192, 0x40 | ENABLED);
  lpis.setPending(0, 8192, true, "its");
  const fresh = buildGicV3({ cpuCount: 2, hasLpis: true });
  assertRoundTrip(gic, fresh.gic);
  assertEquals(fresh.cpus[0]!.nonSecureGroup1.level, true);
});
