/** A node of a world at work, as whoever advances the world sees it; it may be in another thread. */
import type { Snapshot } from "../machine/machine.ts";
import type { MemberCheckpoint } from "./checkpoint.ts";
import type { LinkKind } from "./description.ts";
import type { WorldEvent, WorldInput } from "./events.ts";

/** What reaches a node. */
export type Delivery =
  | { readonly kind: "input"; readonly time: number; readonly number: number; readonly input: WorldInput }
  | {
    readonly kind: "message";
    /** When it arrives, in nanoseconds of the world. */
    readonly time: number;
    /** What the link carries. */
    readonly carries: LinkKind;
    /** The node's port. */
    readonly port: string;
    /** Its address, for the event. */
    readonly link: number;
    /** The end that sent it. */
    readonly end: number;
    /** How many that end had sent before. */
    readonly sequence: number;
    /** What arrives. */
    readonly bytes: Uint8Array;
  };

/** What a node is to do. */
export interface Turn {
  /** Runs to the first step boundary that is not before this time of the world. */
  readonly until: number;
  /** What arrives before that, in order. */
  readonly deliveries: readonly Delivery[];
  /** It passes idle time up to `until`, and tells its roots there. */
  readonly wantsRoots: boolean;
  /** It tells what a checkpoint keeps of it; only with roots. */
  readonly wantsCheckpoint?: boolean;
}

/** The roots of a node. */
export interface MemberRoots {
  /** Lives it has had. */
  readonly lives: number;
  /** It has power. */
  readonly isOn: boolean;
  /** Of its state; what it was at the end of its last life where it has no power. */
  readonly stateRoot: Uint8Array;
  /** Of all inputs, traps and device accesses of its life; zeros for a program. */
  readonly historyRoot: Uint8Array;
}

/** A message that a node sent. */
export interface Sent {
  /** The port. */
  readonly port: string;
  /** When, in nanoseconds of the world. */
  readonly time: number;
  /** What. */
  readonly bytes: Uint8Array;
}

/** What came of a turn. */
export interface Report {
  /** What happened, in no order that counts. */
  readonly events: readonly WorldEvent[];
  /** Messages, in order at each port. */
  readonly sent: readonly Sent[];
  /** The earliest time at which the node does anything without being told; Infinity for never. */
  readonly next: number;
  /** The time to which it has come. */
  readonly now: number;
  /** If they were wanted. */
  readonly roots: MemberRoots | undefined;
  /** If it was wanted. */
  readonly checkpoint?: MemberCheckpoint | undefined;
  /** Pieces of its lives' journals. */
  readonly journal: readonly { readonly life: number; readonly bytes: Uint8Array }[];
  /** What it wrote on its console. */
  readonly console: Uint8Array;
}

/** A point to which a node can return; who made it knows what is in it. Marks share what is equal. */
export interface MemberMark {
  /** Of a machine with power: its state. */
  readonly snapshot?: Snapshot | undefined;
}

/** A node at work. */
export interface Member {
  /** Takes a turn. */
  advance(turn: Turn): Report;
  /** Ends at a time to which it has come: writes the end of its journal. */
  finish(): Report;
  /** Remembers this point, between two turns. Throws TypeError for a node that was not made for it. */
  mark(): MemberMark;
  /** Returns to a mark of this node. Throws WorldError for a program that does not come to the same state again. */
  returnTo(mark: MemberMark): void;
  /** SHA-256 that tells apart what a loss of power leaves. */
  durableRoot(): Uint8Array;
}
