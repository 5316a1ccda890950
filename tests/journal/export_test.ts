/** Exports are read back: Tarmac and QEMU's log by readers of their conventions, trace events by a schema. */
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { EXPORT_FORMATS, type ExportFormat, type ExportOptions, exportRun } from "../../journal/export.ts";
import { eventStream } from "../../journal/event_stream.ts";
import { Replay } from "../../journal/replay.ts";
import { physicalAddress } from "../../machine/address.ts";
import { savedState } from "../../machine/cpu/pstate.ts";
import type { EventOf, MachineEvent } from "../../machine/events.ts";
import { counterGuest, flatGuest, recordGuest } from "./guest.ts";

const guest = counterGuest(300);
const recorded = recordGuest(guest);
const exported = (format: ExportFormat, options: ExportOptions = {}) =>
  [...exportRun(recorded.run, guest.images, format, options)].join("");
const events = [...eventStream(recorded.run, guest.images)];
const ofKind = <K extends MachineEvent["kind"]>(kind: K, list = events) =>
  list.filter((event) => event.kind === kind) as EventOf<K>[];

/** What a reader of Tarmac knows of one CPU after the lines so far. */
class TarmacState {
  readonly registers = new Map<string, bigint>();
  readonly pcs: bigint[] = [];
  exceptions = 0;
}

// The grammar of the Fast Models Reference Guide, as tarmac-trace-utilities take it.
const LINE = /^(\d+) clk (?:cpu(\d+) )?(IT|R|M[RW][1248]|E) (.*)$/;
const INSTRUCTION = /^\((\d+)\) ([0-9a-f]{8}|[0-9a-f]{16}) ([0-9a-f]{8}) O (EL[0-3][ht])_([ns]) : (\S.*)$/;
const REGISTER = /^(\S+) ([0-9a-f]+)$/;
const MEMORY = /^([0-9a-f]{8}|[0-9a-f]{16}) ([0-9a-f_]+)$/;
const EXCEPTION = /^[0-9a-f]{8,16} (?:EL[0-3][ht] )?([0-9a-f]{8}) (CoreEvent_\w+)$/;
// deno-fmt-ignore
const EVENT_NAMES: Readonly<Record<string, string>> = {
  "00000019": "CoreEvent_ModeChange",
  "00000084": "CoreEvent_CURRENT_SPx_SYNC", "00000085": "CoreEvent_CURRENT_SPx_IRQ",
  "00000088": "CoreEvent_LOWER_64_SYNC",    "00000089": "CoreEvent_LOWER_64_IRQ",
};

/** Reads Tarmac text into the CPUs' states and the bytes written; fails on a line that is not one. */
function readTarmac(text: string): { cpus: Map<number, TarmacState>; written: Map<bigint, number> } {
  const cpus = new Map<number, TarmacState>(), written = new Map<bigint, number>();
  let last = 0;
  for (const line of text.trimEnd().split("\n")) {
    const [, time, cpu = "0", kind, rest] = LINE.exec(line) ?? [];
    assert(rest !== undefined, `no line of Tarmac: ${line}`);
    assert(Number(time) >= last, line);
    last = Number(time);
    let state = cpus.get(Number(cpu));
    if (state === undefined) cpus.set(Number(cpu), state = new TarmacState());
    if (kind === "IT") {
      const [, , pc, , mode] = INSTRUCTION.exec(rest) ?? [];
      assert(pc !== undefined, `no instruction: ${line}`);
      const cpsr = state.registers.get("cpsr") as bigint;
      assertEquals(mode, `EL${cpsr >> 2n & 3n}${cpsr & 1n ? "h" : "t"}`, line);
      state.pcs.push(BigInt(`0x${pc}`));
    } else if (kind === "R") {
      const [, name, value] = REGISTER.exec(rest) ?? [];
      assert(value !== undefined, `no register: ${line}`);
      assertEquals(value.length, name === "cpsr" ? 8 : /^Q\d/.test(name!) ? 32 : 16, line);
      state.registers.set(name!, BigInt(`0x${value}`));
    } else if (kind === "E") {
      const [, number, name] = EXCEPTION.exec(rest) ?? [];
      assert(number !== undefined && EVENT_NAMES[number] === name, line);
      if (name !== "CoreEvent_ModeChange") state.exceptions++;
    } else {
      const [, address, digits = ""] = MEMORY.exec(rest) ?? [];
      const bytes = Uint8Array.fromHex(digits.replace("_", "")).reverse();
      assertEquals(bytes.length, Number(kind!.slice(2)), line);
      if (kind!.startsWith("MW")) {
        bytes.forEach((byte, at) => written.set(BigInt(`0x${address}`) + BigInt(at), byte));
      }
    }
  }
  return { cpus, written };
}

