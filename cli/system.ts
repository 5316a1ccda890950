/** `hindsight system`: the systems built on the machine: what they are, how they work, whether they do. */
import { DEFAULT_ENGINE, ENGINES } from "../machine/machine.ts";
import type { Command } from "./command.ts";
import { CommandError, UsageError } from "./errors.ts";
import { makeFolder } from "./host/folder.ts";
import type { Host } from "./host/host.ts";
import type { OptionRow, Options } from "./options.ts";
import { suggestion } from "./suggest.ts";
import { type CheckResult, ResultsFile } from "./systems/results.ts";
import { runSystem } from "./systems/runner.ts";
import type { SystemScenario } from "./systems/scenario.ts";
import { statusOf, systemNamed, type SystemRow, SYSTEMS } from "./systems/table.ts";
import { counted, paletteFor } from "./text.ts";

/** Where journals and results go. */
const FOLDER = ".systems";

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "all",    help: "long checks too; those that passed before, by the results in FOLDER, are not run again" },
  { name: "again",  help: "with --all: all of them anew" },
  { name: "check",  value: "TEXT", repeats: true, help: "only checks with TEXT in their name, long ones too" },
  { name: "engine", value: Object.keys(ENGINES).join("|"), help: `what records, ${DEFAULT_ENGINE} by default; changes no result` },
  { name: "output", aliases: ["o"], value: "FOLDER", help: `where journals and results go (default ${FOLDER}, which is made)` },
];

const DETAILS =
  `  list          the systems: number, name, status, what they are, and the publications they build
  run SLUG      records the system's scenario, replays it and checks its acceptance; run all: every system
  explain SLUG  how it works, and how to look at it

Checks that ask QEMU, iasl, tmux or gdb are skipped where Deno was not told:
--allow-run=qemu-system-aarch64,iasl,tmux,gdb-multiarch,mkfifo.
The exit code of run is 0 when no check failed, and 1 otherwise; with --json it prints one value for each system.`;

function list(options: Options, host: Host): number {
  const rows = SYSTEMS.map((row) => ({ ...row, status: statusOf(row) }));
  if (options.isOn("json")) {
    const value = rows.map(({ number, slug, title, publications, status }) => (
      { number, slug, title, publications, status }
    ));
    host.stdout.write(`${JSON.stringify(value)}\n`);
    return 0;
  }
  const { bold, dim, green } = paletteFor(host.stdout);
  const width = Math.max(...rows.map(({ slug }) => slug.length));
  for (const { number, slug, title, publications, status } of rows) {
    const shown = (status === "built" ? green : dim)(status.padEnd(7));
    host.stdout.write(
      `${String(number).padStart(2)}  ${bold(slug.padEnd(width))}  ${shown}  ${title} ${
        dim(`(${publications.join(", ")})`)
      }\n`,
    );
  }
  return 0;
}

