/** Messages between a DPU and its management controller, as bytes. */
import { MESSAGE, MESSAGE_FIELDS as AT, MESSAGE_HEAD } from "../../../machine/dpu_channel.ts";
import type { ImageManifest } from "./records.ts";

/** A message of the DPU, read. */
export interface DpuMessage {
  /** One of MESSAGE. */
  readonly kind: number;
  /** See MESSAGE. */
  readonly code: number;
  /** See MESSAGE. */
  readonly flags: number;
  /** Of what is booted. */
  readonly version: number;
  /** Bytes that are there. */
  readonly offset: number;
  /** What a volatile disk can have. */
  readonly size: number;
  /** The DPU's. */
  readonly model: string;
  /** Of the image, in hexadecimal. */
  readonly digest: string;
}

/** Reads a message; undefined for none. */
export function readMessage(bytes: Uint8Array): DpuMessage | undefined {
  if (bytes.length < MESSAGE_HEAD) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset), word = (at: number) => view.getUint32(at, true);
  const long = (at: number) => Number(view.getBigUint64(at, true));
  const model = new TextDecoder().decode(bytes.subarray(AT.model, AT.digest)).replace(/\0.*$/s, "");
  return {
    kind: word(AT.kind),
    code: word(AT.code),
    flags: word(AT.flags),
    version: word(AT.version),
    offset: long(AT.offset),
    size: long(AT.size),
    model,
    digest: bytes.slice(AT.digest, AT.digest + 32).toHex(),
  };
}

/** Makes a message. */
export function writeMessage(
  kind: keyof typeof MESSAGE,
  { offset = 0, manifest, data }: {
    readonly offset?: number;
    readonly manifest?: ImageManifest;
    readonly data?: Uint8Array;
  } = {},
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MESSAGE_HEAD + (data?.length ?? 0)), view = new DataView(bytes.buffer);
  view.setUint32(AT.kind, MESSAGE[kind], true);
  view.setBigUint64(AT.offset, BigInt(offset), true);
  if (manifest !== undefined) {
    view.setBigUint64(AT.size, BigInt(manifest.size), true);
    view.setUint32(AT.version, manifest.version, true);
    bytes.set(new TextEncoder().encode(manifest.model), AT.model);
    bytes.set(Uint8Array.fromHex(manifest.sha256), AT.digest);
  }
  if (data !== undefined) bytes.set(data, MESSAGE_HEAD);
  return bytes;
}
