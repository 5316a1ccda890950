/**
 * The untrusted host of a machine with a realm: normal-world software at EL1 on a CPU of its own, the last one. It starts
 * the realm by calls like those of Arm DEN 0137 (RMM 1.0, chapter B4), HVC #0 with their function identifiers; ranges of
 * granules stand for one granule, and REC_ENTER returns at once, since the realm's CPUs are not the host's. What it does
 * to granules that are not its own is denied, and comes back to it as an external abort.
 */
import { bytes, flag, record, u53 } from "../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import type { Exit } from "../../exit.ts";
import { injectNoAnswer, injectUndefined } from "../../injection.ts";
import type { ExitHandler } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { GranuleTable } from "./granules.ts";
import type { Planted } from "./planted.ts";
import type { RealmPlace } from "./realm.ts";

/** Calls by function identifier; the last is of the vendor's range. */
// deno-fmt-ignore
export const HOST_CALLS = {
  VERSION:             0xc400_0150,
  GRANULE_DELEGATE:    0xc400_0151,
  GRANULE_UNDELEGATE:  0xc400_0152,
  REALM_CREATE:        0xc400_0158,
  REALM_DESTROY:       0xc400_0159,
  REC_ENTER:           0xc400_015c,
  /** What became of the realm: a number of REALM_STATES. */
  REALM_STATUS:        0xc600_0150,
} as const;

/** RMI_SUCCESS, RMI_ERROR_INPUT, RMI_ERROR_REALM; SMCCC's NOT_SUPPORTED. */
const SUCCESS = 0n, ERROR_INPUT = 1n, ERROR_REALM = 2n, NOT_SUPPORTED = -1n;
const RMI_VERSION = 1n << 16n;
/** PSCI: the host can power the machine off, and no more. */
const SYSTEM_OFF = 0x8400_0008;
/** INTID of EL1's virtual timer, by which the host waits; CNTV_CTL_EL0.IMASK. */
const VIRTUAL_TIMER = 27, MASK = 2n;
/** HCR_EL2.VI and VF: the host has no virtual interrupts. */
const VIRTUAL = 3n << 6n;
/** ISS of a data abort: WnR. */
const WRITE = 1 << 6;

/** What a realm is to its host. */
export const REALM_STATES = ["none", "created", "running", "moved", "ended"] as const;
/** See above. */
export type RealmStatus = (typeof REALM_STATES)[number];

/** What happens on a host's calls. */
export interface HostActions {
  /** It may run. */
  enter(): void;
  /** It is destroyed, its memory cleared; false while only its source knows whether it is to run here. */
  destroy(): boolean;
  /** It is here and runs, or is about to. */
  isHere(): boolean;
}

const TABLES = "host_stage2";

/** Layout of what is kept of a host; `states` is empty where there is none. */
export const hostState = record({
  states: bytes(1 << 20),
  tables: bytes(64),
  isCreated: flag,
  isEntered: flag,
  hadRealm: flag,
  hasEnded: flag,
  denials: u53,
});

/** What is kept of a host. */
export type HostState = ReturnType<typeof hostState.read>;

/** There is no host. */
export const NO_HOST: HostState = {
  states: new Uint8Array(0),
  tables: new Uint8Array(0),
  isCreated: false,
  isEntered: false,
  hadRealm: false,
  hasEnded: false,
  denials: 0,
};

/** The host's CPU and memory. */
export class HostSide {
  /** What is whose. */
  readonly granules: GranuleTable;
  #isCreated = false;
  #isEntered = false;
  /** Since it was entered there was a realm here; it ended itself. */
  #hadRealm = false;
  #hasEnded = false;
  #denials = 0;

  /** The host has RAM from `base` on; the realm what is below. */
  constructor(
    private readonly monitor: El2Monitor,
    private readonly base: number,
    private readonly realm: RealmPlace,
    private readonly actions: HostActions,
    planted: Planted | undefined,
  ) {
    this.granules = new GranuleTable(monitor, planted);
  }

  /** Number of its CPU. */
  get cpu(): number {
    return this.realm.cpus;
  }

  /** The host has given a realm all that it is to have, and lets it run. */
  get isEntered(): boolean {
    return this.#isEntered;
  }

