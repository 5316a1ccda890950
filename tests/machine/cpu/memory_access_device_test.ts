/** Loads, stores and fetches of what is not memory: devices, flash between the two, and addresses where nothing answers. */
import { assertEquals } from "@std/assert";
import { fetch, load, store } from "../../../machine/cpu/memory_access.ts";
import type { MemoryRegion } from "../../../machine/memory/physical.ts";
import { DEVICE, faultOf, LEVEL1, LEVEL2, LEVEL3, mappedCpus, PAGE, setRegisters } from "./access_support.ts";
import { eventsOf, RAM } from "./support.ts";

const A = BigInt(RAM);

Deno.test("load and store split device accesses into transfers of 4 bytes, low first, and tell of each", () => {
  const test = mappedCpus();
  const { cpu, transfers } = test;
  assertEquals(load(cpu, BigInt(DEVICE) + 8n, 8, "normal"), 0x0000_000c_0000_0008n);
  assertEquals(load(cpu, BigInt(DEVICE) + 3n, 1, "normal"), 3n);
  store(cpu, BigInt(DEVICE) + 0x10n, 16, 0x4444_4444_3333_3333_2222_2222_1111_1111n, "normal");
  store(cpu, BigInt(DEVICE) + 2n, 2, 0xabcdn, "normal");
  assertEquals(transfers, [
    ["read", 8, 4, 0],
    ["read", 12, 4, 0],
    ["read", 3, 1, 0],
    ["write", 0x10, 4, 0x1111_1111],
    ["write", 0x14, 4, 0x2222_2222],
    ["write", 0x18, 4, 0x3333_3333],
    ["write", 0x1c, 4, 0x4444_4444],
    ["write", 2, 2, 0xabcd],
  ]);
  assertEquals(eventsOf(test, "deviceRead").map(({ address, size, value }) => [address, size, value]), [
    [DEVICE + 8, 4, 8n],
    [DEVICE + 12, 4, 12n],
    [DEVICE + 3, 1, 3n],
  ]);
  assertEquals(eventsOf(test, "deviceWritten").map(({ address, device }) => [address, device])[0], [
    DEVICE + 0x10,
    "test",
  ]);
});

Deno.test("load of Normal memory behind which is a device goes byte by byte when misaligned", () => {
  const { cpu, put, transfers } = mappedCpus();
  put(LEVEL3 + 5 * 8, BigInt(DEVICE) | PAGE);
  assertEquals(load(cpu, A + 0x5001n, 4, "normal"), 0x0403_0201n);
  assertEquals(transfers.map(([, offset, size]) => [offset, size]), [[1, 1], [2, 1], [3, 1], [4, 1]]);
});

Deno.test("load, store and fetch where nothing answers are external aborts", () => {
  const test = mappedCpus();
  const { cpu } = test;
  const nowhere = BigInt(DEVICE) + 0x1000n;
  assertEquals(faultOf(cpu, () => load(cpu, nowhere, 4, "normal")), ["96000010", nowhere.toString(16), 1]);
  assertEquals(faultOf(cpu, () => store(cpu, nowhere, 4, 0n, "normal")), [
    "96000050",
    nowhere.toString(16),
    1,
  ]);
  setRegisters(cpu, { SCTLR_EL1: 0x30d0_0800n });
  cpu.registers.pc = nowhere;
  assertEquals(faultOf(cpu, () => fetch(cpu)), ["86000010", nowhere.toString(16), 1]);
  assertEquals(eventsOf(test, "translationFaulted"), []);
});

Deno.test("SCR_EL3.EA takes external aborts to EL3, on walks too, and nothing else", () => {
  const { cpu, put } = mappedCpus({ el2: true, el3: true });
  setRegisters(cpu, { SCR_EL3: 0x409n });
  assertEquals(faultOf(cpu, () => load(cpu, BigInt(DEVICE) + 0x1000n, 4, "normal"))?.[2], 3);
  put(LEVEL2 + 8, 0x9000_0000n | 3n);
  assertEquals(faultOf(cpu, () => load(cpu, A + 0x20_0000n, 4, "normal")), ["92000017", "40200000", 3]);
  assertEquals(faultOf(cpu, () => load(cpu, A + 0x40_0000n, 4, "normal")), ["96000006", "40400000", 1]);
});

Deno.test("load and fetch follow a region between memory and device, store always meets its device", () => {
  const { cpu, put } = mappedCpus();
  const { memory } = cpu.surroundings;
  put(RAM + 16, 0x1234n);
  const written: number[] = [];
  const flash = memory.regions[0] as { -readonly [K in keyof MemoryRegion]: MemoryRegion[K] };
  flash.device = {
    name: "flash",
    read: (offset) => 0xf000 + offset,
    write: (offset) => void written.push(offset),
  };
  setRegisters(cpu, { SCTLR_EL1: 0x30d0_0800n });
  cpu.registers.pc = A + 16n;
  for (let round = 0; round < 2; round++) {
    assertEquals([load(cpu, A + 16n, 4, "normal"), fetch(cpu)], [0x1234n, 0x1234]);
    store(cpu, A + 16n, 4, 0n, "normal");
    memory.setDirect(flash, false);
    assertEquals([load(cpu, A + 16n, 4, "normal"), fetch(cpu)], [0xf010n, 0xf010]);
    memory.setDirect(flash, true);
  }
  assertEquals(written, [16, 16]);
});

Deno.test("load passes the security state of the output to the device", () => {
  const { cpu, contexts, put } = mappedCpus({ el3: true });
  setRegisters(cpu, { SCR_EL3: 0x400n });
  const isSecure = () => {
    load(cpu, BigInt(DEVICE), 4, "normal");
    return contexts.at(-1);
  };
  for (let round = 0; round < 2; round++) {
    setRegisters(cpu, { SCR_EL3: 0x400n });
    assertEquals(isSecure(), { cpu: 0, secure: true });
    setRegisters(cpu, { SCR_EL3: 0x401n });
    assertEquals(isSecure(), { cpu: 0, secure: false });
  }
  setRegisters(cpu, { SCR_EL3: 0x400n });
  put(LEVEL1, 0x0000_0705n | (1n << 54n) | 0x20n);
  assertEquals(isSecure(), { cpu: 0, secure: false });
});
