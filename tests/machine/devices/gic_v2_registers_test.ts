/** One test per register of the GICv2: reset value as read on QEMU 7.2, and the bits that it holds. */
import { assertEquals } from "@std/assert";
import { buildGic } from "./gic_support.ts";
import { registersOf } from "./support.ts";

type Row = readonly [name: string, offset: number, reset: number, afterOnes: number];

// deno-fmt-ignore
const DISTRIBUTOR: readonly Row[] = [
  // name               offset  reset        after all ones were written
  ["GICD_CTLR",         0x000, 0x0000_0000, 0x0000_0003],
  ["GICD_TYPER",        0x004, 0x0000_0008, 0x0000_0008],
  ["GICD_IIDR",         0x008, 0x0000_043b, 0x0000_043b],
  ["GICD_IGROUPR0",     0x080, 0x0000_0000, 0xffff_ffff],
  ["GICD_IGROUPR8",     0x0a0, 0x0000_0000, 0xffff_ffff],
  ["GICD_IGROUPR9",     0x0a4, 0x0000_0000, 0x0000_0000],
  ["GICD_ISENABLER0",   0x100, 0x0000_ffff, 0xffff_ffff],
  ["GICD_ISENABLER8",   0x120, 0x0000_0000, 0xffff_ffff],
  ["GICD_ISENABLER9",   0x124, 0x0000_0000, 0x0000_0000],
  ["GICD_ICENABLER0",   0x180, 0x0000_ffff, 0x0000_ffff],
  ["GICD_ICENABLER8",   0x1a0, 0x0000_0000, 0x0000_0000],
  ["GICD_ISPENDR0",     0x200, 0x0000_0000, 0xffff_0000],
  ["GICD_ISPENDR8",     0x220, 0x0000_0000, 0xffff_ffff],
  ["GICD_ICPENDR0",     0x280, 0x0000_0000, 0x0000_0000],
  ["GICD_ISACTIVER0",   0x300, 0x0000_0000, 0xffff_ffff],
  ["GICD_ISACTIVER8",   0x320, 0x0000_0000, 0xffff_ffff],
  ["GICD_ICACTIVER0",   0x380, 0x0000_0000, 0x0000_0000],
  ["GICD_IPRIORITYR0",  0x400, 0x0000_0000, 0xffff_ffff],
  ["GICD_IPRIORITYR71", 0x51c, 0x0000_0000, 0xffff_ffff],
  ["GICD_IPRIORITYR72", 0x520, 0x0000_0000, 0x0000_0000],
  ["GICD_ITARGETSR0",   0x800, 0x0000_0000, 0x0000_0000],
  ["GICD_ITARGETSR8",   0x820, 0x0000_0000, 0x0000_0000],
  ["GICD_ICFGR0",       0xc00, 0xaaaa_aaaa, 0xaaaa_aaaa],
  ["GICD_ICFGR1",       0xc04, 0x0000_0000, 0xaaaa_aaaa],
  ["GICD_ICFGR17",      0xc44, 0x0000_0000, 0xaaaa_aaaa],
  ["GICD_SGIR",         0xf00, 0x0000_0000, 0x0000_0000],
  ["GICD_CPENDSGIR0",   0xf10, 0x0000_0000, 0x0000_0000],
  ["GICD_SPENDSGIR3",   0xf2c, 0x0000_0000, 0x0101_0101],
  ["GICD_ICPIDR4",      0xfd0, 0x0000_0004, 0x0000_0004],
  ["GICD_ICPIDR0",      0xfe0, 0x0000_0090, 0x0000_0090],
  ["GICD_ICPIDR1",      0xfe4, 0x0000_00b4, 0x0000_00b4],
  ["GICD_ICPIDR2",      0xfe8, 0x0000_002b, 0x0000_002b],
  ["GICD_ICPIDR3",      0xfec, 0x0000_0000, 0x0000_0000],
  ["GICD_ICCIDR0",      0xff0, 0x0000_000d, 0x0000_000d],
  ["GICD_ICCIDR3",      0xffc, 0x0000_00b1, 0x0000_00b1],
];

