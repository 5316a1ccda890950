/**
 * The source's agent: offers a TEE by its policy, sends it sealed, and gives it up in one durable write, after which the
 * destination alone may resume it. Before that write every way ends with the TEE running here.
 */
import { bytes, type FieldKind, oneOf, record, u32, u53 } from "../../../machine/layout.ts";
import { KEY_BYTES } from "./crypto.ts";
import { equalBytes } from "../../../machine/sha256.ts";
import { type AgentHost, type AgentIdentity, nonceOf } from "./agent.ts";
import {
  type BodyOf,
  channelOf,
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageType,
  MOST_PIECES,
  type Policy,
  sessionKey,
} from "./messages.ts";
import { measured, NOTHING_MEASURED, type TeeImage } from "./pieces.ts";

/** What survives a crash of the agent: written as a whole. */
export interface SourceRecord {
  /** How often the TEE has been resumed anywhere. */
  readonly epoch: number;
  /** Migrations of this epoch that were tried. */
  readonly attempt: number;
  /** `committed`: the TEE is not this host's any more. */
  readonly phase: "running" | "frozen" | "committed" | "finished";
}

/** Layout of the record. */
export const sourceRecord: FieldKind<SourceRecord> = record({
  epoch: u32,
  attempt: u32,
  phase: oneOf("running", "frozen", "committed", "finished"),
});

/** Layout of what is lost in a crash. */
export const sourceProgress = record({
  awaits: oneOf("nothing", "accepted", "frozen", "taken", "prepared", "done"),
  session: bytes(KEY_BYTES),
  measurement: bytes(KEY_BYTES),
  next: u32,
  sequence: u53,
});

/** What is lost in a crash. */
export type SourceProgress = ReturnType<typeof sourceProgress.read>;

const NO_SESSION = new Uint8Array(0);

/** What the source's agent stands on. */
export interface SourceHost extends AgentHost {
  /** Writes the record, durably and as a whole. */
  persist(record: SourceRecord): void;
  /** Asks for the TEE to stand still; `SourceAgent.frozen` is called when it does. */
  freeze(): void;
  /** Lets it run on. May be called when it runs, and takes back what `freeze` asked for. */
  thaw(): void;
}

/** Messages of pieces on their way at most. */
const WINDOW = 8;

/** The agent. */
export class SourceAgent {
  #record: SourceRecord;
  #image: TeeImage | undefined;
  #session: Uint8Array | undefined;
  #measurement = NOTHING_MEASURED;
  /** What is waited for; undefined while nothing goes on. */
  #awaits: "accepted" | "frozen" | "taken" | "prepared" | "done" | undefined;
  #next = 0;
  #sequence = 0;

  /** Goes on from a record, after a crash too. */
  constructor(
    private readonly host: SourceHost,
    private readonly identity: AgentIdentity,
    record: SourceRecord,
  ) {
    this.#record = record;
    // The record may have been written, and what it says not done yet.
    if (record.phase === "running") host.thaw();
    if (record.phase === "frozen") this.#rollBack("the agent was restarted");
    if (record.phase === "committed") {
      host.destroy();
      this.#commit();
    }
  }

  /** What is durable. */
  get record(): SourceRecord {
    return this.#record;
  }

  /** What is lost in a crash, for a snapshot. */
  save(): SourceProgress {
    return {
      awaits: this.#awaits ?? "nothing",
      session: this.#session ?? NO_SESSION,
      measurement: this.#measurement,
      next: this.#next,
      sequence: this.#sequence,
    };
  }

  /** Restores a snapshot; `image` is the TEE's where it stands still. */
  restore(record: SourceRecord, progress: SourceProgress, image: TeeImage | undefined): void {
    this.#record = record;
    this.#image = image;
    this.#awaits = progress.awaits === "nothing" ? undefined : progress.awaits;
    this.#session = progress.session.length === 0 ? undefined : progress.session;
    this.#measurement = progress.measurement;
    this.#next = progress.next;
    this.#sequence = progress.sequence;
  }

  /** A migration cannot be begun: one is under way, or the TEE is gone. */
  get isBusy(): boolean {
    return this.#awaits !== undefined || this.#record.phase !== "running";
  }

  /** Begins a migration. Why it cannot, or undefined. */
  begin(policy: Policy): string | undefined {
    if (this.#awaits !== undefined || this.#record.phase !== "running") {
      return this.#record.phase === "running" ? "a migration is under way" : "the TEE is not here any more";
    }
    this.#persist({ ...this.#record, attempt: this.#record.attempt + 1 });
    this.#awaits = "accepted";
    this.#send("offer", { policy, nonce: this.#nonce });
    this.#tell("policySent", policy.features.join(" "));
    return undefined;
  }

  get #nonce(): Uint8Array {
    return nonceOf(this.identity, "source", this.#record.epoch, this.#record.attempt);
  }

