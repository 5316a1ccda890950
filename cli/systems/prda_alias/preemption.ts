/** Checks of prda-alias: schemes under a preemption and migration at every boundary, and what happens by mistake. */
import type { PrdaKernelOptions } from "../../../firmware/prda/kernel.ts";
import { type SchemeName, SCHEMES } from "../../../firmware/prda/schemes.ts";
import type { CheckContext, CheckOutcome, SystemCheck } from "../scenario.ts";
import { checkRun, longestDeferral, type WrongOwnerCause } from "./accesses.ts";
import { boardOptions, ENGINES, kernelFile, type KernelRun, recordKernel, reported, UNTIL } from "./runs.ts";
import { ScheduleExplorer, type ScheduleOptions, type ScheduleOutcome, violationOf } from "./schedules.ts";

/** The schemes that keep increments right. */
const RIGHT: readonly SchemeName[] = [
  "alias",
  "aliasAtomic",
  "deferralTable",
  "deferralFlag",
  "deferralNested",
];

/** How futures are run on a context's engine. */
export const exploring = (context: CheckContext, actions: number): ScheduleOptions => ({
  ...context.machineOptions(),
  compile: "off",
  actions,
  until: UNTIL,
});

/** What exploring has come to. */
export interface Explored {
  /** Futures by what is wrong with them, "" for nothing. */
  readonly counts: ReadonlyMap<string, number>;
  /** The first of each. */
  readonly first: ReadonlyMap<string, ScheduleOutcome>;
  /** All accesses of all futures. */
  readonly accesses: number;
  /** Preemptions that were put off. */
  readonly deferrals: number;
  /** Instructions before which a preemption was tried. */
  readonly pcs: ReadonlySet<bigint>;
}

/** Explores all schedules of a run. */
export async function exploreAll(
  context: CheckContext,
  { kernel, recorded }: KernelRun,
  options: ScheduleOptions,
): Promise<Explored> {
  const explorer = new ScheduleExplorer(recorded.run, recorded.images, kernel, options);
  const counts = new Map<string, number>(),
    first = new Map<string, ScheduleOutcome>(),
    pcs = new Set<bigint>();
  let accesses = 0, deferrals = 0, futures = 0;
  for (const outcome of explorer.explore()) {
    const violation = violationOf(outcome, kernel) ?? "";
    counts.set(violation, (counts.get(violation) ?? 0) + 1);
    if (!first.has(violation)) first.set(violation, outcome);
    accesses += outcome.accesses.length;
    deferrals += outcome.pendings.filter(({ isSet }) => isSet).length;
    for (const { pc } of outcome.schedule) pcs.add(pc);
    if (++futures % 32 === 0) {
      context.progress(`${kernel.options.scheme}: futures`, futures);
      await context.breathe();
    }
  }
  return { counts, first, accesses, deferrals, pcs };
}

/** An outcome in words. */
export function outcomeText({ schedule, sum, wrongOwners: [wrong] }: ScheduleOutcome): string {
  const actions = schedule.map(({ instant, pe, pc }) => `cpu${pe} at ${instant} (0x${pc.toString(16)})`);
  const access = wrong === undefined
    ? ""
    : `; cpu${wrong.access.pe} accessed the area of cpu${wrong.access.owner} at ${wrong.access.instant} (${wrong.cause})`;
  return `preempted: ${actions.join(", ") || "nothing"}: sum ${sum}${access}`;
}

/** Instructions of a section before which no preemption was tried. */
function boundariesMissing(
  { kernel: { program: { symbols } } }: KernelRun,
  pcs: ReadonlySet<bigint>,
): bigint[] {
  const missing: bigint[] = [];
  for (let pc = symbols.get("section_begin")!; pc <= symbols.get("section_end")!; pc += 4n) {
    if (!pcs.has(pc)) missing.push(pc);
  }
  return missing;
}

/** The kernels of the first check: every scheme at EL1 on 2 PEs and at EL2 on 3. */
const FEW: readonly PrdaKernelOptions[] = RIGHT.flatMap((scheme) => [
  { scheme, level: 1, pes: 2, threads: 3, rounds: 2 },
  { scheme, level: 2, pes: 3, threads: 4, rounds: 2 },
]);

