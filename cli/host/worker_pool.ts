/** Gives jobs to workers, one after another to each. */
import { CommandError } from "../errors.ts";
import type { Failure } from "../failure.ts";

/** What a worker is sent: its command line first, then jobs. */
export type ToWorker<Job> = { readonly args: readonly string[] } | { readonly job: Job };

/** What a worker sends back for each job. */
export type FromWorker<Result> = { readonly result: Result } | { readonly failure: Failure };

/** Jobs and what comes of them. */
export interface PooledWork<Job, Result> {
  /** The module of the worker. */
  readonly module: URL;
  /** What it is, for messages: "the hunt". */
  readonly name: string;
  /** The command line of each worker. */
  readonly args: readonly string[];
  /** Workers. */
  readonly jobs: number;
  /** The next job, if there is one. */
  take(): Job | undefined;
  /** Takes what came of one. */
  add(result: Result): void;
  /** Ends the work early when aborted. */
  readonly signal: AbortSignal;
}

/** Does all jobs, and ends the workers. Throws CommandError with what a worker failed for. */
export async function workInPool<Job, Result>(work: PooledWork<Job, Result>): Promise<void> {
  const workers: Worker[] = [];
  const ends = Array.from({ length: work.jobs }, () => Promise.withResolvers<void>());
  work.signal.addEventListener("abort", () => {
    for (const { resolve } of ends) resolve();
  });
  try {
    for (const { resolve, reject } of ends) {
      const worker = new Worker(work.module, { type: "module" });
      workers.push(worker);
      const send = (message: ToWorker<Job>): void => worker.postMessage(message);
      const giveNext = (): void => {
        const job = work.signal.aborted ? undefined : work.take();
        if (job === undefined) resolve();
        else send({ job });
      };
      worker.onmessage = ({ data }: MessageEvent<FromWorker<Result>>) => {
        if ("failure" in data) return reject(new CommandError(data.failure.message));
        work.add(data.result);
        giveNext();
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new CommandError(`A worker of ${work.name} ended: ${event.message}`));
      };
      send({ args: work.args });
      giveNext();
    }
    await Promise.all(ends.map(({ promise }) => promise));
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

/** Makes this worker do jobs: `prepare` reads the command line, and what it gives does a job. */
export function serveJobs<Job, Result>(
  prepare: (args: readonly string[]) => (job: Job) => Result | Promise<Result>,
  failureOf: (error: unknown) => Failure,
): void {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<ToWorker<Job>>) => void;
    postMessage(value: FromWorker<Result>): void;
  };
  let work: ((job: Job) => Result | Promise<Result>) | undefined;
  scope.onmessage = async ({ data }) => {
    try {
      if ("args" in data) work = prepare(data.args);
      else scope.postMessage({ result: await work!(data.job) });
    } catch (error) {
      scope.postMessage({ failure: failureOf(error) });
    }
  };
}
