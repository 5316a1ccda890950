/** bridge-space (US10185664B1): the checks of its sheet. */
import { bisectRuns } from "../../../journal/bisect_runs.ts";
import {
  coreOffset,
  type Mutant,
  MUTANTS,
  type Pair,
  REASON_TEXTS,
  REASONS,
  refusalOf,
} from "../../../firmware/bridge_space/image.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck, SystemScenario } from "../scenario.ts";
import { bridgeLines, checkpointOf, parentOf, recordPairs, runPairsOnQemu } from "./boots.ts";
import { type Environment, ENVIRONMENTS } from "./environments.ts";
import { EXPLANATION } from "./explanation.ts";
import { type Checkpoint, faultsOf, pokeLines, pokesOf } from "./forks.ts";
import { checkPlans, compareWays } from "./plan_check.ts";
import { type ExpectedPair, fixedPairs, randomPairs } from "./pairs.ts";

/** Pairs of each environment, and with `--all`. */
const PAIRS = 250, ALL_PAIRS = 1000;
/** Seed of the random pairs. */
const SEED = 9;
/** Those that replay a boot; the reference engine would take an hour. */
const otherEngines = ({ engine }: CheckContext): string[] =>
  ["threaded", "compiled"].filter((name) => name !== engine);
const MOST_TOLD = 10;

/** What a pair's line has to begin with. */
function expectedLine({ from, to, refusal }: ExpectedPair): RegExp {
  const digits = (value: bigint) => value.toString(16).padStart(16, "0");
  if (refusal !== undefined) {
    return new RegExp(`^bridge: refused, reason ${digits(BigInt(REASONS[refusal]))}$`);
  }
  return new RegExp(`^bridge: el=.* a=${digits(from)} b=${digits(to)} .* at=${digits(to)} `);
}

/** The fixed pairs against what was written. */
function checkLines(console: string, pairs: readonly ExpectedPair[]): string[] {
  const lines = bridgeLines(console);
  const failures = pairs.flatMap((pair, index) => {
    const line = lines[index] ?? "nothing";
    if (expectedLine(pair).test(line)) return [];
    const wanted = pair.refusal === undefined ? "a record" : `a refusal: ${REASON_TEXTS[pair.refusal]}`;
    return [`0x${pair.from.toString(16)} to 0x${pair.to.toString(16)}: ${line}, and not ${wanted}`];
  });
  if (lines[pairs.length] !== "bridge: done") {
    failures.push(`it ends with ${lines[pairs.length] ?? "nothing"}`);
  }
  return failures;
}

/** The fixed pairs and refusals, here and on every engine. */
async function checkFixed(context: CheckContext, environment: Environment): Promise<CheckOutcome> {
  const parent = await parentOf(context, environment), pairs = fixedPairs(environment.bits);
  const failures = checkLines(parent.console, pairs);
  if (context.all || environment.hasKernel) {
    failures.push(...await context.replayOn(parent, otherEngines(context)));
  }
  const refused = pairs.filter(({ refusal }) => refusal !== undefined).length;
  return {
    failures,
    figures: { bridges: pairs.length - refused, refusals: refused, steps: parent.end.instant },
  };
}

/** A pair's journal: a fork whose root is that of the machine which was put back, and which replays on other engines. */
async function checkJournal(context: CheckContext, parent: Recorded, checkpoint: Checkpoint, pair: Pair) {
  const { instant } = checkpoint.take(pair), script = pokeLines(pokesOf(pair, checkpoint.loaded));
  const recorded = await context.fork({ parent, at: checkpoint.instant, script, until: instant });
  const [ours, theirs] = [recorded.end.stateRoot, checkpoint.rootOf(pair, instant)].map((root) =>
    root.toHex()
  );
  const failures = ours === theirs
    ? []
    : [`the fork at instant ${instant} has root ${ours}, and not ${theirs}`];
  return [...failures, ...await context.replayOn(recorded, otherEngines(context))];
}

/** Random pairs, forked from the checkpoint at which the loader is ready. */
async function checkRandom(context: CheckContext, environment: Environment): Promise<CheckOutcome> {
  const { level, bits } = environment, wanted = context.all ? ALL_PAIRS : PAIRS;
  const parent = await parentOf(context, environment);
  const checkpoint = await checkpointOf(context, environment);
  const failures: string[] = [];
  let journal: Pair | undefined;
  let done = 0, refused = 0, twice = 0, steps = 0;
  for (const pair of randomPairs(SEED + level, bits)) {
    if (done === wanted || failures.length >= MOST_TOLD) break;
    const run = checkpoint.take(pair), refusal = refusalOf(pair, bits);
    if (refusal !== undefined) {
      refused++;
      failures.push(...checkLines(run.console, [{ ...pair, refusal }]));
      continue;
    }
    done++;
    journal ??= pair;
    steps += run.instant - checkpoint.instant;
    const delta = pair.to - pair.from;
    if (delta > -0x2000n && delta < 0x2000n) twice++;
    if (run.isHandedOver) failures.push(...faultsOf(checkpoint, pair, run, level, bits));
    else failures.push(`0x${pair.from.toString(16)} to 0x${pair.to.toString(16)}: ${run.console.trim()}`);
    context.progress("pairs", done, wanted);
    if (done % 16 === 0) await context.breathe();
  }
  if (journal !== undefined && (context.all || environment.hasKernel)) {
    failures.push(...await checkJournal(context, parent, checkpoint, journal));
  }
  return {
    failures,
    figures: {
      pairs: done,
      refused,
      "over two bridges": twice,
      "steps per pair": Math.round(steps / Math.max(1, done)),
      seed: SEED + level,
    },
  };
}

