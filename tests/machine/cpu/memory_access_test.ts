/** Loads, stores and fetches: an invisible TLB, alignment, byte order, devices and faults. */
import { assertEquals } from "@std/assert";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { fetch, load, store, untagPc } from "../../../machine/cpu/memory_access.ts";
import type { Access } from "../../../machine/ir/operations.ts";
import { PAGE_DIRTY } from "../../../machine/memory/physical.ts";
import {
  DEVICE,
  EL0,
  faultOf,
  LEVEL1,
  LEVEL2,
  LEVEL3,
  mappedCpus,
  PAGE,
  READ_ONLY,
  register,
  setRegisters,
  taken,
} from "./access_support.ts";
import { eventsOf, putAt, RAM } from "./support.ts";

const A = BigInt(RAM), UPPER = 0xffff_ff80_0000_0000n;

Deno.test("load and store move 1 to 16 bytes, aligned and not, within and across pages", () => {
  const { cpu } = mappedCpus();
  const value = 0x1122_3344_5566_7788_99aa_bbcc_ddee_ff01n;
  for (const size of [1, 2, 4, 8, 16]) {
    const part = BigInt.asUintN(size * 8, value);
    for (const address of [A + 0x100n, A + 0x203n, A + 0xff9n, A + 0x2000n - 1n]) {
      for (let round = 0; round < 2; round++) {
        store(cpu, address, size, part, "normal");
        assertEquals(load(cpu, address, size, "normal"), part, `${size} bytes at ${address.toString(16)}`);
        store(cpu, address, size, 0n, "normal");
        assertEquals(load(cpu, address, size, "normal"), 0n);
      }
    }
  }
  assertEquals(cpu.pending, undefined);
});

Deno.test("load and store see a descriptor as it is now, however it changed", () => {
  const test = mappedCpus({ count: 2 });
  const { cpu, cpus: [, other], put } = test;
  const page = A + 0x5000n, descriptor = LEVEL3 + 5 * 8;
  put(RAM + 0x5000, 5n);
  put(RAM + 0x6000, 6n);
  const read = () => load(cpu, page, 8, "normal");
  for (let round = 0; round < 3; round++) {
    assertEquals([read(), read()], [5n, 5n]);
    store(cpu, BigInt(descriptor), 8, BigInt(RAM + 0x6000) | PAGE, "normal");
    assertEquals([read(), read()], [6n, 6n]);
    store(other as Cpu, BigInt(descriptor), 8, BigInt(RAM + 0x5000) | PAGE, "normal");
    assertEquals([read(), read()], [5n, 5n]);
    put(descriptor, BigInt(RAM + 0x6000) | PAGE);
    assertEquals([read(), read()], [6n, 6n]);
    store(cpu, BigInt(descriptor), 8, 0n, "normal");
    assertEquals(faultOf(cpu, read), ["96000007", page.toString(16), 1]);
    store(cpu, BigInt(descriptor), 8, BigInt(RAM + 0x5000) | PAGE | READ_ONLY, "normal");
    assertEquals(read(), 5n);
    assertEquals(faultOf(cpu, () => store(cpu, page, 8, 1n, "normal")), ["9600004f", page.toString(16), 1]);
    store(cpu, BigInt(descriptor), 8, BigInt(RAM + 0x5000) | PAGE, "normal");
    store(cpu, page, 8, 5n, "normal");
    // A change of one byte, of a table higher up.
    store(cpu, BigInt(LEVEL2), 1, 0n, "normal");
    assertEquals(faultOf(cpu, read), ["96000006", page.toString(16), 1]);
    put(LEVEL2, BigInt(LEVEL3) | 3n);
  }
});

Deno.test("store through a cached page still drops what a descriptor gave", () => {
  const { cpu, put, word } = mappedCpus();
  put(RAM + 0x6000, 6n);
  const unused = BigInt(LEVEL3) + 0xff0n;
  store(cpu, unused, 8, 0n, "normal");
  store(cpu, unused, 8, 0n, "normal");
  assertEquals(load(cpu, A + 0x5000n, 8, "normal"), 0n);
  store(cpu, BigInt(LEVEL3 + 5 * 8), 8, BigInt(RAM + 0x6000) | PAGE, "normal");
  assertEquals(load(cpu, A + 0x5000n, 8, "normal"), 6n);
  assertEquals(word(LEVEL3 + 5 * 8), BigInt(RAM + 0x6000) | PAGE);
});

Deno.test("store marks pages as dirty again after their marks were taken away", () => {
  const { cpu } = mappedCpus();
  const { memory } = cpu.surroundings;
  for (const size of [8, 4]) {
    store(cpu, A + 0x5000n, size, 1n, "normal");
    const page = memory.pageFlags.indexOf(PAGE_DIRTY, 7);
    assertEquals(page, 7);
    memory.pageFlags[page] = 0;
    store(cpu, A + 0x5000n, size, 1n, "normal");
    assertEquals(memory.pageFlags[page], PAGE_DIRTY);
  }
});

