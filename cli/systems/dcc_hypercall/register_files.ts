/**
 * Random register files at accesses to the debug channel that are no calls: two machines side by side, one with the
 * monitor and one without, in which a guest at EL0 or EL1 must afterwards be the same in everything that it can see.
 */
import { createHash } from "node:crypto";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { type MonitorConfiguration, parseConfiguration } from "../../../machine/configuration.ts";
import { patchSystemRegister, peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { peekMemory } from "../../../machine/debugger_memory.ts";
import { Machine, type MachineOptions } from "../../../machine/machine.ts";
import { numbersFrom } from "../bridge_space/pairs.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";

const BASE = 0x40080000n, RAM = 0x40000000n, GUEST_RAM = 0xc0_0000;
/** Accesses: each with every Rt, and behind it another instruction and a place to stay. */
const ACCESSES = [
  "mrs {}, mdccsr_el0",
  "mrs {}, dbgdtr_el0",
  "msr dbgdtr_el0, {}",
  "mrs {}, dbgdtrrx_el0",
  "msr dbgdtrtx_el0, {}",
  "mrs {}, mdscr_el1",
  "mrs {}, mdccint_el1",
] as const;
const WORD = 1n << 64n, ZERO = 31;
/** SPSR_EL1: masks of all but debug exceptions; D; SS; the lowest flag. */
const MASKED = 0x1c0n, D = 1n << 9n, SS = 1n << 21n, NZCV = 28n;
/** MDSCR_EL1: SS, TDCC, KDE. */
const MDSCR_SS = 1n, TDCC = 1n << 12n, KDE = 1n << 13n;

function source(): string {
  const accesses = ACCESSES.flatMap((text) =>
    Array.from(
      { length: 32 },
      (_, n) =>
        `        ${
          text.replace("{}", n === ZERO ? "xzr" : `x${n}`)
        }\n        nop\n        b       .\n        nop`,
    )
  );
  return `
unlock: msr     oslar_el1, xzr
control: msr    mdscr_el1, x0
return: eret
kernel: svc     #0
        .balign 8
accesses:
${accesses.join("\n")}
        .balign 2048
vectors: .rept  16
        b       .
        .balign 128
        .endr
`;
}

const program = () => assembleProgram(source(), { name: "register files", base: BASE });

/** A system of the monitor, with its options. */
type System = MonitorConfiguration["systems"][number];

/** One of the two machines. */
class Side {
  readonly machine: Machine;
  readonly symbols: ReadonlyMap<string, bigint>;

  constructor(systems: readonly System[], options: MachineOptions) {
    const { bytes, symbols } = program(), sha256 = createHash("sha256").update(bytes).digest("hex");
    const configuration = parseConfiguration({
      memoryMiB: 32,
      boot: { kernel: { sha256, size: bytes.length, name: "guest" } },
      ...systems.length > 0 &&
        { monitors: [{ level: 2, systems }] },
    });
    this.symbols = symbols;
    this.machine = new Machine(configuration, new Map([[sha256, bytes]]), options);
    this.#go("unlock");
    patchSystemRegister(this.cpu, "VBAR_EL1", symbols.get("vectors")!);
  }

  get cpu() {
    return this.machine.board.cpus[0]!;
  }

  #run(steps: number): void {
    this.machine.run(this.machine.instant + steps);
  }

  /** Goes to an instruction and lets it be done, for which the monitor may need some steps. */
  #go(label: string): void {
    const { registers } = this.cpu, place = this.symbols.get(label)!;
    registers.pc = place;
    for (let steps = 0; registers.pc === place; steps++) {
      if (steps === MOST) throw new RangeError(`The guest did not get past "${label}"`);
      this.#run(1);
    }
  }

  /** Puts the guest where an access is, with a register file, and lets it make it. */
  access({ place, registers, control, state }: Trial): void {
    const { cpu } = this;
    if (cpu.el === 0) this.#go("kernel");
    cpu.registers.setX(0, control);
    this.#go("control");
    patchSystemRegister(cpu, "ELR_EL1", this.symbols.get("accesses")! + BigInt(place * 16));
    patchSystemRegister(cpu, "SPSR_EL1", state);
    patchSystemRegister(cpu, "ESR_EL1", 0n);
    patchSystemRegister(cpu, "FAR_EL1", 0n);
    this.#go("return");
    for (const [n, value] of registers.entries()) cpu.registers.setX(n, value);
    // The access, a step that ends, and as far as it can come.
    this.#run(MOST);
  }

  /** All that the guest can see. */
  get seen(): string {
    const { cpu } = this, { registers } = cpu;
    const named = ["ESR_EL1", "ELR_EL1", "SPSR_EL1", "FAR_EL1", "SP_EL0", "SP_EL1", "OSDTRRX_EL1"];
    return [
      ...Array.from({ length: 31 }, (_, n) => `X${n} ${registers.x(n).toString(16)}`),
      `PC ${registers.pc.toString(16)} EL${cpu.el} NZCV ${registers.nzcv} DAIF ${cpu.daif} IL ${cpu.illegal}`,
      ...named.map((name) => `${name} ${peekSystemRegister(cpu, name).toString(16)}`),
    ].join(", ");
  }

  /** The guest's memory below the monitor's. */
  get memory(): string {
    return createHash("sha256").update(peekMemory(this.cpu, RAM, GUEST_RAM)).digest("hex");
  }
}

