/** QARMA5 on the vector that its authors published (IACR Transactions on Symmetric Cryptology 2017(1), σ2, r = 5). */
import { assertEquals, assertNotEquals } from "@std/assert";
import { qarma5 } from "../../../machine/cpu/qarma5.ts";

const TEXT = 0xfb62_3599_da6e_8127n, TWEAK = 0x477d_469d_ec0b_8762n;
const UPPER = 0x84be_85ce_9804_e94bn, LOWER = 0xec28_02d4_e0a4_88e9n;

Deno.test("qarma5 gives the published code", () => {
  assertEquals(qarma5(TEXT, TWEAK, UPPER, LOWER), 0xc003_b939_99b3_3765n);
});

Deno.test("qarma5 depends on every bit of text, tweak and keys", () => {
  const code = qarma5(TEXT, TWEAK, UPPER, LOWER);
  for (let bit = 0n; bit < 64n; bit++) {
    const flip = 1n << bit;
    assertNotEquals(qarma5(TEXT ^ flip, TWEAK, UPPER, LOWER), code);
    assertNotEquals(qarma5(TEXT, TWEAK ^ flip, UPPER, LOWER), code);
    assertNotEquals(qarma5(TEXT, TWEAK, UPPER ^ flip, LOWER), code);
    assertNotEquals(qarma5(TEXT, TWEAK, UPPER, LOWER ^ flip), code);
  }
});
