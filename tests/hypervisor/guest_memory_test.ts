/** Guest memory through both stages, page by page. */
import { assertEquals } from "@std/assert";
import { INDEX } from "../../machine/cpu/system_register_index.ts";
import { readGuest, translateGuest, writeGuest } from "../../hypervisor/guest_memory.ts";
import { DEVICE_RW, MEMORY_RWX, MEMORY_RX } from "../../hypervisor/stage2_attributes.ts";
import { setRegisters } from "../machine/cpu/access_support.ts";
import { RAM } from "../machine/cpu/support.ts";
import { type MonitoredCpus, monitoredCpus } from "./support.ts";

/** A guest whose stage 1 maps three pages at 2^38 − 0x3000, in another order, of 39 bits; the last is read-only at stage 2. */
function guest(): MonitoredCpus & { put(ipa: number, value: bigint): void } {
  const test = monitoredCpus(), { cpu, stage2 } = test, { memory } = cpu.surroundings;
  stage2.map(cpu, 0, RAM, 0x10000, MEMORY_RWX);
  stage2.protect(cpu, 0x8000, 0x1000, MEMORY_RX);
  stage2.map(cpu, 0x0900_0000, 0x0900_0000, 0x1000, DEVICE_RW);
  const put = (ipa: number, value: bigint): void =>
    memory.view.setBigUint64(memory.hostOffset(RAM + ipa as never, 8), value, true);
  const PAGE = 0x703n;
  put(0x1000 + 255 * 8, 0x2003n);
  put(0x2000 + 511 * 8, 0x3003n);
  for (const [at, page] of [[509, 0x6000n], [510, 0x5000n], [511, 0x8000n]] as const) {
    put(0x3000 + at * 8, page | PAGE);
  }
  put(0x3000, 0x0900_0000n | PAGE);
  setRegisters(cpu, {
    TTBR0_EL1: 0x1000n,
    TCR_EL1: 25n | 1n << 23n | 2n << 32n,
    MAIR_EL1: 0xffn,
    SCTLR_EL1: 0x30d0_0801n,
  });
  return { ...test, put };
}

const START = 2n ** 38n - 0x3000n;

Deno.test("readGuest and writeGuest cross pages, and keep PAR_EL1", () => {
  const { cpu } = guest(), { memory } = cpu.surroundings;
  cpu.registers.system[INDEX.PAR_EL1] = 0x1234n;
  const bytes = Uint8Array.from({ length: 77 }, (_, at) => at * 3 + 1);
  const address = START + 0xfe3n;
  assertEquals(writeGuest(cpu, "s12e1", address, bytes), undefined);
  assertEquals(readGuest(cpu, "s12e1", address, 77), bytes);
  assertEquals(memory.readBytes(RAM + 0x6fe3 as never, 29), bytes.slice(0, 29));
  assertEquals(memory.readBytes(RAM + 0x5000 as never, 48), bytes.slice(29));
  assertEquals(cpu.registers.system[INDEX.PAR_EL1], 0x1234n);
  assertEquals(cpu.pending, undefined);
});

Deno.test("readGuest and writeGuest say where a range ends, and why", () => {
  const { cpu, put } = guest();
  const end = START + 0x3000n;
  // Stage 2 forbids writes of the last page: F, FST permission at level 3, S.
  assertEquals(writeGuest(cpu, "s12e1", START + 0x1ffen, Uint8Array.of(1, 2, 3)), {
    address: START + 0x2000n,
    done: 2,
    par: 0x800n | 1n << 9n | 0b001111n << 1n | 1n,
  });
  // Above: bit 38 is beyond the tables.
  assertEquals(readGuest(cpu, "s12e1", end - 4n, 8), {
    address: end,
    done: 4,
    par: 0x800n | 0b000101n << 1n | 1n,
  });
  // EL0 has nothing there.
  assertEquals(translateGuest(cpu, "s12e0", START), { faulted: true, par: 0x800n | 0b001111n << 1n | 1n });
  assertEquals(translateGuest(cpu, "s12e1", START + 8n), { faulted: false, address: RAM + 0x6008 });
  assertEquals(translateGuest(cpu, "s1e1", START + 8n), { faulted: false, address: 0x6008 });
  // A device is no memory, and a walk that leaves memory is an external abort.
  assertEquals(readGuest(cpu, "s12e1", START + 0x3000n - 0x20_0000n, 4), {
    address: START + 0x3000n - 0x20_0000n,
    done: 0,
    par: undefined,
  });
  put(0x2000 + 511 * 8, 0x0900_0003n);
  assertEquals(translateGuest(cpu, "s12e1", START), { faulted: true, par: undefined });
  assertEquals(cpu.pending, undefined);
});
