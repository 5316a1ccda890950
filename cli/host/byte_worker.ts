/** The worker that digests and packs bytes: waits for jobs in shared memory, and for nothing else once it has begun. */
import { createHash } from "node:crypto";
import { packPayload } from "../../journal/packing.ts";
import { CONTROL, JOB, offsetOf, QUEUE, type SharedBytes, SLOT, STATE, wordOf } from "./byte_layout.ts";

/** Carries out jobs until it is asked to end. */
function work({ control, bytes }: SharedBytes): void {
  let digest = createHash("sha256");
  const get = (slot: number, word: number) => control[wordOf(slot, word)] as number;
  const put = (slot: number, word: number, value: number) => void (control[wordOf(slot, word)] = value);
  Atomics.store(control, CONTROL.ready, 1);
  for (let job = 0;; job = (job + 1) | 0) {
    while (Atomics.load(control, CONTROL.asked) === job) Atomics.wait(control, CONTROL.asked, job);
    const slot = control[CONTROL.queue + (job & (QUEUE - 1))] as number, kind = get(slot, SLOT.job);
    if (kind === JOB.end) return;
    const at = offsetOf(slot), given = bytes.subarray(at, at + get(slot, SLOT.length));
    if (kind === JOB.pack) {
      const { stored, packing, rawCrc } = packPayload(given, get(slot, SLOT.level));
      if (stored !== given) bytes.set(stored, at);
      put(slot, SLOT.length, stored.length);
      put(slot, SLOT.packing, packing);
      put(slot, SLOT.crc, rawCrc);
    } else digest.update(given);
    if (kind === JOB.digest) {
      bytes.set(digest.digest(), at);
      digest = createHash("sha256");
    }
    Atomics.store(control, wordOf(slot, SLOT.state), STATE.done);
    Atomics.notify(control, wordOf(slot, SLOT.state));
  }
}

const scope = self as unknown as { onmessage: (event: MessageEvent<SharedBytes>) => void; close(): void };

scope.onmessage = ({ data }) => {
  work(data);
  scope.close();
};
