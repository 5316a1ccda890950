/** dcc-hypercall: who answers a read of the channel's status, the shadow of TDCC, debug exceptions by EL2, the console. */
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { compareRegisterFiles, MONITORS } from "../../../cli/systems/dcc_hypercall/register_files.ts";
import { consoleGuestSource, GREETING } from "../../../firmware/dcc_hypercall/console_guest.ts";
import { debugGuestSource } from "../../../firmware/dcc_hypercall/debug_guest.ts";
import { restoringGuestSource } from "../../../firmware/dcc_hypercall/restoring_guest.ts";
import "../../../hypervisor/install.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";

type Systems = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface Built {
  readonly machine: Machine;
  readonly console: () => string;
  readonly trapped: EventOf<"debugChannelTrapped">[];
  readonly lines: string[];
}

function build(source: string, systems: Systems, more: ConfigurationInput = {}, engine = "compiled"): Built {
  const guest = flatGuest(source);
  const list = Object.entries(systems).map(([name, options]) => ({ name, options }));
  const configuration = guest.configuration({
    memoryMiB: 32,
    ...list.length > 0 && { monitors: [{ level: 2, systems: list }] },
    ...more,
  });
  const machine = new Machine(configuration, guest.images, { engine });
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  const trapped: EventOf<"debugChannelTrapped">[] = [], lines: string[] = [];
  machine.board.events.add({
    classes: ["trap"],
    observe: (event: MachineEvent) => {
      if (event.kind === "debugChannelTrapped") trapped.push(event);
      if (event.kind === "debugLineLogged") lines.push(event.text);
    },
  });
  return { machine, console: () => console, trapped, lines };
}

function finish(built: Built, limit = 1_000_000): Built {
  assertEquals(built.machine.run(limit).reason, "poweredOff");
  return built;
}

const OFF = `
        ldr     x0, =0x84000008
        hvc     #0
        b       .
        .ltorg
`;

/** Calls GETVERSION at EL1 and EL0, into XZR and X9, then reads without the magic; X20 to X27 have what came. */
const CALLS = `
        adr     x0, vectors
        msr     vbar_el1, x0
        mov     x0, #0x1000
        msr     mdscr_el1, x0
        bl      version
        mov     x20, x0
        bl      version_too
        mov     x21, x0
        mov     x22, x9
        adr     x0, user
        msr     elr_el1, x0
        mov     x0, #0x3c0
        msr     spsr_el1, x0
        eret
user:   bl      version
        mov     x23, x0
        mov     x7, #0x85
        lsl     x7, x7, #32
        mov     x9, #-1
refused: mrs    x9, mdccsr_el0
        svc     #0
version: ldr    x0, =0x564d5868
        mov     x2, #10
        mov     x3, #0x5658
        ldr     x7, =0x860000000e
        mrs     xzr, mdccsr_el0
        ret
version_too: ldr x0, =0x564d5868
        mov     x2, #10
        mov     x9, #-1
        mrs     x9, mdccsr_el0
        ret
sync:   mrs     x24, esr_el1
        mrs     x25, elr_el1
        mrs     x26, mdscr_el1
        mov     x27, x9
${OFF}
        .balign 2048
vectors: .space 0x400
        b       sync
`;

Deno.test("a call is answered at EL1 and EL0 with one trap, Rt gets the status, and another read is EL1's", () => {
  for (const engine of Object.keys(ENGINES)) {
    const built = finish(build(CALLS, { "dcc-hypercall": {}, "unified-backdoor": {} }, {}, engine));
    const { registers } = built.machine.board.cpus[0]!;
    assertEquals([20, 21, 22, 23].map((n) => registers.x(n)), [6n, 6n, 0n, 6n], engine);
    const refused = registers.x(25), all = (1n << 64n) - 1n;
    assertEquals([24, 26, 27].map((n) => registers.x(n)), [0x6220c123n, 0x1000n, all]);
    assertEquals(built.trapped.map(({ level, outcome }) => `${outcome} at EL${level}`), [
      ...["answered at EL1", "answered at EL1", "answered at EL0", "refused at EL0"],
    ]);
    assertEquals(built.trapped.at(-1)!.x7, 0x85n << 32n);
    const { program } = flatGuest(CALLS);
    assertEquals(refused, program.symbols.get("refused"));
  }
});

Deno.test("without the shadow EL0's calls are EL1's, and nobody but EL1 is asked", () => {
  const { machine, trapped } = finish(
    build(CALLS, { "dcc-hypercall": { shadow: "off" }, "unified-backdoor": {} }),
  );
  const { registers } = machine.board.cpus[0]!;
  assertEquals([20, 23, 24].map((n) => registers.x(n)), [6n, 0n, 0x6220c3e3n]);
  assertEquals(trapped.map(({ level }) => level), [1, 1]);
});

