/** A run under a debugger while it is recorded: forward only, driven by the recording's own driver. */
import type { Machine, Stop } from "../../machine/machine.ts";
import type { WatchPoint } from "../../machine/watch.ts";
import type { AddressRange, GdbTarget, Stopped, Wish } from "./target.ts";

/** What a debugger has of the driver of a run, and the driver of it. */
export interface DebugControl {
  /** The machine is to stand still. */
  readonly isHalted: boolean;
  /** The run is to end here. */
  readonly wantsEnd: boolean;
  /** The step boundary is still to come; inputs are taken there alone. */
  readonly isAtBoundary: boolean;
  /** Steps of the next slice at most. */
  readonly mostSteps: number;
  /** A slice ended. */
  ran(stop: Stop): void;
  /** Calls `rouse` when the driver ought to look again. */
  attach(rouse: () => void): void;
}

const isAccess = ({ kind }: WatchPoint): boolean => kind !== "execute";

/** A machine being recorded. */
export class LiveTarget implements GdbTarget, DebugControl {
  /** There is no way back. */
  readonly timeline = undefined;
  /** See DebugControl. */
  isHalted: boolean;
  /** See DebugControl. */
  wantsEnd = false;
  #begunAt = -1;
  #step: { readonly cpu: number; readonly range: AddressRange | undefined } | undefined;
  #stopped: Stopped | undefined;
  /** Where an access was told of: the step over it, which gdb takes then, has been taken. */
  #told: { readonly instant: number; readonly cpu: number } | undefined;
  #from: number;
  #rouseDriver: () => void = () => {};
  #rouseClient: () => void = () => {};

  /** With `startsHalted` nothing runs before a client says so. */
  constructor(readonly machine: Machine, startsHalted: boolean) {
    this.isHalted = startsHalted;
    this.#from = machine.instant;
  }

  /** See DebugControl. */
  get isAtBoundary(): boolean {
    return this.#begunAt !== this.machine.instant;
  }

  /** See DebugControl. */
  get mostSteps(): number {
    return this.#step === undefined && this.isAtBoundary ? Infinity : 1;
  }

  /** See DebugControl. */
  attach(rouse: () => void): void {
    this.#rouseDriver = rouse;
  }

  /** See GdbTarget. */
  listen(rouse: () => void): void {
    this.#rouseClient = rouse;
  }

  /** Stands still: a client has come. */
  halt(): void {
    this.isHalted = true;
    this.#rouseDriver();
  }

  /** Goes on by itself: the client has gone. */
  release(): void {
    this.#rouseClient = () => {};
    this.#step = undefined;
    this.isHalted = false;
    this.#rouseDriver();
  }

  /** See GdbTarget. */
  endRecording(): void {
    this.wantsEnd = true;
    this.#rouseDriver();
  }

  /** The run is over. */
  ended(code: number): void {
    this.#stop({ kind: "exited", code });
  }

  #stop(stopped: Stopped): void {
    this.isHalted = true;
    this.#stopped = stopped;
    this.#rouseClient();
  }

  /** See DebugControl. */
  ran(stop: Stop): void {
    const { machine } = this, { instant } = machine;
    if (stop.reason === "watched") {
      if (stop.isBegun) this.#begunAt = instant;
      const hit = stop.hits.find(({ point }) => isAccess(point)) ?? stop.hits[0]!;
      const cpu = hit.cpu < 0 ? machine.currentCpu.index : hit.cpu;
      if (isAccess(hit.point)) this.#told = { instant, cpu };
      const { point, address } = hit;
      const first = address < point.address ? point.address : address;
      this.#stop({ kind: "hit", cpu, point, address: first });
    } else if (this.#step !== undefined && instant > this.#from) this.#stepped(this.#step);
    this.#from = instant;
  }

  #stepped({ cpu, range }: { readonly cpu: number; readonly range: AddressRange | undefined }): void {
    const { currentCpu } = this.machine;
    if (currentCpu.index !== cpu) return;
    if (range !== undefined && currentCpu.pc >= range.from && currentCpu.pc < range.to) return;
    this.#stop({ kind: "stepped", cpu });
  }

  /** See GdbTarget. The driver runs the slices. */
  *resume(wish: Wish, points: readonly WatchPoint[]): Generator<void, Stopped> {
    const { machine } = this, told = this.#told;
    this.#told = undefined;
    if (
      wish.kind === "step" && wish.cpu === told?.cpu && machine.instant === told.instant &&
      !points.some(isAccess)
    ) {
      return { kind: "stepped", cpu: wish.cpu };
    }
    machine.watch(points, true);
    this.#step = wish.kind === "step" ? { cpu: wish.cpu, range: wish.range } : undefined;
    this.#stopped = undefined;
    this.#from = machine.instant;
    this.isHalted = false;
    this.#rouseDriver();
    try {
      for (;;) {
        const stopped = this.#stopped as Stopped | undefined;
        if (stopped !== undefined) return stopped;
        yield;
      }
    } finally {
      this.#step = undefined;
      this.isHalted = true;
      machine.watch([]);
    }
  }
}
