/**
 * What hosts of programs have in common, whatever their TEEs are: an agent, its durable record, its time-outs and
 * commands, and what it does to a program.
 */
import { z } from "zod";
import type { Alarm } from "../../../../machine/clock.ts";
import { InputRefusedError } from "../../../../machine/errors.ts";
import { bytes, flag } from "../../../../machine/layout.ts";
import { sha256 } from "../../../../machine/sha256.ts";
import { type Section, sectionLayout } from "../../../../machine/snapshot.ts";
import type { TrapMonitor } from "../../../monitor.ts";
import type { MonitorSystem } from "../../../system.ts";
import type { Vcpu } from "../../../vcpu.ts";
import type { AgentHost, AgentIdentity } from "../agent.ts";
import {
  DestinationAgent,
  destinationProgress,
  type DestinationRecord,
  destinationRecord,
  FRESH_DESTINATION,
} from "../destination.ts";
import type { Policy } from "../messages.ts";
import { PORT } from "../keeper.ts";
import { SLUG } from "../options.ts";
import type { Piece } from "../pieces.ts";
import { SourceAgent, sourceProgress, type SourceRecord, sourceRecord } from "../source.ts";
import type { ProgramHeader } from "./program_image.ts";
import { PLANTED, type Planted } from "./planted.ts";
import { policyOf, PROGRAM_AGENT_VERSION, type ProgramPlace, unmet } from "./program_policy.ts";
import { PIECES_FIELDS, ProgramPieces } from "./program_pieces.ts";
import type { ProgramState } from "./program_state.ts";

/** Options of a host of programs. */
export const HOST_OPTIONS = {
  role: z.enum(["source", "destination"]),
  cluster: z.string().min(8, "a cluster's secret has at least 8 characters"),
  timeout: z.string().regex(/^[1-9][0-9]{0,5}$/, "expected 1 to 999999 milliseconds").default("100")
    .transform(Number),
  shims: z.enum(["on", "off"]).default("off").transform((text) => text === "on"),
  planted: z.enum(Object.keys(PLANTED) as [Planted]).optional(),
};

/** Options, read. */
export interface HostOptions {
  /** Which end of migrations it is. */
  readonly role: "source" | "destination";
  /** The cluster's secret. */
  readonly cluster: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** It emulates what its CPUs lack. */
  readonly shims: boolean;
  /** A fault. */
  readonly planted?: Planted | undefined;
}

const layout = sectionLayout(`${SLUG} of programs`, 1, {
  source: sourceRecord,
  sourceProgress,
  destination: destinationRecord,
  destinationProgress,
  isFrozen: flag,
  isWanted: flag,
  ...PIECES_FIELDS,
  own: bytes(1 << 16),
});

const FRESH_SOURCE: SourceRecord = { epoch: 0, attempt: 0, phase: "running" };

/** A host of programs. */
export abstract class ProgramMigration implements MonitorSystem {
  readonly slug = SLUG;
  readonly #alarm: Alarm;
  readonly #identity: AgentIdentity;
  #source: SourceAgent;
  #destination: DestinationAgent;
  #records = { source: FRESH_SOURCE, destination: FRESH_DESTINATION };
  /** The program stands still until it is here again or gone. */
  protected isFrozen = false;
  /** It was asked to. */
  #isWanted = false;
  readonly #pieces: ProgramPieces;

