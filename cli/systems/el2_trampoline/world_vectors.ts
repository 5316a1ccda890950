/**
 * Whether a world comes back with the registers that it left with: all that EL1 and EL0 can name, by the machine's own table,
 * looked at in a replay where an exception to EL2 is taken and where EL2 returns. What is compared follows from the
 * architecture alone; nothing is known here of what the trampoline saves.
 */
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import { SYSTEM_REGISTER_TABLE } from "../../../machine/cpu/system_registers.ts";
import { trapOf } from "../../../machine/cpu/system_register_traps.ts";
import { readStackPointer } from "../../../machine/cpu/stack_pointer.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { AnyFields, EventKind, EventObserver } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";

/** Rows that EL1 or EL0 reads or writes and that are stored: the registers that software has there. */
const ROWS: readonly { readonly name: string; readonly index: number }[] = SYSTEM_REGISTER_TABLE.flatMap(
  ({ name, index, access }) => {
    if (index === undefined || Math.min(access.read, access.write) > 1) return [];
    return name === "SP_EL0" || name === "SP_EL1" ? [] : [{ name, index }];
  },
);

const X_COUNT = 31, V_WORDS = 128;

/** The names of what is compared, in the order of a vector; X, V, stack pointers and timers are not in the table. */
export const VECTOR_NAMES: readonly string[] = [
  ...Array.from({ length: X_COUNT }, (_, n) => `X${n}`),
  "SP_EL0",
  "SP_EL1",
  ...ROWS.map(({ name }) => name),
  "CNTV_CVAL_EL0",
  "CNTV_CTL_EL0",
  "CNTP_CVAL_EL0",
  "CNTP_CTL_EL0",
];

/** CNTx_CTL without ISTATUS, which follows from the time. */
const TIMER_CONTROL = 3;

/** The state of EL1 and EL0 at one place. */
class WorldVector {
  readonly registers = new BigUint64Array(VECTOR_NAMES.length);
  readonly v = new Uint32Array(V_WORDS);
  /** Where it goes on, and PSTATE. */
  address = 0n;
  state = 0n;

  /** Takes the state as it is. */
  take(cpu: Cpu, address: bigint, state: bigint): this {
    const { slots, system, v } = cpu.registers, { registers } = this;
    for (let n = 0; n < X_COUNT; n++) registers[n] = slots[n] as bigint;
    let at = X_COUNT;
    registers[at++] = readStackPointer(cpu, 0);
    registers[at++] = readStackPointer(cpu, 1);
    for (const { index } of ROWS) registers[at++] = system[index] as bigint;
    for (const timer of ["virtual", "physical"] as const) {
      registers[at++] = cpu.timer.readCompareValue(timer);
      registers[at++] = BigInt(cpu.timer.readControl(timer) & TIMER_CONTROL);
    }
    this.v.set(new Uint32Array(v.buffer, v.byteOffset, V_WORDS));
    this.address = address;
    this.state = state;
    return this;
  }

  /** Names of what is not as in another one. */
  differences(other: WorldVector): string[] {
    const names: string[] = [];
    for (let at = 0; at < VECTOR_NAMES.length; at++) {
      if (this.registers[at] !== other.registers[at]) names.push(VECTOR_NAMES[at] as string);
    }
    for (let at = 0; at < V_WORDS; at++) {
      if (this.v[at] !== other.v[at]) names.push(`V${at >> 2}`);
    }
    if (this.address !== other.address) names.push("PC");
    if (this.state !== other.state) names.push("PSTATE");
    return [...new Set(names)];
  }

  /** A copy that stays. */
  keep(from: WorldVector): void {
    this.registers.set(from.registers);
    this.v.set(from.v);
    this.address = from.address;
    this.state = from.state;
  }
}

/** Registers of EL2 that an exception does not write: what a refused request must leave as it was. */
const EL2_ROWS = SYSTEM_REGISTER_TABLE.flatMap(({ name, index, access }) =>
  index !== undefined && access.read === 2 && !/^(ELR|SPSR|ESR|FAR|HPFAR)_EL2$/.test(name)
    ? [{ name, index }]
    : []
);

/** The two worlds, told apart by what EL2 lets them be translated by: HCR_EL2.VM. */
export type World = "vmkernel" | "guest";

/** A register that was not what it had been. */
export interface Leak {
  readonly instant: number;
  readonly world: World;
  readonly register: string;
}

/** Registers that have more values than one in a run, by world: those that were really planted. */
export class Variety {
  readonly #first = new BigUint64Array(VECTOR_NAMES.length);
  readonly #varies = new Uint8Array(VECTOR_NAMES.length);
  #isBegun = false;

