/** Semihosting: results recorded from qemu-system-aarch64 7.2, console, time, exit, and bad parameters. */
import { assertEquals, assertThrows } from "@std/assert";
import { Clock } from "../../machine/clock.ts";
import { EventHub, type MachineEvent } from "../../machine/events.ts";
import { Semihosting } from "../../machine/semihosting.ts";
import type { SemihostingMemory } from "../../machine/semihosting_memory.ts";

const BASE = 0x4008_0000n;
const FAILED = 0xffff_ffff_ffff_ffffn;
const NOTHING = 0xdead_beefn;

/** A page of memory at BASE, and one with a hole of a page behind it. */
class FakeMemory implements SemihostingMemory {
  readonly bytes = new Uint8Array(0x3000);
  #next = 0;

  #offset(address: bigint, size: number): number {
    const offset = Number(address - BASE);
    const page = Math.floor(offset / 4096);
    if (Math.floor((offset + size - 1) / 4096) !== page) throw new Error("crosses a page");
    return page === 0 || page === 2 ? offset : -1;
  }
  read(address: bigint, size: number): Uint8Array | undefined {
    const offset = this.#offset(address, size);
    return offset < 0 ? undefined : this.bytes.slice(offset, offset + size);
  }
  write(address: bigint, bytes: Uint8Array): boolean {
    const offset = this.#offset(address, bytes.length);
    if (offset >= 0) this.bytes.set(bytes, offset);
    return offset >= 0;
  }

  /** Puts bytes in memory and returns where. */
  put(bytes: Uint8Array): bigint {
    const at = this.#next;
    this.bytes.set(bytes, at);
    this.#next = at + bytes.length + 7 & ~7;
    return BASE + BigInt(at);
  }
  text(text: string): bigint {
    return this.put(new TextEncoder().encode(`${text}\0`));
  }
  block(...words: bigint[]): bigint {
    return this.put(new Uint8Array(new BigUint64Array(words).buffer));
  }
  word(address: bigint): bigint {
    return new DataView(this.bytes.buffer).getBigUint64(Number(address - BASE), true);
  }
}

interface Setup {
  readonly memory: FakeMemory;
  readonly semihosting: Semihosting;
  readonly clock: Clock;
  readonly log: string[];
  readonly events: MachineEvent[];
  readonly typed: number[];
  readonly output: number[];
  /** Calls operation with a block of these words. */
  call(operation: number, ...words: bigint[]): bigint;
  /** Calls operation with this parameter. */
  raw(operation: number, parameter: bigint): bigint;
  open(name: string, mode: bigint): bigint;
}

function setUp(): Setup {
  const memory = new FakeMemory();
  const clock = new Clock();
  const hub = new EventHub(clock);
  const events: MachineEvent[] = [];
  const log: string[] = [];
  const typed: number[] = [];
  const output: number[] = [];
  hub.add({ classes: ["trap"], observe: (event) => void (events.push(event), log.push(event.kind)) });
  const semihosting = new Semihosting({
    clock,
    events: hub,
    rtcBase: 1000,
    heap: { base: 0x4008_0432, limit: 0x4400_0000 },
    commandLine: "one two",
    consoleWrite: (byte) => void output.push(byte),
    consoleRead: () => typed.shift() ?? -1,
    exit: (code) => void log.push(`exit ${code}`),
  });
  const raw = (operation: number, parameter: bigint) =>
    semihosting.call(1, memory, BigInt(operation), parameter);
  const call = (operation: number, ...words: bigint[]) => raw(operation, memory.block(...words));
  const open = (name: string, mode: bigint) => call(0x01, memory.text(name), mode, BigInt(name.length));
  return { memory, semihosting, clock, log, events, typed, output, call, raw, open };
}

