/** Asynchronous events of an NVMe controller and the requests that wait for them (NVM Express 1.4, section 5.2). */
import { type FieldKind, listOf, record, u16, u32, u8, type ValueOf } from "../../layout.ts";
import { ended, type Outcome } from "./command.ts";
import { EVENT_REQUESTS } from "./identify.ts";
import { STATUS } from "./status.ts";

/** Events that wait for a request; what comes when there are so many is lost. */
const EVENTS = 64;

const fields = {
  /** Identifiers of commands that wait. */
  requests: listOf(u16, EVENT_REQUESTS),
  /** Dword 0 of completions to come. */
  events: listOf(u32, EVENTS),
  /** Types that were told of, by bit: their log page has to be read first. */
  masked: u8,
};

/** What is state. */
export type EventState = ValueOf<typeof fields>;

/** Fields of the section. */
export const eventFields: FieldKind<EventState> = record(fields);

/** An error of the driver that no command is to blame for. */
export const DOORBELL_ERROR = { register: 0, value: 1 } as const;

/** Types of events. */
const ERROR = 0;
/** The log page that tells more of an error. */
const ERROR_PAGE = 1;

/** Requests and events. */
export class EventRequests {
  /** What is state. */
  state: EventState = { requests: [], events: [], masked: 0 };

  /** Back to nothing. */
  reset(): void {
    this.state = { requests: [], events: [], masked: 0 };
  }

  /** Asynchronous Event Request: it waits, unless there are too many. */
  request(identifier: number): Outcome | undefined {
    if (this.state.requests.length >= EVENT_REQUESTS) return ended(STATUS.eventLimitExceeded);
    this.state.requests.push(identifier);
    return undefined;
  }

  /** The driver wrote to a doorbell what it may not; told to a driver that wants to know. */
  doorbell(kind: keyof typeof DOORBELL_ERROR): void {
    // An event that is due has taken its request already.
    const waiting = this.state.requests.length - (this.isDue ? 1 : 0);
    if (waiting === 0 || this.state.events.length >= EVENTS) return;
    this.state.events.push(ERROR | (DOORBELL_ERROR[kind] << 8) | (ERROR_PAGE << 16));
  }

  /** The log page of errors was read: the next that waits is told of. */
  errorsRead(): void {
    this.state.masked &= ~(1 << ERROR);
  }

  /** An event can be told of now. */
  get isDue(): boolean {
    return this.#next >= 0 && this.state.requests.length > 0;
  }

  get #next(): number {
    return this.state.events.findIndex((event) => ((this.state.masked >>> (event & 7)) & 1) === 0);
  }

  /** The next event and the command that it ends; only when one is due. */
  take(): { readonly identifier: number; readonly outcome: Outcome } {
    const [event] = this.state.events.splice(this.#next, 1) as [number];
    this.state.masked |= 1 << (event & 7);
    return { identifier: this.state.requests.pop() as number, outcome: ended(STATUS.success, event) };
  }
}
