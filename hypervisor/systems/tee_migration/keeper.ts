/**
 * Who has the realm, on one host: the records, both agents, and what agents do to the realm. It knows nothing of how a
 * machine starts, nor of who commands it.
 */
import type { Alarm } from "../../../machine/clock.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import { sha256 } from "../../../machine/sha256.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import type { AgentHost, AgentIdentity, MigrationStep } from "./agent.ts";
import {
  DestinationAgent,
  type DestinationHost,
  type DestinationProgress,
  type DestinationRecord,
} from "./destination.ts";
import { isFromSource, type Policy } from "./messages.ts";
import { type Options, placeOf, SLUG } from "./options.ts";
import type { TeeImage } from "./pieces.ts";
import { Realm, type RealmState } from "./realm.ts";
import { freshRecords, Records } from "./records.ts";
import type { SealedStore, StoredRecord } from "./sealed_store.ts";
import { SourceAgent, type SourceHost, type SourceProgress, type SourceRecord } from "./source.ts";
import { noted, NOTHING_SAID, signTranscript, transcriptBytes, type TranscriptState } from "./transcript.ts";

/** The port of messages. */
export const PORT = "mig";
/** The version of what the agents say to one another. */
const AGENT_VERSION = 3;
const NO_ROOM = "its disk has no room for a sealed copy";

/** The key of all agents of a cluster. */
export function clusterKey({ cluster }: Options): Uint8Array {
  return sha256(new TextEncoder().encode(cluster));
}

/** The realm and its agents. */
export class Keeper {
  /** The realm, or room for one. */
  readonly realm: Realm;
  /** What is known of it. */
  readonly records: Records;
  /** The agent that gives it. */
  source: SourceAgent;
  /** The agent that takes one. */
  destination: DestinationAgent;
  /** What agents said. */
  transcript: TranscriptState = NOTHING_SAID;
  readonly #alarms: Readonly<Record<"source" | "destination", Alarm>>;
  readonly #identity: AgentIdentity;

