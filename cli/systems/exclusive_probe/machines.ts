/** The machines on which the probe is tried, each with the controls that are set there, and how its guests are recorded. */
import { type ProbeOptions, probeProgram } from "../../../firmware/exclusive_probe/probe.ts";
import type { Program } from "../../../machine/a64/program.ts";
import type { CheckContext, Recorded, RecordRequest } from "../scenario.ts";

/** A machine. */
export interface ProbedMachine {
  /** What failures call it. */
  readonly name: string;
  /** Options of `hindsight record`. */
  readonly options: readonly string[];
  /** Controls that are set, by their name in CONTROLS. */
  readonly controls: readonly string[];
  /** How the guest calls PSCI. */
  readonly conduit: "hvc" | "smc";
  /** Not one of the truth table's columns in the sheet. */
  readonly isExtra?: boolean;
}

/** A machine with a monitor. */
export function monitored(name: string, monitor: string, controls: readonly string[]): ProbedMachine {
  const conduit = monitor.startsWith("el3") ? "smc" : "hvc";
  return { name, options: ["--monitor", monitor], controls, conduit };
}

const trapping = (name: string, traps: string, controls: readonly string[]): ProbedMachine =>
  monitored(name, `el2:exclusive-probe,traps=${traps}`, controls);

const extra = (machine: ProbedMachine): ProbedMachine => ({ ...machine, isExtra: true });

/** The machine without a monitor. */
const BARE = "bare";

/** The columns of the truth table. */
// deno-fmt-ignore
export const MACHINES: readonly ProbedMachine[] = [
  { name: BARE, options: [], controls: [], conduit: "hvc" },
  monitored("Mon2 idle",     "el2", []),
  trapping ("Mon2 TID3",     "tid3",   ["TID3"]),
  trapping ("Mon2 TID2",     "tid2",   ["TID2"]),
  trapping ("Mon2 TDA",      "tda",    ["TDA"]),
  monitored("Mon3 EA",       "el3:exclusive-probe,traps=ea",  ["EA"]),
  extra(trapping ("Mon2 TACR",     "tacr",   ["TACR"])),
  extra(trapping ("Mon2 EL1PCTEN", "cntpct", ["EL1PCTEN"])),
  extra(trapping ("Mon2 as KVM",   "tid3+tda+tacr", ["TID3", "TDA", "TACR"])),
  extra(monitored("Mon3 TDA",      "el3:exclusive-probe,traps=tda", ["TDA3"])),
];

const programs = new Map<string, Program>();

/** The probe with some options; made once. */
export function probe(options: ProbeOptions): Program {
  const key = JSON.stringify(options);
  const known = programs.get(key);
  if (known !== undefined) return known;
  const made = probeProgram(options);
  programs.set(key, made);
  return made;
}

/** Exits to a monitor take virtual time, of which an interrupt has several: timers are this much slower there. */
const SLOWER = 16;

/** The guest that is run on a machine. */
export function guestOn({ conduit, name }: ProbedMachine, guest: ProbeOptions): ProbeOptions {
  const { period } = guest, isBare = name === BARE;
  const slowed = period === undefined || isBare ? {} : { period: period * SLOWER };
  return { ...guest, ...slowed, conduit };
}

/** Records a probe on a machine up to its power-off. */
export function recordProbe(
  context: CheckContext,
  machine: ProbedMachine,
  guest: ProbeOptions,
  more: Omit<RecordRequest, "options"> & { readonly options?: readonly string[] } = {},
): Promise<Recorded> {
  return context.record({
    ...more,
    options: ["-kernel", "probe.bin", "-m", "32", ...machine.options, ...more.options ?? []],
    files: { "probe.bin": probe(guestOn(machine, guest)).bytes },
  });
}
