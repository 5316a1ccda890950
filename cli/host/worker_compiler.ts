/** Compiles regions in a worker, which starts with the first request of any machine and serves them all. */
import { receiveMessageOnPort } from "node:worker_threads";
import type {
  CompileRequest,
  CompileResult,
  CompileSetup,
  RegionCompiler,
} from "../../machine/engine/compile_request.ts";
import { ImmediateCompiler } from "../../machine/engine/region_translator.ts";
import type { ToCompileWorker } from "./compile_worker.ts";

const SOURCE = new URL("./compile_worker.ts", import.meta.url);

/** The process's worker, once it is started. */
let worker: Worker | undefined;
/** It cannot be started here, or has failed: requests are carried out where they are made. */
let isBroken = false;

function startedWorker(): Worker | undefined {
  if (worker !== undefined || isBroken) return worker;
  try {
    // Without the permission the worker would fail later, when requests wait for it.
    isBroken = Deno.permissions.querySync({ name: "read", path: SOURCE }).state !== "granted";
    if (isBroken) return undefined;
    worker = new Worker(SOURCE, { type: "module" });
    worker.onerror = (event) => {
      event.preventDefault();
      endCompileWorker();
      isBroken = true;
    };
  } catch {
    isBroken = true;
  }
  return worker;
}

/** Ends the worker, if there is one; without it the process would not end. */
export function endCompileWorker(): void {
  worker?.terminate();
  worker = undefined;
}

/** The compiler of one machine. */
class WorkerCompiler implements RegionCompiler {
  #link: { readonly port: MessagePort; readonly worker: Worker } | undefined;
  /** Requests that were not answered yet. */
  readonly #waiting = new Map<number, CompileRequest>();
  #immediate: RegionCompiler | undefined;

  constructor(private readonly setup: CompileSetup) {}

  /** The port to the worker, as long as there is one. */
  #port(): MessagePort | undefined {
    const present = startedWorker();
    if (present === undefined || this.#link?.worker === present) return this.#link?.port;
    const { port1, port2 } = new MessageChannel();
    present.postMessage({ port: port2, setup: this.setup } satisfies ToCompileWorker, [port2]);
    this.#link = { port: port1, worker: present };
    return port1;
  }

  request(request: CompileRequest): void {
    const port = this.#port();
    if (port === undefined || isBroken) {
      this.#immediate ??= new ImmediateCompiler(this.setup);
      this.#immediate.request(request);
    } else {
      this.#waiting.set(request.number, request);
      port.postMessage(request);
    }
  }

  take(): readonly CompileResult[] {
    if (this.#waiting.size === 0) return this.#immediate?.take() ?? [];
    const results: CompileResult[] = [];
    if (isBroken) {
      for (const request of this.#waiting.values()) this.request(request);
      this.#waiting.clear();
      return this.#immediate?.take() ?? [];
    }
    // Looked at here, so that nothing depends on turns of the event loop.
    while (this.#waiting.size > 0 && this.#link !== undefined) {
      const received = receiveMessageOnPort(this.#link.port as never) as
        | { message: CompileResult }
        | undefined;
      if (received === undefined) break;
      this.#waiting.delete(received.message.number);
      results.push(received.message);
    }
    return results;
  }
}

/** A compiler for a machine, in the worker of the process. */
export function compileInWorker(setup: CompileSetup): RegionCompiler {
  return new WorkerCompiler(setup);
}
