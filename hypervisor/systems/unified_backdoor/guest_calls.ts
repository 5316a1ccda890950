/** Calls by a guest's programs over RPCI: a text "COMMAND ARGUMENTS", answered by "1 RESULT" or "0 REASON". */
import { type GuestInfo, PREFIX } from "./guest_info.ts";

const encoder = new TextEncoder();
/** Bytes of messages as characters 0 to 255, to look at words; values stay bytes. */
function characters(message: Uint8Array): string {
  let text = "";
  for (const byte of message) text += String.fromCharCode(byte);
  return text;
}

/** What a call came to. */
export interface GuestCallResult {
  /** It was done. */
  readonly isDone: boolean;
  /** What it gave, or why it was not. */
  readonly result: Uint8Array;
}

const done = (result: Uint8Array = new Uint8Array(0)): GuestCallResult => ({ isDone: true, result });
const failed = (reason: string): GuestCallResult => ({ isDone: false, result: encoder.encode(reason) });

type GuestCall = (argument: Uint8Array, info: GuestInfo) => GuestCallResult;

/** The index of the first space or zero byte, or the length. */
function wordEnd(message: Uint8Array): number {
  const at = message.findIndex((byte) => byte === 0x20 || byte === 0);
  return at < 0 ? message.length : at;
}

function get(argument: Uint8Array, info: GuestInfo): GuestCallResult {
  const name = characters(argument.subarray(0, wordEnd(argument)));
  const value = name.startsWith(PREFIX) ? info.get(name.slice(PREFIX.length)) : undefined;
  return value === undefined ? failed("No value found") : done(value);
}

function set(argument: Uint8Array, info: GuestInfo): GuestCallResult {
  const end = wordEnd(argument), name = characters(argument.subarray(0, end));
  if (end === argument.length) return failed("Two and exactly two arguments expected");
  if (!name.startsWith(PREFIX)) return failed("Permission denied");
  const value = argument.slice(end + 1), problem = info.problem(name.slice(PREFIX.length), value);
  if (problem !== undefined) return failed(`Cannot set ${name}: ${problem}`);
  info.set(name.slice(PREFIX.length), value);
  return done();
}

/** Told to the host, which has it in an event and needs nothing more. */
const noted: GuestCall = () => done();

/** The commands; those that end in "." are for all that begin so. */
const CALLS: Readonly<Record<string, GuestCall>> = {
  "info-get": get,
  "info-set": set,
  "log": noted,
  "SetGuestInfo": noted,
  "tools.capability.": noted,
  "tools.set.": noted,
  "tools.os.": noted,
  "vmx.capability.": noted,
};

/** Carries a call out; zeros at its end, of C's strings, do not count. A command that nobody knows is not done. */
export function callByGuest(text: Uint8Array, info: GuestInfo): GuestCallResult {
  const message = text.subarray(0, text.findLastIndex((byte) => byte !== 0) + 1);
  const end = wordEnd(message), command = characters(message.subarray(0, end));
  const family = Object.keys(CALLS).find((name) => name.endsWith(".") && command.startsWith(name));
  const known = Object.hasOwn(CALLS, command) && !command.endsWith(".");
  const call = known ? CALLS[command] : family === undefined ? undefined : CALLS[family];
  return call?.(message.subarray(Math.min(end + 1, message.length)), info) ?? failed("Unknown command");
}

/** The reply to a call: "1 " or "0 " and the result. */
export function replyOf({ isDone, result }: GuestCallResult): Uint8Array {
  const reply = new Uint8Array(result.length + 2);
  reply.set(encoder.encode(isDone ? "1 " : "0 "));
  reply.set(result, 2);
  return reply;
}
