/** Random accesses of several CPUs at EL3 to a GICv3, on QEMU and on our machine: what each gives must be the same. */
import { assertEquals } from "@std/assert";
import { encodingOfSystemRegister } from "../../../machine/a64/system_names.ts";
import { physicalAddress } from "../../../machine/address.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";
import { assembleRunner, onQemu, RUNNER, type RunnerAccess, TABLE, tableOf } from "./access_runner.ts";
import { Random } from "./random.ts";
import { sha256 } from "../system/machines.ts";

const CPUS = 4;
const GICD = 0x0800_0000, GICR = 0x080a_0000, SGI_FRAME = 0x1_0000, REDISTRIBUTOR = 0x2_0000;
const SHARED = [33, 40, 64, 200];
const PRIVATE = [0, 1, 7, 8, 15, 20, 22];

const frameOf = (cpu: number): number => GICR + cpu * REDISTRIBUTOR + SGI_FRAME;

/** Accesses of one CPU. */
function by(cpu: number, secure: boolean) {
  const bus = (kind: "read" | "write", address: number, value: number, size: number): RunnerAccess => ({
    kind,
    cpu,
    secure,
    size,
    address,
    value: value >>> 0,
  });
  const instruction = (word: number, operand: bigint | number): RunnerAccess => ({
    kind: "execute",
    cpu,
    secure: true,
    size: 4,
    address: operand,
    value: word >>> 0,
  });
  const encoded = (name: string): number => (encodingOfSystemRegister(name) as number) << 5;
  return {
    read: (address: number, size = 4) => bus("read", address, 0, size),
    write: (address: number, value: number, size = 4) => bus("write", address, value, size),
    mrs: (name: string) => instruction(0xd520_0000 | encoded(name), 0),
    msr: (name: string, value: bigint | number) => instruction(0xd500_0000 | encoded(name), value),
    level: (): RunnerAccess => ({ ...bus("read", 0, 0, 4), kind: "level" }),
  };
}

/** Everything enabled, interrupts of all groups, so that something happens. */
function* preparation(): Generator<RunnerAccess> {
  const { write } = by(0, true);
  yield write(GICD, 7);
  for (const word of [1, 2, 6]) {
    yield write(GICD + 0x100 + 4 * word, 0xffff_ffff);
    yield write(GICD + 0x80 + 4 * word, 0xff00_ff0f);
    yield write(GICD + 0xd00 + 4 * word, 0x00ff_00f0);
  }
  for (let cpu = 0; cpu < CPUS; cpu++) {
    const own = by(cpu, true);
    yield own.write(frameOf(cpu) - SGI_FRAME + 0x14, 0);
    yield own.write(frameOf(cpu) + 0x100, 0xffff_ffff);
    yield own.write(frameOf(cpu) + 0x80, 0x00f0_ff00);
    yield own.write(frameOf(cpu) + 0xd00, 0x0000_00f0);
    yield own.write(frameOf(cpu) + 0xe00, 0x6699_55aa);
    yield own.msr("ICC_PMR_EL1", 0xff);
    yield own.msr("ICC_IGRPEN0_EL1", 1);
    yield own.msr("ICC_IGRPEN1_EL3", 3);
  }
}

function sgi(random: Random): bigint {
  const target = BigInt(random.below(16)) | (random.below(8) ? 0n : 1n << 16n);
  return BigInt(random.pick([0, 1, 7, 8, 15])) << 24n | target | (random.below(5) ? 0n : 1n << 40n);
}

