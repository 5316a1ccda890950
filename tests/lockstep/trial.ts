/** A random program with what is done to it: drawn from a seed, or read from a file of a difference found before. */
import type { DrivePlan } from "../law/drive.ts";
import { randomPlan } from "../law/drive.ts";
import { buildGuest, type RandomGuest, type RandomProgram, randomProgram } from "../law/program.ts";
import { Choices } from "../law/random.ts";
import { hotBody } from "./hot_body.ts";

/** What the engines are given alike. */
export interface Trial {
  /** Where it came from, for people. */
  readonly seed: number;
  /** Program and machine. */
  readonly program: RandomProgram;
  /** Inputs and length. */
  readonly plan: DrivePlan;
  /** Steps between two comparisons. */
  readonly interval: number;
  /** Every step is observed, and compared. */
  readonly isTraced: boolean;
}

/** Steps between two comparisons of roots. */
const INTERVAL = 1000;

/** Settings that may be forced on every trial. */
export type Forced = Readonly<Record<string, unknown>>;

/** The trial of a seed; `forced` replaces settings of the machine. */
export function randomTrial(seed: number, forced: Forced = {}): Trial {
  const drawn = randomProgram(seed);
  const program = { ...drawn, settings: { ...drawn.settings, ...forced } };
  const choices = new Choices(seed ^ 0x6a09_e667);
  const steps = choices.of([1000, 3000, 6000, 12_000]);
  const plan = randomPlan(choices, Number(program.settings.cpus), steps);
  const interrupts = Array.from({ length: choices.of([0, 3, 20]) }, () => ({
    at: choices.below(steps),
    input: { kind: "interruptInjected", interrupt: choices.between(16, 47) } as const,
  }));
  const inputs = [...plan.inputs, ...interrupts].sort((a, b) => a.at - b.at);
  return { seed, program, plan: { ...plan, inputs }, interval: INTERVAL, isTraced: choices.oneIn(8) };
}

/** Settings with which much of a program is executed between two events. */
const CALM: Forced = { quantum: 10_000, nanosecondsPerStep: 1, rootInterval: 20_000, strictModels: [] };

/** The trial of a seed whose program goes round in loops and calls until all of it is compiled. */
export function hotTrial(seed: number, forced: Forced = {}): Trial {
  const drawn = randomProgram(seed, hotBody), choices = new Choices(seed ^ 0x3c6e_f372);
  const calm = choices.oneIn(4) ? { strictModels: [] } : CALM;
  const program = { ...drawn, settings: { ...drawn.settings, ...calm, ...forced } };
  const steps = choices.of([10_000, 20_000, 40_000]);
  const plan = randomPlan(choices, Number(program.settings.cpus), steps);
  return { seed, program, plan, interval: choices.of([500, 2500, 2500, 9999]), isTraced: false };
}

/** The trial's machine and program; throws AssemblyError for text that is wrong. */
export function guestOf({ program }: Trial): RandomGuest {
  return buildGuest(program);
}

/** What a trial is in a file: bytes and big integers are objects with one key. */
function replacer(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return { bigint: `0x${value.toString(16)}` };
  if (value instanceof Uint8Array) return { bytes: value.toHex() };
  return value;
}

function reviver(_key: string, value: unknown): unknown {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const [[key, text] = []] = entries;
  if (entries.length !== 1 || typeof text !== "string") return value;
  if (key === "bigint") return BigInt(text);
  return key === "bytes" ? Uint8Array.fromHex(text) : value;
}

/** The text of a trial's file: what is known of it, for people, and its program line by line. */
export function trialToJson(trial: Trial, note: readonly string[] = []): string {
  const program = { ...trial.program, source: trial.program.source.split("\n") };
  return JSON.stringify({ note, ...trial, program }, replacer, 2) + "\n";
}

/** The trial in a file's text. */
export function trialFromJson(text: string): Trial {
  const { note: _, program, ...trial } = JSON.parse(text, reviver);
  return { ...trial, program: { ...program, source: program.source.join("\n") } };
}
