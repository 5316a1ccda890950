/** A driver of QEMU's NVMe controller that notes all it does and all it sees, in the format of the model's trace. */
import { shortHash } from "../../machine/devices/nvme/trace.ts";
import { contents, RAM, REGISTER } from "../../machine/devices/nvme/support.ts";
import { Qtest } from "./qtest.ts";

const ECAM = 0x40_1000_8000;
const BAR = 0x1000_0000;
/** Admin queues. */
export const ADMIN = { commands: RAM + 0x1_0000, completions: RAM + 0x1_2000, entries: 32 } as const;

/** A queue of commands, and where the driver is in it. */
export interface Commands {
  readonly address: number;
  readonly entries: number;
  tail: number;
  readonly completion: number;
}

/** A queue of completions, and where the driver is in it. */
export interface Completions {
  readonly address: number;
  readonly entries: number;
  head: number;
  phase: number;
}

/** Fields of a command. */
export interface Fields {
  readonly opcode: number;
  readonly flags: number;
  readonly namespace: number;
  readonly prp1: number;
  readonly prp2: number;
  /** Command Dwords 10 and so on. */
  readonly dwords: readonly number[];
}

/** QEMU with a controller in slot 1 whose disk has `contents()`. */
export class NvmeDriver {
  /** The trace. */
  readonly lines: string[] = [];
  /** Queues as far as the driver knows. */
  readonly commands = new Map<number, Commands>();
  readonly completions = new Map<number, Completions>();
  #identifier = 0;

  private constructor(private readonly qtest: Qtest, private readonly folder: string) {}

  /** Starts QEMU and gives the controller its addresses. */
  static async start(): Promise<NvmeDriver> {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/disk.raw`;
    await Deno.writeFile(path, contents());
    const drive = `file=${path},format=raw,if=none,id=d,discard=unmap`;
    const qtest = await Qtest.start(["-M", "virt", "-drive", drive, "-device", "nvme,serial=abc,drive=d"]);
    await qtest.write(ECAM + 0x10, 4, BAR);
    await qtest.write(ECAM + 0x14, 4, 0);
    await qtest.write(ECAM + 4, 2, 6);
    return new NvmeDriver(qtest, folder);
  }

  #note(kind: string, ...values: (number | string)[]): void {
    this.lines.push(
      [kind, ...values.map((value) => typeof value === "string" ? value : value.toString(16))].join(" "),
    );
  }

  /** Writes a register. */
  async write(offset: number, value: number): Promise<void> {
    this.#note("w", offset, value);
    await this.qtest.write(BAR + offset, 4, value);
  }

  /** Reads a register. */
  async read(offset: number): Promise<number> {
    const value = await this.qtest.read(BAR + offset, 4);
    this.#note("r", offset, value);
    return value;
  }

  /** Writes memory. */
  async put(address: number, bytes: Uint8Array): Promise<void> {
    this.#note("W", address, bytes.toHex());
    await this.qtest.command(`write ${address} ${bytes.length} 0x${bytes.toHex()}`);
  }

  /** Clears memory. */
  async clear(address: number, size: number): Promise<void> {
    this.#note("Z", address, size);
    await this.qtest.command(`memset ${address} ${size} 0`);
  }

  /** Looks at memory. */
  async bytes(address: number, size: number): Promise<Uint8Array> {
    const [text = ""] = await this.qtest.command(`read ${address} ${size}`);
    const bytes = Uint8Array.fromHex(text.slice(2));
    this.#note("R", address, size, shortHash(bytes));
    return bytes;
  }

  /** Enables the controller; the queues are new. */
  async enable(configuration: number, sizes: number, commands: number): Promise<void> {
    await this.write(REGISTER.CC, 0);
    await this.clear(ADMIN.completions, ADMIN.entries * 16);
    await this.write(REGISTER.AQA, sizes);
    await this.write(REGISTER.ASQ, commands);
    await this.write(REGISTER.ASQ + 4, 0);
    await this.write(REGISTER.ACQ, ADMIN.completions);
    await this.write(REGISTER.ACQ + 4, 0);
    await this.write(REGISTER.CC, configuration);
    this.commands.clear();
    this.completions.clear();
    this.commands.set(0, { address: ADMIN.commands, entries: ADMIN.entries, tail: 0, completion: 0 });
    this.completions.set(0, { address: ADMIN.completions, entries: ADMIN.entries, head: 0, phase: 1 });
  }

  /** Puts a command into a queue, and rings the doorbell. */
  async submit(queue: number, fields: Fields): Promise<void> {
    const bytes = new Uint8Array(64);
    const view = new DataView(bytes.buffer);
    this.#identifier = (this.#identifier + 1) & 0xffff;
    view.setUint8(0, fields.opcode);
    view.setUint8(1, fields.flags);
    view.setUint16(2, this.#identifier, true);
    view.setUint32(4, fields.namespace, true);
    view.setBigUint64(24, BigInt(fields.prp1), true);
    view.setBigUint64(32, BigInt(fields.prp2), true);
    for (const [index, value] of fields.dwords.entries()) view.setUint32(40 + 4 * index, value, true);
    const place = this.commands.get(queue)!;
    await this.put(place.address + place.tail * 64, bytes);
    place.tail = (place.tail + 1) % place.entries;
    await this.write(0x1000 + 8 * queue, place.tail);
  }

  /** Lets QEMU finish, then takes all completions; looks at every queue. */
  async reap(): Promise<void> {
    this.lines.push("s");
    await this.qtest.rest();
    for (const [id, queue] of this.completions) {
      const bytes = await this.bytes(queue.address, queue.entries * 16);
      let taken = 0;
      for (; taken < queue.entries && (bytes[queue.head * 16 + 14]! & 1) === queue.phase; taken++) {
        queue.head = (queue.head + 1) % queue.entries;
        if (queue.head === 0) queue.phase ^= 1;
      }
      if (taken > 0) await this.write(0x1004 + 8 * id, queue.head);
    }
  }

  /** Ends QEMU. */
  async stop(): Promise<void> {
    await this.qtest.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}
