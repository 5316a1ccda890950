/** Tests of queries over the events of a run. */
import { assertEquals, assertThrows } from "@std/assert";
import { PredicateError } from "../../journal/errors.ts";
import { ALL_CLASSES, eventStream } from "../../journal/event_stream.ts";
import { EventCounter, planOf, queryEvents, type QueryOptions } from "../../journal/query.ts";
import { EventQuery } from "../../journal/query_expression.ts";
import { QUERY_VARIABLES } from "../../journal/query_schema.ts";
import { Timeline } from "../../journal/timeline.ts";
import { EVENT_KIND_NAMES, type Input, type MachineEvent } from "../../machine/events.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import { sha256 } from "../../journal/hash.ts";
import { guestProgram } from "../cli/support.ts";
import { flatGuest, type Guest, recordGuest } from "./guest.ts";

/** A run with traps, device accesses, idle time and inputs. */
const program = guestProgram();
const hash = sha256(program.bytes).toHex();
const guest: Guest = {
  program,
  images: new Map([[hash, program.bytes]]),
  configuration: (more) =>
    parseConfiguration({
      ...more,
      boot: { kernel: { sha256: hash, size: program.bytes.length, name: "guest" } },
    }),
};
const typed = (text: string): Input => ({ kind: "consoleReceived", bytes: new TextEncoder().encode(text) });
const recording = recordGuest(guest, {
  machine: { cpus: 1, memoryMiB: 8 },
  limit: 2000,
  inputs: [[60, "ua"], [140, "tb"], [260, "\rcuq"]].map(([instant, text]) => ({
    instant: instant as number,
    input: typed(text as string),
  })),
});
const everything = [...eventStream(recording.run, guest.images, { classes: ALL_CLASSES })];

function found(expression: string, options: QueryOptions = {}): MachineEvent[] {
  return [...queryEvents(recording.run, guest.images, new EventQuery(expression), options)];
}

/** Expressions and what they mean, in TypeScript. */
const CASES: readonly (readonly [string, (event: MachineEvent) => boolean])[] = [
  ['kind == "exceptionTaken"', ({ kind }) => kind === "exceptionTaken"],
  [
    'device == "uart0" && value > 64',
    (e) => (e.kind === "deviceRead" || e.kind === "deviceWritten") && e.device === "uart0" && e.value > 64n,
  ],
  // What has no device does not match, whichever way it is compared.
  ['device != "uart0"', (e) => "device" in e && e.device !== "uart0"],
  ['!(device == "uart0")', (e) => "device" in e && e.device !== "uart0"],
  [
    'device == "uart0" || kind == "timeSkipped"',
    (e) => e.kind === "timeSkipped" || ("device" in e && e.device === "uart0"),
  ],
  [
    'kind in ["cpuIdled", "cpuWoken"] && cpu == 0',
    (e) => (e.kind === "cpuIdled" || e.kind === "cpuWoken") && e.cpu === 0,
  ],
  [
    'kind.startsWith("cpu") && eventClass == "detail"',
    (e) => e.kind.startsWith("cpu") && e.kind !== "cpuSwitchForced",
  ],
  ['class == "unknown"', (e) => e.kind === "exceptionTaken"],
  [
    'sets("x0") && result("x0") == 16',
    (e) => e.kind === "stepRetired" && e.registers.findLast(({ register }) => register === 0)?.value === 16n,
  ],
  [
    'instruction.startsWith("str ") && instant < 60',
    (e) => e.kind === "stepRetired" && e.instant < 60 && e.memory.some(({ write }) => write),
  ],
  [
    "memory.exists(m, m.write && m.size == 4)",
    (e) => e.kind === "stepRetired" && e.memory.some(({ write, size }) => write && size === 4),
  ],
  [
    'kind == "exceptionTaken" ? exception == "irq" : kind == "cpuIdled"',
    (e) => e.kind === "cpuIdled" || (e.kind === "exceptionTaken" && e.exception === "irq"),
  ],
];

/** Expressions that say by addresses which steps they are true for, which are found by watch points. */
const WATCHED: readonly string[] = [
  "pc == 0x4008003c",
  'instruction != "nop" && 0x40080048 == pc',
  "pc in [0x40080048, 0x4008004c, 0x40080080] && cpu == 0",
  "writes(0x9000000, 4)",
  'reads(0x9000018, 1) && sets("x0")',
  "writes(0x8010000 + 0x100, 4) || reads(0x9000000, 4) || pc == 0x40080080",
];

