/** What a node that is a machine is made from, and where one of a recorded world goes on. */
import type { Depth } from "../journal/payloads.ts";
import type { Source } from "../journal/storage.ts";
import type { MachineImages } from "../machine/compose.ts";
import type { MachineConfiguration } from "../machine/configuration.ts";
import type { MachineOptions } from "../machine/machine.ts";
import type { MachineCheckpoint } from "./checkpoint.ts";
import type { LinkKind } from "./description.ts";
import type { MemberRoots } from "./member.ts";

/** A port of a machine with a link. */
export interface MachinePort {
  /** Its name. */
  readonly port: string;
  /** What the link carries. */
  readonly carries: LinkKind;
  /** Nanoseconds in which bytes of a serial line go together. */
  readonly span: number;
}

/** What a node is made from. */
export interface MachineMemberOptions extends MachineOptions {
  /** Its number in the description. */
  readonly node: number;
  /** Its name, for messages. */
  readonly name: string;
  /** What machine it is. */
  readonly configuration: MachineConfiguration;
  /** Its images. */
  readonly images: MachineImages;
  /** Its ports with links. */
  readonly ports: readonly MachinePort[];
  /** It begins without power. */
  readonly isOff: boolean;
  /** How much its journals store; undefined for none. */
  readonly depth: Depth | undefined;
  /** Who records. */
  readonly recordedBy: string;
  /** It can be returned to earlier states; then there are no journals. */
  readonly keepsMarks: boolean;
  /** Nanoseconds of its time between checkpoints in its journals, if there are to be any. */
  readonly checkpointSpacing?: number | undefined;
  /** Where it goes on instead of at power-on. */
  readonly resumedAt?: ResumedMachine | undefined;
}

/** Where a machine of a recorded world goes on. */
export interface ResumedMachine {
  /** What the world's checkpoint has of it. */
  readonly checkpoint: MachineCheckpoint;
  /** What the root there has. */
  readonly roots: MemberRoots;
  /** The journal of a life, whole or of the pieces before a block. */
  readonly journalOf: (life: number, before?: number) => Source;
  /** The checkpoint's block. */
  readonly block: number;
}
