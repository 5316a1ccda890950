/**
 * Explores the orders in which CPUs can go through the handshake: from one state, at every boundary, each CPU that can run
 * takes the next step. States that are equal but for time are one, so that all orders are found, and each once.
 */
import { createHash } from "node:crypto";
import type { MachineImages } from "../../../machine/compose.ts";
import { disassemble } from "../../../machine/a64/assembly.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { physicalAddress } from "../../../machine/address.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { hasWakeup } from "../../../machine/cpu/interrupts.ts";
import type { Machine, MachineOptions, Snapshot } from "../../../machine/machine.ts";
import { MAILBOX, MAILBOX_SIZE } from "../../../firmware/mp_mailbox/page.ts";
import { Replay } from "../../../journal/replay.ts";
import type { RecordedRun } from "../../../journal/run.ts";

/** Parts of a state that tell of time and of turns, not of what CPUs have done. */
const TIMED = /^(clock|schedule|events|timer\d+|rtc.*|pl031.*)$/;

/** Instructions that other CPUs can notice, or notice others by. */
const SHARED = /^(ldr|ldp|str|stp|ld|st)\w* .*\[|^(wfi|wfe|sev|hvc|smc)|icc_/i;

/** Guest programs and where they are. */
export interface OrderGuest {
  /** The loader, whose pens CPUs are in. */
  readonly loader: Program;
  /** The kernel that wakes them. */
  readonly kernel: Program;
  /** CPUs of the machine. */
  readonly cpus: number;
}

/** What is explored. */
export interface OrderOptions extends MachineOptions {
  /** Every instruction is a place where another CPU can come in, not only those that others can notice. */
  readonly everyStep?: boolean;
  /** Called now and then with the states found. */
  readonly progress?: (states: number) => void;
  /** Most states (default 200,000). */
  readonly most?: number;
}

/** One state of the graph. */
interface Node {
  readonly snapshot: Snapshot | undefined;
  /** The state that it was first found from, and the CPU that stepped. */
  readonly from: number;
  readonly cpu: number;
  readonly next: number[];
  /** All have come, and the kernel said so. */
  readonly isEnd: boolean;
  /** What is wrong in it, beyond not going on. */
  readonly wrong: string | undefined;
}

/** What was found. */
export interface Orders {
  /** Different states. */
  readonly states: number;
  /** Ways from the first state to an end. */
  readonly orders: bigint;
  /** States from which no order leads to an end. */
  readonly stuck: number;
  /** The CPUs that step on the shortest way to a state that is wrong, or else to one that is stuck. */
  readonly schedule: readonly number[] | undefined;
  /** What is wrong in states that were reached, each once. */
  readonly wrong: readonly string[];
}

/** Explores one recorded run of a loader with a wake kernel. */
export class OrderExplorer {
  readonly #machine: Machine;
  readonly #shared = new Set<bigint>();
  readonly #nodes: Node[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #done: ReadonlySet<bigint>;

  /** Replays up to the kernel's first action, with pens as far behind as they can be. Throws what replaying throws. */
  constructor(
    run: RecordedRun,
    images: MachineImages,
    private readonly guest: OrderGuest,
    private readonly options: OrderOptions = {},
  ) {
    const { kernel, loader } = guest;
    const mailboxes = loader.symbols.get("mailboxes")!, pen = loader.symbols.get("pen")!;
    this.#take(kernel.base, kernel.bytes);
    const penBytes = loader.bytes.subarray(
      Number(pen - loader.base),
      Number(this.#symbol("pen_end") - loader.base),
    );
    for (let cpu = 1; cpu < guest.cpus; cpu++) {
      this.#take(mailboxes + BigInt((cpu - 1) * MAILBOX_SIZE + MAILBOX.PEN), penBytes);
    }
    this.#done = new Set([kernel.symbols.get("off")!, kernel.symbols.get("came")!]);
    const replay = new Replay(run, images, { ...options, checkEvents: false });
    const act = kernel.symbols.get("act")!;
    while (!replay.machine.board.cpus.some((cpu, index) => index > 0 && cpu.on)) {
      replay.runTo(replay.instant + 64);
    }
    this.#machine = replay.release().machine;
    this.#goTo(act);
  }

  #symbol(name: string): bigint {
    return this.guest.loader.symbols.get(name)!;
  }

  /** Notes the places of a program's shared instructions, as it is at `base`. */
  #take(base: bigint, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length & ~3);
    for (let at = 0; at < view.byteLength; at += 4) {
      if (SHARED.test(disassemble(view.getUint32(at, true)))) this.#shared.add(base + BigInt(at));
    }
  }

  #page(cpu: number): number {
    return Number(this.#symbol("mailboxes")) + (cpu - 1) * MAILBOX_SIZE;
  }

  #word(address: number): number {
    const bytes = this.#machine.board.memory.viewBytes(physicalAddress(address), 4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  /** A pen steps only until it has said that it is there, and CPU 0, which waits for that, is awake; then CPU 0 does. */
  #goTo(act: bigint): void {
    const { cpus } = this.#machine.board;
    while (cpus[0]!.pc !== act) {
      const late = cpus.find(({ index, on }) =>
        index > 0 && on && this.#word(this.#page(index) + MAILBOX.STATE) === 0
      );
      const able = cpus.find((cpu) => this.#canRun(cpu));
      if (late !== undefined || able !== undefined) this.#step(late?.index ?? able!.index);
      else this.#machine.run(this.#machine.instant + 1);
    }
  }

  #step(cpu: number): void {
    this.#machine.submit({ kind: "cpuSwitchForced", target: cpu });
    this.#machine.run(this.#machine.instant + 1);
  }

  #canRun(cpu: Cpu): boolean {
    return cpu.on && !this.#done.has(cpu.pc) && (cpu.waiting === "none" || hasWakeup(cpu));
  }

  /** One shared instruction of a CPU, and what it does by itself after it. */
  #move(cpu: Cpu): void {
    const goesOn = () => this.#canRun(cpu) && cpu.waiting === "none" && !this.#shared.has(cpu.pc);
    do this.#step(cpu.index); while (
      this.options.everyStep !== true && goesOn() && this.#isAtHome(cpu)
    );
  }

  /** In the kernel or in pens. */
  #isAtHome({ pc, index }: Cpu): boolean {
    const { kernel, cpus } = this.guest;
    const isThere = pc >= kernel.base && pc < kernel.base + BigInt(kernel.size);
    return index === 0 || isThere || pc >= BigInt(this.#page(1)) && pc < BigInt(this.#page(cpus));
  }

  /** What two equal states have in common: all sections but those of time, and the memory that CPUs write from here on. */
  #key({ sections }: Snapshot): string {
    const { memory } = this.#machine.board, { kernel, cpus } = this.guest, hash = createHash("sha256");
    for (const { name, bytes } of sections) if (!TIMED.test(name)) hash.update(bytes);
    hash.update(memory.viewBytes(physicalAddress(Number(kernel.symbols.get("marks"))), 64));
    for (let cpu = 1; cpu < cpus; cpu++) {
      hash.update(memory.viewBytes(physicalAddress(this.#page(cpu)), MAILBOX_SIZE));
    }
    return hash.digest("hex");
  }

  /** The number of the present state, which is a new node where it was not known. */
  #arrive(from: number, cpu: number): { readonly number: number; readonly isNew: boolean } {
    const snapshot = this.#machine.snapshot(), key = this.#key(snapshot), known = this.#numbers.get(key);
    if (known !== undefined) return { number: known, isNew: false };
    const number = this.#nodes.length, { cpus } = this.#machine.board;
    const isEnd = cpus.every(({ pc }) => this.#done.has(pc));
    this.#numbers.set(key, number);
    this.#nodes.push({
      snapshot: this.#machine.snapshot(),
      from,
      cpu,
      next: [],
      isEnd,
      wrong: this.#wrong(),
    });
    return { number, isNew: true };
  }

  /** A CPU that is in the kernel has a clear mailbox, and came once. */
  #wrong(): string | undefined {
    const { kernel, cpus } = this.guest;
    const marks = Number(kernel.symbols.get("marks"));
    for (let cpu = 1; cpu < cpus; cpu++) {
      const { pc } = this.#machine.board.cpus[cpu]!;
      const isThere = pc >= kernel.base && pc < kernel.base + BigInt(kernel.size);
      if (isThere && this.#word(this.#page(cpu) + MAILBOX.ADDRESS) !== 0) {
        return "a CPU left with its address there";
      }
      if (this.#word(marks + cpu * 4) > 1) return "a CPU came twice";
      const isElsewhere = !this.#isAtHome(this.#machine.board.cpus[cpu]!);
      if (isElsewhere) return `a CPU went to 0x${pc.toString(16)}`;
    }
    return undefined;
  }

  /** Finds all states. Throws RangeError when there are more than may be. */
  explore(): Orders {
    const { most = 200_000, progress } = this.options, work = [this.#arrive(-1, -1).number];
    for (let number = work.shift(); number !== undefined; number = work.shift()) {
      const node = this.#nodes[number]!;
      if (node.wrong !== undefined) continue;
      for (const cpu of this.#machine.board.cpus) {
        this.#machine.restore(node.snapshot!);
        if (!this.#canRun(cpu)) continue;
        this.#move(cpu);
        const reached = this.#arrive(number, cpu.index);
        node.next.push(reached.number);
        if (reached.isNew) work.push(reached.number);
      }
      this.#nodes[number] = { ...node, snapshot: undefined };
      if (number % 64 === 0) progress?.(this.#nodes.length);
      if (this.#nodes.length > most) throw new RangeError(`There are more than ${most} states`);
    }
    return this.#result();
  }

  #result(): Orders {
    const good = this.#reachingEnd(), nodes = this.#nodes;
    const stuck = nodes.flatMap((node, number) =>
      good.has(number) || node.wrong !== undefined ? [] : [number]
    );
    const wrong = nodes.findIndex((node) => node.wrong !== undefined);
    const first = wrong < 0 ? stuck[0] : wrong;
    return {
      states: nodes.length,
      orders: this.#count(),
      stuck: stuck.length,
      schedule: first === undefined ? undefined : this.#wayTo(first),
      wrong: [...new Set(nodes.flatMap((node) => node.wrong ?? []))],
    };
  }

  #wayTo(number: number): number[] {
    const way: number[] = [];
    for (let at = number; at > 0; at = this.#nodes[at]!.from) way.unshift(this.#nodes[at]!.cpu);
    return way;
  }

  #reachingEnd(): Set<number> {
    const before = new Map<number, number[]>();
    for (const [number, { next }] of this.#nodes.entries()) {
      for (const to of next) before.set(to, [...before.get(to) ?? [], number]);
    }
    const good = new Set<number>(), work = this.#nodes.flatMap(({ isEnd }, number) => isEnd ? [number] : []);
    for (let number = work.pop(); number !== undefined; number = work.pop()) {
      if (good.has(number)) continue;
      good.add(number);
      work.push(...before.get(number) ?? []);
    }
    return good;
  }

  /** Ways to an end; waiting in vain, which leads back to where it began, is none of its own. */
  #count(): bigint {
    const counts = new Map<number, bigint>(), open = new Set<number>();
    const visit = (start: number): void => {
      const stack = [start];
      while (stack.length > 0) {
        const number = stack.at(-1)!, { next, isEnd } = this.#nodes[number]!;
        if (counts.has(number)) {
          stack.pop();
          continue;
        }
        open.add(number);
        const left = next.filter((to) => !counts.has(to) && !open.has(to));
        if (left.length > 0) {
          stack.push(left[0]!);
          continue;
        }
        const sum = next.reduce((total, to) => total + (open.has(to) ? 0n : counts.get(to) ?? 0n), 0n);
        counts.set(number, isEnd ? 1n : sum);
        open.delete(number);
        stack.pop();
      }
    };
    visit(0);
    return counts.get(0) ?? 0n;
  }
}
