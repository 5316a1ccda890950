/** What the agents at both ends of a migration have in common: who they are, what they stand on, what they tell. */
import { sha256 } from "../../../machine/sha256.ts";
import { ByteWriter } from "../../../machine/layout.ts";
import type { Policy } from "./messages.ts";

/** The steps of a migration, for events. */
export const MIGRATION_STEPS = [
  "policySent",
  "policyRefused",
  "attested",
  "teeFrozen",
  "teeCreated",
  "piecesSent",
  "piecesTaken",
  "prepared",
  "committed",
  "resumed",
  "resumeRefused",
  "rolledBack",
  "teeDestroyed",
  "violated",
  "finished",
  "copySealed",
  "copyRestored",
  "copyLost",
] as const;

/** A step. */
export type MigrationStep = (typeof MIGRATION_STEPS)[number];

/** What both agents can do. None of it may call the agent. */
export interface AgentHost {
  /** Sends a message to the peer. */
  send(bytes: Uint8Array): void;
  /** Asks for `woken` after so many nanoseconds, in place of what was asked before; undefined for never. */
  wait(nanoseconds: number | undefined): void;
  /** Tells that something happened. */
  tell(step: MigrationStep, epoch: number, sequence: number, detail: string): void;
  /** The TEE is no more: its memory is cleared. May be called again. */
  destroy(): void;
}

/** Who an agent is. */
export interface AgentIdentity {
  /** The key that all agents of a cluster have. */
  readonly cluster: Uint8Array;
  /** What nonces are drawn from. */
  readonly seed: number;
  /** Measurement of the agent and the monitor that it is part of. */
  readonly measurement: Uint8Array;
  /** Nanoseconds without progress after which a migration is rolled back. */
  readonly timeout: number;
}

/** A nonce of an agent's: never the same for another role, epoch or attempt. */
export function nonceOf({ seed }: AgentIdentity, role: string, epoch: number, attempt: number): Uint8Array {
  const writer = new ByteWriter();
  for (const value of [seed, epoch, attempt]) writer.u53(value);
  return sha256(writer.view(), new TextEncoder().encode(role));
}

/** Why a host cannot have a TEE, or undefined when it can. */
export type PolicyCheck = (policy: Policy) => string | undefined;
