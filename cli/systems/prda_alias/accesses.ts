/**
 * The checker of prda-alias: every access of threads to a processor-related data area, as {pe, va, pa, owner}, and
 * those that reached, or could have reached, the area of another PE.
 *
 * That is a finding about a run and no event of the machine, which knows neither areas nor owners: whatever journal there
 * is of a run, it can be looked for in it.
 */
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import type { EventClass, EventObserver, MachineEvent } from "../../../machine/events.ts";
import type { PhysicalAddress } from "../../../machine/address.ts";
import type { Machine, MachineOptions } from "../../../machine/machine.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import type { WatchHit, WatchPoint } from "../../../machine/watch.ts";
import { PRDA_ADDRESS, PRDA_AREA_SIZE, type PrdaKernel } from "../../../firmware/prda/kernel.ts";
import { THREAD_PENDING, THREAD_SIZE } from "../../../firmware/prda/kernel_text.ts";
import { Replay } from "../../../journal/replay.ts";
import type { RecordedRun } from "../../../journal/run.ts";

/** One access of a thread to an area. */
export interface PrdaAccess {
  /** The step. */
  readonly instant: number;
  /** The PE that accesses. */
  readonly pe: number;
  /** Address of the instruction. */
  readonly pc: bigint;
  /** Virtual address. */
  readonly va: bigint;
  /** Physical address. */
  readonly pa: bigint;
  /** The PE whose area that is. */
  readonly owner: number;
  /** It is a store. */
  readonly isWrite: boolean;
}

/** Why an access reached another PE's area, or could have. */
export type WrongOwnerCause =
  /** The address was not the alias, and another PE's. */
  | "address"
  /** The TLB translated by a descriptor that is no more. */
  | "staleTranslation"
  /** Another PE translates by the same root. */
  | "rootShared"
  /**
   * TTBR0_ELx.CnP lets PEs with different slots use one another's translations (FEAT_TTCNP). No CPU of the machine does,
   * so it is the permission that is found, not a use of it.
   */
  | "commonNotPrivate"
  /** The PE's own slot leads there. */
  | "slot";

/** `prda.wrong-owner`: an access that did not reach the area of its PE, or need not have. */
export interface WrongOwner {
  /** The access. */
  readonly access: PrdaAccess;
  /** Why. */
  readonly cause: WrongOwnerCause;
}

/** A preemption was put off, or no more is. */
export interface PendingChange {
  /** The step. */
  readonly instant: number;
  /** The PE. */
  readonly pe: number;
  /** Number of the thread. */
  readonly thread: number;
  /** It was put off. */
  readonly isSet: boolean;
}

/** What a run has shown so far; what is there does not change. */
export interface Observations {
  /** All accesses of threads, in order. */
  readonly accesses: readonly PrdaAccess[];
  /** Those that were, or could have been, of another PE's area. */
  readonly wrongOwners: readonly WrongOwner[];
  /** Preemptions put off, in order. */
  readonly pendings: readonly PendingChange[];
}

const PAGE = 4096;
const SLOT = Number(PRDA_ADDRESS >> 30n) * 8;
const ROOT_ADDRESS = 0xffff_ffff_f000n;

/** Bytes of the alias. */
const isAlias = (address: bigint): boolean =>
  address >= PRDA_ADDRESS && address < PRDA_ADDRESS + BigInt(PAGE);

/** Looks at a machine that runs the kernel: give it what `run` stops for. */
export class PrdaWatch implements EventObserver {
  readonly classes: readonly EventClass[] = ["detail"];
  readonly #areas: bigint;
  readonly #threads: bigint;
  readonly #accesses: PrdaAccess[] = [];
  readonly #wrongOwners: WrongOwner[] = [];
  readonly #pendings: PendingChange[] = [];
  /** The last instants at which PEs used a translation of the alias that was stale. */
  #stale = new Map<number, number>();

  /** Sets the machine's watch points, in place of others. */
  constructor(private readonly machine: Machine, private readonly kernel: PrdaKernel) {
    this.#areas = this.symbol("areas");
    this.#threads = this.symbol("threads");
    machine.watch(this.#points());
    machine.board.events.add(this);
  }

  /** The value of a symbol of the kernel. */
  symbol(name: string): bigint {
    return this.kernel.program.symbols.get(name)!;
  }

  #points(): WatchPoint[] {
    const { pes, threads } = this.kernel.options;
    const area = (pe: number) => this.#areas + BigInt(pe * PRDA_AREA_SIZE);
    const pending = (thread: number) => this.#threads + BigInt(thread * THREAD_SIZE + THREAD_PENDING);
    return [
      { kind: "access", address: PRDA_ADDRESS, size: PAGE, space: "virtual" },
      ...Array.from({ length: pes }, (_, pe) => area(pe)).flatMap((address): WatchPoint[] => [
        { kind: "read", address, size: PAGE, space: "physical" },
        { kind: "write", address, size: PAGE, space: "physical" },
      ]),
      ...Array.from({ length: threads }, (_, thread): WatchPoint => ({
        kind: "write",
        address: pending(thread),
        size: 8,
        space: "physical",
      })),
    ];
  }

