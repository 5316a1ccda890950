/** An NVMe controller on a bus that is none, with a driver's half of its queues. */
import { physicalAddress } from "../../../../machine/address.ts";
import { Clock, NO_DEADLINE } from "../../../../machine/clock.ts";
import { nvmeFunction } from "../../../../machine/devices/nvme/pci.ts";
import type { PciFunction } from "../../../../machine/devices/pci/function.ts";
import { NvmeController } from "../../../../machine/devices/nvme/controller.ts";
import type { Message } from "../../../../machine/devices/pci/msix.ts";
import { EventHub } from "../../../../machine/events.ts";
import { PhysicalMemory } from "../../../../machine/memory/physical.ts";
import type { DiskImage } from "../../../../machine/storage/block.ts";
import { Disk } from "../../../../machine/storage/disk.ts";
import { MemoryImage } from "../../../../machine/storage/image.ts";

export const RAM = 0x4000_0000;
export const RAM_SIZE = 16 * 2 ** 20;
export const DISK_SIZE = 2 ** 20;
const BAR = 0x1000_0000;
export const REGISTER = {
  CAP: 0,
  VS: 8,
  INTMS: 0xc,
  INTMC: 0x10,
  CC: 0x14,
  CSTS: 0x1c,
  AQA: 0x24,
  ASQ: 0x28,
  ACQ: 0x30,
};
/** Enabled, with entries of 64 and 16 bytes. */
export const ENABLED = 0x46_0001;
const ENTRIES = 32;

/** Contents of the disk. */
export function contents(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: DISK_SIZE }, (_, at) => (at * 7 + (at >> 9)) & 0xff);
}

/** What a completion says. */
export interface Completion {
  readonly result: number;
  readonly head: number;
  readonly queue: number;
  readonly identifier: number;
  readonly status: number;
}

/** Fields of a command that are not zero. */
export interface CommandFields {
  readonly opcode: number;
  readonly namespace?: number;
  readonly prp1?: number;
  readonly prp2?: number;
  readonly dwords?: readonly number[];
  readonly flags?: number;
}

/** A controller with 16 MiB of RAM and 1 MiB of disk. */
export class Rig {
  readonly clock = new Clock();
  readonly events = new EventHub(this.clock);
  readonly memory = new PhysicalMemory(0, RAM_SIZE);
  readonly disk: Disk;
  readonly controller: NvmeController<PciFunction>;
  /** Messages sent, and the level of the interrupt pin. */
  readonly messages: Message[] = [];
  interrupt = false;
  #identifier = 0;
  readonly #tails = new Map<number, number>();
  readonly #heads = new Map<number, { head: number; phase: number }>();

  constructor(readOnly = false, image: DiskImage = new MemoryImage(contents())) {
    const { clock, events, memory } = this;
    memory.addRegion("ram", physicalAddress(RAM), RAM_SIZE);
    this.disk = new Disk({ name: "d", image, readOnly, events });
    const options = { name: "nvme", serial: "abc", disk: this.disk, clock, events, memory };
    this.controller = new NvmeController(options, (registers) => nvmeFunction(options, registers));
    this.controller.port.plug({
      setInterrupt: (_pin, level) => void (this.interrupt = level),
      send: (_device, message) => void this.messages.push(message),
    });
    this.controller.reset();
    this.controller.port.reset();
    this.controller.port.writeConfig(0x10, 4, BAR);
    this.controller.port.writeConfig(4, 2, 6);
  }

  read(offset: number, size = 4): number {
    return this.controller.port.read(false, BAR + offset, size) as number;
  }

  write(offset: number, value: number, size = 4): void {
    this.controller.port.write(false, BAR + offset, size, value);
  }

  bytes(address: number, size: number): Uint8Array<ArrayBuffer> {
    return this.memory.readBytes(physicalAddress(address), size);
  }

  put(address: number, bytes: Uint8Array): void {
    this.memory.writeBytes(physicalAddress(address), bytes);
  }

  /** Lets time pass until nothing is due. */
  settle(): void {
    while (this.clock.earliestDeadline !== NO_DEADLINE) this.step();
  }

