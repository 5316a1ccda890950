/** What a node in TypeScript is: a program that is told what arrives, and answers by messages, alarms and events. */
import type { Schema } from "../machine/layout.ts";
import { WorldError } from "./errors.ts";

/** What a program sees of the world. All of it is deterministic; a program may look at nothing else. */
export interface NodeSite {
  /** Name of the node. */
  readonly name: string;
  /** The world's seed. */
  readonly seed: number;
  /** The world's time, in nanoseconds. */
  readonly now: number;
  /** Survives a loss of power, as flash memory does; at most 64 MiB in all. */
  readonly store: Map<string, Uint8Array>;
  /** Sends a message on the link at a port of this node; nothing happens where no link is. At most 64 KiB. */
  send(port: string, bytes: Uint8Array): void;
  /** Asks for `woken` at a time, in place of what was asked before; one not after now is now; Infinity is never. */
  wakeAt(time: number): void;
  /** Makes an event `nodeTold` of something that happened, at most 64 and 4096 bytes. */
  tell(what: string, detail?: string): void;
}

/** A program at work, from power-on to the loss of power. */
export interface NodeProcess {
  /** A message arrived. Of a serial line it is bytes, of a network a frame. */
  received?(port: string, bytes: Uint8Array): void;
  /** The time that was asked for has come. */
  woken?(): void;
  /** The operator says something; what it cannot take it throws WorldError for, with nothing changed. */
  commanded?(command: string): void;
  /** All that it keeps, as plain values of the journal's codec: enters the world's root. */
  state(): unknown;
}

/** A kind of node in TypeScript. */
export interface NodeProgram<Options = unknown> {
  /** Its name in descriptions. */
  readonly name: string;
  /** Reads its options. */
  readonly options: Schema<Options>;
  /** Power-on. */
  start(options: Options, site: NodeSite): NodeProcess;
  /**
   * The process that gave this `state`; its alarm stays set. Without it, whoever returns to an earlier time starts the
   * program again and tells it all that it was told.
   */
  resume?(state: unknown, options: Options, site: NodeSite): NodeProcess;
}

/** A program, with the type of its options hidden. */
export function nodeProgram<Options>(program: NodeProgram<Options>): NodeProgram {
  return program as unknown as NodeProgram;
}

/** The program of a name; throws WorldError. */
export function programNamed(programs: readonly NodeProgram[], name: string): NodeProgram {
  const found = programs.find((program) => program.name === name);
  if (found !== undefined) return found;
  const names = programs.map((program) => program.name).join(", ") || "none";
  throw new WorldError(`There is no program "${name}": there are ${names}`);
}
