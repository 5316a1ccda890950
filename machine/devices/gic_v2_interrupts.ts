/** The interrupts of a GICv2: enabled, pending, active, priority, target, group (Arm IHI 0048B, chapter 3). */
import { u8, type ValueOf } from "../layout.ts";
import { octets, words } from "./fixed_arrays.ts";

/** CPU interfaces a GICv2 can have. */
export const CPUS_MAX = 8;
/** Software-generated interrupts, numbers 0–15. */
export const SGI_COUNT = 16;
/** Interrupts banked per CPU, numbers 0–31. */
export const PRIVATE_COUNT = 32;
/** Interrupts in all, as on QEMU's `virt`. */
export const INTERRUPT_COUNT = 288;
/** Words of 32 interrupts that one CPU sees. */
export const WORD_COUNT: number = INTERRUPT_COUNT / 32;

/** Interrupt numbers with a meaning of their own: none pending, and one of Group 1 that this read may not take. */
export const SPURIOUS = 1023;
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

const STORED_WORDS = CPUS_MAX + WORD_COUNT - 1;

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
export class GicV2Interrupts {
  /** Everything that is saved. */
  state: InterruptState;

  /** `cpuCount` is 1–8. */
  constructor(readonly cpuCount: number) {
    this.state = initialState(cpuCount);
  }

  /** Power-on state, inputs low; with `nonSecure`, all interrupts in Group 1 with priorities that it may have. */
  reset(nonSecure = false): void {
    this.state = initialState(this.cpuCount);
    if (!nonSecure) return;
    this.state.group.fill(0xffff_ffff);
    this.state.priority.fill(NON_SECURE_PRIORITY);
  }

  /** Which word holds interrupts 32n to 32n+31 as `cpu` sees them. */
  word(cpu: number, n: number): number {
    return n === 0 ? cpu : CPUS_MAX + n - 1;
  }

  /** Where the arrays with one element per interrupt have an interrupt that `cpu` sees. */
  slot(cpu: number, interrupt: number): number {
    return this.word(cpu, interrupt >>> 5) * 32 + (interrupt & 31);
  }

  /** The pending bits of a word. */
  pending(word: number): number {
    const { latched, level, edge } = this.state;
    return at(latched, word) | (at(level, word) & ~at(edge, word));
  }

  /** One bit of a word array. */
  test(array: Uint32Array, cpu: number, interrupt: number): boolean {
    return (at(array, this.word(cpu, interrupt >>> 5)) >>> (interrupt & 31) & 1) === 1;
  }

  /** Sets or clears one bit of a word array. */
  assign(array: Uint32Array, cpu: number, interrupt: number, value: boolean): void {
    const word = this.word(cpu, interrupt >>> 5);
    const bit = 1 << (interrupt & 31);
    array[word] = value ? at(array, word) | bit : at(array, word) & ~bit;
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
        const bit = 31 - Math.clz32(bits & -bits);
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
    return sources === 0 ? 0 : 31 - Math.clz32(sources & -sources);
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

/** An element known to exist. */
export function at(array: Uint32Array | Uint8Array, index: number): number {
  return array[index] as number;
}
