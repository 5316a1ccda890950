/**
 * The transcript of a migration: a hash chain over all messages of each direction up to the commit, signed by either agent
 * with Ed25519 (RFC 8032). Where the link did nothing to them both sign the same.
 */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { bytes, ByteWriter, record, u32 } from "../../../machine/layout.ts";
import { sha256 } from "../../../machine/sha256.ts";
import { derivedKey } from "./crypto.ts";
import { isFromSource, typeOf } from "./messages.ts";

const NOTHING = new Uint8Array(32);
/** DER of a PrivateKeyInfo (RFC 8410) up to the 32 bytes of the key. */
const PRIVATE_KEY = Uint8Array.fromHex("302e020100300506032b657004220420");

/** Layout of what is signed, but for whose migration it is. */
export const transcriptState = record({ messages: u32, fromSource: bytes(32), fromDestination: bytes(32) });

/** Messages so far, and both chains. */
export type TranscriptState = ReturnType<typeof transcriptState.read>;

/** No messages. */
export const NOTHING_SAID: TranscriptState = { messages: 0, fromSource: NOTHING, fromDestination: NOTHING };

/** The transcript with one more message; an offer begins it, the answer to the commit is behind it. */
export function noted(before: TranscriptState, message: Uint8Array): TranscriptState {
  const type = typeOf(message), isSource = isFromSource(message);
  if (type === "done") return before;
  const state = type === "offer" ? NOTHING_SAID : before, messages = state.messages + 1;
  return isSource
    ? { ...state, messages, fromSource: sha256(state.fromSource, message) }
    : { ...state, messages, fromDestination: sha256(state.fromDestination, message) };
}

/** What is signed. */
export function transcriptBytes(epoch: number, attempt: number, state: TranscriptState): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(epoch);
  writer.u32(attempt);
  transcriptState.write(writer, state);
  return writer.view().slice();
}

function privateKey(
  cluster: Uint8Array,
  role: "source" | "destination",
): ReturnType<typeof createPrivateKey> {
  const seed = derivedKey(cluster, `transcript of the ${role}`),
    der = new Uint8Array(PRIVATE_KEY.length + 32);
  der.set(PRIVATE_KEY);
  der.set(seed, PRIVATE_KEY.length);
  return createPrivateKey({ key: der as never, format: "der", type: "pkcs8" });
}

/** The key that a role's signatures are verified with. */
export function transcriptKey(
  cluster: Uint8Array,
  role: "source" | "destination",
): ReturnType<typeof createPublicKey> {
  return createPublicKey(privateKey(cluster, role));
}

/** Signs a transcript: 64 bytes. */
export function signTranscript(
  cluster: Uint8Array,
  role: "source" | "destination",
  what: Uint8Array,
): Uint8Array {
  return Uint8Array.from(sign(null, what, privateKey(cluster, role)));
}
