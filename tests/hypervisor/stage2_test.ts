/** Stage 2 tables against the machine's own walker. */
import { assertEquals, assertThrows } from "@std/assert";
import type { IntermediateAddress } from "../../machine/address.ts";
import { controlsOf } from "../../machine/cpu/translation_regime.ts";
import { resolveStage2, type TranslationRequest, walkStage2 } from "../../machine/memory/translation.ts";
import {
  DEVICE_RW,
  MEMORY_RW,
  MEMORY_RWX,
  MEMORY_RX,
  type Stage2Attributes,
} from "../../hypervisor/stage2_attributes.ts";
import { PagePool } from "../../hypervisor/page_pool.ts";
import { Stage2 } from "../../hypervisor/stage2.ts";
import { physicalAddress } from "../../machine/address.ts";
import { eventsOf } from "../machine/cpu/support.ts";
import { guestRead, type MonitoredCpus, monitoredCpus, POOL } from "./support.ts";
import { RAM } from "../machine/cpu/support.ts";

const KIB4 = 2 ** 12, MIB2 = 2 ** 21, GIB = 2 ** 30;

/** What the machine's walker makes of an address: where to, size by level, and r, w, x. */
function walked({ cpu }: MonitoredCpus, ipa: number): string {
  const { stage2 } = controlsOf(cpu, "EL1&0"), { memory } = cpu.surroundings;
  const address = ipa as IntermediateAddress;
  const leaf = walkStage2(memory, stage2!, address, false);
  if (leaf.faulted) return `${leaf.kind} ${leaf.level}`;
  const allowed = (["read", "write", "execute"] as const).map((kind, at) => {
    const request: TranslationRequest = { kind, privileged: true, aligned: true };
    const found = resolveStage2(stage2!, leaf, address, request, false);
    return found.faulted ? "-" : `${"rwx"[at]}${found.attribute.toString(16)}`;
  });
  return `${leaf.address.toString(16)} level ${leaf.level} ${allowed.join("")}`;
}

function expected(
  physical: number,
  level: number,
  { memory, read, write, execute }: Stage2Attributes,
): string {
  const type = memory === "normal" ? "ff" : "4";
  const letters = [[read, "r"], [write, "w"], [execute, "x"]] as const;
  return `${physical.toString(16)} level ${level} ` +
    letters.map(([has, letter]) => has ? letter + type : "-").join("");
}

Deno.test("Stage2 maps what the machine's walker finds, in the largest blocks", () => {
  const test = monitoredCpus(), { cpu, stage2 } = test;
  stage2.map(cpu, GIB, 2 * GIB, 2 * GIB, MEMORY_RWX);
  stage2.map(cpu, 4 * GIB + MIB2, GIB, MIB2 + KIB4, MEMORY_RX);
  stage2.map(cpu, 1023 * GIB, 0x900_0000, KIB4, DEVICE_RW);
  for (
    const [ipa, result] of [
      [GIB + 0x1234, expected(2 * GIB + 0x1234, 1, MEMORY_RWX)],
      [3 * GIB - 1, expected(4 * GIB - 1, 1, MEMORY_RWX)],
      [3 * GIB, "translation 1"],
      [4 * GIB + MIB2 + 5, expected(GIB + 5, 2, MEMORY_RX)],
      [4 * GIB + 2 * MIB2 + 5, expected(GIB + MIB2 + 5, 3, MEMORY_RX)],
      [4 * GIB + 2 * MIB2 + KIB4, "translation 3"],
      [1023 * GIB + 8, expected(0x900_0008, 3, DEVICE_RW)],
      [1024 * GIB, "translation 0"],
    ] as const
  ) assertEquals(walked(test, ipa), result, ipa.toString(16));
});

