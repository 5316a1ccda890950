/** `hindsight world replay`, `events`, `info`, `extract`, `bisect` and `diff`: what is asked of a recorded world. */
import { bisect } from "../../journal/bisect.ts";
import { compileTraced } from "../../journal/predicate.ts";
import { carryOutApart } from "../../world/crew.ts";
import { diffWorlds, earlier } from "../../world/diff.ts";
import { WORLD_EVENT_NAMES } from "../../world/events.ts";
import { WorldReplay } from "../../world/replay.ts";
import { type RecordedLife, RecordedWorld } from "../../world/run.ts";
import { CommandError, UsageError } from "../errors.ts";
import { bisectionJson, bisectionText } from "../bisect_text.ts";
import { engineOf } from "../engine_options.ts";
import { FileSink } from "../host/file_sink.ts";
import type { Host } from "../host/host.ts";
import { Progress } from "../host/progress.ts";
import type { Options } from "../options.ts";
import { suggestion } from "../suggest.ts";
import { NO_SYMBOLS } from "../symbols.ts";
import { bytesText, counted, grouped, paletteFor, secondsText } from "../text.ts";
import { timeOf } from "./description_file.ts";
import { crewFor, resumedBefore, sliceOf } from "./live.ts";
import { lifeNamed, openWorld, worldImages } from "./opened.ts";
import { WORLD_END_TEXT } from "./recording.ts";
import { jsonLine, worldEndJson, worldEventJson, worldEventText } from "./text.ts";

const nameOf = ({ manifest }: RecordedWorld, { node, life }: Pick<RecordedLife, "node" | "life">): string =>
  `${manifest.world.nodes[node]!.name}.${life}`;

/** `world replay`. */
export async function replayWorld(path: string, options: Options, host: Host): Promise<number> {
  const { run } = openWorld(path, host), { world } = run.manifest, progress = new Progress(host, "replaying");
  const from = options.text("from");
  const resumedAt = from === undefined ? undefined : resumedBefore(run, timeOf(from, "--from"));
  const crew = await crewFor(
    { world, images: worldImages(run, path, options), depth: undefined, path, resumedAt },
    options,
  );
  const replay = new WorldReplay(run, {}, sliceOf(options), resumedAt?.checkpoint);
  const root = await carryOutApart(replay.rounds(), crew, () => {
    progress.note(`${secondsText(replay.course.now)} of ${secondsText(run.lastTime)}`);
    return undefined;
  });
  progress.clear();
  await crew.finish();
  const { rootsChecked, eventsChecked } = replay, { green } = paletteFor(host.stdout);
  const start = resumedAt?.checkpoint.time ?? 0;
  const value = { equal: true, from: start, complete: run.end !== undefined, rootsChecked, eventsChecked };
  if (options.isOn("json")) {
    host.stdout.write(jsonLine({
      ...{ ...value, time: root.time, stateRoot: root.stateRoot, historyRoot: root.historyRoot },
    }));
    return 0;
  }
  const up = run.end === undefined ? " up to where the recording was cut off" : "";
  host.stdout.write(
    `${green("Equal")}${up}: ${secondsText(root.time)} of the world${
      start === 0 ? "" : `, from ${secondsText(start)} on`
    }, ${counted(eventsChecked, "event")} and ${
      counted(rootsChecked, "root")
    } compared.\nstate root    ${root.stateRoot.toHex()}\nhistory root  ${root.historyRoot.toHex()}\n`,
  );
  return 0;
}

/** `world events`. */
export function worldEvents(path: string, options: Options, host: Host): number {
  const { run } = openWorld(path, host), { world } = run.manifest, palette = paletteFor(host.stdout);
  const kinds = options.texts("kind").flatMap((text) => text.split(",")), nodes = options.texts("node");
  const known: readonly string[] = WORLD_EVENT_NAMES, names = world.nodes.map(({ name }) => name);
  for (const [option, words, there] of [["kind", kinds, known], ["node", nodes, names]] as const) {
    const odd = words.find((word) => !there.includes(word));
    if (odd === undefined) continue;
    throw new UsageError(
      `--${option}: there is no "${odd}"${suggestion(odd, there) || `; there are ${there.join(", ")}`}`,
    );
  }
  const [from, to] = ["from", "to"].map((name) => options.text(name));
  const low = from === undefined ? 0 : timeOf(from, "--from"),
    high = to === undefined ? Infinity : timeOf(to, "--to");
  for (const event of run.events) {
    if (event.time < low || event.time >= high) continue;
    if (kinds.length > 0 && !kinds.includes(event.kind)) continue;
    if (nodes.length > 0 && !nodes.includes(names[event.node]!)) continue;
    host.stdout.write(
      options.isOn("json")
        ? jsonLine(worldEventJson(event, world))
        : `${worldEventText(event, world, palette)}\n`,
    );
  }
  return 0;
}

