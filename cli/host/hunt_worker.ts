/** A worker of `hunt`: runs the seeds that it is sent. */
import { failureOf } from "../failure.ts";
import { huntOf, huntOptions } from "../hunt.ts";
import { silentHost } from "./silent_host.ts";
import { serveJobs } from "./worker_pool.ts";

serveJobs((args) => {
  const hunt = huntOf(huntOptions(args), silentHost);
  return (seed: number) => hunt.run(seed, silentHost);
}, failureOf);
