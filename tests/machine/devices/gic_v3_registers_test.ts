/** One test per register of the GICv3's frames: reset value as read on QEMU 7.2, and the bits that it holds. */
import { assertEquals } from "@std/assert";
import { buildGicV3 } from "./gic_v3_support.ts";

type Row = readonly [name: string, offset: number, reset: number, afterOnes: number];

// deno-fmt-ignore
const DISTRIBUTOR: readonly Row[] = [
  // name               offset  reset        after all ones were written
  ["GICD_CTLR",         0x0000, 0x0000_0050, 0x0000_0053],
  ["GICD_TYPER",        0x0004, 0x037a_0007, 0x037a_0007],
  ["GICD_IIDR",         0x0008, 0x0000_043b, 0x0000_043b],
  ["GICD_STATUSR",      0x0010, 0x0000_0000, 0x0000_0000],
  ["GICD_SETSPI_NSR",   0x0040, 0x0000_0000, 0x0000_0000],
  ["GICD_IGROUPR0",     0x0080, 0x0000_0000, 0x0000_0000],
  ["GICD_IGROUPR1",     0x0084, 0x0000_0000, 0xffff_ffff],
  ["GICD_IGROUPR8",     0x00a0, 0x0000_0000, 0xffff_ffff],
  ["GICD_IGROUPR9",     0x00a4, 0x0000_0000, 0x0000_0000],
  ["GICD_ISENABLER0",   0x0100, 0x0000_0000, 0x0000_0000],
  ["GICD_ISENABLER1",   0x0104, 0x0000_0000, 0xffff_ffff],
  ["GICD_ICENABLER1",   0x0184, 0x0000_0000, 0x0000_0000],
  ["GICD_ISPENDR1",     0x0204, 0x0000_0000, 0xffff_ffff],
  ["GICD_ICPENDR1",     0x0284, 0x0000_0000, 0x0000_0000],
  ["GICD_ISACTIVER1",   0x0304, 0x0000_0000, 0xffff_ffff],
  ["GICD_ICACTIVER1",   0x0384, 0x0000_0000, 0x0000_0000],
  ["GICD_IPRIORITYR7",  0x041c, 0x0000_0000, 0x0000_0000],
  ["GICD_IPRIORITYR8",  0x0420, 0x0000_0000, 0xffff_ffff],
  ["GICD_IPRIORITYR71", 0x051c, 0x0000_0000, 0xffff_ffff],
  ["GICD_IPRIORITYR72", 0x0520, 0x0000_0000, 0x0000_0000],
  ["GICD_ITARGETSR8",   0x0820, 0x0000_0000, 0x0000_0000],
  ["GICD_ICFGR1",       0x0c04, 0x0000_0000, 0x0000_0000],
  ["GICD_ICFGR2",       0x0c08, 0x0000_0000, 0xaaaa_aaaa],
  ["GICD_IGRPMODR1",    0x0d04, 0x0000_0000, 0x0000_0000],
  ["GICD_NSACR2",       0x0e08, 0x0000_0000, 0x0000_0000],
  ["GICD_SGIR",         0x0f00, 0x0000_0000, 0x0000_0000],
  ["GICD_SPENDSGIR0",   0x0f20, 0x0000_0000, 0x0000_0000],
  ["GICD_IROUTER32",    0x6100, 0x0000_0000, 0x00ff_ffff],
  ["GICD_IROUTER32+4",  0x6104, 0x0000_0000, 0x0000_00ff],
  ["GICD_IROUTER287",   0x68f8, 0x0000_0000, 0x00ff_ffff],
  ["GICD_IROUTER288",   0x6900, 0x0000_0000, 0x0000_0000],
  ["GICD_PIDR4",        0xffd0, 0x0000_0044, 0x0000_0044],
  ["GICD_PIDR0",        0xffe0, 0x0000_0092, 0x0000_0092],
  ["GICD_PIDR1",        0xffe4, 0x0000_00b4, 0x0000_00b4],
  ["GICD_PIDR2",        0xffe8, 0x0000_003b, 0x0000_003b],
  ["GICD_CIDR0",        0xfff0, 0x0000_000d, 0x0000_000d],
  ["GICD_CIDR3",        0xfffc, 0x0000_00b1, 0x0000_00b1],
];

