/** Records what QEMU answers to random accesses of several CPUs, Secure and Non-secure, to its GICv2. */
import { buildGic } from "../../machine/devices/gic_support.ts";
import { by } from "../../machine/devices/support.ts";
import { onQemu, type RunnerAccess } from "./access_runner.ts";
import { Random } from "./random.ts";

const CPUS = 4;
const GICD = 0x0800_0000, GICC = 0x0801_0000;
const SHARED = [33, 34, 40, 64];

/** Accesses on the bus alone. */
type Access = RunnerAccess & { readonly kind: "read" | "write" | "level"; readonly address: number };

const targetOf = (interrupt: number): number => interrupt % CPUS;
const isGroup1 = (sgi: number): boolean => sgi >= 8;

/** Groups, targets, enables and masks, so that something happens; SGIs 8–15 are of Group 1 for good. */
function* preparation(): Generator<Access> {
  const write = (address: number, value: number, cpu = 0, size = 4): Access => ({
    kind: "write",
    cpu,
    secure: true,
    size,
    address,
    value,
  });
  yield write(GICD, 3);
  for (const interrupt of SHARED) yield write(GICD + 0x800 + interrupt, 1 << targetOf(interrupt), 0, 1);
  for (const word of [1, 2]) yield write(GICD + 0x100 + 4 * word, 0xffff_ffff);
  yield write(GICD + 0x84, 0x104);
  for (let cpu = 0; cpu < CPUS; cpu++) {
    yield write(GICD + 0x80, 0x0c00_ff00, cpu);
    yield write(GICD + 0x100, 0xffff_0000, cpu);
    for (let sgi = 0; sgi < 16; sgi += 4) {
      yield write(GICD + 0x400 + sgi, 0xa090_4020 + sgi * 0x0101_0101, cpu);
    }
    yield write(GICC, 0x0f, cpu);
    yield write(GICC + 4, 0xff, cpu);
  }
}

/** The next random access; what QEMU 7.2 does otherwise than the architecture is left out, with its reason. */
function next(random: Random, acknowledged: number[][]): Access {
  const cpu = random.below(CPUS);
  const secure = random.below(3) > 0;
  const read = (address: number, size = 4): Access => ({
    kind: "read",
    cpu,
    secure,
    size,
    address,
    value: 0,
  });
  const write = (address: number, value: number, size = 4): Access => ({
    kind: "write",
    cpu,
    secure,
    size,
    address,
    value: value >>> 0,
  });
  const sgi = secure ? random.below(16) : 8 + random.below(8);
  const interrupt = random.below(3) ? random.pick([0, 3, 7, 8, 11, 15, 26, 27, 30]) : random.pick(SHARED);
  const ended = acknowledged[cpu]!.pop() ?? random.below(32);
  switch (random.below(20)) {
    case 0:
    case 1:
    case 2:
      // QEMU ignores NSATT, so it says here what the SGI's group is anyway.
      return write(
        GICD + 0xf00,
        random.below(4) << 24 | random.below(16) << 16 | (secure && isGroup1(sgi) ? 1 << 15 : 0) | sgi,
      );
    case 3:
      return write(GICD + 0x200 + 4, 1 << random.pick([1, 2, 8]));
    case 4:
      return write(GICD + random.pick([0x100, 0x180]) + 4 * random.below(3), random.next());
    case 5:
    case 6:
      return write(GICD + 0x400 + interrupt, random.below(256), 1);
    case 7:
      return read(GICD + 0x400 + (interrupt & ~3));
    case 8:
      // Not GICD_ITARGETSR of Non-secure accesses, which QEMU does not filter.
      return read(GICD + (secure ? 0x800 : 0x400) + (interrupt & ~3), random.pick([1, 4]));
    case 9:
      return read(GICD + random.pick([0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380]) + 4 * random.below(3));
    case 10:
      return read(GICD + random.pick([0x00, 0x04, 0xc00, 0xc04, 0xf10, 0xf14, 0xf18, 0xf20, 0xf2c]));
    case 11:
      return write(GICD + random.pick([0xf10, 0xf20]) + sgi, 1 << random.below(CPUS), 1);
    case 12:
      return secure
        ? write(GICC, 3 | random.below(8) << 2 | random.below(4) << 9)
        : write(GICC, 1 | random.below(2) << 9);
    case 13:
      return write(GICC + 4, random.pick([0xff, 0xff, 0xf0, 0xc0, random.below(256)]));
    case 14:
      return write(GICC + random.pick([0x08, 0x1c]), random.below(8));
    case 15:
      return read(
        GICC + random.pick([0x00, 0x04, 0x08, 0x14, 0x18, 0x1c, 0xd0, 0xd4, 0xe0, 0xe4, 0xe8, 0xec]),
      );
    case 16:
      return write(GICC + 0x10, ended);
    case 17:
      return write(GICC + 0x1000, ended);
    default:
      return read(GICC + 0x0c);
  }
}

/** Runs accesses through our model, which tells what to end next and must agree with QEMU's answers later. */
function generate(random: Random, count: number): Access[] {
  const { gic } = buildGic(CPUS, true);
  const acknowledged: number[][] = Array.from({ length: CPUS }, () => []);
  const accesses: Access[] = [];
  const first = [...preparation()];
  while (accesses.length < count) {
    const access = first.shift() ?? next(random, acknowledged);
    const device = access.address < GICC ? gic.distributor : gic.cpuInterface;
    const offset = access.address - (access.address < GICC ? GICD : GICC);
    const context = by(access.cpu, access.secure);
    if (access.kind === "write") device.write(offset, access.size, access.value, context);
    else {
      const value = device.read(offset, access.size, context);
      // QEMU leaves the sender of an SGI out of GICC_HPPIR.
      if (access.address === GICC + 0x18 && (value & 0x3ff) < 16) continue;
      if (access.address === GICC + 0x0c && (value & 0x3ff) < 1020) acknowledged[access.cpu]!.push(value);
    }
    accesses.push(access);
    const level: Access = { ...access, kind: "level", cpu: random.below(CPUS), address: 0 };
    if (random.below(2)) accesses.push(level);
  }
  return accesses;
}

function lineOf({ kind, cpu, secure, size, address }: Access, value: number): string {
  if (kind === "level") return `l ${cpu} ${(value >>> 6 & 3).toString(2).padStart(2, "0")}`;
  const masked = size === 4 ? value : value & 2 ** (8 * size) - 1;
  return [kind[0], size, address.toString(16), masked.toString(16), `${cpu}${secure ? "s" : "n"}`].join(" ");
}

/** Records a trace with a seed. */
export async function recordCpusTrace(seed: number): Promise<string[]> {
  const accesses = generate(new Random(seed), 4000);
  const values = await onQemu(accesses, CPUS, "virt,secure=on");
  const lines = accesses.map((access, index) => lineOf(access, values[index] as number));
  return [`# QEMU 7.2.22, -M virt,secure=on -smp ${CPUS}; seed ${seed}`, ...lines];
}
