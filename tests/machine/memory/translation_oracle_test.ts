/** Translation, aborts and syndromes against outcomes of qemu-system-aarch64 7.2 (see tests/oracle/translation_oracle.ts). */
import { assert, assertEquals } from "@std/assert";
import {
  difference,
  drawCases,
  FIRST_SEED,
  FIXTURE_CASES,
  readFixture,
  runOurs,
  SUITES,
} from "../../oracle/translation_suites.ts";

for (const suite of SUITES) {
  Deno.test(`translate agrees with QEMU on ${FIXTURE_CASES} cases of suite ${suite.name}`, async () => {
    const theirs = await readFixture(suite.name);
    const cases = drawCases(suite, FIRST_SEED, FIXTURE_CASES);
    assertEquals(theirs.length, cases.length);
    const ours = runOurs(suite, cases);
    const wrong = cases.flatMap((one, index) => {
      const words = difference(one, ours[index] as never, theirs[index] as never);
      return words.length > 0 ? [`seed ${FIRST_SEED + index}: ${words.join("; ")}`] : [];
    });
    assertEquals(wrong, []);
  });
}

const ABORT_CLASSES = [0x20n, 0x21n, 0x24n, 0x25n];

Deno.test("readFixture holds successes and every kind of fault at every level", async () => {
  const seen = new Set<number>();
  let succeeded = 0, described = 0;
  for (const { name, el3 } of SUITES) {
    for (const { PAR_EL1, ESR_EL1, ESR_EL2, vector } of await readFixture(name)) {
      if (name.startsWith("at_") && vector === 0x100n) {
        if ((PAR_EL1 & 1n) === 0n) succeeded++;
        else seen.add(Number((PAR_EL1 >> 1n) & 63n));
      }
      for (const syndrome of el3 ? [] : [ESR_EL1, ESR_EL2]) {
        if (!ABORT_CLASSES.includes(syndrome >> 26n)) continue;
        seen.add(Number(syndrome & 63n));
        if ((syndrome >> 24n & 1n) === 1n) described++;
      }
    }
  }
  // Address size 0–3, translation 4–7, access flag 9–11, permission 13–15, external 16, on walks 20–23, alignment 33.
  const expected = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14, 15, 16, 20, 21, 22, 23, 33];
  assertEquals(expected.filter((status) => !seen.has(status)), []);
  assert(succeeded > 500, `only ${succeeded} successes`);
  assert(described > 50, `only ${described} syndromes with ISV`);
});