  /** `hasRoom` says whether the host has made room for a realm; `came` is called when one is here. */
  constructor(
    private readonly monitor: El2Monitor,
    private readonly options: Options,
    store: SealedStore | undefined,
    private readonly hasRoom: () => boolean,
    private readonly came: () => void,
  ) {
    const { site } = monitor, { planted, role, timeout } = options;
    this.#identity = {
      ...{ cluster: clusterKey(options), seed: site.board.configuration.seed, timeout: timeout * 1_000_000 },
      measurement: sha256(new TextEncoder().encode(`${SLUG} agent ${AGENT_VERSION}`)),
    };
    this.#alarms = {
      source: site.clock.alarm(`${SLUG} source`, () => this.source.woken()),
      destination: site.clock.alarm(`${SLUG} destination`, () => this.destination.woken()),
    };
    this.realm = new Realm(monitor, placeOf(monitor, options), planted, (image) => this.#frozen(image));
    this.records = new Records(freshRecords(role === "source"), store, planted);
    [this.source, this.destination] = this.#agents();
  }

  /** Power-on, when nothing is known. */
  reset(): void {
    this.#rest();
    this.records.restore(freshRecords(this.options.role === "source"));
    this.transcript = NOTHING_SAID;
    this.realm.reset();
    this.#agents();
  }

  #rest(): void {
    this.#alarms.source.clear();
    this.#alarms.destination.clear();
  }

  /** Both agents begin anew from what is known, as after a crash. */
  restartAgents(): void {
    this.#rest();
    this.#agents();
  }

  /** The source's agent is asked for a migration. */
  migrate(): void {
    this.source.begin(this.#policy);
  }

  /** A message came. */
  received(bytes: Uint8Array): void {
    this.transcript = noted(this.transcript, bytes);
    (isFromSource(bytes) ? this.destination : this.source).received(bytes);
  }

  #agents(): [SourceAgent, DestinationAgent] {
    const { source, destination } = this.records.now;
    // The source's first: what it has, it has; then the destination's lets nothing run that runs.
    this.source = new SourceAgent(this.#sourceHost, this.#identity, source);
    this.destination = new DestinationAgent(this.#destinationHost, this.#identity, destination);
    return [this.source, this.destination];
  }

  #tell(role: "source" | "destination", step: MigrationStep, epoch: number, sequence = 0, detail = ""): void {
    const told = { role, step, epoch, sequence, detail: detail.slice(0, 200) };
    this.monitor.site.events.emit("teeMigrationStepped", 0, told);
  }

  #common(role: "source" | "destination"): AgentHost {
    const { site } = this.monitor, alarm = this.#alarms[role];
    return {
      send: (bytes) => {
        this.transcript = noted(this.transcript, bytes);
        site.transmit(PORT, bytes);
      },
      wait: (time) => time === undefined ? alarm.clear() : alarm.set(site.clock.now + time),
      tell: (step, epoch, sequence, detail) => {
        this.#tell(role, step, epoch, sequence, detail);
        if (step === (role === "source" ? "finished" : "resumed")) this.#sign(role);
      },
      destroy: () => this.realm.clear(),
    };
  }

  /** What was said between the agents, which either of them vouches for. */
  #sign(role: "source" | "destination"): void {
    const { epoch, attempt } = role === "source" ? this.source.record : this.destination.record;
    const what = transcriptBytes(epoch, attempt, this.transcript);
    const signature = signTranscript(this.#identity.cluster, role, what);
    this.monitor.site.events.emit("transcriptSigned", 0, {
      role,
      epoch,
      attempt,
      ...this.transcript,
      signature,
    });
  }

  get #sourceHost(): SourceHost {
    return {
      ...this.#common("source"),
      persist: (record: SourceRecord) => {
        this.records.persistSource(record);
        if (record.phase !== "committed") return;
        const { destination } = this.records.now;
        this.destination = new DestinationAgent(this.#destinationHost, this.#identity, destination);
      },
      freeze: () => this.realm.freeze(),
      thaw: () => this.realm.thaw(),
    };
  }

  get #destinationHost(): DestinationHost {
    return {
      ...this.#common("destination"),
      check: (policy: Policy) => this.#unmet(policy),
      persist: (record: DestinationRecord) => this.#persistDestination(record),
      create: (pieces: number) => {
        this.realm.clear();
        return pieces <= (this.records.store?.capacity ?? Infinity) ? undefined : NO_ROOM;
      },
      put: (piece: Parameters<Realm["put"]>[0]) => this.realm.put(piece),
      resume: () => this.#resume(),
    };
  }

  #persistDestination(record: DestinationRecord): void {
    const { store } = this.records, { planted } = this.options, { epoch, phase } = record;
    const isNew = phase === "prepared" && !this.records.isPrepared;
    const copy = isNew && planted !== "no-seal" ? store?.seal(this.realm.arrived(), epoch + 1) : undefined;
    this.records.persistDestination(record, copy);
    if (copy !== undefined) this.#tell("destination", "copySealed", epoch + 1, copy.pieces);
    if (isNew && planted === "no-commit") this.realm.resume();
    if (phase !== "running") return;
    this.came();
    // From now on it is this host's to give.
    this.source = new SourceAgent(this.#sourceHost, this.#identity, this.records.now.source);
  }

  #resume(): void {
    const { source, destination } = this.records.now;
    if (this.records.isHere && source.epoch === destination.resumed + 1) this.realm.resume();
  }

  /** The realm stands still: with a disk, a copy of it is durable before anything of it is sent. */
  #frozen(image: TeeImage): void {
    const { store, now: { source } } = this.records, copy = store?.seal(image, source.epoch);
    if (store !== undefined && copy === undefined) {
      return this.#tell("source", "violated", source.epoch, 0, NO_ROOM);
    }
    if (copy !== undefined) {
      this.records.persistCopy(copy);
      this.#tell("source", "copySealed", source.epoch, copy.pieces);
    }
    for (let at = 0; this.options.planted === "plain-page" && at < image.count; at++) {
      this.monitor.site.transmit(PORT, image.piece(at).bytes);
    }
    this.source.frozen(image);
  }

  /** What this machine lacks of a policy. */
  #unmet({ teeType, form, features, memoryMiB, cpus, agentVersion }: Policy): string | undefined {
    const { place } = this.realm, { phase } = this.records.now.source;
    const { cpu } = this.monitor.vcpu(this.monitor.site.cpus[0]!);
    if (teeType !== "R") return `there are no TEEs of type ${teeType}`;
    if (form !== "machine") return "there is no runtime here that carries programs";
    if (agentVersion !== AGENT_VERSION) return `its agents have version ${agentVersion}`;
    if (this.records.isHere || phase === "committed") {
      return "there is a realm here, or one that is about to go";
    }
    if (!this.hasRoom()) return "its host has made no room for a realm";
    const lacking = features.filter((name) => !cpu.implements(name as never));
    if (lacking.length > 0) return `this machine lacks ${lacking.join(", ")}`;
    const size = place.size / 2 ** 20;
    if (memoryMiB !== size) return `the realm has ${memoryMiB} MiB, there are ${size}`;
    return cpus === place.cpus ? undefined : `the realm has ${cpus} CPUs, there are ${place.cpus}`;
  }

  get #policy(): Policy {
    const { place: { size, cpus } } = this.realm, { features } = this.options;
    return {
      ...{ teeType: "R", form: "machine", features, allowsShims: false },
      ...{ alignment: PAGE_SIZE, memoryMiB: size / 2 ** 20, cpus, agentVersion: AGENT_VERSION },
    };
  }

  /** Power is there: the realm begins, goes on from its copy, or is not here. */
  start(): void {
    const { cpu } = this.monitor.vcpu(this.monitor.site.cpus[0]!), isKnown = this.records.load();
    const { copy, source } = this.records.now;
    if (this.records.isHere) this.came();
    if (this.records.isHere && copy.area === 0) {
      if (isKnown) this.records.persistRestart();
      cpu.on = cpu.attention = true;
    } else {
      this.realm.clear();
      const isOpen = copy.area === 0 ||
        this.records.store?.open(copy, (piece) => this.realm.put(piece)) === true;
      if (!isOpen) this.#lost();
      else if (this.records.isHere) {
        this.realm.stand();
        this.records.persistRestart();
        this.#tell(
          "source",
          "copyRestored",
          source.epoch,
          copy.pieces,
          `restart ${this.records.now.restarts}`,
        );
      }
    }
    this.#agents();
  }

  #lost(): void {
    this.#tell("source", "copyLost", this.records.now.source.epoch);
    this.realm.clear();
    this.records.persistEnd();
  }

  /** The realm ended itself, or its host ended it. */
  ended(): void {
    this.realm.clear();
    if (this.records.isHere) this.records.persistEnd();
    this.restartAgents();
  }

  /** Restores what a section has. */
  restore(
    saved: RealmState & {
      readonly records: StoredRecord;
      readonly sourceProgress: SourceProgress;
      readonly destinationProgress: DestinationProgress;
      readonly transcript: TranscriptState;
    },
  ): void {
    const { source, destination } = saved.records;
    this.records.restore(saved.records);
    this.transcript = saved.transcript;
    this.realm.restore(saved);
    const image = this.realm.isFrozen ? this.realm.image() : undefined;
    this.source.restore(source, saved.sourceProgress, image);
    this.destination.restore(destination, saved.destinationProgress);
  }
}
