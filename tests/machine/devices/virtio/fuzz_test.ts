/** Guests that do anything at all with virtio-mmio: nothing they do is an exception of the host's. */
import { assert, assertEquals } from "@std/assert";
import { VirtioBlock } from "../../../../machine/devices/virtio/block.ts";
import { VirtioConsole } from "../../../../machine/devices/virtio/console.ts";
import type { VirtioModel } from "../../../../machine/devices/virtio/device.ts";
import { VirtioNet } from "../../../../machine/devices/virtio/net.ts";
import { VirtioRng } from "../../../../machine/devices/virtio/rng.ts";
import { Clock } from "../../../../machine/clock.ts";
import { EventHub } from "../../../../machine/events.ts";
import { NetworkBridge } from "../../../../machine/network/bridge.ts";
import { MemoryDisk, RAM, random, REGISTER, Rig } from "./support.ts";

const SEED = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const COUNT = Number(Deno.env.get("FUZZ_COUNT") ?? 10_000);

/** A model, and what comes to it from outside. */
interface Fuzzed {
  readonly model: VirtioModel;
  readonly receive?: (bytes: Uint8Array) => void;
}

function net(): Fuzzed {
  const network = new NetworkBridge({ name: "n", events: new EventHub(new Clock()) });
  const model = new VirtioNet({ network, mac: new Uint8Array(6) });
  return { model, receive: (bytes) => network.deliver(bytes) };
}

function console(): Fuzzed {
  const model = new VirtioConsole({ transmitted: () => {} });
  return { model, receive: (bytes) => model.receive(bytes) };
}

const MODELS: Readonly<Record<string, () => Fuzzed>> = {
  block: () => ({ model: new VirtioBlock({ disk: new MemoryDisk(2 ** 16), serial: "x" }) }),
  net,
  rng: () => ({ model: new VirtioRng({ seed: 0 }) }),
  console,
};

/** Values that mean something more often than chance. */
function value(next: () => number): number {
  const choices = [
    next(),
    next() % 16,
    RAM + next() % 2 ** 20,
    (RAM >>> 12) + next() % 256,
    2 ** (next() % 32),
  ];
  return (choices[next() % choices.length] as number) >>> 0;
}

for (const [name, build] of Object.entries(MODELS)) {
  Deno.test(`VirtioMmio with a ${name} device takes any accesses (seed ${SEED})`, () => {
    for (const version of [1, 2] as const) {
      const next = random(SEED);
      const { model, receive } = build();
      const rig = new Rig(model, version);
      const registers = Object.values(REGISTER);
      let read = 0;
      for (let count = 0; count < COUNT; count++) {
        const size = [4, 4, 4, 2, 1][next() % 5] as number;
        const offset = next() % 4 === 0
          ? next() % (0x200 / size) * size
          : registers[next() % registers.length] as number;
        if (next() % 3 === 0) {
          const got = rig.read(offset, size);
          assert(
            Number.isInteger(got) && got >= 0 && got < 2 ** (size * 8),
            `seed ${SEED}: read ${got} at ${offset}`,
          );
          read++;
        } else {
          rig.write(offset, value(next) % 2 ** (size * 8), size);
        }
        if (next() % 16 === 0) {
          rig.poke(RAM + next() % 0xf_fff0, Uint8Array.of(next(), next(), next(), next()));
        }
        if (next() % 8 === 0) rig.wait();
        if (next() % 64 === 0) receive?.(new Uint8Array(next() % 100));
      }
      assert(read > COUNT / 6);
      const fresh = new Rig(build().model, version);
      fresh.slot.restore(rig.slot.save());
      assertEquals(fresh.slot.save(), rig.slot.save());
    }
  });

  Deno.test(`VirtioMmio with a ${name} device takes any rings (seed ${SEED})`, () => {
    const next = random(SEED ^ 1);
    const { model, receive } = build();
    const rig = new Rig(model, 2);
    let used = 0;
    for (let count = 0; count < COUNT / 10; count++) {
      rig.start(BigInt(next()) | BigInt(next()) << 32n, 1 + next() % 16);
      const queue = next() % rig.slot.core.queues.length;
      for (let index = 0; index < 16; index++) {
        const address = next() % 8 === 0 ? BigInt(value(next)) : BigInt(RAM + 0x4_0000 + next() % 2 ** 18);
        const size = next() % 8 === 0 ? value(next) : 1 + next() % 64 * 8;
        rig.descriptor(
          rig.descriptors(queue),
          index,
          address,
          size,
          next() % 4 === 0 ? next() % 8 : next() % 4,
          next() % 18,
        );
        rig.poke16(rig.available(queue) + 4 + index * 2, next() % 17);
      }
      rig.poke(RAM + 0x4_0000 + next() % 2 ** 18, Uint8Array.from({ length: 64 }, () => next() % 16));
      rig.poke16(rig.available(queue) + 2, next() % 18);
      rig.write(REGISTER.QueueNotify, queue);
      rig.wait();
      receive?.(new Uint8Array(next() % 1600));
      used += rig.usedIndex(queue);
    }
    assert(used > 0, "no chain was ever used");
  });
}
