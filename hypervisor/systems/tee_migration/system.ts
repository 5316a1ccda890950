/**
 * tee-migration (US20220188146A1, grant US11922211): a realm, which is a guest that the monitor at EL2 hosts, moves
 * to another machine: policy first, then attestation, then its state and pages sealed with AES-256-GCM, and at last the
 * commit that makes the other copy the only one.
 *
 * Both machines run this system with `role=source` and `role=destination`, one cluster key, and a link of messages at
 * port `mig` of each. The destination's CPU waits at EL2 from power-on until a realm has come. What is carried is in
 * canonical_state.ts; what is not at rest is waited for, and a realm that does not come to rest stays where it is.
 */
import { z } from "zod";
import type { PhysicalAddress } from "../../../machine/address.ts";
import type { Alarm } from "../../../machine/clock.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { bytes, flag, listOf, u32 } from "../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import { sha256 } from "../../../machine/sha256.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import type { TrapMonitor } from "../../monitor.ts";
import { type MonitorSystem, systemRow } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { AgentHost, AgentIdentity } from "./agent.ts";
import { applyState, captureState, obstacle } from "./canonical_state.ts";
import {
  DestinationAgent,
  destinationProgress,
  type DestinationRecord,
  destinationRecord,
  FRESH_DESTINATION,
} from "./destination.ts";
import type { Policy } from "./messages.ts";
import { type Piece, STATE_PLACE, type TeeImage } from "./pieces.ts";
import { SourceAgent, sourceProgress, type SourceRecord, sourceRecord } from "./source.ts";

/** The port of messages, and the version of what the agents say to one another. */
const PORT = "mig", AGENT_VERSION = 1;
/** Virtual nanoseconds that sealing, or opening, a piece takes. */
const PIECE_NANOSECONDS = 2000;
/** Most bytes of a canonical state. */
const MOST_STATE = 1 << 21;

const SLUG = "tee-migration";

const options = z.strictObject({
  role: z.enum(["source", "destination"]),
  cluster: z.string().min(8, "a cluster's secret has at least 8 characters"),
  features: z.string().default("").transform((text) => text.split("+").filter((name) => name !== "")),
  timeout: z.string().regex(/^[1-9][0-9]{0,5}$/, "expected 1 to 999999 milliseconds").default("100")
    .transform(Number),
});
type Options = z.output<typeof options>;

const layout = sectionLayout(SLUG, 1, {
  source: sourceRecord,
  sourceProgress,
  destination: destinationRecord,
  destinationProgress,
  isWanted: flag,
  isFrozen: flag,
  /** Of a frozen realm: its state; of one that comes: as much as has come. */
  state: bytes(MOST_STATE),
  pages: listOf(u32, 1 << 20),
});

const FRESH_SOURCE: SourceRecord = { epoch: 0, attempt: 0, phase: "running" };

/** The system in one machine. */
class TeeMigration implements MonitorSystem {
  readonly slug = SLUG;
  readonly #monitor: El2Monitor;
  readonly #options: Options;
  readonly #alarm: Alarm;
  readonly #identity: AgentIdentity;
  #source: SourceAgent;
  #destination: DestinationAgent;
  #vcpu: Vcpu | undefined;
  #records = { source: FRESH_SOURCE, destination: FRESH_DESTINATION };
  #isWanted = false;
  #isFrozen = false;
  #state: Uint8Array = new Uint8Array(0);
  /** Numbers of pages that are not zero, of a realm that is frozen, in RAM. */
  #pages: readonly number[] = [];

  constructor(given: Options, monitor: TrapMonitor) {
    const { site } = monitor, { configuration } = site.board;
    if (!(monitor instanceof El2Monitor)) throw new ConfigurationError(`${SLUG} is for a monitor at EL2`);
    if (configuration.cpus !== 1) {
      throw new ConfigurationError(`${SLUG} carries realms of one CPU: use -smp 1`);
    }
    if (configuration.devices.length > 0) {
      throw new ConfigurationError(
        `${SLUG} carries the board's own devices alone: leave -device and -drive out`,
      );
    }
    this.#monitor = monitor;
    this.#options = given;
    this.#identity = {
      cluster: sha256(new TextEncoder().encode(given.cluster)),
      seed: configuration.seed,
      measurement: sha256(new TextEncoder().encode(`${SLUG} agent ${AGENT_VERSION}`)),
      timeout: given.timeout * 1_000_000,
    };
    this.#alarm = site.clock.alarm(SLUG, () => this.#agent.woken());
    [this.#source, this.#destination] = this.#agents();
  }