/** Both machines write the same, byte for byte of the loader's lines. */
async function compareWithQemu(
  context: CheckContext,
  environment: Environment,
): Promise<CheckOutcome> {
  const pairs = fixedPairs(environment.bits);
  const theirs = bridgeLines((await runPairsOnQemu(context, environment, pairs)).console);
  const ours = bridgeLines((await parentOf(context, environment)).console);
  return { failures: differences(ours, theirs), figures: { lines: ours.length } };
}

function differences(ours: readonly string[], theirs: readonly string[]): string[] {
  return Array.from({ length: Math.max(ours.length, theirs.length) }, (_, index) => index)
    .filter((index) => ours[index] !== theirs[index])
    .map((index) => `line ${index + 1}: here ${ours[index]}, on QEMU ${theirs[index]}`);
}

/** One of the pairs goes on to Debian. */
async function checkDebian(context: CheckContext, environment: Environment): Promise<CheckOutcome> {
  const parent = await parentOf(context, environment);
  const checkpoint = await checkpointOf(context, environment);
  const [random] = randomPairs(SEED + 100 + environment.level, environment.bits);
  const pair: Pair = { ...random as Pair, startsKernel: true };
  const recorded = await context.fork({
    parent,
    at: checkpoint.instant,
    name: `${environment.name}-debian`,
    script: [
      ...pokeLines(pokesOf(pair, checkpoint.loaded)),
      ...['expect "bridge: el="', 'expect "hindsight: shell"', 'expect "\\n# "', 'send "echo $((6 * 7))\\r"'],
      ...['expect "\\n42"', 'expect "\\n# "', 'send "poweroff -f\\r"'],
    ],
    seconds: 240,
  });
  const failures: string[] = [];
  if (!expectedLine(pair).test(bridgeLines(recorded.console)[0] ?? "")) failures.push("there is no record");
  if (context.all || environment.firmware === "u-boot") {
    failures.push(...await context.replayOn(recorded, otherEngines(context)));
  }
  return {
    failures,
    figures: {
      from: `0x${pair.from.toString(16)}`,
      to: `0x${pair.to.toString(16)}`,
      "boots to a shell in": recorded.end.instant - checkpoint.instant,
    },
  };
}

/** A pair whose VA_b was written to under the firmware's tables, so that it is in the TLB. */
const KNOWN_PAIR: Pair = { from: 0x5600_4000n, to: 0x5800_3000n };

/** A planted fault. */
interface Planted {
  readonly name: string;
  readonly mutant: (level: 1 | 2) => Mutant;
  /** What the loader then writes. */
  readonly says: RegExp;
  /** At which of its places the image is when the instruction is executed. */
  readonly at: "from" | "to";
  /** Whether it is replayed on another engine. */
  readonly isReplayed?: boolean;
  /** Only with `--all`. */
  readonly isLong?: boolean;
}

// deno-fmt-ignore
const PLANTED: readonly Planted[] = [
  // An undefined instruction at VA_b, fetched by the firmware's translation while TTBR0 is S3.
  { name: "without the first TLBI",              mutant: MUTANTS.noFirstTlbi,     at: "from", isReplayed: true, says: /^bridge: emergency esr=0000000002000000 elr=0000000058003/ },
  // The page before the image is empty, which is undefined instructions as well.
  { name: "with the second mapping a page off",  mutant: MUTANTS.mappingOffByOne, at: "from", says: /^bridge: emergency esr=0000000002000000 elr=0000000058003/ },
  // A translation fault on fetching at VA_b, level 2: the table above has VA_a's.
  { name: "with the second mapping left out",    mutant: MUTANTS.mappingMissing,  at: "from", isLong: true, says: /^bridge: emergency esr=0000000086000006 elr=0000000058003/ },
  // VBAR is VA_a + 0x1000 still.
  { name: "with the vectors left behind",        mutant: MUTANTS.vectorsStay,     at: "to",   says: /^bridge: el=.* vbar=0000000056005000 / },
];

let whole: { readonly engine: string; readonly recorded: Promise<Recorded> } | undefined;

/** The known pair without a fault, recorded once. */
function wholeRun(context: CheckContext, environment: Environment): Promise<Recorded> {
  if (whole?.engine !== context.engine) {
    whole = { engine: context.engine, recorded: recordPairs(context, environment, [KNOWN_PAIR]) };
  }
  return whole.recorded;
}

