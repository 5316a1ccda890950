/** A world's nodes in worker threads: each has some of them, and all take a round at the same time. */
import type { MachineImages } from "../../machine/compose.ts";
import type { Reports, Round } from "../../world/course.ts";
import type { CrewOptions, DistantCrew } from "../../world/crew.ts";
import type { WorldDescription } from "../../world/description.ts";
import type { Report } from "../../world/member.ts";
import type { StoredCheckpoint } from "../../world/run.ts";
import { CommandError } from "../errors.ts";
import { atEnd } from "./endings.ts";
import type { FromWorldWorker, ToWorldWorker, WorldWorkerSetup } from "./world_worker.ts";

const SOURCE = new URL("./world_worker.ts", import.meta.url);

/** One worker and its nodes. */
class Hand {
  readonly #worker = new Worker(SOURCE, { type: "module" });
  #answer: PromiseWithResolvers<Reports> | undefined;

  constructor(readonly nodes: readonly number[]) {
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorldWorker>) => {
      const answer = this.#answer;
      this.#answer = undefined;
      if ("failure" in data) answer?.reject(new CommandError(data.failure.message));
      else answer?.resolve(data.reports);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#answer?.reject(new CommandError(`A worker of the world ended: ${event.message}`));
    };
  }

  ask(message: ToWorldWorker): Promise<Reports> {
    this.#answer = Promise.withResolvers<Reports>();
    this.#worker.postMessage(message);
    return this.#answer.promise;
  }

  end(): void {
    this.#worker.terminate();
  }
}

/** What each worker makes for itself. */
type NotSent = "only" | "programs" | "compileCache" | "resumedAt";

/** What workers are given beside the options of a crew. */
export interface WorkerCrewOptions extends Omit<CrewOptions, NotSent> {
  /** Workers, at least 1. */
  readonly threads: number;
  /** Files given with --image. */
  readonly files: readonly string[];
  /** The world's file. */
  readonly path: string;
  /** One of the checkpoints in that file, if nodes go on there. */
  readonly checkpoint?: StoredCheckpoint | undefined;
  /** A module with programs. */
  readonly module: string | undefined;
}

/** Nodes in workers. */
export class WorkerCrew implements DistantCrew {
  private constructor(private readonly count: number, private readonly hands: readonly Hand[]) {}

  /** Starts the workers and makes the nodes there. Rejects with CommandError. */
  static async start(world: WorldDescription, options: WorkerCrewOptions): Promise<WorkerCrew> {
    const { threads, files, path, checkpoint, module, images, ...rest } = options;
    const numbers = [...world.nodes.keys()], count = Math.min(threads, numbers.length);
    const hands = Array.from(
      { length: count },
      (_, hand) => new Hand(numbers.filter((node) => node % count === hand)),
    );
    const crew = new WorkerCrew(numbers.length, hands);
    atEnd(() => crew.close());
    // A function does not go to another thread; each compiles for itself.
    const own = { ...rest, ...typeof rest.compile === "function" ? { compile: "sync" as const } : {} };
    const inMemory = new Map(
      [...images as MachineImages].filter((entry): entry is [string, Uint8Array] =>
        entry[1] instanceof Uint8Array
      ),
    );
    await Promise.all(hands.map((hand) => {
      const setup: WorldWorkerSetup = {
        ...{ world, only: hand.nodes, options: own, images: inMemory, files, path, checkpoint, module },
      };
      return hand.ask({ setup });
    }));
    return crew;
  }

  async advance(round: Round): Promise<Reports> {
    const busy = this.hands.filter(({ nodes }) => nodes.some((node) => round[node] !== undefined));
    const answers = await Promise.all(
      busy.map((hand) =>
        hand.ask({ round: round.map((turn, node) => hand.nodes.includes(node) ? turn : undefined) })
      ),
    );
    return this.#merged(answers);
  }

  async finish(): Promise<Reports> {
    const reports = this.#merged(await Promise.all(this.hands.map((hand) => hand.ask({ finish: true }))));
    this.close();
    return reports;
  }

  #merged(answers: readonly Reports[]): Reports {
    const all: (Report | undefined)[] = Array.from({ length: this.count });
    for (const reports of answers) {
      for (const [node, report] of reports.entries()) if (report !== undefined) all[node] = report;
    }
    return all;
  }

  /** Ends the workers. */
  close(): void {
    for (const hand of this.hands) hand.end();
  }
}
