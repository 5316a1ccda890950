/** The fw_cfg device: items, selectors and what is refused. */
import { assertEquals, assertThrows } from "@std/assert";
import { physicalAddress } from "../../../machine/address.ts";
import { Clock } from "../../../machine/clock.ts";
import { Dma } from "../../../machine/devices/dma.ts";
import { EventHub, type MachineEvent } from "../../../machine/events.ts";
import { FwCfg, type FwCfgItem } from "../../../machine/devices/fw_cfg.ts";
import { PhysicalMemory } from "../../../machine/memory/physical.ts";
import { randomNumbers } from "../a64/random_words.ts";
import { assertRoundTrip, registersOf } from "./support.ts";

const RAM = physicalAddress(0x4100_0000);
const RAM_SIZE = 0x1_0000;

const file = (name: string, text: string): FwCfgItem => ({
  file: name,
  bytes: new TextEncoder().encode(text),
});

function build(items: readonly FwCfgItem[] = []) {
  const memory = new PhysicalMemory(0, 2 * RAM_SIZE);
  memory.addRegion("ram", RAM, RAM_SIZE);
  memory.addRegion("secret", physicalAddress(0x5000_0000), RAM_SIZE, { secureOnly: true });
  const events = new EventHub(new Clock()), told: MachineEvent[] = [];
  events.add({ classes: ["detail"], observe: (event) => void told.push(event) });
  const device = new FwCfg({ name: "fwCfg", dma: new Dma("fwCfg", memory, events), items });
  return { device, memory, told, ...registersOf(device) };
}

Deno.test("FwCfg serves items by selector, the first byte at the lowest address, zeros after the end", () => {
  const { read, write } = build([{ selector: 5, bytes: Uint8Array.of(4, 0, 9) }]);
  assertEquals(read(0), 0x554d4551, "selector 0 at reset: QEMU");
  write(8, 0x0500, 2);
  assertEquals([read(0, 2), read(0), read(0, 1)], [4, 9, 0]);
  write(8, 0x0100, 2);
  assertEquals(read(0), 3, "traditional interface and DMA");
});

Deno.test("FwCfg takes selectors as two bytes only", () => {
  const { read, write } = build();
  write(8, 0x0100, 4);
  write(8, 0x01, 1);
  assertEquals([read(0), read(8), read(8, 2)], [0x554d4551, 0, 0]);
});

Deno.test("FwCfg reads QEMU CFG at its DMA register", () => {
  const { read } = build();
  assertEquals([read(16), read(20), read(18, 2), read(23, 1)], [0x554d4551, 0x47464320, 0x554d, 0x47]);
});

Deno.test("FwCfg refuses items that collide", () => {
  assertThrows(() => build([{ selector: 0, bytes: new Uint8Array(1) }]), RangeError, "0x0: it is taken");
  assertThrows(() => build([file("a", "1"), file("a", "2")]), RangeError, '"a"');
  assertThrows(() => build([file("n".repeat(56), "1")]), RangeError, "55 bytes");
  assertThrows(() => build(Array.from({ length: 33 }, (_, n) => file(`f${n}`, ""))), RangeError, "33");
});

Deno.test("FwCfg restores selection, position and half a DMA address", () => {
  const { device, read, write } = build([{ selector: 5, bytes: Uint8Array.of(1, 2, 3) }]);
  write(8, 0x0500, 2);
  read(0, 1);
  write(16, 0x1234_5678);
  const { device: other, read: readOther } = build([{ selector: 5, bytes: Uint8Array.of(1, 2, 3) }]);
  assertRoundTrip(device, other);
  assertEquals(readOther(0, 1), 2);
});

const swap = (value: number): number => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value >>> 0);
  return view.getUint32(0, true);
};

/** Puts a DMA request at the start of RAM and starts it; gives its control word afterwards. */
function transfer(
  { memory, write }: ReturnType<typeof build>,
  control: number,
  length: number,
  address: number,
): number {
  const request = new DataView(new ArrayBuffer(16));
  [control, length, Math.floor(address / 2 ** 32), address].forEach((word, index) =>
    request.setUint32(4 * index, word >>> 0)
  );
  memory.writeBytes(RAM, new Uint8Array(request.buffer));
  write(16, 0);
  write(20, swap(RAM));
  return new DataView(memory.readByDevice(RAM, 4).buffer).getUint32(0);
}

Deno.test("FwCfg copies items to memory and tells of it", () => {
  const side = build([{ selector: 0x20, bytes: Uint8Array.of(1, 2, 3) }]);
  assertEquals(transfer(side, 0x20 << 16 | 8 | 2, 5, RAM + 64), 0);
  assertEquals([...side.memory.readByDevice(physicalAddress(RAM + 63), 7)], [0, 1, 2, 3, 0, 0, 0]);
  assertEquals(
    side.told.map((
      event,
    ) => [event.kind, "address" in event ? event.address : 0, "size" in event ? event.size : 0]),
    [
      ["memoryReadByDevice", RAM, 16],
      ["memoryWrittenByDevice", RAM + 64, 5],
      ["memoryWrittenByDevice", RAM, 4],
    ],
  );
});

Deno.test("FwCfg fails to copy where there is no memory, or none for it, and to write", () => {
  const side = build([{ selector: 0x20, bytes: Uint8Array.of(1, 2, 3) }]);
  const select = 0x20 << 16 | 8;
  assertEquals(transfer(side, select | 2, 3, 0x9000_0000), 1);
  assertEquals(transfer(side, select | 2, 3, 2 ** 63), 1);
  assertEquals(transfer(side, select | 2, 3, 0x5000_0000), 1);
  assertEquals(transfer(side, select | 16, 3, RAM + 64), 1);
  assertEquals(transfer(side, select | 4, 2, 0), 0);
  assertEquals(side.read(0, 1), 3);
});

Deno.test("FwCfg bears 100000 random accesses and requests", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number, next = randomNumbers(seed);
  const items = [{ selector: 5, bytes: Uint8Array.of(4, 0) }, file("opt/a", "hello")];
  const side = build(items), other = build(items).device;
  for (let index = 0; index < 100_000; index++) {
    const kind = next() >>> 8, size = [1, 2, 4][kind % 3] as number;
    const offset = (next() >>> 8 & 31) & -size, value = next() >>> 0;
    if ((kind & 7) === 0) {
      const address = kind & 8 ? RAM + (value & 0xffff) : value * (kind & 0xfffff);
      transfer(side, next(), next() >>> (kind >>> 5 & 31), address);
    } else if (kind & 16) side.write(offset, size === 4 ? value : value % 2 ** (8 * size), size);
    else {
      const got = side.read(offset, size);
      assertEquals(got >= 0 && got < 2 ** (8 * size), true, `seed ${seed}, access ${index}: ${got}`);
    }
    side.told.length = 0;
    if (index % 10_000 > 0) continue;
    other.restore(side.device.save());
    assertEquals(other.save(), side.device.save(), `seed ${seed}, access ${index}`);
  }
});
