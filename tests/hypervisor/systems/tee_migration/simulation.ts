/** Two agents of a migration with TEEs of nothing but bytes, a link between them, and crashes wherever they are wanted. */
import type { AgentIdentity, MigrationStep } from "../../../../hypervisor/systems/tee_migration/agent.ts";
import {
  DestinationAgent,
  type DestinationHost,
  type DestinationRecord,
  FRESH_DESTINATION,
} from "../../../../hypervisor/systems/tee_migration/destination.ts";
import type { Policy } from "../../../../hypervisor/systems/tee_migration/messages.ts";
import type { Piece, TeeImage } from "../../../../hypervisor/systems/tee_migration/pieces.ts";
import {
  SourceAgent,
  type SourceHost,
  type SourceRecord,
} from "../../../../hypervisor/systems/tee_migration/source.ts";
import { sha256 } from "../../../../machine/sha256.ts";

/** What both hosts are asked for. */
export const POLICY: Policy = {
  ...{ teeType: "R", form: "machine", features: ["CRC32"], allowsShims: false },
  ...{ alignment: 4096, memoryMiB: 1, cpus: 1, agentVersion: 1 },
};
const TIMEOUT = 1000, LATENCY = 10, RESTART = 5;

/** What a link does to a message: those that arrive in its place. `fromSource` and `number` count each direction's. */
export type Meddler = (bytes: Uint8Array, number: number, fromSource: boolean) => readonly Uint8Array[];

/** What is simulated. */
export interface Scenario {
  /** Each agent crashes once, before this effect of its host; never by default. */
  readonly crashes?: readonly [source: number, destination: number];
  /** How long a crashed agent is away; RESTART by default. */
  readonly away?: number;
  /** What the link does. */
  readonly meddler?: Meddler;
  /** Features of the destination. */
  readonly features?: readonly string[];
  /** The TEE. */
  readonly content?: readonly Piece[];
}

/** What came of it. */
export interface SimulationEnd {
  /** Which TEEs run. */
  readonly running: readonly [boolean, boolean];
  /** What was told, `S` or `D` before each. */
  readonly steps: readonly string[];
  /** Effects of each host. */
  readonly effects: readonly [number, number];
  /** All bytes that were on the link. */
  readonly link: readonly Uint8Array[];
  /** What is wrong; empty if nothing is. */
  readonly wrong: readonly string[];
  /** The records. */
  readonly records: readonly [SourceRecord, DestinationRecord];
}

class Crash extends Error {}

/** A TEE of some pieces. */
export function contentOf(count: number): Piece[] {
  return Array.from({ length: count }, (_, index) => ({
    place: index * 4096,
    bytes: sha256(Uint8Array.of(index)),
  }));
}