// deno-fmt-ignore
const REDISTRIBUTOR: readonly Row[] = [
  ["GICR_CTLR",         0x0_0000, 0x0000_0002, 0x0000_0003],
  ["GICR_IIDR",         0x0_0004, 0x0000_043b, 0x0000_043b],
  ["GICR_TYPER",        0x0_0008, 0x0100_0011, 0x0100_0011],
  ["GICR_TYPER+4",      0x0_000c, 0x0000_0000, 0x0000_0000],
  ["GICR_STATUSR",      0x0_0010, 0x0000_0000, 0x0000_0000],
  ["GICR_WAKER",        0x0_0014, 0x0000_0006, 0x0000_0006],
  ["GICR_SETLPIR",      0x0_0040, 0x0000_0000, 0x0000_0000],
  ["GICR_PROPBASER",    0x0_0070, 0x0000_0000, 0xffff_ff9f],
  ["GICR_PROPBASER+4",  0x0_0074, 0x0000_0000, 0x070f_ffff],
  ["GICR_PENDBASER",    0x0_0078, 0x0000_0000, 0xffff_0f80],
  ["GICR_PENDBASER+4",  0x0_007c, 0x0000_0000, 0x070f_ffff],
  ["GICR_INVLPIR",      0x0_00a0, 0x0000_0000, 0x0000_0000],
  ["GICR_SYNCR",        0x0_00c0, 0x0000_0000, 0x0000_0000],
  ["GICR_PIDR0",        0x0_ffe0, 0x0000_0093, 0x0000_0093],
  ["GICR_PIDR2",        0x0_ffe8, 0x0000_003b, 0x0000_003b],
  ["GICR_IGROUPR0",     0x1_0080, 0x0000_0000, 0xffff_ffff],
  ["GICR_ISENABLER0",   0x1_0100, 0x0000_0000, 0xffff_ffff],
  ["GICR_ICENABLER0",   0x1_0180, 0x0000_0000, 0x0000_0000],
  ["GICR_ISPENDR0",     0x1_0200, 0x0000_0000, 0xffff_ffff],
  ["GICR_ICPENDR0",     0x1_0280, 0x0000_0000, 0x0000_0000],
  ["GICR_ISACTIVER0",   0x1_0300, 0x0000_0000, 0xffff_ffff],
  ["GICR_ICACTIVER0",   0x1_0380, 0x0000_0000, 0x0000_0000],
  ["GICR_IPRIORITYR0",  0x1_0400, 0x0000_0000, 0xffff_ffff],
  ["GICR_IPRIORITYR7",  0x1_041c, 0x0000_0000, 0xffff_ffff],
  ["GICR_IPRIORITYR8",  0x1_0420, 0x0000_0000, 0x0000_0000],
  ["GICR_ICFGR0",       0x1_0c00, 0xaaaa_aaaa, 0xaaaa_aaaa],
  ["GICR_ICFGR1",       0x1_0c04, 0x0000_0000, 0xaaaa_aaaa],
  ["GICR_IGRPMODR0",    0x1_0d00, 0x0000_0000, 0x0000_0000],
  ["GICR_NSACR",        0x1_0e00, 0x0000_0000, 0x0000_0000],
];

for (const [name, offset, reset, afterOnes] of DISTRIBUTOR) {
  Deno.test(`GicV3.${name} has its reset value and holds the bits it has`, () => {
    const { readD, writeD } = buildGicV3({ hasLpis: true });
    assertEquals(readD(offset), reset);
    writeD(offset, 0xffff_ffff);
    assertEquals(readD(offset), afterOnes);
  });
}

for (const [name, offset, reset, afterOnes] of REDISTRIBUTOR) {
  Deno.test(`GicV3.${name} has its reset value and holds the bits it has`, () => {
    const { readR, writeR } = buildGicV3({ hasLpis: true });
    assertEquals(readR(offset), reset);
    writeR(offset, 0xffff_ffff);
    assertEquals(readR(offset), afterOnes);
  });
}

