/** The strict caches: lines, levels, sets and ways, what others see, and their sections. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { GEOMETRY } from "../../../machine/memory/strict_data_cache_operations.ts";
import { LINE_SIZE } from "../../../machine/memory/strict_cache_page.ts";
import { register, setRegisters } from "../cpu/access_support.ts";
import { fetch as memoryFetch } from "../../../machine/cpu/memory_access.ts";
import { eventsOf, RAM } from "../cpu/support.ts";
import { perform, strictCpus, strictEvents, twoStages } from "./support.ts";

const A = BigInt(RAM) + 0x5000n;

/** A CPU with caches on. */
function caching(names: readonly ("icache" | "dcache")[], count = 1) {
  const test = strictCpus(names, { count });
  for (const cpu of test.cpus) setRegisters(cpu, { SCTLR_EL1: register(cpu, "SCTLR_EL1") | 0x1004n });
  const { cpu } = test;
  const load = (address = A) => cpu.load(address, 8, "normal");
  const store = (value: bigint, address = A) => cpu.store(address, 8, value, "normal");
  const memory = (address = A) => test.word(Number(address));
  return { ...test, load, store, memory };
}

/** The operand of DC by set and way for A at a level; `off` is another way. */
function operandOf(level: number, off = 0): bigint {
  const { sets, ways } = GEOMETRY[level]!;
  const line = Number(A) / LINE_SIZE;
  const way = (Math.floor(line / sets) + off) % ways;
  return BigInt(way) << 32n - BigInt(Math.log2(ways)) | BigInt(line % sets) << 6n | BigInt(level) << 1n;
}

Deno.test("GEOMETRY and LINE_SIZE are what CCSIDR_EL1 and CTR_EL0 say", () => {
  const { cpu } = caching(["dcache"]);
  for (const [level, { sets, ways }] of GEOMETRY.entries()) {
    setRegisters(cpu, { CSSELR_EL1: BigInt(level) << 1n });
    const size = Number(peekSystemRegister(cpu, "CCSIDR_EL1"));
    assertEquals(2 ** ((size & 7) + 4), LINE_SIZE);
    assertEquals([(size >> 13 & 0x7fff) + 1, (size >> 3 & 0x3ff) + 1], [sets, ways]);
  }
  const type = Number(peekSystemRegister(cpu, "CTR_EL0"));
  assertEquals([4 * 2 ** (type & 15), 4 * 2 ** (type >> 16 & 15), type >> 14 & 3], [LINE_SIZE, LINE_SIZE, 3]);
});

Deno.test("stores stay in the data cache, which all CPUs share, until DC cleans them", () => {
  const { cpus, store, memory, load } = caching(["dcache"], 2);
  store(1n);
  assertEquals([load(), cpus[1]!.load(A, 8, "normal"), memory()], [1n, 1n, 0n]);
  perform(cpus[1]!, "dc cvau", A);
  assertEquals(memory(), 0n);
  perform(cpus[1]!, "dc cvac", A + 63n);
  assertEquals(memory(), 1n);
  store(2n);
  perform(cpus[0]!, "dc civac", A);
  assertEquals([memory(), load()], [2n, 2n]);
  store(3n);
  perform(cpus[0]!, "dc ivac", A);
  assertEquals([memory(), load()], [2n, 2n]);
});

Deno.test("an access over two lines uses both, and pairs and odd sizes go through", () => {
  const { cpu, store, memory, load } = caching(["dcache"]);
  store(0x1122_3344_5566_7788n, A + 60n);
  assertEquals(load(A + 60n), 0x1122_3344_5566_7788n);
  perform(cpu, "dc cvac", A);
  assertEquals([memory(A + 56n) >> 32n, memory(A + 64n)], [0x5566_7788n, 0n]);
  perform(cpu, "dc cvac", A + 64n);
  assertEquals(memory(A + 64n), 0x1122_3344n);
  cpu.store(A + 0xffcn, 8, 0x99aa_bbcc_ddee_ff00n, "normal");
  assertEquals(cpu.load(A + 0xffcn, 8, "normal"), 0x99aa_bbcc_ddee_ff00n);
  cpu.store(A + 0x10n, 16, 5n << 64n | 4n, "normal");
  assertEquals(cpu.load(A + 0x10n, 16, "normal"), 5n << 64n | 4n);
});

Deno.test("DC by set and way goes level by level, and to the line of the set and way alone", () => {
  const { cpu, store, memory, load } = caching(["dcache"]);
  store(1n);
  perform(cpu, "dc csw", operandOf(1));
  assertEquals(memory(), 0n, "the second level has nothing yet");
  perform(cpu, "dc csw", operandOf(0));
  perform(cpu, "dc csw", operandOf(1, 1));
  assertEquals(memory(), 0n, "another way");
  perform(cpu, "dc csw", operandOf(1));
  assertEquals(memory(), 1n);
  store(2n);
  perform(cpu, "dc cisw", operandOf(0));
  assertEquals([memory(), load()], [1n, 2n], "the second level has it");
  perform(cpu, "dc isw", operandOf(0));
  perform(cpu, "dc isw", operandOf(1));
  assertEquals(load(), 1n, "lost");
});

