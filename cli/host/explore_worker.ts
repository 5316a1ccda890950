/** A worker of `explore`: explores the stretches of the window that it is sent. */
import { exploreOptions, explorerOf } from "../exploration.ts";
import { failureOf } from "../failure.ts";
import { silentHost } from "./silent_host.ts";
import { serveJobs } from "./worker_pool.ts";

serveJobs((args) => explorerOf(exploreOptions(args), silentHost), failureOf);
