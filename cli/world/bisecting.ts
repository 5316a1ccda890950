/** `hindsight world bisect` over a whole world: the time of a text, the inputs that it takes, the windows of power cuts. */
import { bisectTime } from "../../world/bisect.ts";
import { minimizeWorldInputs } from "../../world/bisect_inputs.ts";
import type { TimedWorldInput } from "../../world/course.ts";
import { cutWindows } from "../../world/power_cuts.ts";
import type { WorldSearch, WorldVerdict } from "../../world/search.ts";
import type { WorldSession } from "../../world/session.ts";
import { WorldTimeline } from "../../world/timeline.ts";
import { UsageError } from "../errors.ts";
import { engineOf } from "../engine_options.ts";
import type { Host } from "../host/host.ts";
import { Progress } from "../host/progress.ts";
import { programsOf } from "../host/world_programs.ts";
import type { OptionRow, Options } from "../options.ts";
import { counted, paletteFor, secondsText } from "../text.ts";
import { timeOf } from "./description_file.ts";
import { type OpenedWorld, openWorld, worldImages } from "./opened.ts";
import { jsonLine, worldEventJson, worldEventText } from "./text.ts";

/** The options of these ways to bisect. */
// deno-fmt-ignore
export const SEARCH_OPTIONS: readonly OptionRow[] = [
  { name: "text",    value: "NODE:TEXT", help: "bisect: what is looked for, on a node's console or in what its program told; with several, the one that comes first is what the world comes to", repeats: true },
  { name: "inputs",                      help: "bisect: find the inputs that it takes for the world to come to what it does" },
  { name: "cut",     value: "NODE",      help: "bisect: cut this node's power at all times --from … --to, and find the windows of those that come to the same" },
  { name: "off",     value: "TIME",      help: "bisect --cut: how long it has no power (default 1ms)" },
  { name: "for",     value: "TIME",      help: "bisect --cut: how long the world goes on afterwards (default 10s)" },
  { name: "samples", value: "N",         help: "bisect: places looked at before intervals are halved (default 64)" },
];

/** What is looked for: a text at a node. */
interface Wanted {
  readonly node: number;
  readonly text: string;
  /** As it was given. */
  readonly name: string;
}

function wantedOf(options: Options, { run }: OpenedWorld): readonly Wanted[] {
  const { nodes } = run.manifest.world;
  const wanted = options.texts("text").map((name): Wanted => {
    const [, word, text] = /^([^:]+):(.+)$/s.exec(name) ?? [];
    const node = nodes.findIndex((node) => node.name === word);
    if (text !== undefined && node >= 0) return { node, text, name };
    throw new UsageError(`--text takes NODE:TEXT with a node of the world, not "${name}"`);
  });
  if (wanted.length > 0) return wanted;
  throw new UsageError("world bisect needs what to look for: --text NODE:TEXT, or NODE --when EXPR");
}

/** What of a session's texts there is: on consoles from some place on, and in what was told since it was returned to. */
function cameIn(
  session: WorldSession,
  wanted: readonly Wanted[],
  from: readonly number[],
): Wanted | undefined {
  return wanted.find(({ node, text }) =>
    session.consoles[node]!.includes(text, Math.max(0, from[node]! - text.length)) ||
    session.events.some((event) =>
      event.kind === "nodeTold" && event.node === node && `${event.what} ${event.detail}`.includes(text)
    )
  );
}

/** Goes on until a text comes, or to a time. */
function comesTo(session: WorldSession, wanted: readonly Wanted[], until: number): WorldVerdict {
  const from = session.consoles.map(({ length }) => length);
  let looked = "";
  const isEnough = (): boolean => {
    // Looked at only where anything was written or told.
    const now = `${session.events.length} ${session.consoles.map(({ length }) => length).join()}`;
    if (now === looked) return false;
    looked = now;
    return cameIn(session, wanted, from) !== undefined;
  };
  session.run(until, isEnough);
  return cameIn(session, wanted, from)?.name ?? "nothing of it";
}

/** Carries a search out, showing how far it is and listening to the user now and then. */
async function carriedOut<T>(search: Generator<WorldSearch, T>, host: Host, what: string): Promise<T> {
  const progress = new Progress(host, what);
  try {
    for (;;) {
      const { done, value } = search.next();
      if (done === true) return value;
      progress.note(`${value.doing}: ${value.done}`);
      await host.breathe();
    }
  } finally {
    progress.clear();
  }
}

async function timelineOf(opened: OpenedWorld, path: string, options: Options): Promise<WorldTimeline> {
  const images = worldImages(opened.run, path, options);
  const programs = await programsOf(options.text("programs"));
  return new WorldTimeline(opened.run, { ...engineOf(options), images, programs });
}

/** Whether a command line asks for one of these. */
export function isSearch(options: Options): boolean {
  return options.texts("text").length > 0 || options.isOn("inputs") || options.text("cut") !== undefined;
}

/** `world bisect` with `--text`, `--inputs` or `--cut`. */
export async function searchWorld(
  opened: OpenedWorld,
  [path, other]: readonly [path: string, other: string | undefined],
  options: Options,
  host: Host,
): Promise<number> {
  if (other !== undefined && !options.isOn("inputs")) {
    throw new UsageError(`world bisect compares with a second world for --inputs alone, not "${other}"`);
  }
  const wanted = wantedOf(options, opened), timeline = await timelineOf(opened, path, options);
  const request = { opened, wanted, timeline, options, host, other };
  if (options.text("cut") !== undefined) return await findWindows(request);
  return options.isOn("inputs") ? findInputs(request) : await findTime(request);
}

