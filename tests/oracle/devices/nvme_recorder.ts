/** Records what QEMU's NVMe controller answers to commands that are right, nearly right and wrong. */
import { DISK_SIZE, ENABLED, RAM, REGISTER } from "../../machine/devices/nvme/support.ts";
import { ADMIN, type Fields, NvmeDriver } from "./nvme_driver.ts";
import { Random } from "./random.ts";

const PAGE = 4096;
const BLOCKS = DISK_SIZE / 512;
const DATA = RAM + 0x10_0000;
const DATA_PAGES = 200;
const SIZES = ((ADMIN.entries - 1) << 16) | (ADMIN.entries - 1);
const ALL = 0xffff_ffff;
/** The flags of I/O commands that are wrong on QEMU too, which has SGLs for them. */
const FUSED = [1, 2] as const;
/** Of which QEMU does not look at the flags. */
const FLUSH = 0;

/** Features that can be set, and what they are after a reset. */
const DEFAULTS = [[4, 343], [4, 0x10_0000], [5, 0], [6, 1], [0xb, 0]] as const;

/** One recording. */
class Recording {
  constructor(private readonly driver: NvmeDriver, private readonly random: Random) {}

  /** Takes one of `percent` out of a hundred. */
  #rarely(percent: number): boolean {
    return this.random.below(100) < percent;
  }

  #page(): number {
    return DATA + this.random.below(DATA_PAGES) * PAGE;
  }

  #address(): number {
    if (this.#rarely(70)) return this.#page();
    return this.#page() +
      (this.#rarely(85) ? 4 * this.random.below(1024) : this.random.pick([1, 0x800, 0xfff]));
  }

  /** Enables the controller, mostly with a pair of queues. */
  async enable(): Promise<void> {
    const { driver } = this;
    await driver.enable(ENABLED, SIZES, ADMIN.commands);
    if (this.#rarely(20)) return;
    const [completions, commands] = [RAM + 0x4_2000, RAM + 0x6_2000];
    const fields = { flags: 0, namespace: 0, prp2: 0 };
    await driver.submit(0, { ...fields, opcode: 5, prp1: completions, dwords: [1 | 31 << 16, 3] });
    await driver.submit(0, { ...fields, opcode: 1, prp1: commands, dwords: [1 | 31 << 16, 1 | 1 << 16] });
    await driver.clear(completions, 512);
    driver.completions.set(1, { address: completions, entries: 32, head: 0, phase: 1 });
    driver.commands.set(1, { address: commands, entries: 32, tail: 0, completion: 1 });
    await driver.reap();
  }

  /** Something that a driver does, or does wrong. */
  async round(): Promise<void> {
    const kind = this.random.below(100);
    if (kind < 3) return await this.#restart();
    if (kind < 5) return await this.#shutDown();
    if (kind < 7) return await this.#mask();
    if (kind < 9) return await this.#ringWrongly();
    await (kind < 50 ? this.#admin() : this.#inputOutput());
  }

  async #restart(): Promise<void> {
    const { driver, random } = this;
    const configuration = random.pick([
      ENABLED,
      ENABLED,
      ENABLED,
      1,
      0x46_0011,
      0x46_0281,
      0x46_0701,
      0x45_0001,
    ]);
    const sizes = random.pick([SIZES, SIZES, SIZES, 31, 0]);
    await driver.enable(
      configuration,
      sizes,
      random.pick([ADMIN.commands, ADMIN.commands, ADMIN.commands + 0x800]),
    );
    await driver.read(REGISTER.CSTS);
    await this.enable();
    await driver.read(REGISTER.CSTS);
    await this.#forget();
  }

  /** Sets features to their defaults, which a reset does here, and not on QEMU (section 5.21: what is not saved is lost). */
  async #forget(): Promise<void> {
    for (const dwords of DEFAULTS) {
      await this.driver.submit(0, { opcode: 9, flags: 0, namespace: ALL, prp1: 0, prp2: 0, dwords });
      await this.driver.reap();
    }
  }

  async #shutDown(): Promise<void> {
    await this.driver.write(REGISTER.CC, this.random.pick([0x46_4001, ENABLED, 0x46_8001]));
    await this.driver.read(REGISTER.CSTS);
    await this.driver.write(REGISTER.CC, ENABLED);
    await this.driver.read(REGISTER.CSTS);
  }

  async #mask(): Promise<void> {
    const { driver, random } = this;
    await driver.write(random.pick([REGISTER.INTMS, REGISTER.INTMC]), random.pick([1, ALL, 2, 0x8000_0000]));
    await driver.read(REGISTER.INTMS);
    await driver.read(REGISTER.INTMC);
  }

  async #ringWrongly(): Promise<void> {
    const { driver, random } = this;
    await driver.write(0x1000 + 4 * random.pick([40, 100, 128, 129]), random.pick([0, 5, 0xffff]));
    if (this.#rarely(50)) await driver.write(0x1000, random.pick([32, 33, 2000]));
    if (this.#rarely(50)) await driver.write(0x1004, random.pick([32, 33, 2000]));
    await driver.reap();
  }

  /** Fields with what is usual; one in twenty has flags that are not possible. */
  #fields(opcode: number, more: Partial<Fields>, wrong: readonly number[] = [1, 0x40, 0x80]): Fields {
    const flags = this.#rarely(5) ? this.random.pick(wrong) : 0;
    return { opcode, flags, namespace: 0, prp1: 0, prp2: 0, dwords: [], ...more };
  }

  async #admin(): Promise<void> {
    const { random } = this;
    const opcode = random.pick([0, 1, 1, 1, 2, 2, 4, 5, 5, 5, 6, 6, 8, 9, 9, 10, 10, 0xc, 3, 0x7f, 0x10]);
    if (opcode === 5) return await this.#createCompletions();
    if (opcode === 1) return await this.#createCommands();
    if (opcode === 0 || opcode === 4) return await this.#delete(opcode);
    const namespace = random.pick([0, 1, 1, 2, 0x100, 0x101, ALL, ALL - 1]);
    if (opcode === 2 || opcode === 6) return await this.#look(opcode, namespace);
    // deno-fmt-ignore
    const drawn = random.pick([0, 1, 0x41, 0x40, 0x150, 0x10_0150, 0x20_0000, 0x1_0000, 0xffff, ...opcode === 9 ? [0xffff_0000] : []]);
    const feature = random.pick([0, 1, 2, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0x20]);
    const select = opcode === 9
      ? random.pick([0, 0, 0, 0x8000_0000])
      : random.pick([0, 0, 0x100, 0x200, 0x300]);
    // QEMU's defaults: no write cache, though there is one after a reset; some temperature by any threshold.
    const chosen = opcode === 10 && [4, 6].includes(feature) ? 0 : select;
    // Reads of blocks that are deallocated fail on QEMU if asked for, where its disk's file has holes.
    const argument = opcode === 9 && feature === 5 ? drawn & 0xffff : drawn;
    const first = opcode === 8 ? random.pick([0, 1, 2, 9, 65]) | 5 << 16 : (feature | chosen) >>> 0;
    await this.driver.submit(0, this.#fields(opcode, { namespace, dwords: [first, argument] }));
    await this.driver.reap();
  }

  async #createCompletions(): Promise<void> {
    const { driver, random } = this;
    const id = random.pick([1, 2, 3, 4, 0, 65]), last = random.pick([1, 2, 3, 7, 31, 2048, 0]);
    const address = RAM + 0x4_0000 + id * 0x2000 + random.pick([0, 0, 0, 0, 0, 0, 0x800]);
    const flags = random.pick([1, 3, 3, 3, 0]), vector = random.pick([0, 0, 0, 0, 1, 65]);
    const fields = this.#fields(5, { prp1: address, dwords: [id | last << 16, flags | vector << 16] });
    const isRight = id > 0 && id < 65 && last > 0 && last < 2048 && address % PAGE === 0 && vector === 0 &&
      (flags & 1) !== 0 && fields.flags === 0 && !driver.completions.has(id);
    await driver.submit(0, fields);
    if (isRight) {
      await driver.clear(address, (last + 1) * 16);
      driver.completions.set(id, { address, entries: last + 1, head: 0, phase: 1 });
    }
    await driver.reap();
  }

  async #createCommands(): Promise<void> {
    const { driver, random } = this;
    const id = random.pick([1, 2, 3, 4, 0, 65]), last = random.pick([1, 2, 3, 7, 31, 63, 2048, 0]);
    const address = RAM + 0x6_0000 + id * 0x2000 + random.pick([0, 0, 0, 0, 0, 0, 0x800]);
    const flags = random.pick([1, 1, 1, 0]), completion = random.pick([1, 2, 3, 4, 0, 65]);
    const fields = this.#fields(1, { prp1: address, dwords: [id | last << 16, flags | completion << 16] });
    const isRight = id > 0 && id < 65 && last > 0 && last < 2048 && address % PAGE === 0 && flags === 1 &&
      completion > 0 && fields.flags === 0 && driver.completions.has(completion) && !driver.commands.has(id);
    await driver.submit(0, fields);
    if (isRight) driver.commands.set(id, { address, entries: last + 1, tail: 0, completion });
    await driver.reap();
  }

  async #delete(opcode: number): Promise<void> {
    const { driver, random } = this;
    const id = random.pick([1, 2, 3, 4, 0, 65]);
    const fields = this.#fields(opcode, { dwords: [id] });
    const isUsed = [...driver.commands.values()].some(({ completion }) => completion === id);
    await driver.submit(0, fields);
    await driver.reap();
    if (fields.flags !== 0 || id === 0) return;
    if (opcode === 0) driver.commands.delete(id);
    else if (!isUsed) driver.completions.delete(id);
  }

  /** Get Log Page and Identify; what differs by intention is not looked at. */
  async #look(opcode: number, namespace: number): Promise<void> {
    const { driver, random } = this;
    const prp1 = this.#address(), prp2 = this.#address();
    const page = random.pick([1, 2, 3, 3, 0, 6]);
    const length = random.pick([3, 15, 127, 127, 1023, 200_000]);
    const offset = random.pick([0, 0, 0, 4, 60, 64, 508, 512, 3]);
    const retains = random.pick([0, 0x8000]);
    const structure = random.pick([0, 0, 2, 2, 3, 3, 4, 0x20, 0xff]);
    const dwords = opcode === 2
      ? [(page | retains | length << 16) >>> 0, length >>> 16, offset]
      : [structure];
    // The health of namespace 0 is asked for of nobody; of namespace 1, formats are fewer here.
    const isOdd = opcode === 2 ? namespace === 0 : structure === 0 && namespace === 1;
    await driver.submit(0, this.#fields(opcode, { namespace: isOdd ? 2 : namespace, prp1, prp2, dwords }));
    await driver.reap();
    // QEMU counts commands on its way to the disk; here those that the specification counts.
    const isHealth = opcode === 2 && page === 2;
    for (const address of [prp1, prp2].map((address) => address - address % PAGE)) {
      await (isHealth ? driver.clear(address, PAGE) : driver.bytes(address, PAGE));
    }
  }

  async #inputOutput(): Promise<void> {
    const { driver, random } = this;
    const ids = [...driver.commands.keys()].filter((id) => id > 0);
    if (ids.length === 0) return;
    const id = random.pick(ids);
    const touched: number[] = [];
    // One at a time: of several, QEMU completes first what its disk is not asked for.
    await driver.submit(id, await this.#transfer(touched));
    await driver.reap();
    for (const address of touched.slice(0, 12)) await driver.bytes(address - address % PAGE, PAGE);
  }

  /** A command with its data, whose pages are added to `touched`. */
  async #transfer(touched: number[]): Promise<Fields> {
    const { random } = this;
    const opcode = random.pick([1, 1, 1, 2, 2, 2, 2, 0, 8, 9, 5, 0x7f, 3]);
    const namespace = this.#rarely(80) ? 1 : random.pick([0, 2, 257, ALL]);
    if (opcode === 9) return await this.#deallocation(namespace);
    const count = random.pick([1, 1, 2, 7, 8, 9, 16, 17, 32, 100, 255, 1024, 1025]);
    const first = random.pick([
      random.below(BLOCKS),
      random.below(BLOCKS),
      0,
      BLOCKS - 1,
      BLOCKS - 8,
      BLOCKS,
      ALL,
    ]);
    const high = this.#rarely(5) ? random.pick([1, ALL]) : 0;
    const prp1 = this.#address();
    const behind = count * 512 - (PAGE - prp1 % PAGE);
    const prp2 = behind > PAGE ? await this.#list(behind, touched) : this.#address();
    touched.push(prp1, prp2);
    const forced = this.#rarely(25) ? 1 << 30 : 0;
    return this.#fields(
      opcode,
      { namespace, prp1, prp2, dwords: [first, high, (count - 1) | forced] },
      opcode === FLUSH ? [0] : FUSED,
    );
  }

  async #deallocation(namespace: number): Promise<Fields> {
    const { driver, random } = this;
    const prp1 = this.#page(), count = 1 + random.below(3);
    const ranges = new Uint32Array(4 * count);
    for (let at = 0; at < ranges.length; at += 4) {
      ranges[at + 1] = random.pick([0, 1, 8, 200, 500]);
      ranges[at + 2] = random.below(BLOCKS - 500);
    }
    await driver.put(prp1, new Uint8Array(ranges.buffer));
    return this.#fields(9, { namespace, prp1, dwords: [count - 1, random.pick([4, 4, 4, 0, 1])] }, FUSED);
  }

  /** A list of pages for `length` bytes, now and then with an entry that is not aligned. */
  async #list(length: number, touched: number[]): Promise<number> {
    const { driver, random } = this;
    const list = this.#page() + random.pick([0, 0, 0, 8 * 510, 8 * 511, 8 * 500, 0x10]);
    for (let at = list, left = length; left > 0; at += 8) {
      const isLink = at % PAGE === PAGE - 8 && left > PAGE;
      const entry = this.#page() + (this.#rarely(2) ? random.pick([4, 0x200]) : 0);
      await driver.put(at, new Uint8Array(BigUint64Array.of(BigInt(entry)).buffer));
      if (isLink && entry % PAGE !== 0) break;
      if (isLink) at = entry - 8;
      else {
        touched.push(entry);
        left -= PAGE;
      }
    }
    return list;
  }
}

/** Records a trace; the same seed gives the same driver. */
export async function recordNvmeTrace(seed: number, rounds: number): Promise<string[]> {
  const driver = await NvmeDriver.start();
  const recording = new Recording(driver, new Random(seed));
  await recording.enable();
  for (let round = 0; round < rounds; round++) await recording.round();
  await driver.stop();
  return [`# QEMU 7.2.22, -device nvme; seed ${seed}, ${rounds} rounds`, ...driver.lines];
}
