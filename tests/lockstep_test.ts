/** Engines in lockstep on a few random programs; differences once found stay mended; planted faults are found. */
import { assert, assertEquals } from "@std/assert";
import { GOES_THROUGH_ALL } from "./extent.ts";
import { campaign } from "./lockstep/campaign.ts";
import { compareEngines, type Contestant, CONTESTANTS } from "./lockstep/compare.ts";
import { type Fault, faulty } from "./lockstep/faulty_engine.ts";
import { randomTrial, trialFromJson, trialToJson } from "./lockstep/trial.ts";

const FOUND = new URL("./lockstep/found/", import.meta.url);
const SEED = 1, PROGRAMS = 3;
/** Where planted faults are looked for: just before a program that shows the rarest, with many more to spare. */
const FAULT_SEED = 85, FAULT_PROGRAMS = 200;
const LIMITS = { programs: PROGRAMS, milliseconds: Infinity, tries: 40 };

Deno.test(`engines agree on the random programs of seeds ${SEED} to ${SEED + PROGRAMS - 1}`, () => {
  const { found } = campaign(SEED, CONTESTANTS, LIMITS);
  assertEquals(found?.lines, undefined);
});

const files = [...Deno.readDirSync(FOUND)].map(({ name }) => name).filter((name) => name.endsWith(".json"));
for (const name of files.sort()) {
  Deno.test(`engines agree on ${name}, where they once did not`, () => {
    const trial = trialFromJson(Deno.readTextFileSync(new URL(name, FOUND)));
    assertEquals(compareEngines(trial, CONTESTANTS).difference?.what, undefined);
  });
}

Deno.test("trialFromJson reads what trialToJson wrote", () => {
  for (let seed = 1; seed < 9; seed++) {
    const trial = randomTrial(seed);
    assertEquals(trialFromJson(trialToJson(trial)), trial);
  }
});

// deno-fmt-ignore
const FAULTS: readonly Fault[] = [
  { name: "EOR (shifted) flipping bit 40", matches: (word) => (word & 0xff20_0000) >>> 0 === 0xca00_0000,
    corrupt: (cpu, word) => { cpu.slots[word & 31] = (cpu.slots[word & 31] as bigint) ^ 1n << 40n; } },
  { name: "SVC losing the Z flag", matches: (word) => (word & 0xffe0_001f) >>> 0 === 0xd400_0001,
    corrupt: (cpu) => { cpu.slots[35] = (cpu.slots[35] as bigint) ^ 4n; } },
];

const PLANTED = GOES_THROUGH_ALL ? FAULTS : FAULTS.slice(0, 1);

for (const fault of PLANTED) {
  Deno.test(`campaign finds ${fault.name}, and makes the program short`, () => {
    const [reference] = CONTESTANTS as [Contestant];
    const { found } = campaign(FAULT_SEED, [reference, faulty(fault)], {
      ...LIMITS,
      programs: FAULT_PROGRAMS,
    }, { cpus: 1 });
    assert(found !== undefined, `not found in ${FAULT_PROGRAMS} programs from seed ${FAULT_SEED} on`);
    const step = found.lines.find((line) => line.includes("stepRetired"));
    const opcode = Number(/"opcode":(\d+)/.exec(step ?? "")?.[1]);
    assert(fault.matches(opcode), `the first differing step is ${step}`);
    const [before, after] = [randomTrial(found.trial.seed), found.trial].map(({ program: { source } }) =>
      source.split("\n").length
    ) as [number, number];
    assert(after < before * 3 / 4, `${after} of ${before} lines are left`);
  });
}