Deno.test("Stage2 agrees with the machine's walker after random changes", () => {
  const seed = 20_190_227;
  let state = seed;
  const random = (bound: number): number => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
    return Math.floor(state / 2 ** 32 * bound);
  };
  const test = monitoredCpus(["tlb"], 2), { stage2, pool } = test;
  const KINDS = [MEMORY_RWX, MEMORY_RW, MEMORY_RX, DEVICE_RW];
  // Six blocks of 2 MiB around the end of a GiB, as a model of pages.
  const first = GIB - 3 * MIB2, pages = 6 * 512;
  const model: (readonly [physical: number, attributes: Stage2Attributes] | undefined)[] = [];
  for (let round = 0; round < 120; round++) {
    const cpu = test.cpus[random(2)]!;
    const isWhole = random(2) === 0, unit = isWhole ? 512 : 1;
    const from = random(pages / unit) * unit,
      count = Math.min(pages - from, (1 + random(isWhole ? 2 : 20)) * unit);
    const ipa = first + from * KIB4, size = count * KIB4;
    const attributes = KINDS[random(4)]!, operation = random(4);
    const physical = RAM + random(8) * MIB2 + (isWhole ? 0 : random(512) * KIB4);
    if (operation < 2) stage2.map(cpu, ipa, physical, size, attributes);
    else if (operation === 2) stage2.unmap(cpu, ipa, size);
    else stage2.protect(cpu, ipa, size, attributes);
    for (let page = from; page < from + count; page++) {
      const known = model[page];
      if (operation < 2) model[page] = [physical + (page - from) * KIB4, attributes];
      else if (operation === 2) model[page] = undefined;
      else if (known) {
        const { read, write, execute } = attributes;
        model[page] = [known[0], { memory: known[1].memory, read, write, execute }];
      }
    }
    for (let look = 0; look < 20; look++) {
      const page = look < 10 ? Math.min(pages - 1, from + random(count)) : random(pages);
      const at = first + page * KIB4 + 8,
        known = model[page],
        message = `seed ${seed} round ${round} page ${page}`;
      const found = walked(test, at);
      if (known === undefined) assertEquals(found.split(" ")[0], "translation", message);
      else assertEquals(found.replace(/level \d/, "level 0"), expected(known[0] + 8, 0, known[1]), message);
      const mapping = stage2.lookup(at);
      assertEquals(
        mapping && [mapping.physical, mapping.attributes],
        known && [known[0] + 8, known[1]],
        message,
      );
      guestRead(test.cpus[random(2)]!, at);
    }
  }
  // The TLBs were filled all along: nothing stale was used, and nothing changed without a break.
  assertEquals(eventsOf(test, "staleTranslationUsed"), []);
  assertEquals(eventsOf(test, "breakBeforeMakeViolated"), []);
  stage2.unmap(test.cpu, 0, 1024 * GIB);
  assertEquals(walked(test, GIB - KIB4).split(" ")[0], "translation");
  stage2.map(test.cpu, 0, 0, 2 * GIB, MEMORY_RWX);
  // Both first tables alone are left.
  assertEquals(pool.free, pool.size / KIB4 - 2, `seed ${seed}`);
});

Deno.test("Stage2 breaks before it makes, and tells by tlbInvalidated", () => {
  const test = monitoredCpus(["tlb"]), { cpu, stage2 } = test;
  const operations = (): string[] =>
    eventsOf(test, "tlbInvalidated").map(({ operation, operand }) => `${operation} ${operand.toString(16)}`);
  stage2.map(cpu, 0, RAM, 0x1000, MEMORY_RWX);
  assertEquals(operations(), []);
  stage2.map(cpu, 0, RAM + 0x1000, 0x1000, MEMORY_RWX);
  assertEquals(operations(), ["IPAS2E1IS 0", "VMALLE1IS 0"]);
  test.events.length = 0;
  stage2.map(cpu, MIB2, GIB, MIB2, MEMORY_RWX);
  stage2.protect(cpu, MIB2 + 0x3000, 0x1000, MEMORY_RW);
  // The split, then the page.
  assertEquals(operations(), ["IPAS2E1IS 203", "VMALLE1IS 0", "IPAS2E1IS 203", "VMALLE1IS 0"]);
  test.events.length = 0;
  stage2.unmap(cpu, MIB2, MIB2);
  assertEquals(operations(), ["VMALLS12E1IS 0"]);
});

Deno.test("Stage2 without TLB maintenance would be noticed by the strict TLB", () => {
  const test = monitoredCpus(["tlb"]), { cpu, stage2 } = test;
  stage2.map(cpu, 0, RAM, 0x1000, MEMORY_RWX);
  assertEquals(guestRead(cpu, 0), 0n);
  stage2.unmap(undefined, 0, 0x1000);
  assertEquals(guestRead(cpu, 0), 0n);
  assertEquals(eventsOf(test, "staleTranslationUsed").length, 1);
});

Deno.test("Stage2 and its pool are restored from their sections", () => {
  const test = monitoredCpus(), { cpu, stage2, pool } = test, { memory } = cpu.surroundings;
  stage2.map(cpu, MIB2, RAM, KIB4, MEMORY_RWX);
  const sections = [pool.save("pool"), stage2.save("stage2")] as const;
  const otherPool = new PagePool(physicalAddress(POOL), 0x8_0000), other = new Stage2(memory, otherPool);
  otherPool.restore(sections[0]);
  other.restore(sections[1]);
  assertEquals([other.vttbr, otherPool.free], [stage2.vttbr, pool.free]);
  other.map(cpu, GIB, RAM, KIB4, MEMORY_RX);
  assertEquals(walked(test, GIB), expected(RAM, 3, MEMORY_RX));
  assertEquals(walked(test, MIB2), expected(RAM, 3, MEMORY_RWX));
  assertThrows(() => new PagePool(physicalAddress(RAM), 0x1000).restore(sections[0]), RangeError, "pool");
});

Deno.test("Stage2 and PagePool refuse what is not whole pages, not theirs, or too much", () => {
  const { cpu, stage2, pool } = monitoredCpus();
  assertThrows(() => stage2.map(cpu, 0x800, RAM, 0x1000, MEMORY_RWX), RangeError, "whole pages");
  assertThrows(() => stage2.map(cpu, 0, RAM + 1, 0x1000, MEMORY_RWX), RangeError, "not a page");
  assertThrows(() => stage2.unmap(cpu, 2 ** 40, 0x1000), RangeError, "2^40");
  assertThrows(() => pool.give(physicalAddress(POOL - 0x1000)), RangeError, "not a page taken");
  assertThrows(() => pool.give(physicalAddress(POOL + 0x3000)), RangeError, "not a page taken");
  assertThrows(
    () => {
      for (;;) pool.take();
    },
    Error,
    "all are taken",
  );
});
