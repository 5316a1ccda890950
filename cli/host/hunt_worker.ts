/** A worker of `hunt`: runs the seeds that it is sent. */
import { failureOf } from "../failure.ts";
import { huntOf, huntOptions } from "../hunt.ts";
import type { Hunt } from "./hunt_seed.ts";
import { silentHost } from "./silent_host.ts";

/** What a worker is sent: its command line first, then seeds. */
export type ToWorker = { readonly args: readonly string[] } | { readonly seed: number };

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(value: unknown): void;
};

let hunt: Hunt | undefined;

scope.onmessage = async ({ data }) => {
  try {
    if ("args" in data) hunt = huntOf(huntOptions(data.args), silentHost);
    else scope.postMessage({ outcome: await hunt!.run(data.seed, silentHost) });
  } catch (error) {
    scope.postMessage({ failure: failureOf(error) });
  }
};
