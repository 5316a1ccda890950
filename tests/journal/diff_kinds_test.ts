/** How two events that belong together are told to differ, and what filters make of that. */
import { assertEquals } from "@std/assert";
import { DiffFilter } from "../../journal/diff_filter.ts";
import { type DifferenceClass, isCounterRead, keyed, PairClassifier } from "../../journal/diff_kinds.ts";
import { assembleProgram } from "../../machine/a64/program.ts";
import type { EventOf, MachineEvent } from "../../machine/events.ts";

type Taken = EventOf<"exceptionTaken">;

const svc = (more: Partial<Taken> = {}): MachineEvent => ({
  kind: "exceptionTaken",
  instant: 10,
  cpu: 0,
  index: 0,
  exception: "synchronous",
  from: 0,
  to: 1,
  syndrome: 0x5600_0000n,
  faultAddress: 0n,
  faultIpa: 0n,
  returnAddress: 0x1000n,
  savedState: 0n,
  vector: 0x400n,
  ...more,
});
const read = (more: Partial<EventOf<"deviceRead">> = {}): MachineEvent => (
  {
    kind: "deviceRead",
    instant: 10,
    cpu: 0,
    index: 0,
    device: "uart0",
    address: 0x9000018,
    size: 4,
    value: 1n,
    ...more,
  }
);
const returned = (address: bigint): MachineEvent => (
  { kind: "exceptionReturned", instant: 20, cpu: 0, index: 0, from: 1, to: 1, address, state: 5n }
);
const clock = { device: "rtc", address: 0x9010000 };

/** Left, right, and what they are after everything above has been seen and learnt. */
// deno-fmt-ignore
const PAIRS: readonly (readonly [MachineEvent, MachineEvent, DifferenceClass])[] = [
  [read(),                          read(),                                           "same"],
  [read(),                          read({ instant: 11, index: 3 }),                  "timing"],
  [read(),                          read({ value: 2n }),                              "value"],
  [read(clock),                     read({ ...clock, value: 2n, instant: 12 }),       "counter"],
  [svc(),                           svc({ returnAddress: 0x1008n }),                  "value"],
  [svc({ exception: "irq" }),       svc({ exception: "irq", returnAddress: 0x77n }),  "timing"],
  [returned(0x1000n),               returned(0x77n),                                  "timing"],
  [returned(0x1000n),               returned(0x2222n),                                "value"],
];

Deno.test("PairClassifier tells timing, counters, values and interrupts that strike elsewhere", () => {
  const classifier = new PairClassifier();
  for (const [left, right, expected] of PAIRS) {
    classifier.learn(left, right);
    assertEquals(classifier.classify(left, right), expected, `${left.kind} ${JSON.stringify(expected)}`);
  }
});

Deno.test("PairClassifier tells addresses that are shifted by a constant that is seen again, and values by it", () => {
  const classifier = new PairClassifier();
  const moved = (by: bigint): MachineEvent => svc({ returnAddress: 0x1000n + by, faultAddress: by });
  const pairs = [0x10000n, 0x10000n, 0x10000n].map((by) => [moved(0n), moved(by)] as const);
  for (const pair of pairs) classifier.learn(...pair);
  for (const pair of pairs) assertEquals(classifier.classify(...pair), "address");
  assertEquals(
    classifier.classify(moved(0n), svc({ returnAddress: 0x11000n, faultAddress: 8n })),
    "value",
    "two constants",
  );
  assertEquals(classifier.classify(moved(0n), moved(0x20000n)), "value", "a constant seen once");
  assertEquals(classifier.classify(read({ value: 0x40n }), read({ value: 0x10040n })), "address");
  assertEquals(classifier.shifts, [[0x10000n, 3]]);
});

Deno.test("keyed leaves out instants and where interrupts strike, and tells exception classes apart", () => {
  const keys = (event: MachineEvent) => [keyed(event).shape, keyed(event).content];
  assertEquals(keys(read()), keys(read({ instant: 999, index: 7 })));
  assertEquals(keys(svc({ exception: "irq" })), keys(svc({ exception: "irq", returnAddress: 5n })));
  const shapes = [
    read(),
    read({ address: 0x9000000 }),
    read({ cpu: 1 }),
    svc(),
    svc({ syndrome: 0x9600_0000n }),
  ];
  assertEquals(new Set(shapes.map((event) => keyed(event).shape)).size, shapes.length);
});

Deno.test("isCounterRead knows the counters' reads among steps", () => {
  const word = (text: string) => new DataView(assembleProgram(text).bytes.buffer).getUint32(0, true);
  const step = (text: string): MachineEvent => (
    {
      kind: "stepRetired",
      instant: 0,
      cpu: 0,
      index: 0,
      pc: 0n,
      opcode: word(text),
      level: 1,
      registers: [],
      memory: [],
    }
  );
  const yes = ["mrs x0, CNTVCT_EL0", "mrs x30, CNTPCT_EL0"];
  const no = ["mrs x0, CNTFRQ_EL0", "mrs x0, CNTV_CTL_EL0", "mrs x0, TPIDR_EL0", "add x0, x0, #1"];
  for (const text of yes) assertEquals(isCounterRead(step(text)), true, text);
  for (const text of no) assertEquals(isCounterRead(step(text)), false, text);
});

Deno.test("DiffFilter hides by kind, class, device and address, and keeps only what is asked for", () => {
  const pair = { left: read(), right: read({ value: 2n }) };
  const hides = (options: ConstructorParameters<typeof DiffFilter>[0]) =>
    new DiffFilter(options).hides(pair, "value");
  for (const word of ["value", "deviceRead", "device", "uart0"]) {
    assertEquals(hides({ ignore: [word] }), true, word);
  }
  for (const word of ["timing", "deviceWritten", "trap", "rtc"]) {
    assertEquals(hides({ ignore: [word] }), false, word);
  }
  assertEquals(hides({ only: ["uart0"] }), false);
  assertEquals(hides({ only: ["timing"] }), true);
  assertEquals(hides({ only: ["uart0"], ignore: ["value"] }), true);
  assertEquals(hides({ ignoreAddresses: [[0x9000000n, 0x9001000n]] }), true);
  assertEquals(hides({ ignoreAddresses: [[0x9000000n, 0x9000018n]] }), false);
});
