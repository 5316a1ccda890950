/** The history root: a hash chain over state roots and the events between them. */
import {
  type AnyFields,
  type DeviceAccess,
  type EventKind,
  type EventObserver,
  type MachineEvent,
  writeEvent,
  writeEventParts,
  writeEventWords,
} from "../machine/events.ts";
import { ByteWriter, Phrase } from "../machine/layout.ts";
import type { AccessLog } from "../machine/access_log.ts";
import { accessBytes, WORTH_EXPANDING } from "./access_bytes.ts";
import { AccessForms } from "./access_forms.ts";
import { type ByteWork, digestHere, type EventDigest } from "./byte_work.ts";
import { HASH_LENGTH, sha256 } from "./hash.ts";

/** Where the instant's halves, the index and the value's lower half are in an access's bytes, the last from the end. */
const INSTANT_LOW = 1, INSTANT_HIGH = 5, INDEX = 10, VALUE_FROM_END = 8;

/** The canonical bytes of an access to a device, with zeros for instant, index and value. */
function canonicalForm({ kind, cpu, device, address, size }: DeviceAccess): Phrase {
  const writer = new ByteWriter();
  writeEventParts(writer, kind, 0, cpu, 0, { device, address, size, value: 0n });
  return new Phrase(writer.view());
}

/** Bytes gathered before they are hashed. */
const BATCH = 1 << 16;

/** Digests every input, trap and device event, at every depth, and chains the digests with state roots. */
export class History implements EventObserver {
  /** The classes of event that enter the history root. */
  readonly classes = ["input", "trap", "device"] as const;
  #writer = new ByteWriter();
  readonly #forms = new AccessForms(canonicalForm);
  #digest: EventDigest;
  #root: Uint8Array;

  /** Goes on from a root that was closed before; from none, by default. `work` makes digests, if anybody does. */
  constructor(root: Uint8Array = new Uint8Array(HASH_LENGTH), private readonly work?: ByteWork) {
    this.#root = root;
    this.#digest = work?.digest() ?? digestHere();
  }

  /** The last history root: 32 zero bytes before the first. */
  get root(): Uint8Array {
    return this.#root;
  }

  /** Adds one event. */
  observe(event: MachineEvent): void {
    writeEvent(this.#writer, event);
    if (this.#writer.length >= BATCH) this.#flush();
  }

  /** Adds one event, given in parts. */
  observeParts(kind: EventKind, instant: number, cpu: number, index: number, fields: AnyFields): void {
    writeEventParts(this.#writer, kind, instant, cpu, index, fields);
    if (this.#writer.length >= BATCH) this.#flush();
  }

  /** Adds one event, given in words. */
  observeWords(kind: EventKind, instant: number, cpu: number, index: number, words: Uint32Array): void {
    writeEventWords(this.#writer, kind, instant, cpu, index, words);
    if (this.#writer.length >= BATCH) this.#flush();
  }

  /** Adds an access to a device. */
  observeAccess(access: DeviceAccess, instant: number, index: number, value: number): void {
    const writer = this.#writer, { words, length } = this.#forms.of(access);
    const at = writer.words(words, length), end = at + length;
    writer.putU32(at + INSTANT_LOW, instant);
    if (instant > 0xffff_ffff) writer.putU32(at + INSTANT_HIGH, Math.floor(instant / 0x1_0000_0000));
    writer.putU32(at + INDEX, index);
    writer.putU32(end - VALUE_FROM_END, value);
    if (end >= BATCH) this.#flush();
  }

  /** Adds many. */
  observeAccesses(log: AccessLog): void {
    if (log.count < WORTH_EXPANDING) {
      return log.forEach((access, instant, index, value) =>
        this.observeAccess(access, instant, index, value)
      );
    }
    this.#flush();
    accessBytes().expand("canonical", log, (bytes) => this.#digest.update(bytes));
  }

  #flush(): void {
    if (this.#writer.length === 0) return;
    this.#digest.update(this.#writer.view());
    this.#writer.clear();
  }

  /** Closes the interval: SHA-256(previous history root ‖ state root ‖ digest of the events since). */
  close(stateRoot: Uint8Array): Uint8Array {
    this.#flush();
    const digest = this.#digest.digest();
    this.#digest = this.work?.digest() ?? digestHere();
    this.#root = sha256(this.#root, stateRoot, digest);
    return this.#root;
  }

  /** What `close` would give, without closing: for a look at a run in the middle of an interval. */
  peek(stateRoot: Uint8Array): Uint8Array {
    this.#flush();
    return sha256(this.#root, stateRoot, this.#digest.copy().digest());
  }

  /** A copy that goes on independently, for a mark to which a replay returns. */
  copy(): History {
    this.#flush();
    const other = new History(this.#root);
    other.#digest = this.#digest.copy();
    return other;
  }
}
