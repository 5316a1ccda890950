/** The journal file written and read back: by the whole, by its index, from and to storage that fails. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { JournalCorruptError, JournalReadError, JournalWriteError } from "../../journal/errors.ts";
import { JournalReader, JournalWriter } from "../../journal/file.ts";
import { FORMAT } from "../../journal/format.ts";
import { MemoryFile, type Sink } from "../../journal/storage.ts";
import { type Append, APPENDS, forgedJournal, journalOf, open, payloadsOf, withStored } from "./support.ts";

const FILE = journalOf(APPENDS);
const UNFINISHED = journalOf(APPENDS, false);
const BLOCKS = open(FILE).blocks;
const PAYLOADS = APPENDS.map(([, payload]) => payload);
const DATA_BLOCKS = APPENDS.length;

Deno.test("JournalReader reads back what JournalWriter wrote", () => {
  const reader = open(FILE);
  assertEquals(payloadsOf(reader), PAYLOADS);
  assertEquals(reader.blocks.map((block) => block.kind), [...APPENDS.map(([kind]) => kind), "index"]);
  for (const [number, [, , span]] of APPENDS.entries()) {
    const { firstInstant, lastInstant } = reader.blocks[number]!;
    assertEquals({ firstInstant, lastInstant }, span ?? { firstInstant: 0, lastInstant: 0 });
  }
  assertEquals([reader.format, reader.finished, reader.torn], [FORMAT, true, undefined]);
});

Deno.test("JournalWriter reports the blocks that JournalReader lists", () => {
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  for (const [kind, payload, span] of APPENDS) {
    const info = writer.append(kind, payload, span);
    assertEquals(writer.byteLength, file.size);
    assertEquals(info.offset + info.byteLength, file.size);
  }
  writer.finish();
  assertEquals(writer.blocks, JournalReader.open(file).blocks);
});

Deno.test("JournalReader reads an unfinished journal as a finished one, but for the index", () => {
  const reader = open(UNFINISHED);
  assertEquals(reader.blocks, BLOCKS.slice(0, DATA_BLOCKS));
  assertEquals(payloadsOf(reader), PAYLOADS);
  assertEquals([reader.finished, reader.torn], [false, undefined]);
});

Deno.test("JournalReader.payload refuses a number that is no block's", () => {
  for (const number of [-1, BLOCKS.length, 0.5, NaN]) {
    assertThrows(() => open(FILE).payload(number), RangeError, `Cannot read block ${number}`);
  }
});

/** The file of the next test, put together outside of this project from the tables of journal/README.md (Python). */
const GOLDEN = [
  "8948494e4453494748540d0a1a0a0300",
  "8b4853424c4f434bac22adafdfd6421b0000000001000100000000000000000000000000000000000400000004000000",
  "6553faa7a33756034d6874cee8dd7037fd7f62263b0ec5794829c950bf67b40c1abc27acac22adafdfd6421b711ba440",
  "b6910ae1e4516fdc7d6210629d885caeb92ce11e3ce341c081a16101",
  "8b4853424c4f434bac22adafdfd6421b0100000003000000000000000000000000000000000000000100000001000000",
  "2e7a664c9ca924a91aca143b463ca508bfc972208cb0b56f2da28b10f6c29d9d2771bad2ca358758f6d27e6cf4527293",
  "7977a748fd88391db679ceda7dc7bf1f005ee8793f02a0d907",
].join("");

Deno.test("JournalWriter and JournalReader keep to the layout of format 3", () => {
  const appends: Append[] = [["configuration", { a: 1 }], ["inputs", Uint8Array.of(7)]];
  assertEquals(journalOf(appends, false).toHex(), GOLDEN);
  assertEquals(payloadsOf(open(Uint8Array.fromHex(GOLDEN))), [{ a: 1 }, Uint8Array.of(7)]);
});

Deno.test("JournalReader.payload refuses a block whose payload is hostile, and reads the others", () => {
  const bytes = forgedJournal(APPENDS, (block, number) => {
    if (number !== 2) return block;
    return withStored(block, block.stored.subarray(0, -3));
  });
  const reader = open(bytes);
  const error = assertThrows(() => reader.payload(2), JournalCorruptError, "its payload");
  assertEquals([error.block, error.offset], [2, reader.blocks[2]!.offset]);
  assertEquals(reader.payload(3), PAYLOADS[3]);
});

