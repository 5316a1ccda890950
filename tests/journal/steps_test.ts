/** Stored steps: columns give back every step, and damage is refused. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { decodeSteps, StepColumnsWriter } from "../../journal/steps.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { type EventOf, eventSchema } from "../../machine/events.ts";

function step(instant: number, pc: bigint): EventOf<"stepRetired"> {
  return {
    kind: "stepRetired",
    instant,
    cpu: instant % 3,
    index: instant % 5,
    pc,
    opcode: 0xd503201f,
    level: 1,
    registers: [{ register: instant % 31, value: pc ^ 0xffff_0000_ffffn }, { register: 64, value: 9n }],
    memory: instant % 2 === 0
      ? []
      : [{ write: true, address: pc + 1n, size: 16, value: new Uint8Array(16).fill(instant) }],
  };
}

/** Straight lines, a jump back, addresses at both ends of the space, and gaps between instants. */
const STEPS = [
  step(5, 0n),
  step(6, 4n),
  step(9, 0xffff_ffff_ffff_fffcn),
  step(10, 0n),
  step(4_000_000, 0x4008_0000n),
];

function stored(): JournalReader {
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  writer.append("configuration", {});
  const columns = new StepColumnsWriter(writer);
  for (const event of STEPS) columns.observe(event);
  columns.flush();
  columns.flush();
  writer.finish();
  return JournalReader.open(file);
}

Deno.test("StepColumnsWriter and decodeSteps give back every step, in one block that spans their instants", () => {
  const reader = stored();
  const blocks = reader.blocks.filter(({ kind }) => kind === "steps");
  assertEquals(blocks.map(({ firstInstant, lastInstant }) => [firstInstant, lastInstant]), [[5, 4_000_000]]);
  const steps = [...decodeSteps(reader.payload(blocks[0]?.number ?? -1))];
  assertEquals(steps, STEPS);
  for (const event of steps) assert(eventSchema.safeParse(event).success);
});

Deno.test("decodeSteps refuses columns cut short, grown, missing or counted wrong", () => {
  const reader = stored();
  const payload = reader.payload(1) as {
    count: number;
    firstInstant: number;
    columns: Record<string, Uint8Array>;
  };
  const refused = (changed: unknown) => assertThrows(() => [...decodeSteps(changed)]);
  for (const [name, bytes] of Object.entries(payload.columns)) {
    refused({ ...payload, columns: { ...payload.columns, [name]: bytes.subarray(1) } });
    refused({ ...payload, columns: { ...payload.columns, [name]: new Uint8Array([...bytes, 0]) } });
    const { [name]: _gone, ...others } = payload.columns;
    refused({ ...payload, columns: others });
  }
  refused({ ...payload, count: payload.count - 1 });
  refused({ ...payload, count: 2 ** 31 });
  refused({ ...payload, more: 1 });
});
