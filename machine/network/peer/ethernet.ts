/** Ethernet II frames (IEEE 802.3 §3.2, RFC 894). */
import { FRAME_SIZE_MAX } from "../network.ts";
import { isStation } from "./addresses.ts";
import { headerLayout } from "./big_endian.ts";

/** What a frame's payload is (EtherType). */
export const ETHER_TYPES = { ipv4: 0x0800, arp: 0x0806 } as const;

/** A frame without its check sequence. */
export interface EthernetFrame {
  /** Whom it is for, 48 bits. */
  readonly destination: number;
  /** Who sent it, 48 bits. */
  readonly source: number;
  /** EtherType. */
  readonly type: number;
  /** What is in it, padding included. */
  readonly payload: Uint8Array;
}

const header = headerLayout({ destination: 6, source: 6, type: 2 });

/** Reads a frame; undefined when it is too short or too long, or no station's. */
export function parseEthernet(frame: Uint8Array): EthernetFrame | undefined {
  const fields = frame.length > FRAME_SIZE_MAX ? undefined : header.read(frame);
  if (fields === undefined || !isStation(fields.source)) return undefined;
  return { ...fields, payload: frame.subarray(header.size) };
}

/** Lays a frame out. */
export function buildEthernet(frame: EthernetFrame): Uint8Array<ArrayBuffer> {
  return header.build(frame, frame.payload);
}
