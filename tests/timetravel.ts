/**
 * Time travel on real guests: how long it takes to go back, beside QEMU, and bugs found by the tools alone.
 *
 * `deno task timetravel [NAME…] [--all] [--list]`; needs `deno task guests linux-cloud u-boot`. Times are printed and never
 * fail; what is checked is what was found.
 */
import { parseArgs } from "@std/cli";
import { debugAdapter } from "./timetravel/dap.ts";
import { exploreRate } from "./timetravel/explore_rate.ts";
import { farDifference } from "./timetravel/far_difference.ts";
import { gdbFuzz, gdbOnLinux } from "./timetravel/gdb.ts";
import { plantedDescriptor } from "./timetravel/planted_descriptor.ts";
import { plantedProperty } from "./timetravel/planted_property.ts";
import { plantedRace } from "./timetravel/planted_race.ts";
import { provenance } from "./timetravel/provenance.ts";
import { qemuLog } from "./timetravel/qemu_log.ts";
import { reverse } from "./timetravel/reverse.ts";
import type { Row, RowContext } from "./timetravel/row.ts";

/** All rows, in order. */
const ROWS: readonly Row[] = [
  reverse,
  exploreRate,
  plantedRace,
  plantedProperty,
  plantedDescriptor,
  gdbOnLinux,
  gdbFuzz,
  debugAdapter,
  provenance,
  farDifference,
  qemuLog,
];

class Counter {
  passed = 0;
  failed = 0;

  check(name: string, isMet: boolean, detail = ""): void {
    if (isMet) this.passed++;
    else {
      this.failed++;
      console.log(`   FAILED: ${name}${detail === "" ? "" : `: ${detail}`}`);
    }
  }
}

async function runRow(row: Row, counter: Counter, isAll: boolean): Promise<void> {
  const folder = await Deno.makeTempDir();
  console.log(`== ${row.name}: ${row.question}`);
  const started = performance.now();
  const context: RowContext = {
    folder,
    isAll,
    tell: (line) => console.log(`   ${line}`),
    check: (name, isMet, detail) => counter.check(name, isMet, detail),
  };
  try {
    await row.run(context);
  } catch (error) {
    counter.check(row.name, false, error instanceof Error ? error.stack ?? error.message : String(error));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log(`   ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, { boolean: ["all", "list"] });
  const names = options._.map(String);
  const unknown = names.find((name) => !ROWS.some((row) => row.name === name));
  if (unknown !== undefined) {
    console.error(`There is no row "${unknown}": use ${ROWS.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  if (options.list) {
    for (const { name, question, isQuick } of ROWS) {
      console.log(`${name.padEnd(18)}${isQuick ? "" : "(--all) "}${question}`);
    }
    return 0;
  }
  const counter = new Counter();
  for (const row of ROWS) {
    const isWanted = names.length > 0 ? names.includes(row.name) : row.isQuick || options.all;
    if (isWanted) await runRow(row, counter, options.all);
  }
  console.log(`${counter.passed} passed, ${counter.failed} failed`);
  return counter.failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