  #persist(record: SourceRecord): void {
    this.host.persist(record);
    this.#record = record;
  }

  #tell(step: Parameters<AgentHost["tell"]>[0], detail = "", sequence = 0): void {
    this.host.tell(step, this.#record.epoch, sequence, detail);
  }

  #send<T extends MessageType>(type: T, body: BodyOf<T>, sequence = 0): void {
    const { epoch, attempt } = this.#record;
    const channel = channelOf(this.identity.cluster, true, this.#session);
    this.host.send(encodeMessage(channel, { type, epoch, attempt, sequence, body } as never));
    this.host.wait(this.identity.timeout);
  }

  /** A message arrived. */
  received(bytes: Uint8Array): void {
    const message = decodeMessage(channelOf(this.identity.cluster, false, this.#session), bytes);
    if (message === undefined) return this.#violated("a message that was tampered with");
    const { epoch, attempt } = message, record = this.#record;
    // What belongs to a migration that is over is late, and means nothing any more; but it is answered.
    if (epoch !== record.epoch || attempt !== record.attempt) return this.#late(message);
    if (record.phase === "committed" || record.phase === "finished") return this.#afterCommit(message);
    if (this.#awaits === undefined) return this.#late(message);
    switch (message.type) {
      case "refused":
        this.#tell("policyRefused", message.body.reason);
        return this.#rollBack("the destination refused");
      case "aborted":
        return this.#rollBack(`the destination gave up: ${message.body.reason}`);
      case "accepted":
        return this.#accepted(message.body);
      case "taken":
        return this.#taken(message.body.pieces);
      case "prepared":
        return this.#prepared();
      default:
        return this.#violated(`${message.type} was not to be expected`);
    }
  }

  /** A destination that asks after a migration that was given up must not wait for ever. */
  #late({ type, epoch, attempt }: Message): void {
    if (type !== "prepared") return;
    const channel = channelOf(this.identity.cluster, true);
    const body = { reason: "that migration was given up" };
    this.host.send(encodeMessage(channel, { type: "aborted", epoch, attempt, sequence: 0, body }));
  }

  #accepted({ nonce, measurement, echo }: BodyOf<"accepted">): void {
    if (this.#awaits !== "accepted" || !equalBytes(echo, this.#nonce)) {
      return this.#violated("an answer to another offer");
    }
    if (!equalBytes(measurement, this.identity.measurement)) {
      return this.#violated("the destination's agent is not the one that is trusted");
    }
    this.#tell("attested", measurement.toHex());
    this.#session = sessionKey(this.identity.cluster, this.#nonce, nonce);
    this.#persist({ ...this.#record, phase: "frozen" });
    this.#awaits = "frozen";
    this.host.wait(this.identity.timeout);
    this.host.freeze();
  }

  /** The TEE stands still. */
  frozen(image: TeeImage): void {
    if (this.#awaits !== "frozen") return;
    this.#image = image;
    this.#tell("teeFrozen", `${image.count} pieces`);
    this.#awaits = "taken";
    this.#send("begin", { pieces: image.count });
    this.#sendPieces(0);
  }

  /** Sends pieces as far as the window goes. */
  #sendPieces(taken: number): void {
    const image = this.#image as TeeImage;
    while (this.#next < image.count && this.#next < taken + WINDOW * MOST_PIECES) {
      const count = Math.min(MOST_PIECES, image.count - this.#next);
      const pieces = Array.from({ length: count }, (_, at) => image.piece(this.#next + at));
      for (const piece of pieces) this.#measurement = measured(this.#measurement, piece);
      this.#next += count;
      this.#send("pieces", { pieces: [...pieces] }, this.#sequence);
      this.#tell("piecesSent", "", this.#sequence++);
    }
  }

  #taken(pieces: number): void {
    const image = this.#image;
    if (this.#awaits !== "taken" || image === undefined || pieces > this.#next) {
      return this.#violated("pieces taken that were not sent");
    }
    this.#sendPieces(pieces);
    if (pieces < image.count) return;
    this.#awaits = "prepared";
    this.#send("end", { measurement: this.#measurement });
  }

  #prepared(): void {
    if (this.#awaits !== "prepared") return this.#violated("prepared before the end");
    // The one moment: before it the TEE is here, after it there.
    this.#persist({ ...this.#record, phase: "committed" });
    this.#tell("committed");
    this.host.destroy();
    this.#commit();
  }

  #commit(): void {
    this.#image = undefined;
    this.#awaits = "done";
    this.#send("commit", {});
  }

  #afterCommit({ type }: Message): void {
    if (type === "prepared") return this.#send("commit", {});
    if (type !== "done" || this.#record.phase !== "committed") return;
    this.#persist({ ...this.#record, phase: "finished" });
    this.#awaits = undefined;
    this.host.wait(undefined);
    this.#tell("finished");
  }

  /** Nothing came for the time agreed. */
  woken(): void {
    if (this.#record.phase === "committed") return this.#send("commit", {});
    if (this.#awaits !== undefined) {
      this.#rollBack(
        this.#awaits === "frozen" ? "the TEE cannot be frozen" : "the destination does not answer",
      );
    }
  }

  #violated(what: string): void {
    this.#tell("violated", what);
    if (this.#awaits !== undefined && this.#record.phase !== "committed") this.#rollBack(what);
  }

  /** The TEE runs here again, and the destination is told; only before the commit. */
  #rollBack(reason: string): void {
    this.#send("aborted", { reason });
    this.host.wait(undefined);
    this.#awaits = this.#image = this.#session = undefined;
    this.#measurement = NOTHING_MEASURED;
    this.#next = this.#sequence = 0;
    if (this.#record.phase === "frozen") this.#persist({ ...this.#record, phase: "running" });
    this.host.thaw();
    this.#tell("rolledBack", reason);
  }
}
