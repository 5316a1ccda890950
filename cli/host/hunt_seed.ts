/** One try of a hunt: the machine under one schedule seed, driven to its end. */
import type { RunEnd } from "../../journal/payloads.ts";
import type { MachineConfiguration } from "../../machine/configuration.ts";
import { Machine, type MachineOptions, type Snapshot } from "../../machine/machine.ts";
import { reseeded } from "../../machine/scheduler.ts";
import { CommandError } from "../errors.ts";
import { driveOptions, endTextOf, type PreparedMachine, RECORDED_BY, scriptOf } from "../machine_options.ts";
import type { Options } from "../options.ts";
import { PlainRun } from "../plain_run.ts";
import type { Script } from "../script.ts";
import { JournalWriter } from "../../journal/file.ts";
import { Recorder } from "../../journal/recorder.ts";
import type { Drivable, Driven, Watch } from "./drivable.ts";
import { FileSink } from "./file_sink.ts";
import type { Host } from "./host.ts";
import { drive } from "./record_driver.ts";

/** Bytes of the console's end by which outcomes are told apart. */
const TAIL = 400;

/** Steps after which a try ends at the latest, by default. */
export const HUNT_LIMIT = 1_000_000_000;

/** What came of one seed; plain data, so that it goes between workers. */
export interface SeedOutcome {
  /** The schedule seed. */
  readonly seed: number;
  /** What was hunted for is there. */
  readonly isFound: boolean;
  /** Why the run ended. */
  readonly reason: RunEnd["reason"];
  /** The guest's exit code. */
  readonly exitCode: number;
  /** Steps taken. */
  readonly instant: number;
  /** Root of the final state, in hexadecimal. */
  readonly stateRoot: string;
  /** The end of what the console wrote. */
  readonly tail: string;
  /** What the script did not come to, or why the run broke off. */
  readonly failure: string | undefined;
}

/** A machine with its state at power-on. */
interface Started {
  readonly machine: Machine;
  readonly snapshot: Snapshot;
}

function started(machine: Machine): Started {
  return { machine, snapshot: machine.snapshot() };
}

/** What all tries of a hunt share. */
export class Hunt {
  readonly #script: Script | undefined;
  readonly #endText: string | undefined;
  #started: Started | undefined;

  /** Reads the script; throws UsageError, CommandError. */
  constructor(
    private readonly options: Options,
    private readonly machine: PreparedMachine,
    private readonly watch: Watch | undefined,
    private readonly engine: MachineOptions,
  ) {
    this.#script = scriptOf(options);
    this.#endText = endTextOf(options);
  }

  #configuration(scheduleSeed: number): MachineConfiguration {
    return { ...this.machine.configuration, scheduleSeed };
  }

  /** A machine at power-on; always the same one, since building it takes longer than many a run. */
  #machineFor(seed: number): Machine {
    this.#started ??= started(new Machine(this.#configuration(seed), this.machine.images, this.engine));
    const { machine, snapshot } = this.#started;
    const sections = snapshot.sections.map((section) =>
      section.name === "schedule" ? reseeded(section, seed) : section
    );
    machine.restore({ ...snapshot, sections });
    return machine;
  }

  #drive(recorder: Drivable, host: Host, show: (bytes: Uint8Array) => void): Promise<Driven> {
    const how = driveOptions(this.options, host, this.#script, this.machine.request);
    const until = this.options.number("limit", 1) ?? HUNT_LIMIT;
    return drive({ ...how, recorder, show, until, readsInput: false, isPaced: false, watch: this.watch });
  }

  /** Runs one seed to its end. */
  async run(seed: number, host: Host): Promise<SeedOutcome> {
    const recorder = new PlainRun(this.#machineFor(seed));
    let tail = new Uint8Array(0);
    const { end, failure } = await this.#drive(recorder, host, (bytes) => {
      tail = Uint8Array.from([...tail, ...bytes.subarray(-TAIL)].slice(-TAIL));
    });
    const { reason, exitCode, instant, stateRoot } = end;
    const isFound = this.#isFound(recorder, reason);
    const text = new TextDecoder().decode(tail);
    return { seed, isFound, reason, exitCode, instant, stateRoot: stateRoot.toHex(), tail: text, failure };
  }

  /** A condition is looked at once more at the end; without one, the text that ends a run is hunted for. */
  #isFound({ machine }: Drivable, reason: RunEnd["reason"]): boolean {
    if (this.watch !== undefined) return reason === "condition" || this.watch.holds(machine);
    return this.#endText !== undefined && reason === "console";
  }

  /** Runs one seed again and records it. Throws CommandError when the run is another than before. */
  async record({ seed, stateRoot }: SeedOutcome, path: string, host: Host): Promise<void> {
    const manifest = {
      configuration: this.#configuration(seed),
      depth: "traps",
      recordedBy: RECORDED_BY,
    } as const;
    const writer = new JournalWriter(new FileSink(path));
    const recorder = new Recorder(manifest, this.machine.images, writer, this.engine);
    const { end } = await this.#drive(recorder, host, () => {});
    if (end.reason === "operator" || end.stateRoot.toHex() === stateRoot) return;
    throw new CommandError(`The run of seed ${seed} was another when it was recorded: a defect of Hindsight`);
  }
}
