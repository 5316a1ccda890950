/** A virtual machine that is on: its address space, interrupts, console, timers, registers, and its own time. */
import { type Board, boardRow, PPI, PPI_BASE, SPI_BASE } from "../../../machine/board.ts";
import { NANOSECONDS_PER_COUNT } from "../../../machine/clock.ts";
import { UartPl011 } from "../../../machine/devices/uart_pl011.ts";
import {
  bytes,
  flag,
  listOf,
  record,
  u16,
  u32,
  u53,
  u64,
  u8,
  type ValueOf,
} from "../../../machine/layout.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { PagePool } from "../../page_pool.ts";
import { Stage2 } from "../../stage2.ts";
import { VirtualBus } from "../../virtual_bus.ts";
import { EmulatedTimer } from "../time_scale/timers.ts";
import { CONTEXT_LENGTH, timerOf } from "./context.ts";
import { VmInterrupts } from "./interrupts.ts";
import { MOST_VMS, type VmKey } from "./objects.ts";
import { NEVER } from "./own_time.ts";
import { VmMemory } from "./vm_memory.ts";

/** Virtual nanoseconds of its own after which a virtual machine can be preempted: 2^20, some 130,000 instructions. */
export const QUANTUM: number = 2 ** 20;

const PHYSICAL_TIMER: number = PPI_BASE + PPI.physicalTimer,
  VIRTUAL_TIMER: number = PPI_BASE + PPI.virtualTimer;
const ENABLED = 1n, MASKED = 2n, MET = 4n;
const LAST_COUNT = 1n << 49n;
/** Bytes of the console that can be read again. */
const LOG_BYTES = 4096;
const MOST_BLOCKS = 2048, MOST_INPUTS = 4096;

/** Section fields of one. */
export const VM_FIELDS = {
  instance: u16,
  vm: u16,
  vmid: u8,
  root: bytes(64),
  blocks: listOf(u32, MOST_BLOCKS),
  /** Empty while it is on the CPU. */
  context: listOf(u64, CONTEXT_LENGTH),
  time: u53,
  steps: u53,
  nextTick: u53,
  isIdle: flag,
  idleOffset: u53,
  timerLevel: flag,
  physicalTimer: record({ control: u8, compareValue: u64, level: flag }),
  controllerVersion: u32,
  controller: bytes(1 << 20),
  uartVersion: u32,
  uart: bytes(1 << 20),
  inputs: listOf(record({ at: u53, bytes: bytes(65536) }), MOST_INPUTS),
  log: bytes(LOG_BYTES),
  written: u53,
  line: bytes(LOG_BYTES),
} as const;

/** State of one. */
export type VmState = ValueOf<typeof VM_FIELDS>;

/** What a virtual machine stands on. */
export interface VmSite {
  /** The monitor's. */
  readonly site: MonitorSite;
  /** What tables are made of. */
  readonly pool: PagePool;
  /** Bits of a physical address. */
  readonly physicalSize: number;
  /** Takes a byte of its console. */
  readonly transmitted: (vm: VirtualMachine, byte: number) => void;
}

/** The time at which a count begins; NEVER past the end of virtual time. */
function timeOf(count: bigint): number {
  return count >= LAST_COUNT ? NEVER : Number(count) * NANOSECONDS_PER_COUNT;
}

/** The first whole quantum after a time. */
function tickAfter(time: number): number {
  return (Math.floor(time / QUANTUM) + 1) * QUANTUM;
}

/** One virtual machine; nothing of what it does while it is on the CPU depends on when it is not. */
export class VirtualMachine implements VmKey {
  readonly instance: number;
  readonly vm: number;
  readonly memory: VmMemory;
  readonly bus = new VirtualBus();
  readonly interrupts: VmInterrupts;
  readonly uart: UartPl011;
  /** EL1's physical timer, all of it trapped; the virtual one is the CPU's own. */
  readonly physicalTimer = new EmulatedTimer();
  /** Its registers; undefined while it is on the CPU. */
  context: BigUint64Array<ArrayBuffer> | undefined;
  /** Its own time in nanoseconds at its next step, while it is not on the CPU. */
  time = 0;
  /** Its own steps up to the one that it was taken off the CPU in. */
  steps = 0;
  /** Its own time at which it can be preempted next. */
  nextTick: number = QUANTUM;
  /** It waits for an interrupt, and the machine's time was so much ahead of its own when it began. */
  isIdle = false;
  idleOffset = 0;
  /** What its virtual timer asks of the interrupt controller. */
  timerLevel = false;
  /** Bytes for its console that were not delivered, with its own time at which they are to be. */
  inputs: { at: number; bytes: Uint8Array }[] = [];
  /** The end of what its console wrote, and how much that was in all. */
  log: Uint8Array = new Uint8Array(0);
  written = 0;
  /** The line that its console is writing. */
  line: number[] = [];

