/** serial-consoles: keys, input and output, overruns, owners that go, encodings, the debugger's stub, snapshots, misuse. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import "../../../hypervisor/install.ts";
import { ECHO_GUEST_GREETING, echoGuest } from "../../../firmware/serial_consoles/echo_guest.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { encodePacket, toHex } from "../../../machine/debugger_packets.ts";
import { Machine } from "../../../machine/machine.ts";
import { SerialConsoles } from "../../../hypervisor/systems/serial_consoles/system.ts";
import type { TrapMonitor } from "../../../hypervisor/monitor.ts";
import { Terminal } from "../../../hypervisor/terminal/terminal.ts";
import { programGuest } from "../../journal/guest.ts";

/** A machine with the echo guest, and what its line and consoles have shown. */
class Line {
  readonly machine: Machine;
  readonly #guest = programGuest(echoGuest());
  bytes: number[] = [];

  constructor(options: Readonly<Record<string, string>> = {}, more: ConfigurationInput = {}) {
    const monitors = [{ level: 2, systems: [{ name: "serial-consoles", options }] }] as const;
    const configuration = this.#guest.configuration(
      { memoryMiB: 64, uart1: true, monitors, ...more } as never,
    );
    this.machine = new Machine(configuration, this.#guest.images, { engine: "threaded" } as never);
    this.machine.board.transmitted = (byte) => void this.bytes.push(byte);
    this.run();
  }

  /** The system in it. */
  get system(): SerialConsoles {
    return (this.machine.board.monitors[0] as unknown as TrapMonitor).system(
      "serial-consoles",
    ) as SerialConsoles;
  }

  /** Runs until nothing happens any more by itself, for milliseconds of virtual time at most. */
  run(milliseconds = 100): string {
    const end = this.machine.virtualTime + milliseconds * 1e6;
    for (;;) {
      const stop = this.machine.run(this.machine.instant + 100_000, true);
      if (stop.reason === "waiting" && stop.deadline <= end) this.machine.wait(stop.deadline);
      else if (stop.reason !== "limit" || this.machine.virtualTime > end) return stop.reason;
    }
  }

  type(text: string, milliseconds?: number): string {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    this.machine.submit({ kind: "consoleReceived", bytes });
    return this.run(milliseconds);
  }

  command(command: string): void {
    this.machine.submit({ kind: "monitorCommanded", level: 2, command: `serial-consoles ${command}` });
    this.run();
  }

  /** What a terminal that saw all of the line shows. */
  get seen(): string[] {
    const terminal = new Terminal({ columns: 80, rows: 25 });
    terminal.write(Uint8Array.from(this.bytes));
    return rows(terminal);
  }

  rows(name: "log" | "shell" | "status"): string[] {
    return rows(this.system.console(name).terminal);
  }
}

function rows({ screen: { grid } }: Terminal): string[] {
  return Array.from({ length: grid.rows }, (_, y) => grid.text(y));
}

const KEYS = "\x07\x02";

Deno.test("serial-consoles shows the console that the keys name, and types at that one", () => {
  const line = new Line();
  assertEquals(line.seen[0], ECHO_GUEST_GREETING.trim());
  line.type("ac");
  assertEquals([line.seen[1], line.rows("log")[0]], ["ac", "61 63"]);
  line.type(`${KEYS}1`);
  assertEquals([line.system.shown, line.seen[0], line.seen[1]], ["log", "61 63", ""]);
  line.type("zz"); // for the second port, whose receiver nobody reads
  assertEquals(line.rows("shell")[1], "ac");
  line.type(`${KEYS}3`);
  assertStringIncludes(line.seen.join("\n"), "Consoles");
  assertStringIncludes(line.seen.join("\n"), "2 switches");
  line.type(`${KEYS}2d`);
  assertEquals([line.system.shown, line.seen[1]], ["shell", "acd"]);
  assertEquals(line.type("q"), "poweredOff");
});

