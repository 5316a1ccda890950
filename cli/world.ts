/** `hindsight world`: several machines and programs joined by links, recorded and asked as one run. */
import { DEPTHS } from "../journal/payloads.ts";
import { type Command, IMAGE_OPTIONS } from "./command.ts";
import { UsageError } from "./errors.ts";
import type { Host } from "./host/host.ts";
import type { OptionRow, Options } from "./options.ts";
import { suggestion } from "./suggest.ts";
import { isSearch, SEARCH_OPTIONS, searchWorld } from "./world/bisecting.ts";
import { CREW_OPTIONS } from "./world/live.ts";
import { openWorld } from "./world/opened.ts";
import {
  bisectWorld,
  diffRecorded,
  extractLife,
  replayWorld,
  worldEvents,
  worldInfo,
} from "./world/reading.ts";
import { forkRecorded, recordWorld } from "./world/recording.ts";

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "output", aliases: ["o"], value: "FILE", help: "record, fork: the world's file; extract: the journal" },
  { name: "until",         value: "TIME",             help: "record, fork: end at this time of the world, such as 2.5s" },
  { name: "until-console", value: "NODE:TEXT",        help: "record, fork: end when the node's console writes this" },
  { name: "do",            value: "TIME:NODE:ACTION", help: "record, fork: an input: power on, power off, command TEXT, or an action of scripts", repeats: true },
  { name: "depth",         value: DEPTHS.join("|"),   help: "record: what machines' journals store (default traps)" },
  { name: "checkpoints",   value: "TIME",             help: "record, fork: checkpoints at roots so far apart, at which forks and replays begin (default none)" },
  { name: "at",            value: "TIME",             help: "fork: from when on the world is another" },
  { name: "drop-inputs",                              help: "fork: leave out what the world was given from there on" },
  { name: "when",          value: "EXPR",             help: "bisect: what must hold, as with `hindsight bisect`" },
  { name: "kind",          value: "KINDS",            help: "events: only these", repeats: true },
  { name: "node",          value: "NODE",             help: "events: only of this one", repeats: true },
  { name: "from",          value: "TIME",             help: "events, bisect --cut: from this time on; replay: from the last checkpoint before" },
  { name: "to",            value: "TIME",             help: "events: before this time; bisect --cut: up to it" },
  ...SEARCH_OPTIONS,
];

const DETAILS =
  `  record FILE.json      carries out the world that FILE describes (or a module's default export) and records it
  replay W              the same again: events and roots are compared
  events W              what happened between the nodes, in the world's one order
  info W                nodes, links, lives of machines, roots
  diff W OTHER          the first root, event and machine in which two worlds differ
  fork W --at TIME      the same inputs up to TIME, then others; recorded as a world of its own
  bisect W NODE[.LIFE]  the step of a machine from which on --when holds
  bisect W --text N:T   when a text came, and who did it; --inputs: the inputs that it takes, or with OTHER, a world in
                        which it is not so, the differences; --cut NODE: the windows in which a power cut comes to the same
  extract W NODE[.LIFE] a machine's journal from power-on to power-off, for every other command

  { "nodes": [ { "name": "left",  "machine": "-kernel left.elf -netdev link,id=n0 -device virtio-net-pci,netdev=n0" },
               { "name": "right", "machine": "-kernel right.elf -netdev link,id=n0 -device virtio-net-pci,netdev=n0" },
               { "name": "clock", "program": "clockwork",
                 "options": { "sends": [ { "at": 5000000, "port": "relay", "text": "off" } ] } } ],
    "links": [ { "name": "cable", "kind": "network", "ends": ["left:n0", "right:n0"], "latency": "50us" },
               { "name": "relay", "kind": "power", "ends": ["clock:relay", "right:power"], "latency": "1ms" } ],
    "inputs": [ { "at": "8ms", "node": "right", "do": "power on" } ] }

Kinds of link: network (a machine's -netdev link,id=…), serial (its port is console), message (a monitor's port),
power (its port is power; a program sends on, off or cycle). Times are numbers of nanoseconds, or with us, ms, s.`;

type Action = (
  options: Options,
  host: Host,
  first: string,
  second: string | undefined,
) => number | Promise<number>;

// deno-fmt-ignore
const ACTIONS: Readonly<Record<string, Action>> = {
  record:  (options, host, path) => recordWorld(path, options, host),
  replay:  (options, host, path) => replayWorld(path, options, host),
  events:  (options, host, path) => worldEvents(path, options, host),
  info:    (options, host, path) => worldInfo(path, options, host),
  diff:    (options, host, path, other) => diffRecorded(other === undefined ? [path] : [path, other], options, host),
  fork:    (options, host, path) => forkRecorded(path, options, host),
  bisect:  (options, host, path, name) => isSearch(options) ? searchWorld(openWorld(path, host), [path, name], options, host) : bisectWorld(path, name, options, host),
  extract: (options, host, path, name) => extractLife(path, name, options, host),
};

function run(options: Options, host: Host): number | Promise<number> {
  const [name = "", path, second] = options.others, actions = Object.keys(ACTIONS);
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) {
    throw new UsageError(`world takes ${actions.join(", ")}, not "${name}"${suggestion(name, actions)}`);
  }
  if (path === undefined) throw new UsageError(`world ${name} needs a file`);
  return action(options, host, path, second);
}

/** The command. */
export const world: Command = {
  operands: ["record|replay|events|info|diff|fork|bisect|extract", "FILE", "[OTHER]"],
  details: DETAILS,
  examples: [
    "deno task hindsight world record pair.json --until 2s -o pair.hsworld",
    "deno task hindsight world replay pair.hsworld --threads 2",
    "deno task hindsight world events pair.hsworld --kind messageSent,messageLost",
    "deno task hindsight world fork pair.hsworld --at 1s --do '1s:right:power off' -o cut.hsworld",
    "deno task hindsight world diff pair.hsworld cut.hsworld",
    "deno task hindsight world bisect pair.hsworld --cut right --from 8ms --to 9ms --text 'right:login:'",
    "deno task hindsight world extract pair.hsworld left -o left.hindsight",
  ],
  options: [...OPTIONS, ...CREW_OPTIONS, ...IMAGE_OPTIONS],
  run,
};
