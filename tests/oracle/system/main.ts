/** The oracle `qemu-system-aarch64`: runs every group there and here, and compares result by result. */
import { parseArgs } from "@std/cli";
import { exitOnMissing } from "../outsider.ts";
import { type Difference, DIFFERENCES, reconcile } from "./differences.ts";
import {
  digestsOf,
  programOf,
  readSystemFixtures,
  resultOf,
  type SystemFixtures,
  writeSystemFixtures,
} from "./fixtures.ts";
import type { Group } from "./group.ts";
import { GROUPS } from "./groups.ts";
import { runOnOurs, runOnQemu } from "./machines.ts";
import { RESULT_WORDS } from "./program.ts";

const DISAGREEMENTS_SHOWN = 5;

interface Report {
  agreed: number;
  disagreed: number;
  readonly met: Map<Difference, number>;
  readonly fixtures: SystemFixtures;
}

/** What differs in a result: word, QEMU's value, ours. */
function describe(name: string, ours: BigUint64Array, theirs: BigUint64Array): string {
  const words = RESULT_WORDS.map((word, at) => ({
    word,
    here: ours[at] as bigint,
    there: theirs[at] as bigint,
  }));
  const lines = words.filter(({ here, there }) => here !== there).map(({ word, here, there }) =>
    `  ${word} ours 0x${here.toString(16)}, QEMU's 0x${there.toString(16)}`
  );
  return [name, ...lines].join("\n");
}

async function compareGroup(group: Group, report: Report): Promise<void> {
  const program = programOf(group);
  const theirs = await runOnQemu(program, group), ours = runOnOurs(program, group);
  let disagreed = 0;
  for (const [index, run] of program.names.entries()) {
    const name = `${group.name}: ${run}`, here = resultOf(ours, index), there = resultOf(theirs, index);
    for (const difference of reconcile(name, here, there)) {
      report.met.set(difference, (report.met.get(difference) ?? 0) + 1);
    }
    if (here.every((word, at) => word === there[at])) continue;
    if (disagreed++ < DISAGREEMENTS_SHOWN) console.log(describe(name, here, there));
  }
  if (disagreed > DISAGREEMENTS_SHOWN) console.log(`${group.name}: ${disagreed - DISAGREEMENTS_SHOWN} more`);
  report.disagreed += disagreed;
  report.agreed += program.names.length - disagreed;
  report.fixtures.set(group.name, digestsOf(group, program, theirs));
}

/** Groups whose recorded digests are not what was found. */
function staleGroups(live: SystemFixtures, recorded: SystemFixtures): string[] {
  return [...live].filter(([name, digests]) => recorded.get(name)?.join() !== digests.join()).map(([name]) =>
    name
  );
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["group", "model"], boolean: ["update", "quick"] });
  const groups = GROUPS.filter(({ name }) => !options.group || name.includes(options.group))
    .filter(({ model = "cortex-a57" }) => !options.model || model === options.model)
    .filter((_, index) => !options.quick || index % 4 === 0);
  const report: Report = { agreed: 0, disagreed: 0, met: new Map(), fixtures: new Map() };
  for (const group of groups) await compareGroup(group, report);
  const isWhole = groups.length === GROUPS.length;
  const isModel = options.model !== undefined && !options.group && !options.quick;
  if (options.update && (isWhole || isModel) && report.disagreed === 0) {
    writeSystemFixtures(report.fixtures);
  }
  const stale = staleGroups(report.fixtures, readSystemFixtures());
  if (stale.length > 0) {
    console.log(`Recorded digests of these groups are not QEMU's, renew with --update: ${stale}`);
  }
  const unmet = isWhole ? DIFFERENCES.filter((difference) => !report.met.has(difference)) : [];
  for (const { reason } of unmet) console.log(`A known difference was not met: ${reason}`);
  for (const [{ reason, section }, count] of report.met) console.log(`  ${count} × ${reason} (${section})`);
  console.log(
    `oracle qemu-system-aarch64: ${report.agreed} lines of ${groups.length} groups agreed, ${report.disagreed} disagreed; ` +
      `${report.met.size} known differences are masked, above`,
  );
  if (report.disagreed + stale.length + unmet.length > 0) Deno.exit(1);
}

await exitOnMissing(main);
