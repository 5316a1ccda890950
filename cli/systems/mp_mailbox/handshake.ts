/** The handshake of each CPU, followed over a journal: who wrote and read its mailbox, what woke it, where its pen was. */
import { physicalAddress } from "../../../machine/address.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import type { EventClass, EventObserver, MachineEvent } from "../../../machine/events.ts";
import type { Machine, MachineOptions } from "../../../machine/machine.ts";
import { FUNCTION } from "../../../machine/psci.ts";
import type { WatchHit, WatchPoint } from "../../../machine/watch.ts";
import { MAILBOX, MAILBOX_SIZE, NO_ID } from "../../../firmware/mp_mailbox/page.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { Replay } from "../../../journal/replay.ts";
import type { RecordedRun } from "../../../journal/run.ts";
import type { Description } from "./machines.ts";

/** What happens to a CPU, or it does. */
export type Happening =
  | "started"
  | "addressWritten"
  | "idWritten"
  | "interrupted"
  | "slept"
  | "woken"
  | "matched"
  | "acknowledged"
  | "addressRead"
  | "addressCleared"
  | "branched";

/** Where a CPU is in the handshake. */
export type HandshakeState =
  | "off"
  | "inPen"
  | "asleep"
  | "awake"
  | "chosen"
  | "hasAddress"
  | "isClear"
  | "gone";

type Transitions = Partial<Record<HandshakeState, HandshakeState>>;

/** What the CPU itself may do, by protocol, and what that makes of its state. */
const TRANSITIONS: Readonly<Record<Description, Partial<Record<Happening, Transitions>>>> = {
  acpi: {
    started: { off: "inPen" },
    slept: { inPen: "asleep", awake: "asleep" },
    woken: { asleep: "awake" },
    matched: { awake: "chosen" },
    addressRead: { chosen: "hasAddress", gone: "gone" }, // Linux looks whether it was cleared
    addressCleared: { hasAddress: "isClear" },
    branched: { isClear: "gone" },
    acknowledged: { awake: "awake", chosen: "chosen", gone: "gone" },
  },
  tree: {
    started: { off: "inPen" },
    slept: { inPen: "asleep", awake: "asleep" },
    addressRead: { asleep: "awake" },
    addressCleared: { awake: "isClear" },
    branched: { isClear: "gone" },
    acknowledged: { gone: "gone" },
  },
};

/** One thing that happened. */
export interface Step {
  readonly instant: number;
  /** The CPU whose handshake it is of. */
  readonly cpu: number;
  readonly what: Happening;
  readonly state: HandshakeState;
}

/** What a run's handshakes came to. */
export interface Handshakes {
  /** All that happened, in order. */
  readonly steps: readonly Step[];
  /** What must not have happened, with instant and CPU. */
  readonly violations: readonly string[];
  /** States at the end, of CPUs 1 and up. */
  readonly ends: readonly HandshakeState[];
  /** CPU_ON calls before the loader left, and after. */
  readonly calls: { readonly before: number; readonly after: number };
  /** The instant at which the loader left; Infinity when it never did. */
  readonly left: number;
}

/** Follows a machine: give it what `run` stops for. */
class HandshakeWatch implements EventObserver {
  readonly classes: readonly EventClass[] = ["detail"];
  readonly steps: Step[] = [];
  readonly violations: string[] = [];
  readonly states: HandshakeState[];
  readonly #written: { address: boolean; id: boolean }[];
  /** Instants at which CPUs were last interrupted; −1 when they have acknowledged it. */
  readonly #pending: number[];
  readonly #pages: bigint;
  readonly #executed = new Map<bigint, { readonly cpu: number; readonly what: Happening }>();
  left = Infinity;

  constructor(
    private readonly machine: Machine,
    private readonly loader: Program,
    private readonly by: Description,
    private readonly cpus: number,
  ) {
    this.#pages = loader.symbols.get("mailboxes")!;
    this.states = Array.from({ length: cpus }, () => "off");
    this.#pending = Array.from({ length: cpus }, () => -1);
    this.#written = Array.from({ length: cpus }, () => ({ address: false, id: false }));
    machine.watch(this.#points());
    machine.board.events.add(this);
  }

  #points(): WatchPoint[] {
    const { symbols } = this.loader, pen = symbols.get("pen")!;
    const labels: readonly (readonly [string, Happening])[] = this.by === "acpi"
      ? [["pen_wait", "slept"], ["pen_woken", "woken"], ["pen_take", "matched"], ["pen_branch", "branched"]]
      : [["pen_spin", "slept"], ["pen_release", "branched"]];
    const points: WatchPoint[] = [{ kind: "execute", address: symbols.get("start_kernel")!, cpu: 0 }];
    for (let cpu = 1; cpu < this.cpus; cpu++) {
      const page = this.#pages + BigInt((cpu - 1) * MAILBOX_SIZE);
      for (const [label, what] of labels) {
        const address = page + BigInt(MAILBOX.PEN) + symbols.get(label)! - pen;
        this.#executed.set(address, { cpu, what });
        points.push({ kind: "execute", address });
      }
      points.push(
        { kind: "write", address: page, size: 16, space: "physical" },
        { kind: "read", address: page + BigInt(MAILBOX.ADDRESS), size: 8, space: "physical", cpu },
      );
    }
    return points;
  }

  observe(event: MachineEvent): void {
    if (event.kind === "cpuStarted") this.#happen(event.instant, event.cpu, "started");
    else if (event.kind === "interruptRaised" && event.interrupt < 16) {
      this.#happen(event.instant, event.cpu, "interrupted");
    } else if (event.kind === "interruptAcknowledged") this.#happen(event.instant, event.cpu, "acknowledged");
  }

