/** Records and replays the runs of checks, as `hindsight record` and `replay` do, with files made in memory. */
import type { MachineImages } from "../../machine/compose.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { appendImages } from "../../journal/images.ts";
import { fork as forkRun } from "../../journal/fork.ts";
import { Recorder } from "../../journal/recorder.ts";
import { Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { engineOf } from "../engine_options.ts";
import { CommandError } from "../errors.ts";
import { FileSink } from "../host/file_sink.ts";
import { FileSource } from "../host/file_source.ts";
import type { Host } from "../host/host.ts";
import { drive } from "../host/record_driver.ts";
import { silentHost } from "../host/silent_host.ts";
import { driveOptions, endTextOf, MACHINE_OPTIONS, prepareMachine, RECORDED_BY } from "../machine_options.ts";
import { readOptions } from "../options.ts";
import { REPLAY_SLICE } from "../replay.ts";
import { parseScript } from "../script.ts";
import { ScriptRun } from "../script_run.ts";
import { lastLine } from "../text.ts";
import type { ForkRequest, LineEnd, Recorded, RecordRequest } from "./scenario.ts";

/** Most seconds of a recording that says nothing else. */
const MOST_SECONDS = 300;
/** How much of a console is worth repeating. */
const LAST_CHARACTERS = 400;

/** What recordings and replays are told about and ask. */
export interface Surroundings {
  /** The process. */
  readonly host: Host;
  /** Aborted when the user ends the command. */
  readonly signal: AbortSignal;
  /** Takes how far it is, now and then. */
  note(text: string): void;
}

/** The host of a recording that nobody types at; it ends with the command, or after some seconds. */
function batchHost(
  surroundings: Surroundings,
  seconds: number,
  instant: () => number,
  line?: LineEnd,
): Host & { readonly isLate: () => boolean } {
  const { host, signal } = surroundings, end = host.now() + seconds * 1000;
  const listeners = new Set<() => void>();
  let isLate = false;
  const look = (): void => {
    isLate = host.now() > end;
    if (isLate || signal.aborted) { for (const listener of listeners) listener(); }
  };
  return {
    ...silentHost,
    ...line && {
      stdin: { ...silentHost.stdin, start: (onBytes, onEnd) => line.start(onBytes, onEnd) },
      async sleep(milliseconds, until) {
        await host.sleep(Math.min(milliseconds, 100), until);
        look();
      },
    },
    now: () => host.now(),
    async breathe() {
      surroundings.note(`recording: instant ${(instant() / 1e6).toFixed(1)} M`);
      await host.breathe();
      look();
    },
    onInterrupt(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    isLate: () => isLate,
  };
}

/** Records a run; `path` is the journal's, which is in memory without one. See `CheckContext.record`. */
export async function record(
  request: RecordRequest,
  path: string | undefined,
  engine: string,
  surroundings: Surroundings,
): Promise<Recorded> {
  const { host } = surroundings;
  const { files = {}, seconds = MOST_SECONDS, depth = "traps" } = request;
  const options = readOptions([...request.options, `--engine=${engine}`], MACHINE_OPTIONS);
  const script = request.script &&
    parseScript(request.script.join("\n"), `script of ${request.name ?? "a run"}`);
  endTextOf(options);
  const prepared = prepareMachine(options, host, files);
  const sink = path === undefined ? new MemoryFile() : new FileSink(path);
  const writer = new JournalWriter(sink);
  const manifest = { configuration: prepared.configuration, depth, recordedBy: RECORDED_BY };
  const recorder = new Recorder(manifest, prepared.images, writer, engineOf(options));
  appendImages(writer, prepared.made);
  const batch = batchHost(surroundings, seconds, () => recorder.machine.instant, request.line);
  const { script: lines, endsAtReset } = driveOptions(options, batch, script, prepared.request);
  const until = options.number("until"), { line } = request;
  const driven = { recorder, batch, script: lines, endsAtReset, until, ...line && { line } };
  return await driveToEnd(
    driven,
    { path, sink, images: prepared.images, engine, seconds, ...request },
    surroundings,
  );
}

/** Records another future of a run; see `CheckContext.fork`. */
export async function fork(
  request: ForkRequest,
  path: string | undefined,
  engine: string,
  surroundings: Surroundings,
): Promise<Recorded> {
  const { parent: { run, images }, at, seconds = MOST_SECONDS } = request;
  const script = parseScript(request.script.join("\n"), `script of ${request.name ?? "a fork"}`);
  const options = readOptions([`--engine=${engine}`], MACHINE_OPTIONS);
  const sink = path === undefined ? new MemoryFile() : new FileSink(path);
  surroundings.note(`replaying to instant ${at}`);
  const { recorder } = forkRun(run, images, at, sink, engineOf(options));
  const batch = batchHost(surroundings, seconds, () => recorder.machine.instant);
  const driven = { recorder, batch, script: new ScriptRun(script), endsAtReset: true, until: request.until };
  return await driveToEnd(driven, { path, sink, images, engine, seconds, ...request }, surroundings);
}

/** What is driven. */
interface Driving {
  readonly recorder: Recorder;
  readonly batch: ReturnType<typeof batchHost>;
  readonly script: ScriptRun;
  readonly endsAtReset: boolean;
  readonly until: number | undefined;
  readonly line?: LineEnd;
}

/** What becomes of it. */
interface Recording {
  readonly path: string | undefined;
  readonly sink: MemoryFile | FileSink;
  readonly images: MachineImages;
  readonly engine: string;
  readonly seconds: number;
  readonly name?: string;
}

async function driveToEnd(
  { recorder, batch, script, endsAtReset, until, line }: Driving,
  { path, sink, images, engine, seconds, name }: Recording,
  surroundings: Surroundings,
): Promise<Recorded> {
  const { host } = surroundings, started = host.now();
  const written: Uint8Array[] = [];
  const { end, failure } = await drive({
    script,
    host: batch,
    show: (bytes) => {
      written.push(bytes);
      line?.show(bytes);
    },
    readsInput: line !== undefined,
    isPaced: false,
    endsAtReset,
    recorder,
    until,
  });
  surroundings.signal.throwIfAborted();
  const console = new TextDecoder().decode(Uint8Array.from(written.flatMap((bytes) => [...bytes])));
  const what = batch.isLate() ? `it did not end within ${seconds} s` : failure;
  if (what !== undefined) {
    const last = console.length > LAST_CHARACTERS ? `…${console.slice(-LAST_CHARACTERS)}` : console;
    throw new CommandError(
      `${path ?? name ?? "a run"}: ${what}; it ended at instant ${end.instant} (${end.reason})` +
        (lastLine(console) === "" ? " and wrote nothing" : `, having written:\n${last}`),
    );
  }
  const source = sink instanceof MemoryFile ? sink : new FileSource(path!);
  const run = new RecordedRun(JournalReader.open(source));
  return {
    path,
    run,
    images,
    console,
    end,
    bytes: source.size,
    engine,
    seconds: (host.now() - started) / 1000,
  };
}

/** Replays a run to its end. See `CheckContext.replay`. */
export async function replay(
  { run, images }: Recorded,
  engine: string,
  surroundings: Surroundings,
): Promise<void> {
  const options = engineOf(readOptions([`--engine=${engine}`], MACHINE_OPTIONS));
  const replay = new Replay(run, images, options);
  while (replay.instant < run.lastInstant) {
    replay.runTo(Math.min(run.lastInstant, replay.instant + REPLAY_SLICE));
    surroundings.note(`replaying on ${engine}: ${(100 * replay.instant / run.lastInstant).toFixed(0)} %`);
    await surroundings.host.breathe();
    surroundings.signal.throwIfAborted();
  }
  replay.runToEnd();
}
