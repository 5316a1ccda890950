/** `hindsight info`: what is in a journal. */
import type { CheckpointHead } from "../journal/checkpoint.ts";
import type { LaterCheckpoint } from "../journal/later_checkpoints.ts";
import type { RunEnd } from "../journal/payloads.ts";
import { STOPPED_AT } from "../machine/compose.ts";
import { type Command } from "./command.ts";
import { configurationLines } from "./configuration_text.ts";
import type { Host } from "./host/host.ts";
import { neededImages } from "./host/image_search.ts";
import { type OpenedRun, openRun } from "./host/open_run.ts";
import type { Options } from "./options.ts";
import { bytesText, counted, grouped, paletteFor, secondsText } from "./text.ts";

/** Why a run ended, as a clause. */
export const END_TEXT = {
  poweredOff: "the guest powered off",
  powerCut: "the power was cut",
  reset: "the guest asked for a reset",
  resting: "the machine rested, with nothing due",
  console: "the console wrote the text that was waited for",
  condition: "the condition that was waited for held",
  instant: "the instant asked for was reached",
  operator: "the operator ended it",
} as const;

/** The exit code of a run that ended with one; what it means where `--stop-at` was given. */
export function codeText({ reason, exitCode }: Pick<RunEnd, "reason" | "exitCode">, stops: boolean): string {
  if (reason !== "poweredOff") return "";
  const what = stops && exitCode === STOPPED_AT
    ? ": an exception loops at its vector (vectorLoopDetected)"
    : "";
  return ` with exit code ${exitCode}${what}`;
}

/** Blocks by kind: how many, and their bytes in the file. */
function blockTotals({ reader }: OpenedRun): Map<string, { count: number; bytes: number }> {
  const totals = new Map<string, { count: number; bytes: number }>();
  for (const { kind, byteLength } of reader.blocks) {
    const total = totals.get(kind) ?? { count: 0, bytes: 0 };
    totals.set(kind, { count: total.count + 1, bytes: total.bytes + byteLength });
  }
  return totals;
}

function infoJson(opened: OpenedRun): unknown {
  const { run, reader, size, packed } = opened;
  const roots = [...run.roots, ...run.end === undefined ? [] : [run.end]];
  return {
    format: reader.format,
    bytes: size,
    finished: reader.finished,
    torn: reader.torn ?? null,
    ...run.manifest,
    firstInstant: run.firstInstant,
    lastInstant: run.lastInstant,
    inputs: run.inputs.length,
    blocks: Object.fromEntries(blockTotals(opened)),
    images: neededImages(run.manifest.configuration).map((image) => ({
      ...image,
      isInside: packed.has(image.sha256),
    })),
    roots: roots.map(({ instant, virtualTime, stateRoot, historyRoot }) => ({
      instant,
      virtualTime,
      stateRoot: stateRoot.toHex(),
      historyRoot: historyRoot.toHex(),
    })),
    end: run.end === undefined ? null : { reason: run.end.reason, exitCode: run.end.exitCode },
  };
}

function endText({ run: { end, lastInstant, manifest } }: OpenedRun): string {
  if (end === undefined) return `cut off; known up to instant ${grouped(lastInstant)}`;
  const code = codeText(end, manifest.configuration.stopAt !== undefined);
  return `${END_TEXT[end.reason]}${code}, at instant ${grouped(end.instant)}, ${
    secondsText(end.virtualTime)
  } of virtual time`;
}

function beginningText({ root: { instant, virtualTime } }: CheckpointHead): string {
  return `a checkpoint at instant ${grouped(instant)}, ${secondsText(virtualTime)} of virtual time; ` +
    `what came before was not kept`;
}

function checkpointsText(checkpoints: readonly LaterCheckpoint[]): string {
  const [first, last] = [checkpoints[0], checkpoints.at(-1)].map((at) => grouped(at?.root.instant ?? 0));
  return `${counted(checkpoints.length, "checkpoint")} to begin at, from instant ${first} to ${last}`;
}

function infoText(opened: OpenedRun, host: Host): string {
  const { run, reader, size, packed, path } = opened;
  const { bold } = paletteFor(host.stdout);
  const { depth, recordedBy, configuration } = run.manifest;
  const steps = Math.max(1, run.lastInstant - run.firstInstant) / 1000;
  const section = (title: string, rows: readonly (readonly [string, string])[]): string[] => {
    const width = Math.max(0, ...rows.map(([name]) => name.length));
    return [bold(title), ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), ""];
  };
  const images = neededImages(configuration).map(({ role, sha256 }) =>
    [role, packed.has(sha256) ? "inside the journal" : "a file outside"] as const
  );
  const roots = [...run.roots, ...run.end === undefined ? [] : [run.end]];
  return [
    ...section(path, [
      [
        "format",
        `${reader.format}, ${reader.finished ? "finished" : "not finished"}, recorded by ${recordedBy}`,
      ],
      ["size", `${bytesText(size)}, ${(size / steps).toFixed(2)} bytes per thousand steps`],
      ["depth", depth],
      ["inputs", counted(run.inputs.length, "input")],
      ...(run.checkpoint === undefined ? [] : [["beginning", beginningText(run.checkpoint)] as const]),
      ...(run.laterCheckpoints.length === 0
        ? []
        : [["checkpoints", checkpointsText(run.laterCheckpoints)] as const]),
      ["end", endText(opened)],
    ]),
    ...section("machine", [...configurationLines(configuration)]),
    ...(images.length === 0 ? [] : section("images", images)),
    ...section(
      "blocks",
      [...blockTotals(opened)].map(([kind, { count, bytes }]) =>
        [kind, `${grouped(count).padStart(7)}  ${bytesText(bytes)}`] as const
      ),
    ),
    ...section(
      "roots",
      roots.map(({ instant, stateRoot }) => [grouped(instant).padStart(14), stateRoot.toHex()] as const),
    ),
  ].join("\n");
}

function run(options: Options, host: Host): number {
  const opened = openRun(options.others[0]!, host);
  const text = options.isOn("json")
    ? JSON.stringify(
      infoJson(opened),
      (_key, value) => typeof value === "bigint" ? `0x${value.toString(16)}` : value,
    )
    : infoText(opened, host).trimEnd();
  host.stdout.write(`${text}\n`);
  return 0;
}

/** The command. */
export const info: Command = {
  operands: ["RUN"],
  details: "Reads the file only; nothing is replayed.",
  examples: ["deno task hindsight info u.hindsight"],
  options: [],
  run,
};
