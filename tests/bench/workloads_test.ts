/** Every program of the benchmarks does the same on every engine, and what QEMU found it to do. */
import { assertEquals, assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { headingOf, programsInC } from "../../bench/generate.ts";
import { recordFlat } from "../../bench/machines.ts";
import { FAST_ENGINES } from "../../bench/runners.ts";
import { buildWorkload, type Workload, WORKLOADS } from "../../bench/workloads.ts";
import { ENGINES } from "../../machine/machine.ts";
import { GOES_THROUGH_ALL } from "../extent.ts";

/** Rounds that the reference engine can do in a test, and those that make a program hot. */
const FEW = 2, MANY = 50;
/** The reference engine and one of the others, which are compared with one another where programs are hot. */
const COLD_ENGINES = Object.keys(ENGINES).slice(0, 2);
/** Those that get hot: all that are fast, or the one that compiles. */
const HOT_ENGINES = GOES_THROUGH_ALL ? FAST_ENGINES : FAST_ENGINES.slice(-1);
/** The most data that a program works on here. */
const MOST_SIZE = 2 ** 19;

/** What `qemu-system-aarch64` 7.2 printed after `FEW` and after `MANY` rounds. */
// deno-fmt-ignore
const CHECK_SUMS: Readonly<Record<string, readonly [few: string, many: string]>> = {
  hash:        ["cc68bedeb6134346", "6381fd2601440aa7"],
  sort:        ["28fff29ffdd1b332", "b1b9ddac6417bc7d"],
  chase:       ["42b7d445acb0e310", "7cc41e4efd06947a"],
  copy:        ["abdf73d542e005af", "95bdbb5044fb14b1"],
  core:        ["72f6f0ba6ae0f592", "45fe8bf9ce4bf46f"],
  calls:       ["70ec24e4a596a05c", "36d07499030577b7"],
  interpreter: ["c60a9e9eb0222980", "af307800226ac02e"],
  nbody:       ["95d5758e78fae8e7", "d4a4264b737fdbd6"],
  dot:         ["5d250ba8a4607206", "7ec6748939e6c020"],
  sha256:      ["23e4050ab4f5cd47", "ad7770da10f4bcd9"],
  tlb:         ["bb76ed75738f9f1d", "d28e050c8aa6b634"],
  svc:         ["1ed0e7188e13f129", "b837a49ee11a214f"],
  mmio:        ["fffffffffffffffe", "ffffffffffffffce"],
};

function recordOn(engine: string, workload: Workload, rounds: number) {
  const bytes = buildWorkload(workload, rounds, Math.min(workload.size, MOST_SIZE));
  const { text, steps, roots } = recordFlat(bytes, { engine });
  return { text, steps, roots };
}

for (const workload of WORKLOADS) {
  const [few, many] = CHECK_SUMS[workload.name] ?? ["", ""];

  Deno.test(`${workload.name} ends with QEMU's check sum and the roots of the reference engine`, () => {
    const [first, ...others] = COLD_ENGINES.map((engine) => recordOn(engine, workload, FEW));
    assertEquals(first?.text, `${few}\n`);
    for (const other of others) assertEquals(other, first);
  });

  Deno.test(`${workload.name} ends with QEMU's check sum and equal roots when it is hot`, () => {
    const [first, ...others] = HOT_ENGINES.map((engine) => recordOn(engine, workload, MANY));
    assertEquals(first?.text, `${many}\n`);
    for (const other of others) assertEquals(other, first);
  });
}

Deno.test("sha256 prints the start of the digest", () => {
  const workload = WORKLOADS.find(({ name }) => name === "sha256") as Workload;
  const message = Uint8Array.from({ length: 4096 }, (_, at) => at * 7);
  const digest = createHash("sha256").update(message).digest("hex");
  const [engine = ""] = FAST_ENGINES;
  assertEquals(recordOn(engine, workload, 1).text, `${digest.slice(0, 16)}\n`);
});

Deno.test("assembly of programs in C is that of the present sources", () => {
  for (const name of programsInC()) {
    const text = Deno.readTextFileSync(new URL(`../../bench/programs/${name}.s`, import.meta.url));
    assertEquals(text.split("\n")[0], headingOf(name), "run: deno run -A bench/generate.ts");
  }
});

Deno.test("an exception nobody asked for ends a program without a check sum", () => {
  const workload = WORKLOADS.find(({ name }) => name === "chase") as Workload;
  const [engine = ""] = FAST_ENGINES;
  // More than there is RAM: a data abort.
  const { text } = recordFlat(buildWorkload(workload, 1, 2 ** 27), { engine });
  assertMatch(text, /^X\n$/);
});
