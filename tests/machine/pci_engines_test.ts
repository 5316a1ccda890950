/** Guests that read a disk over PCIe, told by MSI-X through GICv2m or ITS, on every engine; QEMU 7.2 runs them alike. */
import { assertEquals } from "@std/assert";
import { Replay } from "../../journal/replay.ts";
import type { ConfigurationInput } from "../../machine/configuration.ts";
import { ENGINES, Machine } from "../../machine/machine.ts";
import { hashOfImage } from "../../machine/storage/image.ts";
import { flatGuest, recordGuest } from "../journal/guest.ts";
import { DATA, DISK, drive, FREE, sectorRead, USED, wide, type Write } from "./devices/pci/board_support.ts";

const STORE = { 1: "strb", 2: "strh", 4: "str" } as const;

/** One instruction after the other for each write. */
function stores(writes: readonly Write[]): string {
  return writes.map(([address, value, size]) =>
    `ldr x1, =0x${address.toString(16)}\n ldr w2, =0x${value.toString(16)}\n ${STORE[size]} w2, [x1]\n`
  ).join("").replaceAll(/(?:.*\n){90}/g, (part) => `${part} b 1f\n .ltorg\n1:\n`);
}

/** Waits, acknowledges, and says Y for each thing that is as it should be. */
function guestOf(
  before: readonly Write[],
  message: { address: number; data: number },
  wait: string,
  interrupt: number,
) {
  const guest = flatGuest(`
        ${stores([...before, ...sectorRead(message)])}
        ${wait}
        .macro  check expected
        mov     w4, #'N'
        mov     w5, #'Y'
        ldr     w6, =\\expected
        cmp     w3, w6
        csel    w4, w5, w4, eq
        str     w4, [x7]
        .endm
        movz    x7, #0x0900, lsl #16
        check   ${interrupt}
        ldr     x1, =0x${(USED + 2).toString(16)}
        ldrh    w3, [x1]
        check   1
        ldr     x1, =0x${DATA.toString(16)}
        ldr     w3, [x1]
        check   0x03030303
        ldr     x0, =0x84000008
        hvc     #0
        b       .
        .ltorg
  `);
  return { ...guest, images: new Map([...guest.images, [hashOfImage(DISK), DISK]]) };
}

const GICD = 0x0800_0000, GICC = 0x0801_0000;

const throughGicV2m = guestOf(
  [
    [GICD, 1, 4],
    [GICC, 1, 4],
    [GICC + 4, 0xff, 4],
    [GICD + 0x108, 1 << 21, 4], // interrupt 85: enabled, edge-triggered, for CPU 0
    [GICD + 0xc14, 0x800, 4],
    [GICD + 0x855, 1, 1],
  ],
  { address: 0x0802_0040, data: 85 },
  "wfi\n movz x1, #0x0801, lsl #16\n ldr w3, [x1, #0xc]\n",
  85,
);

const ITS = 0x0808_0000, GICR = 0x080a_0000, VALID = 1n << 63n;
const [QUEUE, DEVICES, COLLECTIONS, TRANSLATIONS, CONFIGURATION, PENDING] = [1, 2, 3, 4, 5, 8]
  .map((number) => FREE + number * 0x1_0000) as [number, number, number, number, number, number];

/** Event 1 of device 8, which is slot 1, is LPI 8193 in collection 0 of CPU 0. */
const COMMANDS: readonly (readonly bigint[])[] = [
  [9n, 0n, VALID],
  [8n | 8n << 32n, 1n, BigInt(TRANSLATIONS) | VALID],
  [0xan | 8n << 32n, 1n | 8193n << 32n, 0n],
  [5n],
];

const throughIts = guestOf(
  [
    [GICD, 0x13, 4],
    [GICR + 0x14, 0, 4],
    [CONFIGURATION, 0xa1a1, 2],
    ...wide(GICR + 0x70, BigInt(CONFIGURATION | 15)),
    ...wide(GICR + 0x78, BigInt(PENDING)),
    [GICR, 1, 4],
    ...wide(ITS + 0x100, BigInt(DEVICES) | 2n << 8n | VALID),
    ...wide(ITS + 0x108, BigInt(COLLECTIONS) | 2n << 8n | VALID),
    ...wide(ITS + 0x80, BigInt(QUEUE) | VALID),
    [ITS, 1, 4],
    ...COMMANDS.flatMap((words, index) =>
      words.flatMap((word, at) => wide(QUEUE + index * 32 + at * 8, word))
    ),
    [ITS + 0x88, COMMANDS.length * 32, 4],
  ],
  { address: ITS + 0x1_0040, data: 1 },
  `mov x1, #7
   msr ICC_SRE_EL1, x1
   isb
   mov x1, #0xff
   msr ICC_PMR_EL1, x1
   mov x1, #1
   msr ICC_IGRPEN1_EL1, x1
   isb
   wfi
   mrs x3, ICC_IAR1_EL1\n`,
  8193,
);

/** Steps between two snapshots that another machine goes on from. */
const CUT = 37;

for (const [name, guest, gicVersion] of [["GICv2m", throughGicV2m, 2], ["ITS", throughIts, 3]] as const) {
  Deno.test(`a disk on PCIe and its message through the ${name}: equal roots on every engine and across snapshots`, () => {
    const configuration = {
      cpus: 1,
      gicVersion,
      drives: [drive("d0")],
      devices: [{ driver: "virtio-blk-pci", drive: "d0" }],
    } as unknown as ConfigurationInput;
    const { run, console, end } = recordGuest(guest, { machine: configuration });
    assertEquals(console, "YYY");
    let machine = new Machine(run.manifest.configuration, guest.images);
    while (machine.run(machine.instant + CUT).reason === "limit") {
      const snapshot = machine.snapshot();
      machine = new Machine(run.manifest.configuration, guest.images);
      machine.restore(snapshot);
    }
    assertEquals(machine.stateRoot().root, end.stateRoot);
    for (const engine of Object.keys(ENGINES)) {
      const replay = new Replay(run, guest.images, { engine });
      replay.runToEnd();
      assertEquals(replay.rootsChecked, run.roots.length + 1);
    }
  });
}
