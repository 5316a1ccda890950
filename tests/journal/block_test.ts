/** One block: its layout, what damage to it is found, and what a hostile writer cannot do with it. */
import { zstdCompressSync } from "node:zlib";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  BLOCK_HEADER_LENGTH,
  type BlockHeader,
  checkHeader,
  type Content,
  decodeBlock,
  decodeHeader,
  encodeBlock,
  type EncodedBlock,
  encodeHeader,
  isStoredWhole,
  MAX_BLOCKS,
  MAX_RAW_LENGTH,
  Packing,
} from "../../journal/block.ts";
import { BLOCK_KINDS, type BlockKind, kindOfNumber, numberOfKind } from "../../journal/block_kinds.ts";
import { JournalPayloadError } from "../../journal/errors.ts";
import { crc32, HASH_LENGTH, sha256 } from "../../journal/hash.ts";
import { flipped, noise, SEED, seededRandom, withStored } from "./support.ts";

const SPAN = { firstInstant: 2 ** 40, lastInstant: 2 ** 53 - 1 };
const PLACE = { number: 5, previousHash: noise(HASH_LENGTH), journalId: 0x0123456789abcdefn, level: 3 };
const TEXT = { text: "abc".repeat(100), numbers: [1, 2n, null] };

function block(payload: unknown, kind: BlockKind = "events"): EncodedBlock {
  return encodeBlock(kind, payload, SPAN, PLACE);
}

Deno.test("BLOCK_KINDS has each number and each name once", () => {
  assertEquals(new Set(BLOCK_KINDS.map((row) => row.number)).size, BLOCK_KINDS.length);
  for (const { number, name } of BLOCK_KINDS) {
    assertEquals(kindOfNumber(number), name);
    assertEquals(numberOfKind(name), number);
  }
  assertEquals(kindOfNumber(0), undefined);
  assertThrows(() => numberOfKind("none" as BlockKind), RangeError, 'there is no kind "none"');
});

Deno.test("crc32 and sha256 agree with the published check values", () => {
  const digits = new TextEncoder().encode("123456789");
  assertEquals(crc32(digits), 0xcbf43926);
  const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-4, "abc"
  assertEquals(sha256(Uint8Array.of(0x61), Uint8Array.of(0x62, 0x63)).toHex(), hash);
});

Deno.test("decodeHeader gives back every field of encodeHeader", () => {
  const { header, headerBytes } = block(TEXT);
  assertEquals(headerBytes.length, BLOCK_HEADER_LENGTH);
  assertEquals(decodeHeader(headerBytes), header);
  assertEquals(checkHeader(header), undefined);
  assertEquals([header.number, header.journalId, header.firstInstant], [5, PLACE.journalId, 2 ** 40]);
});

Deno.test("encodeHeader lays the fields out as format 1 does", () => {
  const header: BlockHeader = {
    journalId: 0x1122334455667788n,
    number: 0x01020304,
    kind: 6,
    packing: Packing.Zstd,
    content: 1,
    firstInstant: 0x10,
    lastInstant: 2 ** 53 - 1,
    storedLength: 0xa1,
    rawLength: 0xb2b3,
    rawCrc: 0xdeadbeef,
    previousHash: new Uint8Array(HASH_LENGTH).fill(0x50),
    storedHash: new Uint8Array(HASH_LENGTH).fill(0x60),
  };
  const expected = "8b4853424c4f434b" + "8877665544332211" + "04030201" + "06" + "01" + "01" + "00" +
    "1000000000000000" + "ffffffffffff1f00" + "a1000000" + "b3b20000" + "efbeadde" +
    "50".repeat(32) + "60".repeat(32);
  assertEquals(encodeHeader(header).slice(0, 116).toHex(), expected);
});

Deno.test("decodeHeader finds every flipped bit and every cut", () => {
  const { headerBytes } = block(TEXT);
  for (let offset = 0; offset < BLOCK_HEADER_LENGTH; offset++) {
    assertEquals(decodeHeader(headerBytes.subarray(0, offset)), undefined);
    for (let bit = 0; bit < 8; bit++) {
      assertEquals(decodeHeader(flipped(headerBytes, offset, bit)), undefined);
    }
  }
});

Deno.test("decodeBlock gives back values and bytes, packed or plain", () => {
  const cases: [unknown, Packing][] = [
    [TEXT, Packing.Zstd],
    [{ a: 1 }, Packing.Plain],
    [new Uint8Array(5000), Packing.Zstd],
    [noise(5000), Packing.Plain],
    [new Uint8Array(0), Packing.Plain],
  ];
  for (const [payload, packing] of cases) {
    const { header, stored } = block(payload);
    assertEquals(header.packing, packing);
    assertEquals(decodeBlock(header, stored), payload);
  }
});