/** Steps within which anything here is done, also where the monitor steps. */
const MOST = 12;

/** One access. */
interface Trial {
  readonly place: number;
  readonly registers: readonly bigint[];
  readonly control: bigint;
  readonly state: bigint;
}

/** X7[63:32] that says that it is a call. */
const MAGIC = 0x86n;

function trialFrom(next: (below: bigint) => bigint): Trial {
  const registers = Array.from({ length: 31 }, () => {
    const kind = next(4n);
    return kind === 0n
      ? next(256n)
      : kind === 1n
      ? WORD - 1n - next(256n)
      : next(WORD >> 8n) << 8n | next(256n);
  });
  if (registers[7]! >> 32n === MAGIC) registers[7] = 0n;
  const flip = (bit: bigint) => next(2n) === 0n ? 0n : bit;
  const level = next(2n) === 0n ? 0n : 5n;
  return {
    place: Number(next(BigInt(ACCESSES.length * 32))),
    registers,
    control: flip(TDCC) | flip(KDE) | flip(flip(MDSCR_SS)),
    state: MASKED | level | flip(D) | flip(SS) | next(16n) << NZCV,
  };
}

/** What is not the same after so many random accesses; empty when everything is. */
export function compareRegisterFiles(
  systems: readonly System[],
  { seed, count, options, each }: {
    readonly seed: number;
    readonly count: number;
    readonly options: MachineOptions;
    readonly each?: (done: number) => void;
  },
): string[] {
  const bare = new Side([], options), monitored = new Side(systems, options), next = numbersFrom(seed);
  const memory = monitored.memory, failures: string[] = [];
  for (let done = 0; done < count && failures.length === 0; done++) {
    const trial = trialFrom(next);
    bare.access(trial);
    monitored.access(trial);
    if (bare.seen !== monitored.seen) {
      failures.push(
        `seed ${seed}, access ${done}, place ${trial.place}: ${bare.seen}; monitored ${monitored.seen}`,
      );
    }
    each?.(done);
  }
  if (monitored.memory !== memory) failures.push(`seed ${seed}: the guest's memory changed`);
  return failures;
}

const DCC_HYPERCALL: System = { name: "dcc-hypercall", options: {} };
/** Monitors that are tried. */
export const MONITORS: readonly (readonly System[])[] = [
  [DCC_HYPERCALL],
  [{ ...DCC_HYPERCALL, options: { tde: "on" } }],
  [DCC_HYPERCALL, { name: "unified-backdoor", options: {} }],
];

const ALL = 100_000, SOME = 1_000;

/** Register files without the magic, with and without somebody who answers calls. */
export async function registerFiles(context: CheckContext): Promise<CheckOutcome> {
  const count = context.all ? ALL : SOME, failures: string[] = [];
  for (const systems of MONITORS) {
    for (let seed = 1; seed <= count / SOME && failures.length === 0; seed++) {
      failures.push(
        ...compareRegisterFiles(systems, { seed, count: SOME, options: context.machineOptions() }),
      );
      context.progress("register files", seed * SOME, count);
      await context.breathe();
    }
  }
  return { failures, figures: { "register files": MONITORS.length * count, accesses: ACCESSES.length * 32 } };
}
