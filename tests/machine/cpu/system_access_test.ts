/** Every access to every system register and system instruction, compared with what QEMU 7.2 did in each configuration. */
import { assertEquals } from "@std/assert";
import { encodingOfSystemRegister, systemRegisterName } from "../../../machine/a64/system_names.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { systemAccessSyndrome } from "../../../machine/cpu/syndrome.ts";
import {
  patchSystemRegister,
  peekSystemRegister,
  SYSTEM_REGISTER_TABLE,
} from "../../../machine/cpu/system_registers.ts";
import { putAt, RAM, testCpus } from "./support.ts";
import {
  accessName,
  type Configuration,
  CONFIGURATIONS,
  FIRST_ENCODING,
  fixtureName,
  LAST_ENCODING,
  outcomeOf,
  type Outcomes,
  type RecordedModel,
  referenceOf,
  usualOutcome,
} from "./system_access.ts";
import { differenceIn, valueDifference } from "./system_access_differences.ts";
import { GOES_THROUGH_ALL } from "../../extent.ts";

const folder = new URL("../../fixtures/cpu/", import.meta.url);

/** Lines of a fixture by the configuration in brackets above them. */
function sections(file: string): Map<string, string[]> {
  const result = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of Deno.readTextFileSync(new URL(file, folder)).trim().split("\n").slice(1)) {
    if (line.startsWith("[")) result.set(line.slice(1, -1), lines = []);
    else lines.push(line);
  }
  return result;
}

function recorded(model: RecordedModel): Map<string, Outcomes> {
  const files = sections(fixtureName("access", model));
  const result = new Map<string, Outcomes>();
  for (const configuration of CONFIGURATIONS[model]) {
    const reference = result.get(referenceOf(configuration) ?? "") ?? new Map<string, string>();
    const outcomes: Outcomes = new Map(reference);
    for (const line of files.get(configuration.name) ?? []) {
      const [outcome, accesses] = line.split(" = ") as [string, string];
      for (const access of accesses.split(" ")) outcomes.set(access, outcome);
    }
    result.set(configuration.name, outcomes);
  }
  return result;
}

function build(model: RecordedModel, { el2, el3, level, scr, controls }: Configuration): Cpu {
  const { cpu } = testCpus({ model, el2, el3 });
  for (const [name, value] of Object.entries(controls)) patchSystemRegister(cpu, name, value);
  if (el3) patchSystemRegister(cpu, "SCR_EL3", scr);
  putAt(cpu, level);
  return cpu;
}

/** Does one access and puts back what it changed. */
function attempt(cpu: Cpu, encoding: number, isRead: boolean, level: Configuration["level"]): string {
  const isRegister = encoding >= 0x8000;
  const name = isRegister
    ? isRead ? "readSystemRegister" : "writeSystemRegister"
    : isRead
    ? "systemInstructionLong"
    : "systemInstruction";
  const { system, sp } = cpu.registers;
  const before = system.slice();
  callHelper(cpu, name, [name, encoding, 0], isRegister ? 0n : BigInt(RAM), 0n);
  const { pending } = cpu;
  cpu.pending = undefined;
  system.set(before);
  cpu.registers.sp = sp;
  putAt(cpu, level);
  if (pending === undefined) return "ok";
  return outcomeOf(pending.target, pending.syndrome, systemAccessSyndrome(encoding, 0, isRead));
}

/** Encodings that mean something to either side in any configuration, and some IMPLEMENTATION DEFINED ones. */
function meaningfulEncodings(expected: Map<string, Outcomes>): number[] {
  const found = new Set<number>(SYSTEM_REGISTER_TABLE.map(({ encoding }) => encoding));
  for (const outcomes of expected.values()) {
    for (const access of outcomes.keys()) found.add(Number.parseInt(access.slice(0, -1), 16));
  }
  for (const name of ["S1_0_C11_C0_0", "S1_3_C15_C2_1", "S3_0_C11_C0_0", "S3_7_C15_C15_7"]) {
    found.add(encodingOfSystemRegister(name) as number);
  }
  return [...found].sort((a, b) => a - b);
}

