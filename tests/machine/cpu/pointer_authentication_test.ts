/** Pointer authentication: known answers, and what QEMU 7.2 does otherwise than the Arm ARM; the rest is in tests/oracle/system/. */
import { assertEquals } from "@std/assert";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { addPac, authenticate, genericPac, stripPac } from "../../../machine/cpu/pointer_authentication.ts";
import { qarma5 } from "../../../machine/cpu/qarma5.ts";
import { setRegisters } from "./access_support.ts";
import { putAt, testCpus } from "./support.ts";

const bit = (...numbers: number[]): bigint => numbers.reduce((sum, number) => sum | 1n << BigInt(number), 0n);

/** SCTLR_EL1.EnIA, EnIB, EnDA, EnDB. */
const ENABLED = bit(31, 30, 27, 13);
const TBI0 = bit(37), TBI1 = bit(38);
const IA = 0, IB = 1, DA = 2;

/** A CPU at EL1 with all keys enabled and different, addresses of 48 bits below and 39 above. */
function signer(tcr = 0n, enabled = ENABLED): Cpu {
  const { cpu } = testCpus({ model: "max" });
  putAt(cpu, 1);
  setRegisters(cpu, {
    SCTLR_EL1: 0x30d0_0800n | enabled,
    TCR_EL1: 16n | 25n << 16n | 2n << 30n | tcr,
    APIAKeyLo_EL1: 1n,
    APIBKeyLo_EL1: 2n,
    APDAKeyLo_EL1: 3n,
    APGAKeyLo_EL1: 4n,
  });
  return cpu;
}

Deno.test("qarma5 gives the ciphertext of the paper for QARMA-64 with σ2 and five rounds", () => {
  const code = qarma5(
    0xfb62_3599_da6e_8127n,
    0x477d_469d_ec0b_8762n,
    0x84be_85ce_9804_e94bn,
    0xec28_02d4_e0a4_88e9n,
  );
  assertEquals(code, 0xc003_b939_99b3_3765n);
});

Deno.test("addPac takes a pointer's range from bit 63 without TBI, its size too", () => {
  const cpu = signer();
  // Bit 55 is 0: the lower range has 48 bits, the upper 39.
  const signed = addPac(cpu, IA, 0xff00_1234_5678_9000n, 7n);
  assertEquals([signed >> 55n & 1n, signed & (1n << 39n) - 1n], [1n, 0x34_5678_9000n]);
  assertEquals(stripPac(cpu, false, signed), 0xffff_ffb4_5678_9000n);
  const lower = addPac(cpu, IA, 0x00ff_1234_5678_9000n, 7n);
  assertEquals([lower >> 55n & 1n, lower & (1n << 48n) - 1n], [0n, 0x1234_5678_9000n]);
});

Deno.test("addPac takes a pointer's range from bit 55 with TBI for either range, the other one's too", () => {
  for (const tcr of [TBI0, TBI1, TBI0 | TBI1]) {
    const signed = addPac(signer(tcr), DA, 0x00ff_ffff_f123_4000n, 7n);
    assertEquals([tcr, signed >> 55n & 1n, signed & (1n << 39n) - 1n], [tcr, 1n, 0x7f_f123_4000n]);
  }
});

Deno.test("authenticate undoes addPac of an address, and marks what it finds wrong by the key", () => {
  const cpu = signer();
  for (const pointer of [0x1234_5678_9000n, 0xffff_ffb4_5678_9000n]) {
    const top = pointer >> 63n === 1n ? bit(62, 61) : 0n;
    for (const [key, error] of [[IA, 1n], [IB, 2n], [DA, 1n], [3, 2n]] as const) {
      const signed = addPac(cpu, key, pointer, 99n);
      assertEquals(authenticate(cpu, key, signed, 99n), pointer);
      const failed = pointer & ~top | error << 61n;
      assertEquals(authenticate(cpu, key, signed, 98n), failed);
      assertEquals(authenticate(cpu, key, signed ^ bit(60), 99n), failed);
    }
  }
});

Deno.test("addPac of what is no address gives a code that is never right", () => {
  const cpu = signer();
  const signed = addPac(cpu, IA, 0x0070_1234_5678_9000n, 5n);
  assertEquals(authenticate(cpu, IA, signed, 5n), 0x2000_1234_5678_9000n);
  assertEquals(authenticate(cpu, IA, signed ^ bit(62), 5n), 0x1234_5678_9000n);
});

Deno.test("codes depend on the whole key and on the algorithm, whatever was computed before", () => {
  const { cpu: hashing } = testCpus({ model: "max,pauth-impdef=on" });
  const codes = new Set<bigint>();
  for (const cpu of [signer(), hashing]) {
    for (const half of ["APGAKeyLo_EL1", "APGAKeyHi_EL1"] as const) {
      for (const value of [0n, 1n, bit(63)]) {
        setRegisters(cpu, { APGAKeyLo_EL1: 5n, APGAKeyHi_EL1: 6n });
        setRegisters(cpu, { [half]: value });
        codes.add(genericPac(cpu, 0x1000n, 16n));
      }
    }
  }
  assertEquals(codes.size, 12);
  assertEquals([...codes].every((code) => (code & 0xffff_ffffn) === 0n), true);
});

Deno.test("stripPac strips where no key is enabled, and addPac and authenticate leave the pointer alone", () => {
  const cpu = signer(0n, 0n), pointer = 0x0030_1234_5678_9000n;
  assertEquals(stripPac(cpu, false, pointer), 0x1234_5678_9000n);
  assertEquals([addPac(cpu, IA, pointer, 1n), authenticate(cpu, DA, pointer, 1n)], [pointer, pointer]);
});

Deno.test("ERETAA and ERETAB say which they are when HFGITR_EL2 traps them", () => {
  const { cpu } = testCpus({ model: "max", el2: true });
  putAt(cpu, 1);
  setRegisters(cpu, { HFGITR_EL2: bit(51), HCR_EL2: bit(31, 40, 41) });
  const syndromes = [[], [IA], [IB]].map((key) => {
    callHelper(cpu, "exceptionReturn", ["exceptionReturn", ...key], 0n, 0n);
    const { pending } = cpu;
    cpu.pending = undefined;
    return pending?.syndrome.toString(16);
  });
  assertEquals(syndromes, ["6a000000", "6a000002", "6a000003"]);
});
