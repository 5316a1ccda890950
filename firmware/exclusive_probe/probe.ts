/**
 * The probe of exclusive-probe (US20190213095A1): a guest that finds out by its exclusive monitor whether it is virtualized.
 *
 * `LDXR; operation; STXR`: an exception return clears the local monitor (Arm ARM B2.9.2), so that the store fails if the
 * operation was trapped. Each operation is tried in a number of rounds, which tells traps from interrupts that happened to
 * come in between. It runs at any 2 MiB boundary from 1 to 4 GiB (linked at PROBE_BASE), is entered at EL1 with the MMU
 * off, as `-kernel`, by KVM or by Xen, and needs a console and PSCI. It maps itself twice by blocks of 1 GiB:
 * where it is for EL1, and EL0_ALIAS above for EL0, whose writable pages EL1 cannot execute (D8.4.1).
 */
import type { Program } from "../../machine/a64/program.ts";
import { label, Part, program } from "../../machine/a64/program_parts.ts";
import { imageHeader } from "../image.ts";
import { BARE, CONTENDER, DATA, DEVICE_ALIAS, EL0_ALIAS, EL0_STATE, start } from "./bare.ts";
import { printing, type ProbeConsole } from "./console.ts";
import { PROBE_OPERATIONS, type ProbeOperation } from "./operations.ts";
import { operationsText, ROUNDS_TEXT } from "./rounds.ts";
import { vectors } from "./vectors.ts";

/** Where the program is linked, and where `-kernel` puts it on board virt. */
export const PROBE_BASE = 0x4020_0000n;

/** How a probe is made. */
export interface ProbeOptions {
  /** Rounds of each operation, 1–65535 (default 16); with one it is the naive probe, which believes its only try. */
  readonly rounds?: number;
  /** How it calls PSCI; SMC where the firmware is at EL3 (default hvc). */
  readonly conduit?: "hvc" | "smc";
  /** Where it prints: the PL011 of board virt (the default), or Xen's console for its first domain. */
  readonly console?: ProbeConsole;
  /** It takes interrupts, by a GICv2, the UART's among them (default: they are masked). */
  readonly takesInterrupts?: boolean;
  /** It sets the virtual timer to interrupt it after so many ticks of the counter, again and again; takes interrupts. */
  readonly period?: number;
  /** The second CPU is started, and stores next to the word now and then. */
  readonly isContended?: boolean;
  /** The word is at this address modulo 4: at anything but 0, load-exclusives fault. */
  readonly misalignment?: 0 | 1 | 2 | 3;
  /** The word is mapped as Device-nGnRnE memory. */
  readonly isDevice?: boolean;
  /** Only operations of this index in PROBE_OPERATIONS and the controls; all by default. */
  readonly only?: number;
}

/** The largest number of rounds, and of ticks. */
const MOST = 65535;

/** Whether interrupts are unmasked. */
const isInterruptible = ({ period = 0, takesInterrupts = false }: ProbeOptions): boolean =>
  takesInterrupts || period > 0;

/** What the source text leaves open. */
function equates(options: ProbeOptions, rows: number): string {
  const { rounds = 16, misalignment = 0, isDevice = false, conduit = "hvc" } = options,
    canTake = isInterruptible(options);
  return `
        .equ    ROUNDS, ${rounds}
        .equ    ROWS, ${rows}
        .equ    FIRST_LEVEL, 1
        .equ    MISALIGNMENT, ${misalignment}
        .equ    EL0_ALIAS, ${EL0_ALIAS}
        .equ    TARGET_ALIAS, ${isDevice ? DEVICE_ALIAS : 0n}
        .equ    EL0_STATE, ${canTake ? EL0_STATE.unmasked : EL0_STATE.masked}
        .macro  unmask
        ${canTake ? "msr daifclr, #2" : ""}
        .endm
        .macro  conduit
        ${conduit} #0
        .endm
`;
}

/** The operations of a probe, in order. */
export function operationsOf({ only }: ProbeOptions): readonly ProbeOperation[] {
  return PROBE_OPERATIONS.filter(({ register }, index) =>
    only === undefined || index === only || register === undefined
  );
}

/**
 * Makes the probe. Symbols `pairN`, `operationN` and `storeN` are the three instructions of the N-th of its operations;
 * `target` is the word. Throws RangeError for rounds or a period that do not fit.
 */
export function probeProgram(options: ProbeOptions = {}): Program {
  const { rounds = 16, period = 0, isContended = false } = options;
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= MOST)) {
    throw new RangeError(`Cannot make a probe of ${rounds} rounds: there are 1 to ${MOST}`);
  }
  if (!(Number.isInteger(period) && period >= 0 && period <= MOST)) {
    throw new RangeError(`Cannot make a probe with a timer of ${period} ticks: there are 0 to ${MOST}`);
  }
  const operations = operationsOf(options), entry = label("start"), end = label("end");
  const text = [
    equates(options, operations.length),
    start({ period, isContended, isInterruptible: isInterruptible(options) }),
    ROUNDS_TEXT,
    BARE,
    printing(options.console ?? "pl011"),
    operationsText(operations),
    ...isContended ? [CONTENDER] : [],
    vectors(period),
    DATA,
  ].join("");
  const header = imageHeader({ entry, size: end });
  return program([header, new Part(() => text, "exclusive_probe")], {
    name: "exclusive_probe",
    base: PROBE_BASE,
  });
}