Deno.test("serial-consoles lets through what is no key sequence, late, doubled, or broken off", () => {
  const line = new Line({ timeout: "50" });
  const typed = (text: string): string => {
    const before = line.rows("log").join(" ").trim().length;
    line.type(text);
    return line.rows("log").join(" ").trim().slice(before).trim();
  };
  assertEquals(typed("\x07a"), "07 61");
  assertEquals(typed("\x07\x02z"), "07 02 7a");
  assertEquals(typed(KEYS + KEYS), "07 02");
  assertEquals(typed("\x07\x07" + "\x02z"), "07 07 02 7a");
  line.type("\x07", 20);
  assertEquals(typed(""), "07");
  line.type(KEYS, 20);
  assertEquals(line.system.shown, "shell");
  assertEquals(typed(""), "07 02");
});

Deno.test("serial-consoles sets OE where input finds no room, and loses nothing before", () => {
  const line = new Line({ backlog: "4" });
  line.type("s" + "0123456789abcdefghijklmnop");
  const log = line.rows("log").join("").replaceAll(/ +/g, " ");
  // Two bytes before the handler spins are out of the FIFO: 16 wait in it, 4 behind.
  assertEquals(/!/.test(log), true);
  assertStringIncludes(log, "O");
  const echoed = line.rows("shell")[1]!;
  assertEquals("s0123456789abcdefghijklmnop".startsWith(echoed), true);
  assertEquals(echoed.length < 27 && echoed.length >= 20, true);
  const roomy = new Line();
  roomy.type("s" + "0123456789abcdefghijklmnop");
  assertEquals(roomy.rows("shell")[1], "s0123456789abcdefghijklmnop");
});

Deno.test("serial-consoles says over the last row that an owner is gone, and keeps the screen", () => {
  const line = new Line();
  line.type("hellox");
  assertEquals(line.seen[1], "hellox");
  assertStringIncludes(line.seen[24]!, "shell: nobody is here any more");
  assertEquals(line.rows("shell")[24], "");
  line.type("y");
  assertEquals(line.seen[24], "");
});

Deno.test("serial-consoles paints after a resize, an attach and in ASCII", () => {
  const line = new Line({ size: "80x25" });
  for (const byte of new TextEncoder().encode("─é日")) line.type(String.fromCharCode(byte));
  assertEquals(line.seen[1], "─é日");
  line.bytes = [];
  line.command("attach");
  assertEquals(line.seen[1], "─é日");
  line.bytes = [];
  line.command("encoding ascii");
  assertEquals(line.seen[1], "-e??");
  assertEquals(line.bytes.every((byte) => byte < 0x80), true);
  line.command("resize 40x10");
  assertEquals(line.rows("shell").length, 10);
  for (const bad of ["resize 1x1", "switch nowhere", "switch", "attach x", "encoding latin", ""]) {
    assertThrows(() => line.command(bad), InputRefusedError, "serial-consoles takes");
  }
});

Deno.test("serial-consoles finds out what terminal there is, and passes on what else is typed meanwhile", () => {
  const line = new Line({ identify: "on" });
  assertStringIncludes(new TextDecoder().decode(Uint8Array.from(line.bytes)), "\x1b[c");
  line.type("a\x1b[1;3R\x1b[?62;c\x1b[A");
  assertEquals(line.rows("log")[0], "61 1b 5b 41");
  line.type(`${KEYS}3`);
  assertStringIncludes(line.seen.join("\n"), "?62;, ascii");
  const silent = new Line({ identify: "on", timeout: "50" });
  silent.type("\x1b[?6", 200);
  assertEquals(silent.rows("log")[0], "1b 5b 3f 36");
});

