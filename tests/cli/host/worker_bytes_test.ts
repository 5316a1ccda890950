/** Bytes that a worker digests and packs: the same digests, the same blocks, the same journal as without it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { bytesInWorker, endByteWorker } from "../../../cli/host/worker_bytes.ts";
import type { ByteWork } from "../../../journal/byte_work.ts";
import { JournalReader, JournalWriter } from "../../../journal/file.ts";
import { type PackedPayload, packPayload } from "../../../journal/packing.ts";
import { Recorder } from "../../../journal/recorder.ts";
import { MemoryFile } from "../../../journal/storage.ts";
import { flatGuest } from "../../journal/guest.ts";

const SEED = 20261121;

/** Bytes that zstd makes shorter, or does not. */
function bytesOf(length: number, isRandom: boolean): Uint8Array<ArrayBuffer> {
  let state = SEED;
  return Uint8Array.from({ length }, (_, index) => {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    return isRandom ? state >>> 24 : index % 40 === 7 ? state >>> 24 : index % 40;
  });
}

/** What has to come of a payload. */
function packed(payload: Uint8Array): PackedPayload {
  const { stored, ...rest } = packPayload(payload, 3);
  return { ...rest, stored: new Uint8Array(stored) };
}

/** Does something with a worker that is ready, and ends it. */
async function withWorker(act: (work: ByteWork) => void): Promise<void> {
  const work = bytesInWorker(0);
  try {
    let digest = work.digest();
    for (let waited = 0; digest === undefined && waited < 10_000; waited += 20) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      digest = work.digest();
    }
    assert(digest !== undefined, "the worker starts");
    assertEquals(work.digest(), undefined, "there is one at a time");
    assertEquals(digest.digest(), new Uint8Array(createHash("sha256").digest()));
    act(work);
  } finally {
    endByteWorker();
  }
}

Deno.test(`bytesInWorker digests what comes in pieces of any size, seed ${SEED}`, () =>
  withWorker((work) => {
    for (const lengths of [[1], [262_144], [262_143, 2], [5, 0, 1_000_000, 3, 262_144, 600_000]]) {
      const digest = work.digest(), expected = createHash("sha256");
      assert(digest !== undefined);
      for (const length of lengths) {
        const bytes = bytesOf(length, true);
        digest.update(bytes);
        expected.update(bytes);
        bytes.fill(0);
      }
      assertThrows(() => digest.copy(), RangeError, "another thread");
      assertEquals(digest.digest(), new Uint8Array(expected.digest()));
    }
  }));

Deno.test(`bytesInWorker packs as packPayload does, seed ${SEED}`, () =>
  withWorker((work) => {
    const payloads = [bytesOf(200_000, false), bytesOf(4 << 20, false), bytesOf(70_000, true)];
    for (const payload of payloads) assertEquals(work.pack(payload, 3)?.(), packed(payload));
    const [first, second] = payloads.map((payload) => work.pack(payload, 3));
    assertEquals(work.pack(payloads[2] as Uint8Array, 3), undefined, "there is room for two");
    assertEquals([first?.(), second?.()], payloads.slice(0, 2).map(packed));
    assertEquals(work.pack(bytesOf((4 << 20) + 1, false), 3), undefined, "and for so much each");
  }));

/** Polls the UART for ever. */
const POLL = `
        ldr     x1, =0x09000000
again:  ldr     w4, [x1, #0x18]
        add     x9, x9, x4
        tbz     w4, #5, again
        .ltorg
`;

function record(work: ByteWork | undefined, steps: number) {
  const guest = flatGuest(POLL), configuration = guest.configuration({ rootInterval: 300_000 });
  const file = new MemoryFile(), writer = new JournalWriter(file, { work });
  const recorder = new Recorder({ configuration, depth: "traps", recordedBy: "test" }, guest.images, writer, {
    work,
  });
  recorder.run(steps);
  recorder.finish("operator");
  return { bytes: file.bytes, blocks: JournalReader.open(file).blocks.map(({ kind }) => kind) };
}

Deno.test("a recording is the same, byte for byte, with a worker and without", () =>
  withWorker((work) => {
    let packed = 0, digests = 0;
    const counting: ByteWork = {
      digest: () => (digests++, work.digest()),
      pack: (raw, level) => (packed++, work.pack(raw, level)),
    };
    const alone = record(undefined, 2_000_000), together = record(counting, 2_000_000);
    assertEquals(together.blocks, alone.blocks);
    assertEquals(together.bytes, alone.bytes);
    assert(packed > 5 && digests > 6, `${packed} blocks, ${digests} digests`);
  }));

Deno.test("bytesInWorker starts no worker before it is worth it", () => {
  const work = bytesInWorker();
  assertEquals([work.digest(), work.pack(bytesOf(100_000, false), 3)], [undefined, undefined]);
  endByteWorker();
});
