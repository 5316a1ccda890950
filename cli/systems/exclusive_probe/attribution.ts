/** Why each of the probe's stores did what it did: the one event that closed its monitor, and the exception behind that. */
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import type { MachineOptions } from "../../../machine/machine.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { EL0_ALIAS } from "../../../firmware/exclusive_probe/bare.ts";
import { operationsOf, type ProbeOptions } from "../../../firmware/exclusive_probe/probe.ts";
import { operationName } from "../../../firmware/exclusive_probe/operations.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import type { Recorded } from "../scenario.ts";

/** What a store of the probe came to. */
export interface AttributedStore {
  /** The operation between the pair. */
  readonly operation: string;
  /** Its step. */
  readonly instant: number;
  /** What the store gave: 1 where it failed. */
  readonly status: number;
  /** Events that closed the monitor since the load-exclusive: there is to be exactly one. */
  readonly cleared: readonly EventOf<"exclusiveCleared">[];
  /** The exception from which the return was that closed the monitor. */
  readonly exception: EventOf<"exceptionTaken"> | undefined;
  /** In a few words: `stored`, `trap to EL2`, `interrupt`, `other CPU`, `UNDEFINED`. */
  readonly cause: string;
}

/** The register with a store's status. */
const STATUS_REGISTER = 2;
const EC_TRAPPED = 0x18n, EC_UNKNOWN = 0n;

/** Which of the probe's instructions are where. */
export class ProbeMap {
  readonly #stores = new Map<bigint, number>();
  readonly #operations = new Map<bigint, number>();
  readonly #names: readonly string[];

  /** The probe made with these options. */
  constructor(program: Program, options: ProbeOptions) {
    this.#names = operationsOf(options).map(operationName);
    for (const index of this.#names.keys()) {
      for (const alias of [0n, EL0_ALIAS]) {
        this.#operations.set(program.symbols.get(`operation${index}`)! + alias, index);
        this.#stores.set(program.symbols.get(`store${index}`)! + alias, index);
      }
    }
  }

  /** Whether an operation is at an address. */
  isOperation(pc: bigint): boolean {
    return this.#operations.has(pc);
  }

  /** Whether what is at an address comes with the monitor open: an operation or a store. */
  isInPair(pc: bigint): boolean {
    return this.#operations.has(pc) || this.#stores.has(pc);
  }

  /** The operation of a store at an address. */
  storeOf(pc: bigint): string | undefined {
    const index = this.#stores.get(pc);
    return index === undefined ? undefined : this.#names[index];
  }
}

function causeOf(
  reason: string | undefined,
  exception: EventOf<"exceptionTaken"> | undefined,
  map: ProbeMap,
): string {
  if (reason === "storeExclusive") return "stored";
  if (reason === "otherStore") return "other CPU";
  if (reason !== "exceptionReturn" || exception === undefined) return `unexplained (${reason ?? "no event"})`;
  if (exception.exception !== "synchronous") return "interrupt";
  const ec = exception.syndrome >> 26n;
  if (!map.isOperation(exception.returnAddress)) {
    return `unexplained (ESR 0x${exception.syndrome.toString(16)})`;
  }
  if (ec === EC_TRAPPED) return `trap to EL${exception.to}`;
  return ec === EC_UNKNOWN ? "UNDEFINED" : `unexplained (EC 0x${ec.toString(16)})`;
}

/** Follows one CPU through its pairs. */
class Follower {
  readonly stores: AttributedStore[] = [];
  #cleared: EventOf<"exclusiveCleared">[] = [];
  #exception: EventOf<"exceptionTaken"> | undefined;
  /** The exception whose return closed the monitor. */
  #closing: EventOf<"exceptionTaken"> | undefined;
  #isOpen = false;

  constructor(private readonly map: ProbeMap) {}

  take(event: MachineEvent): void {
    if (event.cpu !== 0) return;
    if (event.kind === "exclusiveSet") {
      this.#cleared = [];
      this.#exception = this.#closing = undefined;
      this.#isOpen = true;
    } else if (event.kind === "exceptionTaken") this.#exception = event;
    else if (event.kind === "exclusiveCleared") {
      if (this.#isOpen) this.#closing = this.#exception;
      this.#cleared.push(event);
      this.#isOpen = false;
    } else if (event.kind === "stepRetired") this.#step(event);
  }

  #step({ pc, instant, registers }: EventOf<"stepRetired">): void {
    const operation = this.map.storeOf(pc);
    const effect = registers.find(({ register }) => register === STATUS_REGISTER);
    // Without an effect it was an interrupt that was taken there, or a fault.
    if (operation === undefined || effect === undefined) return;
    const cause = causeOf(this.#cleared.at(-1)?.reason, this.#closing, this.map);
    const { value } = effect, cleared = this.#cleared, exception = this.#closing;
    this.stores.push({ operation, instant, status: Number(value), cleared, exception, cause });
    this.#cleared = [];
  }
}

/** Every store of the probe in a run, from an instant on. Throws what replaying throws. */
export function attributedStores(
  { run, images }: Pick<Recorded, "run" | "images">,
  program: Program,
  guest: ProbeOptions,
  options: MachineOptions,
  from = 0,
): AttributedStore[] {
  const follower = new Follower(new ProbeMap(program, guest));
  const classes = ["trap", "detail", "step"] as const;
  for (const event of eventStream(run, images, { from, classes }, { ...options, checkEvents: false })) {
    follower.take(event);
  }
  return follower.stores;
}

/** What is wrong with an explanation: not one event, one that does not fit the status, or no exception behind it. */
export function unexplained(stores: readonly AttributedStore[]): string[] {
  return stores.flatMap(({ operation, instant, status, cleared, cause }) => {
    const place = `${operation}, store at instant ${instant}`;
    if (cleared.length !== 1) return [`${place}: ${cleared.length} events closed the monitor, not one`];
    if ((status === 0) !== (cause === "stored")) {
      return [`${place}: its status is ${status}, its cause ${cause}`];
    }
    return cause.startsWith("unexplained") ? [`${place}: ${cause}`] : [];
  });
}