  get #agent(): SourceAgent | DestinationAgent {
    return this.#options.role === "source" ? this.#source : this.#destination;
  }

  #agents(): [SourceAgent, DestinationAgent] {
    const { source, destination } = this.#records, isSource = this.#options.role === "source";
    return [
      new SourceAgent(this.#sourceHost, this.#identity, isSource ? source : FRESH_SOURCE),
      new DestinationAgent(this.#destinationHost, this.#identity, isSource ? FRESH_DESTINATION : destination),
    ];
  }

  get #common(): AgentHost {
    const { site } = this.#monitor, { role } = this.#options;
    return {
      send: (bytes) => site.transmit(PORT, bytes),
      wait: (time) => time === undefined ? this.#alarm.clear() : this.#alarm.set(site.clock.now + time),
      tell: (step, epoch, sequence, detail) =>
        site.events.emit("teeMigrationStepped", 0, {
          role,
          step,
          epoch,
          sequence,
          detail: detail.slice(0, 200),
        }),
      destroy: () => this.#clear(),
    };
  }

  get #sourceHost() {
    return {
      ...this.#common,
      persist: (record: SourceRecord) => void (this.#records = { ...this.#records, source: record }),
      freeze: () => void (this.#isWanted = true),
      thaw: () => this.#thaw(),
    };
  }

  get #destinationHost() {
    return {
      ...this.#common,
      check: (policy: Policy) => this.#unmet(policy),
      persist: (record: DestinationRecord) =>
        void (this.#records = { ...this.#records, destination: record }),
      create: () => this.#clear(),
      put: (piece: Piece) => this.#put(piece),
      resume: () => this.#resume(),
    };
  }

  /** What this machine lacks of a policy. */
  #unmet({ teeType, features, memoryMiB, agentVersion }: Policy): string | undefined {
    const { cpu } = this.#vcpu as Vcpu;
    if (teeType !== "R") return `there are no TEEs of type ${teeType}`;
    if (agentVersion !== AGENT_VERSION) return `its agents have version ${agentVersion}`;
    const lacking = features.filter((name) => !cpu.implements(name as never));
    if (lacking.length > 0) return `this machine lacks ${lacking.join(", ")}`;
    const size = this.#monitor.space.ram.size / 2 ** 20;
    return memoryMiB === size ? undefined : `the realm has ${memoryMiB} MiB, there are ${size}`;
  }

  get #policy(): Policy {
    const memoryMiB = this.#monitor.space.ram.size / 2 ** 20;
    return { teeType: "R", features: this.#options.features, memoryMiB, agentVersion: AGENT_VERSION };
  }

  reset(): void {
    this.#alarm.clear();
    this.#records = { source: FRESH_SOURCE, destination: FRESH_DESTINATION };
    this.#isWanted = this.#isFrozen = false;
    this.#pages = [];
    this.#state = new Uint8Array(0);
    [this.#source, this.#destination] = this.#agents();
  }

  started(vcpu: Vcpu): void {
    this.#vcpu = vcpu;
    if (this.#options.role === "destination") vcpu.cpu.on = false;
  }

  returning(vcpu: Vcpu): void {
    if (!this.#isWanted || obstacle(this.#monitor, vcpu) !== undefined) return;
    const { cpu } = vcpu;
    this.#isWanted = false;
    this.#isFrozen = true;
    this.#state = captureState(this.#monitor, vcpu);
    this.#pages = this.#used();
    vcpu.set("CNTV_CTL_EL0", 0n);
    cpu.on = false;
    cpu.attention = true;
    this.#source.frozen(this.#image());
  }

  /** Numbers of the pages of the realm that are not zero. */
  #used(): number[] {
    const { base, size } = this.#monitor.space.ram, { memory } = this.#monitor.site, used: number[] = [];
    for (let page = 0; page < size / PAGE_SIZE; page++) {
      const contents = memory.readBytes((base + page * PAGE_SIZE) as PhysicalAddress, PAGE_SIZE);
      if (new BigUint64Array(contents.buffer).some((word) => word !== 0n)) used.push(page);
    }
    return used;
  }

  #image(): TeeImage {
    const { clock, memory } = this.#monitor.site, { base } = this.#monitor.space.ram;
    const state = this.#state, parts = Math.ceil(state.length / PAGE_SIZE), pages = this.#pages;
    return {
      count: parts + pages.length,
      piece: (index) => {
        clock.charge(PIECE_NANOSECONDS);
        if (index < parts) {
          const at = index * PAGE_SIZE;
          return { place: STATE_PLACE + at, bytes: state.slice(at, at + PAGE_SIZE) };
        }
        const place = base + (pages[index - parts] as number) * PAGE_SIZE;
        return { place, bytes: memory.readBytes(place as PhysicalAddress, PAGE_SIZE) };
      },
    };
  }

  #thaw(): void {
    this.#isWanted = false;
    if (!this.#isFrozen) return;
    const vcpu = this.#vcpu as Vcpu;
    this.#isFrozen = false;
    applyState(this.#monitor, vcpu, this.#state);
    this.#forget();
    this.#start(vcpu);
  }

  #forget(): void {
    this.#state = new Uint8Array(0);
    this.#pages = [];
  }

  #start({ cpu }: Vcpu): void {
    cpu.on = true;
    cpu.waiting = "none";
    cpu.attention = true;
  }

  #put({ place, bytes }: Piece): string | undefined {
    const { site, space: { ram } } = this.#monitor;
    site.clock.charge(PIECE_NANOSECONDS);
    if (place >= STATE_PLACE) {
      const at = place - STATE_PLACE;
      if (at !== this.#state.length || at + bytes.length > MOST_STATE) return "its state is not in order";
      const state = new Uint8Array(at + bytes.length);
      state.set(this.#state);
      state.set(bytes, at);
      this.#state = state;
      return undefined;
    }
    const isPage = place >= ram.base && place + PAGE_SIZE <= ram.base + ram.size && place % PAGE_SIZE === 0;
    if (!isPage || bytes.length !== PAGE_SIZE) return "it has a page where the realm has no memory";
    site.memory.patchBytes(place as PhysicalAddress, bytes);
    return undefined;
  }

  #resume(): void {
    const vcpu = this.#vcpu as Vcpu;
    if (vcpu.cpu.on) return;
    applyState(this.#monitor, vcpu, this.#state);
    this.#forget();
    this.#start(vcpu);
  }

  /** Clears the realm's memory; its CPU stands still. */
  #clear(): void {
    const { site: { memory }, space: { ram } } = this.#monitor, zeros = new Uint8Array(PAGE_SIZE);
    this.#forget();
    this.#isFrozen = false;
    for (const page of this.#used()) {
      memory.patchBytes((ram.base + page * PAGE_SIZE) as PhysicalAddress, zeros);
    }
  }

  prepareCommand(_vcpu: Vcpu, words: readonly string[]): () => void {
    const { role } = this.#options;
    if (words.length === 1 && words[0] === "migrate" && role === "source") {
      if (this.#source.isBusy) {
        throw new InputRefusedError("Cannot migrate: a migration is under way, or the realm is gone");
      }
      return () => void this.#source.begin(this.#policy);
    }
    if (words.length === 1 && words[0] === "crash") {
      return () => {
        this.#alarm.clear();
        [this.#source, this.#destination] = this.#agents();
      };
    }
    throw new InputRefusedError(`${SLUG} takes the command crash, and migrate at the source`);
  }

  prepareMessage(_vcpu: Vcpu, port: string, bytes: Uint8Array): (() => void) | undefined {
    return port === PORT ? () => this.#agent.received(bytes) : undefined;
  }

  save(): Section {
    const { source, destination } = this.#records;
    return layout.encode(this.#monitor.sectionName(SLUG), {
      source,
      sourceProgress: this.#source.save(),
      destination,
      destinationProgress: this.#destination.save(),
      isWanted: this.#isWanted,
      isFrozen: this.#isFrozen,
      state: this.#state,
      pages: [...this.#pages],
    });
  }

  restore(section: Section): void {
    const saved = layout.decode(section);
    this.#records = { source: saved.source, destination: saved.destination };
    this.#isWanted = saved.isWanted;
    this.#isFrozen = saved.isFrozen;
    this.#state = saved.state;
    this.#pages = saved.pages;
    this.#vcpu = this.#monitor.vcpu(this.#monitor.site.cpus[0]!);
    this.#source.restore(saved.source, saved.sourceProgress, this.#isFrozen ? this.#image() : undefined);
    this.#destination.restore(saved.destination, saved.destinationProgress);
  }
}

/** The row. */
export const TEE_MIGRATION = systemRow({
  slug: SLUG,
  levels: [2],
  options,
  build: (given: Options, monitor) => new TeeMigration(given, monitor),
});