/** The fault shows, and bisect names its instruction. */
async function checkPlanted(
  context: CheckContext,
  environment: Environment,
  { mutant, says, at, isReplayed }: Planted,
): Promise<CheckOutcome> {
  const failures: string[] = [], { symbol } = mutant(environment.level);
  const good = await wholeRun(context, environment);
  const bad = await recordPairs(context, environment, [KNOWN_PAIR], { mutant: mutant(environment.level) });
  const line = bridgeLines(bad.console)[0] ?? "nothing";
  if (!says.test(line)) failures.push(`it writes ${line}`);
  if (isReplayed) failures.push(...await context.replayOn(bad, otherEngines(context)));
  const { difference } = bisectRuns(good, bad, context.machineOptions());
  const place = KNOWN_PAIR[at] + BigInt(coreOffset(symbol));
  let found = "no instruction";
  if (difference.kind === "divergent") {
    const step = difference.sides[1].after.find(({ kind }) => kind === "stepRetired");
    if (step?.kind === "stepRetired") found = `0x${step.pc.toString(16)}`;
  }
  if (found !== `0x${place.toString(16)}`) {
    failures.push(`bisect names ${found}, and not ${symbol} at 0x${place.toString(16)}`);
  }
  return { failures, figures: { "bisect names": `${symbol} at ${found}`, it: line.slice(0, 90) } };
}

/** The same wrong bytes give the same syndrome on QEMU, where the TLB has no part in it. */
async function compareSyndromes(context: CheckContext, environment: Environment): Promise<CheckOutcome> {
  const mutant = MUTANTS.mappingMissing(environment.level);
  const theirs = bridgeLines((await runPairsOnQemu(context, environment, [KNOWN_PAIR], mutant)).console);
  const recorded = await recordPairs(context, environment, [KNOWN_PAIR], { mutant });
  const ours = bridgeLines(recorded.console);
  const failures = differences(ours, theirs);
  if (!ours.some((line) => line.startsWith("bridge: emergency"))) failures.push("there is no syndrome");
  return { failures, figures: { syndrome: ours.at(-1)?.slice(0, 90) ?? "" } };
}

/** Plans from a seed; how many there are without the MMU going off, and with. */
const PLANS = 100, ALL_PLANS = 2000;

async function checkRandomPlans(context: CheckContext): Promise<CheckOutcome> {
  const wanted = context.all ? ALL_PLANS : PLANS, failures: string[] = [];
  const counts = { "MMU on": 0, "by an abort": 0, "MMU off": 0, "no way": 0 }, shapes = new Set<string>();
  for (let seed = 1; seed <= wanted / 20; seed++) {
    const checked = checkPlans(seed, 20, seed % 2 === 0 ? "reference" : "threaded");
    failures.push(...checked.failures);
    for (const [shape, count] of checked.shapes) {
      shapes.add(shape);
      const kind = shape === "none"
        ? "no way"
        : shape.includes("ByAbort")
        ? "by an abort"
        : shape.includes("off")
        ? "MMU off"
        : "MMU on";
      counts[kind] += count;
    }
    context.progress("plans", seed * 20, wanted);
    await context.breathe();
  }
  return { failures: failures.slice(0, MOST_TOLD), figures: { ...counts, "kinds of plan": shapes.size } };
}

const environmentNamed = (name: string): Environment =>
  ENVIRONMENTS.find((environment) => environment.name === name) as Environment;

function checksOf(environment: Environment): SystemCheck[] {
  const { name, firmware, hasKernel } = environment;
  const all = hasKernel ? [firmware, "linux-cloud"] : [firmware];
  const check = (title: string, run: SystemCheck["run"], more: Partial<SystemCheck> = {}): SystemCheck => (
    { name: `${name}: ${title}`, needs: all, run, ...more }
  );
  return [
    check("bridges and refusals as the sheet has them", (context) => checkFixed(context, environment)),
    check(
      "random pairs from one checkpoint: MMU on, no abort, two TTBR0 writes, tables as they must be",
      (context) => checkRandom(context, environment),
    ),
    check("the loader writes the same on QEMU", (context) => compareWithQemu(context, environment)),
    ...hasKernel
      ? [check("a pair goes on to Debian's shell", (context) => checkDebian(context, environment))]
      : [],
  ];
}

/** The system. */
export const bridgeSpace: SystemScenario = {
  slug: "bridge-space",
  explain: EXPLANATION,
  checks: [
    ...ENVIRONMENTS.flatMap(checksOf),
    ...PLANTED.map((planted): SystemCheck => ({
      isLong: planted.isLong ?? false,
      name: `${planted.name}: it shows, and bisect names the instruction`,
      needs: ["u-boot"],
      run: (context) => checkPlanted(context, environmentNamed("u-boot-el2"), planted),
    })),
    {
      name: "the path planner: each plan, run, does what it says, hop by hop",
      run: checkRandomPlans,
    },
    {
      name: "against pagefault-boot: both ways end in the same space",
      run: () => Promise.resolve(compareWays(2)),
    },
    {
      name: "an unexpected abort: the same syndrome on QEMU",
      needs: ["u-boot"],
      run: (context) => compareSyndromes(context, environmentNamed("u-boot-el2")),
    },
  ],
};