  /** Nothing of the monitor is used before the first reset. */
  constructor(protected readonly options: HostOptions, protected readonly monitor: TrapMonitor) {
    const { site } = monitor, text = new TextEncoder();
    this.#identity = {
      cluster: sha256(text.encode(options.cluster)),
      seed: site.board.configuration.seed,
      measurement: sha256(text.encode(`${SLUG} agent of programs ${PROGRAM_AGENT_VERSION}`)),
      timeout: options.timeout * 1_000_000,
    };
    this.#alarm = site.clock.alarm(SLUG, () => this.#agent.woken());
    this.#pieces = new ProgramPieces(monitor, options.planted, {
      readPage: (address) => this.readPage(address),
      makeRoom: (header) => this.makeRoom(header),
      writePage: (...page) => this.writePage(...page),
    });
    [this.#source, this.#destination] = this.#agents();
  }

  /** What it has for programs. */
  protected abstract get place(): ProgramPlace;
  /** The program that is here; undefined for none. */
  protected abstract get program(): ProgramHeader | undefined;
  /** Asks for the program to stand still: `rested` is to be called then, and not from here. */
  protected abstract rest(): void;
  /** Takes back what `rest` asked for, and lets the program go on. May be called when it does. */
  protected abstract goOn(): void;
  /** The page of 4 KiB at an address of a program that stands still. */
  protected abstract readPage(address: number): Uint8Array;
  /** Makes room for a program that is to come; why there is none, or undefined. */
  protected abstract makeRoom(header: ProgramHeader): string | undefined;
  /** Puts a page of a program for which there is room. */
  protected abstract writePage(header: ProgramHeader, address: number, contents: Uint8Array): void;
  /** Lets a program begin here that has come whole. */
  protected abstract begin(state: ProgramState): void;
  /** Clears all of the program. May be called where there is none. */
  protected abstract clear(): void;
  /** What is to be saved beside what all hosts have. */
  protected abstract saveOwn(): Uint8Array;
  /** Restores what `saveOwn` gave. */
  protected abstract restoreOwn(saved: Uint8Array): void;

  /** A fault is planted. */
  protected has(planted: Planted): boolean {
    return this.options.planted === planted;
  }

  get #agent(): SourceAgent | DestinationAgent {
    return this.options.role === "source" ? this.#source : this.#destination;
  }

  #agents(): [SourceAgent, DestinationAgent] {
    const { source, destination } = this.#records, isSource = this.options.role === "source";
    return [
      new SourceAgent(this.#sourceHost, this.#identity, isSource ? source : FRESH_SOURCE),
      new DestinationAgent(this.#destinationHost, this.#identity, isSource ? FRESH_DESTINATION : destination),
    ];
  }

  get #common(): AgentHost {
    const { site } = this.monitor, { role } = this.options;
    return {
      send: (message) => site.transmit(PORT, message),
      wait: (time) => time === undefined ? this.#alarm.clear() : this.#alarm.set(site.clock.now + time),
      tell: (step, epoch, sequence, detail) =>
        site.events.emit("teeMigrationStepped", 0, {
          ...{ role, step, epoch, sequence },
          detail: detail.slice(0, 200),
        }),
      destroy: () => this.#clear(),
    };
  }

  get #sourceHost() {
    return {
      ...this.#common,
      persist: (record: SourceRecord) => void (this.#records = { ...this.#records, source: record }),
      freeze: () => {
        this.#isWanted = true;
        this.rest();
      },
      thaw: () => this.#thaw(),
    };
  }

  get #destinationHost() {
    return {
      ...this.#common,
      check: (policy: Policy) => this.has("open-door") ? undefined : unmet(policy, this.place),
      persist: (record: DestinationRecord) => {
        this.#records = { ...this.#records, destination: record };
        if (record.phase === "prepared" && this.has("no-commit")) this.#resume();
      },
      create: () => this.#clear(),
      put: (piece: Piece) => this.#pieces.put(piece),
      resume: () => this.#resume(),
    };
  }

  reset(): void {
    this.#alarm.clear();
    this.#records = { source: FRESH_SOURCE, destination: FRESH_DESTINATION };
    this.isFrozen = this.#isWanted = false;
    this.#pieces.forget();
    [this.#source, this.#destination] = this.#agents();
  }

  /** The program stands still, in this state. */
  protected rested(state: ProgramState): void {
    this.isFrozen = true;
    this.#isWanted = false;
    this.#pieces.take({
      ...state,
      ...this.has("no-vector") ? { v: state.v.with(63, 0n) } : {},
      ...this.has("no-flags") ? { flags: 0n } : {},
      ...this.has("more-time") ? { counter: state.counter + 1_000_000n } : {},
    });
    this.#source.frozen(this.#pieces.image());
  }

  #thaw(): void {
    if (!this.isFrozen && !this.#isWanted) return;
    this.isFrozen = this.#isWanted = false;
    this.#pieces.forget();
    this.goOn();
  }

  #resume(): void {
    const state = this.#pieces.arrived;
    if (state === undefined) return;
    this.#pieces.forget();
    this.begin(state);
  }

  #clear(): void {
    this.#pieces.forget();
    this.isFrozen = this.#isWanted = false;
    this.clear();
  }

  prepareCommand(_vcpu: Vcpu, words: readonly string[]): () => void {
    const { role } = this.options, [verb] = words;
    if (words.length === 1 && verb === "migrate" && role === "source") {
      const { program } = this;
      if (program === undefined) throw new InputRefusedError("Cannot migrate: there is no program here");
      if (this.#source.isBusy) throw new InputRefusedError("Cannot migrate: a migration is under way");
      return () => void this.#source.begin(policyOf(program, this.place.type));
    }
    if (words.length === 1 && verb === "crash") {
      return () => {
        this.#alarm.clear();
        [this.#source, this.#destination] = this.#agents();
      };
    }
    throw new InputRefusedError(`${SLUG} takes the command crash, and migrate at the source`);
  }

  prepareMessage(_vcpu: Vcpu, port: string, message: Uint8Array): (() => void) | undefined {
    return port === PORT ? () => this.#agent.received(message) : undefined;
  }

  save(): Section {
    const { source, destination } = this.#records;
    return layout.encode(this.monitor.sectionName(SLUG), {
      ...{ source, sourceProgress: this.#source.save() },
      ...{ destination, destinationProgress: this.#destination.save() },
      ...{ isFrozen: this.isFrozen, isWanted: this.#isWanted },
      ...this.#pieces.save(),
      own: this.saveOwn(),
    });
  }

  restore(section: Section): void {
    const saved = layout.decode(section);
    this.#records = { source: saved.source, destination: saved.destination };
    this.isFrozen = saved.isFrozen;
    this.#isWanted = saved.isWanted;
    this.#pieces.restore(saved);
    this.restoreOwn(saved.own);
    this.#source.restore(
      saved.source,
      saved.sourceProgress,
      this.isFrozen ? this.#pieces.image() : undefined,
    );
    this.#destination.restore(saved.destination, saved.destinationProgress);
  }
}
