/** The part of a guest's interrupt configuration that the board's controller must have too: enables, routes, edges. */
import { PPI, PPI_BASE } from "../machine/board.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import {
  at,
  type BankedInterrupts,
  type BankedState,
  CPUS_MAX,
  INTERRUPT_COUNT,
  PRIVATE_COUNT,
  STORED_WORDS,
} from "../machine/devices/gic_interrupts.ts";
import type { PhysicalGic } from "./physical_gic.ts";

/** Private interrupts whose physical ones the guest has, but for what systems claim: its timers and counters. */
const FORWARDED_PRIVATE = [PPI.virtualTimer, PPI.physicalTimer, PPI.performanceMonitor]
  .reduce((bits, ppi) => bits | 1 << (PPI_BASE + ppi), 0);

/** Writes to the board's controller what changes in a virtual one. */
export class GicMirror {
  /** What has been written; the virtual controller's own between accesses. */
  readonly #enabled = new Uint32Array(STORED_WORDS);
  readonly #edge = new Uint32Array(STORED_WORDS);
  readonly #routes: number[] = new Array(INTERRUPT_COUNT).fill(0);
  /** Interrupts that the monitor keeps, 32 of them to a word. */
  readonly #claimed = new Uint32Array(INTERRUPT_COUNT / 32);

  /** `interrupts` are the virtual ones of a machine with so many CPUs. */
  constructor(
    private readonly interrupts: BankedInterrupts<BankedState>,
    private readonly physical: PhysicalGic,
    private readonly cpus: number,
  ) {}

  /** The physical one of an interrupt, from 16 on, is the monitor's own; of a private one, those of all CPUs. */
  claim(interrupt: number): void {
    const word = interrupt >>> 5;
    this.#claimed[word] = at(this.#claimed, word) | 1 << (interrupt & 31);
  }

  /** Interrupts of a word whose physical ones follow what the guest writes. */
  #mirrored(word: number): number {
    const claimed = at(this.#claimed, word < CPUS_MAX ? 0 : word - CPUS_MAX + 1);
    return (word < CPUS_MAX ? FORWARDED_PRIVATE : -1) & ~claimed;
  }

  /** Writes to the board's controller what the guest's write has changed; of private interrupts only the CPU's, if wanted. */
  follow(cpu: Cpu, ownOnly = false): void {
    const { state } = this.interrupts;
    if (this.cpus > 1) this.#mirrorRoutes(cpu);
    for (let word = 0; word < STORED_WORDS; word++) {
      const owner = word < CPUS_MAX ? word : 0, n = word < CPUS_MAX ? 0 : word - CPUS_MAX + 1;
      if (ownOnly && word < CPUS_MAX && word !== cpu.index) continue;
      if (at(state.edge, word) !== at(this.#edge, word)) this.#mirrorEdges(cpu, owner, n, word);
      const now = at(state.enabled, word), changed = (now ^ at(this.#enabled, word)) & this.#mirrored(word);
      this.#enabled[word] = now;
      if ((changed & now) !== 0) this.physical.writeWord(cpu, owner, "ISENABLER", n, changed & now);
      if ((changed & ~now) !== 0) this.physical.writeWord(cpu, owner, "ICENABLER", n, changed & ~now);
    }
  }

  #mirrorEdges(cpu: Cpu, owner: number, n: number, word: number): void {
    const edges = at(this.interrupts.state.edge, word), changed = edges ^ at(this.#edge, word);
    this.#edge[word] = edges;
    for (const half of [0, 1]) {
      const of = (bits: number) => bits >>> (16 * half) & 0xffff;
      if (of(changed & this.#mirrored(word)) === 0) continue;
      const kept = n === 0 ? 0 : at(this.#claimed, n);
      this.physical.writeWord(cpu, owner, "ICFGR", n * 2 + half, configuration(of(edges & ~kept)));
    }
  }

  #mirrorRoutes(cpu: Cpu): void {
    for (let interrupt = PRIVATE_COUNT; interrupt < INTERRUPT_COUNT; interrupt++) {
      const route = this.interrupts.routeOf(interrupt);
      if (this.#routes[interrupt] === route) continue;
      this.#routes[interrupt] = route;
      if ((at(this.#claimed, interrupt >>> 5) >>> (interrupt & 31) & 1) !== 0) continue;
      this.physical.route(cpu, interrupt, route);
    }
  }

  /** What has been mirrored of the state that the model is in. */
  remember(): void {
    const { state } = this.interrupts;
    this.#enabled.set(state.enabled);
    this.#edge.set(state.edge);
    for (let interrupt = PRIVATE_COUNT; interrupt < INTERRUPT_COUNT; interrupt++) {
      this.#routes[interrupt] = this.interrupts.routeOf(interrupt);
    }
  }
}

/** The fields of GICD_ICFGR for 16 interrupts. */
function configuration(edges: number): number {
  let value = 0;
  for (let bit = 0; bit < 16; bit++) value |= (edges >>> bit & 1) << (2 * bit + 1);
  return value >>> 0;
}