  /** Looks at one more vector. */
  add({ registers }: { readonly registers: BigUint64Array }): void {
    if (!this.#isBegun) this.#first.set(registers);
    this.#isBegun = true;
    for (let at = 0; at < registers.length; at++) {
      if (registers[at] !== this.#first[at]) this.#varies[at] = 1;
    }
  }

  /** Names. */
  get names(): string[] {
    return VECTOR_NAMES.filter((_, at) => this.#varies[at] === 1);
  }
}

/** Names of registers that trap to EL2 when EL1 reads and writes them as the CPU is: those of somebody else. */
function trappedNames(cpu: Cpu): ReadonlySet<string> {
  const isOthers = (isRead: boolean, traps: Parameters<typeof trapOf>[1]) =>
    trapOf(cpu, traps, isRead)?.to === 2;
  const rows = SYSTEM_REGISTER_TABLE.filter(({ traps }) => isOthers(true, traps) && isOthers(false, traps));
  return new Set(rows.map(({ name }) => name));
}

const VM = 1n, EL2 = 2;
/** Immediate syndrome class of HVC from AArch64. */
const EC_HVC = 0x16n;
const NOT_SUPPORTED = (1n << 64n) - 1n;
/** Most leaks that are kept. */
const MOST = 64;

/** Follows the two worlds of one CPU through a run. */
export class WorldVectors implements EventObserver {
  readonly classes = ["trap"] as const;
  /** What leaked, the first of it. */
  readonly leaks: Leak[] = [];
  /** Times that a world came back after the other had run. */
  readonly returns: Record<World, number> = { vmkernel: 0, guest: 0 };
  /** Where a world came back that had not been left: only the first time of each. */
  readonly entries: Record<World, number> = { vmkernel: 0, guest: 0 };
  /** Requests of the vmkernel that were refused: EL2 returned to it and nothing had changed but X0, to −1. */
  refusals = 0;
  /** What has really had several values. */
  readonly variety: Readonly<Record<World, Variety>> = { vmkernel: new Variety(), guest: new Variety() };
  /** What each world's software cannot reach, as EL2 has it trapped: it need not be that world's. */
  readonly unreachable: Record<World, ReadonlySet<string>> = { vmkernel: new Set(), guest: new Set() };
  readonly #left: Record<World, WorldVector | undefined> = { vmkernel: undefined, guest: undefined };
  readonly #taken = new WorldVector();
  readonly #now = new WorldVector();
  readonly #hypervisor: bigint[] = [];
  /** Who was interrupted by the exception that EL2 deals with; nobody before the first. */
  #running: World | undefined;
  #takenBy = 0n;
  readonly #calls: Record<World, boolean> = { vmkernel: false, guest: false };

  /** `machine` is followed from where it is. */
  constructor(private readonly machine: Machine) {
    machine.board.events.add(this);
  }

  /** World switches so far: returns to EL1 after the other world. */
  get switches(): number {
    return this.returns.vmkernel + this.returns.guest + this.entries.guest;
  }

  /** Registers that were compared in all: a V register is one. */
  get compared(): number {
    return (this.returns.vmkernel + this.returns.guest) * (VECTOR_NAMES.length + V_WORDS / 4 + 2);
  }

  observe(): void {}

  observeParts(kind: EventKind, instant: number, _cpu: number, _index: number, fields: AnyFields): void {
    if (kind === "exceptionTaken") {
      if (fields["to"] === EL2 && (fields["from"] as number) < EL2) this.#take(fields);
    } else if (kind === "exceptionReturned" && fields["from"] === EL2 && (fields["to"] as number) < EL2) {
      this.#return(instant, fields);
    }
  }

  get #cpu(): Cpu {
    return this.machine.currentCpu;
  }

  get #world(): World {
    return ((this.#cpu.registers.system[INDEX.HCR_EL2] as bigint) & VM) === 0n ? "vmkernel" : "guest";
  }

  #take(fields: AnyFields): void {
    this.#running = this.#world;
    this.#takenBy = fields["exception"] === "synchronous" ? (fields["syndrome"] as bigint) >> 26n : -1n;
    this.#taken.take(this.#cpu, fields["returnAddress"] as bigint, fields["savedState"] as bigint);
    if (this.#running === "guest") return;
    const { system } = this.#cpu.registers;
    for (const [at, { index }] of EL2_ROWS.entries()) this.#hypervisor[at] = system[index] as bigint;
  }

  #leaked(instant: number, world: World, register: string): void {
    if (this.leaks.length < MOST) this.leaks.push({ instant, world, register });
  }

  /** EL2 returned to the vmkernel and nobody else had run: where it refused something, nothing may have changed. */
  #refused(instant: number, fields: AnyFields): void {
    const { system } = this.#cpu.registers;
    this.#now.take(this.#cpu, fields["address"] as bigint, fields["state"] as bigint);
    if (this.#now.registers[0] !== NOT_SUPPORTED) return; // a request that there is
    this.refusals++;
    for (const register of this.#now.differences(this.#taken)) {
      if (register !== "X0") this.#leaked(instant, "vmkernel", register);
    }
    for (const [at, { name, index }] of EL2_ROWS.entries()) {
      if (system[index] !== this.#hypervisor[at]) this.#leaked(instant, "vmkernel", name);
    }
  }

  #return(instant: number, fields: AnyFields): void {
    const world = this.#world, running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    if (world === running) { // answered, and no switch
      return world === "vmkernel" ? this.#refused(instant, fields) : undefined;
    }
    const left = this.#left[running] ??= new WorldVector();
    left.keep(this.#taken);
    this.#calls[running] = this.#takenBy === EC_HVC;
    // Looking at all that a register has been is not cheap, and need not be done each time.
    const count = this.returns[running];
    if (count < 100 || count % 13 === 0) this.variety[running].add(left);
    const before = this.#left[world];
    if (before === undefined) {
      this.unreachable[world] = trappedNames(this.#cpu);
      return void this.entries[world]++;
    }
    this.returns[world]++;
    this.#now.take(this.#cpu, fields["address"] as bigint, fields["state"] as bigint);
    for (const register of this.#now.differences(before)) {
      if (this.unreachable[world].has(register)) continue;
      // The result of the vmkernel's request.
      if (register === "X0" && world === "vmkernel" && this.#calls.vmkernel) continue;
      this.#leaked(instant, world, register);
    }
  }
}

/** Lines that say what leaked. */
export function leakTexts({ leaks }: WorldVectors): string[] {
  return leaks.map(({ instant, world, register }) =>
    `instant ${instant}: the ${world} comes back with another ${register}`
  );
}
