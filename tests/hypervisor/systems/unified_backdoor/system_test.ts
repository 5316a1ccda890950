/** Calls of a guest to unified-backdoor: every trigger, every way in which a call fails, and buffers that fault. */
import { assert, assertEquals } from "@std/assert";
import {
  BUFFERS,
  type Call,
  CALL_RESULTS,
  CALL_TABLE,
  type CallResult,
  callsGuest,
  callTable,
  type CallTrigger,
  MENDED_PAGE,
  readResults,
  resultBytes,
  STRETCH,
} from "../../../../firmware/unified_backdoor/calls_guest.ts";
import "../../../../hypervisor/install.ts";
import { type PhysicalAddress, physicalAddress } from "../../../../machine/address.ts";
import { buildBoard } from "../../../../machine/board.ts";
import { boardDeviceTree } from "../../../../machine/board_device_tree.ts";
import { parseConfiguration } from "../../../../machine/configuration.ts";
import type { EventOf, MachineEvent } from "../../../../machine/events.ts";
import { Machine } from "../../../../machine/machine.ts";
import { programGuest } from "../../../journal/guest.ts";

const MAGIC = 0x564d_5868n, ONES = 0xffff_ffffn, PAGE = 4096n;
const LOW = 0x5658n, HIGH = 0x5659n;

interface Ran {
  readonly results: CallResult[];
  readonly events: MachineEvent[];
  readonly machine: Machine;
}

/** Runs a table of calls to its end. */
function run(
  calls: readonly Call[],
  trigger: CallTrigger = "mrs",
  options: Record<string, string> = {},
  more: readonly { readonly name: string; readonly options: Record<string, string> }[] = [],
): Ran {
  const guest = programGuest(callsGuest(trigger));
  const systems = [{ name: "dcc-hypercall", options: {} }, { name: "unified-backdoor", options }, ...more];
  const configuration = guest.configuration({ memoryMiB: 64, monitors: [{ level: 2, systems }] });
  const machine = new Machine(configuration, guest.images, { engine: "reference" });
  machine.board.memory.writeBytes(physicalAddress(CALL_TABLE), callTable(calls));
  for (let at = 0; at < 64; at++) {
    machine.board.memory.writeBytes((STRETCH.physical + at) as PhysicalAddress, Uint8Array.of(at + 1));
  }
  const events: MachineEvent[] = [];
  machine.board.events.add({ classes: ["trap", "detail"], observe: (event) => void events.push(event) });
  assertEquals(machine.run(10_000_000).reason, "poweredOff");
  const bytes = machine.board.memory.readBytes(physicalAddress(CALL_RESULTS), resultBytes(calls.length));
  return { results: readResults(bytes.slice()), events, machine };
}

type Registers = Readonly<Partial<Record<number, bigint>>>;

/** A call: W7, and registers by number; the others are zero. */
function call(w7: number, registers: Registers, level: 0 | 1 = 0, mends = false): Call {
  const x = Array.from({ length: 8 }, (_, n) => registers[n] ?? 0n);
  x[7] = 0x86n << 32n | BigInt(w7);
  return { x, level, mends };
}

const command = (number: bigint, more: Registers = {}): Call =>
  call(0x0e, { 0: MAGIC, 2: number, 3: LOW, ...more });

/** X0 to X6 of a result, as changes to those of its call. */
function changes({ x }: Call, result: CallResult): Record<string, bigint> {
  const changed = result.x.flatMap((value, n) => value === x[n] ? [] : [[`x${n}`, value] as const]);
  return Object.fromEntries(changed);
}

Deno.test("unified-backdoor answers GETVERSION, GETMEMSIZE and the time by each trigger, from each level", () => {
  const wanted = [
    { x0: 6n, x1: MAGIC, x2: 2n },
    { x0: 58n }, // 64 MiB but for the monitor's own
    { x0: 20n },
  ];
  for (const [trigger, levels] of [["hvc", [1]], ["mrs", [0, 1]], ["brk", [0, 1]]] as const) {
    const calls = levels.flatMap((level) => [10n, 20n, 17n].map((n) => ({ ...command(n), level })));
    const { results, events } = run(calls, trigger);
    for (const [index, result] of results.entries()) {
      assertEquals(changes(calls[index]!, result), wanted[index % 3]);
      assertEquals(result.syndrome, 0n);
    }
    const called = events.filter((event) => event.kind === "backdoorCalled");
    assertEquals(called.map((event) => event.trigger), calls.map(() => trigger));
    assertEquals(called.map((event) => event.level), calls.map(({ level }) => level));
  }
  const [hosttime] = run([command(46n)]).results;
  assertEquals(hosttime!.x[3], 1_767_225_600n); // the beginning of 2026, in seconds
  assert(hosttime!.x[1]! < 1_000_000n);
  const [version] = run([command(10n)], "mrs", { product: "workstation" }).results;
  assertEquals(version!.x[2], 4n);
});