Deno.test("Semihosting gives the results of QEMU 7.2 for a sequence of file operations", () => {
  const { memory, open, call, raw } = setUp();
  const text = memory.text("hello\n");
  const buffer = memory.block(0n);
  // The sequence and its results were recorded from a bare-metal program; SYS_ISTTY of the console was a pipe there.
  const results = [
    open(":tt", 4n),
    open(":tt", 0n),
    open(":semihosting-features", 0n),
    open(":semihosting-features", 4n),
    raw(0x13, BASE),
    open("/nonexis", 0n),
    raw(0x13, BASE),
    open(":tt", 12n),
    raw(0x13, BASE),
    call(0x05, 1n, text, 5n),
    call(0x05, 9n, text, 5n),
    raw(0x13, BASE),
    call(0x06, 3n, buffer, 4n),
    call(0x06, 3n, buffer, 4n),
    call(0x0c, 3n),
    call(0x09, 3n),
    call(0x0a, 3n, 1n),
    call(0x06, 3n, buffer, 4n),
    call(0x0a, 3n, 77n),
    call(0x02, 3n),
    call(0x02, 3n),
    raw(0x13, BASE),
    open(":semihosting-features", 0n),
    call(0x08, 0xffff_ffff_ffff_fffbn),
    call(0x08, 1n),
  ];
  // deno-fmt-ignore
  assertEquals(results, [
    1n, 2n, 3n, FAILED, 13n, FAILED, 2n, FAILED, 22n, 0n, 5n, 22n, 0n, 3n, 5n, 0n, 0n, 0n, FAILED, 0n, FAILED, 9n,
    3n, 1n, 0n,
  ]);
  assertEquals(memory.word(buffer), 0x0342_4648n);
});

Deno.test("SYS_WRITEC, SYS_WRITE0 and SYS_WRITE print on the console", () => {
  const { memory, call, raw, open, output } = setUp();
  assertEquals(raw(0x03, memory.text("x")), NOTHING);
  assertEquals(raw(0x04, memory.text("yes")), NOTHING);
  const error = open(":tt", 8n);
  assertEquals(call(0x05, error, memory.text("no\n"), 3n), 0n);
  assertEquals(String.fromCharCode(...output), "xyesno\n");
});

Deno.test("SYS_WRITE of more than 64 KiB says how much is left", () => {
  const { semihosting, output, open } = setUp();
  const handle = open(":tt", 4n);
  const zeros = { read: (_: bigint, size: number) => new Uint8Array(size), write: () => true };
  const memory = {
    ...zeros,
    read: (address: bigint, size: number) => address === BASE ? block : zeros.read(address, size),
  };
  const block = new Uint8Array(new BigUint64Array([handle, 0x1000n, 1n << 40n]).buffer);
  assertEquals(semihosting.call(0, memory, 5n, BASE), (1n << 40n) - 65536n);
  assertEquals(output.length, 65536);
});

Deno.test("SYS_WRITE0 of a string without end stops after 64 KiB", () => {
  const { semihosting, output } = setUp();
  const memory = { read: (_: bigint, size: number) => new Uint8Array(size).fill(0x41), write: () => true };
  assertEquals(semihosting.call(0, memory, 4n, 0xffff_ffff_ffff_fff0n), NOTHING);
  assertEquals(output.length, 65536);
});

Deno.test("SYS_READ and SYS_READC take what was typed, and −1 or nothing when nothing was", () => {
  const { memory, call, raw, open, typed } = setUp();
  typed.push(0x61, 0x62, 0x63);
  const input = open(":tt", 0n);
  const buffer = memory.block(0n);
  assertEquals(call(0x06, input, buffer, 2n), 0n);
  assertEquals(memory.word(buffer), 0x6261n);
  assertEquals(raw(0x07, 0n), 0x63n);
  assertEquals(raw(0x07, 0n), FAILED);
  assertEquals(call(0x06, input, buffer, 2n), 2n);
  assertEquals(call(0x09, input), 1n);
});

Deno.test("SYS_CLOCK, SYS_TIME, SYS_ELAPSED and SYS_TICKFREQ tell virtual time", () => {
  const { memory, clock, raw } = setUp();
  clock.skipTo(2_345_678_901);
  const ticks = memory.block(0n);
  assertEquals(raw(0x10, 0n), 234n);
  assertEquals(raw(0x11, 0n), 1002n);
  assertEquals(raw(0x30, ticks), 0n);
  assertEquals(memory.word(ticks), 2_345_678_901n);
  assertEquals(raw(0x31, 0n), 1_000_000_000n);
});

