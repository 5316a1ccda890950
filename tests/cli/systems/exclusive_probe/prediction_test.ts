/** The prediction of exclusive-probe, and the report that it is compared with. */
import { assertEquals, assertThrows } from "@std/assert";
import { PROBE_OPERATIONS } from "../../../../firmware/exclusive_probe/operations.ts";
import { CommandError } from "../../../../cli/errors.ts";
import {
  mismatches,
  predictedVerdict,
  trapLevel,
} from "../../../../cli/systems/exclusive_probe/prediction.ts";
import { parseReport } from "../../../../cli/systems/exclusive_probe/report.ts";

/** What a probe of two rounds prints when these operations fail both times. */
const textOf = (failing: readonly string[], verdicts: readonly [el1: string, el0: string]): string => {
  const names = PROBE_OPERATIONS.map(({ level, register }) => `el${level} ${register ?? "NOP"}`);
  const lines = names.map((name) => `${name} ${failing.includes(name) ? 2 : 0}`);
  const [el1, el0] = verdicts;
  return ["rounds 2", ...lines, `el1 verdict ${el1}`, `el0 verdict ${el0}`, ""].join("\r\n");
};

const KERNELS = "el0 ID_AA64PFR0_EL1";

Deno.test("trapLevel() follows the controls, and UNDEFINED comes first", () => {
  const at = (level: 0 | 1, register: string) =>
    PROBE_OPERATIONS.find((row) => row.level === level && row.register === register)!;
  assertEquals(trapLevel(at(1, "ID_AA64PFR0_EL1"), ["TID3"]), 2);
  assertEquals(trapLevel(at(0, "ID_AA64PFR0_EL1"), ["TID3"]), 1);
  assertEquals(trapLevel(at(0, "CTR_EL0"), ["TID3", "TID2"]), 2);
  assertEquals(trapLevel(at(1, "MDCCSR_EL0"), ["TDA3"]), 3);
  assertEquals(trapLevel(at(1, "MDCCSR_EL0"), ["EA"]), undefined);
  assertThrows(() => trapLevel(at(1, "CTR_EL0"), ["TID9"]), RangeError);
  assertEquals(predictedVerdict(PROBE_OPERATIONS, 1, ["TACR"]), "virtualized");
  assertEquals(predictedVerdict(PROBE_OPERATIONS, 0, ["TACR"]), "bare");
});

Deno.test("mismatches() is empty for what was predicted, and names what was not", () => {
  const bare = parseReport(textOf([KERNELS], ["bare", "bare"]), PROBE_OPERATIONS);
  assertEquals(mismatches(bare, PROBE_OPERATIONS, []), []);
  assertEquals(mismatches(bare, PROBE_OPERATIONS, ["TID2"]).length, 4);
  const wrong = parseReport(textOf([KERNELS, "el1 CTR_EL0"], ["bare", "bare"]), PROBE_OPERATIONS);
  assertEquals(mismatches(wrong, PROBE_OPERATIONS, []), [
    "el1 CTR_EL0 failed 2 of 2 times, and does not trap: few were to fail",
  ]);
});

Deno.test("parseReport() refuses a report that is not whole", () => {
  const whole = textOf([], ["bare", "bare"]);
  assertThrows(() => parseReport("", PROBE_OPERATIONS), CommandError, "its rounds");
  assertThrows(
    () => parseReport(whole.replace("el0 CTR_EL0 0\r\n", ""), PROBE_OPERATIONS),
    CommandError,
    "el0 CTR_EL0",
  );
  assertThrows(() => parseReport(whole.slice(0, -25), PROBE_OPERATIONS), CommandError, "its verdict on EL0");
});
