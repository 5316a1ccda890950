/** Carrying a world out for a command: in this thread or in others, until something ends it, showing its consoles. */
import type { MachineImages } from "../../machine/compose.ts";
import type { Depth } from "../../journal/payloads.ts";
import type { Course, CourseObserver, Reports, Round } from "../../world/course.ts";
import {
  carryOutApart,
  type Crew,
  type DistantCrew,
  LocalCrew,
  type ResumedWorld,
} from "../../world/crew.ts";
import type { RecordedWorld } from "../../world/run.ts";
import type { WorldDescription } from "../../world/description.ts";
import type { WorldEnd } from "../../world/payloads.ts";
import { ConsoleMatcher } from "../console_matcher.ts";
import { UsageError } from "../errors.ts";
import { ENGINE_OPTIONS, engineOf } from "../engine_options.ts";
import type { Host } from "../host/host.ts";
import { Progress } from "../host/progress.ts";
import { WorkerCrew } from "../host/world_crew.ts";
import { programsOf } from "../host/world_programs.ts";
import { RECORDED_BY } from "../machine_options.ts";
import type { OptionRow, Options } from "../options.ts";
import { timeOf } from "./description_file.ts";

/** The options of whatever carries a world out. */
// deno-fmt-ignore
export const CREW_OPTIONS: readonly OptionRow[] = [
  { name: "threads",  value: "N",    help: "worker threads for the nodes, 0 by default: this one; changes no result" },
  { name: "slice",    value: "TIME", help: "the longest step in which times advance together, at most the least latency; changes no result but where --until-console ends" },
  { name: "programs", value: "FILE", help: "a module whose export `programs` has more programs for nodes" },
  ...ENGINE_OPTIONS,
];

/** Milliseconds between two looks at signals. */
const BREATHE_EVERY = 20;

/** What a crew is made for. */
interface CrewRequest {
  readonly world: WorldDescription;
  readonly images: MachineImages;
  readonly depth: Depth | undefined;
  /** A module of the world's own. */
  readonly module?: string | undefined;
  /** The world's file. */
  readonly path: string;
  /** Nanoseconds between checkpoints. */
  readonly checkpointSpacing?: number | undefined;
  /** Where it goes on; the world's file is `path`. */
  readonly resumedAt?: ResumedWorld | undefined;
}

/** The last checkpoint of a world before a time. */
export function resumedBefore(run: RecordedWorld, time: number): ResumedWorld | undefined {
  const checkpoint = run.checkpointBefore(time);
  return checkpoint && { run, checkpoint };
}

/** Makes the nodes, where the options say. Throws UsageError, WorldError, ConfigurationError, CommandError. */
export async function crewFor(request: CrewRequest, options: Options): Promise<Crew | DistantCrew> {
  const { world, images, depth, path } = request, threads = options.number("threads", 0, 64) ?? 0;
  const module = options.text("programs") ?? request.module;
  const how = {
    ...engineOf(options),
    ...depth === undefined ? {} : { depth },
    images,
    recordedBy: RECORDED_BY,
    checkpointSpacing: request.checkpointSpacing,
  };
  const { resumedAt } = request;
  if (threads === 0) return new LocalCrew(world, { ...how, resumedAt, programs: await programsOf(module) });
  const files = options.texts("image"), checkpoint = resumedAt?.checkpoint;
  return await WorkerCrew.start(world, { ...how, threads, files, path, checkpoint, module });
}

/** The longest step, if it was given. */
export function sliceOf(options: Options): number | undefined {
  const text = options.text("slice");
  return text === undefined ? undefined : Math.max(1, timeOf(text, "--slice"));
}

/** Where a world ends: at a time, at a text on a node's console, at an interrupt. */
export class LiveWorld {
  readonly #matcher: { readonly node: number; readonly matcher: ConsoleMatcher } | undefined;
  readonly #progress: Progress;
  readonly #until: number;
  #lines: string[];
  #reason: WorldEnd["reason"] | undefined;
  #lastBreath: number;

  /** Throws UsageError. */
  constructor(
    private readonly world: WorldDescription,
    options: Options,
    private readonly host: Host,
    what: string,
    private readonly isShown: boolean,
  ) {
    const text = options.text("until-console"), until = options.text("until");
    this.#until = until === undefined ? Number.MAX_SAFE_INTEGER : timeOf(until, "--until");
    this.#matcher = text === undefined ? undefined : this.#matcherOf(text);
    this.#progress = new Progress(host, what, isShown);
    this.#lines = world.nodes.map(() => "");
    this.#lastBreath = host.now();
  }

  #matcherOf(text: string) {
    const [, name, wanted] = /^([^:]+):(.+)$/s.exec(text) ?? [];
    const node = this.world.nodes.findIndex((node) => node.name === name);
    if (wanted === undefined || node < 0) {
      throw new UsageError(`--until-console takes NODE:TEXT with a node of the world, not "${text}"`);
    }
    return { node, matcher: new ConsoleMatcher(wanted) };
  }

  /** For the course: shows consoles, line by line, and looks for the text that ends it. */
  get observer(): CourseObserver {
    return {
      wrote: (node, bytes) => {
        const matcher = this.#matcher?.node === node ? this.#matcher.matcher : undefined;
        const found = matcher !== undefined && [...bytes].filter((byte) => matcher.push(byte)).length > 0;
        if (found) this.#reason ??= "console";
        if (this.isShown) this.#show(node, new TextDecoder().decode(bytes));
      },
    };
  }

  #show(node: number, text: string): void {
    const lines = (this.#lines[node] + text).split("\n");
    this.#lines[node] = lines.pop()!;
    for (const line of lines) this.#print(node, line);
  }

  #print(node: number, line: string): void {
    this.#progress.clear();
    this.host.stdout.write(`${this.world.nodes[node]!.name}: ${line.replace(/\r/g, "")}\n`);
  }

  /** Runs to the end; then the world's last root is taken. */
  async run(course: Course, crew: Crew | DistantCrew): Promise<WorldEnd["reason"]> {
    const unlisten = this.host.onInterrupt(() => this.#reason = "operator");
    const between = (): Promise<void> | undefined => {
      const now = this.host.now();
      if (now - this.#lastBreath < BREATHE_EVERY) return undefined;
      this.#lastBreath = now;
      this.#progress.note(`${(course.now / 1e9).toFixed(6)} s`);
      return this.host.breathe();
    };
    try {
      const stop = await carryOutApart(
        course.rounds(this.#until, () => this.#reason !== undefined),
        crew,
        between,
      );
      await carryOutApart(course.end() as Generator<Round, unknown, Reports>, crew);
      for (const [node, line] of this.#lines.entries()) {
        if (line !== "" && this.isShown) this.#print(node, line);
      }
      return stop === "stopped" ? this.#reason! : stop;
    } finally {
      unlisten();
      this.#progress.clear();
    }
  }
}