for (const model of ["cortex-a57", "max"] as const) {
  Deno.test(`readSystemRegister and writeSystemRegister do as QEMU in every configuration of ${model}`, () => {
    const expected = recorded(model);
    const wrong: string[] = [];
    let compared = 0, excused = 0;
    const meaningful = meaningfulEncodings(expected);
    const all = Array.from({ length: LAST_ENCODING - FIRST_ENCODING }, (_, n) => FIRST_ENCODING + n);
    // What is UNDEFINED to both does not depend on controls, so the whole space is tried where all features are, or in the first of those.
    const complete = CONFIGURATIONS[model].filter(({ name }) => name.startsWith("with EL2, with EL3"));
    const whole = new Set(GOES_THROUGH_ALL ? complete : complete.slice(0, 1));
    for (const configuration of CONFIGURATIONS[model]) {
      const cpu = build(model, configuration);
      const outcomes = expected.get(configuration.name) as Outcomes;
      for (const encoding of whole.has(configuration) ? all : meaningful) {
        for (const isRead of [true, false]) {
          const theirs = outcomes.get(accessName(encoding, isRead)) ?? usualOutcome(configuration);
          const ours = attempt(cpu, encoding, isRead, configuration.level);
          compared++;
          if (ours === theirs) continue;
          const name = systemRegisterName(encoding, isRead ? "read" : "write");
          const access = `${isRead ? "read" : "write"} ${name}`;
          if (differenceIn({ model, configuration, encoding, isRead, name, ours, theirs }) !== undefined) {
            excused++;
          } else wrong.push(`${configuration.name}: ${access} gives "${ours}", QEMU "${theirs}"`);
        }
      }
    }
    assertEquals(wrong.slice(0, 50), []);
    assertEquals(wrong.length, 0);
    // On max QEMU answers for some hundred encodings of extensions that do not exist here.
    const [least, most] = [GOES_THROUGH_ALL ? 400_000 : 200_000, model === "max" ? 50_000 : 2_000];
    assertEquals(compared > least && excused < most, true, `${excused} of ${compared}`);
  });

  Deno.test(`SYSTEM_REGISTER_TABLE has QEMU's reset values and writable bits of ${model}`, () => {
    const wrong: string[] = [];
    for (const [name, lines] of sections(fixtureName("values", model))) {
      const configuration = CONFIGURATIONS[model].find((other) => other.name === name) as Configuration;
      const reset = build(model, { ...configuration, controls: {} });
      const level = configuration.level;
      for (const line of lines) {
        const [encoding, ...expected] = line.split(" ").map((text) => BigInt(`0x${text}`)) as [
          bigint,
          ...bigint[],
        ];
        const row = SYSTEM_REGISTER_TABLE.find((other) => other.encoding === Number(encoding));
        if (row === undefined || isProbes(row.name, level)) continue;
        const values = [peekSystemRegister(reset, row.name)];
        if (expected.length === 3) {
          for (const pattern of [(1n << 64n) - 1n, 0n]) {
            callHelper(reset, "writeSystemRegister", ["", row.encoding, 0], pattern, 0n);
            values.push(callHelper(reset, "readSystemRegister", ["", row.encoding, 0], 0n, 0n));
          }
          callHelper(reset, "writeSystemRegister", ["", row.encoding, 0], values[0] as bigint, 0n);
          putAt(reset, level);
        }
        const text = values.map((value) => value.toString(16)).join(" ");
        const theirs = expected.map((value) => value.toString(16)).join(" ");
        if (text !== theirs && valueDifference(model, row.name, level) === undefined) {
          wrong.push(`${name}: ${row.name} gives ${text}, QEMU ${theirs}`);
        }
      }
    }
    assertEquals(wrong, []);
  });
}

/** Registers that the probe has changed before it reads them, or that run. */
function isProbes(name: string, level: number): boolean {
  if (/^CNT.*_(TVAL|CTL|CVAL)_|^CNT[PV]CT_/.test(name)) return true;
  return [`VBAR_EL`, `ELR_EL${level}`, `SPSR_EL${level}`, `ESR_EL${level}`, "NZCV", "PAR_EL1"].some((
    prefix,
  ) => name.startsWith(prefix));
}