Deno.test("unified-backdoor gives ones of the access's size where nothing answers, and no more", () => {
  const value = 0x1234_5678_9abc_def0n;
  const rows: readonly (readonly [what: string, call: Call, x0: bigint])[] = [
    ["a command that there is not", command(99n), ONES],
    ["no magic", command(10n, { 0: value }), ONES],
    ["another port", command(10n, { 3: 0x5657n }), ONES],
    ["one byte", call(0x0c, { 0: value, 2: 10n, 3: LOW }), value | 0xffn],
    ["two bytes", call(0x0d, { 0: value, 2: 10n, 3: LOW }), value | 0xffffn],
    ["an immediate port", call(0x06 | 0x58 << 5, { 0: MAGIC, 2: 10n, 3: LOW }), ONES],
    ["OUT", call(0x0a, { 0: MAGIC, 2: 10n, 3: LOW }), MAGIC],
  ];
  const { results } = run(rows.map(([, call]) => call));
  for (const [index, [what, call, x0]] of rows.entries()) {
    const wanted = x0 === call.x[0] ? {} : { x0 };
    assertEquals([what, changes(call, results[index]!)], [what, wanted]);
  }
});

Deno.test("unified-backdoor makes sizes of 3 and reserved bits UNDEFINED at the instruction, whatever the trigger", () => {
  const reserved = [0x0f, 0x1f, 0x07, 0x2e, 0x800_000e, 0x2004, 0x5c, 0x8000_001c, 0x54];
  for (const trigger of ["hvc", "mrs", "brk"] as const) {
    const calls = reserved.map((w7) => call(w7, { 0: MAGIC, 2: 10n, 3: LOW }, 1));
    for (const [index, result] of run(calls, trigger).results.entries()) {
      assertEquals([result.syndrome, result.offset], [0x0200_0000n, 0n]);
      assertEquals(changes(calls[index]!, result), {});
    }
  }
});

/** A string instruction at a port where nothing is: INS fills with ones, OUTS reads. */
const fill = (address: bigint, count: bigint, level: 0 | 1 = 0, w7 = 0x1c, mends = false): Call =>
  call(w7, { 2: count, 3: 0x80n, 5: address }, level, mends);
const read = (address: bigint, count: bigint, level: 0 | 1 = 0, w7 = 0x18): Call =>
  call(w7, { 2: count, 3: 0x80n, 4: address }, level);

const page = (index: number, offset = 0): bigint => BUFFERS + BigInt(index) * PAGE + BigInt(offset);
const TRANSLATION = 7n, ACCESS_PERMISSION = 15n, EXTERNAL = 0x10n, WNR = 0x40n;
const LOWER = 0x9200_0000n, SAME = 0x9600_0000n;

Deno.test("unified-backdoor injects the abort of a buffer's page, with registers where the instruction stands", () => {
  const rows: readonly (readonly [
    what: string,
    call: Call,
    changes: Record<string, bigint>,
    syndrome: bigint,
    fault: bigint,
  ])[] = [
    ["not mapped", fill(page(5, 4090), 10n), {}, LOWER | WNR | TRANSLATION, page(5, 4090)],
    ["reached", fill(page(6, 4090), 10n), { x2: 4n, x5: page(7) }, LOWER | WNR | EXTERNAL, page(7)],
    ["from EL1", fill(page(8, 4095), 2n, 1), { x2: 1n, x5: page(9) }, SAME | WNR | EXTERNAL, page(9)],
    ["read-only", fill(page(1, 4095), 9n), { x2: 8n, x5: page(2) }, LOWER | WNR | ACCESS_PERMISSION, page(2)],
    ["EL1's", read(page(2, 4095), 9n), { x2: 8n, x4: page(3) }, LOWER | ACCESS_PERMISSION, page(3)],
    [
      "EL1's to write",
      fill(page(3, 4095), 9n, 1),
      { x2: 8n, x5: page(4) },
      SAME | WNR | ACCESS_PERMISSION,
      page(4),
    ],
    ["EL1's to read", read(page(4, 4095), 9n, 1), { x2: 8n, x4: page(5) }, SAME | TRANSLATION, page(5)],
    [
      "words",
      fill(page(6, 4090), 2n, 0, 0x1e),
      { x2: 1n, x5: page(6, 4094) },
      LOWER | WNR | EXTERNAL,
      page(7),
    ],
    [
      "downwards",
      fill(page(6, 1), 5n, 0, 0x3c),
      { x2: 3n, x5: page(5, 4095) },
      LOWER | WNR | TRANSLATION,
      page(5, 4095),
    ],
    ["once", fill(page(5), 5n, 0, 0x14), {}, LOWER | WNR | TRANSLATION, page(5)],
  ];
  for (const trigger of ["mrs", "brk"] as const) {
    const { results } = run(rows.map(([, call]) => call), trigger);
    for (const [index, [what, call, changed, syndrome, fault]] of rows.entries()) {
      const result = results[index]!;
      assertEquals([what, changes(call, result)], [what, changed]);
      assertEquals([what, result.syndrome, result.faultAddress], [what, syndrome, fault]);
      assertEquals(result.offset, 0n);
    }
  }
  const hvc = run([fill(page(1, 4095), 9n, 1)], "hvc").results[0]!;
  assertEquals([hvc.x[2], hvc.offset, hvc.syndrome], [8n, 0n, SAME | WNR | ACCESS_PERMISSION]);
});