async function explain(row: SystemRow, options: Options, host: Host): Promise<number> {
  const scenario = await row.load?.();
  const { number, slug, title, publications } = row, checks = scenario?.checks ?? [];
  if (options.isOn("json")) {
    const value = {
      ...{ number, slug, title, publications, status: statusOf(row), explain: scenario?.explain ?? null },
      checks: checks.map(({ name, isLong = false, needs = [] }) => ({ name, isLong, needs })),
    };
    host.stdout.write(`${JSON.stringify(value)}\n`);
    return 0;
  }
  const { bold } = paletteFor(host.stdout);
  const lines = [
    `${bold(slug)}: ${title}`,
    `Publications: ${publications.join(", ")}`,
    "",
    scenario?.explain.trim() ?? "It is planned, not built.",
    ...(checks.length === 0 ? [] : ["", "Checks:"]),
    ...checks.map(({ name, isLong, needs = [] }) =>
      `  - ${name}${isLong === true ? " (--all)" : ""}${
        needs.length === 0 ? "" : ` [needs ${needs.join(", ")}]`
      }`
    ),
  ];
  host.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

/** The systems that a name asks for. Throws UsageError, and CommandError for one that is planned. */
function chosen(name: string): readonly SystemRow[] {
  if (name === "all") return SYSTEMS.filter(({ load }) => load !== undefined);
  const row = systemNamed(name);
  if (row.load !== undefined) return [row];
  throw new CommandError(`${row.slug} is planned, not built; \`hindsight system list\` tells which are`);
}

/** A figure as people read it. */
function figureText([name, value]: [string, string | number]): string {
  const shown = typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
  return `${name} ${shown.replace(/\B(?=(\d{3})+$)/g, /^\d+$/.test(shown) ? "," : "")}`;
}

function resultText(
  { name, status, failures, figures, seconds }: CheckResult,
  isKept: boolean,
  host: Host,
): string {
  const { green, red, yellow, dim } = paletteFor(host.stdout);
  const mark = { passed: green("passed "), failed: red("FAILED "), skipped: yellow("skipped") }[status];
  const told = Object.entries(figures).map(figureText).join(", ");
  const when = isKept ? "earlier" : `${seconds.toFixed(1)} s`;
  const lines = [`  ${mark}  ${name} ${dim(`(${when})`)}`];
  if (told !== "") lines.push(dim(`           ${told}`));
  lines.push(...failures.map((failure) => `           ${failure.replaceAll("\n", "\n           ")}`));
  return `${lines.join("\n")}\n`;
}

function count(results: readonly CheckResult[], wanted: CheckResult["status"]): number {
  return results.filter(({ status }) => status === wanted).length;
}

/** The verdict on a system in a line. */
function verdictText(slug: string, results: readonly CheckResult[]): string {
  const passed = count(results, "passed"), skipped = count(results, "skipped");
  const tried = results.length - skipped, seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  const verdict = results.length === 0
    ? "no such check"
    : `${passed} of ${counted(tried, "check")} passed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
  return `${slug}: ${verdict}, ${seconds.toFixed(1)} s\n`;
}

/** Loads a system; one that cannot be loaded is a failure of that one alone. */
async function loaded({ slug, load }: SystemRow): Promise<SystemScenario> {
  try {
    return await load!();
  } catch (error) {
    throw new CommandError(`Cannot load ${slug}: ${(error as Error).message}`);
  }
}

async function run(rows: readonly SystemRow[], options: Options, host: Host): Promise<number> {
  const engine = options.oneOf("engine", Object.keys(ENGINES)) ?? DEFAULT_ENGINE;
  const folder = options.text("output") ?? FOLDER, isJson = options.isOn("json");
  makeFolder(folder);
  const results = new ResultsFile(folder), ending = new AbortController();
  const unlisten = host.onInterrupt(() =>
    ending.abort(new CommandError("interrupted; what was done is kept, and --all goes on from there"))
  );
  let failed = 0, tried = 0;
  try {
    for (const row of rows) {
      const scenario = await loaded(row);
      if (!isJson && rows.length > 1) host.stdout.write(`${row.slug}\n`);
      const done = await runSystem(scenario, {
        ...{ host, folder, results, engine },
        all: options.isOn("all"),
        again: options.isOn("again"),
        only: options.texts("check"),
        signal: ending.signal,
        told: (result, isKept) => isJson || host.stdout.write(resultText(result, isKept, host)),
      });
      failed += count(done, "failed");
      tried += done.length;
      const { slug, number } = row;
      host.stdout.write(
        isJson ? `${JSON.stringify({ number, slug, checks: done })}\n` : verdictText(slug, done),
      );
    }
  } finally {
    unlisten();
  }
  if (tried === 0) {
    throw new UsageError(`--check ${options.texts("check").join(", ")}: no check has that in its name`);
  }
  return failed === 0 ? 0 : 1;
}

async function carryOut(options: Options, host: Host): Promise<number> {
  const [action = "", name] = options.others;
  const actions = ["list", "run", "explain"];
  if (!actions.includes(action)) {
    throw new UsageError(`system takes ${actions.join(", ")}, not "${action}"${suggestion(action, actions)}`);
  }
  if (action === "list") {
    if (name !== undefined) throw new UsageError(`system list takes no name; explain ${name} tells of one`);
    return list(options, host);
  }
  if (name === undefined) {
    throw new UsageError(`system ${action} needs a system: \`hindsight system list\` names them`);
  }
  return action === "run"
    ? await run(chosen(name), options, host)
    : await explain(systemNamed(name), options, host);
}

/** The command. */
export const system: Command = {
  operands: ["list|run|explain", "[SLUG]"],
  details: DETAILS,
  examples: [
    "deno task hindsight system list",
    "deno task hindsight system explain exclusive-probe",
    "deno task hindsight system run exclusive-probe",
    "deno task hindsight system run all --all --json",
  ],
  options: OPTIONS,
  run: carryOut,
};
