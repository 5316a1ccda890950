/** Sessions of the Debug Adapter Protocol over a small guest that calls, stores and faults. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, recorded } from "./support.ts";

/** Calls `outer` three times, which calls `inner`; then reads what is not there, and is off. */
const SOURCE = `
start:  adr     x0, stack
        mov     sp, x0
        mov     x29, #0
        mov     x30, #0
        adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x20, #3
again:  mov     x0, x20
        bl      outer
        sub     x20, x20, #1
        cbnz    x20, again
        mov     x1, #0x80000000
fault:  ldr     x2, [x1]
after:  ldr     x0, =0x84000008
        hvc     #0
        .ltorg
outer:  stp     x29, x30, [sp, #-16]!
        mov     x29, sp
        bl      inner
back:   add     x0, x0, #1
        ldp     x29, x30, [sp], #16
        ret
inner:  adr     x9, cell
store:  str     x0, [x9]
leaf:   ldr     x10, [x9, #8]
        ret
        .balign 16
        .space  256
stack:  .space  16
cell:   .quad   0, 0x1234
        .balign 2048
vectors: .space 512
handler: mrs    x11, ELR_EL1
        add     x11, x11, #4
        msr     ELR_EL1, x11
        eret
`;

const open = recorded(SOURCE);
const client = (stopAt?: number | string): Client => new Client(open).launch(stopAt);

Deno.test("DapSession stands where launch says: at the beginning, an instant or a name", () => {
  assertEquals(client().instant, 0);
  const events = new Client(open);
  events.launch();
  const names = events.received.filter(({ type }) => type === "event").map(({ event }) => event);
  assertEquals(names, ["output", "initialized", "stopped"]);
  assertEquals(client(12).instant, 12);
  assertEquals(client("inner").stack()[0], "inner");
  const address = client("leaf").evaluate("pc").split(" ")[0]!;
  assertEquals(client(address).stack()[0], "leaf");
});

Deno.test("DapSession says what is wrong with a launch, and takes a better one", () => {
  const one = new Client(open);
  assertMatch(one.refused("threads"), /launch/);
  assertMatch(one.refused("launch", {}), /launch: run/);
  assertMatch(one.refused("launch", { run: "nowhere" }), /Cannot open "nowhere"/);
  one.ask("launch", { run: "run", stopAt: 1e9 });
  assertMatch(one.refused("configurationDone"), /stopAt 1,000,000,000 is outside of the run/);
  one.launch(0);
  assertEquals(one.instant, 0);
});

Deno.test("DapSession shows threads, frames by frame records and links, scopes, registers and memory", () => {
  const one = client("inner");
  assertEquals(one.ask("threads").threads.map(({ id }: { id: number }) => id), [1, 2]);
  assertEquals(one.stack(), ["inner", "outer+0xc", "again+0x8"]);
  const [frame, caller] = one.ask("stackTrace", { threadId: 1 }).stackFrames;
  const scopes = one.ask("scopes", { frameId: frame.id }).scopes;
  assertEquals(scopes.map(({ name }: { name: string }) => name), [
    "Registers",
    "FP/SIMD",
    "System registers",
    "Run",
  ]);
  const registers = one.ask("variables", { variablesReference: scopes[0].variablesReference }).variables;
  assertEquals(registers.find(({ name }: { name: string }) => name === "x20").value, "0x0000000000000003");
  assertEquals(
    one.ask("variables", { variablesReference: scopes[1].variablesReference }).variables.length,
    32,
  );
  const [callerScope] = one.ask("scopes", { frameId: caller.id }).scopes;
  const [pc] = one.ask("variables", { variablesReference: callerScope.variablesReference }).variables;
  assertMatch(pc.value, /<back>/);
  const { data, address } = one.ask("readMemory", { memoryReference: "cell", offset: 8, count: 8 });
  assertEquals([...Uint8Array.fromBase64(data)], [0x34, 0x12, 0, 0, 0, 0, 0, 0]);
  assertEquals(BigInt(address), BigInt(one.evaluate("cell").split(" ")[0]!) + 8n);
  assertEquals(one.ask("readMemory", { memoryReference: "0x10000000000", count: 4 }).unreadableBytes, 4);
});