  /** `vmid` is its own among those that are on; `blocks` are of zeros. */
  constructor(
    { instance, vm }: VmKey,
    { site, pool, physicalSize, transmitted }: VmSite,
    readonly vmid: number,
    blocks: readonly number[],
  ) {
    this.instance = instance;
    this.vm = vm;
    this.memory = new VmMemory(site.memory, new Stage2(site.memory, pool, { vmid, physicalSize }), blocks);
    this.interrupts = new VmInterrupts(site.board, site.events);
    for (const { base, size, device } of this.interrupts.frames) this.bus.add(base, size, device);
    const { base, size, spi } = boardRow(site.board as Board, "uart0");
    this.uart = new UartPl011({
      name: "vuart",
      line: { set: (level) => this.interrupts.drive(SPI_BASE + (spi ?? 0), level) },
      transmitted: (byte) => transmitted(this, byte),
    });
    this.bus.add(base, size, this.uart);
  }

  /** Power-on state. */
  reset(): void {
    this.interrupts.reset();
    this.uart.reset();
    this.memory.lay();
  }

  /** Keeps a byte that its console wrote. */
  keep(byte: number): void {
    const kept = this.log.subarray(Math.max(0, this.log.length - LOG_BYTES + 1));
    const log = new Uint8Array(kept.length + 1);
    log.set(kept);
    log[kept.length] = byte;
    this.log = log;
    this.written++;
  }

  /** Drives its timers' interrupts as they are at its own time; `control` is CNTV_CTL_EL0 as it reads then. */
  driveTimers(time: number, control: bigint): void {
    const isMet = (control & (ENABLED | MASKED | MET)) === (ENABLED | MET);
    if (isMet !== this.timerLevel) this.interrupts.drive(VIRTUAL_TIMER, this.timerLevel = isMet);
    const level = this.physicalTimer.isDue(BigInt(Math.floor(time / NANOSECONDS_PER_COUNT)));
    if (level === this.physicalTimer.level) return;
    this.physicalTimer.level = level;
    this.interrupts.drive(PHYSICAL_TIMER, level);
  }

  /** Gives its console what is to come at its own time: `isTick` also what is for no time. */
  deliver(time: number, isTick: boolean, told: (bytes: Uint8Array) => void): void {
    const due = this.inputs.filter(({ at }) => at === 0 ? isTick : at <= time);
    if (due.length === 0) return;
    this.inputs = this.inputs.filter((input) => !due.includes(input));
    for (const { bytes } of due) {
      told(bytes);
      this.uart.receive(bytes);
    }
  }

  /** Its own time at which EL2 must have it again while it runs. */
  deadline(time: number): number {
    return Math.min(this.nextTick, ...this.#awaited(time));
  }

  #awaited(time: number): number[] {
    const count = this.physicalTimer.awaited(BigInt(Math.floor(time / NANOSECONDS_PER_COUNT)));
    return [
      ...count === undefined ? [] : [timeOf(count)],
      ...this.inputs.map(({ at }) => at === 0 ? NEVER : at),
    ];
  }

  /** A whole quantum of its own time is over. */
  ticked(time: number): void {
    this.nextTick = tickAfter(time);
  }

  /** Its own time at which it wakes by itself from a wait; NEVER if not. A step takes `step` nanoseconds. */
  wakes(step: number): number {
    const { control, compare } = timerOf(this.context as BigUint64Array<ArrayBuffer>);
    const isArmed = (control & (ENABLED | MASKED | MET)) === ENABLED;
    const wake = Math.min(isArmed ? timeOf(compare) : NEVER, ...this.#awaited(this.time - step));
    return Math.max(wake, this.time);
  }

  /** It goes on from a wait, at its own time. */
  wake(time: number): void {
    this.isIdle = false;
    this.time = time;
    this.nextTick = tickAfter(time);
  }

  /** Gives its tables back. */
  release(): void {
    this.memory.stage2.release(undefined);
  }

  /** Everything but its key. */
  get state(): VmState {
    const controller = this.interrupts.save(), uart = this.uart.save();
    return {
      instance: this.instance,
      vm: this.vm,
      vmid: this.vmid,
      root: this.memory.stage2.save("stage2").bytes,
      blocks: [...this.memory.blocks],
      context: [...this.context ?? []],
      time: this.time,
      steps: this.steps,
      nextTick: this.nextTick,
      isIdle: this.isIdle,
      idleOffset: this.idleOffset,
      timerLevel: this.timerLevel,
      physicalTimer: this.physicalTimer.state,
      controllerVersion: controller.version,
      controller: controller.bytes,
      uartVersion: uart.version,
      uart: uart.bytes,
      inputs: this.inputs,
      log: this.log,
      written: this.written,
      line: Uint8Array.from(this.line),
    };
  }

  /** Restores what `state` gave, of one with the same key, VMID and blocks. */
  restore(state: VmState): void {
    this.memory.stage2.restore({ name: "stage2", version: 1, bytes: state.root });
    this.context = state.context.length === 0 ? undefined : BigUint64Array.from(state.context);
    this.time = state.time;
    this.steps = state.steps;
    this.nextTick = state.nextTick;
    this.isIdle = state.isIdle;
    this.idleOffset = state.idleOffset;
    this.timerLevel = state.timerLevel;
    this.physicalTimer.state = state.physicalTimer;
    this.uart.restore({ name: "vuart", version: state.uartVersion, bytes: state.uart });
    this.interrupts.restore(state.controllerVersion, state.controller);
    this.inputs = state.inputs;
    this.log = state.log;
    this.written = state.written;
    this.line = [...state.line];
  }
}

/** The largest number of virtual machines in one section. */
export const MOST_RUNNING: number = MOST_VMS;
