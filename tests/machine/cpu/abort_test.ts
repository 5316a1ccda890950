/** Syndromes and routing of data and instruction aborts. */
import { assertEquals } from "@std/assert";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { loadStoreSyndrome, raiseDataAbort, raiseInstructionAbort } from "../../../machine/cpu/abort.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import {
  type Fault,
  type FaultKind,
  stage1Fault,
  stage2Fault,
  statusOf,
} from "../../../machine/memory/fault.ts";
import { setRegisters } from "./access_support.ts";
import { putAt, testCpus, type TestOptions } from "./support.ts";

/** Bits 24–14 of the ISS: ISV, SAS, SSE, SRT, SF, AR (Arm ARM, ISS encoding for an exception from a Data Abort). */
// deno-fmt-ignore
const SYNDROMES: readonly (readonly [text: string, SAS: number, SSE: 0 | 1, SRT: number, SF: 0 | 1, AR: 0 | 1])[] = [
  ["ldr x7, [x1]",             3, 0, 7,  1, 0],
  ["ldr w7, [x1, #4]",         2, 0, 7,  0, 0],
  ["ldrb w30, [x1, #1]",       0, 0, 30, 0, 0],
  ["ldrsb w3, [x1]",           0, 1, 3,  0, 0],
  ["ldrsb x3, [x1]",           0, 1, 3,  1, 0],
  ["ldrsh w3, [x1, x2]",       1, 1, 3,  0, 0],
  ["ldrsw x3, [x1, w2, sxtw]", 2, 1, 3,  1, 0],
  ["ldur x3, [x1, #-1]",       3, 0, 3,  1, 0],
  ["ldtrh w3, [x1]",           1, 0, 3,  0, 0],
  ["str xzr, [x1]",            3, 0, 31, 1, 0],
  ["sttr w4, [x1]",            2, 0, 4,  0, 0],
  ["strb w4, [x1, x2]",        0, 0, 4,  0, 0],
  ["ldar w4, [x1]",            2, 0, 4,  0, 1],
  ["ldar x4, [x1]",            3, 0, 4,  1, 1],
  ["stlrb w4, [x1]",           0, 0, 4,  0, 1],
  ["ldr x4, .",                3, 0, 4,  1, 0],
  ["ldr w4, .",                2, 0, 4,  0, 0],
  ["ldrsw x4, .",              2, 1, 4,  1, 0],
];

/** Pairs, exclusives, writeback, SIMD and what is no load or store. */
const WITHOUT = [
  ...[
    "ldp x1, x2, [x3]",
    "stp w1, w2, [x3]",
    "ldr x1, [x2], #8",
    "str x1, [x2, #8]!",
    "ldxr x1, [x2]",
    "stlxr w0, x1, [x2]",
  ],
  ...[
    "ldaxp x1, x2, [x3]",
    "ldr d0, [x1]",
    "str q0, [x1]",
    "ldr s0, .",
    "ldur q0, [x1]",
    "dc zva, x0",
    "dc civac, x0",
    "nop",
  ],
];

const wordOf = (text: string): number => new Uint32Array(assembleProgram(text).bytes.buffer)[0] as number;

Deno.test("loadStoreSyndrome describes loads and stores of one register without writeback", () => {
  for (const [text, SAS, SSE, SRT, SF, AR] of SYNDROMES) {
    const expected = 1 << 24 | SAS << 22 | SSE << 21 | SRT << 16 | SF << 15 | AR << 14;
    assertEquals(loadStoreSyndrome(wordOf(text)).toString(16), expected.toString(16), text);
  }
  for (const text of WITHOUT) assertEquals(loadStoreSyndrome(wordOf(text)), 0, text);
});

// deno-fmt-ignore
const STATUS: readonly (readonly [FaultKind, level: number, status: number])[] = [
  ["addressSize", 0, 0x00], ["addressSize", 3, 0x03], ["translation", 0, 0x04], ["translation", 3, 0x07],
  ["accessFlag", 1, 0x09], ["accessFlag", 3, 0x0b], ["permission", 1, 0x0d], ["permission", 3, 0x0f],
  ["external", 0, 0x10], ["externalOnWalk", 0, 0x14], ["externalOnWalk", 3, 0x17], ["alignment", 0, 0x21],
];

Deno.test("statusOf gives every fault status code", () => {
  for (const [kind, level, status] of STATUS) {
    assertEquals(statusOf(stage1Fault(kind, level)), status, `${kind} ${level}`);
  }
});

