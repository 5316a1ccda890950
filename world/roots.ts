/** A world's roots: of all states at a time, and of everything that has happened up to there. */
import { createHash, type Hash } from "node:crypto";
import { sha256 } from "../journal/hash.ts";
import { ByteWriter } from "../machine/layout.ts";
import { type WorldEvent, writeWorldEvent } from "./events.ts";
import { compareInFlight, type LinksMark } from "./links.ts";
import type { MemberRoots } from "./member.ts";

/** The root of a world's state: its time, its nodes' roots, and what is under way. */
export function worldStateRoot(
  time: number,
  members: readonly MemberRoots[],
  { inFlight, sequences }: LinksMark,
): Uint8Array {
  const writer = new ByteWriter();
  writer.u53(time);
  writer.u32(members.length);
  for (const { lives, isOn, stateRoot } of members) {
    writer.u32(lives);
    writer.u8(isOn ? 1 : 0);
    writer.raw(stateRoot);
  }
  writer.u32(inFlight.length);
  for (const { arrival, link, end, to, sequence, isLost, bytes } of inFlight.toSorted(compareInFlight)) {
    writer.u53(arrival);
    writer.u32(link);
    writer.u8(end);
    writer.u8(to);
    writer.u53(sequence);
    writer.u8(isLost ? 1 : 0);
    writer.raw(sha256(bytes));
  }
  for (const ends of sequences) for (const sequence of ends) writer.u53(sequence);
  return sha256(writer.view());
}

/** Chains digests of the world's events and its members' histories with its state roots. */
export class WorldHistory {
  #root: Uint8Array;
  #digest: Hash = createHash("sha256");

  /** Goes on from a root that was closed before; from none, by default. */
  constructor(root: Uint8Array = new Uint8Array(32)) {
    this.#root = root;
  }

  /** Adds an event; they come in the total order. */
  add(event: WorldEvent): void {
    const writer = new ByteWriter();
    writeWorldEvent(writer, event);
    this.#digest.update(writer.view());
  }

  /** SHA-256(previous history root ‖ state root ‖ members' history roots ‖ digest of the events since). */
  close(stateRoot: Uint8Array, members: readonly MemberRoots[]): Uint8Array {
    const digest = this.#digest.digest();
    this.#digest = createHash("sha256");
    return this.#root = sha256(
      this.#root,
      stateRoot,
      ...members.map(({ historyRoot }) => historyRoot),
      new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength),
    );
  }

  /** A copy that goes on independently. */
  copy(): WorldHistory {
    const other = new WorldHistory(this.#root);
    other.#digest = this.#digest.copy();
    return other;
  }
}
