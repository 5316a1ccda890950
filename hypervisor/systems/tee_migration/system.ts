/**
 * tee-migration (US20220188146A1, grant US11922211): a realm, which is a guest that the monitor at EL2 hosts, moves
 * to another machine: policy first, then attestation, then its state and pages sealed with AES-256-GCM, and at last the
 * commit that makes the other copy the only one.
 *
 * Both machines run this system with one cluster key, and a link of messages at port `mig` of each; `role` says which has
 * the realm at first, and it can move back. What is carried is in canonical_state.ts; what is not at rest is waited for,
 * and a realm that does not come to rest stays where it is. With `host=ADDRESS` the last CPU and RAM from there on are an
 * untrusted host's, which starts the realm (host_side.ts). With `drive=ID` the realm outlives power (records.ts).
 */
import type { Alarm } from "../../../machine/clock.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { flag } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import { HYPERVISOR_TIMER } from "../../hypervisor_timer.ts";
import type { TrapMonitor } from "../../monitor.ts";
import { type MonitorSystem, systemRow } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { destinationProgress } from "./destination.ts";
import { HostSide, hostState, NO_HOST } from "./host_side.ts";
import { clusterKey, Keeper, PORT } from "./keeper.ts";
import { checked, type Options, options, SLUG } from "./options.ts";
import { REALM_FIELDS } from "./realm.ts";
import { realmExits } from "./realm_exits.ts";
import { SealedStore, SMALLEST_STORE, storedRecord } from "./sealed_store.ts";
import { sourceProgress } from "./source.ts";
import { transcriptState } from "./transcript.ts";

const layout = sectionLayout(SLUG, 2, {
  records: storedRecord,
  sourceProgress,
  destinationProgress,
  transcript: transcriptState,
  host: hostState,
  isStarted: flag,
  ...REALM_FIELDS,
});

/** The system in one machine. */
class TeeMigration implements MonitorSystem {
  readonly slug = SLUG;
  readonly exits: NonNullable<MonitorSystem["exits"]>;
  readonly #monitor: El2Monitor;
  readonly #keeper: Keeper;
  readonly #host: HostSide | undefined;
  readonly #power: Alarm;
  /** Power came, and who has the realm is known. */
  #isStarted = false;

  constructor(given: Options, monitor: TrapMonitor) {
    this.#monitor = checked(monitor, given);
    const { clock } = monitor.site, { host, planted } = given;
    this.#keeper = new Keeper(
      this.#monitor,
      given,
      this.#store(given),
      () => this.#host === undefined || this.#host.isEntered,
      () => this.#host?.realmCame(),
    );
    const { realm } = this.#keeper, ended = () => this.#keeper.ended();
    this.#host = host === undefined ? undefined : new HostSide(this.#monitor, host, realm.place, {
      enter: () => this.#power.set(clock.now),
      destroy: () => {
        if (this.#keeper.records.isPrepared) return false;
        ended();
        return true;
      },
      isHere: () => this.#keeper.records.isHere || this.#keeper.records.isPrepared,
    }, planted);
    this.#power = clock.alarm(`${SLUG} start`, () => {
      this.#isStarted = true;
      this.#keeper.start();
    });
    this.exits = realmExits(realm, this.#host, () => {
      this.#host?.realmEnded();
      ended();
    });
  }

  #store(given: Options): SealedStore | undefined {
    const { drive } = given;
    if (drive === undefined) return undefined;
    const disk = this.#monitor.site.drive(drive, SLUG);
    if (!disk.readOnly && disk.size >= SMALLEST_STORE) return new SealedStore(disk, clusterKey(given));
    throw new ConfigurationError(
      `${SLUG}: drive "${drive}" is read-only, or smaller than ${SMALLEST_STORE} bytes`,
    );
  }

  reset(): void {
    this.#power.clear();
    this.#isStarted = false;
    this.#keeper.reset();
    this.#host?.reset();
  }

  started(vcpu: Vcpu): void {
    if (vcpu.index === this.#host?.cpu) return this.#host.started(vcpu);
    if (vcpu.index !== 0 || this.#isStarted) return;
    const { records } = this.#keeper;
    if (this.#host === undefined && records.store === undefined) {
      this.#isStarted = true;
      vcpu.cpu.on = records.isHere;
      return;
    }
    // Nothing runs until it is known who has the realm; the disk is as it was left by then.
    vcpu.cpu.on = false;
    if (this.#host === undefined) this.#power.set(this.#monitor.site.clock.now);
  }

  interrupt(vcpu: Vcpu, interrupt: number): boolean {
    if (vcpu.index === this.#host?.cpu) return this.#host.interrupt(vcpu, interrupt);
    return interrupt === HYPERVISOR_TIMER;
  }

  returning(vcpu: Vcpu): void {
    if (vcpu.index === this.#host?.cpu) this.#host.returning(vcpu);
    else this.#keeper.realm.returning(vcpu);
  }

  prepareCommand(_vcpu: Vcpu, words: readonly string[]): () => void {
    const command = words.length === 1 ? words[0] : undefined;
    if (command === "migrate") {
      if (this.#keeper.source.isBusy || !this.#isStarted) {
        throw new InputRefusedError("Cannot migrate: a migration is under way, or the realm is not here");
      }
      return () => this.#keeper.migrate();
    }
    if (command === "crash") {
      return () => {
        if (this.#isStarted) this.#keeper.restartAgents();
      };
    }
    throw new InputRefusedError(`${SLUG} takes the command crash, and migrate where the realm is`);
  }

  prepareMessage(_vcpu: Vcpu, port: string, bytes: Uint8Array): (() => void) | undefined {
    if (port !== PORT) return undefined;
    return () => {
      if (this.#isStarted) this.#keeper.received(bytes);
    };
  }

  save(): Section {
    const { source, destination, records, transcript, realm } = this.#keeper;
    return layout.encode(this.#monitor.sectionName(SLUG), {
      records: records.now,
      sourceProgress: source.save(),
      destinationProgress: destination.save(),
      transcript,
      host: this.#host?.save() ?? NO_HOST,
      isStarted: this.#isStarted,
      ...realm.save(),
    });
  }

  restore(section: Section): void {
    const saved = layout.decode(section);
    this.#isStarted = saved.isStarted;
    this.#host?.restore(saved.host);
    this.#keeper.restore(saved);
  }
}

/** The row. */
export const TEE_MIGRATION = systemRow({
  slug: SLUG,
  levels: [2],
  options,
  build: (given: Options, monitor) => new TeeMigration(given, monitor),
});
