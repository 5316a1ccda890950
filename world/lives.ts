/** Lives of a machine in a world: begun at power-on, resumed from a checkpoint, or returned to. */
import { checkpointPayloads, checkpointSpan } from "../journal/checkpoint.ts";
import { JournalReader, JournalWriter } from "../journal/file.ts";
import { History } from "../journal/history.ts";
import { type Manifest, storedManifest } from "../journal/payloads.ts";
import { type BlockWriter, closeRoot, Recorder, type ResumedRun } from "../journal/recorder.ts";
import { inputOf, Replay } from "../journal/replay.ts";
import { RecordedRun } from "../journal/run.ts";
import type { Source } from "../journal/storage.ts";
import type { MachineConfiguration } from "../machine/configuration.ts";
import { Machine, type Snapshot } from "../machine/machine.ts";
import type { MachineCheckpoint } from "./checkpoint.ts";
import { type Durable, durableOf, restoreDurable } from "./durable.ts";
import { CheckpointedJournal, journalWriter, NOWHERE, PieceSink } from "./life_journal.ts";
import type { MachineMemberOptions } from "./machine_options.ts";

/** From power-on to power-off. */
export interface Life {
  /** Runs its machine. */
  readonly recorder: Recorder;
  /** Where its journal goes, if there is one. */
  readonly sink: PieceSink | undefined;
  /** The world's time at power-on. */
  readonly start: number;
  /** Inputs that it was given. */
  inputs: number;
}

/** A machine without power, to be used again. */
interface SpareMachine {
  readonly machine: Machine;
  /** Its state at power-on. */
  readonly fresh: Snapshot;
}

/** Most of them that a node keeps. */
const MOST_SPARE = 3;

/** A point of a life. */
export interface LifeMark {
  /** The world's time at power-on. */
  readonly start: number;
  /** State of the machine. */
  readonly snapshot: Snapshot;
  /** What has happened in it. */
  readonly history: History;
}

/** A life that goes on. */
export interface ResumedLife {
  /** It. */
  readonly life: Life;
  /** The machine has passed time since its last step or input. */
  readonly hasWaited: boolean;
}

/** Makes lives, each with its journal. */
export class Lives {
  readonly #options: MachineMemberOptions;
  /** Machines of lives that are over, by when their clocks began; the last one used is the last. */
  readonly #spare = new Map<number, SpareMachine>();

  /** Nothing is built before the first life. */
  constructor(options: MachineMemberOptions) {
    this.#options = options;
  }

  /** Begins one at a time of the world, with what survived the loss of power before. Throws ConfigurationError. */
  begin(time: number, durable: Durable | undefined): Life {
    const { depth, recordedBy, images, checkpointSpacing } = this.#options;
    const manifest: Manifest = {
      configuration: this.#configurationAt(time),
      depth: depth ?? "inputs",
      recordedBy,
    };
    const sink = depth === undefined ? undefined : new PieceSink();
    const writer = journalWriter(sink, checkpointSpacing, (sink) => new JournalWriter(sink));
    const resumed = this.#powered(manifest, writer, durable);
    const recorder = new Recorder(manifest, images, writer, {
      ...this.#options,
      ...resumed === undefined ? {} : { resumed },
    });
    if (writer instanceof CheckpointedJournal) writer.begin(recorder.machine);
    return { recorder, sink, start: time, inputs: 0 };
  }