Deno.test("queryEvents finds steps by watch points as it does by looking at all of them", () => {
  let count = 0;
  for (const expression of WATCHED) {
    const query = new EventQuery(expression);
    assertEquals(query.watches !== undefined, true, expression);
    const expected = everything.filter((event) => query.verdict(event) === "yes");
    count += expected.length;
    assertEquals(found(expression), expected, expression);
    assertEquals(found(expression, { backward: true }), expected.toReversed(), expression);
    const range = { from: 40, to: 170 };
    const within = expected.filter(({ instant }) => instant >= range.from && instant < range.to);
    assertEquals(found(expression, range), within, expression);
    assertEquals(found(expression, { ...range, backward: true }), within.toReversed(), expression);
  }
  assertEquals(count >= 20, true);
  for (
    const expression of [
      'pc == 1 || kind == "powerCut"',
      "pc > 4",
      "pc == 4 || cpu == 0 && pc > 0",
      "pc == pc",
    ]
  ) {
    assertEquals(new EventQuery(expression).watches, undefined, expression);
  }
});

Deno.test("queryEvents finds what the expression says, forward and backward, in any range", () => {
  for (const [expression, isMeant] of CASES) {
    const expected = everything.filter(isMeant), actual = found(expression);
    assertEquals(actual, expected, expression);
    assertEquals(expected.length > 0, true, `${expression} is never true: nothing is tested`);
    assertEquals(found(expression, { backward: true }), expected.toReversed(), expression);
    const range = { from: 40, to: 170 };
    const within = expected.filter(({ instant }) => instant >= range.from && instant < range.to);
    assertEquals(found(expression, range), within, expression);
    assertEquals(found(expression, { ...range, backward: true }), within.toReversed(), expression);
    // Whether something can match is decided by kind, without evaluating: that must leave nothing out.
    const query = new EventQuery(expression);
    for (const { kind } of expected) assertEquals(query.kinds.has(kind), true, `${expression}: ${kind}`);
  }
});

Deno.test("planOf reads what is stored, and says what has to be derived", () => {
  const plan = (expression: string) => planOf(recording.run, new EventQuery(expression));
  assertEquals(plan('kind == "deviceRead"').derived, []);
  assertEquals(
    plan(
      'device == "uart0" && kind != "memoryReadByDevice" && kind != "memoryWrittenByDevice" && kind != "messageSignalled"',
    ).derived,
    [],
  );
  assertEquals(plan('device == "uart0"').derived, ["detail"]);
  assertEquals(plan('sets("x0")').classes, ["step"]);
  assertEquals(plan('kind == "deviceRead" && register("x0") == 1').readsState, true);
  assertEquals(plan('kind == "deviceRead" && instant >= 10 && 20 > instant').from, 10);
  assertEquals(plan('kind == "deviceRead" && instant >= 10 && 20 > instant').to, 20);
  assertEquals(new EventQuery('kind == "deviceRead" && syndrome == 1').kinds.size, 0);
});

Deno.test("queryEvents reads registers, memory and time before the event's step", () => {
  const timeline = new Timeline(recording.run, guest.images);
  const writes = everything.filter((event) => event.kind === "deviceWritten" && event.device === "uart0");
  const expected = writes.filter((event) => {
    timeline.seek(event.instant);
    return timeline.machine.board.cpus[event.cpu]?.registers.x(0) === 62n;
  });
  const expression = 'kind == "deviceWritten" && device == "uart0" && register("x0") == 62';
  assertEquals(found(expression), expected);
  assertEquals(found(expression, { backward: true }), expected.toReversed());
  timeline.seek(100);
  const now = timeline.machine.virtualTime;
  assertEquals(
    found(`kind == "deviceWritten" && time >= ${now}`).map(({ instant }) => instant),
    everything.filter(({ kind, instant }) => kind === "deviceWritten" && instant >= 100).map(({ instant }) =>
      instant
    ),
  );
  // What is decided without the state is not asked of it.
  assertEquals(new EventQuery(expression).verdict(everything[0] as MachineEvent), "no");
});

