/** Tests of a session of gdb at a recorded run: what each packet is answered with. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { latin1Bytes, toHex } from "../../../machine/debugger_packets.ts";
import { encodePacket } from "../../../machine/debugger_packets.ts";
import { TimelineTarget } from "../../../cli/gdb/timeline_target.ts";
import { Timeline } from "../../../journal/timeline.ts";
import { recordGuest } from "../../journal/guest.ts";
import { Client, counterClient, counterRun, GDB_15, GUEST, label } from "./support.ts";

Deno.test("qSupported names what there is, and both ways", () => {
  const answer = counterClient().ask(GDB_15);
  for (
    const part of ["PacketSize=4000", "ReverseStep+", "ReverseContinue+", "qXfer:features:read+", "swbreak+"]
  ) {
    assertStringIncludes(answer, part);
  }
  assertEquals(answer.includes("multiprocess"), false);
});

Deno.test("packets that are not known are answered with nothing", () => {
  const client = counterClient();
  for (
    const payload of [
      "vMustReplyEmpty",
      "qTStatus",
      "Z9,0,0",
      "!",
      "R00",
      "",
      "_nonsense",
      "QNonStop:1",
      "__proto__",
    ]
  ) {
    assertEquals(client.all(payload), [""], payload);
  }
});

Deno.test("acknowledgements are sent until the client wants none", () => {
  const client = new Client(counterClient().session.target);
  const send = (text: string): string[] => {
    client.received = [];
    client.session.receive(latin1Bytes(text));
    return client.received;
  };
  assertEquals(send("$qC#b4"), ["+", "QC1"]);
  assertEquals(send("$qC#b4"), ["+"], "sent again before its answer was acknowledged");
  assertEquals(send("-"), ["QC1"]);
  assertEquals(send("+$qC#b4"), ["+", "QC1"]);
  assertEquals(send("$qC#b5"), ["-"]);
  assertEquals(send("+$QStartNoAckMode#b0"), ["+", "OK"]);
  assertEquals(send("$qC#b4"), ["QC1"]);
  assertEquals(send("$qC#b5"), []);
});

function transferred(client: Client, object: string): string {
  let text = "";
  for (;;) {
    const part = client.ask(`qXfer:${object}:${text.length.toString(16)},200`);
    text += part.slice(1);
    if (part[0] !== "m") return text;
  }
}

Deno.test("target.xml numbers registers as gdb does, system registers in a group of their own", () => {
  const xml = transferred(counterClient(), "features:read:target.xml");
  for (
    const [name, number] of [["x0", 0], ["sp", 31], ["pc", 32], ["cpsr", 33], ["v0", 34], ["fpsr", 66], [
      "fpcr",
      67,
    ]]
  ) {
    assertMatch(xml, new RegExp(`<reg name="${name}" [^>]*regnum="${number}"`));
  }
  assertMatch(xml, /<reg name="ELR_EL1" bitsize="64" type="int" regnum="\d+" group="system"/);
  assertEquals(xml.includes("ELR_EL2"), false, "the machine has no EL2");
});

Deno.test("the memory map is all of memory, with the flash banks as ROM", () => {
  const xml = transferred(counterClient(), "memory-map:read:");
  assertStringIncludes(xml, `<memory type="rom" start="0x0" length="0x4000000"/>`);
  assertStringIncludes(xml, `<memory type="ram" start="0x8000000000000000" length="0x8000000000000000"/>`);
});

Deno.test("threads are CPUs, numbered from 1", () => {
  const client = counterClient();
  assertEquals(client.ask("qfThreadInfo"), "m1,2");
  assertEquals(client.ask("qsThreadInfo"), "l");
  assertStringIncludes(transferred(client, "threads:read:"), `<thread id="2" core="1" name="cpu1">EL1, off`);
  assertEquals(client.ask("T2"), "OK");
  assertEquals(client.ask("T3")[0], "E");
  assertEquals(client.ask("Hg2"), "OK");
  assertEquals(client.ask("qC"), "QC2");
  assertEquals(client.ask("Hg3")[0], "E");
  assertEquals(client.ask("Hc-1"), "OK");
  assertEquals(client.ask("qThreadExtraInfo,2"), toHex("EL1, off"));
});

Deno.test("g and p read registers", () => {
  const client = counterClient();
  assertEquals(client.ask("g").length, 2 * (33 * 8 + 4 + 32 * 16 + 8));
  assertEquals(client.register("pc"), 0x40000000n);
  assertEquals(client.register("CurrentEL"), 4n);
  assertEquals(client.register("instant"), 0n);
  assertEquals(client.ask("pffff")[0], "E");
  assertEquals(client.ask("p")[0], "E");
});

Deno.test("m and x read memory, and never a device", () => {
  const client = counterClient();
  const first = [...GUEST.program.bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  assertEquals(client.ask(`m${label("start")},4`), first);
  assertEquals(
    client.ask(`x${label("start")},4`),
    `b${String.fromCharCode(...GUEST.program.bytes.subarray(0, 4))}`,
  );
  assertEquals(client.ask("m9000018,4"), "E01");
  assertEquals(client.ask("mffff000000000000,4"), "E01");
  // 128 MiB of RAM end here: what is before is given.
  assertEquals(client.ask("m47fffffe,10").length, 4);
  const new_ = counterClient(GDB_15);
  assertStringIncludes(new_.ask("m9000018,4"), "E.There is no memory at 0x9000018");
  assertStringIncludes(new_.ask("mffff000000000000,4"), "E.Nothing is mapped");
});

Deno.test("m goes through the translation of the thread's CPU", () => {
  const client = counterClient(GDB_15);
  client.ask(`Z0,${label("report")},4`);
  client.ask("c");
  assertEquals(client.ask(`m${label("counter")},1`), "28", "20 rounds of each CPU");
  // Gigabytes above the second are not mapped; the first is devices, all of it.
  assertStringIncludes(client.ask("m80000000,4"), "E.Nothing is mapped at 0x80000000 for cpu0 at EL1");
  assertStringIncludes(client.ask("m9000018,4"), "physical 0x9000018");
  client.ask("Qqemu.PhyMemMode:1");
  assertStringIncludes(client.ask("m80000000,4"), "E.There is no memory at 0x80000000");
});

Deno.test("Qqemu.PhyMemMode reads physical memory", () => {
  const client = counterClient();
  assertEquals(client.ask("qqemu.PhyMemMode"), "0");
  assertEquals(client.ask("Qqemu.PhyMemMode:1"), "OK");
  assertEquals(client.ask("qqemu.PhyMemMode"), "1");
  assertEquals(client.ask(`m${label("start")},4`).length, 8);
  assertEquals(client.ask("m9000018,4")[0], "E");
  assertEquals(client.ask("mffffffffffffffff,4")[0], "E");
});

Deno.test("writes are refused, and the refusal is the fork that makes them", () => {
  const client = counterClient(), counter = label("counter");
  const edits: readonly (readonly [packet: string, action: string])[] = [
    ["P0=0500000000000000", "set cpu0 x0 0x0000000000000005"],
    ["G00", "ACTION"],
    [`M${counter},2:0102`, `poke 0x${counter} 0x0201`],
    [`X${counter},1:a`, `poke 0x${counter} 0x61`],
    ["c1000", "set cpu0 pc 0x1000"],
  ];
  for (const [packet, action] of edits) {
    const answer = client.ask(packet);
    assertMatch(answer, /^E\.Editing history is refused.*`hindsight fork RUN --at 0 --do/, packet);
    assertStringIncludes(answer, `'${action}'`);
  }
  assertEquals(client.ask(`X${counter},0:`), "", "gdb asks whether there is an X packet");
  assertEquals(client.notes.length, 5);
  // gdb 13 keeps the text for itself: it is told when the client listens.
  const [told, stop] = client.all("vCont;s:1");
  assertMatch(new TextDecoder().decode(Uint8Array.fromHex(told!.slice(1))), /^Editing history/);
  assertMatch(stop!, /^T05thread:1;/);
});

Deno.test("breakpoints stop before their instruction, forward and back", () => {
  const client = counterClient();
  assertEquals(client.ask(`Z0,${label("load0")},4`), "OK");
  assertMatch(client.ask("vCont;c"), /^T05swbreak:;thread:1;core:0;/);
  const first = client.register("instant");
  assertEquals(client.register("pc"), GUEST.program.symbols.get("load0"));
  client.ask("vCont;c");
  assert(client.register("instant") > first);
  assertMatch(client.ask("bc"), /^T05swbreak:;thread:1/);
  assertEquals(client.register("instant"), first);
  assertMatch(client.ask("bc"), /^T05replaylog:begin;thread:1;/);
  assertEquals(client.ask(`z0,${label("load0")},4`), "OK");
  assertEquals(client.ask(`Z1,${label("report")},4`), "OK");
  assertMatch(client.ask("c"), /^T05hwbreak:;thread:1/);
  client.ask(`z1,${label("report")},4`);
  assertMatch(client.ask("c"), /^T05replaylog:end;/);
  assertEquals(client.register("instant"), BigInt(counterRun().run.lastInstant));
});

Deno.test("a client that does not know swbreak is not told", () => {
  const client = counterClient("qSupported:hwbreak+");
  client.ask(`Z0,${label("load0")},4`);
  assertMatch(client.ask("c"), /^T05thread:1;core:0;1d:/);
});

Deno.test("watchpoints stop on the near side of an access, forward and back", () => {
  const client = counterClient(), counter = label("counter");
  assertEquals(client.ask(`Z2,${counter},8`), "OK");
  const value = (): string => client.ask(`m${counter},1`);
  assertMatch(client.ask("c"), new RegExp(`^T05watch:${counter};thread:1;`));
  assertEquals([client.register("pc"), value()], [GUEST.program.symbols.get("store0"), "00"]);
  // As gdb goes on: it steps over the access without its watchpoint.
  client.ask(`z2,${counter},8`);
  assertMatch(client.ask("vCont;s:1"), /^T05thread:1/);
  assertEquals(value(), "01");
  client.ask(`Z2,${counter},8`);
  assertMatch(client.ask("c"), /^T05watch:/);
  const second = client.register("instant");
  // Without a step it goes on too, and is told of the next.
  assertMatch(client.ask("c"), /^T05watch:/);
  assert(client.register("instant") > second);
  assertEquals(value(), "02");
  assertMatch(client.ask("bc"), /^T05watch:/);
  assertEquals([client.register("instant"), value()], [second + 1n, "02"]);
  assertMatch(client.ask("bs"), /^T05thread/);
  assertEquals([client.register("instant"), value()], [second, "01"]);
});

Deno.test("read and access watchpoints answer with their own names", () => {
  const client = counterClient(), tally = label("tally0");
  client.ask(`Z3,${tally},8`);
  assertMatch(client.ask("c"), new RegExp(`^T05rwatch:${tally};`));
  assertEquals(client.register("pc"), GUEST.program.symbols.get("load0"));
  client.ask(`z3,${tally},8`);
  client.ask(`Z4,${tally},8`);
  assertMatch(client.ask("c"), new RegExp(`^T05awatch:${tally};`));
  assertEquals(client.ask("Z2,0,0"), "E.Cannot watch 0 bytes at 0x0");
});

Deno.test("s and bs step the CPU of Hc, the others with it", () => {
  const client = counterClient();
  client.ask(`Z0,${label("store1")},4`);
  assertMatch(client.ask("c"), /thread:2;core:1;/);
  client.ask(`z0,${label("store1")},4`);
  const here = client.register("instant");
  client.ask("Hc1");
  assertMatch(client.ask("bs"), /^T05thread:1/);
  assert(client.register("instant") < here - 1n, "cpu1's steps were undone with it");
  const back = client.register("instant");
  client.ask("Hc1");
  assertMatch(client.ask("s"), /^T05thread:1/);
  assertEquals(client.register("instant"), back + 1n);
  assertMatch(client.ask("vCont;s:2;c"), /^T05thread:2/);
  client.ask("Hc2");
  assertMatch(client.ask("bs"), /^T05thread:2/);
});

Deno.test("bs of no named CPU steps the one selected, also after gdb stepped another off its breakpoint", () => {
  const client = counterClient();
  client.ask(`Z0,${label("store1")},4`);
  assertMatch(client.ask("c"), /thread:2;core:1;/);
  client.ask("Hg1");
  client.ask("Hc2");
  assertMatch(client.ask("bs"), /^T05thread:2/);
  client.ask("Hc0");
  assertMatch(client.ask("bs"), /^T05thread:1/);
});

Deno.test("a step of a CPU stops at another's breakpoint on the way", () => {
  const client = counterClient();
  client.ask(`Z0,${label("store0")},4`);
  client.ask("c");
  // cpu1 is next only after cpu0 has yielded, behind a store that is watched.
  client.ask(`Z2,${label("tally0")},8`);
  assertMatch(client.ask("vCont;s:2"), /^T05watch:.*thread:1;/);
});

Deno.test("range stepping leaves a range, or stops at a breakpoint in it", () => {
  const client = counterClient();
  client.ask(`Z0,${label("print")},4`);
  client.ask("c");
  const first = GUEST.program.symbols.get("print")!;
  const range = `${first.toString(16)},${(first + 24n).toString(16)}`;
  assertMatch(client.ask(`vCont;r${range}:1`), /^T05thread:1/);
  assertEquals(client.register("pc"), GUEST.program.symbols.get("start")! + 8n);
  client.ask("bc");
  const loop = (first + 4n).toString(16);
  client.ask(`Z0,${loop},4`);
  assertMatch(client.ask(`vCont;r${range}:1`), /^T05swbreak/);
  assertEquals(client.register("pc"), first + 4n);
  assertEquals(client.ask("vCont;r1:1")[0], "E");
});

Deno.test("Ctrl-C stops a run that goes on, and packets sent meanwhile wait", () => {
  const client = counterClient();
  client.received = [];
  client.session.receive(encodePacket("c"));
  assert(client.session.isBusy);
  client.session.receive(encodePacket("qC"));
  assertEquals(client.received, []);
  client.session.receive(Uint8Array.of(3));
  assertMatch(client.received[0]!, /^T02thread:1;/);
  assertEquals(client.received[1], "QC1");
  assertEquals(client.session.isBusy, false);
});

Deno.test("D and k end the session", () => {
  const client = counterClient();
  assertEquals(client.ask("D"), "OK");
  assert(client.session.isClosed);
  assertEquals(client.all("?"), []);
  const other = counterClient();
  assertEquals(other.all("k"), []);
  assert(other.session.isClosed);
});

Deno.test("monitor tells where it is, goes elsewhere, and tells what happened there", () => {
  const client = counterClient();
  assertMatch(client.monitor("instant"), /^instant 0 of 0 to /);
  assertMatch(client.monitor("seek 100"), /^instant 100 of/);
  assertEquals(client.register("instant"), 100n);
  assertMatch(client.monitor("events 1"), /^ +99 +cpu0.*\n +--- here, at instant 100 ---\n +100 +cpu0/s);
  assertMatch(client.monitor("root"), /^state root [0-9a-f]{64} at instant 100\n$/);
  assertEquals(client.monitor("symbols load0"), `0x${label("load0").padStart(16, "0")}\n`);
  assertEquals(client.monitor(`symbols 0x${label("load0")}`), `0x${label("load0")} <load0>\n`);
  assertMatch(client.monitor(`phys 0x${label("start")} 16`), /^0x0040080000 {2}/);
  assertMatch(client.monitor("phys 0x9000000"), /^There is no memory/);
  assertMatch(client.monitor("checkpoints"), /checkpoint/);
  assertMatch(client.monitor("seek 1e9"), /^seek takes a whole number/);
  assertMatch(client.monitor("sek 1"), /no command "sek".*seek/);
  assertMatch(client.monitor("record end"), /Nothing is being recorded/);
  assertMatch(client.monitor("help"), /seek N/);
});

Deno.test("monitor why and who-wrote tell where a value came from, and stay where they are", () => {
  const client = counterClient();
  client.ask(`Z0,${label("store0")},4`);
  client.ask("c");
  const here = client.register("instant");
  assertMatch(client.monitor("why x1"), /^x1 = 0x1 of cpu0, instant \d+\n.*add x1, x1, #1/);
  assertMatch(client.monitor("who-wrote x1"), /^x1 = 0x1 of cpu0.*\nx1 {2}0x0 → 0x1 .*add x1, x1, #1/);
  assertMatch(client.monitor("who-wrote counter"), /^counter = 0x0/);
  assertMatch(client.monitor("why"), /^Ask about a register/);
  assertMatch(client.monitor("why nothing_of_the_kind"), /nothing_of_the_kind/);
  assertEquals(client.register("instant"), here);
});

/** Stops five times, looks at everything there, and goes on to the end. */
function lookAround(client: Client): Uint8Array {
  client.ask(`Z2,${label("counter")},8`);
  for (let round = 0; round < 5; round++) {
    client.ask("c");
    for (let number = 0; number < client.session.registers.registers.length; number++) {
      client.ask(`p${number.toString(16)}`);
    }
    client.ask("m40000000,1000");
    client.monitor("events 3");
  }
  client.ask(`z2,${label("counter")},8`);
  client.ask("c");
  return client.session.target.machine.stateRoot().root;
}

Deno.test("looking at everything changes no root", () => {
  assertEquals(lookAround(counterClient()), counterRun().end.stateRoot);
});

Deno.test("looking at everything changes no root where caches are architecture", () => {
  const { run, end } = recordGuest(GUEST, {
    machine: { strictModels: ["tlb", "icache", "dcache", "context"] },
  });
  const timeline = new Timeline(run, GUEST.images, { engine: "threaded" });
  const client = new Client(new TimelineTarget(timeline, () => 0));
  client.ask("QStartNoAckMode");
  assertEquals(lookAround(client), end.stateRoot);
});