  /** The machine that is powered on at a time. */
  #configurationAt(time: number): MachineConfiguration {
    const { configuration } = this.#options;
    return { ...configuration, rtcBase: (configuration.rtcBase + Math.floor(time / 1e9)) % 2 ** 32 };
  }

  /** A machine of a configuration, in any state; one that was used before, if there is one. */
  #machineOf(configuration: MachineConfiguration): SpareMachine {
    const { images } = this.#options, { rtcBase } = configuration, known = this.#spare.get(rtcBase);
    const machine = known?.machine ?? new Machine(configuration, images, this.#options);
    const spare = known ?? { machine, fresh: machine.snapshot() };
    this.#spare.delete(rtcBase);
    this.#spare.set(rtcBase, spare);
    for (const oldest of [...this.#spare.keys()].slice(0, -MOST_SPARE)) this.#spare.delete(oldest);
    return spare;
  }

  /** A machine at power-on, unless the recorder may make it. */
  #powered(manifest: Manifest, writer: BlockWriter, durable: Durable | undefined): ResumedRun | undefined {
    const { configuration } = manifest, { images, keepsMarks } = this.#options;
    if (!keepsMarks && durable === undefined) return undefined;
    const machine = keepsMarks
      ? this.#renewed(configuration)
      : new Machine(configuration, images, this.#options);
    if (durable !== undefined) return this.#restarted(manifest, machine, durable, writer);
    return { machine, history: new History(), parts: [] };
  }

  #renewed(configuration: MachineConfiguration): Machine {
    const { machine, fresh } = this.#machineOf(configuration);
    machine.restore(fresh);
    return machine;
  }

  /** A machine with what its disks and flash banks kept; its journal begins with that as a checkpoint. */
  #restarted(
    manifest: Manifest,
    machine: Machine,
    durable: Durable,
    writer: BlockWriter,
  ): ResumedRun {
    restoreDurable(machine, durable);
    const history = new History(), root = closeRoot(machine, history);
    writer.append("configuration", storedManifest(manifest));
    for (const payload of checkpointPayloads(machine, machine.snapshot(), root)) {
      writer.append("checkpoint", payload, checkpointSpan(root));
    }
    return { machine, history, parts: root.parts };
  }

  /** Returns to a point of a life. */
  returnTo({ start, snapshot, history }: LifeMark): Life {
    const { images, recordedBy } = this.#options, configuration = this.#configurationAt(start);
    const { machine } = this.#machineOf(configuration);
    machine.restore(snapshot);
    const manifest: Manifest = { configuration, depth: "inputs", recordedBy };
    const resumed = { machine, history: history.copy(), parts: [] };
    const recorder = new Recorder(manifest, images, NOWHERE, { ...this.#options, resumed });
    return { recorder, sink: undefined, start, inputs: 0 };
  }

  /** What survived the life of a journal that has ended. */
  durableAfter(journal: Source): Durable | undefined {
    const replay = this.#replay(journal);
    replay.skipTo(replay.run.lastInstant);
    replay.runToEnd();
    return durableOf(replay.machine);
  }

  #replay(journal: Source): Replay {
    const run = new RecordedRun(JournalReader.open(journal));
    return new Replay(run, this.#options.images, { ...this.#options, checkEvents: false });
  }

  /** Goes on with a life of which the journal is `whole`, and `before` up to the checkpoint. */
  resume(
    { start, instant, virtualTime, inputs }: NonNullable<MachineCheckpoint["life"]>,
    whole: Source,
    before: Source,
  ): ResumedLife {
    const { depth, images, checkpointSpacing } = this.#options,
      replay = this.#replay(whole),
      { run } = replay;
    replay.skipTo(instant);
    const sink = depth === undefined ? undefined : new PieceSink();
    const writer = journalWriter(sink, checkpointSpacing, (sink) => {
      const journal = new JournalWriter(sink), reader = JournalReader.open(before);
      journal.copyFrom(reader, reader.blocks.length);
      sink.take();
      return journal;
    });
    // The next checkpoint is a difference to the last one, where the machine stands now.
    if (writer instanceof CheckpointedJournal) writer.begin(replay.machine);
    replay.runTo(instant);
    const { machine, history } = replay.release();
    // What came at this step boundary, in time before the root.
    machine.board.events.add(history);
    for (const input of run.inputs.slice(0, inputs).filter((input) => input.instant === instant)) {
      machine.submit(inputOf(input), input.virtualTime);
    }
    machine.board.events.remove(history);
    let hasWaited = false;
    if (machine.virtualTime < virtualTime) {
      machine.wait(virtualTime);
      hasWaited = true;
    }
    const root = run.roots.findLast((root) => root.instant <= instant) ?? run.checkpoint?.root;
    const resumed = { machine, history, parts: root?.parts ?? [] };
    const recorder = new Recorder(run.manifest, images, writer, { ...this.#options, resumed });
    return { life: { recorder, sink, start, inputs }, hasWaited };
  }
}