  /** Notes uses of stale translations of the alias. */
  observe(event: MachineEvent): void {
    if (event.kind !== "staleTranslationUsed" || !isAlias(event.address)) return;
    this.#stale.set(event.cpu, event.instant);
  }

  /** What was seen up to now. */
  get seen(): Observations {
    return {
      accesses: [...this.#accesses],
      wrongOwners: [...this.#wrongOwners],
      pendings: [...this.#pendings],
    };
  }

  /** Forgets all but what was seen by then; for a machine that was put back. */
  return(to: Observations): void {
    this.#accesses.length = to.accesses.length;
    this.#wrongOwners.length = to.wrongOwners.length;
    this.#pendings.length = to.pendings.length;
    this.#stale = new Map();
  }

  /** Takes what `run` stopped for. */
  take(hits: readonly WatchHit[]): void {
    const alias = hits.find(({ point }) => point.kind !== "execute" && point.space === "virtual");
    for (const { point, instant, cpu, address } of hits) {
      if (point.kind === "execute" || point.space === "virtual" || cpu < 0) continue;
      if (address < this.#areas) this.#pendingWritten(instant, cpu, address);
      else this.#accessed(instant, cpu, alias?.address ?? address, address, point.kind === "write");
    }
  }

  #pendingWritten(instant: number, pe: number, address: bigint): void {
    const thread = Number((address - this.#threads) / BigInt(THREAD_SIZE));
    const isSet = this.#word(address) !== 0n, last = this.#pendings.findLast((one) => one.thread === thread);
    if (isSet === (last?.isSet ?? false)) return;
    this.#pendings.push({ instant, pe, thread, isSet });
  }

  #accessed(instant: number, pe: number, va: bigint, pa: bigint, isWrite: boolean): void {
    const pc = this.machine.board.cpus[pe]!.pc - 4n; // no access of a thread branches
    if (pc < this.symbol("threads_begin") || pc >= this.symbol("threads_end")) return;
    const owner = Number((pa - this.#areas) / BigInt(PRDA_AREA_SIZE));
    const access = { instant, pe, pc, va, pa, owner, isWrite };
    this.#accesses.push(access);
    const cause = this.#causeOf(access);
    if (cause !== undefined) this.#wrongOwners.push({ access, cause });
  }

  #causeOf({ instant, pe, va, owner }: PrdaAccess): WrongOwnerCause | undefined {
    if (!isAlias(va)) return owner === pe ? undefined : "address";
    const { cpus } = this.machine.board, own = this.#base(pe);
    const others = cpus.map(({ index }) => this.#base(index)).filter((_, index) => index !== pe);
    if (others.some(({ root }) => root === own.root)) return "rootShared";
    const differs = ({ root, isCommon }: Base) => isCommon && this.#word(root) !== this.#word(own.root);
    if (own.isCommon && others.some(differs)) return "commonNotPrivate";
    if (owner === pe) return undefined;
    return this.#stale.get(pe) === instant ? "staleTranslation" : "slot";
  }

  /** Where a PE's slot is, and whether its root is said to be common. */
  #base(pe: number): Base {
    const { level } = this.kernel.options;
    const value = peekSystemRegister(this.machine.board.cpus[pe]!, `TTBR0_EL${level}`);
    return { root: (value & ROOT_ADDRESS) + BigInt(SLOT), isCommon: (value & 1n) !== 0n };
  }

  #word(address: bigint): bigint {
    const { memory } = this.machine.board;
    return memory.view.getBigUint64(memory.hostOffset(Number(address) as PhysicalAddress, 8), true);
  }

  /** What the counters came to, by the kernel's own report; 0 before it. */
  get sum(): number {
    return Number(this.#word(this.symbol("sum")));
  }
}

/** The base of a PE's translations. */
interface Base {
  readonly root: bigint;
  readonly isCommon: boolean;
}

/** A run of the kernel, looked at. */
export interface Checked extends Observations {
  /** What the counters came to. */
  readonly sum: number;
}

/** Replays a run, checking its roots, and looks at every access. Throws what replaying throws. */
export function checkRun(
  run: RecordedRun,
  images: MachineImages,
  kernel: PrdaKernel,
  options: MachineOptions = {},
): Checked {
  const replay = new Replay(run, images, options), watch = new PrdaWatch(replay.machine, kernel);
  for (let stop = replay.runTo(run.lastInstant); stop !== undefined;) {
    watch.take(stop.hits);
    stop = replay.runTo(run.lastInstant);
  }
  replay.runToEnd();
  return { ...watch.seen, sum: watch.sum };
}

/** The longest time that a preemption was put off, in steps of the machine; 0 without any. */
export function longestDeferral({ pendings }: Observations): number {
  return Math.max(
    0,
    ...pendings.map(({ instant, thread, isSet }, index) => {
      if (!isSet) return 0;
      const end = pendings.slice(index).find((other) => other.thread === thread && !other.isSet);
      return end === undefined ? Infinity : end.instant - instant;
    }),
  );
}
