/** A worker of a world: has some of its nodes, and advances them as it is told. */
import "../../firmware/install.ts";
import "../../hypervisor/install.ts";
import type { MachineImages } from "../../machine/compose.ts";
import type { Reports, Round } from "../../world/course.ts";
import { type CrewOptions, LocalCrew } from "../../world/crew.ts";
import type { WorldDescription } from "../../world/description.ts";
import { LifeSource, openBlocks } from "../../world/life_source.ts";
import type { StoredCheckpoint } from "../../world/run.ts";
import { type Failure, failureOf } from "../failure.ts";
import { FileSource } from "./file_source.ts";
import { findImages } from "./image_search.ts";
import { programsOf } from "./world_programs.ts";

/** What a worker is told first. */
export interface WorldWorkerSetup {
  /** The world. */
  readonly world: WorldDescription;
  /** The numbers of its nodes. */
  readonly only: readonly number[];
  /** How nodes are made. */
  readonly options: Omit<CrewOptions, "images" | "only" | "programs" | "compileCache" | "resumedAt">;
  /** Images that are whole in memory. */
  readonly images: ReadonlyMap<string, Uint8Array>;
  /** Files given with --image, for those that are not. */
  readonly files: readonly string[];
  /** The world's file, beside which images are looked for. */
  readonly path: string;
  /** One of the checkpoints in that file, if nodes go on there. */
  readonly checkpoint: StoredCheckpoint | undefined;
  /** A module with programs. */
  readonly module: string | undefined;
}

/** What a worker is told. */
export type ToWorldWorker =
  | { readonly setup: WorldWorkerSetup }
  | { readonly round: Round }
  | { readonly finish: true };

/** What it answers, once each. */
export type FromWorldWorker = { readonly reports: Reports } | { readonly failure: Failure };

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ToWorldWorker>) => void;
  postMessage(value: FromWorldWorker): void;
};
let crew: LocalCrew | undefined;

async function setUp(
  { world, only, options, images, files, path, checkpoint, module }: WorldWorkerSetup,
): Promise<LocalCrew> {
  let found: MachineImages = images;
  for (const number of only) {
    const node = world.nodes[number]!;
    if (node.kind === "machine") found = findImages(node.configuration, found, files, path);
  }
  // Its events and roots are with whoever gives the rounds.
  const run = checkpoint && new LifeSource(openBlocks(new FileSource(path)), world);
  return new LocalCrew(world, {
    ...options,
    images: found,
    resumedAt: checkpoint && run && { run, checkpoint },
    programs: await programsOf(module),
    only: new Set(only),
  });
}

scope.onmessage = async ({ data }) => {
  try {
    if ("setup" in data) {
      crew = await setUp(data.setup);
      scope.postMessage({ reports: [] });
    } else scope.postMessage({ reports: "round" in data ? crew!.advance(data.round) : crew!.finish() });
  } catch (error) {
    scope.postMessage({ failure: failureOf(error) });
  }
};