Deno.test("load keeps cached pages when an empty entry of a walked table is filled", () => {
  const { cpu, put } = mappedCpus();
  put(LEVEL3 + 8 * 8, 0n);
  load(cpu, A + 0x5000n, 8, "normal");
  const context = cpu.tlb.contexts[2];
  put(LEVEL3 + 8 * 8, BigInt(RAM + 0x8000) | PAGE);
  assertEquals(cpu.tlb.contexts[2], context);
  assertEquals(load(cpu, A + 0x8000n, 8, "normal"), 0n);
  const isKnown = (page: number) => cpu.tlb.read.find(0, Number(A) + page * 4096, context as number) >= 0;
  assertEquals([isKnown(5), isKnown(8)], [true, true]);
  put(LEVEL3 + 8 * 8, 0n);
  assertEquals([isKnown(5), isKnown(8)], [true, false]);
});

Deno.test("load follows changes of level, TTBR and SCTLR, there and back", () => {
  const { cpu, put } = mappedCpus();
  put(RAM + 0x5000, 5n);
  put(RAM + 0x6000, 6n);
  // Other tables, which map page 5 to page 6 and, for EL0, nothing.
  const tables = RAM + 0xe_0000;
  put(tables + 8, BigInt(tables + 0x1000) | 3n);
  put(tables + 0x1000, BigInt(tables + 0x2000) | 3n);
  put(tables + 0x2000 + 5 * 8, BigInt(RAM + 0x6000) | PAGE);
  for (let round = 0; round < 3; round++) {
    setRegisters(cpu, { TTBR0_EL1: BigInt(LEVEL1) | 5n << 48n });
    assertEquals(load(cpu, A + 0x5000n, 8, "normal"), 5n);
    setRegisters(cpu, { TTBR0_EL1: BigInt(tables) });
    assertEquals(load(cpu, A + 0x5000n, 8, "normal"), 6n);
    assertEquals(load(cpu, UPPER + A + 0x5000n, 8, "normal"), 5n);
    setRegisters(cpu, { TTBR1_EL1: BigInt(tables) });
    assertEquals(load(cpu, UPPER + A + 0x5000n, 8, "normal"), 6n);
    setRegisters(cpu, { TTBR1_EL1: BigInt(LEVEL1) });
    putAt(cpu, 0);
    assertEquals(faultOf(cpu, () => load(cpu, A + 0x5000n, 8, "normal"))?.[0], "9200000f");
    putAt(cpu, 1);
    setRegisters(cpu, { SCTLR_EL1: 0x30d0_0800n });
    assertEquals(load(cpu, A + 0x6000n, 8, "normal"), 6n);
    setRegisters(cpu, { SCTLR_EL1: 0x30d0_0801n });
  }
});

Deno.test("store to two pages writes nothing when the second faults, and reports its first byte", () => {
  const { cpu, put, word } = mappedCpus();
  put(LEVEL3 + 6 * 8, BigInt(RAM + 0x6000) | PAGE | READ_ONLY);
  put(RAM + 0x5ff8, -1n & 0xffff_ffff_ffff_ffffn);
  const fault = faultOf(cpu, () => store(cpu, A + 0x5ffcn, 8, 0n, "normal"));
  assertEquals(fault, ["9600004f", "40006000", 1]);
  assertEquals(word(RAM + 0x5ff8), 0xffff_ffff_ffff_ffffn);
  assertEquals(faultOf(cpu, () => load(cpu, A + 0x5ffcn, 8, "normal")), undefined);
});

Deno.test("load demands alignment of ordered and exclusive accesses, by SCTLR.A, and of Device memory", () => {
  const { cpu } = mappedCpus();
  const alignment = (access: Access, address = A + 4n) =>
    faultOf(cpu, () => load(cpu, address, 8, access))?.[0];
  assertEquals(["normal", "unprivileged"].map((access) => alignment(access as Access, A + 1n)), [
    undefined,
    "9600000f",
  ]);
  assertEquals(
    ["ordered", "exclusive", "atomic"].map((access) => alignment(access as Access)),
    Array(3).fill("96000021"),
  );
  assertEquals(alignment("normal", BigInt(DEVICE) + 2n), "96000021");
  assertEquals(faultOf(cpu, () => store(cpu, BigInt(DEVICE) + 2n, 4, 0n, "normal"))?.[0], "96000061");
  setRegisters(cpu, { SCTLR_EL1: 0x30d0_0803n });
  assertEquals(alignment("normal"), "96000021");
  setRegisters(cpu, { SCTLR_EL1: 0x30d0_0800n });
  assertEquals(alignment("normal"), "96000021");
  load(cpu, A, 8, "normal");
  assertEquals(alignment("normal"), "96000021");
});