Deno.test("JournalReader reports a source that fails, comes up short or changes", () => {
  class Failing extends MemoryFile {
    reads = 0;
    constructor(readonly until: number, readonly fault: (bytes: Uint8Array) => Uint8Array) {
      super(FILE);
    }
    override read(offset: number, length: number): Uint8Array {
      const bytes = super.read(offset, length);
      return ++this.reads > this.until ? this.fault(bytes) : bytes;
    }
  }
  for (const check of ["whole", "asRead"] as const) {
    for (let until = 0; until < 7; until++) {
      const fail = () => {
        throw new Error("Input/output error (os error 5)");
      };
      const attempt = (fault: (bytes: Uint8Array) => Uint8Array) => () =>
        JournalReader.open(new Failing(until, fault), { check }).payload(1);
      assertThrows(attempt(fail), JournalReadError, "Input/output error (os error 5)");
      assertThrows(
        attempt((bytes) => bytes.subarray(1)),
        JournalReadError,
        "the file changed while it was read",
      );
    }
  }
});

/** A disk that fills up after `room` bytes: what fits of the last write is written, as on a real one. */
class FullDisk extends MemoryFile implements Sink {
  readonly name = "full.hindsight";
  closed = 0;
  constructor(public room: number) {
    super();
  }
  override write(bytes: Uint8Array): void {
    super.write(bytes.subarray(0, this.room));
    if (this.room < bytes.length) throw new Error("No space left on device (os error 28)");
    this.room -= bytes.length;
  }
  override close(): void {
    this.closed++;
  }
}

Deno.test("JournalWriter leaves every whole block safe on a disk that is full at any byte", () => {
  for (let room = 0; room < FILE.length; room++) {
    const disk = new FullDisk(room);
    const writer = new JournalWriter(disk);
    const write = () => {
      for (const [kind, payload, span] of APPENDS) writer.append(kind, payload, span);
      writer.finish();
    };
    const error = assertThrows(write, JournalWriteError, "No space left on device (os error 28)");
    const whole = BLOCKS.filter((block) => block.offset + block.byteLength <= room);
    const end = whole.length ? whole.at(-1)!.offset + whole.at(-1)!.byteLength : 0;
    assertEquals([error.blocks, error.bytes, error.exitCode], [whole.length, end, 1]);
    assertStringIncludes(error.message, whole.length ? `(${end} bytes)` : "Nothing had been recorded yet.");
    assertStringIncludes(error.message, 'Cannot write journal "full.hindsight": ');
    if (whole.length) assertEquals(open(disk.bytes).blocks, whole);
    assertEquals(assertThrows(() => writer.append("events", [])), error);
    writer.finish();
    assertEquals(disk.closed, 1);
  }
});

Deno.test("JournalWriter reports a sync and a close that fail", () => {
  for (const method of ["sync", "close"] as const) {
    const sink = Object.assign(new MemoryFile(), {
      [method]: () => {
        throw new Error("Input/output error");
      },
    });
    const writer = new JournalWriter(sink);
    writer.append("configuration", {});
    assertThrows(() => writer.finish(), JournalWriteError, "Input/output error. The 2 blocks before it");
    assertEquals(open(sink.bytes).finished, true);
  }
});

Deno.test("JournalWriter stays usable after a payload that it refuses", () => {
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  assertThrows(() => writer.append("events", []), RangeError, "the first block is the configuration");
  writer.append("configuration", {});
  assertThrows(() => writer.append("configuration", {}), RangeError, "and only the first");
  assertThrows(() => writer.append("index", {}), RangeError, "finish() writes it");
  assertThrows(() => writer.append("events", () => 1), TypeError, "Cannot encode payload");
  assertThrows(
    () => writer.append("events", [], { firstInstant: 2, lastInstant: 1 }),
    RangeError,
    "no instants",
  );
  writer.append("events", [1]);
  writer.finish();
  writer.finish();
  assertThrows(() => writer.append("events", []), RangeError, "the journal is finished");
  assertEquals(payloadsOf(JournalReader.open(file)), [{}, [1]]);
});

Deno.test("JournalWriter writes nothing for a journal without blocks, and closes", () => {
  const disk = new FullDisk(0);
  new JournalWriter(disk).finish();
  assertEquals([disk.size, disk.closed], [0, 1]);
});

Deno.test("JournalWriter packs by the level it is given", () => {
  const text = Array.from({ length: 5000 }, (_, index) => index * index % 977);
  const sizes = [1, 19].map((level) => {
    const writer = new JournalWriter(new MemoryFile(), { level });
    writer.append("configuration", text);
    return writer.byteLength;
  });
  assert(sizes[1]! < sizes[0]!, `${sizes}`);
});
