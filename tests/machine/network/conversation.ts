/** Conversations of real guests with the inner peer, as text: a line a frame, with virtual time, direction and bytes. */
import { randomFrom } from "./support.ts";

/** A frame that went over the cable. */
export interface ConversationFrame {
  /** Virtual time in nanoseconds. */
  readonly time: number;
  /** To the peer, or from it. */
  readonly isFromGuest: boolean;
  readonly bytes: Uint8Array;
}

/** The guests that spoke; each has a fixture. */
export const CONVERSATIONS = ["u-boot", "linux"] as const;
export type ConversationName = (typeof CONVERSATIONS)[number];

/** Where a fixture is. */
export function conversationPath(name: ConversationName): URL {
  return new URL(`../../fixtures/network/${name}.txt`, import.meta.url);
}

/** What was served in all of them: a file of a few segments, one in a folder, one without bytes. */
export const SERVED: readonly { readonly path: string; readonly contents: Uint8Array }[] = [
  { path: "file", contents: bytesOf(10_000) },
  { path: "folder/small", contents: bytesOf(100) },
  { path: "empty", contents: new Uint8Array(0) },
];

/** Bytes that follow from their number. */
export function bytesOf(size: number): Uint8Array {
  const next = randomFrom(size);
  return Uint8Array.from({ length: size }, () => next(256));
}

/** Writes a conversation. */
export function printConversation(frames: readonly ConversationFrame[]): string {
  return frames.map(({ time, isFromGuest, bytes }) => `${time} ${isFromGuest ? ">" : "<"} ${bytes.toHex()}\n`)
    .join("");
}

/** Reads one back. */
export function parseConversation(text: string): ConversationFrame[] {
  return text.trimEnd().split("\n").map((line) => {
    const [time, direction, hex = ""] = line.split(" ");
    return { time: Number(time), isFromGuest: direction === ">", bytes: Uint8Array.fromHex(hex) };
  });
}
