/** What a GICv2 does over several accesses, where QEMU is not followed or not seen by traces (Arm IHI 0048B). */
import { assertEquals, assertThrows } from "@std/assert";
import type { InterruptLine } from "../../../machine/devices/device.ts";
import { buildGic } from "./gic_support.ts";
import { assertRoundTrip, by } from "./support.ts";

const GICD_CTLR = 0x000,
  GICD_TYPER = 0x004,
  GICD_IGROUPR = 0x080,
  GICD_ISENABLER = 0x100,
  GICD_ISPENDR = 0x200;
const GICD_ICPENDR = 0x280, GICD_ISACTIVER = 0x300, GICD_IPRIORITYR = 0x400, GICD_ITARGETSR = 0x800;
const GICD_ICFGR = 0xc00, GICD_SGIR = 0xf00, GICD_SPENDSGIR = 0xf20;
const GICC_CTLR = 0x00,
  GICC_PMR = 0x04,
  GICC_IAR = 0x0c,
  GICC_EOIR = 0x10,
  GICC_RPR = 0x14,
  GICC_HPPIR = 0x18;
const GICC_AIAR = 0x20, GICC_AEOIR = 0x24, GICC_AHPPIR = 0x28, GICC_DIR = 0x1000;

/** A controller with everything enabled, all interrupts of Group 0, and shared ones targeted at CPU 0. */
function ready(cpuCount = 1, security = false) {
  const built = buildGic(cpuCount, security);
  const { gic } = built;
  const gicd = (offset: number, value: number, cpu = 0, size = 4, secure = true) =>
    gic.distributor.write(offset, size, value, by(cpu, secure));
  const gicc = (offset: number, value: number, cpu = 0, secure = true) =>
    gic.cpuInterface.write(offset, 4, value, by(cpu, secure));
  const readD = (offset: number, cpu = 0, size = 4, secure = true) =>
    gic.distributor.read(offset, size, by(cpu, secure));
  const readC = (offset: number, cpu = 0, secure = true) => gic.cpuInterface.read(offset, 4, by(cpu, secure));
  gicd(GICD_CTLR, 3);
  for (let word = 1; word < 9; word++) gicd(GICD_ISENABLER + 4 * word, 0xffff_ffff);
  for (let interrupt = 32; interrupt < 288; interrupt++) gicd(GICD_ITARGETSR + interrupt, 1, 0, 1);
  for (let cpu = 0; cpu < cpuCount; cpu++) {
    gicd(GICD_ISENABLER, 0xffff_0000, cpu);
    gicc(GICC_CTLR, 3, cpu);
    gicc(GICC_PMR, 0xff, cpu);
  }
  return { ...built, gicd, gicc, readD, readC };
}

const pulse = (line: InterruptLine) => {
  line.set(true);
  line.set(false);
};

Deno.test("GicV2 level-sensitive input is pending while it is high, and again after its end", () => {
  const { gic, cpus, readC, gicc } = ready();
  const line = gic.sharedLine(33, "uart0");
  line.set(true);
  assertEquals([cpus[0]!.irq.level, gic.pendingFor(0)], [true, true]);
  assertEquals([readC(GICC_IAR), cpus[0]!.irq.level], [33, false]);
  gicc(GICC_EOIR, 33);
  assertEquals(cpus[0]!.irq.level, true);
  line.set(false);
  assertEquals([cpus[0]!.irq.level, readC(GICC_IAR)], [false, 1023]);
});

Deno.test("GicV2 edge-triggered input stays pending after a pulse, once", () => {
  const { gic, cpus, gicd, readC, gicc } = ready();
  gicd(GICD_ICFGR + 8, 2 << 2);
  const line = gic.sharedLine(33, "uart0");
  pulse(line);
  pulse(line);
  assertEquals(cpus[0]!.irq.level, true);
  assertEquals(readC(GICC_IAR), 33);
  gicc(GICC_EOIR, 33);
  assertEquals([cpus[0]!.irq.level, readC(GICC_IAR)], [false, 1023]);
});

