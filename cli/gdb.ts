/** `hindsight gdb`: a recorded run under gdb, forward and back. */
import { Timeline } from "../journal/timeline.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { CommandError, UsageError } from "./errors.ts";
import { TIMELINE_OPTIONS, timelineOptionsOf } from "./engine_options.ts";
import { RegisterFile } from "./gdb/registers.ts";
import { GdbSession } from "./gdb/session.ts";
import { symbolElf } from "./gdb/symbol_elf.ts";
import { TimelineTarget } from "./gdb/timeline_target.ts";
import { reasonOf } from "./host/file_source.ts";
import { GdbPort, serveClient, standardChannel } from "./host/gdb_server.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseOutside } from "./options.ts";
import type { SymbolTable } from "./symbols.ts";
import { USUAL_GDB_PORT } from "./qemu_gdb.ts";

/** Writes the symbols for gdb's `symbol-file`. */
function writeElf(path: string, symbols: SymbolTable): void {
  if (symbols.isEmpty) throw new UsageError("--elf writes the names of --symbols FILE: give that as well");
  const named = [...symbols.names()].flatMap((name) =>
    symbols.addressesOf(name).map((address) => ({ name, address }))
  );
  try {
    Deno.writeFileSync(path, symbolElf(named));
  } catch (error) {
    throw new CommandError(`Cannot write "${path}": ${reasonOf(error)}`);
  }
}

/** Says where to connect. */
function announce(port: number, options: Options, host: Host): void {
  if (options.isOn("json")) host.stdout.write(`${JSON.stringify({ address: "127.0.0.1", port })}\n`);
  else host.stderr.write(`hindsight: in gdb-multiarch, type: target remote 127.0.0.1:${port}\n`);
}

async function run(options: Options, host: Host): Promise<number> {
  const isStandard = options.isOn("stdio"), port = options.number("port", 0, 65535);
  if (isStandard && port !== undefined) throw new UsageError("gdb takes --port or --stdio, not both");
  const symbols = symbolsOf(options), elf = options.text("elf");
  if (elf !== undefined) writeElf(elf, symbols);
  const opened = openRun(options.others[0]!, host);
  const at = options.number("at");
  refuseOutside("--at", at, opened.run);
  const timeline = new Timeline(opened.run, imagesOf(opened, options), timelineOptionsOf(options));
  if (at !== undefined) {
    const progress = new Progress(host, "replaying");
    timeline.seek(at, (instant) => progress.update(instant, at));
    progress.clear();
  }
  const target = new TimelineTarget(timeline, () => host.now());
  const registers = new RegisterFile(timeline.machine.board.cpus[0]!);
  const note = (text: string): void => host.stderr.write(`hindsight: ${text}\n`);
  const sessionOf = (send: (bytes: Uint8Array) => void): GdbSession =>
    new GdbSession({ target, registers, symbols, send, note });

  const ended = new AbortController();
  const unlisten = host.onInterrupt(() => ended.abort());
  try {
    if (isStandard) await serveClient(standardChannel(host), sessionOf, host, ended.signal);
    else {
      const server = GdbPort.open(port ?? USUAL_GDB_PORT);
      ended.signal.addEventListener("abort", () => server.close());
      announce(server.port, options, host);
      for (;;) {
        const channel = await server.accept();
        if (channel === undefined) break;
        await serveClient(channel, sessionOf, host, ended.signal);
      }
    }
  } finally {
    unlisten();
  }
  return 0;
}

/** The command. */
export const gdb: Command = {
  operands: ["RUN"],
  details:
    `Each CPU is a thread. Everything that gdb does forward it does back: reverse-stepi, reverse-continue to a
breakpoint, or to the write that a watchpoint saw. \`monitor help\` lists what else there is. The past is
not changed: writes to registers and memory are refused. The server takes clients from this computer
alone, one after the other; Ctrl-C ends it. Deno has to be told: --allow-net=127.0.0.1, which
\`deno task hindsight:net\` has. With --stdio no port is needed.`,
  examples: [
    "deno task hindsight:net gdb u.hindsight --port 1234  # then: gdb-multiarch -ex 'target remote :1234'",
    "deno task hindsight gdb u.hindsight --stdio  # as in: target remote | deno task -q hindsight gdb u.hindsight --stdio",
  ],
  options: [
    {
      name: "port",
      value: "N",
      help: `the port on 127.0.0.1 (default ${USUAL_GDB_PORT}); 0 takes a free one and tells it`,
    },
    { name: "elf", value: "FILE", help: "write the names of --symbols there, for gdb's symbol-file" },
    { name: "stdio", help: "one client, on standard input and output" },
    { name: "at", value: "N", help: "stand at this instant first, not at the beginning" },
    ...TIMELINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