Deno.test("invalidation by EL1 cleans as well where HCR_EL2.VM or SWIO says so", () => {
  const test = twoStages(["dcache"]);
  const { cpu, word } = test;
  setRegisters(cpu, { SCTLR_EL1: register(cpu, "SCTLR_EL1") | 4n });
  cpu.store(A, 8, 1n, "normal");
  perform(cpu, "dc ivac", A);
  assertEquals(word(Number(A)), 1n, "VM");
  for (const [swio, left] of [[2n, 2n], [0n, 1n]] as const) {
    setRegisters(cpu, { HCR_EL2: 1n << 31n | swio });
    test.put(Number(A), 1n);
    cpu.store(A, 8, 2n, "normal");
    perform(cpu, "dc isw", operandOf(0));
    perform(cpu, "dc isw", operandOf(1));
    assertEquals(word(Number(A)), left, `SWIO ${swio}`);
  }
});

Deno.test("accesses go past the data cache unless memory is Write-Back and SCTLR_EL1.C is set", () => {
  for (
    const [attribute, sctlr, isCached] of [
      [0xffn, 4n, true],
      [0x77n, 4n, true],
      [0xffn, 0n, false],
      [0xbbn, 4n, false],
      [0xf4n, 4n, false],
      [0x4fn, 4n, false],
      [0x44n, 4n, false],
    ] as const
  ) {
    const { cpu, word } = strictCpus(["dcache"]);
    setRegisters(cpu, { MAIR_EL1: attribute, SCTLR_EL1: register(cpu, "SCTLR_EL1") | sctlr });
    cpu.store(A, 8, 1n, "normal");
    assertEquals(word(Number(A)), isCached ? 0n : 1n, attribute.toString(16));
  }
});

Deno.test("the operator sees what CPUs see, and what he writes everybody sees", () => {
  const { cpu, store, load, memory } = caching(["icache", "dcache"]);
  const { memory: physical } = cpu.surroundings;
  const at = physicalAddress(Number(A));
  store(0x0102n);
  assertEquals([...physical.viewBytes(at, 3)], [2, 1, 0]);
  assertEquals([...physical.readBytes(at, 3)], [0, 0, 0]);
  physical.patchBytes(at, Uint8Array.of(9));
  assertEquals([load(), memory()], [0x0109n, 9n]);
  assertEquals([...physical.viewBytes(at, 3)], [9, 1, 0]);
});

Deno.test("staleDataRead and staleDataWritten have both sides", () => {
  const test = caching(["dcache"]);
  const { cpu, put, store, load } = test;
  store(1n);
  put(Number(A), 2n);
  load();
  perform(cpu, "dc cvac", A);
  const [read] = eventsOf(test, "staleDataRead"), [written] = eventsOf(test, "staleDataWritten");
  assertEquals([read!.reader, read!.address, read!.used[0], read!.present[0]], ["cpu", Number(A), 1, 2]);
  assertEquals([written!.address, written!.written[0], written!.replaced[0]], [Number(A), 1, 2]);
  assertEquals(strictEvents(test), ["staleDataRead", "staleDataWritten"]);
});

Deno.test("a device's read of what is not cleaned is an event of its own", () => {
  const test = caching(["dcache"]);
  test.store(1n, A + 64n);
  test.cpu.surroundings.memory.readByDevice(physicalAddress(Number(A) + 32), 128);
  const [read, ...others] = eventsOf(test, "staleDataRead");
  assertEquals([read!.reader, read!.address, read!.used[0], read!.present[0]], [
    "device",
    Number(A) + 64,
    0,
    1,
  ]);
  assertEquals(others, []);
});

Deno.test("the data cache's section gives it back, and refuses damage", () => {
  const { cpu, store, load, strict, memory } = caching(["dcache"]);
  store(1n);
  perform(cpu, "dc cvau", A);
  store(2n);
  store(3n, A + 0x1040n);
  const section = strict.dataCache!.save("strict_dcache");
  strict.dataCache!.dropAll();
  assertEquals(load(), 0n);
  strict.dataCache!.restore(section);
  assertEquals([load(), load(A + 0x1040n)], [2n, 3n]);
  assertEquals(strict.dataCache!.save("strict_dcache"), section);
  perform(cpu, "dc cvac", A);
  assertEquals(memory(), 2n);
  const bytes = section.bytes.slice();
  bytes[12] = 0xff;
  assertThrows(() => strict.dataCache!.restore({ ...section, bytes }));
});

Deno.test("instruction caches are of one CPU each; IC drops lines, and their section gives them back", () => {
  const test = caching(["icache"], 2);
  const { cpus, put, strict } = test;
  const fetchBy = (index: number) => {
    const cpu = cpus[index]!;
    cpu.registers.pc = A;
    return memoryFetch(cpu);
  };
  put(Number(A), 1n);
  assertEquals([fetchBy(0), fetchBy(1)], [1, 1]);
  put(Number(A), 2n);
  assertEquals([fetchBy(0), fetchBy(1)], [1, 1]);
  const sections = strict.save();
  perform(cpus[0]!, "ic iallu");
  assertEquals([fetchBy(0), fetchBy(1)], [2, 1]);
  perform(cpus[0]!, "ic ivau", A + 60n);
  assertEquals([fetchBy(0), fetchBy(1)], [2, 2]);
  strict.restore(cpus, (name) => sections.find((section) => section.name === name)!);
  assertEquals([fetchBy(0), fetchBy(1)], [1, 1]);
  perform(cpus[1]!, "ic ialluis");
  assertEquals([fetchBy(0), fetchBy(1)], [2, 2]);
  assert(strictEvents(test).every((kind) => kind === "staleInstructionFetched"));
});
