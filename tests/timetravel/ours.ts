/**
 * Goes about in a recorded run and measures it, in a process of its own so that its memory is its own.
 * `deno run -A tests/timetravel/ours.ts JOURNAL` prints JSON.
 */
import { FileSource } from "../../cli/host/file_source.ts";
import { findImages } from "../../cli/host/image_search.ts";
import { JournalReader } from "../../journal/file.ts";
import { imageReferences, packedImages } from "../../journal/images.ts";
import { Replay } from "../../journal/replay.ts";
import { RecordedRun } from "../../journal/run.ts";
import { Timeline } from "../../journal/timeline.ts";
import { seededRandom } from "../journal/support.ts";
import type { OurFigures, WatchFigure } from "./figures.ts";

/** Steps back at random instants, and instants whose states are compared with a replay's. */
const PLACES = 200, COMPARED = 6;
/** How far back the watched writes are at least, windows in which they are looked for, and how many are wanted. */
const BACK = 800_000_000, WINDOWS = 80, WINDOW = 3000, WANTED = 5;
/** Writes that are tried: most places are written again and again. */
const TRIED = 150;
/** The kernel's image, without address randomisation: the same places on QEMU. */
const IMAGE = { from: 0xffff_8000_0900_0000n, to: 0xffff_8000_0c00_0000n };

function timed(go: () => void): number {
  const started = performance.now();
  go();
  return performance.now() - started;
}

/** Peak of the process's resident memory, in bytes. */
function peakMemory(): number {
  const [, kilobytes = "0"] = /VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Addresses of writes `BACK` steps and more before the end, each once. */
function candidates(timeline: Timeline): bigint[] {
  const found = new Set<bigint>();
  const latest = Math.max(0, timeline.lastInstant - BACK - WINDOW);
  for (let window = 0; window < WINDOWS; window++) {
    // From the latest to a quarter of what there is.
    const from = Math.floor(latest * (1 - 0.75 * window / WINDOWS));
    for (const event of timeline.events(from, from + WINDOW, ["step"])) {
      if (event.kind !== "stepRetired") continue;
      for (const { write, address } of event.memory) if (write) found.add(address & ~7n);
    }
  }
  return [...found].filter((address) => address >= IMAGE.from && address < IMAGE.to);
}

/** Reverse watchpoints at writes long ago, each gone to for the first time. */
function watchBack(timeline: Timeline): WatchFigure[] {
  const all = candidates(timeline), every = Math.ceil(all.length / TRIED), found: WatchFigure[] = [];
  for (let at = 0; at < all.length && found.length < WANTED; at += every) {
    const address = all[at] as bigint;
    timeline.seek(timeline.lastInstant);
    const watches = [{ kind: "write", address, size: 8, space: "virtual" }] as const;
    let kind = "";
    const milliseconds = timed(() => kind = timeline.runBackTo({ watches }).kind);
    const steps = timeline.lastInstant - timeline.instant;
    if (kind === "hit" && steps >= BACK) {
      found.push({ address: `0x${address.toString(16)}`, instant: timeline.instant, steps, milliseconds });
    }
  }
  return found;
}

/** Instants at which the state is not that of a replay from the beginning. */
function differing(
  timeline: Timeline,
  run: RecordedRun,
  replay: Replay,
  random: (bound: number) => number,
): number[] {
  const places = Array.from({ length: COMPARED }, () => random(run.lastInstant)).sort((a, b) => a - b);
  const roots = new Map(
    places.toReversed().map((instant) => {
      timeline.seek(instant);
      return [instant, timeline.machine.stateRoot().root.toHex()] as const;
    }),
  );
  return places.filter((instant) => {
    replay.runTo(instant);
    return replay.machine.stateRoot().root.toHex() !== roots.get(instant);
  });
}

/** The write of a watch found going back is the last one that a run forward from there meets. */
function isLastWrite(timeline: Timeline, { address, instant }: WatchFigure): boolean {
  const watches = [{ kind: "write", address: BigInt(address), size: 8, space: "virtual" }] as const;
  timeline.seek(instant);
  const own = timeline.runForwardTo({ watches });
  return own.instant === instant + 1 && timeline.runForwardTo({ watches }).kind === "end";
}

function measure(path: string, seed: number): OurFigures {
  const reader = JournalReader.open(new FileSource(path)), run = new RecordedRun(reader);
  const { configuration } = run.manifest;
  const images = findImages(configuration, packedImages(reader, imageReferences(configuration)), [], path);
  const random = seededRandom(seed), late = Math.floor(run.lastInstant * 0.9);
  let timeline!: Timeline;
  const open = timed(() => timeline = new Timeline(run, images));
  const cold = timed(() => timeline.seek(late));
  const warmUp = timed(() => {
    for (const _ of timeline.precompute());
  });
  const seeks: number[] = [], backs: number[] = [];
  for (let place = 0; place < PLACES; place++) {
    const instant = 1 + random(run.lastInstant - 1);
    seeks.push(timed(() => timeline.seek(instant)));
    backs.push(timed(() => timeline.stepBack()));
  }
  const watches = watchBack(timeline),
    memory = peakMemory(),
    { checkpoints, checkpointBytes } = timeline.statistics;
  return {
    steps: run.lastInstant,
    open,
    cold,
    warmUp,
    seeks,
    backs,
    watches,
    memory,
    checkpoints,
    checkpointBytes,
    missed: watches.slice(0, 2).filter((watch) => !isLastWrite(timeline, watch)).map(({ address }) =>
      address
    ),
    differing: differing(timeline, run, new Replay(run, images, { history: false }), random),
  };
}

if (import.meta.main) {
  const [path = "", seed = "1"] = Deno.args;
  console.log(JSON.stringify(measure(path, Number(seed))));
}
