/** Tests of loads and stores of SIMD structures by a CPU: order of lanes, alignment, byte order, faults, write-back. */
import { assertEquals } from "@std/assert";
import { assembleLine } from "../../../machine/a64/assembly.ts";
import { ReferenceEngine } from "../../../machine/engine/reference.ts";
import {
  DEVICE,
  LEVEL1,
  LEVEL2,
  LEVEL3,
  type MappedCpu,
  mappedCpus,
  PAGE,
  READ_ONLY,
  register,
  setRegisters,
} from "./access_support.ts";
import { RAM } from "./support.ts";

const A = BigInt(RAM), CODE = A + 0x8000n;

/** A CPU whose SIMD is not trapped, with bytes 0, 1, 2… from page 1 on. */
function simdCpu(): MappedCpu {
  const mapped = mappedCpus();
  setRegisters(mapped.cpu, { CPACR_EL1: 3n << 20n, VBAR_EL1: A + 0x9000n });
  for (let word = 0; word < 8; word++) {
    mapped.put(RAM + 0x1000 + word * 8, 0x0706050403020100n + BigInt(word) * 0x0808080808080808n);
  }
  return mapped;
}

/** Executes a line at CODE with X0 as given; the exception's syndrome and address, if it took one. */
function execute({ cpu, put }: MappedCpu, line: string, x0: bigint): [string, string] | undefined {
  put(Number(CODE), BigInt(assembleLine(line, { address: CODE })));
  cpu.registers.pc = CODE;
  cpu.slots[0] = x0;
  new ReferenceEngine().run(cpu, 1);
  if (cpu.registers.pc === CODE + 4n) return undefined;
  return [register(cpu, "ESR_EL1").toString(16), register(cpu, "FAR_EL1").toString(16)];
}

const vector = ({ cpu }: MappedCpu, n: number): string =>
  [1, 0].map((half) => (cpu.v[n * 2 + half] as bigint).toString(16).padStart(16, "0")).join("_");

Deno.test("LD3 takes lane i of register r from element 3i + r, and ST3 puts it back", () => {
  const mapped = simdCpu();
  assertEquals(execute(mapped, "ld3 {v31.8h, v0.8h, v1.8h}, [x0], #48", A + 0x1000n), undefined);
  assertEquals([31, 0, 1].map((n) => vector(mapped, n)), [
    "2b2a25241f1e1918_13120d0c07060100",
    "2d2c272621201b1a_15140f0e09080302",
    "2f2e292823221d1c_171611100b0a0504",
  ]);
  assertEquals(mapped.cpu.slots[0], A + 0x1030n);
  assertEquals(execute(mapped, "st3 {v31.8h, v0.8h, v1.8h}, [x0]", A + 0x2000n), undefined);
  assertEquals(
    [0, 8, 40].map((at) => mapped.word(RAM + 0x2000 + at)),
    [0, 8, 40].map((at) => mapped.word(RAM + 0x1000 + at)),
  );
});

Deno.test("LD1 and ST1 of lanes need the lanes' alignment alone, where any is needed", () => {
  const mapped = simdCpu();
  setRegisters(mapped.cpu, { SCTLR_EL1: 0x30d0_0803n });
  assertEquals(execute(mapped, "ld1 {v0.16b}, [x0]", A + 0x1001n), undefined);
  assertEquals(vector(mapped, 0), "100f0e0d0c0b0a09_0807060504030201");
  assertEquals(execute(mapped, "st1 {v0.4h}, [x0]", A + 0x2002n), undefined);
  assertEquals(mapped.word(RAM + 0x2000), 0x0605040302010000n);
  assertEquals(execute(mapped, "ld1 {v0.4h}, [x0]", A + 0x1001n), ["96000021", "40001001"]);
  assertEquals(execute(mapped, "st1 {v0.2d}, [x0]", A + 0x2004n), ["96000061", "40002004"]);
  assertEquals(execute(mapped, "ld4 {v0.2s-v3.2s}, [x0]", BigInt(DEVICE) + 2n), [
    "96000021",
    (DEVICE + 2).toString(16),
  ]);
  assertEquals(execute(mapped, "ld1 {v0.4s}, [x0]", BigInt(DEVICE) + 4n), undefined);
});

Deno.test("LD1 of big-endian lanes reverses the bytes of each", () => {
  const mapped = simdCpu(), { cpu, put, word } = mapped;
  setRegisters(cpu, { SCTLR_EL1: 0x32d0_0801n });
  for (
    const at of [
      LEVEL1,
      LEVEL1 + 8,
      LEVEL2,
      ...Array.from({ length: 10 }, (_, page) => LEVEL3 + page * 8),
    ]
  ) {
    put(at, new DataView(BigUint64Array.of(word(at)).buffer).getBigUint64(0, false));
  }
  const read = (arrangement: string) => {
    assertEquals(execute(mapped, `ld1 {v0.${arrangement}}, [x0]`, A + 0x1000n), undefined);
    return vector(mapped, 0);
  };
  assertEquals(["16b", "8h", "4s", "2d"].map(read), [
    "0f0e0d0c0b0a0908_0706050403020100",
    "0e0f0c0d0a0b0809_0607040502030001",
    "0c0d0e0f08090a0b_0405060700010203",
    "08090a0b0c0d0e0f_0001020304050607",
  ]);
});

Deno.test("LD4 that faults in its second page changes no register", () => {
  const mapped = simdCpu(), { cpu, put } = mapped;
  put(LEVEL3 + 3 * 8, 0n);
  cpu.v.fill(0x5555n);
  assertEquals(execute(mapped, "ld4 {v0.16b-v3.16b}, [x0], #64", A + 0x2fe0n), ["96000007", "40003000"]);
  assertEquals(cpu.slots[0], A + 0x2fe0n);
  assertEquals(cpu.v.every((half) => half === 0x5555n), true);
});

Deno.test("ST1 that faults in its second page has written the doublewords before it, and not the base", () => {
  const mapped = simdCpu(), { cpu, put, word } = mapped;
  put(LEVEL3 + 3 * 8, BigInt(RAM + 0x3000) | PAGE | READ_ONLY);
  cpu.v.fill(0x5555n);
  assertEquals(execute(mapped, "st1 {v0.16b, v1.16b}, [x0], #32", A + 0x2ff4n), ["9600004f", "40003000"]);
  assertEquals([0x2ff4, 0x2ff8].map((at) => word(RAM + at)), [0x5555n, 0n]);
  assertEquals(cpu.slots[0], A + 0x2ff4n);
});
