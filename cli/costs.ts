/** The option `--costs`: what a run cost the host, as text and as JSON. */
import { COST_PARTS, Costs } from "../journal/costs.ts";
import type { CompileStatistics } from "../machine/engine/compile_request.ts";
import type { Machine } from "../machine/machine.ts";
import type { Host } from "./host/host.ts";
import { memoryNow, memoryPeak } from "./host/process_memory.ts";
import type { OptionRow, Options } from "./options.ts";
import { bytesText, counted, grouped } from "./text.ts";

/** The option. */
export const COSTS_OPTION: OptionRow = {
  name: "costs",
  help: "tell what the run cost: seconds by what they went into, and memory (in --json as `costs`)",
};

/** Adds up costs, if the command was told to. */
export function costsOf(options: Options, host: Host): Costs | undefined {
  return options.isOn("costs") ? new Costs({ now: () => host.now(), memory: memoryNow }) : undefined;
}

/** What a run cost, as `--json` has it: seconds, counts, bytes. */
export interface CostsValue {
  /** Since the process began. */
  readonly seconds: number;
  /** Seconds by what they went into. */
  readonly parts: Readonly<Record<(typeof COST_PARTS)[number], number>>;
  /** Roots taken or checked. */
  readonly roots: number;
  /** Pages of 4 KiB hashed for them. */
  readonly pagesHashed: number;
  /** Events delivered to whoever listened. */
  readonly events: number;
  /** Events stored. */
  readonly eventsStored: number;
  /** Blocks written. */
  readonly blocks: number;
  /** The most memory that the process had, in bytes. */
  readonly memoryPeak: number;
  /** The guest's RAM, in bytes: what it never touched takes no memory. */
  readonly guestMemory: number;
  /** What the engine compiled: counts and bytes; null for one that does not compile. */
  readonly code: CompileStatistics | null;
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}

/** What a run has cost up to now. */
export function costsValue(costs: Costs, { configuration, engine }: Machine): CostsValue {
  costs.update();
  const { milliseconds, counts } = costs;
  const total = COST_PARTS.reduce((sum, part) => sum + milliseconds[part], 0);
  return {
    seconds: seconds(total),
    parts: Object.fromEntries(
      COST_PARTS.map((part) => [part, seconds(milliseconds[part])]),
    ) as CostsValue["parts"],
    roots: counts.roots,
    pagesHashed: costs.pagesHashed,
    events: counts.events,
    eventsStored: counts.stored,
    blocks: counts.blocks,
    memoryPeak: memoryPeak() ?? costs.memory,
    guestMemory: configuration.memoryMiB * 2 ** 20,
    code: engine.compiled ?? null,
  };
}

/** What was compiled, as a line. */
function codeText(code: CompileStatistics | null): string {
  if (code === null) return "";
  const { regions, modules, cachedModules, instructions, bytes, liveRegions, liveBytes, evictions, stale } =
    code;
  const cached = cachedModules > 0 ? ` (${grouped(cachedModules)} from the cache)` : "";
  return `hindsight: code ${counted(regions, "region")} of ${
    counted(instructions, "instruction")
  } compiled, ` +
    `${bytesText(bytes)} in ${counted(modules, "module")}${cached}; in use ${grouped(liveRegions)}, ` +
    `${bytesText(liveBytes)}; ${grouped(evictions)} evicted, ${grouped(stale)} in vain\n`;
}

/** The same for people: two or three lines. */
export function costsText(costs: Costs, machine: Machine): string {
  const value = costsValue(costs, machine);
  const { parts, roots, pagesHashed, events, eventsStored, blocks } = value;
  const speed = parts.engine > 0 ? machine.instant / parts.engine / 1e6 : 0;
  // deno-fmt-ignore
  const notes: Readonly<Record<(typeof COST_PARTS)[number], string>> = {
    start:   "",
    engine:  ` (${speed.toFixed(0)} M steps/s)`,
    roots:   ` (${grouped(roots)}, ${counted(pagesHashed, "page")} hashed)`,
    events:  ` (${grouped(events)}, ${grouped(eventsStored)} stored)`,
    journal: ` (${counted(blocks, "block")})`,
    rest:    "",
  };
  const list = COST_PARTS.map((part) => {
    const share = value.seconds > 0 ? 100 * parts[part] / value.seconds : 0;
    return `${part} ${parts[part].toFixed(3)} s = ${share.toFixed(1)} %${notes[part]}`;
  });
  return `hindsight: costs ${value.seconds.toFixed(3)} s: ${list.join("; ")}\n` +
    `hindsight: memory at most ${bytesText(value.memoryPeak)}, with ${
      bytesText(value.guestMemory)
    } of guest RAM\n` + codeText(value.code);
}