/** Those of the long ones: every scheme at both levels on so many PEs. */
const kernelsOn = (pes: number): readonly PrdaKernelOptions[] =>
  RIGHT.flatMap((scheme) =>
    [1, 2].map((level) => ({ scheme, level: level as 1 | 2, pes, threads: pes + 1, rounds: 1 }))
  );

async function everyBoundary(
  context: CheckContext,
  schemes: readonly PrdaKernelOptions[],
): Promise<CheckOutcome> {
  const failures: string[] = [];
  let futures = 0, accesses = 0, deferrals = 0;
  for (const [index, options] of schemes.entries()) {
    context.progress("kernels", index, schemes.length);
    const { scheme, level, pes } = options, name = `${scheme} at EL${level} on ${pes} PEs`;
    // The alias shows itself where TLBs hold what they may.
    const strict = scheme.startsWith("alias") ? ["--strict=tlb,context"] : [];
    const kernelRun = await recordKernel(context, options, { options: strict });
    const replays = await context.replayOn(kernelRun.recorded, ENGINES);
    failures.push(...replays.map((failure) => `${name}: ${failure}`));
    const explored = await exploreAll(context, kernelRun, exploring(context, 1));
    for (const [violation, outcome] of explored.first) {
      if (violation !== "") failures.push(`${name}: ${violation}: ${outcomeText(outcome)}`);
    }
    const missing = boundariesMissing(kernelRun, explored.pcs);
    if (missing.length > 0) {
      failures.push(`${name}: no preemption was tried at 0x${missing[0]!.toString(16)}`);
    }
    if (explored.deferrals === 0 && SCHEMES[scheme].summary.includes("put off")) {
      failures.push(`${name}: no preemption was put off`);
    }
    futures += explored.counts.get("") ?? 0;
    accesses += explored.accesses;
    deferrals += explored.deferrals;
  }
  return {
    failures,
    figures: { kernels: schemes.length, futures, accesses, deferrals, "wrong owners": failures.length },
  };
}

/** The alias says where an access goes, not that nothing comes between two: a plain load and store carry a value along. */
async function carried(context: CheckContext): Promise<CheckOutcome> {
  const kernelRun = await recordKernel(context, { scheme: "aliasPlain" });
  const { counts, first } = await exploreAll(context, kernelRun, exploring(context, 1));
  const wrong = counts.get("sum wrong") ?? 0,
    others = [...counts.keys()].filter((name) => name !== "" && name !== "sum wrong");
  const failures = others.map((name) => `${name}: ${outcomeText(first.get(name)!)}`);
  if (wrong === 0) failures.push("a plain load and store by the alias lost nothing at any boundary");
  return { failures, figures: { "sums wrong": wrong, right: counts.get("") ?? 0 } };
}

/** Kernels with a mistake: what the checker has to say of their accesses, and under which strict models. */
const MISTAKES: readonly {
  readonly mutant: NonNullable<PrdaKernelOptions["mutant"]>;
  readonly strict: string;
  readonly cause: WrongOwnerCause;
}[] = [
  { mutant: "sharedRoot", strict: "context", cause: "rootShared" },
  { mutant: "commonNotPrivate", strict: "context", cause: "commonNotPrivate" },
  { mutant: "missingInvalidate", strict: "tlb", cause: "staleTranslation" },
];

async function mistakes(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const { mutant, strict, cause } of MISTAKES) {
    for (const level of [1, 2] as const) {
      const look = async (wrong?: typeof mutant) => {
        const options = { scheme: "alias", level, ...wrong && { mutant: wrong } } as const;
        const { kernel, recorded } = await recordKernel(context, options, {
          options: [`--strict=${strict}`],
        });
        return checkRun(recorded.run, recorded.images, kernel, context.machineOptions());
      };
      const found = await look(mutant), right = await look();
      const causes = new Set(found.wrongOwners.map((one) => one.cause));
      if (causes.size !== 1 || !causes.has(cause)) {
        failures.push(`${mutant} at EL${level}: found ${[...causes].join(", ") || "nothing"}, not ${cause}`);
      }
      if (right.wrongOwners.length > 0) {
        failures.push(`without ${mutant} at EL${level}: ${right.wrongOwners[0]!.cause}`);
      }
      figures[`${mutant} at EL${level}`] = found.wrongOwners.length;
    }
  }
  return { failures, figures };
}

