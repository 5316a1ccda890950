/** The interrupts of a GICv3 but for LPIs: enabled, pending, active, priority, group, route (Arm IHI 0069, chapter 4). */
import { u8, type ValueOf } from "../layout.ts";
import { octets, words } from "./fixed_arrays.ts";
import {
  at,
  BankedInterrupts,
  CPUS_MAX,
  INTERRUPT_COUNT,
  lowestBit,
  SGI_COUNT,
  SPURIOUS,
  STORED_WORDS,
  WORD_COUNT,
} from "./gic_interrupts.ts";

/** Groups of interrupts: 0, Secure 1, Non-secure 1. */
export const GROUP = { zero: 0, secure: 1, nonSecure: 2 } as const;

/** One of the groups. */
export type Group = 0 | 1 | 2;

/** Bits of GICD_CTLR in the view of Secure software. */
export const GICD_CTLR = {
  EnableGrp0: 1 << 0,
  EnableGrp1NS: 1 << 1,
  EnableGrp1S: 1 << 2,
  ARE_S: 1 << 4,
  ARE_NS: 1 << 5,
  DS: 1 << 6,
} as const;

/** An interrupt that is forwarded to a CPU interface. */
export interface Candidate {
  /** INTID. */
  readonly interrupt: number;
  /** Full priority, 0–254, lower is more urgent. */
  readonly priority: number;
  /** Its group. */
  readonly group: Group;
}

/** The priority of no interrupt; one that has it is never forwarded. */
export const IDLE = 0xff;

/** Section fields of the interrupts, in layout order. */
// deno-fmt-ignore
export const INTERRUPT_FIELDS = {
  /** GICD_CTLR. */
  control:         u8,
  enabled:         words(STORED_WORDS),
  latched:         words(STORED_WORDS),
  level:           words(STORED_WORDS),
  active:          words(STORED_WORDS),
  edge:            words(STORED_WORDS),
  group:           words(STORED_WORDS),
  groupModifier:   words(STORED_WORDS),
  /** GICR_NSACR, GICD_NSACR: two bits an interrupt. */
  nonSecureAccess: words(STORED_WORDS * 2),
  priority:        octets(STORED_WORDS * 32),
  /** GICD_IROUTER: Aff2, Aff1, Aff0. */
  routes:          words(INTERRUPT_COUNT),
  /** GICD_IROUTER: Aff3. */
  routesAff3:      octets(INTERRUPT_COUNT),
} as const;

/** State of the interrupts; words hold 32 interrupts each, private ones first, one word per CPU. */
export type InterruptState = ValueOf<typeof INTERRUPT_FIELDS>;

/** The interrupts as the distributor, the redistributors and the CPU interfaces use them. */
export class GicV3Interrupts extends BankedInterrupts<InterruptState> {
  /** Everything that is saved. */
  state: InterruptState;

  /** `security`: there are two Security states until software sets GICD_CTLR.DS. */
  constructor(private readonly security: boolean) {
    super();
    this.state = initialState(security);
  }

  /** Power-on state, inputs low; with `nonSecure`, all interrupts in Non-secure Group 1, as Secure firmware leaves them. */
  reset(nonSecure = false): void {
    this.state = initialState(this.security);
    if (nonSecure) this.state.group.fill(0xffff_ffff);
  }

  /** GICD_IROUTER as one number. */
  override routeOf(interrupt: number): number {
    return at(this.state.routesAff3, interrupt) * 2 ** 32 + at(this.state.routes, interrupt);
  }

  /** GICD_CTLR.DS: there is one Security state. */
  get isSingleState(): boolean {
    return (this.state.control & GICD_CTLR.DS) !== 0;
  }

  /** The group of an interrupt. */
  group(cpu: number, interrupt: number): Group {
    const { group, groupModifier } = this.state;
    if (this.test(group, cpu, interrupt)) return GROUP.nonSecure;
    return !this.isSingleState && this.test(groupModifier, cpu, interrupt) ? GROUP.secure : GROUP.zero;
  }

