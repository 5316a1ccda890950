/** Random accesses to a GICv3: never a host exception, and the state is all there is. */
import { assertEquals } from "@std/assert";
import {
  type GicAccess,
  ICC_REGISTERS,
  ICH_REGISTERS,
  ICV_REGISTERS,
} from "../../../machine/cpu/gic_interface.ts";
import { Random } from "../../oracle/devices/random.ts";
import { buildGicV3, MONITOR, NON_SECURE, SECURE } from "./gic_v3_support.ts";

const ACCESSES = 100_000, SNAPSHOTS = 100, CPUS = 3;
const NAMES = [...ICC_REGISTERS, ...ICH_REGISTERS, ...ICV_REGISTERS];

type Built = ReturnType<typeof buildGicV3>;

/** One access of any kind; gives what it reads. */
function access(random: Random, { gic, mrs, msr, readD, writeD, readR, writeR }: Built): bigint | number {
  const cpu = random.below(CPUS), size = random.pick([1, 2, 4, 4, 4]), secure = random.below(2) === 1;
  const value = random.below(3) ? random.next() : random.pick([0, 1, 7, 0xff, 0xffff_ffff]);
  const offset = (random.below(0x2_0000) >>> (random.below(3) * 4)) & -size;
  const who: GicAccess = {
    ...random.pick([NON_SECURE, SECURE, MONITOR]),
    fiqToMonitor: random.below(2) === 1,
    irqToHypervisor: random.below(2) === 1,
  };
  const whole = BigInt(random.next()) << 32n | BigInt(random.below(2) ? value : random.below(300));
  switch (random.below(10)) {
    case 0:
      return readD(offset & 0xffff, secure, size);
    case 1:
      return writeD(offset & 0xffff, value, secure, size) ?? 0;
    case 2:
      return readR(offset, random.below(CPUS + 1), secure, size);
    case 3:
      return writeR(offset & 0x1_ffff, value, cpu, secure, size) ?? 0;
    case 4:
      gic.sharedLine(32 + random.below(256), "test").set(secure);
      return 0;
    case 5:
      if (random.below(2)) gic.lpis?.setPending(cpu, 8192 + random.below(60000), secure, "its");
      else gic.lpis?.moveAll(cpu, random.below(4), "its", () => random.below(4) === 0);
      return 0;
    case 6:
    case 7:
      return mrs(random.pick(NAMES), cpu, who);
    default:
      return msr(random.pick(NAMES), whole, cpu, who) ?? 0;
  }
}

for (const security of [false, true]) {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  Deno.test(`GicV3 ${security ? "with" : "without"} security takes random accesses, seed ${seed}`, () => {
    const options = { cpuCount: CPUS, security, hasLpis: true };
    const random = new Random(seed), built = buildGicV3(options);
    let restored = buildGicV3(options);
    for (let count = 0; count < ACCESSES / 2; count++) {
      if (count % (ACCESSES / 2 / SNAPSHOTS) === 0) {
        restored = buildGicV3(options);
        restored.memory.set(built.memory);
        restored.gic.restore(built.gic.save());
      }
      const state = random.next();
      assertEquals(access(new Random(state), restored), access(new Random(state), built), `access ${count}`);
    }
    assertEquals(restored.gic.save(), built.gic.save());
    assertEquals(restored.cpus, built.cpus);
  });
}