Deno.test("unified-backdoor moves elements up and down, once and REP, and goes on where a fault was mended", () => {
  const at = STRETCH.virtual + 0x1000n, end = BigInt(STRETCH.size);
  const calls = [
    fill(at, 3n),
    fill(at + 0x20n, 2n, 0, 0x3e),
    fill(at + 0x40n, 9n, 0, 0x15),
    fill(at + 0x60n, 0n),
    read(at, 70_000n),
    fill(page(4, 4000), 5000n, 1, 0x1c, true),
    { ...fill(page(MENDED_PAGE, 10), 5000n, 1, 0x1c), mends: true },
    read(STRETCH.virtual + end - 5n, 9n),
  ];
  const { results, machine, events } = run(calls);
  const changed = results.map((result, index) => changes(calls[index]!, result));
  assertEquals(changed.slice(0, 5), [
    { x2: 0n, x5: at + 3n },
    { x2: 0n, x5: at + 0x18n },
    { x5: at + 0x42n },
    {},
    { x2: 0n, x4: at + 70_000n },
  ]);
  const memory = (from: number) =>
    machine.board.memory.readBytes(physicalAddress(STRETCH.physical + 0x1000 + from), 4).toHex();
  assertEquals([0, 0x1c, 0x20, 0x40, 0x60].map(memory), [
    "ffffff00",
    "ffffffff",
    "ffffffff",
    "ffff0000",
    "00000000",
  ]);
  // From a page that EL1 may not write, so nothing was mended; then over the mended page to the next one's end.
  assertEquals([changed[5], results[5]!.mended], [{}, 0]);
  assertEquals([changed[6], results[6]!.mended], [{ x2: 0n, x5: page(MENDED_PAGE, 5010) }, 1]);
  assertEquals([changed[7], results[7]!.faultAddress], [
    { x2: 4n, x4: STRETCH.virtual + end },
    STRETCH.virtual + end,
  ]);
  const outcomes = events.filter((event) => event.kind === "backdoorReturned").map(({ outcome }) => outcome);
  assertEquals(outcomes.filter((outcome) => outcome === "continued").length, 1);
});

const OPEN: Registers = { 1: 0x4943_5052n };
const request = (type: bigint, more: Registers = {}): Call => command(type << 16n | 30n, more);
const OUT = (address: bigint, bytes: bigint, more: Registers = {}): Call =>
  call(0x18, { 0: MAGIC, 1: 0x1_0000n, 2: bytes, 3: HIGH, 4: address, ...more });
const IN = (address: bigint, bytes: bigint, more: Registers = {}): Call =>
  call(0x1c, { 0: MAGIC, 1: 0x1_0000n, 2: bytes, 3: HIGH, 5: address, ...more });
const statusOf = (result: CallResult): bigint => result.x[2]! >> 16n;