Deno.test("GicV2 preempts by priority, and ends in reverse order", () => {
  const { gic, gicd, readC, gicc } = ready();
  for (const [interrupt, priority] of [[40, 0xa0], [41, 0x80], [42, 0x80]] as const) {
    gicd(GICD_IPRIORITYR + interrupt, priority, 0, 1);
  }
  gic.sharedLine(40, "a").set(true);
  assertEquals([readC(GICC_IAR), readC(GICC_RPR)], [40, 0xa0]);
  gic.sharedLine(42, "c").set(true);
  assertEquals([readC(GICC_IAR), readC(GICC_RPR)], [42, 0x80]);
  gic.sharedLine(41, "b").set(true);
  assertEquals([readC(GICC_IAR), readC(GICC_HPPIR)], [1023, 41]);
  gicc(GICC_EOIR, 42);
  assertEquals([readC(GICC_RPR), readC(GICC_IAR)], [0xa0, 41]);
});

Deno.test("GicV2 with EOImode drops the priority at EOIR and deactivates at DIR", () => {
  const { gic, readC, gicc, readD } = ready();
  gicc(GICC_CTLR, 0x203);
  gic.sharedLine(33, "uart0").set(true);
  readC(GICC_IAR);
  gicc(GICC_EOIR, 33);
  assertEquals([readC(GICC_RPR), readD(GICD_ISACTIVER + 4), readC(GICC_IAR)], [0xff, 2, 1023]);
  gicc(GICC_DIR, 33);
  assertEquals([readD(GICD_ISACTIVER + 4), readC(GICC_IAR)], [0, 33]);
});

Deno.test("GicV2.GICC_AEOIR of Secure software goes by EOImodeS", () => {
  const { gicd, gicc, readC, readD } = ready(1, true);
  gicd(GICD_IGROUPR + 4, 0xffff_ffff);
  const end = (control: number) => {
    gicc(GICC_CTLR, control);
    gicd(GICD_ISPENDR + 4, 2);
    assertEquals(readC(GICC_AIAR), 33);
    gicc(GICC_AEOIR, 33);
    const isActive = readD(GICD_ISACTIVER + 4) === 2;
    gicd(GICD_ISACTIVER + 0x84, 2);
    return isActive;
  };
  assertEquals([end(0x003), end(0x203), end(0x403)], [false, true, false]);
});

Deno.test("GicV2 signals Group 0 as FIQ with FIQEn and Group 1 as IRQ; AckCtl lets one IAR take both", () => {
  const { gic, cpus, gicd, gicc, readC } = ready();
  gicd(GICD_IGROUPR + 4, 1 << 2);
  gicc(GICC_CTLR, 0b1011);
  gic.sharedLine(34, "b").set(true);
  assertEquals([cpus[0]!.irq.level, cpus[0]!.fiq.level], [true, false]);
  assertEquals([readC(GICC_IAR), readC(GICC_HPPIR), readC(GICC_AHPPIR)], [1022, 1022, 34]);
  gic.sharedLine(33, "a").set(true);
  assertEquals([cpus[0]!.irq.level, cpus[0]!.fiq.level], [false, true]);
  assertEquals([readC(GICC_AIAR), readC(GICC_IAR)], [1023, 33]);
  gicc(GICC_EOIR, 33);
  gic.sharedLine(33, "a").set(false);
  assertEquals(readC(GICC_AIAR), 34);
  gicc(GICC_AEOIR, 34);
  gicc(GICC_CTLR, 0b1111);
  assertEquals(readC(GICC_IAR), 34);
});