Deno.test("decodeBlock finds every flipped bit of the stored payload before decoding it", () => {
  const { header, stored } = block(TEXT);
  for (let offset = 0; offset < stored.length; offset++) {
    const bad = flipped(stored, offset, offset % 8);
    assert(!isStoredWhole(header, bad));
    assertThrows(() => decodeBlock(header, bad), JournalPayloadError, "does not match its hash");
  }
});

Deno.test("encodeBlock refuses a payload over the bound and instants out of order", () => {
  const long = new Uint8Array(MAX_RAW_LENGTH + 1);
  assertThrows(() => block(long, "images"), RangeError, `${long.length} bytes are over the bound`);
  for (const [firstInstant, lastInstant] of [[2, 1], [-1, 1], [0, 2 ** 53], [0.5, 1], [NaN, NaN]]) {
    const span = { firstInstant: firstInstant!, lastInstant: lastInstant! };
    assertThrows(() => encodeBlock("events", [], span, PLACE), RangeError, "no instants");
  }
});

// deno-fmt-ignore
const OUT_OF_BOUNDS: readonly [fields: Partial<BlockHeader>, reason: string][] = [
  [{ kind: 0 },                                          "unknown kind 0"],
  [{ kind: 200 },                                        "unknown kind 200"],
  [{ kind: numberOfKind("configuration") },              "configuration, out of place"],
  [{ number: 0 },                                        "events, out of place"],
  [{ number: MAX_BLOCKS },                               "over the bound of 1048576 blocks"],
  [{ packing: 2 as Packing },                            "unknown packing 2"],
  [{ content: 9 as Content },                                "unknown content 9"],
  [{ rawLength: MAX_RAW_LENGTH + 1 },                    "over the bound of 67108864 bytes"],
  [{ rawLength: 2 ** 32 - 1, storedLength: 2 ** 32 - 1 }, "over the bound of 67108864 bytes"],
  [{ storedLength: 10_000 },                             "does not go with its raw length"],
  [{ packing: Packing.Plain },                           "does not go with its raw length"],
  [{ packing: Packing.Zstd, rawLength: 0, storedLength: 0 }, "does not go with its raw length"],
  [{ lastInstant: 2 ** 53 },                             "over 2^53"],
  [{ lastInstant: 5 },                                   "comes before its first"],
];

for (const [fields, reason] of OUT_OF_BOUNDS) {
  Deno.test(`checkHeader refuses ${Deno.inspect(fields, { breakLength: Infinity })}`, () => {
    const written = decodeHeader(encodeHeader({ ...block(TEXT).header, ...fields }));
    assertStringIncludes(checkHeader(written!) ?? "", reason);
  });
}

Deno.test("decodeBlock refuses a payload that is not what the header says although its hash agrees", () => {
  const good = block(new Uint8Array(5000).fill(9));
  const forge = (stored: Uint8Array, fields: Partial<BlockHeader> = {}) => {
    const forged = withStored(good, stored);
    return () => decodeBlock({ ...forged.header, ...fields }, stored);
  };
  const cut = good.stored.subarray(0, good.stored.length - 1);
  // deno-fmt-ignore
  const cases: readonly [() => unknown, string][] = [
    [forge(cut),                                              "bytes, not 5000"],
    [forge(new Uint8Array(0)),                                "bytes, not 5000"],
    [forge(zstdCompressSync(new Uint8Array(4999))),           "4999 bytes, not 5000"],
    [forge(zstdCompressSync(new Uint8Array(5000))),           "does not match its CRC"],
    [forge(zstdCompressSync(new Uint8Array(MAX_RAW_LENGTH))), "cannot be decompressed to 5000 bytes"],
    [forge(good.stored, { rawLength: 4999 }),                 "cannot be decompressed to 4999 bytes"],
    [forge(good.stored, { content: 1 }),                      "bytes after the value's end"],
  ];
  for (const [decode, message] of cases) assertThrows(decode, JournalPayloadError, message);
});

Deno.test(`decodeBlock survives any compressed bytes whose hash agrees (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const good = block({ ...TEXT, more: Array.from({ length: 100 }, (_, index) => index * 7) });
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const stored = good.stored.slice(0, round % 3 ? good.stored.length : random(good.stored.length));
    if (stored.length > 0) stored[random(stored.length)]! ^= 1 << random(8);
    try {
      // zstd's frame has bits that change nothing; whatever is accepted has to be what was written.
      assertEquals(
        decodeBlock(withStored(good, stored).header, stored),
        decodeBlock(good.header, good.stored),
      );
    } catch (error) {
      if (!(error instanceof JournalPayloadError)) {
        throw new Error(`seed ${SEED}, round ${round}`, { cause: error });
      }
      refused++;
    }
  }
  assert(refused > 2000, `seed ${SEED}: only ${refused} refused`);
});
