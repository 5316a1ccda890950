/** A GICv2 for tests, with outputs and events that can be looked at. */
import { Clock } from "../../../machine/clock.ts";
import { GicV2 } from "../../../machine/devices/gic_v2.ts";
import { EventHub, type MachineEvent } from "../../../machine/events.ts";
import { Wire } from "./support.ts";

const FRAME_NAMES = {
  distributor: "gicd",
  cpuInterface: "gicc",
  virtualControl: "gich",
  virtualCpuInterface: "gicv",
};

/** Builds one with the given number of CPUs, 1–8. */
export function buildGic(cpuCount = 1, security = false) {
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