  get #status(): RealmStatus {
    if (!this.#isEntered) return this.#isCreated ? "created" : "none";
    if (this.actions.isHere()) return "running";
    if (this.#hasEnded) return "ended";
    return this.#hadRealm ? "moved" : "created";
  }

  /** There is a realm here now. */
  realmCame(): void {
    this.#hadRealm = true;
  }

  /** The realm powered itself off. */
  realmEnded(): void {
    this.#hasEnded = true;
  }

  /** Behind the reset of the guest's space. */
  reset(): void {
    const { space: { ram, stage2 } } = this.monitor;
    this.granules.reset();
    stage2.unmap(undefined, this.base, ram.base + ram.size - this.base);
    this.#isCreated =
      this.#isEntered =
      this.#hadRealm =
      this.#hasEnded =
        false;
    this.#denials = 0;
  }

  /** Its CPU starts. */
  started(vcpu: Vcpu): void {
    const { cpu } = vcpu;
    vcpu.set("VTTBR_EL2", this.granules.stage2.vttbr);
    this.monitor.gic.physical.writeWord(cpu, vcpu.index, "ISENABLER", 0, 1 << VIRTUAL_TIMER);
    cpu.registers.pc = BigInt(this.base);
    cpu.on = true;
    cpu.attention = true;
  }

  /** Nothing of the realm's interrupts reaches it. */
  returning(vcpu: Vcpu): void {
    vcpu.change("HCR_EL2", 0n, VIRTUAL);
  }

  /** Its timer wakes it, and no more. */
  interrupt(vcpu: Vcpu, interrupt: number): boolean {
    if (interrupt === VIRTUAL_TIMER) vcpu.change("CNTV_CTL_EL0", MASK);
    return true;
  }

  /** Exits of its CPU. */
  readonly exits: Readonly<Record<string, ExitHandler>> = {
    hypervisorCall: (vcpu, { iss }) => {
      if ((iss & 0xffff) !== 0) return false;
      vcpu.setX(0, BigInt.asUintN(64, this.#call(vcpu, Number(vcpu.x(0) & 0xffff_ffffn))));
      return true;
    },
    dataAbortLower: (vcpu, exit) => this.#denied(vcpu, exit, (exit.iss & WRITE) === 0 ? "read" : "write"),
    instructionAbortLower: (vcpu, exit) => this.#denied(vcpu, exit, "fetch"),
    systemRegisterTrapped: (vcpu) => {
      injectUndefined(vcpu);
      return true;
    },
  };

  #denied(vcpu: Vcpu, exit: Exit, access: "read" | "write" | "fetch"): true {
    this.#denials++;
    this.monitor.site.events.emit("hostAccessDenied", vcpu.index, { address: Math.max(0, exit.ipa), access });
    injectNoAnswer(vcpu, exit);
    return true;
  }

  #call(vcpu: Vcpu, id: number): bigint {
    const base = Number(vcpu.x(1)), count = Number(vcpu.x(2)), { granules, realm } = this;
    const pages = realm.size / PAGE_SIZE, done = (isDone: boolean): bigint => isDone ? SUCCESS : ERROR_INPUT;
    switch (id) {
      case HOST_CALLS.VERSION:
        return RMI_VERSION;
      case HOST_CALLS.GRANULE_DELEGATE:
        return done(granules.change(vcpu, base, count, "undelegated", "delegated"));
      case HOST_CALLS.GRANULE_UNDELEGATE:
        return done(granules.change(vcpu, base, count, "delegated", "undelegated"));
      case HOST_CALLS.REALM_CREATE:
        if (!granules.change(vcpu, realm.base, pages, "delegated", "realm")) return ERROR_INPUT;
        this.#isCreated = true;
        return SUCCESS;
      case HOST_CALLS.REC_ENTER:
        if (!this.#isCreated || this.#isEntered) return ERROR_REALM;
        this.#isEntered = true;
        this.#hadRealm = this.#hasEnded = false;
        this.actions.enter();
        return SUCCESS;
      case HOST_CALLS.REALM_DESTROY:
        if (!this.#isCreated || !this.actions.destroy()) return ERROR_REALM;
        this.#isCreated = this.#isEntered = false;
        return done(granules.change(vcpu, realm.base, pages, "realm", "delegated"));
      case HOST_CALLS.REALM_STATUS:
        return BigInt(REALM_STATES.indexOf(this.#status));
      case SYSTEM_OFF:
        this.monitor.site.firmwareCall(vcpu.cpu);
        return SUCCESS;
      default:
        return NOT_SUPPORTED;
    }
  }

  /** For the system's section. */
  save(): HostState {
    return {
      states: this.granules.states,
      tables: this.granules.stage2.save(TABLES).bytes,
      isCreated: this.#isCreated,
      isEntered: this.#isEntered,
      hadRealm: this.#hadRealm,
      hasEnded: this.#hasEnded,
      denials: this.#denials,
    };
  }

  /** Restores what `save` gave. */
  restore(saved: HostState): void {
    this.granules.restore(saved.states, { name: TABLES, version: 1, bytes: saved.tables });
    this.#isCreated = saved.isCreated;
    this.#isEntered = saved.isEntered;
    this.#hadRealm = saved.hadRealm;
    this.#hasEnded = saved.hasEnded;
    this.#denials = saved.denials;
  }
}
