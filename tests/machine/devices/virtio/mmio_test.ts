/** The virtio-mmio registers of every device, as read on QEMU 7.2, and what drivers do with them. */
import { assertEquals } from "@std/assert";
import { VirtioBlock } from "../../../../machine/devices/virtio/block.ts";
import { VirtioConsole } from "../../../../machine/devices/virtio/console.ts";
import type { VirtioModel } from "../../../../machine/devices/virtio/device.ts";
import { VirtioNet } from "../../../../machine/devices/virtio/net.ts";
import { VirtioRng } from "../../../../machine/devices/virtio/rng.ts";
import { NetworkBridge } from "../../../../machine/network/bridge.ts";
import { assertRoundTrip, by } from "../support.ts";
import { MemoryDisk, RAM, REGISTER, Rig } from "./support.ts";

const MAC = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);

const MODELS: Readonly<Record<string, () => VirtioModel>> = {
  block: () => new VirtioBlock({ disk: new MemoryDisk(2 ** 20), serial: "" }),
  net: () =>
    new VirtioNet({ network: new NetworkBridge({ name: "n", events: undefined as never }), mac: MAC }),
  rng: () => new VirtioRng({ seed: 0 }),
  console: () => new VirtioConsole({ transmitted: () => {} }),
};

/**
 * Features read on QEMU 7.2 with a disk, `-netdev user` and one virtconsole, less what is not here: of all
 * RING_RESET (40); of net CTRL_GUEST_OFFLOADS (2), GSO (6), CTRL_VLAN (19) and GUEST_ANNOUNCE (21); of the console
 * MULTIPORT (1).
 */
// deno-fmt-ignore
const QEMU: readonly [model: string, id: number, legacy: number, low: number, high: number, absent: number, queues: number][] = [
  ["block",   2, 0x31006ed4, 0x30006e54, 0x101, 0,           1],
  ["net",     1, 0x39bf8064, 0x30bf8024, 0x101, 0x0028_0044, 3],
  ["rng",     4, 0x39000000, 0x30000000, 0x101, 0,           1],
  ["console", 3, 0x39000006, 0x30000006, 0x101, 0x2,         2],
];

for (const [name, id, legacy, low, high, absent, queues] of QEMU) {
  Deno.test(`VirtioMmio shows a ${name} device as QEMU does`, () => {
    for (const version of [1, 2] as const) {
      const { read, write } = new Rig((MODELS[name] as () => VirtioModel)(), version);
      assertEquals([read(0), read(4), read(8), read(0xc)], [0x7472_6976, version, id, 0x554d_4551]);
      const halves = [0, 1].map((half) => {
        write(REGISTER.DeviceFeaturesSel, half);
        return read(REGISTER.DeviceFeatures);
      });
      const expected = version === 1 ? [legacy & ~absent, 0] : [low & ~absent, high & ~0x100];
      assertEquals(halves, expected.map((half) => half >>> 0));
      for (let queue = 0; queue < 4; queue++) {
        write(REGISTER.QueueSel, queue);
        assertEquals(read(REGISTER.QueueNumMax), queue < queues ? 1024 : 0);
      }
      assertEquals([read(REGISTER.SHMLenLow), read(REGISTER.SHMLenLow + 4)], [0xffff_ffff, 0xffff_ffff]);
    }
  });
}

/** Bytes of the configuration as read on QEMU 7.2: a disk of 1 MiB. */
const BLOCK_CONFIGURATION = "0008000000000000000000" + "00fe000000" + "0200103f" + "00020000" +
  "0000000000000000" +
  "01000100ffff3f00010000000100" + "0000ffff3f0001000000" + "01";

Deno.test("VirtioMmio shows a disk's configuration as QEMU does, and ones behind its end", () => {
  const { read } = new Rig((MODELS["block"] as () => VirtioModel)());
  const bytes = Array.from({ length: 58 }, (_, index) => read(REGISTER.Config + index, 1));
  const text = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assertEquals(text, `${BLOCK_CONFIGURATION}ff`);
  assertEquals([read(REGISTER.Config, 2), read(REGISTER.Config + 56, 4), read(REGISTER.Config + 57, 2)], [
    0x800,
    0xffff_ffff,
    0xffff,
  ]);
});

