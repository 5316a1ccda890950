/** Runs a campaign and tells how it goes, so that who waits for it can give up on an engine that does not end. */
import { campaign, type Limits, type Report } from "./campaign.ts";
import { CONTESTANTS, type Place } from "./compare.ts";
import { type Forced, hotTrial, randomTrial } from "./trial.ts";

/** What a worker is asked. */
export interface Request {
  /** Of the first program. */
  readonly seed: number;
  /** When it ends. */
  readonly limits: Limits;
  /** Settings of every machine. */
  readonly forced: Forced;
  /** Names of those that are compared with the first. */
  readonly engines: readonly string[];
  /** Programs go round until all of them is compiled. */
  readonly isHot: boolean;
}

/** What a worker tells. */
export type News =
  | { readonly kind: "begins"; readonly seed: number; readonly report: Report }
  | { readonly kind: "tries" }
  | { readonly kind: "differs"; readonly place: Place }
  | { readonly kind: "ends"; readonly report: Report };

/** The part of a worker's global scope that is used. */
interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(news: News): void;
}

const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data: { seed, limits, forced, engines, isHot } }) => {
  const contestants = CONTESTANTS.filter(({ name }, at) => at === 0 || engines.includes(name));
  const report = campaign(seed, contestants, limits, forced, {
    begins: ({ seed }, report) => scope.postMessage({ kind: "begins", seed, report }),
    tries: () => scope.postMessage({ kind: "tries" }),
    differs: (place) => scope.postMessage({ kind: "differs", place }),
  }, isHot ? hotTrial : randomTrial);
  scope.postMessage({ kind: "ends", report });
};