/** The next access; an end of interrupt is of any number. */
function next(random: Random): RunnerAccess {
  const cpu = random.below(CPUS), other = random.below(CPUS);
  const { read, write, mrs, msr } = by(cpu, random.below(3) > 0);
  const word = random.pick([1, 2, 6]), interrupt = random.pick(SHARED), own = random.pick(PRIVATE);
  const anyone = random.below(2) ? interrupt : own;
  const mask = [...SHARED.filter((number) => number >> 5 === word)].reduce(
    (bits, number) => bits | 1 << (number & 31),
    0,
  );
  switch (random.below(20)) {
    case 0:
    case 1:
      return write(GICD + random.pick([0x200, 0x200, 0x280, 0x380]) + 4 * word, mask);
    case 2:
      return write(frameOf(other) + random.pick([0x200, 0x280, 0x380]), 1 << own);
    case 3:
      return write(GICD + 0x6000 + interrupt * 8, random.below(CPUS + 1));
    case 4:
      return write(GICD + 0x400 + interrupt, random.below(256), 1);
    case 5:
      return write(frameOf(other) + 0x400 + own, random.below(256), 1);
    case 6:
      return read(
        GICD + random.pick([0x84, 0x104, 0x204, 0x208, 0x218, 0x304, 0x308, 0x420, 0x6108, 0x6140]),
      );
    case 7:
      return read(
        frameOf(other) + random.pick([0x80, 0x100, 0x200, 0x300, 0x400, 0x404, 0x408, 0xc00, 0xe00]),
      );
    case 8:
      return read(frameOf(other) - SGI_FRAME + random.pick([0x08, 0x0c, 0x14]));
    case 9:
    case 10:
      return msr(random.pick(["ICC_SGI0R_EL1", "ICC_SGI1R_EL1", "ICC_ASGI1R_EL1"]), sgi(random));
    case 11:
      return msr("SCR_EL3", 0x430 | random.below(2));
    case 12:
      return msr("ICC_PMR_EL1", random.pick([0xff, 0xff, 0xf0, 0xa0]));
    case 13:
      return random.below(3) ? msr("ICC_IGRPEN1_EL3", 3) : msr("ICC_IGRPEN1_EL3", random.below(4));
    case 14:
    case 15:
      return msr(random.pick(["ICC_EOIR0_EL1", "ICC_EOIR1_EL1"]), anyone);
    case 16:
      return msr("ICC_AP0R0_EL1", 0);
    case 17:
      return mrs(random.pick(["ICC_HPPIR0_EL1", "ICC_HPPIR1_EL1", "ICC_RPR_EL1", "ICC_AP1R0_EL1"]));
    default:
      return mrs(random.pick(["ICC_IAR0_EL1", "ICC_IAR1_EL1"]));
  }
}

function generate(random: Random, count: number): RunnerAccess[] {
  const accesses = [...preparation()];
  while (accesses.length < count) {
    accesses.push(next(random));
    if (random.below(2)) accesses.push(by(random.below(CPUS), true).level());
  }
  return accesses;
}

/** The same on our machine. */
async function onOurs(accesses: readonly RunnerAccess[]): Promise<Uint32Array> {
  const images = [await assembleRunner(), tableOf(accesses)];
  const image = (bytes: Uint8Array) => ({ sha256: sha256(bytes), size: bytes.length, name: "oracle" });
  const [runner, table] = images.map(image);
  const configuration = parseConfiguration({
    cpus: CPUS,
    secure: true,
    gicVersion: 3,
    semihosting: true,
    boot: {
      loaders: [
        { kind: "image", image: runner!, address: RUNNER, forceRaw: true, cpu: undefined },
        { kind: "image", image: table!, address: TABLE, forceRaw: true, cpu: undefined },
        ...Array.from({ length: CPUS }, (_, cpu) => ({ kind: "entry", address: RUNNER, cpu }) as const),
      ],
    },
  });
  const machine = new Machine(configuration, new Map(images.map((bytes) => [sha256(bytes), bytes])));
  const stop = machine.run(accesses.length * 200_000);
  if (stop.reason !== "poweredOff") throw new Error(`Our machine did not end: ${stop.reason}`);
  const bytes = machine.board.memory.readBytes(physicalAddress(TABLE), 32 * accesses.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Uint32Array.from({ length: accesses.length }, (_, index) => view.getUint32(32 * index + 12, true));
}

/** Compares an access after the other; gives how many. */
export async function compareGicV3Cpus(seed: number): Promise<number> {
  const accesses = generate(new Random(seed), 4000);
  const theirs = await onQemu(accesses, CPUS, "virt,secure=on,gic-version=3"), ours = await onOurs(accesses);
  for (const [index, access] of accesses.entries()) {
    if (access.kind === "write") continue;
    const what = `GICv3 of ${CPUS} CPUs, seed ${seed}, access ${index}: ${Deno.inspect(access)}`;
    assertEquals(ours[index], theirs[index], what);
  }
  return accesses.length;
}