/** Sections that are too long are reported, others are not; those within others are counted. */
async function watchdog(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], threads = 2, rounds = 2, period = 1000;
  const expect = (what: string, is: number, should: number): void => {
    if (is !== should) failures.push(`${what}: ${is}, not ${should}`);
  };
  const look = async (options: PrdaKernelOptions) => {
    const { kernel, recorded } = await recordKernel(context, { threads, rounds, period, ...options });
    const { console } = recorded;
    expect(`${options.scheme}: sum`, reported(console, "sum"), kernel.expected);
    const { wrongOwners, ...seen } = checkRun(
      recorded.run,
      recorded.images,
      kernel,
      context.machineOptions(),
    );
    expect(`${options.scheme}: wrong owners`, wrongOwners.length, 0);
    return { console, longest: longestDeferral({ wrongOwners, ...seen }) };
  };
  const overlong = await look({ scheme: "overlong", bound: 3 });
  expect("reports of sections that are too long", reported(overlong.console, "watchdog"), threads * rounds);
  const lines = overlong.console.match(/watchdog: section exceeds its bound, thread \d+ at 0x[0-9a-f]+/g) ??
    [];
  expect("lines of the watchdog", lines.length, threads * rounds);
  expect(
    "reports with a bound that no section exceeds",
    reported((await look({ scheme: "overlong", bound: 4095 })).console, "watchdog"),
    0,
  );
  const nested = await look({ scheme: "deferralNested", threads: 3, period: 131, rounds: 200 });
  expect("sections within others", reported(nested.console, "nested"), 3 * 200);
  expect("reports of short sections", reported(nested.console, "watchdog"), 0);
  if (reported(nested.console, "deferred") < 1) failures.push("no tick was put off in 600 nested sections");
  if (overlong.longest <= 3 * period * 2) failures.push(`the longest deferral is ${overlong.longest} steps`);
  return {
    failures,
    figures: {
      "longest deferral in steps": overlong.longest,
      "ticks put off": reported(overlong.console, "deferred"),
    },
  };
}

/** The same bytes on QEMU, with its own timing of ticks. */
async function onQemu(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  const wanted: readonly PrdaKernelOptions[] = [
    { scheme: "alias", level: 1, pes: 2 },
    { scheme: "alias", level: 2, pes: 4 },
    { scheme: "aliasAtomic", level: 1, pes: 8, rounds: 200 },
    { scheme: "deferralTable", level: 1, pes: 3 },
    { scheme: "deferralNested", level: 2, pes: 2 },
  ];
  for (const options of wanted) {
    const { kernel, recorded } = await recordKernel(context, {
      rounds: 1000,
      period: 1777,
      bound: 4095,
      ...options,
    });
    const qemu = await context.qemu({ options: boardOptions(kernel), files: kernelFile(kernel) });
    const name = `${options.scheme} at EL${options.level} on ${options.pes} PEs`;
    for (const [where, console] of [["here", recorded.console], ["QEMU", qemu.console]] as const) {
      const sum = reported(console, "sum");
      if (sum !== kernel.expected) failures.push(`${name}, ${where}: sum ${sum}, not ${kernel.expected}`);
      if (where === "here" && reported(console, "migrations") < 1) {
        failures.push(`${name}: no thread migrated`);
      }
      figures[`${name}, ${where}: migrations`] = reported(console, "migrations");
    }
  }
  return { failures, figures };
}

/** These checks, in order. */
export const PREEMPTION_CHECKS: readonly SystemCheck[] = [
  {
    name:
      "a preemption and migration at every boundary: alias and deferral reach the own area only, and sums are exact",
    run: (context) => everyBoundary(context, FEW),
  },
  ...[4, 5, 6, 7, 8].map((pes): SystemCheck => ({
    name: `a preemption and migration at every boundary on ${pes} PEs, at EL1 and EL2`,
    isLong: true,
    run: (context) => everyBoundary(context, kernelsOn(pes)),
  })),
  {
    name: "a plain load and store by the alias carry a value to another area, which the sum shows",
    run: carried,
  },
  {
    name: "a shared root, CnP and a missing TLBI are each found as accesses of a wrong owner",
    run: mistakes,
  },
  {
    name: "sections over the bound are reported by the watchdog, sections within others are counted",
    run: watchdog,
  },
  { name: "the same kernels have the same sums on QEMU", run: onQemu },
];
