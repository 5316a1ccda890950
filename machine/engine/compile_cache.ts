/** Modules kept between runs: what a request is called by, what is kept of its result, and the compiler that looks there first. */
import { sha256 } from "../sha256.ts";
import { PAGE_WORDS } from "./code_pages.ts";
import type {
  CompileCache,
  CompiledPage,
  CompilePage,
  CompileRequest,
  CompileResult,
  CompileSetup,
  RegionCompiler,
} from "./compile_request.ts";

/** Raised when what is kept looks different. */
const FORMAT = 1;

/** Bytes of a page's bits, one for each word. */
const BITS = PAGE_WORDS / 8;

/** Bytes of `known` and the like as they are, or words as bytes in the host's order. */
function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What a result depends on besides the pages, and the build. */
function setupBytes(setup: CompileSetup): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify([FORMAT, setup]));
}

/** 64 hexadecimal digits: SHA-256 of all that the result for these pages depends on, besides the build. */
function keyOf(setup: Uint8Array, pages: readonly CompilePage[]): string {
  const parts = pages.flatMap(({ address, guarded, words, known }) => [
    bytesOf(new BigUint64Array([address, guarded ? 1n : 0n])),
    bytesOf(words),
    known,
  ]);
  return sha256(sha256(setup), ...parts).toHex();
}

/** What is kept: for each page the number of its entries, these and a bit for each word; then the module. */
function encodeResult({ pages, code = new Uint8Array() }: CompileResult): Uint8Array<ArrayBuffer> {
  const length = pages.reduce((sum, { entries }) => sum + 2 + 2 * entries.length + BITS, 0);
  const bytes = new Uint8Array(length + code.length), view = new DataView(bytes.buffer);
  let at = 0;
  for (const { entries, words } of pages) {
    view.setUint16(at, entries.length, true);
    entries.forEach((entry, index) => view.setUint16(at + 2 + 2 * index, entry, true));
    at += 2 + 2 * entries.length;
    words.forEach((is, word) => bytes[at + (word >> 3)]! |= is << (word & 7));
    at += BITS;
  }
  bytes.set(code, at);
  return bytes;
}

/** A page at `at`, and where the next one is. Throws RangeError where there is none. */
function decodePage(bytes: Uint8Array<ArrayBuffer>, at: number): { page: CompiledPage; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint16(at, true), bits = at + 2 + 2 * count, end = bits + BITS;
  const entries = Array.from({ length: count }, (_, index) => view.getUint16(at + 2 + 2 * index, true));
  const words = Uint8Array.from(
    { length: PAGE_WORDS },
    (_, word) => view.getUint8(bits + (word >> 3)) >> (word & 7) & 1,
  );
  if (entries.some((entry) => words[entry] !== 1)) {
    throw new RangeError("a page has an entry where it has no instruction");
  }
  return { page: { entries, words, instructions: words.reduce((sum, is) => sum + is, 0) }, end };
}

/** A result from what was kept of it; undefined where that is no such thing. */
function decodeResult(
  bytes: Uint8Array<ArrayBuffer>,
  { number, pages }: CompileRequest,
): CompileResult | undefined {
  try {
    const found: CompiledPage[] = [];
    let at = 0;
    while (found.length < pages.length) {
      const { page, end } = decodePage(bytes, at);
      found.push(page);
      at = end;
    }
    const code = at < bytes.length ? bytes.subarray(at) : undefined;
    const module = code && new WebAssembly.Module(code);
    const names = module === undefined ? [] : WebAssembly.Module.exports(module).map(({ name }) => name);
    const isWhole = found.every(({ entries }, index) =>
      entries.length === 0 || names.includes(String(index))
    );
    if (!isWhole) return undefined;
    return { number, module, bytes: code?.length ?? 0, pages: found, code, isKept: true };
  } catch (error) {
    if (error instanceof RangeError || error instanceof WebAssembly.CompileError) return undefined;
    throw error;
  }
}

/** Looks for each request's result in a cache, and puts there what another compiler makes of the rest. */
export class CachedCompiler implements RegionCompiler {
  readonly #setup: Uint8Array<ArrayBuffer>;
  /** Keys of the requests that the compiler has not answered, by their number. */
  readonly #keys = new Map<number, string>();
  #found: CompileResult[] = [];

  /** `compiler` compiles what `cache` does not have, for machines of this setup. */
  constructor(
    setup: CompileSetup,
    private readonly cache: CompileCache,
    private readonly compiler: RegionCompiler,
  ) {
    this.#setup = setupBytes(setup);
  }

  /** Takes a request. */
  request(request: CompileRequest): void {
    const key = keyOf(this.#setup, request.pages), bytes = this.cache.get(key);
    const result = bytes && decodeResult(bytes, request);
    if (result !== undefined) {
      this.#found.push(result);
      return;
    }
    this.#keys.set(request.number, key);
    this.compiler.request(request);
  }

  /** What was found or compiled since the last call. */
  take(): readonly CompileResult[] {
    const compiled = this.compiler.take();
    for (const result of compiled) {
      const key = this.#keys.get(result.number);
      if (key !== undefined) this.cache.put(key, encodeResult(result));
      this.#keys.delete(result.number);
    }
    if (this.#found.length === 0) return compiled;
    const found = this.#found;
    this.#found = [];
    return [...found, ...compiled];
  }
}
