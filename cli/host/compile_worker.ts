/** The worker that compiles regions: answers each request of a machine with a module, on that machine's port. */
import type { CompileRequest, CompileResult, CompileSetup } from "../../machine/engine/compile_request.ts";
import { RegionTranslator } from "../../machine/engine/region_translator.ts";

/** What the worker is sent for each machine: where its requests come from, and what they have in common. */
export interface ToCompileWorker {
  /** Takes CompileRequest, gives CompileResult. */
  readonly port: MessagePort;
  /** As the engine gave it. */
  readonly setup: CompileSetup;
}

/** What it sends: that it is ready, then answers. */
export type FromCompileWorker = "ready" | CompileResult;

/** What machines whose setups are equal share. */
interface Shared {
  readonly translator: RegionTranslator;
  readonly memory: WebAssembly.Memory;
}

const known = new Map<string, Shared>();

function sharedOf(setup: CompileSetup): Shared {
  const key = JSON.stringify(setup), found = known.get(key);
  if (found !== undefined) return found;
  const { memoryPages } = setup;
  // Nothing is ever written to it, so it takes no memory.
  const memory = new WebAssembly.Memory({ initial: memoryPages, maximum: memoryPages });
  const shared = { translator: new RegionTranslator(setup), memory };
  known.set(key, shared);
  return shared;
}

/**
 * Calls each function with no steps left, so that it comes back at once: V8 has then compiled it, for all threads that
 * have the module.
 */
function prepare(module: WebAssembly.Module, memory: WebAssembly.Memory): void {
  const regions = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
  const { exports } = new WebAssembly.Instance(module, { env: { memory, regions, device: () => 0 } });
  for (const region of Object.values(exports)) (region as CallableFunction)(0, 0, 0, 0, 0);
}

function compile({ number, pages }: CompileRequest, { translator, memory }: Shared): CompileResult {
  const { bytes, pages: compiled } = translator.translate(pages);
  const module = bytes && new WebAssembly.Module(bytes);
  if (module !== undefined) prepare(module, memory);
  return { number, module, bytes: bytes?.length ?? 0, pages: compiled, code: bytes };
}

const scope = self as unknown as { onmessage: (event: MessageEvent<ToCompileWorker>) => void };

scope.onmessage = ({ data: { port, setup } }) => {
  const shared = sharedOf(setup);
  port.postMessage("ready" satisfies FromCompileWorker);
  port.onmessage = ({ data }: MessageEvent<CompileRequest>) => port.postMessage(compile(data, shared));
};