Deno.test("VirtioMmio takes accesses of other sizes to the configuration only", () => {
  const { read, write } = new Rig((MODELS["rng"] as () => VirtioModel)());
  assertEquals([read(0, 1), read(0, 2)], [0, 0]);
  write(REGISTER.Status, 1, 1);
  assertEquals(read(REGISTER.Status), 0);
});

Deno.test("VirtioMmio places the areas of a legacy queue by page frame, page size and alignment", () => {
  const { read, write, slot } = new Rig((MODELS["rng"] as () => VirtioModel)());
  write(REGISTER.GuestPageSize, 4096);
  write(REGISTER.QueueNum, 16);
  write(REGISTER.QueueAlign, 256);
  write(REGISTER.QueuePFN, RAM >>> 12);
  assertEquals(read(REGISTER.QueuePFN), RAM >>> 12);
  const { descriptors, driver, device } = slot.core.queues[0]?.addresses ?? {};
  assertEquals([descriptors, driver, device], [BigInt(RAM), BigInt(RAM + 256), BigInt(RAM + 512)]);
  write(REGISTER.QueuePFN, 0);
  assertEquals([read(REGISTER.QueuePFN), read(REGISTER.Status)], [0, 0]);
});

Deno.test("VirtioMmio agrees on no feature that was not offered, nor after FEATURES_OK", () => {
  const { write, slot } = new Rig((MODELS["rng"] as () => VirtioModel)(), 2);
  write(REGISTER.DriverFeatures, 0xffff_ffff);
  write(REGISTER.DriverFeaturesSel, 1);
  write(REGISTER.DriverFeatures, 0xffff_ffff);
  assertEquals(slot.core.driverFeatures, 0n);
  write(REGISTER.Status, 0xb);
  const agreed = slot.core.driverFeatures;
  write(REGISTER.DriverFeatures, 0);
  write(REGISTER.Status, 0xf);
  assertEquals([agreed & ~0x39000000n, slot.core.driverFeatures], [1n << 32n, agreed]);
});

Deno.test("VirtioMmio keeps the interrupt up until it is acknowledged, and resets by a status of 0", () => {
  const rig = new Rig((MODELS["rng"] as () => VirtioModel)());
  const { read, write, line } = rig;
  rig.start();
  rig.submit(0, [rig.output(4)]);
  rig.wait();
  assertEquals([line.level, read(REGISTER.InterruptStatus)], [true, 1]);
  write(REGISTER.InterruptACK, 2);
  assertEquals(line.level, true);
  write(REGISTER.InterruptACK, 1);
  assertEquals([line.level, read(REGISTER.InterruptStatus)], [false, 0]);
  rig.submit(0, [rig.output(4)]);
  rig.wait();
  write(REGISTER.Status, 0);
  assertEquals([line.level, read(REGISTER.Status), read(REGISTER.QueuePFN)], [false, 0, 0]);
});

Deno.test("VirtioMmio forgets what was notified when it is reset before it is done", () => {
  const rig = new Rig((MODELS["rng"] as () => VirtioModel)());
  rig.start();
  rig.submit(0, [rig.output(4)]);
  rig.write(REGISTER.Status, 0);
  rig.wait();
  assertEquals([rig.usedIndex(0), rig.line.level], [0, false]);
});

for (const [name, build] of Object.entries(MODELS)) {
  Deno.test(`VirtioMmio saves and restores a ${name} device that is running`, () => {
    for (const version of [1, 2] as const) {
      const rig = new Rig(build(), version);
      rig.start();
      rig.write(REGISTER.QueueNotify, 0);
      assertRoundTrip(rig.slot, new Rig(build(), version).slot);
      rig.slot.reset();
      assertEquals(rig.slot.save(), new Rig(build(), version).slot.save());
      rig.slot.read(0, 4, by(0));
    }
  });
}
