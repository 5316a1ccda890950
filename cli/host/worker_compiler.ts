/** Compiles regions in a worker, which starts with the first request of any machine and serves them all. */
import { receiveMessageOnPort } from "node:worker_threads";
import type {
  CompileRequest,
  CompileResult,
  CompileSetup,
  RegionCompiler,
} from "../../machine/engine/compile_request.ts";
import type { FromCompileWorker, ToCompileWorker } from "./compile_worker.ts";
import { atEnd } from "./endings.ts";

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

atEnd(endCompileWorker);

/**
 * Pages of a machine that are compiled at once, before a worker is worth its start, which takes some 400 ms; where there
 * are but two processors, V8's optimizing compiler wants the other.
 */
const FIRST_PAGES = navigator.hardwareConcurrency > 2 ? 16 : 256;

/** A connection with the worker. */
interface Link {
  readonly port: MessagePort;
  readonly worker: Worker;
  /** The worker has answered: it can compile. */
  isReady: boolean;
}

/** The compiler of one machine: here while there is no worker, and in the worker as soon as it is ready. */
class WorkerCompiler implements RegionCompiler {
  #link: Link | undefined;
  /** Requests that were not answered yet. */
  readonly #waiting = new Map<number, CompileRequest>();
  #pages = 0;

  constructor(
    private readonly setup: CompileSetup,
    private readonly immediate: RegionCompiler,
    private readonly firstPages: number,
  ) {}

  /** Connects with the worker; undefined where there is none. */
  #linked(): Link | undefined {
    const present = startedWorker();
    if (present === undefined || this.#link?.worker === present) return present && this.#link;
    const { port1, port2 } = new MessageChannel();
    present.postMessage({ port: port2, setup: this.setup } satisfies ToCompileWorker, [port2]);
    return this.#link = { port: port1, worker: present, isReady: false };
  }

  /** Takes what the worker sent, now and without a turn of the event loop, on which nothing may depend. */
  #receive({ port }: Link): FromCompileWorker | undefined {
    return (receiveMessageOnPort(port as never) as { message: FromCompileWorker } | undefined)?.message;
  }

  request(request: CompileRequest): void {
    this.#pages += request.pages.length;
    const link = this.#pages <= this.firstPages ? undefined : this.#linked();
    if (link !== undefined) link.isReady ||= this.#receive(link) !== undefined;
    if (link?.isReady !== true) return this.immediate.request(request);
    this.#waiting.set(request.number, request);
    link.port.postMessage(request);
  }

  take(): readonly CompileResult[] {
    const link = this.#link;
    if (this.#waiting.size > 0 && (worker === undefined || link?.worker !== worker)) {
      for (const request of this.#waiting.values()) this.immediate.request(request);
      this.#waiting.clear();
    }
    const finished = this.immediate.take();
    if (this.#waiting.size === 0) return finished;
    const results = [...finished];
    while (this.#waiting.size > 0) {
      const result = this.#receive(link as Link);
      if (result === undefined || result === "ready") break;
      this.#waiting.delete(result.number);
      results.push(result);
    }
    return results;
  }
}

/** A compiler for a machine, in the worker of the process; `immediate` compiles the first pages, until that is ready. */
export function compileInWorker(
  setup: CompileSetup,
  immediate: RegionCompiler,
  firstPages: number = FIRST_PAGES,
): RegionCompiler {
  return new WorkerCompiler(setup, immediate, firstPages);
}
