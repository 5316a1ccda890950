/** What checks are given: recordings, replays, guests, QEMU, and a folder. */
import type { MachineOptions } from "../../machine/machine.ts";
import { engineOf } from "../engine_options.ts";
import { CommandError } from "../errors.ts";
import { failureOf } from "../failure.ts";
import { makeFolder, pathIn } from "../host/folder.ts";
import { guestsFolder } from "../host/guests/store.ts";
import type { Host } from "../host/host.ts";
import { Progress } from "../host/progress.ts";
import { MACHINE_OPTIONS } from "../machine_options.ts";
import { readOptions } from "../options.ts";
import { runQemu } from "./qemu.ts";
import { fork, record, replay, type Surroundings } from "./recording.ts";
import type { CheckContext, ForkRequest, QemuRequest, QemuRun, Recorded, RecordRequest } from "./scenario.ts";

/** What a context is made of. */
export interface ContextOptions {
  /** The process. */
  readonly host: Host;
  /** Folder of the system's files; made when the first is wanted. */
  readonly folder: string;
  /** The engine that records. */
  readonly engine: string;
  /** The long set was asked for. */
  readonly all: boolean;
  /** Aborted when the user ends the command. */
  readonly signal: AbortSignal;
  /** What is being done, for the line on a terminal. */
  readonly title: string;
}

/** The context of one check. */
export class Context implements CheckContext, Surroundings {
  readonly all: boolean;
  readonly engine: string;
  readonly host: Host;
  readonly signal: AbortSignal;
  readonly #folder: string;
  readonly #progress: Progress;

  /** Nothing is written yet. */
  constructor({ all, engine, host, signal, folder, title }: ContextOptions) {
    this.all = all;
    this.engine = engine;
    this.host = host;
    this.signal = signal;
    this.#folder = folder;
    this.#progress = new Progress(host, title);
  }

  machineOptions(engine: string = this.engine): MachineOptions {
    return engineOf(readOptions([`--engine=${engine}`], MACHINE_OPTIONS));
  }

  progress(text: string, done?: number, of?: number): void {
    this.note(done === undefined ? text : `${text}: ${done}${of === undefined ? "" : ` of ${of}`}`);
  }

  note(text: string): void {
    this.#progress.note(text);
  }

  /** Takes the line of progress away. */
  clear(): void {
    this.#progress.clear();
  }

  async breathe(): Promise<void> {
    await this.host.breathe();
    this.signal.throwIfAborted();
  }

  file(name: string): string {
    makeFolder(this.#folder);
    return pathIn(this.#folder, name);
  }

  guest(path: string): string {
    const file = pathIn(guestsFolder(), path);
    try {
      if (Deno.statSync(file).isFile) return file;
    } catch {
      // Said below.
    }
    throw new CommandError(`${file} is not here; run: deno task guests ${path.split("/")[0]}`);
  }

  record(request: RecordRequest): Promise<Recorded> {
    const path = request.name === undefined ? undefined : this.file(`${request.name}.hindsight`);
    return record(request, path, request.engine ?? this.engine, this);
  }

  fork(request: ForkRequest): Promise<Recorded> {
    const path = request.name === undefined ? undefined : this.file(`${request.name}.hindsight`);
    return fork(request, path, request.engine ?? this.engine, this);
  }

  replay(recorded: Recorded, engine: string): Promise<void> {
    return replay(recorded, engine, this);
  }

  async replayOn(recorded: Recorded, engines: readonly string[]): Promise<string[]> {
    const failures: string[] = [];
    for (const engine of engines) {
      try {
        await replay(recorded, engine, this);
      } catch (error) {
        this.signal.throwIfAborted();
        failures.push(`${recorded.path ?? "the run"} on the ${engine} engine: ${failureOf(error).message}`);
      }
    }
    return failures;
  }

  qemu(request: QemuRequest): Promise<QemuRun> {
    const files = Object.entries(request.files ?? {});
    for (const [name, bytes] of files) Deno.writeFileSync(this.file(name), bytes);
    const options = request.options.map((option) =>
      files.reduce(
        (text, [name]) =>
          text === name ? this.file(name) : text.replaceAll(`=${name}`, `=${this.file(name)}`),
        option,
      )
    );
    this.note("running QEMU");
    return runQemu({ ...request, options }, this.signal);
  }
}
