/** The GICv2 against QEMU's, register by register, and against the architecture where QEMU leaves it. */
import { Clock } from "../../../machine/clock.ts";
import { GicV2 } from "../../../machine/devices/gic_v2.ts";
import { EventHub, type MachineEvent } from "../../../machine/events.ts";
import { assertTrace, Wire } from "./support.ts";

const FRAME_NAMES = {
  distributor: "gicd",
  cpuInterface: "gicc",
  virtualControl: "gich",
  virtualCpuInterface: "gicv",
};

function build(cpuCount = 1, security = false) {
  const events = new EventHub(new Clock());
  const seen: MachineEvent[] = [];
  events.add({ classes: ["detail"], observe: (event) => seen.push(event) });
  const cpus = Array.from({ length: cpuCount }, () => ({
    irq: new Wire(),
    fiq: new Wire(),
    virtualIrq: new Wire(),
    virtualFiq: new Wire(),
  }));
  const gic = new GicV2({ name: "gic", events, cpus, security, frameNames: FRAME_NAMES });
  return { gic, cpus, seen };
}

function traceTarget() {
  const { gic, cpus: [cpu] } = build();
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