Deno.test("export as tarmac gives a reader of its conventions every CPU's registers, and memory, as they are at the end", () => {
  for (const range of [{}, { from: 700, to: 1500 }]) {
    const { cpus, written } = readTarmac(exported("tarmac", range));
    const replay = new Replay(recorded.run, guest.images);
    replay.runTo(range.to ?? recorded.run.lastInstant);
    const { board } = replay.machine;
    assertEquals(cpus.size, board.cpus.length);
    for (const [index, { registers }] of cpus) {
      const cpu = board.cpus[index]!;
      const x = Array.from({ length: 31 }, (_, n) => registers.get(`X${n}`));
      assertEquals(x, Array.from({ length: 31 }, (_, n) => cpu.registers.x(n)));
      assertEquals(registers.get("cpsr"), savedState(cpu) & 0xffff_ffffn);
      assertEquals(registers.get(`SP_EL${cpu.el}`), cpu.registers.sp);
      const q = Array.from({ length: 32 }, (_, n) => registers.get(`Q${n}`));
      assertEquals(q, Array.from({ length: 32 }, (_, n) => cpu.v[n * 2 + 1]! << 64n | cpu.v[n * 2]!));
    }
    for (const [address, byte] of written) {
      if (address < 0x4000_0000n) continue;
      assertEquals(
        board.memory.viewBytes(physicalAddress(Number(address)), 1)[0],
        byte,
        address.toString(16),
      );
    }
  }
  const { cpus } = readTarmac(exported("tarmac"));
  for (const [index, { pcs, exceptions }] of cpus) {
    assertEquals(pcs, ofKind("stepRetired").filter(({ cpu }) => cpu === index).map(({ pc }) => pc));
    assertEquals(exceptions, ofKind("exceptionTaken").filter(({ cpu }) => cpu === index).length);
  }
  assert(ofKind("exceptionTaken").some(({ exception }) => exception === "irq"));
});

Deno.test("export as tarmac writes wide accesses and vectors in parts that a reader joins", () => {
  const wide = flatGuest(`
        mov     x0, #0x300000
        msr     CPACR_EL1, x0
        isb
        adr     x1, data
        ldp     q0, q1, [x1]
        stp     q1, q0, [x1]
        strh    w0, [x1, #6]
        ldr     x0, =0x84000008
        hvc     #0
        .align  4
data:   .quad   1, 2, 3, 4
`);
  const run = recordGuest(wide, { machine: { cpus: 1 } });
  const { cpus, written } = readTarmac([...exportRun(run.run, wide.images, "tarmac")].join(""));
  const data = wide.program.symbols.get("data")!;
  assertEquals(cpus.get(0)!.registers.get("Q1"), 4n << 64n | 3n);
  assertEquals(Array.from({ length: 32 }, (_, at) => written.get(data + BigInt(at))).filter((byte) => byte), [
    3,
    4,
    1,
    2,
  ]);
});

const number = z.number().min(0);
const common = { pid: z.int(), tid: z.int() };
const args = z.record(z.string(), z.unknown());
/** The events of the Trace Event Format that Perfetto takes, as far as they are used. */
const traceEvent = z.discriminatedUnion("ph", [
  z.strictObject({ ph: z.literal("B"), ...common, name: z.string(), cat: z.string(), ts: number, args }),
  z.strictObject({ ph: z.literal("E"), ...common, ts: number }),
  z.strictObject({
    ph: z.literal("X"),
    ...common,
    name: z.string(),
    cat: z.string().optional(),
    ts: number,
    dur: number,
    args: args.optional(),
  }),
  z.strictObject({
    ph: z.literal("i"),
    ...common,
    s: z.enum(["g", "t"]),
    name: z.string(),
    cat: z.string(),
    ts: number,
    args,
  }),
  z.strictObject({
    ph: z.literal("C"),
    ...common,
    name: z.string(),
    ts: number,
    args: z.record(z.string(), z.number()),
  }),
  z.strictObject({
    ph: z.literal("M"),
    ...common,
    name: z.enum(["process_name", "thread_name"]),
    args: z.strictObject({ name: z.string() }),
  }),
]);
const trace = z.strictObject({
  displayTimeUnit: z.enum(["ns", "ms"]),
  otherData: args,
  traceEvents: z.array(traceEvent),
});