Deno.test("serial-consoles gives the line to a debugger, out of which only the operator leads", () => {
  const line = new Line();
  line.type(`${KEYS}?`);
  const ask = (payload: string): string => {
    line.bytes = [];
    line.machine.submit({ kind: "consoleReceived", bytes: encodePacket(payload) });
    line.run();
    return String.fromCharCode(...line.bytes).replace(/^\+/, "");
  };
  const wrap = (payload: string): string => String.fromCharCode(...encodePacket(payload));
  assertEquals(ask("?"), wrap("T05thread:1;"));
  const brk = Number(0x4008_0000);
  assertEquals(ask(`m${brk.toString(16)},4`).length, wrap("00000000").length);
  line.type(`${KEYS}2`);
  assertEquals(line.system.shown, "gdb");
  const pc = ask("p20"), x23 = ask("p17");
  assertEquals([pc.length, x23.length], [wrap("0".repeat(16)).length, wrap("0".repeat(16)).length]);
  const next = ask("s");
  assertEquals(next, wrap("T05thread:1;"));
  assertEquals(ask("p20") === pc, false);
  assertEquals(ask("M9000000,1:00"), wrap("E01"));
  assertEquals(ask("Z1,40080000,4"), wrap(""));
  assertEquals(ask("P17=0100000000000000"), wrap("OK"));
  assertEquals(ask("p17"), wrap("0100000000000000"));
  assertEquals(ask("G00"), wrap("E01"));
  assertThrows(() => line.command("attach"), InputRefusedError, "debugger");
  line.bytes = [];
  line.command("switch shell");
  line.type("k");
  assertEquals(line.seen[1], "k");
  assertEquals(toHex("x"), "78");
});

Deno.test("serial-consoles stops a guest at a breakpoint, also while the debugger is asked to stop it, and hides it", () => {
  const line = new Line(), program = echoGuest();
  const stop = program.symbols.get?.("received") ??
    (program.symbols as unknown as Record<string, bigint>)["received"];
  line.type(`${KEYS}?`);
  const send = (payload: string): string => {
    line.bytes = [];
    line.machine.submit({ kind: "consoleReceived", bytes: encodePacket(payload) });
    line.run();
    return String.fromCharCode(...line.bytes);
  };
  send("qSupported:swbreak+");
  const at = BigInt(stop as bigint).toString(16), before = send(`m${at},4`);
  assertStringIncludes(send(`Z0,${at},4`), "OK");
  assertEquals(send(`m${at},4`), before);
  assertEquals(send("c"), "+");
  line.machine.submit({ kind: "interruptInjected", interrupt: 40 });
  line.run();
  line.bytes = [];
  line.machine.submit({ kind: "consoleReceived", bytes: Uint8Array.of(3) });
  line.run();
  assertStringIncludes(String.fromCharCode(...line.bytes), "T02");
  send("D");
  line.command("switch shell");
  line.type("b");
  assertStringIncludes(line.rows("log")[0]!, "62 B");
});

Deno.test("serial-consoles goes on from a snapshot as it would have", () => {
  const line = new Line({ timeout: "50" });
  line.type("one\x07", 10);
  const other = new Line({ timeout: "50" });
  other.machine.restore(line.machine.snapshot());
  for (const each of [line, other]) {
    each.bytes = [];
    each.type(`\x02` + `1`);
    each.type(`${KEYS}3`);
    each.type(`${KEYS}?$g#6`);
  }
  assertEquals(other.bytes, line.bytes);
  const third = new Line({ timeout: "50" });
  third.machine.restore(line.machine.snapshot());
  for (const each of [line, third]) {
    each.bytes = [];
    each.type("7");
  }
  assertEquals(third.bytes, line.bytes);
  assertEquals(line.bytes.length > 100, true);
});

Deno.test("serial-consoles is refused without a second port, and with options that there are not", () => {
  assertThrows(() => new Line({}, { uart1: false }), ConfigurationError, "add uart1=on");
  for (
    const options of [{ size: "5x5" }, { start: "x" }, { timeout: "0" }, { backlog: "-1" }, { what: "x" }]
  ) {
    assertThrows(() => new Line(options as never), ConfigurationError, "serial-consoles");
  }
});