Deno.test("GicV2 does not signal a group that either side disables, nor lets it hide the other", () => {
  const { gic, cpus, gicd, gicc, readC } = ready();
  gicd(GICD_IGROUPR + 4, 1 << 2);
  gicd(GICD_IPRIORITYR + 34, 0x80, 0, 1);
  gic.sharedLine(33, "a").set(true);
  gic.sharedLine(34, "b").set(true);
  gicd(GICD_CTLR, 2);
  assertEquals([cpus[0]!.irq.level, readC(GICC_HPPIR)], [true, 1022]);
  gicd(GICD_CTLR, 1);
  assertEquals([cpus[0]!.irq.level, readC(GICC_HPPIR)], [true, 33]);
  gicc(GICC_CTLR, 2);
  assertEquals([cpus[0]!.irq.level, readC(GICC_IAR)], [false, 1023]);
  gicd(GICD_CTLR, 0);
  gicc(GICC_CTLR, 3);
  assertEquals([cpus[0]!.irq.level, readC(GICC_IAR)], [false, 1023]);
});

Deno.test("GicV2 shared interrupt with two targets is taken by one of them only", () => {
  const { gic, cpus, gicd, readC, gicc, readD } = ready(2);
  gicd(GICD_ITARGETSR + 33, 0xff, 0, 1);
  assertEquals(readD(GICD_ITARGETSR + 33, 0, 1), 3);
  gic.sharedLine(33, "uart0").set(true);
  assertEquals(cpus.map(({ irq }) => irq.level), [true, true]);
  assertEquals([readC(GICC_IAR, 1), readC(GICC_IAR, 0)], [33, 1023]);
  assertEquals(cpus.map(({ irq }) => irq.level), [false, false]);
  gicc(GICC_EOIR, 33, 1);
  assertEquals(readC(GICC_IAR, 0), 33);
});

Deno.test("GicV2 keeps a shared interrupt pending while it has no target", () => {
  const { gicd, readC, readD } = ready(2);
  gicd(GICD_ITARGETSR + 33, 0, 0, 1);
  gicd(GICD_ISPENDR + 4, 2);
  assertEquals([readD(GICD_ISPENDR + 4), readC(GICC_IAR)], [2, 1023]);
  gicd(GICD_ITARGETSR + 33, 2, 0, 1);
  assertEquals([readC(GICC_IAR, 0), readC(GICC_IAR, 1)], [1023, 33]);
});

Deno.test("GicV2 banks private interrupts: inputs, ISPENDR and ICPENDR of one CPU leave the others'", () => {
  const { gic, cpus, gicd, readD } = ready(2);
  gic.privateLine(1, 30, "timer1").set(true);
  assertEquals(cpus.map(({ irq }) => irq.level), [false, true]);
  gicd(GICD_ISPENDR, 1 << 27, 0);
  gicd(GICD_ISPENDR, 1 << 27, 1);
  gicd(GICD_ICPENDR, 1 << 27, 1);
  assertEquals([readD(GICD_ISPENDR, 0), readD(GICD_ISPENDR, 1)], [1 << 27, 1 << 30]);
  assertEquals([readD(GICD_ITARGETSR + 28, 0), readD(GICD_ITARGETSR + 28, 1)], [0x01010101, 0x02020202]);
});

Deno.test("GicV2.GICD_SGIR sends by its filter, and each receiver acknowledges each sender", () => {
  const { cpus, gicd, gicc, readC, readD } = ready(4);
  gicd(GICD_SGIR, 0b0110 << 16 | 5, 0);
  assertEquals(cpus.map(({ irq }) => irq.level), [false, true, true, false]);
  gicd(GICD_SGIR, 1 << 24 | 5, 3);
  assertEquals(cpus.map(({ irq }) => irq.level), [true, true, true, false]);
  assertEquals(readD(GICD_SPENDSGIR + 4, 1), 0b1001 << 8);
  assertEquals([readC(GICC_HPPIR, 1), readC(GICC_IAR, 1)], [5, 5]);
  gicc(GICC_EOIR, 5, 1);
  assertEquals(readC(GICC_IAR, 1), 3 << 10 | 5);
  gicd(GICD_SGIR, 2 << 24 | 7, 3);
  assertEquals(readC(GICC_IAR, 3), 3 << 10 | 7);
});

