/** bridge-space (US10185664B1): the checks of its sheet. */
import { type Pair, REASON_TEXTS, REASONS, refusalOf } from "../../../firmware/bridge_space/image.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck, SystemScenario } from "../scenario.ts";
import { bridgeLines, checkpointOf, differences, otherEngines, parentOf, runPairsOnQemu } from "./boots.ts";
import { checkPlanted, compareSyndromes, PLANTED } from "./planted.ts";
import { type Environment, ENVIRONMENTS } from "./environments.ts";
import { EXPLANATION } from "./explanation.ts";
import { type Checkpoint, faultsOf, pokeLines, pokesOf } from "./forks.ts";
import { checkPlans, compareWays } from "./plan_check.ts";
import { type ExpectedPair, fixedPairs, randomPairs } from "./pairs.ts";

/** Pairs of each environment, and with `--all`. */
const PAIRS = 60, ALL_PAIRS = 1000;
/** Seed of the random pairs. */
const SEED = 9;
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
      ? [
        check("a pair goes on to Debian's shell", (context) => checkDebian(context, environment), {
          isLong: firmware !== "u-boot",
        }),
      ]
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