interface Request {
  readonly opened: OpenedWorld;
  readonly wanted: readonly Wanted[];
  readonly timeline: WorldTimeline;
  readonly options: Options;
  readonly host: Host;
  /** The file of a world in which it does not go so. */
  readonly other: string | undefined;
}

function samplesOf(options: Options): number {
  return options.number("samples", 1, 1_000_000) ?? 64;
}

async function findTime({ opened: { run }, wanted, timeline, options, host }: Request): Promise<number> {
  const { world } = run.manifest, told = run.events.filter(({ kind }) => kind === "nodeTold");
  const holds = (session: WorldSession): boolean =>
    wanted.some(({ node, text }) =>
      session.consoles[node]!.includes(text) ||
      told.some((event) =>
        event.kind === "nodeTold" && event.node === node && event.time < session.now &&
        `${event.what} ${event.detail}`.includes(text)
      )
    );
  const found = await carriedOut(bisectTime(timeline, holds, samplesOf(options)), host, "bisecting");
  if (options.isOn("json")) {
    host.stdout.write(jsonLine(
      found.kind !== "found" ? found : {
        ...found,
        events: found.events.map((event) => worldEventJson(event, world)),
        nodes: found.nodes.map((node) => world.nodes[node]!.name),
      },
    ));
    return found.kind === "never" ? 1 : 0;
  }
  const names = wanted.map(({ name }) => name).join(", ");
  if (found.kind === "found") {
    const palette = paletteFor(host.stdout), nodes = found.nodes.map((node) => world.nodes[node]!.name);
    host.stdout.write(
      `${names} came at ${secondsText(found.time)} of the world (${found.time} ns), by ${
        nodes.join(", ")
      }.\n`,
    );
    for (const event of found.events) host.stdout.write(`${worldEventText(event, world, palette)}\n`);
  } else {
    host.stdout.write(
      `${names} ${found.kind === "never" ? "never came" : "was there from the beginning"}.\n`,
    );
  }
  return found.kind === "never" ? 1 : 0;
}

/** The inputs of another world of the same nodes and links. */
function inputsOf(path: string, { run: { manifest } }: OpenedWorld, host: Host): readonly TimedWorldInput[] {
  const { run } = openWorld(path, host);
  if (JSON.stringify(run.manifest.world) === JSON.stringify(manifest.world)) return run.inputs;
  throw new UsageError(
    `world bisect: ${path} is a world of other nodes or links, so that inputs are not all of it`,
  );
}

function findInputs({ opened, wanted, timeline, options, host, other }: Request): number {
  const { run } = opened;
  const until = options.text("until"), { world } = run.manifest;
  const end = until === undefined ? run.lastTime : timeOf(until, "--until");
  const progress = new Progress(host, "bisecting");
  const verdict = (session: WorldSession): WorldVerdict => comesTo(session, wanted, end);
  const found = minimizeWorldInputs(
    timeline,
    other === undefined ? { verdict } : { verdict, other: inputsOf(other, opened, host) },
    ({ done }) => progress.note(`worlds tried: ${done}`),
  );
  progress.clear();
  const events = run.events.filter((event) =>
    event.kind === "inputGiven" && found.kind === "found" &&
    found.inputs.some(({ number }) => number === event.number)
  );
  if (options.isOn("json")) {
    const inputs = events.map((event) => worldEventJson(event, world));
    host.stdout.write(jsonLine({ ...found, inputs }));
  } else if (found.kind === "indifferent") {
    host.stdout.write(`With and without its ${counted(found.candidates, "input")}: ${found.verdict}.\n`);
  } else {
    const palette = paletteFor(host.stdout);
    host.stdout.write(
      `It takes ${events.length} of ${counted(found.candidates, "input")} for ${found.verdict}; ` +
        `without them: ${found.without} (${counted(found.tries, "world")} tried).\n`,
    );
    for (const event of events) host.stdout.write(`${worldEventText(event, world, palette)}\n`);
  }
  return found.kind === "found" ? 0 : 1;
}

async function findWindows({ opened: { run }, wanted, timeline, options, host }: Request): Promise<number> {
  const { world } = run.manifest, name = options.text("cut")!;
  const node = world.nodes.findIndex((node) => node.name === name);
  if (node < 0) throw new UsageError(`--cut: there is no node "${name}"`);
  const time = (option: string, otherwise: number): number => {
    const text = options.text(option);
    return text === undefined ? otherwise : timeOf(text, `--${option}`);
  };
  const off = time("off", 1_000_000), going = time("for", 10_000_000_000);
  const verdict = (session: WorldSession, at: number): WorldVerdict => {
    session.dropInputs(() => true);
    session.give({ time: at, node, input: { kind: "power", isOn: false } });
    session.give({ time: at + off, node, input: { kind: "power", isOn: true } });
    return comesTo(session, wanted, at + off + going);
  };
  const [from, to] = [time("from", 0), time("to", run.lastTime)];
  if (to < from || to > run.lastTime) {
    throw new UsageError(`--from and --to are times of the world, which has come to ${run.lastTime} ns`);
  }
  const search = cutWindows(timeline, { node, from, to, verdict, samples: samplesOf(options) });
  const windows = await carriedOut(search, host, "cutting");
  if (options.isOn("json")) host.stdout.write(jsonLine({ node: name, windows }));
  else {
    for (const { from, to, verdict, states } of windows) {
      host.stdout.write(
        `${from}–${to} ns (${secondsText(to - from + 1)}, ${
          counted(states, "state")
        } of what survives): ${verdict}\n`,
      );
    }
  }
  return 0;
}