  /** Takes what a replay stopped for. */
  take(hits: readonly WatchHit[]): void {
    for (const { point, instant, cpu, address } of hits) {
      if (point.kind === "execute") {
        if (point.cpu === 0) this.left = Math.min(this.left, instant);
        else {
          const { cpu: own, what } = this.#executed.get(point.address)!;
          if (own !== cpu) this.violations.push(`instant ${instant}: CPU ${cpu} is in the pen of CPU ${own}`);
          this.#happen(instant, own, what);
        }
      } else if (point.kind === "read") this.#happen(instant, cpu, "addressRead");
      // Before it leaves, the loader makes the page.
      else if (instant >= this.left) this.#wrote(instant, cpu, address);
    }
  }

  #wrote(instant: number, cpu: number, address: bigint): void {
    const offset = Number(address - this.#pages), owner = Math.floor(offset / MAILBOX_SIZE) + 1;
    const isId = offset % MAILBOX_SIZE < MAILBOX.ADDRESS;
    if (cpu === owner) return this.#happen(instant, owner, "addressCleared");
    const written = this.#written[owner]!;
    if (isId) written.id = true;
    else written.address = true;
    if (isId && !written.address) {
      this.violations.push(`instant ${instant}: CPU ${owner} is chosen before its address`);
    }
    this.#happen(instant, owner, isId ? "idWritten" : "addressWritten");
  }

  #happen(instant: number, cpu: number, what: Happening): void {
    const before = this.states[cpu];
    if (cpu === 0 || before === undefined) return;
    const table = TRANSITIONS[this.by][what];
    const isOwn = table !== undefined, state = isOwn ? table[before] : before;
    // In the kernel a CPU takes interrupts as it likes, and what it sleeps by is not the pen.
    if (state === undefined) this.violations.push(`instant ${instant}: CPU ${cpu} ${what} while ${before}`);
    this.states[cpu] = state ?? before;
    if (before === "gone" && what !== "addressWritten" && what !== "idWritten") return;
    if (what === "interrupted" && before === "off") return;
    this.steps.push({ instant, cpu, what, state: state ?? before });
    const { address, id } = this.#written[cpu]!;
    if (what === "matched" && !(address && id)) {
      this.violations.push(`instant ${instant}: CPU ${cpu} was not chosen`);
    }
    if (what === "interrupted") this.#pending[cpu] = instant;
    if (what === "acknowledged") this.#pending[cpu] = -1;
    const woken = this.steps.findLast((step) => step.cpu === cpu && step.what === "woken")?.instant ?? -1;
    if (what === "branched" && this.#pending[cpu]! >= 0 && this.#pending[cpu]! < woken) {
      this.violations.push(`instant ${instant}: CPU ${cpu} has not acknowledged what woke it`);
    }
    if (what === "branched" && this.word(cpu, MAILBOX.ADDRESS) !== 0) {
      this.violations.push(`instant ${instant}: CPU ${cpu} leaves its address behind`);
    }
    if (what === "started" && this.word(cpu, MAILBOX.ID) !== NO_ID) {
      this.violations.push(`instant ${instant}: the number of CPU ${cpu} is not all ones when it starts`);
    }
  }

  /** All have left their pens. */
  get areGone(): boolean {
    return this.states.every((state, cpu) => cpu === 0 || state === "gone");
  }

  /** Nothing more is wanted of the machine. */
  stop(): void {
    this.machine.watch([]);
    this.machine.board.events.remove(this);
  }

  /** A word of a CPU's page. */
  word(cpu: number, offset: number): number {
    const at = Number(this.#pages) + (cpu - 1) * MAILBOX_SIZE + offset;
    const bytes = this.machine.board.memory.viewBytes(physicalAddress(at), 4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }
}

/** What is followed. */
export interface Followed {
  readonly run: RecordedRun;
  readonly images: MachineImages;
  readonly loader: Program;
  readonly by: Description;
  readonly cpus: number;
}

/** CPU_ON calls of a run, as they are stored. */
function callsOf(run: RecordedRun, images: MachineImages, left: number): Handshakes["calls"] {
  const calls = { before: 0, after: 0 };
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind !== "firmwareCalled") continue;
    const isOn = event.function === FUNCTION.CPU_ON_64 || event.function === FUNCTION.CPU_ON;
    if (isOn) calls[event.instant < left ? "before" : "after"]++;
  }
  return calls;
}

/** Steps after which handshakes are no longer followed, when all CPUs have gone. */
const AFTERWARDS = 20_000_000;

/**
 * Replays a run to its end, checking its roots, and follows every CPU's handshake, and for a while what becomes of the
 * mailboxes. Throws what replaying throws.
 */
export async function followHandshakes(
  { run, images, loader, by, cpus }: Followed,
  options: MachineOptions,
  breathe: () => Promise<void> = () => Promise.resolve(),
): Promise<Handshakes> {
  const replay = new Replay(run, images, options),
    watch = new HandshakeWatch(replay.machine, loader, by, cpus);
  let isFollowed = true;
  while (replay.instant < run.lastInstant) {
    const stop = replay.runTo(Math.min(run.lastInstant, replay.instant + AFTERWARDS));
    if (stop !== undefined) {
      watch.take(stop.hits);
      continue;
    }
    await breathe();
    const last = watch.steps.at(-1)?.instant ?? Infinity;
    if (isFollowed && watch.areGone && replay.instant - last > AFTERWARDS) {
      watch.stop();
      isFollowed = false;
    }
  }
  replay.runToEnd();
  const { steps, violations, left } = watch;
  return { steps, violations, ends: watch.states.slice(1), calls: callsOf(run, images, left), left };
}
