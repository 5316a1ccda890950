/** How the management controller fetches an image: its manifest first, then the image in pieces, going on where it was. */
import { sha256 } from "../../../journal/hash.ts";
import { join } from "../../../machine/network/peer/big_endian.ts";
import { buildMessage, type HttpMessage, parseMessage, parseUri, statusOf } from "../../stations/http.ts";
import { addressOf, type Station } from "../../stations/station.ts";
import type { Ending } from "../../stations/tcp.ts";
import { type ImageManifest, manifestSchema } from "./records.ts";

/** Bytes of the pieces in which an image is kept. */
export const PIECE = 0x1_0000;

/** What is under way: plain values. */
export interface FetchState {
  /** The connection, or null while it is waited for a new one. */
  connection: number | null;
  /** What is asked for. */
  what: "manifest" | "image";
  /** The answer's head, and a manifest's body, as far as they are there; of an image its bytes behind the last piece. */
  bytes: Uint8Array;
  /** The head has come, and this many bytes of the body are to follow. */
  left: number | null;
  /** Whole pieces that are kept. */
  pieces: number;
  /** When it is tried again. */
  retryAt: number;
  /** How often it was. */
  tries: number;
}

/** What a fetch is done with. */
export interface FetchSite {
  /** The time, in nanoseconds. */
  now(): number;
  /** Survives a loss of power. */
  readonly store: Map<string, Uint8Array>;
  /** The station that connects. */
  readonly station: Station;
  /** The manifest is there. */
  described(manifest: ImageManifest): void;
  /** The image is there, and has the digest that was promised. */
  fetched(): void;
  /** It is not to be had. */
  failed(reason: string): void;
}

const NOTHING = new Uint8Array(0);
const pieceName = (index: number): string => `image.${index}`;

/** Bytes of an image that is kept. */
export function imageBytes(store: ReadonlyMap<string, Uint8Array>, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let done = 0; done < size;) {
    const at = offset + done, piece = store.get(pieceName(Math.floor(at / PIECE))) ?? NOTHING;
    const part = piece.subarray(at % PIECE, at % PIECE + size - done);
    if (part.length === 0) throw new RangeError(`The image ends before byte ${at}`);
    bytes.set(part, done);
    done += part.length;
  }
  return bytes;
}

/** Forgets an image. */
export function discardImage(store: Map<string, Uint8Array>): void {
  for (let index = 0; store.delete(pieceName(index)); index++);
}

/** A fetch of which nothing is there but whole pieces that were kept. */
export function newFetch(store: ReadonlyMap<string, Uint8Array>, hasManifest: boolean): FetchState {
  let pieces = 0;
  while (store.get(pieceName(pieces))?.length === PIECE) pieces++;
  return {
    connection: null,
    what: hasManifest ? "image" : "manifest",
    bytes: NOTHING,
    left: null,
    pieces,
    retryAt: 0,
    tries: 0,
  };
}

/** A fetch at work. */
export class Fetch {
  constructor(
    readonly state: FetchState,
    private readonly job: { readonly uri: string; readonly manifest: ImageManifest | undefined },
    private readonly site: FetchSite,
    private readonly options: { readonly retry: number; readonly tries: number },
  ) {}

  /** Asks for what is next. */
  begin(): void {
    const { state, job, site } = this, uri = parseUri(job.uri), address = uri && addressOf(uri.host);
    if (uri === undefined || address === undefined) return site.failed(`"${job.uri}" is no URI of http`);
    state.connection = site.station.connect(address, uri.port);
    state.bytes = NOTHING;
    state.left = null;
    state.retryAt = Infinity;
    const path = uri.path + (state.what === "manifest" ? ".manifest" : ""), from = state.pieces * PIECE;
    const range = state.what === "image" && from > 0 ? { Range: `bytes=${from}-` } : {};
    site.station.send(state.connection, buildMessage(`GET ${path} HTTP/1.1`, { Host: uri.host, ...range }));
  }

  /** Does what is due. */
  expire(): void {
    if (this.state.connection === null && this.state.retryAt <= this.site.now()) this.begin();
  }

  /** Data arrived on its connection. */
  arrived(data: Uint8Array): void {
    const { state } = this;
    state.bytes = join(state.bytes, data);
    if (state.left === null) {
      const message = parseMessage(state.bytes);
      if (message === undefined) return;
      if (!this.#begins(message)) return;
    }
    if (state.what === "image") this.#keepPieces();
    this.#finish();
  }

  /** The head is there; false when it is not the answer that was wanted. */
  #begins(message: HttpMessage | "bad"): boolean {
    const { state, site, job } = this, what = state.what === "manifest" ? "the manifest" : "the image";
    if (message === "bad") return this.#fail(`the answer for ${what} is no HTTP`);
    const status = statusOf(message), from = state.pieces * PIECE;
    if (status !== 200 && status !== 206) return this.#fail(`${what} is not to be had: status ${status}`);
    if (message.length === undefined) return this.#fail(`the answer for ${what} does not say how long it is`);
    if (state.what === "image" && status === 200 && from > 0) {
      discardImage(site.store); // the server gives no parts: from the beginning
      state.pieces = 0;
    }
    if (state.what === "manifest" && message.length > 4096) return this.#fail("the manifest is too long");
    const size = job.manifest?.size ?? 0, wanted = size - state.pieces * PIECE;
    if (state.what === "image" && message.length !== wanted) {
      return this.#fail(
        `the image has ${message.length + state.pieces * PIECE} bytes, its manifest says ${size}`,
      );
    }
    state.bytes = state.bytes.slice(message.body);
    state.left = message.length;
    return true;
  }

  #keepPieces(): void {
    const { state, site } = this;
    while (state.bytes.length >= PIECE) {
      site.store.set(pieceName(state.pieces++), state.bytes.slice(0, PIECE));
      state.bytes = state.bytes.slice(PIECE);
      state.left = (state.left as number) - PIECE;
    }
  }

  #finish(): void {
    const { state, site, job } = this, left = state.left as number;
    if (state.bytes.length < left) return;
    const body = state.bytes.slice(0, left);
    this.#close();
    if (state.what === "manifest") {
      const manifest = parseManifest(body);
      if (manifest === undefined) return site.failed("the manifest is not one");
      state.what = "image";
      state.tries = 0;
      return site.described(manifest);
    }
    if (body.length > 0) site.store.set(pieceName(state.pieces), body);
    const all = Array.from(
      { length: Math.ceil((job.manifest?.size ?? 0) / PIECE) },
      (_, index) => site.store.get(pieceName(index)) ?? NOTHING,
    );
    if (sha256(...all).toHex() === job.manifest?.sha256) return site.fetched();
    site.failed("the image's SHA-256 is not what its manifest says");
  }

  #fail(reason: string): false {
    this.#close();
    this.site.failed(reason);
    return false;
  }

  #close(): void {
    const { state, site } = this, id = state.connection;
    state.connection = null;
    state.bytes = NOTHING;
    if (id !== null) site.station.abort(id);
  }

  /** The connection is no more, or nothing more will come on it. */
  lost(why: Ending | "ended"): void {
    const { state, site, options, job } = this;
    if (state.connection === null) return;
    const isShort = why === "ended" && state.left !== null;
    this.#close();
    if (isShort) return site.failed(`the server ended before the ${state.what} did`);
    if (++state.tries > options.tries) return site.failed(`${job.uri} cannot be reached (${why})`);
    state.retryAt = site.now() + options.retry;
  }
}

function parseManifest(bytes: Uint8Array): ImageManifest | undefined {
  try {
    return manifestSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}
