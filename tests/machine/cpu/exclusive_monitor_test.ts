/** The exclusive monitor: what opens it, what clears it and why. */
import { assertEquals } from "@std/assert";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { PAGE_MONITORED } from "../../../machine/memory/physical.ts";
import {
  DEVICE,
  LEVEL3,
  type MappedCpu,
  mappedCpus,
  PAGE,
  READ_ONLY,
  register,
  setRegisters,
} from "./access_support.ts";
import { eventsOf, RAM } from "./support.ts";

const A = BigInt(RAM) + 0x5040n;

function reasons(test: MappedCpu): string[] {
  return eventsOf(test, "exclusiveCleared").map(({ cpu, reason }) => `${cpu} ${reason}`);
}

const loadExclusive = (cpu: Cpu, address = A, size = 8) => cpu.loadExclusive(address, size, "exclusive");
const storeExclusive = (cpu: Cpu, address = A, size = 8, value = 9n) =>
  cpu.storeExclusive(address, size, value, "exclusive");

Deno.test("storeExclusive writes once after a load-exclusive of the same address and size", () => {
  const test = mappedCpus();
  const { cpu, word } = test;
  assertEquals(storeExclusive(cpu), 1n);
  loadExclusive(cpu);
  assertEquals([storeExclusive(cpu), storeExclusive(cpu)], [0n, 1n]);
  assertEquals(word(RAM + 0x5040), 9n);
  assertEquals(reasons(test), ["0 storeExclusive"]);
  assertEquals(eventsOf(test, "exclusiveSet").map(({ address, size }) => [address, size]), [[
    RAM + 0x5040,
    8,
  ]]);
});

Deno.test("storeExclusive fails at another address or size, and clears the monitor", () => {
  for (const [address, size] of [[A + 8n, 8], [A, 4], [A + 0x1000n, 8]] as const) {
    const test = mappedCpus();
    loadExclusive(test.cpu);
    assertEquals(storeExclusive(test.cpu, address, size), 1n);
    assertEquals([test.cpu.monitor.open, reasons(test)], [false, ["0 storeExclusive"]]);
  }
});

Deno.test("storeExclusive compares physical addresses and never values", () => {
  const { cpu, put, word } = mappedCpus();
  put(LEVEL3 + 6 * 8, BigInt(RAM + 0x5000) | PAGE);
  loadExclusive(cpu);
  cpu.store(A, 8, 5n, "normal");
  assertEquals(storeExclusive(cpu, A + 0x1000n), 0n);
  assertEquals(word(RAM + 0x5040), 9n);
});

Deno.test("monitor is cleared by other CPUs' stores and DMA to its granule, which is an event for WFE", () => {
  for (
    const [offset, size, clears] of [[-1, 1, false], [-1, 2, true], [0, 1, true], [63, 1, true], [
      64,
      8,
      false,
    ]] as const
  ) {
    for (const dma of [false, true]) {
      const test = mappedCpus({ count: 2 });
      const [cpu, other] = test.cpus as [Cpu, Cpu];
      loadExclusive(cpu);
      cpu.eventRegister = cpu.attention = false;
      const address = Number(A) + offset;
      if (dma) cpu.surroundings.memory.writeBytes(address as never, new Uint8Array(size));
      else other.store(BigInt(address), size, 0n, "normal");
      assertEquals(
        [cpu.monitor.open, cpu.eventRegister, cpu.attention],
        [!clears, clears, clears],
        `${offset} ${dma}`,
      );
      assertEquals(reasons(test), clears ? ["0 otherStore"] : []);
      assertEquals(storeExclusive(cpu), clears ? 1n : 0n);
    }
  }
});

Deno.test("storeExclusive of one CPU fails the other's that came first", () => {
  const test = mappedCpus({ count: 2 });
  const [cpu, other] = test.cpus as [Cpu, Cpu];
  loadExclusive(cpu);
  loadExclusive(other);
  assertEquals(storeExclusive(other, A, 8, 1n), 0n);
  assertEquals(storeExclusive(cpu, A, 8, 2n), 1n);
  assertEquals(test.word(Number(A)), 1n);
  assertEquals(reasons(test), ["1 storeExclusive", "0 otherStore"]);
});