Deno.test("DapSession disassembles, and its listings take breakpoints", () => {
  const one = client("store");
  const { instructions } = one.ask("disassemble", {
    memoryReference: "pc",
    instructionOffset: -1,
    instructionCount: 3,
  });
  assertEquals(
    instructions.map(({ instruction }: { instruction: string }) => instruction.replace(/ 0x.*/, "")),
    [
      "adr x9,",
      "str x0, [x9]",
      "ldr x10, [x9, #8]",
    ],
  );
  assertEquals(instructions[1].symbol, "store");
  const [frame] = one.ask("stackTrace", { threadId: 1 }).stackFrames;
  const { content } = one.ask("source", { sourceReference: frame.source.sourceReference });
  const lines: string[] = content.split("\n");
  assertMatch(lines[frame.line - 1]!, /str x0, \[x9\]$/);
  const set = one.ask("setBreakpoints", {
    source: frame.source,
    breakpoints: [{ line: frame.line }, { line: 1e6 }],
  });
  assertEquals(set.breakpoints.map(({ verified }: { verified: boolean }) => verified), [true, false]);
  const at = one.instant;
  assertEquals(one.go("continue").hitBreakpointIds, [set.breakpoints[0].id]);
  assert(one.instant > at && one.stack()[0] === "store");
});

Deno.test("DapSession runs both ways to breakpoints, with conditions and counts", () => {
  const one = client();
  const { breakpoints } = one.ask("setFunctionBreakpoints", {
    breakpoints: [{ name: "inner", condition: "x20 < 3" }, { name: "nowhere" }, {
      name: "leaf",
      hitCondition: "==2",
    }],
  });
  assertEquals(breakpoints.map(({ verified }: { verified: boolean }) => verified), [true, false, true]);
  assertEquals(one.go("continue").reason, "breakpoint");
  assertEquals([one.stack()[0], one.evaluate("x20")], ["inner", "2"]);
  assertEquals(one.go("continue").hitBreakpointIds, [breakpoints[2].id]);
  assertEquals([one.stack()[0], one.evaluate("x20")], ["leaf", "2"]);
  assertEquals(one.go("continue").hitBreakpointIds, [breakpoints[0].id]);
  assertEquals(one.go("continue").reason, "end of the run");
  assertEquals(one.go("reverseContinue").reason, "breakpoint");
  assertEquals([one.stack()[0], one.evaluate("x20")], ["inner", "1"]);
  one.ask("setFunctionBreakpoints", { breakpoints: [] });
  assertEquals(one.go("reverseContinue").reason, "beginning of the run");
  assertEquals(one.instant, 0);
});

Deno.test("DapSession steps into, over, out of and back, and passes over exceptions", () => {
  const one = client("again");
  one.go("next");
  assertEquals(one.stack()[0], "again+0x4");
  const call = one.instant;
  assertEquals(one.go("next").reason, "step");
  assertEquals(one.stack()[0], "again+0x8");
  one.go("stepBack");
  assertEquals(one.stack()[0], "back+0x8");
  one.go("hindsight/seek", { instant: call });
  one.go("stepIn");
  assertEquals(one.stack()[0], "outer");
  one.go("stepOut");
  assertEquals(one.stack()[0], "again+0x8");
  const fault = client("fault");
  fault.go("next");
  assertEquals(fault.stack()[0], "after");
  fault.go("stepBack");
  assertEquals(fault.stack()[0], "handler+0xc");
});

Deno.test("DapSession stops at accesses to data: after them, or before them on the way back", () => {
  const one = client();
  const info = one.ask("dataBreakpointInfo", { name: "cell" });
  const set = one.ask("setDataBreakpoints", { breakpoints: [{ dataId: info.dataId, accessType: "write" }] });
  assertEquals(set.breakpoints[0].verified, true);
  assertEquals(one.go("continue").reason, "data breakpoint");
  assertEquals([one.stack()[0], one.evaluate('load(symbol("cell"), 8)')], ["leaf", "3"]);
  one.go("continue");
  assertEquals([one.stack()[0], one.evaluate('load(symbol("cell"), 8)')], ["leaf", "2"]);
  one.go("reverseContinue");
  assertEquals([one.stack()[0], one.evaluate('load(symbol("cell"), 8)')], ["store", "3"]);
  const physical = one.ask("dataBreakpointInfo", { name: "phys:0x40200000,4" });
  assertEquals(physical.dataId, "physical:0x40200000:4");
  assertEquals(one.ask("dataBreakpointInfo", { name: "no such thing" }).dataId, null);
  const wrong = one.ask("setDataBreakpoints", { breakpoints: [{ dataId: "virtual:0xffffffffffffffff:9" }] });
  assertEquals(wrong.breakpoints[0].verified, false);
});

