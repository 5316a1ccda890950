/** The messages of a migration: a plain header, which is authenticated, and a sealed body. */
import {
  ByteReader,
  bytes,
  ByteWriter,
  type FieldKind,
  flag,
  listOf,
  oneOf,
  record,
  text,
  u32,
  u53,
  u8,
} from "../../../machine/layout.ts";
import { derivedKey, hmac, IV_BYTES, seal, TAG_BYTES, unseal } from "./crypto.ts";

/** What a destination has to have for a TEE to be sent there. */
const policy = record({
  teeType: text(8),
  /** A machine with a kernel of its own, or a program at EL0, which TEEs of every type can have. */
  form: oneOf("machine", "program"),
  /** What features are lacking may be emulated. */
  allowsShims: flag,
  /** Bytes to which memory of different permissions is aligned. */
  alignment: u32,
  features: listOf(text(16), 64),
  memoryMiB: u32,
  cpus: u8,
  agentVersion: u32,
});
const nonce = bytes(32);

/** Most bytes of a page message's state or page. */
const MOST_PIECE = 8192;
/** Pieces in one message. */
export const MOST_PIECES = 14;

/** Bodies by type; the order of rows is the type's number. */
// deno-fmt-ignore
const BODIES = {
  offer:    record({ policy, nonce }),                                       // source: what it takes, before anything else
  refused:  record({ reason: text(256) }),                                   // destination: it does not have that
  accepted: record({ nonce, measurement: bytes(32), echo: nonce }),          // destination: who it is
  begin:    record({ pieces: u32 }),                                         // source: a TEE is to be created
  pieces:   record({ pieces: listOf(record({ place: u53, bytes: bytes(MOST_PIECE) }), MOST_PIECES) }),
  taken:    record({ pieces: u32 }),                                         // destination: pieces so far
  end:      record({ measurement: bytes(32) }),                              // source: that was all, and its measurement
  prepared: record({}),                                                      // destination: it could resume, and asks
  commit:   record({}),                                                      // source: it never will again
  done:     record({ resumed: flag }),                                       // destination: it has
  aborted:  record({ reason: text(256) }),                                   // either: it is not going to

} as const;

/** The types of message. */
export type MessageType = keyof typeof BODIES;
const TYPES = Object.keys(BODIES) as MessageType[];

/** The body of a message. */
export type BodyOf<T extends MessageType> = (typeof BODIES)[T] extends FieldKind<infer B> ? B : never;
/** A policy. */
export type Policy = BodyOf<"offer">["policy"];

/** What comes before the body. */
export interface MessageHead {
  /** Its type. */
  readonly type: MessageType;
  /** How often the TEE has been resumed anywhere. */
  readonly epoch: number;
  /** Migrations of that epoch that were tried, this one included. */
  readonly attempt: number;
  /** Counts a sender's `pieces`; 0 for others. */
  readonly sequence: number;
}

/** A message, authenticated. */
export type Message = {
  [T in MessageType]: MessageHead & { readonly type: T; readonly body: BodyOf<T> };
}[MessageType];

const head = record({ type: u8, epoch: u32, attempt: u32, sequence: u53, fromSource: flag });
const HEAD_BYTES = 18;

/** Whether a message says of itself that it is a source's, which is to be authenticated. */
export function isFromSource(all: Uint8Array): boolean {
  return all[HEAD_BYTES - 1] === 1;
}

/** What a message says that it is, which is to be authenticated. */
export function typeOf(all: Uint8Array): MessageType | undefined {
  return TYPES[all[0] ?? TYPES.length];
}

function headBytes({ type, epoch, attempt, sequence }: MessageHead, fromSource: boolean): Uint8Array {
  const writer = new ByteWriter();
  head.write(writer, { type: TYPES.indexOf(type), epoch, attempt, sequence, fromSource });
  return writer.view().slice();
}

/** Keys of one direction. */
export interface Channel {
  /** The messages are the source's. */
  readonly fromSource: boolean;
  /** For all but pieces. */
  readonly control: Uint8Array;
  /** For pieces, known when both nonces are. */
  readonly session: Uint8Array | undefined;
}

/** The channel of a direction. */
export function channelOf(cluster: Uint8Array, fromSource: boolean, session?: Uint8Array): Channel {
  return { fromSource, control: derivedKey(cluster, fromSource ? "source" : "destination"), session };
}

/** The key of one attempt's pieces. */
export function sessionKey(
  cluster: Uint8Array,
  sourceNonce: Uint8Array,
  destinationNonce: Uint8Array,
): Uint8Array {
  return derivedKey(cluster, "session", sourceNonce, destinationNonce);
}

/** Pieces have their number as IV under a key of their own; the IV of anything else is made from what it says. */
function ivOf(
  { control, session }: Channel,
  { type, sequence }: MessageHead,
  plain: () => Uint8Array,
): Uint8Array {
  if (type !== "pieces" || session === undefined) return hmac(control, plain()).slice(0, IV_BYTES);
  const iv = new Uint8Array(IV_BYTES);
  new DataView(iv.buffer).setBigUint64(4, BigInt(sequence));
  return iv;
}

/** Makes a message. */
export function encodeMessage<T extends MessageType>(
  channel: Channel,
  message: MessageHead & { readonly type: T; readonly body: BodyOf<T> },
): Uint8Array {
  const writer = new ByteWriter(), additional = headBytes(message, channel.fromSource);
  (BODIES[message.type] as FieldKind<unknown>).write(writer, message.body);
  const plain = writer.view().slice(), key = message.type === "pieces" ? channel.session : channel.control;
  if (key === undefined) throw new TypeError("Cannot send pieces: there is no session");
  const whole = new Uint8Array(additional.length + plain.length);
  whole.set(additional);
  whole.set(plain, additional.length);
  const iv = ivOf(channel, message, () => whole), { ciphertext, tag } = seal(key, iv, additional, plain);
  const all = new Uint8Array(additional.length + IV_BYTES + TAG_BYTES + ciphertext.length);
  all.set(additional);
  all.set(iv, additional.length);
  all.set(tag, additional.length + IV_BYTES);
  all.set(ciphertext, additional.length + IV_BYTES + TAG_BYTES);
  return all;
}

/** Reads a message; undefined when it is not whole, not of this channel, or not what was sent. */
export function decodeMessage(channel: Channel, all: Uint8Array): Message | undefined {
  try {
    const additional = all.slice(0, HEAD_BYTES),
      { type: number, fromSource, ...rest } = head.read(new ByteReader(additional));
    const type = TYPES[number], start = HEAD_BYTES + IV_BYTES + TAG_BYTES;
    const key = type === "pieces" ? channel.session : channel.control;
    if (type === undefined || fromSource !== channel.fromSource || key === undefined || all.length < start) {
      return undefined;
    }
    const tag = all.slice(HEAD_BYTES + IV_BYTES, start), ciphertext = all.slice(start);
    const iv = all.slice(HEAD_BYTES, HEAD_BYTES + IV_BYTES);
    if (
      type === "pieces" && !iv.every((byte, at) => byte === ivOf(channel, { type, ...rest }, () => all)[at])
    ) return undefined;
    const plain = unseal(key, iv, additional, { ciphertext, tag });
    if (plain === undefined) return undefined;
    const body = (BODIES[type] as FieldKind<unknown>).read(new ByteReader(plain));
    return { type, ...rest, body } as Message;
  } catch {
    return undefined; // Whatever is cut or too long.
  }
}