Deno.test("a guest that debugs itself prints the same with and without EL2 below it", () => {
  const source = debugGuestSource({ hasChannel: true });
  const bare = finish(build(source, {})).console();
  assertMatch(bare, /^a\n/m);
  for (const options of [{}, { tde: "on", console: "on" }]) {
    const built = finish(build(source, { "dcc-hypercall": options }));
    assertEquals(built.console(), bare, JSON.stringify(options));
  }
  const fine = build(source, { "dcc-hypercall": { tde: "on", trap: "tdcc" } }, { cpuModel: "max" });
  assertEquals(finish(fine).console(), bare);
});

Deno.test("random register files at accesses that are no calls leave a guest as without a monitor", () => {
  for (const systems of MONITORS) {
    assertEquals(compareRegisterFiles(systems, { seed: 7, count: 60, options: { engine: "threaded" } }), []);
  }
});

Deno.test("a machine goes on from a snapshot taken anywhere to the same root", () => {
  const source = debugGuestSource({ hasChannel: true });
  const systems = { "dcc-hypercall": { tde: "on", console: "on" } };
  const { machine } = finish(build(source, systems));
  const root = machine.stateRoot().root.toHex();
  for (const at of [11_473, 31_419]) {
    const first = build(source, systems).machine, second = build(source, systems).machine;
    first.run(at);
    second.restore(first.snapshot());
    second.run(1_000_000);
    assertEquals(second.stateRoot().root.toHex(), root, `from ${at}`);
  }
});

/** CPU 1 sets TDCC and turns off; when it is on again it says what it has. X20 of CPU 0: what CPU 1 read. */
const AGAIN = `
        mov     x19, #2
again:  ldr     x0, =0xc4000003
        mov     x1, #1
        adr     x2, second
        mov     x3, #0
        hvc     #0
        cbnz    x0, again                       // ALREADY_ON
        subs    x19, x19, #1
        b.ne    again
        adr     x1, flag
1:      ldr     x20, [x1]
        cmn     x20, #1
        b.eq    1b
${OFF}
second: mrs     x4, mdscr_el1
        adr     x1, count
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        mov     x3, #0x1000
        msr     mdscr_el1, x3
        adr     x1, flag
        cmp     x2, #2
        b.ne    2f
        str     x4, [x1]
2:      ldr     x0, =0x84000002                 // CPU_OFF
        hvc     #0
        b       .
        .ltorg
        .balign 8
flag:   .quad   -1
count:  .quad   0
`;

Deno.test("a CPU that is turned on again has TDCC clear", () => {
  const { machine } = finish(build(AGAIN, { "dcc-hypercall": {} }, { cpus: 2 }));
  assertEquals(machine.board.cpus[0]!.registers.x(20), 0n);
});

Deno.test("restored registers and refusals are as without the monitor", () => {
  const systems = { "dcc-hypercall": {}, "unified-backdoor": {} };
  assertEquals(
    finish(build(restoringGuestSource(), systems)).console(),
    finish(build(restoringGuestSource(), {})).console(),
  );
});

Deno.test("the console takes lines, gives what is sent in order, and refuses what it cannot give", () => {
  const { machine, lines } = build(consoleGuestSource(), { "dcc-hypercall": { console: "on" } });
  const type = (text: string) =>
    machine.submit({ kind: "monitorCommanded", level: 2, command: `dcc-hypercall ${text}` });
  machine.run(1000);
  assertEquals(lines, [...GREETING]);
  type("send 0 a line\\r");
  for (
    const [command, reason] of [["send 8 x", "no CPU"], ["say 0 x", "no command"], ["send 0 \\", "use send"]]
  ) {
    assertStringIncludes(assertThrows(() => type(command!), InputRefusedError).message, reason!);
  }
  for (let count = 0; count < 16; count++) type(`send 0 ${"x".repeat(254)}\\r`);
  assertStringIncludes(
    assertThrows(() => type(`send 0 ${"x".repeat(240)}`), InputRefusedError).message,
    "room for",
  );
  assertEquals(machine.run(125_000).reason, "limit");
  assertEquals(lines.slice(2), [
    "A LINE",
    ...Array.from({ length: 16 }, () => ["X".repeat(240), "X".repeat(14)]).flat(),
  ]);
});

Deno.test("options that cannot be are refused with the reason", () => {
  const wrong: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ trap: "tdcc" }, /FEAT_FGT; use -cpu max/],
    [{ trap: "all" }, /trap is tda or tdcc/],
    [{ shadow: "maybe" }, /shadow is on or off/],
    [{ consoles: "on" }, /consoles/],
  ];
  for (const [options, reason] of wrong) {
    assertMatch(
      assertThrows(() => build(OFF, { "dcc-hypercall": options }), ConfigurationError).message,
      reason,
    );
  }
  const plain = build(CALLS, { "dcc-hypercall": {} }).machine;
  const command = { kind: "monitorCommanded", level: 2, command: "dcc-hypercall send 0 x" } as const;
  assertStringIncludes(assertThrows(() => plain.submit(command), InputRefusedError).message, "console=on");
});
