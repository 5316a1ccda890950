/** Tests of el3-ecam's checks: the specifications' words against the function, and that they notice what is wrong. */
import { assertEquals, assertMatch } from "@std/assert";
import { randomCycles } from "../../../cli/systems/el3_ecam/random_cycles.ts";
import { type Cycle, Specified, wrongCycles } from "../../../cli/systems/el3_ecam/specification.ts";
import { CYCLE_INSTRUCTIONS } from "../../../firmware/el3_ecam/random_cycles.ts";
import { Clock } from "../../../machine/clock.ts";
import { fixedNvmeFunction } from "../../../machine/devices/nvme/pci.ts";
import { EventHub } from "../../../machine/events.ts";
import { PhysicalMemory } from "../../../machine/memory/physical.ts";

const SEED = 5, BASE = 0x12_0c00_0000;

/** Random cycles on a function 00:01.0, as they were answered. */
function answered(): Cycle[] {
  const events = new EventHub(new Clock()), memory = new PhysicalMemory(0, 4096);
  const answers = { read: () => 0, write: () => {}, configured: () => {} };
  const pci = fixedNvmeFunction({ name: "fixed", events, memory }, BASE, answers);
  return randomCycles(SEED, 5000).flatMap(({ kind, offset: from, value: bits }): Cycle[] => {
    const size = Math.min(4, 2 ** (kind % 4)), write = kind >= CYCLE_INSTRUCTIONS.length / 2;
    const bdf = Math.floor(from / 4096), offset = from % 4096;
    if (bdf !== 8) return [];
    const value = Number(BigInt.asUintN(size * 8, bits));
    if (write) pci.writeConfig(offset, size, value);
    return [{ bdf, offset, size, write, value: write ? value : pci.readConfig(offset, size) }];
  });
}

Deno.test("a function at a fixed place is as the specifications say", () => {
  const cycles = answered();
  assertEquals(wrongCycles(cycles, new Map([[8, new Specified(BASE)]])), [], `seed ${SEED}`);
  assertEquals(cycles.length > 4000, true);
});

Deno.test("wrongCycles finds one bit that is wrong, and an absent function that answers", () => {
  const cycles = answered(), at = cycles.findIndex(({ write, offset }) => !write && offset === 0x48);
  const changed = cycles.map((cycle, n) => n === at ? { ...cycle, value: cycle.value ^ 1 } : cycle);
  assertEquals(wrongCycles(changed, new Map([[8, new Specified(BASE)]])).length, 1);
  const [absent] = wrongCycles([{ bdf: 16, offset: 0, size: 2, value: 0x1b36, write: false }], new Map());
  assertMatch(absent ?? "", /reads 0x1b36, not 0xffff/);
});