/** Reset value and what Secure software finds after all ones, with two Security states. */
// deno-fmt-ignore
const OF_SECURE: readonly Row[] = [
  ["GICD_CTLR",      0x0000, 0x0000_0030, 0x0000_0053], // DS is set by that, and with it one state is left
  ["GICD_TYPER",     0x0004, 0x0378_0407, 0x0378_0407],
  ["GICD_IGRPMODR1", 0x0d04, 0x0000_0000, 0xffff_ffff],
  ["GICD_NSACR2",    0x0e08, 0x0000_0000, 0xffff_ffff],
];

for (const [name, offset, reset, afterOnes] of OF_SECURE) {
  Deno.test(`GicV3.${name} of Secure software has its reset value and holds the bits it has`, () => {
    const { readD, writeD } = buildGicV3({ security: true });
    assertEquals(readD(offset), reset);
    writeD(offset, 0xffff_ffff);
    assertEquals(readD(offset), afterOnes);
  });
}

/** What Non-secure software finds after it wrote all ones, all interrupts being of Group 0. */
// deno-fmt-ignore
const OF_NON_SECURE: readonly Row[] = [
  ["GICD_CTLR",        0x0000, 0x0000_0010, 0x0000_0012],
  ["GICD_IGROUPR1",    0x0084, 0x0000_0000, 0x0000_0000],
  ["GICD_ISENABLER1",  0x0104, 0x0000_0000, 0x0000_0000],
  ["GICD_ISPENDR1",    0x0204, 0x0000_0000, 0x0000_0000],
  ["GICD_ISACTIVER1",  0x0304, 0x0000_0000, 0x0000_0000],
  ["GICD_IPRIORITYR8", 0x0420, 0x0000_0000, 0x0000_0000],
  ["GICD_ICFGR2",      0x0c08, 0x0000_0000, 0x0000_0000],
  ["GICD_IGRPMODR1",   0x0d04, 0x0000_0000, 0x0000_0000],
  ["GICD_NSACR2",      0x0e08, 0x0000_0000, 0x0000_0000],
  ["GICD_IROUTER32",   0x6100, 0x0000_0000, 0x0000_0000],
];

for (const [name, offset, reset, afterOnes] of OF_NON_SECURE) {
  Deno.test(`GicV3.${name} of Non-secure software shows nothing of Group 0`, () => {
    const { readD, writeD } = buildGicV3({ security: true });
    assertEquals(readD(offset, false), reset);
    writeD(offset, 0xffff_ffff, false);
    assertEquals(readD(offset, false), afterOnes);
  });
}

Deno.test("GICR_TYPER names the CPU and the last redistributor; beyond it nothing answers", () => {
  const { readR } = buildGicV3({ cpuCount: 3 });
  const types = [0, 1, 2, 3].map((cpu) => [readR(0x08, cpu), readR(0x0c, cpu)]);
  assertEquals(types, [[0x0100_0000, 0], [0x0100_0100, 1], [0x0100_0210, 2], [0, 0]]);
});

Deno.test("GicV3 takes bytes where priorities are, and no other part of a register", () => {
  const { readD, writeD, readR, writeR } = buildGicV3();
  writeD(0x421, 0xab, true, 1);
  writeD(0x422, 0xcdef, true, 2);
  writeD(0x104, 0xff, true, 1);
  writeR(0x1_0403, 0x12, 0, true, 1);
  assertEquals([readD(0x420), readD(0x421, true, 1), readD(0x420, true, 2)], [0xab00, 0xab, 0]);
  assertEquals([readD(0x104), readD(0xffe0, true, 1), readR(0x1_0400)], [0, 0, 0x1200_0000]);
});

Deno.test("GicV3 has no LPIs on a board without an ITS", () => {
  const { gic, readD, readR, writeR } = buildGicV3({ hasLpis: false });
  writeR(0, 1);
  assertEquals([readD(4), readR(0), readR(8) & 1, gic.lpis], [0x0378_0007, 0, 0, undefined]);
});