interface Routing {
  readonly name: string;
  readonly options: TestOptions;
  readonly level: 0 | 1 | 2 | 3;
  readonly HCR?: bigint;
  readonly SCR?: bigint;
  readonly fault: Fault;
  readonly target: number;
}

const ALL = { el2: true, el3: true }, NS = 0x401n, EA = 8n, TGE = 1n << 27n;
const translation = stage1Fault("translation", 3), external = stage1Fault("external");

// deno-fmt-ignore
const ROUTES: readonly Routing[] = [
  { name: "EL0 to EL1",                       options: {},             level: 0, fault: translation, target: 1 },
  { name: "EL1 to EL1",                       options: ALL, SCR: NS,   level: 1, fault: translation, target: 1 },
  { name: "EL2 to EL2",                       options: ALL, SCR: NS,   level: 2, fault: translation, target: 2 },
  { name: "EL3 to EL3",                       options: ALL, SCR: NS,   level: 3, fault: translation, target: 3 },
  { name: "TGE",                              options: ALL, SCR: NS,   level: 0, HCR: TGE, fault: translation, target: 2 },
  { name: "TGE in Secure state",              options: ALL, SCR: 0x400n, level: 0, HCR: TGE, fault: translation, target: 1 },
  { name: "stage 2",                          options: ALL, SCR: NS,   level: 1, fault: stage2Fault("translation", 1, 0x1000, false), target: 2 },
  { name: "EA takes external aborts",         options: ALL, SCR: NS | EA, level: 1, fault: external, target: 3 },
  { name: "EA takes those of stage 2 walks",  options: ALL, SCR: NS | EA, level: 1, fault: stage2Fault("externalOnWalk", 1, 0x1000, true), target: 3 },
  { name: "EA takes those of EL2",            options: ALL, SCR: NS | EA, level: 2, fault: external, target: 3 },
  { name: "EA leaves translation faults",     options: ALL, SCR: NS | EA, level: 1, fault: translation, target: 1 },
  { name: "no EL3: no EA",                    options: { el2: true },  level: 0, HCR: TGE, fault: external, target: 2 },
];

/** Target and class of the pending exception, which goes. */
function taken(cpu: Cpu): [target: number | undefined, exceptionClass: number] {
  const { pending } = cpu;
  cpu.pending = undefined;
  return [pending?.target, (pending?.syndrome ?? 0) >>> 26];
}

Deno.test("raiseDataAbort and raiseInstructionAbort go where TGE, EA, stage and level say", () => {
  for (const { name, options, level, HCR = 0n, SCR = 0n, fault, target } of ROUTES) {
    const { cpu } = testCpus(options);
    setRegisters(cpu, { HCR_EL2: HCR, SCR_EL3: SCR });
    putAt(cpu, level);
    const lower = target > level ? 0 : 1;
    raiseDataAbort(cpu, fault, { address: 0x123n, write: false });
    assertEquals(taken(cpu), [target, 0x24 + lower], name);
    raiseInstructionAbort(cpu, fault);
    assertEquals(taken(cpu), [target, 0x20 + lower], name);
  }
});

Deno.test("raiseDataAbort describes the instruction for stage 2 aborts alone, and gives their IPA", () => {
  const { cpu } = testCpus({ el2: true });
  putAt(cpu, 1);
  const opcode = wordOf("ldrsh x3, [x1]");
  const syndrome = (fault: Fault, maintenance = false) => {
    cpu.pending = undefined;
    raiseDataAbort(cpu, fault, { address: 0n, write: false, opcode, maintenance });
    const { syndrome = 0, faultIpa } = cpu.pending ?? {} as NonNullable<typeof cpu.pending>;
    return [(syndrome & 0x1ff_ffff).toString(16), faultIpa];
  };
  assertEquals(syndrome(stage2Fault("translation", 2, 0x8000_1234, false)), ["1638006", 0x8000_1234]);
  assertEquals(syndrome(stage2Fault("translation", 2, 0x8000_1234, true)), ["86", 0x8000_1234]);
  assertEquals(syndrome(stage2Fault("translation", 2, 0x8000_1234, false), true), ["146", 0x8000_1234]);
  assertEquals(syndrome(stage1Fault("translation", 2)), ["6", undefined]);
  setRegisters(cpu, { HCR_EL2: TGE });
  putAt(cpu, 0);
  assertEquals(syndrome(stage1Fault("permission", 3)), ["f", undefined]);
});
