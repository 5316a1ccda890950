/** A TEE in pieces: its canonical state and its pages, and the measurement over all of them in order. */
import { ByteWriter } from "../../../machine/layout.ts";
import { sha256 } from "../../../machine/sha256.ts";

/** A part of a TEE: a page at its intermediate physical address, or a part of its state. */
export interface Piece {
  /** Address of a page; STATE_PLACE and an offset for state. */
  readonly place: number;
  /** A page, or at most a page of state. */
  readonly bytes: Uint8Array;
}

/** Where state is, above all addresses. */
export const STATE_PLACE: number = 2 ** 52;

/** A TEE that stands still. */
export interface TeeImage {
  /** How many pieces it has. */
  readonly count: number;
  /** One of them; they are in a fixed order. */
  piece(index: number): Piece;
}

/** Extends a measurement by a piece: SHA-256(before ‖ place ‖ bytes). */
export function measured(before: Uint8Array, { place, bytes }: Piece): Uint8Array {
  const writer = new ByteWriter();
  writer.u53(place);
  writer.u32(bytes.length);
  return sha256(before, writer.view(), bytes);
}

/** The measurement of nothing. */
export const NOTHING_MEASURED: Uint8Array = new Uint8Array(32);
