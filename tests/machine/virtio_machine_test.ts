/** A guest that drives a disk, entropy and a network card by virtio-mmio: one end on every engine, and by any way there. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../machine/errors.ts";
import type { ConfigurationInput } from "../../machine/configuration.ts";
import { ENGINES, Machine } from "../../machine/machine.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";
import type { DeviceConfiguration, DeviceDriver } from "../../machine/peripheral_configuration.ts";
import { flatGuest } from "../journal/guest.ts";

const RING = 0x4100_0000;
const FRAME = Uint8Array.from({ length: 60 }, (_, index) => index < 6 ? 0xff : index);

/** Copies sector 1 to sector 2 and flushes; takes 32 random bytes; waits for a frame and sends it back. */
const SOURCE = `
        .equ    BLOCK, 0x0a003e00
        .equ    RNG,   0x0a003c00
        .equ    NET,   0x0a003a00
        .equ    RING,  ${RING}
        // setUp SLOT, QUEUE, RING: a legacy queue of 8, placed at RING.
        .macro  setUp slot, queue, ring
        ldr     x0, =\\slot
        mov     w1, #3
        str     w1, [x0, #0x70]
        mov     w1, #4096
        str     w1, [x0, #0x28]
        mov     w1, #\\queue
        str     w1, [x0, #0x30]
        mov     w1, #8
        str     w1, [x0, #0x38]
        mov     w1, #4096
        str     w1, [x0, #0x3c]
        ldr     w1, =((\\ring) >> 12)
        str     w1, [x0, #0x40]
        mov     w1, #7
        str     w1, [x0, #0x70]
        .endm
        // describe RING, NUMBER, ADDRESS, SIZE, FLAGS: the next one follows.
        .macro  describe ring, number, address, size, flags
        ldr     x0, =((\\ring) + 16 * \\number)
        ldr     x1, =(\\address)
        str     x1, [x0]
        ldr     x1, =(\\size | (\\flags << 32) | ((\\number + 1) << 48))
        str     x1, [x0, #8]
        .endm
        // offer SLOT, QUEUE, RING, COUNT: makes descriptor 0 available for the COUNTth time and waits until it is used.
        .macro  offer slot, queue, ring, count
        ldr     x0, =((\\ring) + 0x82)
        mov     w1, #\\count
        strh    w1, [x0]
        ldr     x0, =\\slot
        mov     w1, #\\queue
        str     w1, [x0, #0x50]
        ldr     x0, =((\\ring) + 0x1002)
wait\\@: ldrh    w1, [x0]
        cmp     w1, #\\count
        b.ne    wait\\@
        .endm

        setUp   BLOCK, 0, RING
        describe RING, 0, RING + 0x2000, 16, 1
        describe RING, 1, RING + 0x3000, 512, 3
        describe RING, 2, RING + 0x2100, 1, 2
        ldr     x0, =(RING + 0x2000)
        mov     x1, #1
        str     x1, [x0, #8]
        offer   BLOCK, 0, RING, 1
        describe RING, 1, RING + 0x3000, 512, 1
        ldr     x0, =(RING + 0x2000)
        mov     x1, #1
        str     x1, [x0]
        mov     x1, #2
        str     x1, [x0, #8]
        offer   BLOCK, 0, RING, 2
        ldr     x0, =(RING + 0x2000)
        mov     x1, #4
        str     x1, [x0]
        describe RING, 0, RING + 0x2000, 16, 1
        describe RING, 1, RING + 0x2100, 1, 2
        offer   BLOCK, 0, RING, 3

        setUp   RNG, 0, RING + 0x10000
        describe RING + 0x10000, 0, RING + 0x3200, 32, 2
        offer   RNG, 0, RING + 0x10000, 1

        setUp   NET, 1, RING + 0x20000
        setUp   NET, 0, RING + 0x30000
        describe RING + 0x30000, 0, RING + 0x4000, 1600, 2
        offer   NET, 0, RING + 0x30000, 1
        describe RING + 0x20000, 0, RING + 0x4000, 70, 0
        offer   NET, 1, RING + 0x20000, 1

        ldr     w0, =0x84000008
        hvc     #0
        .ltorg
`;

const image = new MemoryImage(Uint8Array.from({ length: 8192 }, (_, index) => index % 251));
const sha256 = hashOfImage(image);
const guest = flatGuest(SOURCE);
const images = new Map([...guest.images, [sha256, image] as const]);

function device(driver: DeviceDriver, more: Partial<DeviceConfiguration> = {}): DeviceConfiguration {
  const nothing = { id: undefined, drive: undefined, netdev: undefined, mac: undefined, serial: undefined };
  return { driver, ...nothing, slot: undefined, bootIndex: undefined, ...more };
}

