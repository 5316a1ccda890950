/** Exceptions, traps, system registers, interrupts and translation do what QEMU's did when the fixtures were recorded. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  digestsOf,
  formatSystemFixtures,
  parseSystemFixtures,
  programOf,
  readSystemFixtures,
  RESULTS_PER_DIGEST,
} from "../oracle/system/fixtures.ts";
import { GROUPS } from "../oracle/system/groups.ts";
import { runOnOurs } from "../oracle/system/machines.ts";
import { GOES_THROUGH_ALL } from "../extent.ts";

const fixtures = readSystemFixtures();

/** Most sweeps over encodings, and fewer levels where there are programs with all, are left to the oracle. */
const LEFT_OUT =
  /^reads, op0 3, EL[023]|^reads, op0 2|, top EL[12]|^traps of a host, max|^pointer codes by a hash|^stage 1 of EL0 of a host/;

/** Runs of each group that are tried here; the oracle has all. */
const MOST = GOES_THROUGH_ALL ? Infinity : 500;

for (const group of GROUPS.filter(({ name }) => !LEFT_OUT.test(name))) {
  Deno.test(`the bare machine leaves behind what qemu-system-aarch64 recorded: ${group.name}`, () => {
    const program = programOf(group, MOST);
    const digests = digestsOf(group, program, runOnOurs(program, group)),
      recorded = (fixtures.get(group.name) ?? []).slice(0, MOST / RESULTS_PER_DIGEST);
    const first = digests.findIndex((digest, at) => digest !== recorded[at]);
    assert(
      first < 0 && digests.length === recorded.length,
      `The first difference is among the ${RESULTS_PER_DIGEST} runs from "${
        program.names[first * RESULTS_PER_DIGEST]
      }" ` +
        `on; \`deno task oracle --only system\` tells where`,
    );
  });
}

Deno.test("every group has fixtures, and no other", () => {
  assertEquals(
    [...fixtures.keys()].sort(),
    GROUPS.map(({ name }) => name).sort(),
    "Record them with `deno task oracle --update`",
  );
});

Deno.test("parseSystemFixtures reads what formatSystemFixtures wrote and refuses anything else", () => {
  assertEquals(parseSystemFixtures(formatSystemFixtures(fixtures)), fixtures);
  assertThrows(() => parseSystemFixtures("group: 12\n"), RangeError, 'Fixture line "group: 12"');
});