Deno.test("GicV2.GICD_SGIR writes of less than a word send nothing", () => {
  const { gicd, readC } = ready();
  gicd(GICD_SGIR, 2 << 24 | 5, 0, 2);
  assertEquals(readC(GICC_IAR), 1023);
});

Deno.test("GicV2 with security hides Group 0 from Non-secure accesses", () => {
  const { gicd, readD, readC, gic, gicc } = ready(1, true);
  assertEquals(readD(GICD_TYPER), 0x408);
  gicd(GICD_IGROUPR + 4, 1 << 2);
  gicd(GICD_IPRIORITYR + 32, 0xe0a0_4020);
  const nonSecure = (offset: number) => readD(offset, 0, 4, false);
  assertEquals([nonSecure(GICD_CTLR), nonSecure(GICD_IGROUPR + 4), nonSecure(GICD_ISENABLER + 4)], [1, 0, 4]);
  assertEquals(nonSecure(GICD_IPRIORITYR + 32), 0x0040_0000);
  gicd(GICD_IPRIORITYR + 32, 0x1010_1010, 0, 4, false);
  assertEquals(readD(GICD_IPRIORITYR + 32), 0xe088_4020);
  gic.sharedLine(33, "a").set(true);
  assertEquals([readC(GICC_IAR, 0, false), readC(GICC_HPPIR, 0, false)], [1023, 1023]);
  assertEquals(readC(GICC_AIAR, 0, false), 0);
  gicc(GICC_PMR, 0x40);
  assertEquals(readC(GICC_PMR, 0, false), 0);
  gicc(GICC_PMR, 0xf0, 0, false);
  assertEquals(readC(GICC_PMR), 0x40);
});

Deno.test("GicV2 with security sends an SGI only where its group is the one that NSATT or the sender says", () => {
  const { gicd, readD } = ready(1, true);
  gicd(GICD_IGROUPR, 1 << 8);
  const pending = () => readD(GICD_ISPENDR);
  for (const value of [1 << 24 | 0, 2 << 24 | 1 << 15 | 1, 2 << 24 | 8]) gicd(GICD_SGIR, value);
  gicd(GICD_SGIR, 2 << 24 | 2, 0, 4, false);
  assertEquals(pending(), 0);
  gicd(GICD_SGIR, 2 << 24 | 3);
  assertEquals(pending(), 1 << 3);
  gicd(GICD_SGIR, 2 << 24 | 8, 0, 4, false);
  assertEquals(pending(), 1 << 3 | 1 << 8);
});

Deno.test("GicV2.reset as Secure firmware hands it on puts all in Group 1 at priority 0x80", () => {
  const { gic, readD, readC } = ready(2, true);
  gic.reset(true);
  assertEquals([readD(GICD_IGROUPR, 1), readD(GICD_IGROUPR + 32)], [0xffff_ffff, 0xffff_ffff]);
  assertEquals([readD(GICD_IPRIORITYR), readC(GICC_PMR), readC(GICC_PMR, 1, false)], [0x8080_8080, 0x80, 0]);
});

Deno.test("GicV2.inject makes an interrupt pending as the operator, and tells so once", () => {
  const { gic, cpus, seen, readC, gicc } = ready(2);
  gic.inject(40);
  gic.inject(40);
  assertEquals(cpus[0]!.irq.level, true);
  const raised = seen.map((event) =>
    event.kind === "interruptRaised" ? [event.cpu, event.interrupt, event.source] : 0
  );
  assertEquals(raised, [[0, 40, "operator"]]);
  assertEquals(readC(GICC_IAR), 40);
  gicc(GICC_EOIR, 40);
  gic.inject(3, 1);
  assertEquals(readC(GICC_IAR, 1), 1 << 10 | 3);
  gic.inject(30, 1);
  assertEquals([readC(GICC_IAR, 0), gic.pendingFor(0)], [1023, false]);
  assertEquals([gic.hasInterrupt(287), gic.hasInterrupt(288), gic.hasInterrupt(-1)], [true, false, false]);
  assertThrows(() => gic.inject(288), RangeError, "288");
});