const configuration: ConfigurationInput = {
  memoryMiB: 64,
  drives: [{ id: "d0", image: { sha256, size: image.size, name: "" }, readOnly: false }],
  networks: [{ kind: "bridge", id: "n0" }],
  devices: [
    device("virtio-blk-device", { drive: "d0" }),
    device("virtio-rng-device"),
    device("virtio-net-device", { netdev: "n0" }),
  ],
};

function build(engine: string): { machine: Machine; sent: Uint8Array[] } {
  const machine = new Machine(guest.configuration(configuration), images, { engine });
  const sent: Uint8Array[] = [];
  machine.board.events.add({
    classes: ["detail"],
    observe: (event) => void (event.kind === "networkFrameTransmitted" && sent.push(event.bytes)),
  });
  return { machine, sent };
}

const INPUT = { kind: "networkFrameReceived", network: "n0", bytes: FRAME } as const;
/** By then the guest waits for its frame. */
const ARRIVAL = 20_000;

function finish(machine: Machine): void {
  if (machine.instant < ARRIVAL) assertEquals(machine.run(ARRIVAL).reason, "limit");
  if (machine.instant === ARRIVAL) machine.submit(INPUT);
  assertEquals(machine.run(100_000).reason, "poweredOff");
}

for (const engine of Object.keys(ENGINES)) {
  Deno.test(`Machine runs a guest's disk, entropy and network requests on the ${engine} engine`, () => {
    const { machine, sent } = build(engine);
    finish(machine);
    const disk = machine.board.disks.get("d0");
    assertEquals(disk?.peek(1024, 512, true), image.chunk(0).slice(512, 1024));
    assertEquals(sent, [FRAME]);
    const { root } = machine.stateRoot();
    const { machine: other } = build("threaded");
    finish(other);
    assertEquals([other.instant, other.stateRoot().root], [machine.instant, root]);
  });
}

Deno.test("Machine goes on from any point of a virtio request as if it had not stopped", () => {
  const whole = build("threaded").machine;
  finish(whole);
  let pending = 0;
  for (let at = 50; at < whole.instant; at += 1499) {
    const { machine } = build("threaded");
    machine.run(Math.min(at, ARRIVAL));
    if (at > ARRIVAL) {
      machine.submit(INPUT);
      machine.run(at);
    }
    if (Number.isFinite(machine.board.clock.earliestDeadline)) pending++;
    const restored = build("threaded").machine;
    restored.restore(machine.snapshot());
    assertEquals(restored.stateRoot().root, machine.stateRoot().root, `at ${at}`);
    finish(restored);
    assertEquals(restored.stateRoot().root, whole.stateRoot().root, `from ${at}`);
  }
  assert(pending > 3, `${pending} requests were in flight`);
});

/** Configurations that cannot be built. */
// deno-fmt-ignore
const REFUSED: readonly [string, ConfigurationInput, string][] = [
  ["a card without a network",     { devices: [device("virtio-net-device")] },                             "give it netdev=ID"],
  ["a card in no network",         { devices: [device("virtio-net-pci", { netdev: "x" })] },               'there is no network "x"'],
  ["a network without a card",     { networks: [{ kind: "bridge", id: "n" }] },                            'Network "n" has no card'],
  ["two cards in one network",     { networks: [{ kind: "bridge", id: "n" }], devices: [device("virtio-net-pci", { netdev: "n" }), device("virtio-net-device", { netdev: "n" })] }, "has it"],
  ["more than 32 slots",           { devices: Array.from({ length: 33 }, () => device("virtio-rng-device")) }, "all 32 virtio-mmio slots are taken"],
  ["a terminal without a console", { consoleInput: "virtio" },                                             "add -device virtio-serial-pci"],
  ["the name of something else",   { devices: [device("virtio-rng-pci", { id: "clock" })] },               "id=clock"],
];

for (const [what, input, why] of REFUSED) {
  Deno.test(`Machine refuses ${what}`, () => {
    assertThrows(() => new Machine(guest.configuration(input), images), ConfigurationError, why);
  });
}

Deno.test("Machine fills virtio-mmio slots from the last, and numbers addresses of cards, as QEMU does", () => {
  const networks = ["a", "b", "c"].map((id) => ({ kind: "bridge" as const, id }));
  const cards = networks.map(({ id }) =>
    device("virtio-net-device", { netdev: id, mac: id === "b" ? "02:00:00:00:00:01" : undefined })
  );
  const { board } = new Machine(guest.configuration({ networks, devices: cards }), images);
  const context = { cpu: 0, secure: false };
  const found = [31, 30, 29, 28].map((number) => {
    const target = board.memory.target(0x0a00_0000 + number * 0x200 as never, false);
    if (target?.kind !== "device") return undefined;
    return [8, 0x105].map((offset) => target.device.read(offset, offset === 8 ? 4 : 1, context));
  });
  assertEquals(found, [[1, 0x56], [1, 0x01], [1, 0x57], [0, 0]]);
});