Deno.test("load with unprivileged access has EL0's permissions at EL1, and its own at EL0", () => {
  const { cpu, put } = mappedCpus();
  const read = (access: Access) => faultOf(cpu, () => load(cpu, A + 0x5000n, 4, access))?.[0];
  assertEquals([read("normal"), read("unprivileged")], [undefined, "9600000f"]);
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x5000) | PAGE | EL0);
  assertEquals([read("normal"), read("unprivileged")], [undefined, undefined]);
  putAt(cpu, 0);
  assertEquals([read("normal"), read("unprivileged")], [undefined, undefined]);
});

Deno.test("load and store of big-endian data reverse each element, not instructions", () => {
  const { cpu, put, word } = mappedCpus();
  put(RAM + 0x100, 0x1122_3344_5566_7788n);
  put(RAM + 0x108, 0x99aa_bbcc_ddee_ff00n);
  setRegisters(cpu, { SCTLR_EL1: 0x32d0_0801n });
  // EE turns the tables round as well.
  for (const at of [LEVEL1, LEVEL1 + 8, LEVEL2, LEVEL3]) {
    put(at, new DataView(BigUint64Array.of(word(at)).buffer).getBigUint64(0, false));
  }
  const read = (size: number, offset = 0x100n) => load(cpu, A + offset, size, "normal").toString(16);
  assertEquals([1, 2, 4, 8].map((size) => read(size)), ["88", "8877", "88776655", "8877665544332211"]);
  assertEquals(read(16), "887766554433221100ffeeddccbbaa99");
  assertEquals(read(4, 0x101n), "77665544");
  store(cpu, A + 0x200n, 4, 0x1234_5678n, "normal");
  assertEquals(word(RAM + 0x200), 0x7856_3412n);
  cpu.registers.pc = A + 0x100n;
  assertEquals(fetch(cpu), 0x5566_7788);
});

Deno.test("load takes the byte order of EL0 from E0E", () => {
  const { cpu, put } = mappedCpus();
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x5000) | PAGE | EL0);
  put(RAM + 0x5000, 0x1122_3344n);
  const read = () => load(cpu, A + 0x5000n, 4, "normal");
  for (
    const [E0E, level, expected] of [[0n, 0, 0x1122_3344n], [1n, 0, 0x4433_2211n], [
      1n,
      1,
      0x1122_3344n,
    ]] as const
  ) {
    setRegisters(cpu, { SCTLR_EL1: 0x30d0_0801n | (E0E << 24n) });
    putAt(cpu, level);
    assertEquals([read(), read()], [expected, expected]);
  }
});

Deno.test("translationFaulted tells what faulted", () => {
  const test = mappedCpus();
  faultOf(test.cpu, () => store(test.cpu, A + 0x40_0000n, 4, 0n, "normal"));
  const [event] = eventsOf(test, "translationFaulted");
  const { address, status, level, stage, write } = event as NonNullable<typeof event>;
  assertEquals([address, status, level, stage, write], [A + 0x40_0000n, 6, 2, 1, true]);
});

Deno.test("fetch reads words, faults on a misaligned PC first, and takes address tags out of the PC", () => {
  const { cpu, put } = mappedCpus();
  put(RAM + 0x3000, 0x8899_aabb_d503_201fn);
  cpu.registers.pc = A + 0x3000n;
  assertEquals([fetch(cpu), fetch(cpu)], [0xd503_201f, 0xd503_201f]);
  cpu.registers.pc = A + 0x3004n;
  assertEquals(fetch(cpu), 0x8899_aabb);
  cpu.registers.pc = A + 0x40_0002n;
  assertEquals(fetch(cpu), -1);
  assertEquals(taken(cpu)?.syndrome, 0x8a00_0000);
  cpu.registers.pc = A + 0x40_0000n;
  assertEquals(faultOf(cpu, () => fetch(cpu)), ["86000006", "40400000", 1]);
  setRegisters(cpu, { TCR_EL1: register(cpu, "TCR_EL1") | (3n << 37n) });
  cpu.registers.pc = 0x5a00_0000_0000_0000n | A | 0x3000n;
  assertEquals([fetch(cpu), cpu.pc], [0xd503_201f, A + 0x3000n]);
  cpu.registers.pc = (UPPER + A + 0x3000n) & 0x12ff_ffff_ffff_ffffn;
  untagPc(cpu);
  assertEquals(cpu.pc, UPPER + A + 0x3000n);
});