  /** GICD_NSACR or GICR_NSACR: what Non-secure software may do to a Secure interrupt. */
  nonSecureAccess(cpu: number, interrupt: number): number {
    const index = this.word(cpu, interrupt >>> 5) * 2 + (interrupt >>> 4 & 1);
    return at(this.state.nonSecureAccess, index) >>> (2 * (interrupt & 15)) & 3;
  }

  /** The CPU that a shared interrupt is routed to, which need not exist. */
  targetOf(interrupt: number): number {
    const affinity = at(this.state.routes, interrupt);
    return at(this.state.routesAff3, interrupt) === 0 && affinity < CPUS_MAX ? affinity : -1;
  }

  /** The interrupts of a word whose group is enabled. */
  #enabledGroups(word: number): number {
    const { control, group, groupModifier } = this.state;
    const nonSecure = at(group, word), modifier = this.isSingleState ? 0 : at(groupModifier, word);
    return (control & GICD_CTLR.EnableGrp1NS ? nonSecure : 0) |
      (control & GICD_CTLR.EnableGrp1S ? ~nonSecure & modifier : 0) |
      (control & GICD_CTLR.EnableGrp0 ? ~nonSecure & ~modifier : 0);
  }

  /** The most urgent interrupt forwarded to a CPU: pending, enabled, not active, its group enabled, routed there. */
  highest(cpu: number): Candidate | undefined {
    const { enabled, active, priority } = this.state;
    let interrupt = SPURIOUS;
    let best = IDLE;
    for (let n = 0; n < WORD_COUNT; n++) {
      const word = this.word(cpu, n);
      let bits = this.pending(word) & at(enabled, word) & ~at(active, word);
      if (bits !== 0) bits &= this.#enabledGroups(word);
      for (; bits !== 0; bits &= bits - 1) {
        const bit = lowestBit(bits);
        const own = at(priority, word * 32 + bit);
        if (own >= best || (n > 0 && this.targetOf(n * 32 + bit) !== cpu)) continue;
        best = own;
        interrupt = n * 32 + bit;
      }
    }
    if (interrupt === SPURIOUS) return undefined;
    return { interrupt, priority: best, group: this.group(cpu, interrupt) };
  }

  /** Makes an interrupt active and no longer pending. */
  acknowledge(cpu: number, interrupt: number): void {
    this.assign(this.state.active, cpu, interrupt, true);
    this.assign(this.state.latched, cpu, interrupt, false);
  }

  /** Whether a CPU accepts an SGI of a group, sent by Secure or Non-secure software (IHI 0069, GICR_NSACR). */
  acceptsSgi(cpu: number, interrupt: number, group: Group, isSecure: boolean): boolean {
    const own = this.group(cpu, interrupt);
    if (own !== group && !(own === GROUP.zero && group === GROUP.secure)) return false;
    if (isSecure || this.isSingleState || own === GROUP.nonSecure) return true;
    return this.nonSecureAccess(cpu, interrupt) >= (own === GROUP.zero ? 1 : 2);
  }
}

function initialState(security: boolean): InterruptState {
  const zeros = () => new Uint32Array(STORED_WORDS);
  return {
    control: security ? GICD_CTLR.ARE_S | GICD_CTLR.ARE_NS : GICD_CTLR.ARE_S | GICD_CTLR.DS,
    enabled: zeros(),
    latched: zeros(),
    level: zeros(),
    active: zeros(),
    edge: zeros().fill(2 ** SGI_COUNT - 1, 0, CPUS_MAX),
    group: zeros(),
    groupModifier: zeros(),
    nonSecureAccess: new Uint32Array(STORED_WORDS * 2),
    priority: new Uint8Array(STORED_WORDS * 32),
    routes: new Uint32Array(INTERRUPT_COUNT),
    routesAff3: new Uint8Array(INTERRUPT_COUNT),
  };
}
