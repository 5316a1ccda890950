/** Debian under the pager: boots to its shell, and sums of all its files are what they are without. */
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { judge, linesText, locate } from "./code_pages.ts";
import { failuresOf, historyOf, notOwn } from "./history.ts";

const SUMS = [
  'expect "hindsight: shell"',
  'expect "# "',
  'send "find / -xdev -type f | sort | xargs sha256sum; echo sums done\\r"',
  'expect "\\nsums done"',
  'expect "# "',
  'send "poweroff -f\\r"',
];

/** Most seconds of a run under a strict cache, where every access takes the slow way. */
const STRICT_SECONDS = 3600;

function recordDebian(
  context: CheckContext,
  name: string,
  more: readonly string[],
  seconds = 300,
): Promise<Recorded> {
  return context.record({
    name,
    options: [
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("linux-cloud/initrd.gz")],
      ...["-m", "128M", "-no-reboot", "-append", `console=ttyAMA0 ${QUICK_KERNEL} quiet`, ...more],
    ],
    script: SUMS,
    seconds,
  });
}

/** Steps of a Debian without IC, which does not get far. */
const MUTANT_STEPS = 100_000;

/** The lines with sums that a console has. */
function sumsOf({ console }: Recorded): string[] {
  return console.split(/\r?\n/).filter((line) => /^[0-9a-f]{64} {2}\//.test(line));
}

/** The un-paged sums and those of a run with the system; what differs. */
async function compareSums(context: CheckContext, paged: Recorded): Promise<string[]> {
  const plain = sumsOf(await recordDebian(context, "debian-unpaged", [])), sums = sumsOf(paged);
  if (plain.length < 10) return [`only ${plain.length} files were summed`];
  return plain.flatMap((line, at) => sums[at] === line ? [] : [`${sums[at] ?? "nothing"} for ${line}`]).slice(
    0,
    5,
  );
}

/** Without strict caches, quick: sums, rules and W^X from the journal. */
export async function checkDebian(context: CheckContext): Promise<CheckOutcome> {
  const paged = await recordDebian(context, "debian", [
    "--monitor",
    "el2:icache-on-fault,every=100000,seed=7,policy=lazy",
  ]);
  const failures = await compareSums(context, paged);
  const other = context.engine === "threaded" ? "compiled" : "threaded";
  const history = await historyOf(context, paged, context.machineOptions(other));
  failures.push(
    ...failuresOf("debian", history),
    ...history.writableCode.slice(0, 5).map((place) => `writable code: ${place}`),
  );
  const { dataOnly, executable } = history.counts;
  return {
    failures,
    figures: {
      debian: linesText(history),
      "maintenance saved by lazy mapping": `${dataOnly} of ${
        dataOnly + executable
      } mappings needed none for fetches`,
      "pages at once writable and executable": history.writableCode.length,
    },
  };
}

/** Under the strict instruction cache: no stale instruction. */
export async function checkStrictDebian(context: CheckContext): Promise<CheckOutcome> {
  const options = ["--strict", "icache", "--monitor", "el2:icache-on-fault,every=50000,seed=7"];
  const paged = await recordDebian(context, "debian-strict", options, STRICT_SECONDS);
  const failures = await compareSums(context, paged);
  const history = await historyOf(context, paged, context.machineOptions("threaded"));
  // Linux rewrites instructions that it may execute before it maintains them: those are its own.
  const others = notOwn(paged, history.stale, context.machineOptions("threaded"));
  const own = history.stale.length - others.length;
  history.stale.splice(0, Infinity, ...others);
  failures.push(...failuresOf("debian-strict", history));
  const figures = {
    "debian-strict": linesText(history),
    "stale by Linux's own writes": own,
    "stale by the pager": others.length,
  };
  return { failures, figures };
}

/** Debian under a monitor that leaves IC out: the first stale instruction, and the mapping that made it so. */
export async function checkMutantDebian(context: CheckContext): Promise<CheckOutcome> {
  const recordUntil = (instant: number) =>
    context.record({
      name: "debian-without-ic",
      options: [
        ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("linux-cloud/initrd.gz")],
        ...["-m", "128M", "-no-reboot", "-append", `console=ttyAMA0 ${QUICK_KERNEL} quiet`],
        ...["--strict", "icache", "--monitor", "el2:icache-on-fault,every=1000,seed=7,omit=ic"],
        ...["--until", String(instant)],
      ],
    });
  const mutant = await recordUntil(MUTANT_STEPS);
  const history = await historyOf(context, mutant, context.machineOptions("threaded"));
  const outcome = judge("debian without IC", await locate(context, history, recordUntil));
  const first = history.stale.slice(0, 1);
  if (notOwn(mutant, first, context.machineOptions("threaded")).length === first.length) return outcome;
  return { ...outcome, failures: [...outcome.failures, "the planted fault passes for the guest's own"] };
}
