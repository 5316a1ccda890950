/** Export in the shape of QEMU's log, `-d in_asm,exec,int` with `-singlestep` (QEMU 7.2), for scripts that read it. */
import { disassemble } from "../machine/a64/assembly.ts";
import type { EventOf, MachineEvent } from "../machine/events.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import type { ExportedStep, Exporter, PlaceNames } from "./export.ts";
import { isFetchFault } from "./export_tarmac.ts";

type Taken = EventOf<"exceptionTaken">;

/** QEMU's numbers and names of exceptions, by exception class (ESR_ELx.EC); any other is an undefined instruction to it. */
// deno-fmt-ignore
const BY_CLASS: Readonly<Record<number, readonly [number, string]>> = {
  0x15: [2, "SVC"],             0x16: [11, "Hypervisor Call"],  0x17: [13, "Secure Monitor Call"],
  0x20: [3, "Prefetch Abort"],  0x21: [3, "Prefetch Abort"],    0x22: [3, "Prefetch Abort"],
  0x24: [4, "Data Abort"],      0x25: [4, "Data Abort"],        0x30: [3, "Prefetch Abort"],
  0x31: [3, "Prefetch Abort"],  0x32: [3, "Prefetch Abort"],    0x33: [3, "Prefetch Abort"],
  0x34: [4, "Data Abort"],      0x35: [4, "Data Abort"],        0x3c: [7, "Breakpoint"],
};
/** Calls to PSCI: number and name, the level they are to, their class. */
const CONDUITS = {
  hvc: [11, "Hypervisor Call", 2, 0x16],
  smc: [13, "Secure Monitor Call", 3, 0x17],
} as const;
/** ESR_ELx.IL. */
const INSTRUCTION_LENGTH = 2 ** 25;
const UNDEFINED: readonly [number, string] = [1, "Undefined Instruction"];
// deno-fmt-ignore
const ASYNCHRONOUS: Readonly<Record<string, readonly [number, string]>> = {
  irq: [5, "IRQ"], fiq: [6, "FIQ"], serror: [24, "Virtual SERR"],
};
/** Classes with a fault address. */
const WITH_FAR = new Set([0x20, 0x21, 0x22, 0x24, 0x25, 0x34, 0x35]);
/** PSTATE at the vector: masks, EL and SP_ELx. */
const MASKED = 0x3c1;

/** Where QEMU has the address of what it translated, there is a number of this many for each instruction. */
const FIRST_BLOCK = 0x7000_0000_0000, BLOCK = 0x100;

const hex = (value: bigint | number, digits = 0): string => value.toString(16).padStart(digits, "0");

class QemuLogExporter implements Exporter {
  readonly classes = ALL_CLASSES;
  /** Instructions seen, each as QEMU has a block of one: by address, its word and number. */
  readonly #blocks = new Map<bigint, { opcode: number; number: number }>();
  #last = 0;

  constructor(private readonly names: PlaceNames) {}

  begin(): string {
    return "";
  }

  end(): string {
    return "";
  }

  step({ events }: ExportedStep): string {
    const retired = events.find((event) => event.kind === "stepRetired");
    const lines = retired?.kind === "stepRetired" && !isFetchFault(events) ? this.#executed(retired) : [];
    return [...lines, ...events.flatMap((event) => interruptLines(event, callNumber(retired)))].map((line) =>
      `${line}\n`
    ).join("");
  }

  #executed({ pc, opcode, cpu }: EventOf<"stepRetired">): string[] {
    const known = this.#blocks.get(pc);
    const isNew = known?.opcode !== opcode, name = this.names(pc) ?? "";
    const number = isNew ? this.#last++ : known.number;
    if (isNew) this.#blocks.set(pc, { opcode, number });
    const block = hex(FIRST_BLOCK + number * BLOCK);
    return [
      ...isNew
        ? ["----------------", `IN: ${name}`, `0x${hex(pc, 8)}:  ${hex(opcode, 8)}  ${shown(opcode, pc)}`, ""]
        : [],
      `Trace ${cpu}: 0x${block} [${hex(0, 16)}/${hex(pc, 16)}/${hex(0, 8)}/ff000201] ${name}`,
    ];
  }
}

/** The mnemonic in its column. */
function shown(opcode: number, pc: bigint): string {
  const text = disassemble(opcode, pc), space = text.indexOf(" ");
  return space < 0 ? text : `${text.slice(0, space).padEnd(8)} ${text.slice(space + 1)}`;
}

/** The immediate of HVC and SMC, which goes into the syndrome. */
function callNumber(step: MachineEvent | undefined): number {
  return step?.kind === "stepRetired" ? step.opcode >>> 5 & 0xffff : 0;
}

function interruptLines(event: MachineEvent, immediate: number): string[] {
  switch (event.kind) {
    case "exceptionTaken":
      return takenLines(event);
    case "exceptionReturned":
      return [
        `Exception return from AArch64 EL${event.from} to AArch64 EL${event.to} PC 0x${hex(event.address)}`,
      ];
    case "firmwareCalled": {
      const [number, name, level, ec] = CONDUITS[event.conduit];
      return [
        `Taking exception ${number} [${name}] on CPU ${event.cpu}`,
        `...from EL1 to EL${level}`,
        `...with ESR 0x${hex(ec)}/0x${hex(ec * 2 ** 26 + INSTRUCTION_LENGTH + immediate)}`,
        "...handled as PSCI call",
      ];
    }
    default:
      return [];
  }
}

function takenLines(event: Taken): string[] {
  const { exception, syndrome, cpu, from, to } = event;
  const ec = Number(syndrome >> 26n & 0x3fn), isSynchronous = exception === "synchronous";
  const [number, name] = (isSynchronous ? BY_CLASS[ec] : ASYNCHRONOUS[exception]) ?? UNDEFINED;
  return [
    `Taking exception ${number} [${name}] on CPU ${cpu}`,
    `...from EL${from} to EL${to}`,
    `...with ESR 0x${hex(ec)}/0x${hex(syndrome & 0xffff_ffffn)}`,
    ...isSynchronous && WITH_FAR.has(ec) ? [`...with FAR 0x${hex(event.faultAddress)}`] : [],
    `...with ELR 0x${hex(event.returnAddress)}`,
    `...to EL${to} PC 0x${hex(event.vector)} PSTATE 0x${hex(MASKED | to << 2)}`,
  ];
}

/** Makes an exporter. */
export function qemuLogExporter(names: PlaceNames): Exporter {
  return new QemuLogExporter(names);
}
