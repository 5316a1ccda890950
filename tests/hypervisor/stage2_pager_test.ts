/** Pages that are moved, evicted and refilled: contents follow, frames are never shared. */
import { assertEquals } from "@std/assert";
import { Stage2Pager } from "../../hypervisor/stage2_pager.ts";
import { MEMORY_RWX } from "../../hypervisor/stage2_attributes.ts";
import { RAM } from "../machine/cpu/support.ts";
import { guestRead, monitoredCpus } from "./support.ts";

const PAGES = 24;

Deno.test("Stage2Pager keeps the contents of pages through random moves, evictions and refills", () => {
  const seed = 77;
  let state = seed;
  const choose = (count: number): number => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
    return Math.floor(state / 2 ** 32 * count);
  };
  const test = monitoredCpus(["tlb", "dcache"]), { cpu, stage2, pool } = test, { memory } = cpu.surroundings;
  const pager = new Stage2Pager(memory, stage2, pool, 3);
  pager.reset();
  for (let page = 0; page < PAGES; page++) {
    const address = RAM + page * 4096;
    memory.view.setBigUint64(memory.hostOffset(address as never, 8), BigInt(page) + 1000n, true);
    stage2.map(cpu, address, address, 4096, MEMORY_RWX);
  }
  const touch = (page: number): void => {
    const address = RAM + page * 4096;
    if (stage2.lookup(address) === undefined) {
      stage2.map(cpu, address, pager.refill(cpu, address, choose), 4096, MEMORY_RWX);
    }
    assertEquals(guestRead(cpu, address), BigInt(page) + 1000n, `seed ${seed} page ${page}`);
  };
  for (let round = 0; round < 200; round++) {
    const page = choose(PAGES), mapping = stage2.lookup(RAM + page * 4096);
    if (mapping === undefined || round % 3 === 0) touch(page);
    else if (choose(2) === 0) pager.move(cpu, mapping, choose);
    else pager.evict(cpu, mapping, choose);
    assertEquals(pager.free.length, 3);
  }
  for (let page = 0; page < PAGES; page++) touch(page);
  const frames = Array.from({ length: PAGES }, (_, page) => stage2.lookup(RAM + page * 4096)!.physical);
  assertEquals(new Set([...frames, ...pager.free.map((page) => page * 4096)]).size, PAGES + 3);
  const wanted = stage2.findPage(RAM, RAM + PAGES * 4096, ({ execute }) => execute);
  assertEquals([wanted?.base, wanted?.physical], [RAM, frames[0]]);
  assertEquals(stage2.findPage(RAM, RAM + PAGES * 4096, ({ write }) => !write), undefined);
});

Deno.test("Stage2Pager finds evicted pages again by the marks in the tables and its list of frames", () => {
  const { cpu, stage2, pool } = monitoredCpus(), { memory } = cpu.surroundings;
  const pager = new Stage2Pager(memory, stage2, pool, 2), last = () => 0;
  pager.reset();
  memory.view.setBigUint64(memory.hostOffset(RAM as never, 8), 42n, true);
  stage2.map(cpu, RAM, RAM, 4096, MEMORY_RWX);
  const store = pager.evict(cpu, stage2.lookup(RAM)!, last), { free } = pager;
  assertEquals(guestRead(cpu, RAM), "DFSC 000111");
  const other = new Stage2Pager(memory, stage2, pool, 2);
  other.free = free;
  const frame = other.refill(cpu, RAM, last);
  assertEquals([frame !== store, other.free.includes(store / 4096)], [true, true]);
  stage2.map(cpu, RAM, frame, 4096, MEMORY_RWX);
  assertEquals(guestRead(cpu, RAM), 42n);
});