Deno.test("monitor stays over the CPU's own plain stores", () => {
  const { cpu } = mappedCpus();
  loadExclusive(cpu);
  cpu.store(A, 8, 1n, "normal");
  cpu.store(A + 8n, 8, 1n, "normal");
  assertEquals(storeExclusive(cpu), 0n);
});

Deno.test("monitor tells why it was cleared: CLREX, exception return, a new reservation", () => {
  const test = mappedCpus();
  const { cpu } = test;
  loadExclusive(cpu);
  callHelper(cpu, "clearExclusive", ["clearExclusive"], 0n, 0n);
  callHelper(cpu, "clearExclusive", ["clearExclusive"], 0n, 0n);
  loadExclusive(cpu);
  loadExclusive(cpu, A + 0x100n);
  setRegisters(cpu, { SPSR_EL1: 5n, ELR_EL1: A });
  callHelper(cpu, "exceptionReturn", ["exceptionReturn"], 0n, 0n);
  assertEquals(reasons(test), ["0 clearExclusive", "0 newReservation", "0 exceptionReturn"]);
});

Deno.test("monitor's page is marked while it is open, and the mark goes with the next write", () => {
  const { cpu, cpus } = mappedCpus({ count: 2 });
  const { memory } = cpu.surroundings;
  const page = memory.hostOffset(Number(A) as never) >>> 12;
  const isMarked = () => ((memory.pageFlags[page] as number) & PAGE_MONITORED) !== 0;
  loadExclusive(cpu);
  assertEquals(isMarked(), true);
  (cpus[1] as Cpu).store(A + 0x100n, 8, 0n, "normal");
  assertEquals(isMarked(), true);
  storeExclusive(cpu);
  assertEquals(isMarked(), false);
  // A change of the map: marks may be gone.
  cpu.monitor.restore(true, Number(A), 8);
  assertEquals(isMarked(), true);
  memory.pageFlags[page] = 0;
  memory.mapChanged();
  assertEquals(isMarked(), true);
});

Deno.test("loadExclusive and storeExclusive fault on misalignment whatever the monitor, on pages only when open", () => {
  const { cpu, put } = mappedCpus();
  const syndrome = () => {
    const { pending } = cpu;
    cpu.pending = undefined;
    return pending?.syndrome.toString(16);
  };
  loadExclusive(cpu, A + 4n);
  assertEquals([syndrome(), cpu.monitor.open], ["96000021", false]);
  loadExclusive(cpu, A + 8n, 16);
  assertEquals(syndrome(), "96000021");
  assertEquals([storeExclusive(cpu, A + 4n), syndrome()], [1n, "96000061"]);
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x5000) | PAGE | READ_ONLY);
  assertEquals([storeExclusive(cpu), syndrome()], [1n, undefined]);
  loadExclusive(cpu);
  assertEquals([storeExclusive(cpu), syndrome(), cpu.monitor.open], [1n, "9600004f", true]);
});

Deno.test("loadExclusive and storeExclusive work on devices", () => {
  const { cpu, transfers } = mappedCpus();
  assertEquals(loadExclusive(cpu, BigInt(DEVICE) + 8n, 4), 8n);
  assertEquals(storeExclusive(cpu, BigInt(DEVICE) + 8n, 4, 7n), 0n);
  assertEquals(transfers, [["read", 8, 4, 0], ["write", 8, 4, 7]]);
});

Deno.test("loadExclusive of a big-endian pair keeps the first register first", () => {
  const { cpu, put, word } = mappedCpus();
  put(RAM + 0x5040, 0x1122_3344_5566_7788n);
  put(RAM + 0x3000, 0x887f_0440n); // LDXP W0, W1, [X2]
  for (const at of [LEVEL3 - 0x2000, LEVEL3 - 0x1ff8, LEVEL3 - 0x1000, LEVEL3 + 24, LEVEL3 + 40]) {
    put(at, new DataView(BigUint64Array.of(word(at)).buffer).getBigUint64(0, false));
  }
  setRegisters(cpu, { SCTLR_EL1: register(cpu, "SCTLR_EL1") | (1n << 25n) });
  cpu.registers.pc = BigInt(RAM) + 0x3000n;
  assertEquals(loadExclusive(cpu).toString(16), "4433221188776655");
  assertEquals(storeExclusive(cpu, A, 8, 0x0000_0002_0000_0001n), 0n);
  assertEquals(word(RAM + 0x5040).toString(16), "200000001000000");
});