/** Simulates one migration until nothing is under way any more. */
export function simulate(scenario: Scenario = {}): SimulationEnd {
  const { crashes = [Infinity, Infinity], away = RESTART, meddler = (bytes) => [bytes] } = scenario;
  const { features = ["CRC32", "LSE"], content = contentOf(40) } = scenario;
  const identity = (seed: number): AgentIdentity => ({
    ...{ cluster: sha256(Uint8Array.of(9)), measurement: sha256(Uint8Array.of(8)), timeout: TIMEOUT, seed },
  });
  let now = 0, order = 0;
  const queue: { time: number; order: number; act: () => void }[] = [];
  const at = (time: number, act: () => void): void => void queue.push({ time, order: order++, act });
  const steps: string[] = [], link: Uint8Array[] = [], wrong: string[] = [];
  const effects: [number, number] = [0, 0], hasCrashed = [false, false], sent = [0, 0], alarms = [0, 0];
  let source: SourceAgent | undefined, destination: DestinationAgent | undefined;
  let sourceRecord: SourceRecord = { epoch: 0, attempt: 0, phase: "running" };
  let destinationRecord: DestinationRecord = FRESH_DESTINATION;
  const tee = {
    here: { isThere: true, runs: true },
    there: { pieces: new Map<number, Uint8Array>(), isThere: false, runs: false },
  };

  const check = (): void => {
    const { phase } = sourceRecord, isGiven = phase === "committed" || phase === "finished";
    const copies = (isGiven ? 0 : 1) +
      (isGiven && ["prepared", "running"].includes(destinationRecord.phase) ? 1 : 0);
    if (copies !== 1) wrong.push(`${copies} runnable copies: ${phase}, ${destinationRecord.phase}`);
    if (tee.here.runs && tee.there.runs) wrong.push("two run");
  };
  /** An effect: the agent may crash before it. */
  const effect = (who: 0 | 1, act: () => void): void => {
    if (effects[who]++ >= crashes[who] && !hasCrashed[who]) throw new Crash();
    act();
    check();
  };
  const guarded = (who: 0 | 1, act: () => void): void => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      hasCrashed[who] = true;
      if (who === 0) source = undefined;
      else destination = undefined;
      alarms[who]!++;
      at(now + away, () => guarded(who, who === 0 ? startSource : startDestination));
    }
  };
  const common = (who: 0 | 1) => ({
    send: (bytes: Uint8Array) =>
      effect(who, () => {
        link.push(bytes);
        const number = sent[who]!++;
        for (const arriving of meddler(bytes, number, who === 0)) {
          at(now + LATENCY, () =>
            guarded((1 - who) as 0 | 1, () => (who === 0 ? destination : source)?.received(arriving)));
        }
      }),
    wait: (time: number | undefined) => {
      const alarm = ++alarms[who]!;
      if (time === undefined) return;
      at(now + time, () => {
        if (alarm === alarms[who]) guarded(who, () => (who === 0 ? source : destination)?.woken());
      });
    },
    tell: (step: MigrationStep) => effect(who, () => void steps.push(`${who === 0 ? "S" : "D"} ${step}`)),
  });
  const image: TeeImage = { count: content.length, piece: (index) => content[index]! };
  const sourceHost: SourceHost = {
    ...common(0),
    persist: (record) => effect(0, () => void (sourceRecord = record)),
    freeze: () =>
      effect(0, () => {
        at(now + 3, () =>
          guarded(0, () => {
            if (source?.record.phase !== "frozen") return;
            tee.here.runs = false;
            source.frozen(image);
          }));
      }),
    thaw: () =>
      effect(0, () => void (tee.here.isThere ? tee.here.runs = true : wrong.push("thawed what is gone"))),
    destroy: () => effect(0, () => void Object.assign(tee.here, { isThere: false, runs: false })),
  };
  const destinationHost: DestinationHost = {
    ...common(1),
    check: (policy) =>
      policy.features.every((name) => features.includes(name)) ? undefined : "it has not all features",
    persist: (record) => effect(1, () => void (destinationRecord = record)),
    create: () => effect(1, () => void (tee.there.isThere = true)),
    put: ({ place, bytes }) => {
      effect(1, () => void tee.there.pieces.set(place, bytes));
      return undefined;
    },
    resume: () =>
      effect(1, () => void (tee.there.isThere ? tee.there.runs = true : wrong.push("resumed nothing"))),
    destroy: () =>
      effect(1, () => void Object.assign(tee.there, { isThere: false, runs: false, pieces: new Map() })),
  };
  const startSource = (): void => void (source = new SourceAgent(sourceHost, identity(1), sourceRecord));
  const startDestination = (): void =>
    void (destination = new DestinationAgent(destinationHost, identity(2), destinationRecord));
  guarded(0, startSource);
  guarded(1, startDestination);
  guarded(0, () => void source?.begin(POLICY));
  for (let round = 0; queue.length > 0 && round < 2000; round++) {
    queue.sort((a, b) => a.time - b.time || a.order - b.order);
    const next = queue.shift()!;
    now = next.time;
    next.act();
  }
  if (queue.length > 0) wrong.push("it never ends");
  if (Number(tee.here.runs) + Number(tee.there.runs) !== 1) {
    wrong.push(`${tee.here.runs} and ${tee.there.runs} run at the end`);
  }
  const isWhole = content.every(({ place, bytes }) => tee.there.pieces.get(place)?.toHex() === bytes.toHex());
  if (tee.there.runs && !isWhole) wrong.push("what runs is not the TEE");
  const records = [sourceRecord, destinationRecord] as const;
  return { running: [tee.here.runs, tee.there.runs], steps, effects, link, wrong, records };
}