Deno.test("DapSession stops at exceptions of the filters that are set, both ways", () => {
  const one = client();
  one.ask("setExceptionBreakpoints", { filters: ["dataAbort", "no such filter"] });
  const stopped = one.go("continue");
  assertEquals(stopped.reason, "exception");
  assertMatch(stopped.text, /^data abort from EL1 to EL1, ESR 0x96000010, at 0x[0-9a-f]+, FAR 0x80000000$/);
  assertEquals(one.stack()[0], "handler");
  assertEquals(one.go("continue").reason, "end of the run");
  assertEquals(one.go("reverseContinue").reason, "exception");
  assertEquals(one.stack()[0], "fault");
  one.ask("setExceptionBreakpoints", { filters: ["interrupt"] });
  assertEquals(one.go("continue").reason, "end of the run");
});

Deno.test("DapSession goes to targets: instants, and times at which a line is executed", () => {
  const one = client("store");
  const [frame] = one.ask("stackTrace", { threadId: 1 }).stackFrames;
  const { targets } = one.ask("gotoTargets", { source: frame.source, line: frame.line });
  const at = one.instant;
  assertEquals(one.go("goto", { threadId: 1, targetId: targets[0].id }).reason, "goto");
  assert(one.instant > at);
  one.go("goto", { threadId: 1, targetId: targets[1].id });
  assertEquals(one.instant, at);
  const [target] = one.ask("gotoTargets", { instant: 5 }).targets;
  one.go("goto", { threadId: 1, targetId: target.id });
  assertEquals(one.instant, 5);
  assertMatch(one.refused("goto", { threadId: 1, targetId: 999 }), /no target/);
});

Deno.test("DapSession evaluates registers, names, expressions and commands", () => {
  const one = client("store");
  const rows: [string, RegExp][] = [
    ["x0", /^3$/],
    ["$lr", /<back>$/],
    ["cell", /^0x400[0-9a-f]+ <cell>$/],
    ["load(x9 + 8, 8)", /^0x1234$/],
    ['register("x20", 0) == x20', /^true$/],
    ["instant > 5", /^true$/],
    ["x9 - 8", /^0x400[0-9a-f]+/],
  ];
  for (const [expression, wanted] of rows) assertMatch(one.evaluate(expression, "repl"), wanted, expression);
  assertMatch(one.evaluate("instant", "repl"), /^instant \d+ of 0 to \d+/);
  assertMatch(one.evaluate("root", "repl"), /^state root [0-9a-f]{64}/);
  assertMatch(one.evaluate("events 1", "repl"), /--- here, at instant/);
  assertMatch(one.evaluate("symbols inner", "repl"), /^0x/);
  assertMatch(one.evaluate("why x0", "repl"), /x0/);
  assertMatch(one.evaluate("who-wrote x20", "repl"), /movz|mov /);
  for (const name of ["help", "checkpoints"]) assert(one.evaluate(name, "repl").length > 10);
  one.evaluate("seek 4", "repl");
  assertEquals([one.stop().reason, one.instant], ["goto", 4]);
  assertMatch(one.refused("evaluate", { expression: "nothing" }), /nothing/);
  assertMatch(one.refused("evaluate", { expression: "seek 99999999999", context: "repl" }), /seek/);
});

Deno.test("DapSession refuses to change the past, and names what to do", () => {
  const one = client();
  for (const command of ["setVariable", "setExpression", "writeMemory"]) {
    assertMatch(one.refused(command, { value: "1" }), /hindsight fork/);
  }
});

Deno.test("DapSession pauses, tells progress and answers meanwhile", () => {
  const one = client();
  one.ask("setFunctionBreakpoints", { breakpoints: [] });
  one.ask("continue", { threadId: 1 });
  assertMatch(one.refused("stepIn", { threadId: 1 }), /pause it first/);
  one.ask("threads");
  one.ask("pause", { threadId: 1 });
  assertEquals(one.received.at(-1)?.event, "stopped");
  assertEquals(one.received.at(-1)?.body.reason, "pause");
  assert(!one.session.isBusy);
  one.ask("pause", {});
  assertEquals(one.received.at(-1)?.body.reason, "pause");
  one.ask("disconnect");
  assert(one.session.isClosed);
});