Deno.test("SYS_HEAPINFO and SYS_GET_CMDLINE fill in what the parameter block points to", () => {
  const { memory, raw, call } = setUp();
  const info = memory.block(1n, 2n, 3n, 4n);
  assertEquals(call(0x16, info), 0n);
  const words = [0n, 8n, 16n, 24n].map((offset) => memory.word(info + offset));
  assertEquals(words, [0x4008_0432n, 0x4400_0000n, 0x4400_0000n, 0x4008_0432n]);
  const buffer = memory.block(0n);
  const parameter = memory.block(buffer, 8n);
  assertEquals(raw(0x15, parameter), 0n);
  assertEquals(memory.word(parameter + 8n), 7n);
  assertEquals(memory.read(buffer, 8), new TextEncoder().encode("one two\0"));
  assertEquals(call(0x15, buffer, 7n), FAILED);
  assertEquals(raw(0x13, 0n), 7n);
});

Deno.test("SYS_EXIT ends the run with the code of an application's exit, and with 1 for any other reason", () => {
  for (const operation of [0x18, 0x20]) {
    const { call, log } = setUp();
    call(operation, 0x2_0026n, 0x1_0000_002an);
    call(operation, 0x2_0023n, 5n);
    assertEquals(log, ["semihostingCalled", "exit 42", "semihostingCalled", "exit 1"]);
  }
});

Deno.test("Semihosting fails with an error number, and throws nothing, on bad parameters", () => {
  const { raw, call, open } = setUp();
  const hole = BASE + 0x1000n;
  // deno-fmt-ignore
  const cases: [name: string, run: () => bigint, errno: bigint][] = [
    ["unknown operation",      () => raw(0x99, BASE),                     38n],
    ["block in a hole",        () => raw(0x05, hole),                     14n],
    ["block into a hole",      () => raw(0x05, hole - 8n),                14n],
    ["seek on the console",    () => call(0x0a, open(":tt", 4n), 0n),     29n],
    ["string in a hole",       () => raw(0x04, hole),                     14n],
    ["remove",                 () => call(0x0e, BASE, 3n),                2n],
    ["character in a hole",    () => raw(0x03, hole),                     14n],
    ["system",                 () => call(0x12, BASE, 3n),                2n],
    ["name in a hole",         () => call(0x01, hole, 0n, 3n),            14n],
    ["length of no handle",    () => call(0x0c, 0n),                      9n],
    ["heap into a hole",       () => call(0x16, hole),                    14n],
    ["terminal of no handle",  () => call(0x09, 0xffff_ffff_ffff_ffffn),  9n],
    ["elapsed into a hole",    () => raw(0x30, hole),                     14n],
  ];
  for (const [name, run, errno] of cases) assertEquals([run(), raw(0x13, 0n)], [FAILED, errno], name);
});

Deno.test("SYS_OPEN has 64 handles, and gives the lowest that is free", () => {
  const { memory, call, raw } = setUp();
  const name = memory.text(":tt");
  const parameter = memory.block(name, 4n, 3n);
  for (let number = 1n; number <= 64n; number++) assertEquals(raw(0x01, parameter), number);
  assertEquals([raw(0x01, parameter), raw(0x13, 0n)], [FAILED, 24n]);
  call(0x02, 7n);
  assertEquals(raw(0x01, parameter), 7n);
});

Deno.test("Semihosting.call emits semihostingCalled with the operation's 32 bits", () => {
  const { memory, semihosting, events } = setUp();
  semihosting.call(1, memory, 0x5_0000_0031n, 9n);
  assertEquals(events, [
    {
      kind: "semihostingCalled",
      instant: 0,
      cpu: 1,
      index: 0,
      operation: 0x31,
      parameter: 9n,
      result: 1_000_000_000n,
    },
  ]);
});

Deno.test("Semihosting.save and restore carry open files, positions and the error number; reset drops them", () => {
  const { memory, semihosting, open, call } = setUp();
  open(":tt", 4n);
  const features = open(":semihosting-features", 0n);
  call(0x06, features, memory.block(0n), 4n);
  call(0x0c, 9n);
  const section = semihosting.save();
  const other = setUp();
  other.semihosting.restore(section);
  assertEquals(other.semihosting.save(), section);
  assertEquals(other.raw(0x13, 0n), 9n);
  const buffer = other.memory.block(0n);
  assertEquals(other.call(0x06, features, buffer, 4n), 3n);
  assertEquals(other.memory.word(buffer), 3n);
  other.semihosting.reset();
  assertEquals(other.semihosting.save(), setUp().semihosting.save());
  assertThrows(() => other.semihosting.restore({ ...section, version: 2 }), RangeError);
});
