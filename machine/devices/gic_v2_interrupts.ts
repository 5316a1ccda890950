/** The interrupts of a GICv2: enabled, pending, active, priority, target, group (Arm IHI 0048B, chapter 3). */
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

/** Group 1 pending at a Secure read with AckCtl 0. */
export const GROUP1_PENDING = 1022;

/** The bits of GICD_CTLR and GICC_CTLR that let interrupts of a group through. */
export const ENABLE_GROUP: readonly [number, number] = [1, 2];

/** The most urgent priority that Non-secure software may give. */
export const NON_SECURE_PRIORITY = 0x80;

/** An interrupt that is forwarded to a CPU interface. */
export interface Candidate {
  /** Interrupt number. */
  readonly interrupt: number;
  /** Full priority, 0–255, lower is more urgent. */
  readonly priority: number;
  /** 0 or 1. */
  readonly group: 0 | 1;
}

/** Section fields of the interrupts, in layout order. */
// deno-fmt-ignore
export const INTERRUPT_FIELDS = {
  /** GICD_CTLR: EnableGrp0, EnableGrp1. */
  control:    u8,
  enabled:    words(STORED_WORDS),
  /** Pending by an edge, a register or an SGI; what a level makes pending is not latched. */
  latched:    words(STORED_WORDS),
  level:      words(STORED_WORDS),
  active:     words(STORED_WORDS),
  edge:       words(STORED_WORDS),
  group:      words(STORED_WORDS),
  priority:   octets(STORED_WORDS * 32),
  /** CPU targets of shared interrupts, one bit per CPU. */
  targets:    octets(INTERRUPT_COUNT),
  /** For each CPU and SGI, the CPUs that sent it. */
  sgiSources: octets(CPUS_MAX * SGI_COUNT),
} as const;

/** State of the interrupts; words hold 32 interrupts each, private ones first, one word per CPU. */
export type InterruptState = ValueOf<typeof INTERRUPT_FIELDS>;

/** The interrupts as the distributor and the CPU interfaces use them. */
export class GicV2Interrupts extends BankedInterrupts<InterruptState> {
  /** Everything that is saved. */
  state: InterruptState;

  /** `cpuCount` is 1–8. */
  constructor(readonly cpuCount: number) {
    super();
    this.state = initialState(cpuCount);
  }

  /** Power-on state, inputs low; with `nonSecure`, all interrupts in Group 1 with priorities that it may have. */
  reset(nonSecure = false): void {
    this.state = initialState(this.cpuCount);
    if (!nonSecure) return;
    this.state.group.fill(0xffff_ffff);
    this.state.priority.fill(NON_SECURE_PRIORITY);
  }

  /** The field of GICD_ITARGETSR: one bit for each CPU. */
  override routeOf(interrupt: number): number {
    return at(this.state.targets, interrupt);
  }

  /** The group of an interrupt. */
  group(cpu: number, interrupt: number): 0 | 1 {
    return this.test(this.state.group, cpu, interrupt) ? 1 : 0;
  }

  /** The most urgent interrupt forwarded to a CPU: pending, enabled, not active, its group enabled, targeted there. */
  highest(cpu: number): Candidate | undefined {
    const { control, enabled, active, group, priority, targets } = this.state;
    if (control === 0) return undefined;
    let interrupt = SPURIOUS;
    let best = 0x100;
    for (let n = 0; n < WORD_COUNT; n++) {
      const word = this.word(cpu, n);
      const forwarded = (control & ENABLE_GROUP[0] ? ~at(group, word) : 0) |
        (control & ENABLE_GROUP[1] ? at(group, word) : 0);
      let bits = this.pending(word) & at(enabled, word) & ~at(active, word) & forwarded;
      for (; bits !== 0; bits &= bits - 1) {
        const bit = lowestBit(bits);
        const isTarget = n === 0 || (at(targets, n * 32 + bit) >>> cpu & 1) === 1;
        if (!isTarget || at(priority, word * 32 + bit) >= best) continue;
        best = at(priority, word * 32 + bit);
        interrupt = n * 32 + bit;
      }
    }
    if (interrupt === SPURIOUS) return undefined;
    return { interrupt, priority: best, group: this.group(cpu, interrupt) };
  }

  /** Makes an interrupt active on a CPU and no longer pending; returns the CPU that sent it, 0 unless an SGI. */
  acknowledge(cpu: number, interrupt: number): number {
    this.assign(this.state.active, cpu, interrupt, true);
    const source = interrupt < SGI_COUNT ? this.sourceOf(cpu, interrupt) : 0;
    if (interrupt < SGI_COUNT) this.withdrawSgi(cpu, interrupt, 1 << source);
    else this.assign(this.state.latched, cpu, interrupt, false);
    return source;
  }

  /** The lowest-numbered CPU among the senders of a pending SGI, 0 when there is none. */
  sourceOf(cpu: number, interrupt: number): number {
    const sources = at(this.state.sgiSources, cpu * SGI_COUNT + interrupt);
    return sources === 0 ? 0 : lowestBit(sources);
  }

  /** Adds senders of an SGI that is pending on a CPU. */
  sendSgi(cpu: number, interrupt: number, sources: number): void {
    if (sources === 0) return;
    this.state.sgiSources[cpu * SGI_COUNT + interrupt]! |= sources;
    this.assign(this.state.latched, cpu, interrupt, true);
  }

  /** Removes senders of an SGI; without any it is no longer pending. */
  withdrawSgi(cpu: number, interrupt: number, sources: number): void {
    const left = at(this.state.sgiSources, cpu * SGI_COUNT + interrupt) & ~sources;
    this.state.sgiSources[cpu * SGI_COUNT + interrupt] = left;
    if (left === 0) this.assign(this.state.latched, cpu, interrupt, false);
  }
}

function initialState(cpuCount: number): InterruptState {
  const zeros = () => new Uint32Array(STORED_WORDS);
  const sgis = () => zeros().fill(0xffff, 0, CPUS_MAX);
  return {
    control: 0,
    enabled: sgis(),
    latched: zeros(),
    level: zeros(),
    active: zeros(),
    edge: sgis(),
    group: zeros(),
    priority: new Uint8Array(STORED_WORDS * 32),
    targets: new Uint8Array(INTERRUPT_COUNT).fill(cpuCount === 1 ? 1 : 0),
    sgiSources: new Uint8Array(CPUS_MAX * SGI_COUNT),
  };
}
