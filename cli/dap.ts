/** `hindsight dap`: recorded runs in editors, by the Debug Adapter Protocol. */
import { Timeline } from "../journal/timeline.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { DapSession, type OpenedTimeline } from "./dap/session.ts";
import type { Arguments } from "./dap/protocol.ts";
import { TIMELINE_OPTIONS, timelineOptionsOf } from "./engine_options.ts";
import { GdbPort, serveClient, standardChannel } from "./host/gdb_server.ts";
import type { Host } from "./host/host.ts";
import { findImages } from "./host/image_search.ts";
import { openRun } from "./host/open_run.ts";
import { symbolsIn } from "./host/symbol_files.ts";
import type { Options } from "./options.ts";
import { grouped } from "./text.ts";

const listOf = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === "string" ? [value] : value;

/** Opens what a client's `launch` names; options of the command line hold for every run. */
function open(wanted: Arguments<"launch">, options: Options, host: Host): OpenedTimeline {
  const symbols = symbolsIn([...options.texts("symbols"), ...listOf(wanted.symbols)]);
  const { run, packed, path } = openRun(wanted.run, host);
  const named = [...options.texts("image"), ...listOf(wanted.images)];
  const images = findImages(run.manifest.configuration, packed, named, path);
  const timeline = new Timeline(run, images, timelineOptionsOf(options));
  const greeting = `${path}: instants ${grouped(run.firstInstant)} to ${grouped(run.lastInstant)}. ` +
    `Type \`help\` for commands.\n`;
  return { timeline, symbols, greeting };
}

async function run(options: Options, host: Host): Promise<number> {
  const port = options.number("port", 0, 65535);
  const sessionOf = (send: (bytes: Uint8Array) => void): DapSession =>
    new DapSession({
      open: (wanted) => open(wanted, options, host),
      send,
      note: (text) => host.stderr.write(`hindsight: ${text}\n`),
      now: () => host.now(),
    });
  const ended = new AbortController();
  const unlisten = host.onInterrupt(() => ended.abort());
  try {
    if (port === undefined) await serveClient(standardChannel(host), sessionOf, host, ended.signal);
    else {
      const server = GdbPort.open(port);
      ended.signal.addEventListener("abort", () => server.close());
      const said = { address: "127.0.0.1", port: server.port };
      if (options.isOn("json")) host.stdout.write(`${JSON.stringify(said)}\n`);
      else host.stderr.write(`hindsight: a debug adapter is at ${said.address}:${said.port}\n`);
      for (let channel = await server.accept(); channel !== undefined; channel = await server.accept()) {
        await serveClient(channel, sessionOf, host, ended.signal);
      }
    }
  } finally {
    unlisten();
  }
  return 0;
}

/** The command. */
export const dap: Command = {
  operands: [],
  details: `An editor starts it and talks to it on standard input and output, or with --port on a port of this
computer. Its \`launch\` names the journal: {"run": "u.hindsight", "symbols": ["u-boot"], "stopAt": 1000000};
\`stopAt\` is an instant, a symbol or an address, \`symbols\` and \`images\` are as the options here. Each CPU is
a thread. Stepping and running go both ways; breakpoints are on functions, instructions, data and
exceptions. The console takes expressions and commands: type \`help\`. The past is not changed.`,
  examples: [
    "deno task hindsight dap --symbols u-boot   # what an editor starts; cli/README.md says how",
  ],
  options: [
    { name: "port", value: "N", help: "serve on this port of 127.0.0.1; 0 takes a free one and tells it" },
    ...TIMELINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
