/** A recorded world as it stands in its file: manifest, events, roots, end and the journals of its machines' lives, checked. */
import type { BlockInfo } from "../journal/block.ts";
import { JournalFormatError } from "../journal/errors.ts";
import { FORMAT } from "../journal/format.ts";
import { JournalReader, type OpenOptions } from "../journal/file.ts";
import { RecordedRun } from "../journal/run.ts";
import type { Source } from "../journal/storage.ts";
import type { Schema } from "../machine/layout.ts";
import type { TimedWorldInput, WorldRoot } from "./course.ts";
import { type WorldCheckpoint, worldCheckpointSchema } from "./checkpoint.ts";
import { compareWorldEvents, type WorldEvent } from "./events.ts";
import { type LifeNumber, LifeSource, openBlocks, refusedBlock } from "./life_source.ts";
import {
  type WorldEnd,
  worldEndSchema,
  worldEventsSchema,
  type WorldManifest,
  worldManifestSchema,
  worldRootSchema,
} from "./payloads.ts";

/** A life of a machine, from power-on to power-off. */
export interface RecordedLife extends LifeNumber {
  /** The world's time at power-on. */
  readonly start: number;
}

/** A checkpoint as it stands in the file. */
export interface StoredCheckpoint extends WorldCheckpoint {
  /** The root there. */
  readonly root: WorldRoot;
  /** Number of its block. */
  readonly block: number;
}

/** Everything that a world's file says. */
export class RecordedWorld {
  /** What the world is a function of, beside its inputs. */
  readonly manifest: WorldManifest;
  /** Events in their total order. */
  readonly events: readonly WorldEvent[];
  /** Roots in order, without the end's. */
  readonly roots: readonly WorldRoot[];
  /** Checkpoints in order. */
  readonly checkpoints: readonly StoredCheckpoint[];
  /** How it ended; absent when the recording was cut off. */
  readonly end: WorldEnd | undefined;
  /** The last time of which the file knows, in nanoseconds. */
  readonly lastTime: number;
  readonly #journals: LifeSource;

  /** Throws JournalFormatError naming the block that is not what its kind promises. */
  constructor(readonly reader: JournalReader) {
    const of = (kind: BlockInfo["kind"]) => reader.blocks.filter((block) => block.kind === kind);
    this.manifest = this.#parse(worldManifestSchema, reader.blocks[0]!);
    this.#journals = new LifeSource(reader, this.manifest.world);
    const blocks = of("events").map((block) => ({ block, ...this.#parse(worldEventsSchema, block) }));
    this.events = blocks.flatMap(({ events }) => events);
    this.roots = of("roots").map((block) => this.#parse(worldRootSchema, block));
    this.end = of("end").map((block) => this.#parse(worldEndSchema, block)).at(-1);
    this.checkpoints = of("checkpoint").map((block) => this.#checkpoint(block));
    this.lastTime = this.end?.time ?? Math.max(0, this.roots.at(-1)?.time ?? 0);
    this.#check();
  }

  /** Opens a file. Throws JournalError for what is damaged or no world. */
  static open(source: Source, options: OpenOptions = {}): RecordedWorld {
    return new RecordedWorld(openBlocks(source, options));
  }

  #parse<T>(schema: Schema<T>, block: BlockInfo): T {
    const parsed = schema.safeParse(this.reader.payload(block.number));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw refusedBlock(block, `is not valid: ${issue?.path.join(".")}: ${issue?.message.slice(0, 300)}`);
  }

  #checkpoint(block: BlockInfo): StoredCheckpoint {
    const checkpoint = this.#parse(worldCheckpointSchema, block), { nodes, links } = this.manifest.world;
    const root = this.roots.find(({ time }) => time === checkpoint.time);
    const { members, next, reached, sequences, inFlight } = checkpoint;
    const isOfWorld = [members, next, reached].every(({ length }) => length === nodes.length) &&
      members.every(({ kind }, node) => kind === nodes[node]!.kind) && sequences.length === links.length &&
      sequences.every(({ length }, link) => length === links[link]!.ends.length) &&
      inFlight.every(({ link, end, to }) => Math.max(end, to) < (links[link]?.ends.length ?? 0));
    if (root !== undefined && isOfWorld) return { ...checkpoint, root, block: block.number };
    throw refusedBlock(block, root === undefined ? "has no root at its time" : "is not of this world");
  }

  /** The last checkpoint at or before a time from which the world can go on. */
  checkpointBefore(time: number): StoredCheckpoint | undefined {
    return this.checkpoints.findLast((checkpoint) => checkpoint.time <= time && this.#isWhole(checkpoint));
  }

  /** Journals of a world that was cut off may not come as far. */
  #isWhole({ members }: StoredCheckpoint): boolean {
    return members.every((member, node) => {
      if (member.kind !== "machine" || member.life === null) return true;
      const { reader, lastInstant, inputs } = this.run({ node, life: member.lives - 1 });
      return reader.format === FORMAT && lastInstant >= member.life.instant &&
        inputs.length >= member.life.inputs;
    });
  }

  #check(): void {
    const { nodes, links } = this.manifest.world;
    const refuse = (what: string) => new JournalFormatError(`Cannot read the world: ${what}`);
    for (const [index, event] of this.events.entries()) {
      const before = this.events[index - 1], link = "link" in event ? links[event.link] : undefined;
      if (nodes[event.node] === undefined) {
        throw refuse(`event ${index} is of node ${event.node}, which it has not`);
      }
      if ("link" in event && link?.ends[event.end] === undefined) {
        throw refuse(`event ${index} is of an end of a link that it has not`);
      }
      if (before !== undefined && compareWorldEvents(before, event) >= 0) {
        throw refuse(`event ${index} (${event.kind} at ${event.time} ns) is out of order`);
      }
    }
    const roots = this.end === undefined ? this.roots : [...this.roots, this.end];
    for (const [index, { time, members }] of roots.entries()) {
      if (members.length !== nodes.length) {
        throw refuse(`the root at ${time} ns has not one part for each node`);
      }
      if (index > 0 && time < roots[index - 1]!.time) throw refuse(`the root at ${time} ns is out of order`);
    }
  }

  /** The last time of which anything can be said: a world that came to rest rests for ever. */
  get reach(): number {
    return this.end?.reason === "resting" ? Number.MAX_SAFE_INTEGER : this.lastTime;
  }

  /** Inputs in order. */
  get inputs(): readonly TimedWorldInput[] {
    return this.events.filter((event) => event.kind === "inputGiven");
  }

  /** The lives of machines of which there are journals, in order of power-on. */
  get lives(): readonly RecordedLife[] {
    const { nodes } = this.manifest.world;
    return this.events.flatMap((event) =>
      event.kind === "nodePoweredOn" && nodes[event.node]!.kind === "machine" &&
        this.#journals.has(event)
        ? [{ node: event.node, life: event.life, start: event.time }]
        : []
    );
  }

  /** As `LifeSource.journal`. */
  journal(life: LifeNumber, before?: number): Source {
    return this.#journals.journal(life, before);
  }

  /** The run of a life, for whatever reads a machine's run. Throws JournalError. */
  run(life: LifeNumber): RecordedRun {
    return new RecordedRun(JournalReader.open(this.journal(life)));
  }
}