Deno.test("unified-backdoor takes a message whose buffer faults half way, once and whole", () => {
  const calls = [
    request(0n, OPEN),
    request(1n, { 1: 8192n }),
    { ...OUT(page(MENDED_PAGE), 100n), level: 1 as const }, // nothing there: faults at once
    { ...OUT(page(6), 4096n), level: 0 as const },
    { ...OUT(page(8, 4000), 200n), level: 0 as const }, // the next page is not the guest's
    { ...OUT(STRETCH.virtual, 4000n), level: 0 as const },
    request(3n),
    IN(page(0), 17n),
    request(5n, { 1: 1n }),
    OUT(STRETCH.virtual, 1n),
    request(6n),
    request(3n),
  ];
  const { results, events, machine } = run(calls);
  assertEquals(statusOf(results[1]!), 0x81n);
  assertEquals(changes(calls[2]!, results[2]!), {});
  assertEquals(results[3]!.x[2], 0n);
  assertEquals([results[4]!.x[2], results[4]!.faultAddress], [104n, page(9)]);
  assertEquals([results[5]!.x[1], results[5]!.syndrome], [0x1_0000n, 0n]);
  assertEquals([statusOf(results[6]!), results[6]!.x[1]], [0x83n, 17n]);
  const answer = machine.board.memory.readBytes(physicalAddress(0x4020_0000), 17);
  assertEquals(new TextDecoder().decode(answer), "0 Unknown command");
  assertEquals(statusOf(results[8]!), 1n);
  assertEquals(results[9]!.x[1], 0n); // nothing was announced
  assertEquals([statusOf(results[10]!), statusOf(results[11]!)], [1n, 4n]);
  const whole = events.filter((event): event is EventOf<"guestMessageReceived"> =>
    event.kind === "guestMessageReceived"
  );
  assertEquals(whole.map(({ bytes, channel }) => [bytes, channel]), [[8192, 0]]);
});

Deno.test("unified-backdoor refuses messages on channels that are closed, of others, or longer than announced", () => {
  const calls = [
    request(1n, { 1: 4n }),
    request(0n, { 1: 0x1234n }),
    request(0n, { 1: 0xc943_5052n }),
    request(1n, { 1: 4n }),
    request(0n, { 1: OPEN[1]!, 3: LOW }),
    request(1n, { 1: 65537n, 3: LOW | 1n << 16n }),
    request(1n, { 1: 4n, 3: LOW | 1n << 16n }),
    OUT(STRETCH.virtual, 5n, { 3: HIGH | 1n << 16n }),
    IN(STRETCH.virtual, 1n, { 3: HIGH | 1n << 16n }),
    request(4n, { 1: 1n, 3: LOW | 1n << 16n }),
    request(9n, { 3: LOW | 1n << 16n }),
    OUT(STRETCH.virtual, 4n, { 3: HIGH | 7n << 16n }),
  ];
  const { results } = run(calls);
  const statuses = results.map(statusOf);
  assertEquals([0, 1, 2, 3, 4, 5, 6].map((at) => statuses[at]), [4n, 0n, 1n, 4n, 1n, 0n, 0x81n]);
  assert(results[2]!.x[4]! + results[2]!.x[5]! > 0n, "there is no cookie");
  assertEquals(results[7]!.x.slice(1, 3), [0n, 5n]);
  assertEquals(results[8]!.x.slice(1, 3), [0n, 1n]);
  assertEquals([statuses[9], statuses[10], results[11]!.x[1]], [0n, 0n, 0x4_0000n]);
});

Deno.test("unified-backdoor is the node /hypervisor of a guest's device tree, and other systems are not", () => {
  const compatible = (...names: string[]) => {
    const systems = names.map((name) => ({ name, options: {} }));
    const configuration = parseConfiguration({ monitors: [{ level: 2, systems }] });
    const { root } = boardDeviceTree(buildBoard(configuration), true);
    const value = root.children.find(({ name }) => name === "hypervisor")?.get("compatible");
    return value && new TextDecoder().decode(value);
  };
  assertEquals(compatible("dcc-hypercall"), undefined);
  assertEquals(compatible("dcc-hypercall", "unified-backdoor"), "vmware\0");
});

Deno.test("unified-backdoor reaches buffers in pages that another system has not yet brought in, and only those", () => {
  const calls = [
    fill(page(0, 4000), 200n),
    read(STRETCH.virtual, 65_536n),
    fill(STRETCH.virtual + 0x100n, 3n, 0, 0x3e),
    fill(page(8, 4095), 2n, 1),
    fill(page(1, 4095), 9n),
    request(0n, OPEN),
    request(1n, { 1: 300n }),
    OUT(STRETCH.virtual + 0x2_0000n - 100n, 300n),
  ];
  const plain = run(calls), paging = [{ name: "icache-on-fault", options: { policy: "lazy" } }];
  const paged = run(calls, "mrs", {}, paging);
  assertEquals(paged.results, plain.results);
  const faults = paged.events.filter((event) => event.kind === "stage2Faulted");
  assert(faults.length > 20, `only ${faults.length} pages were brought in`);
});