Deno.test("EventCounter counts by values, the most first", () => {
  const counter = new EventCounter(["kind", "device"]);
  for (const event of everything) counter.add(event);
  const counts = counter.counts();
  assertEquals(counts.reduce((sum, { count }) => sum + count, 0), everything.length);
  const read = counts.find(({ values: [kind, device] }) => kind === "deviceWritten" && device === "uart0");
  const uart = everything.filter((event) => event.kind === "deviceWritten" && event.device === "uart0");
  assertEquals(read?.count, uart.length);
  assertEquals([read?.first, read?.last], [uart[0]?.instant, uart.at(-1)?.instant]);
  assertThrows(() => new EventCounter(["devce"]), PredicateError, 'Did you mean "device"?');
});

Deno.test("QUERY_VARIABLES has every field of every kind, under a name the language can say", () => {
  for (const [name, { kinds }] of QUERY_VARIABLES) {
    assertEquals(kinds.size > 0, true, name);
    // Throws where the name is a word of the language.
    new EventQuery(`${name} == ${name}`);
  }
  assertEquals(QUERY_VARIABLES.get("kind")?.words, EVENT_KIND_NAMES);
});

/** Wrong expressions, and what is said of them. */
const REFUSALS: readonly (readonly [string, string])[] = [
  ["kind ==", "Unexpected token: EOF\n\n>    1 | kind ==\n                ^"],
  ['kind == "a" &&\n  instnt == 2', 'kind is never "a": '],
  [
    "cpu == 1 &&\n  instnt == 2",
    'Unknown variable: instnt. Did you mean "instant"?\n\n>    2 |   instnt == 2\n           ^',
  ],
  [
    'kind == "exceptionTakn"',
    'kind is never "exceptionTakn". Did you mean "exceptionTaken"?\n\n>    1 | kind == "exceptionTakn"\n                 ^',
  ],
  [
    'kind in ["deviceRead", "devicWritten"]',
    'Did you mean "deviceWritten"?\n\n>    1 | kind in ["deviceRead", "devicWritten"]\n                                ^',
  ],
  ['conduit == "svc"', 'conduit is never "svc". Did you mean "hvc"?'],
  ['regster("x0") == 1', 'Did you mean "register"?\n\n>    1 | regster("x0") == 1\n         ^'],
  ['register("ELR_EL4") == 1', 'There is no register "ELR_EL4". Did you mean "ELR_EL'],
  ['value == "x"', "no such overload: int == string"],
  ["value", "The expression has type int; a query needs bool\n\n>    1 | value\n         ^"],
  [
    'inside("main")',
    'There is no symbol "main": no symbols were given\n\n>    1 | inside("main")\n                ^',
  ],
];

Deno.test("EventQuery refuses what is wrong and points at it", () => {
  for (const [expression, message] of REFUSALS) {
    if (message.startsWith('kind is never "a"')) {
      assertThrows(() => new EventQuery(expression), PredicateError, "instnt");
      continue;
    }
    assertThrows(() => new EventQuery(expression), PredicateError, message, expression);
  }
});

Deno.test("physical() translates as the event's CPU does, and inside() knows ranges", () => {
  const small = flatGuest(`
start:  adr     x1, word
        ldr     x0, [x1]
        ldr     w0, =0x84000008
        hvc     #0
        .align  3
word:   .quad   5
`);
  const { run } = recordGuest(small, { machine: { cpus: 1 } });
  const word = small.program.symbols.get("word") as bigint;
  const names = {
    addressOf: (name: string) => name === "word" ? word : 0x40080000n,
    rangeOf: () => ({ address: 0x40080000n, size: 4n }),
    nameOf: (address: bigint) => address < 0x40080004n ? "start" : "next+0x4",
  };
  const ask = (expression: string) =>
    [...queryEvents(run, small.images, new EventQuery(expression, names))].map(({ instant }) => instant);
  assertEquals(ask('reads(symbol("word"), 1)'), [7]);
  assertEquals(ask('reads(symbol("word") + 64, 1)'), []);
  assertEquals(ask('kind == "stepRetired" && physical(pc) == pc && instant >= 6'), [6, 7, 8, 9]);
  assertEquals(ask('inside("start")'), [6]);
  assertEquals(ask('inside(pc, "start")'), [6]);
  assertEquals(ask('place == "start" && pc >= symbol("start") - 4096'), [6]);
});
