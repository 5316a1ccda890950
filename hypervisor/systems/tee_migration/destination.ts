/**
 * The destination's agent: checks a policy before anything else exists, creates a TEE, takes its pieces in their order,
 * and resumes it once, when the source has said that it never will again.
 */
import { bytes, type FieldKind, oneOf, record, u32, u53 } from "../../../machine/layout.ts";
import { KEY_BYTES } from "./crypto.ts";
import { equalBytes } from "../../../machine/sha256.ts";
import { type AgentHost, type AgentIdentity, nonceOf, type PolicyCheck } from "./agent.ts";
import {
  type BodyOf,
  channelOf,
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageType,
  sessionKey,
} from "./messages.ts";
import { measured, NOTHING_MEASURED, type Piece } from "./pieces.ts";

/** What survives a crash of the agent: written as a whole. */
export interface DestinationRecord {
  /** Epoch of the TEE that was resumed here last; −1 for none. */
  readonly resumed: number;
  /** Epoch and attempt of the migration that is dealt with, or was last. */
  readonly epoch: number;
  /** See above. */
  readonly attempt: number;
  /** `prepared`: all of the TEE is here, and only the source's word is missing. */
  readonly phase: "none" | "created" | "prepared" | "running";
}

/** A destination that has seen nothing yet. */
export const FRESH_DESTINATION: DestinationRecord = { resumed: -1, epoch: 0, attempt: 0, phase: "none" };

const NONE = 2 ** 32 - 1;

/** Layout of the record; no epoch is 2^32 − 1. */
export const destinationRecord: FieldKind<DestinationRecord> = mapped(
  record({ resumed: u32, epoch: u32, attempt: u32, phase: oneOf("none", "created", "prepared", "running") }),
);

/** −1 stands in the layout as 2^32 − 1. */
function mapped(inner: FieldKind<DestinationRecord>): FieldKind<DestinationRecord> {
  const stored = (value: DestinationRecord): DestinationRecord => (
    { ...value, resumed: value.resumed < 0 ? NONE : value.resumed }
  );
  return {
    schema: inner.schema,
    holds: (value) => inner.holds(stored(value)),
    write: (writer, value) => inner.write(writer, stored(value)),
    read: (reader) => {
      const value = inner.read(reader);
      return { ...value, resumed: value.resumed === NONE ? -1 : value.resumed };
    },
  };
}

/** Layout of what is lost in a crash. */
export const destinationProgress = record({
  session: bytes(KEY_BYTES),
  measurement: bytes(KEY_BYTES),
  expected: u32,
  pieces: u32,
  sequence: u53,
});

/** What is lost in a crash. */
export type DestinationProgress = ReturnType<typeof destinationProgress.read>;

/** What the destination's agent stands on. */
export interface DestinationHost extends AgentHost {
  /** Why it cannot have the TEE. */
  readonly check: PolicyCheck;
  /** Writes the record, durably and as a whole. */
  persist(record: DestinationRecord): void;
  /** Makes room for a TEE of so many pieces, which does not run; why it cannot, or nothing. */
  create(pieces: number): string | void;
  /** Puts a piece in its place; why it cannot, or undefined. */
  put(piece: Piece): string | undefined;
  /** Lets the TEE run. May be called when it runs. */
  resume(): void;
}

/** The agent. */
export class DestinationAgent {
  #record: DestinationRecord;
  #session: Uint8Array | undefined;
  #measurement = NOTHING_MEASURED;
  #expected = 0;
  #pieces = 0;
  #sequence = 0;

  /** Goes on from a record, after a crash too. */
  constructor(
    private readonly host: DestinationHost,
    private readonly identity: AgentIdentity,
    record: DestinationRecord = FRESH_DESTINATION,
  ) {
    this.#record = record;
    if (record.phase === "created") this.#giveUp("the agent was restarted");
    if (record.phase === "prepared") this.#send("prepared", {});
    if (record.phase === "running") host.resume();
  }

  /** What is durable. */
  get record(): DestinationRecord {
    return this.#record;
  }

  /** What is lost in a crash, for a snapshot. */
  save(): DestinationProgress {
    return {
      session: this.#session ?? new Uint8Array(0),
      measurement: this.#measurement,
      expected: this.#expected,
      pieces: this.#pieces,
      sequence: this.#sequence,
    };
  }

  /** Restores a snapshot. */
  restore(record: DestinationRecord, progress: DestinationProgress): void {
    this.#record = record;
    this.#session = progress.session.length === 0 ? undefined : progress.session;
    this.#measurement = progress.measurement;
    this.#expected = progress.expected;
    this.#pieces = progress.pieces;
    this.#sequence = progress.sequence;
  }

