/** What the compiled engine asks of a compiler of regions, and what comes of it: plain data that goes between threads. */
import type { CpuModel } from "../a64/feature.ts";
import type { CodeLayout } from "./threaded_layout.ts";

/** What all requests of a machine have in common. */
export interface CompileSetup {
  /** Model of its CPUs. */
  readonly model: CpuModel;
  /** Places in its memory. */
  readonly layout: CodeLayout;
  /** Size of its memory in pages of 64 KiB. */
  readonly memoryPages: number;
}

/** A page to compile, as it is now. */
export interface CompilePage {
  /** Its virtual address. */
  readonly address: bigint;
  /** It is guarded there (FEAT_BTI). */
  readonly guarded: boolean;
  /** Its words. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** What is known of each word: a WORD. */
  readonly known: Uint8Array<ArrayBuffer>;
}

/** What is known of a word: whether it has been executed, has accessed devices, and that a region must not go there. */
export const WORD = { untouched: 0, executed: 1, excluded: 2, device: 3 } as const;

/** Pages that become one module. */
export interface CompileRequest {
  /** Tells requests of a machine apart. */
  readonly number: number;
  /** The pages. */
  readonly pages: readonly CompilePage[];
}

/** What became of a page. */
export interface CompiledPage {
  /** Numbers of the words it may be entered at, in the order of its function's table; none: it has no function. */
  readonly entries: readonly number[];
  /** 1 for each word whose instruction is in the function. */
  readonly words: Uint8Array;
  /** How many these are. */
  readonly instructions: number;
}

/** What became of a request. */
export interface CompileResult {
  /** The request's. */
  readonly number: number;
  /** Exports the function of page i as i; undefined where no page has one. */
  readonly module: WebAssembly.Module | undefined;
  /** Length of the module. */
  readonly bytes: number;
  /** By the request's pages. */
  readonly pages: readonly CompiledPage[];
  /** The module as bytes, for those who keep it. */
  readonly code?: Uint8Array<ArrayBuffer> | undefined;
  /** It was not compiled now but had been kept. */
  readonly isKept?: boolean;
}

/**
 * Keeps what was compiled, for this machine or for later ones. It may lose anything at any time, but what it gives for a
 * key has to be what the same build put there; whether it does changes no step of a machine.
 */
export interface CompileCache {
  /** What was put there under `key` (64 hexadecimal digits), if it still is. */
  get(key: string): Uint8Array<ArrayBuffer> | undefined;
  /** Keeps `bytes`, which nobody changes any more. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): void;
}

/**
 * Compiles regions of one machine, at once or meanwhile. When results come, or whether they do, changes no step of the
 * machine: what is not compiled is executed all the same.
 */
export interface RegionCompiler {
  /** Takes a request. */
  request(request: CompileRequest): void;
  /** What was finished since the last call, in any order. */
  take(): readonly CompileResult[];
}

/**
 * Makes the compiler of a machine; `immediate` compiles at once, where it is asked to, for what is not worth waiting for.
 */
export type RegionCompilerFactory = (setup: CompileSetup, immediate: RegionCompiler) => RegionCompiler;

/** What an engine has compiled. */
export interface CompileStatistics {
  /** Requests made. */
  readonly requests: number;
  /** Pages that were requested, and changed before they were taken in. */
  readonly stale: number;
  /** Modules taken in. */
  readonly modules: number;
  /** How many of them a cache had. */
  readonly cachedModules: number;
  /** Regions in them: as many as pages, each time that they were compiled. */
  readonly regions: number;
  /** Instructions in them. */
  readonly instructions: number;
  /** Their length. */
  readonly bytes: number;
  /** Regions in use now. */
  readonly liveRegions: number;
  /** Length of their modules. */
  readonly liveBytes: number;
  /** Modules given up to make room for others. */
  readonly evictions: number;
}