Deno.test("export as perfetto is JSON of trace events, with slices closed and one instant for each access", () => {
  const { traceEvents } = trace.parse(JSON.parse(exported("perfetto", { nameOf: () => "place" })));
  const open = new Map<number, number[]>();
  for (const event of traceEvents) {
    if (event.ph === "B") open.set(event.tid, [...open.get(event.tid) ?? [], event.ts]);
    if (event.ph === "E") assert((open.get(event.tid)?.pop() ?? Infinity) <= event.ts);
  }
  assertEquals([...open.values()].flat(), []);
  const devices = traceEvents.filter((event) => event.ph === "i" && event.cat === "device");
  assertEquals(devices.length, ofKind("deviceRead").length + ofKind("deviceWritten").length);
  assertEquals(traceEvents.filter(({ ph }) => ph === "B").length, ofKind("exceptionTaken").length);
  const lines = traceEvents.flatMap((event) =>
    event.ph === "X" && event.cat === "console" ? [event.name] : []
  );
  assertEquals(lines, recorded.console.trimEnd().split(/\r?\n/));
  const names = traceEvents.flatMap((event) => event.ph === "M" ? [`${event.pid}/${event.tid}`] : []);
  for (const event of traceEvents) {
    if (event.ph !== "C") {
      assert(names.includes(`${event.pid}/${event.tid}`), `${event.pid}/${event.tid} has no name`);
    }
  }
  const end = recorded.end.virtualTime / 1000;
  const levels = traceEvents.filter((event) =>
    event.ph === "X" && event.name.startsWith("EL") && event.tid === 11
  );
  assertEquals(
    levels.reduce((sum, event) => sum + (event.ph === "X" ? event.dur : 0), 0).toFixed(3),
    end.toFixed(3),
  );
});

Deno.test("export as qemu-log has a Trace line for each step, its code once, and each exception", () => {
  const text = exported("qemu-log", {
    nameOf: (address) => address === guest.program.symbols.get("start") ? "start" : undefined,
  });
  const traced = [
    ...text.matchAll(
      /^Trace (\d): 0x[0-9a-f]+ \[[0-9a-f]{16}\/([0-9a-f]{16})\/[0-9a-f]{8}\/[0-9a-f]{8}\] (\w*)$/gm,
    ),
  ];
  const steps = ofKind("stepRetired");
  assertEquals(
    traced.map(([, cpu, pc]) => [Number(cpu), BigInt(`0x${pc}`)]),
    steps.map(({ cpu, pc }) => [cpu, pc]),
  );
  assertEquals(traced.filter(([, , , name]) => name === "start").length, 1);
  const code = [...text.matchAll(/^----------------\nIN: \w*\n0x([0-9a-f]{8,16}): {2}([0-9a-f]{8}) {2}\S/gm)];
  const words = new Map(steps.map(({ pc, opcode }) => [pc, opcode]));
  assertEquals(new Map(code.map(([, pc, word]) => [BigInt(`0x${pc}`), parseInt(word!, 16)])), words);
  assertEquals(code.length, words.size);
  const taken = [
    ...text.matchAll(/^Taking exception (\d+) \[([^\]]+)\] on CPU \d\n\.\.\.from EL\d to EL\d\n/gm),
  ];
  assertEquals(taken.length, ofKind("exceptionTaken").length + ofKind("firmwareCalled").length);
  assert(taken.some(([, number, name]) => number === "5" && name === "IRQ"));
  assertEquals([...text.matchAll(/^Exception return from /gm)].length, ofKind("exceptionReturned").length);
});

Deno.test("export of a range has its steps alone, whatever the format", () => {
  const [from, to] = [400, 430];
  const steps = ofKind("stepRetired").filter(({ instant }) => instant >= from && instant < to).length;
  assertEquals(exported("tarmac", { from, to }).match(/ IT /g)?.length, steps);
  assertEquals(exported("qemu-log", { from, to }).match(/^Trace /gm)?.length, steps);
  const { traceEvents } = trace.parse(JSON.parse(exported("perfetto", { from, to })));
  const start = traceEvents.flatMap((event) => event.ph === "X" && event.tid === 11 ? [event.ts] : []);
  assert(Math.min(...start) > 0);
  assertEquals(Object.keys(EXPORT_FORMATS), ["tarmac", "perfetto", "qemu-log"]);
});
