/** The GICv2 against QEMU's, register by register, and against the architecture where QEMU leaves it. */
import { assertEquals } from "@std/assert";
import { buildGic } from "./gic_support.ts";
import { assertTrace, by } from "./support.ts";

function traceTarget() {
  const { gic, cpus: [cpu] } = buildGic();
  const lines = Array.from(
    { length: 288 },
    (_, n) => n < 16 ? undefined : n < 32 ? gic.privateLine(0, n, "test") : gic.sharedLine(n, "test"),
  );
  return {
    frames: [
      { base: 0x0800_0000, size: 0x1000, device: gic.distributor },
      { base: 0x0801_0000, size: 0x2000, device: gic.cpuInterface },
      { base: 0x0803_0000, size: 0x1000, device: gic.virtualControl },
      { base: 0x0804_0000, size: 0x2000, device: gic.virtualCpuInterface },
    ],
    setInterrupt: (interrupt: number, level: boolean) => lines[interrupt]!.set(level),
    levels: () =>
      [cpu!.irq, cpu!.fiq, cpu!.virtualIrq, cpu!.virtualFiq].map(({ level }) => level ? 1 : 0).join(""),
  };
}

Deno.test("GicV2 answers 3000 random accesses and inputs as QEMU does", () =>
  assertTrace("gic_v2", traceTarget()));

Deno.test("GicV2 answers 3000 random accesses with list registers as QEMU does", () =>
  assertTrace("gic_v2_virtual", traceTarget()));

Deno.test("GicV2 answers 4000 random accesses by four CPUs, Secure and not, as QEMU does", async () => {
  const { gic, cpus } = buildGic(4, true);
  const text = await Deno.readTextFile(new URL("../../fixtures/devices/gic_v2_cpus.txt", import.meta.url));
  for (const [index, line] of text.trimEnd().split("\n").entries()) {
    const [kind, ...words] = line.split(" ");
    const where = `gic_v2_cpus.txt:${index + 1}: ${line}`;
    if (kind === "l") {
      const { irq, fiq } = cpus[Number(words[0])]!;
      assertEquals([irq, fiq].map(({ level }) => level ? 1 : 0).join(""), words[1], where);
    } else if (kind !== "#") {
      const [size, address, value] = words.map((word) => parseInt(word, 16)) as [number, number, number];
      const device = address < 0x0801_0000 ? gic.distributor : gic.cpuInterface;
      const context = by(Number(words[3]), words[4] === "s");
      if (kind === "w") device.write(address & 0xffff, size, value, context);
      else assertEquals(device.read(address & 0xffff, size, context), value, where);
    }
  }
});