/** `world info`. */
export function worldInfo(path: string, options: Options, host: Host): number {
  const { run, size } = openWorld(path, host), { world, depth, recordedBy } = run.manifest;
  const { format, finished } = run.reader,
    lives = run.lives.map((life) => {
      const { lastInstant, inputs, end } = run.run(life);
      return {
        name: nameOf(run, life),
        start: life.start,
        lastInstant,
        inputs: inputs.length,
        reason: end?.reason ?? null,
      };
    });
  const count = (kind: string) => run.events.filter((event) => event.kind === kind).length;
  if (options.isOn("json")) {
    const nodes = world.nodes.map(({ name, kind }) => ({ name, kind }));
    host.stdout.write(jsonLine({
      ...{ format, finished, recordedBy, depth, size, seed: world.seed, nodes, links: world.links, lives },
      ...{
        events: run.events.length,
        inputs: run.inputs.length,
        roots: run.roots.length,
        checkpoints: run.checkpoints.map(({ time }) => time),
        lastTime: run.lastTime,
      },
      end: run.end === undefined ? null : worldEndJson(run.end, world),
    }));
    return 0;
  }
  const { bold } = paletteFor(host.stdout), end = run.end;
  const lines = [
    bold(path),
    `  format ${format}, ${finished ? "finished" : "not finished"}, recorded by ${recordedBy}; ${
      bytesText(size)
    }, depth ${depth}`,
    `  ${counted(run.events.length, "event")}: ${counted(run.inputs.length, "input")}, ` +
    `${counted(count("messageSent"), "message")}, ${count("messageLost")} lost; ${
      counted(run.roots.length, "root")
    }`,
    end === undefined
      ? `  cut off; known up to ${secondsText(run.lastTime)}`
      : `  ${WORLD_END_TEXT[end.reason]} after ${
        secondsText(end.time)
      }; history root ${end.historyRoot.toHex()}`,
    bold("nodes"),
    ...world.nodes.map((node) =>
      `  ${node.name}  ${node.kind === "program" ? `program ${node.program}` : "machine"}`
    ),
    bold("links"),
    ...world.links.map(({ name, kind, ends, latency, lossPerMillion }) =>
      `  ${name}  ${kind}  ${ends.map(({ node, port }) => `${node}:${port}`).join(" ")}  ${
        grouped(latency)
      } ns` +
      (lossPerMillion === 0 ? "" : `, ${lossPerMillion} of a million lost`)
    ),
    bold("lives of machines"),
    ...lives.map(({ name, start, lastInstant, inputs, reason }) =>
      `  ${name}  from ${secondsText(start)}  ${counted(lastInstant, "step")}, ${counted(inputs, "input")}, ${
        reason ?? "cut off"
      }`
    ),
  ];
  host.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

/** `world extract`: a life's journal as a file of its own, for every command that reads one. */
export function extractLife(path: string, name: string | undefined, options: Options, host: Host): number {
  const { run } = openWorld(path, host), output = options.text("output");
  if (name === undefined) throw new UsageError("world extract needs a machine: NODE or NODE.LIFE");
  if (output === undefined) throw new UsageError("world extract needs a journal to write: -o FILE");
  const source = run.journal(lifeNamed(run, name)), sink = new FileSink(output);
  sink.check();
  for (let at = 0; at < source.size; at += 1 << 20) {
    sink.write(source.read(at, Math.min(1 << 20, source.size - at)));
  }
  sink.close();
  if (options.isOn("json")) host.stdout.write(jsonLine({ output, bytes: source.size }));
  else host.stderr.write(`hindsight: "${output}" has ${bytesText(source.size)}, the journal of ${name}\n`);
  return 0;
}

/** `world bisect`: the step of a machine from which on an expression holds, and when that is. */
export function bisectWorld(path: string, name: string | undefined, options: Options, host: Host): number {
  const { run } = openWorld(path, host), expression = options.text("when");
  if (name === undefined || expression === undefined) {
    throw new UsageError(
      "world bisect needs a machine and an expression: world bisect FILE NODE --when EXPR",
    );
  }
  const life = lifeNamed(run, name), recorded = run.run(life);
  const predicate = compileTraced(expression, (symbol) => {
    throw new UsageError(`symbol("${symbol}") is for bisect of an extracted journal with --symbols`);
  });
  const found = bisect(recorded, worldImages(run, path, options), predicate, engineOf(options));
  const time = found.kind === "found" ? life.start + found.machine.virtualTime : undefined;
  const last = time === undefined ? undefined : run.events.findLast((event) => event.time <= time);
  const view = { names: [path, ""], palette: paletteFor(host.stdout), symbols: NO_SYMBOLS };
  const bisected = { found, expression, firstInstant: recorded.firstInstant };
  if (options.isOn("json")) {
    const { world } = run.manifest;
    host.stdout.write(jsonLine({
      ...bisectionJson(bisected, NO_SYMBOLS),
      ...{ life: nameOf(run, life), time: time ?? null },
      eventBefore: last === undefined ? null : worldEventJson(last, world),
    }));
  } else {
    host.stdout.write(bisectionText(bisected, view as never));
    if (time !== undefined) host.stdout.write(`That is ${secondsText(time)} of the world.\n`);
    if (last !== undefined) {
      host.stdout.write(
        `The world's last event before:\n${worldEventText(last, run.manifest.world, view.palette)}\n`,
      );
    }
  }
  return found.kind === "never" ? 1 : 0;
}

/** `world diff`. */
export function diffRecorded(paths: readonly string[], options: Options, host: Host): number {
  const [first, second] = paths;
  if (first === undefined || second === undefined) throw new UsageError("world diff needs two worlds");
  const sides = [first, second].map((path) => {
      const { run } = openWorld(path, host);
      return { run, images: worldImages(run, path, options) };
    }),
    [a, b] = sides as [typeof sides[0], typeof sides[0]];
  if (a.run.manifest.world.nodes.length !== b.run.manifest.world.nodes.length) {
    throw new CommandError("Cannot compare: the worlds have not the same nodes");
  }
  const found = diffWorlds(a, b, engineOf(options)), { world } = a.run.manifest, [low, high] = found.between;
  if (options.isOn("json")) {
    const events = found.events?.map((event) => event === undefined ? null : worldEventJson(event, world));
    const machine = found.machine === undefined ? null : {
      ...{ life: nameOf(a.run, found.machine), time: found.machine.time },
      ...{ instant: found.machine.difference.kind === "divergent" ? found.machine.difference.instant : null },
    };
    host.stdout.write(
      jsonLine({
        equal: found.isEqual,
        between: [low ?? null, high ?? null],
        events: events ?? null,
        machine,
      }),
    );
    return found.isEqual ? 0 : 1;
  }
  const palette = paletteFor(host.stdout), say = (text: string) => host.stdout.write(`${text}\n`);
  if (found.isEqual) {
    say(
      `${palette.green("Equal")}: ${counted(a.run.events.length, "event")}, ${
        counted(a.run.roots.length, "root")
      }.`,
    );
    return 0;
  }
  if (high !== undefined) {
    say(
      `Roots are equal up to ${low === undefined ? "none" : secondsText(low)}, not at ${secondsText(high)}.`,
    );
  }
  if (found.events !== undefined) {
    say(`The first event that is not the same, at ${secondsText(earlier(found.events).time)}:`);
    for (const [index, event] of found.events.entries()) {
      say(
        `  ${paths[index]}: ${event === undefined ? "nothing more" : worldEventText(event, world, palette)}`,
      );
    }
  }
  const { machine } = found;
  if (machine !== undefined) {
    const { difference } = machine;
    const at = difference.kind === "divergent"
      ? `at instant ${grouped(difference.instant)}`
      : "where one ends";
    say(
      `The first difference within a machine: ${nameOf(a.run, machine)} ${at}, ${
        secondsText(machine.time)
      } of the world.`,
    );
    say(`\`hindsight world extract\` gives its journals to \`hindsight diff\`, which tells all.`);
  }
  return 1;
}