// deno-fmt-ignore
const CPU_INTERFACE: readonly Row[] = [
  ["GICC_CTLR",         0x0000, 0x0000_0000, 0x0000_021f],
  ["GICC_PMR",          0x0004, 0x0000_0000, 0x0000_00ff],
  ["GICC_BPR",          0x0008, 0x0000_0000, 0x0000_0007],
  ["GICC_IAR",          0x000c, 0x0000_03ff, 0x0000_03ff],
  ["GICC_EOIR",         0x0010, 0x0000_0000, 0x0000_0000],
  ["GICC_RPR",          0x0014, 0x0000_00ff, 0x0000_00ff],
  ["GICC_HPPIR",        0x0018, 0x0000_03ff, 0x0000_03ff],
  ["GICC_ABPR",         0x001c, 0x0000_0001, 0x0000_0007],
  ["GICC_AIAR",         0x0020, 0x0000_03ff, 0x0000_03ff], // QEMU has no GICC_AIAR, AEOIR, AHPPIR
  ["GICC_AEOIR",        0x0024, 0x0000_0000, 0x0000_0000],
  ["GICC_AHPPIR",       0x0028, 0x0000_03ff, 0x0000_03ff],
  ["GICC_APR0",         0x00d0, 0x0000_0000, 0xffff_ffff],
  ["GICC_APR3",         0x00dc, 0x0000_0000, 0xffff_ffff],
  ["GICC_NSAPR0",       0x00e0, 0x0000_0000, 0xffff_ffff],
  ["GICC_IIDR",         0x00fc, 0x0002_043b, 0x0002_043b],
  ["GICC_DIR",          0x1000, 0x0000_0000, 0x0000_0000],
];

// deno-fmt-ignore
const VIRTUAL_CONTROL: readonly Row[] = [
  ["GICH_HCR",          0x000, 0x0000_0000, 0xf800_00ff],
  ["GICH_VTR",          0x004, 0x9000_0003, 0x9000_0003],
  ["GICH_VMCR",         0x008, 0x004c_0000, 0xf8fc_021f],
  ["GICH_MISR",         0x010, 0x0000_0000, 0x0000_0000],
  ["GICH_EISR0",        0x020, 0x0000_0000, 0x0000_0000],
  ["GICH_ELRSR0",       0x030, 0x0000_000f, 0x0000_000f],
  ["GICH_APR",          0x0f0, 0x0000_0000, 0xffff_ffff],
  ["GICH_LR0",          0x100, 0x0000_0000, 0xff8f_ffff],
  ["GICH_LR3",          0x10c, 0x0000_0000, 0xff8f_ffff],
  ["GICH_LR4",          0x110, 0x0000_0000, 0x0000_0000],
];

// deno-fmt-ignore
const VIRTUAL_CPU_INTERFACE: readonly Row[] = [
  ["GICV_CTLR",         0x0000, 0x0000_0000, 0x0000_021f],
  ["GICV_PMR",          0x0004, 0x0000_0000, 0x0000_00f8],
  ["GICV_BPR",          0x0008, 0x0000_0002, 0x0000_0007],
  ["GICV_IAR",          0x000c, 0x0000_03ff, 0x0000_03ff],
  ["GICV_RPR",          0x0014, 0x0000_00ff, 0x0000_00ff],
  ["GICV_ABPR",         0x001c, 0x0000_0003, 0x0000_0007],
  ["GICV_APR0",         0x00d0, 0x0000_0000, 0xffff_ffff],
  ["GICV_APR1",         0x00d4, 0x0000_0000, 0x0000_0000],
  ["GICV_IIDR",         0x00fc, 0x0002_043b, 0x0002_043b],
];

const FRAMES = {
  distributor: DISTRIBUTOR,
  cpuInterface: CPU_INTERFACE,
  virtualControl: VIRTUAL_CONTROL,
  virtualCpuInterface: VIRTUAL_CPU_INTERFACE,
} as const;

for (const frame of Object.keys(FRAMES) as (keyof typeof FRAMES)[]) {
  for (const [name, offset, reset, afterOnes] of FRAMES[frame]) {
    Deno.test(`GicV2.${frame} ${name} has its reset value and holds the bits it has`, () => {
      const { gic } = buildGic();
      const { read, write } = registersOf(gic[frame]);
      assertEquals(read(offset), reset);
      write(offset, 0xffff_ffff);
      assertEquals(read(offset), afterOnes);
      gic.reset();
      assertEquals(read(offset), reset);
    });
  }
}