  /** Lets time pass to the next alarm. */
  step(): void {
    this.clock.skipTo(this.clock.earliestDeadline);
    this.clock.serveAlarms();
  }

  /** Where the entries of a queue are. */
  place(kind: "commands" | "completions", queue: number): number {
    return RAM + 0x10_0000 + queue * 0x1_0000 + (kind === "commands" ? 0 : 0x8000);
  }

  /** Enables the controller with admin queues of 32 entries. */
  enable(): void {
    this.write(REGISTER.CC, 0);
    this.write(REGISTER.AQA, ((ENTRIES - 1) << 16) | (ENTRIES - 1));
    this.write(REGISTER.ASQ, this.place("commands", 0));
    this.write(REGISTER.ACQ, this.place("completions", 0));
    this.write(REGISTER.CC, ENABLED);
    this.#forget(0);
  }

  #forget(queue: number): void {
    this.#tails.set(queue, 0);
    this.#heads.set(queue, { head: 0, phase: 1 });
    this.put(this.place("completions", queue), new Uint8Array(ENTRIES * 16));
  }

  /** Creates a pair of I/O queues of 32 entries. */
  createQueues(queue: number, vector = 0): void {
    const number = queue | (ENTRIES - 1) << 16;
    this.run({ opcode: 5, prp1: this.place("completions", queue), dwords: [number, 3 | vector << 16] });
    this.run({ opcode: 1, prp1: this.place("commands", queue), dwords: [number, 1 | queue << 16] });
    this.#forget(queue);
  }

  /** Puts a command into a queue and rings the doorbell; returns its identifier. */
  submit(
    { opcode, flags = 0, namespace = 0, prp1 = 0, prp2 = 0, dwords = [] }: CommandFields,
    queue = 0,
  ): number {
    const bytes = new Uint8Array(64);
    const view = new DataView(bytes.buffer);
    const identifier = this.#identifier = (this.#identifier + 1) & 0xffff;
    view.setUint8(0, opcode);
    view.setUint8(1, flags);
    view.setUint16(2, identifier, true);
    view.setUint32(4, namespace, true);
    view.setBigUint64(24, BigInt(prp1), true);
    view.setBigUint64(32, BigInt(prp2), true);
    for (const [index, value] of dwords.entries()) view.setUint32(40 + index * 4, value, true);
    const tail = this.#tails.get(queue) ?? 0;
    this.put(this.place("commands", queue) + tail * 64, bytes);
    this.#tails.set(queue, (tail + 1) % ENTRIES);
    this.write(0x1000 + 8 * queue, (tail + 1) % ENTRIES);
    return identifier;
  }

  /** Takes the completions there are. */
  reap(queue = 0): Completion[] {
    const completions: Completion[] = [];
    const place = this.#heads.get(queue) ?? { head: 0, phase: 1 };
    for (;;) {
      const view = new DataView(this.bytes(this.place("completions", queue) + place.head * 16, 16).buffer);
      const status = view.getUint16(14, true);
      if ((status & 1) !== place.phase) break;
      place.head = (place.head + 1) % ENTRIES;
      if (place.head === 0) place.phase ^= 1;
      const [result, head, from, identifier] = [
        view.getUint32(0, true),
        view.getUint16(8, true),
        view.getUint16(10, true),
        view.getUint16(12, true),
      ];
      completions.push({ result, head, queue: from, identifier, status: status >>> 1 });
    }
    if (completions.length > 0) this.write(0x1004 + 8 * queue, place.head);
    return completions;
  }

  /** Carries out one command. */
  run(command: CommandFields, queue = 0): Completion {
    this.submit(command, queue);
    this.settle();
    return this.reap(queue).at(-1) as Completion;
  }
}

/** Where tests put data, sizes, and the fields of a command that say which blocks. */
export const DATA = RAM + 0x80_0000;
export const PAGE = 4096;
export const BLOCK = 512;

/** A controller with a pair of I/O queues. */
export function ready(...options: ConstructorParameters<typeof Rig>): Rig {
  const rig = new Rig(...options);
  rig.enable();
  rig.createQueues(1);
  return rig;
}

export const blocks = (first: number, count: number, more = 0) => [first, 0, (count - 1) | more];
