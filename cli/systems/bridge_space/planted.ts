/** Faults planted in the loader of bridge-space: each shows, and is found. */
import { bisectRuns } from "../../../journal/bisect_runs.ts";
import { coreOffset, type Mutant, MUTANTS, type Pair } from "../../../firmware/bridge_space/image.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { bridgeLines, differences, otherEngines, recordPairs, runPairsOnQemu } from "./boots.ts";
import type { Environment } from "./environments.ts";

/** A pair whose VA_b was written to under the firmware's tables, so that it is in the TLB. */
const KNOWN_PAIR: Pair = { from: 0x5600_4000n, to: 0x5800_3000n };

/** A planted fault. */
export interface Planted {
  /** What is wrong. */
  readonly name: string;
  /** The change. */
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

/** All of them. */
// deno-fmt-ignore
export const PLANTED: readonly Planted[] = [
  // An undefined instruction at VA_b, fetched by the firmware's translation while TTBR0 is S3.
  { name: "without the first TLBI",              mutant: MUTANTS.noFirstTlbi,     at: "from", isReplayed: true, says: /^bridge: emergency esr=0000000002000000 elr=0000000058003/ },
  // The page before the image is empty, which is undefined instructions as well.
  { name: "with the second mapping a page off",  mutant: MUTANTS.mappingOffByOne, at: "from", isLong: true, says: /^bridge: emergency esr=0000000002000000 elr=0000000058003/ },
  // A translation fault on fetching at VA_b, level 2: the table above has VA_a's.
  { name: "with the second mapping left out",    mutant: MUTANTS.mappingMissing,  at: "from", isLong: true, says: /^bridge: emergency esr=0000000086000006 elr=0000000058003/ },
  // VBAR is VA_a + 0x1000 still.
  { name: "with the vectors left behind",        mutant: MUTANTS.vectorsStay,     at: "to",   isLong: true, says: /^bridge: el=.* vbar=0000000056005000 / },
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
export async function checkPlanted(
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
export async function compareSyndromes(
  context: CheckContext,
  environment: Environment,
): Promise<CheckOutcome> {
  const mutant = MUTANTS.mappingMissing(environment.level);
  const theirs = bridgeLines((await runPairsOnQemu(context, environment, [KNOWN_PAIR], mutant)).console);
  const recorded = await recordPairs(context, environment, [KNOWN_PAIR], { mutant });
  const ours = bridgeLines(recorded.console);
  const failures = differences(ours, theirs);
  if (!ours.some((line) => line.startsWith("bridge: emergency"))) failures.push("there is no syndrome");
  return { failures, figures: { syndrome: ours.at(-1)?.slice(0, 90) ?? "" } };
}