Deno.test("GicV2 tells of interrupts raised with their source, and acknowledged", () => {
  const { gic, gicd, readC, seen } = ready(2);
  gic.sharedLine(33, "uart0").set(true);
  gicd(GICD_ISPENDR + 4, 2);
  gicd(GICD_SGIR, 2 << 16 | 4, 0);
  gic.privateLine(1, 30, "timer1 physical").set(true);
  readC(GICC_IAR, 1);
  assertEquals(
    seen.map((
      event,
    ) => [event.kind, event.cpu, "interrupt" in event && event.interrupt, "source" in event && event.source]),
    [
      ["interruptRaised", 0, 33, "uart0"],
      ["interruptRaised", 1, 4, "cpu0"],
      ["interruptRaised", 1, 30, "timer1 physical"],
      ["interruptAcknowledged", 1, 4, false],
    ],
  );
});

Deno.test("GicV2 reads other than of IAR change nothing", () => {
  const { gic, readD, readC } = ready(2);
  gic.sharedLine(33, "uart0").set(true);
  const before = gic.save();
  for (let offset = 0; offset < 0x1000; offset += 4) readD(offset);
  for (let offset = 0; offset < 0x2000; offset += 4) {
    if (offset !== GICC_IAR && offset !== GICC_AIAR) readC(offset);
  }
  assertEquals(gic.save(), before);
});

Deno.test("GicV2 restores everything, drives its outputs and takes the same input levels again as no change", () => {
  const { gic, gicd, readC } = ready(2, true);
  gicd(GICD_ICFGR + 8, 2 << 2);
  gic.sharedLine(33, "a").set(true);
  gic.sharedLine(34, "b").set(true);
  gicd(GICD_SGIR, 2 << 16 | 4, 1);
  readC(GICC_IAR);
  gic.virtualControl.write(0x100, 4, 0x1000_0021, by(1));
  const other = buildGic(2, true);
  assertRoundTrip(gic, other.gic);
  assertEquals(other.cpus.map(({ irq }) => irq.level), [false, true]);
  const count = other.seen.length;
  other.gic.sharedLine(33, "a").set(true);
  other.gic.sharedLine(34, "b").set(true);
  assertEquals([other.seen.length, count], [0, 0]);
  assertThrows(() => buildGic(1, true).gic.restore(gic.save()), RangeError, "2 CPUs");
});

Deno.test("GicV2 refuses CPUs and wires that it does not have", () => {
  assertThrows(() => buildGic(9), RangeError, "9 CPUs");
  const { gic } = buildGic(2);
  assertThrows(() => gic.sharedLine(31, "x"), RangeError, "32 to 287");
  assertThrows(() => gic.sharedLine(288, "x"), RangeError, "32 to 287");
  assertThrows(() => gic.privateLine(2, 30, "x"), RangeError, "cpu2");
  assertThrows(() => gic.privateLine(0, 15, "x"), RangeError, "16 to 31");
});

Deno.test("GicV2 raises the maintenance interrupt, private interrupt 25, while GICH_MISR holds", () => {
  const { gic, readD } = ready(2);
  gic.virtualControl.write(0, 4, 1 | 2, by(1));
  assertEquals([readD(GICD_ISPENDR, 0), readD(GICD_ISPENDR, 1)], [0, 1 << 25]);
  gic.virtualControl.write(0, 4, 1, by(1));
  assertEquals(readD(GICD_ISPENDR, 1), 0);
});