  #persist(record: DestinationRecord): void {
    this.host.persist(record);
    this.#record = record;
  }

  #tell(step: Parameters<AgentHost["tell"]>[0], detail = "", sequence = 0): void {
    this.host.tell(step, this.#record.epoch, sequence, detail);
  }

  #send<T extends MessageType>(
    type: T,
    body: BodyOf<T>,
    to: { epoch: number; attempt: number } = this.#record,
  ): void {
    const channel = channelOf(this.identity.cluster, false), { epoch, attempt } = to;
    this.host.send(encodeMessage(channel, { type, epoch, attempt, sequence: 0, body } as never));
    this.host.wait(this.identity.timeout);
  }

  /** A message arrived. */
  received(bytes: Uint8Array): void {
    const message = decodeMessage(channelOf(this.identity.cluster, true, this.#session), bytes);
    if (message === undefined) return this.#violated("a message that was tampered with");
    if (message.type === "offer") return this.#offered(message);
    const { epoch, attempt, phase } = this.#record;
    const isPresent = message.epoch === epoch && message.attempt === attempt;
    if (message.type === "commit") return this.#committed(message, isPresent);
    if (!isPresent) return;
    if (message.type === "aborted") {
      if (phase === "created" || phase === "prepared") {
        this.#destroy(`the source gave up: ${message.body.reason}`);
      }
      return;
    }
    if (phase !== "created") return this.#violated(`${message.type} was not to be expected`);
    if (message.type === "begin") return this.#begun(message.body.pieces);
    if (message.type === "pieces") return this.#take(message.sequence, message.body.pieces);
    if (message.type === "end") return this.#ended(message.body.measurement);
    this.#violated(`${message.type} is not the source's to say`);
  }

  /** The policy comes first; only what passes it is ever told more. */
  #offered({ epoch, attempt, body: { policy, nonce } }: Message & { type: "offer" }): void {
    const { resumed, phase } = this.#record, to = { epoch, attempt };
    const isPast = epoch <= resumed || (epoch === this.#record.epoch && attempt <= this.#record.attempt);
    const reason = isPast ? `epoch ${epoch}, attempt ${attempt} is past` : this.host.check(policy);
    if (reason !== undefined) {
      this.host.tell(isPast ? "resumeRefused" : "policyRefused", epoch, 0, reason);
      this.#send("refused", { reason }, to);
      this.host.wait(undefined);
      return;
    }
    // A source that offers anew has given up what it offered before.
    if (phase === "created" || phase === "prepared") this.#destroy("the source offers anew");
    const own = nonceOf(this.identity, "destination", epoch, attempt);
    this.#session = sessionKey(this.identity.cluster, nonce, own);
    this.#measurement = NOTHING_MEASURED;
    this.#pieces = this.#expected = this.#sequence = 0;
    this.#persist({ resumed, epoch, attempt, phase: "created" });
    this.#send("accepted", { nonce: own, measurement: this.identity.measurement, echo: nonce });
    this.#tell("attested", this.identity.measurement.toHex());
  }

  #begun(pieces: number): void {
    if (this.#expected !== 0 || pieces === 0) return this.#violated("it begins twice, or with nothing");
    this.#expected = pieces;
    const refused = this.host.create(pieces);
    if (typeof refused === "string") return this.#violated(refused);
    this.#tell("teeCreated", `${pieces} pieces`);
  }

  #take(sequence: number, pieces: readonly Piece[]): void {
    if (sequence !== this.#sequence || this.#pieces + pieces.length > this.#expected) {
      return this.#violated(`pieces number ${sequence} in place of ${this.#sequence}`);
    }
    for (const piece of pieces) {
      const refused = this.host.put(piece);
      if (refused !== undefined) return this.#violated(refused);
      this.#measurement = measured(this.#measurement, piece);
    }
    this.#sequence++;
    this.#pieces += pieces.length;
    this.#tell("piecesTaken", "", sequence);
    this.#send("taken", { pieces: this.#pieces });
  }

  #ended(measurement: Uint8Array): void {
    const isWhole = this.#expected > 0 && this.#pieces === this.#expected;
    if (!isWhole || !equalBytes(measurement, this.#measurement)) {
      return this.#violated("it is not what was measured");
    }
    this.#persist({ ...this.#record, phase: "prepared" });
    this.#tell("prepared", measurement.toHex());
    this.#send("prepared", {});
  }

  #committed({ epoch, attempt }: Message, isPresent: boolean): void {
    const { phase } = this.#record;
    if (isPresent && phase === "prepared") {
      this.#persist({ ...this.#record, phase: "running", resumed: epoch });
      this.host.resume();
      this.#tell("resumed");
    } else if (!isPresent || phase !== "running") {
      this.host.tell("resumeRefused", epoch, 0, "it is not prepared");
      return;
    } else this.#tell("resumeRefused", "it runs already");
    this.#send("done", { resumed: true }, { epoch, attempt });
    this.host.wait(undefined);
  }

  /** Nothing came for the time agreed. */
  woken(): void {
    const { phase } = this.#record;
    // It must not be given up any more, and not be resumed either: only the source knows.
    if (phase === "prepared") this.#send("prepared", {});
    if (phase === "created") this.#giveUp("the source does not answer");
  }

  #violated(what: string): void {
    this.#tell("violated", what);
    if (this.#record.phase === "created") this.#giveUp(what);
  }

  #giveUp(reason: string): void {
    this.#send("aborted", { reason });
    this.#destroy(reason);
  }

  /** There is no TEE here any more. */
  #destroy(reason: string): void {
    this.host.destroy();
    this.#session = undefined;
    this.#persist({ ...this.#record, phase: "none" });
    this.host.wait(undefined);
    this.#tell("teeDestroyed", reason);
  }
}
