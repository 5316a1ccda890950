/** A client of the Debug Adapter Protocol without a process, at small recorded runs. */
import { DapSession, type OpenedTimeline } from "../../../cli/dap/session.ts";
import { encodeMessage, MessageReader } from "../../../cli/dap/framing.ts";
import { CommandError } from "../../../cli/errors.ts";
import { SymbolTable } from "../../../cli/symbols.ts";
import { Timeline } from "../../../journal/timeline.ts";
import type { Program } from "../../../machine/a64/program.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { flatGuest, recordGuest } from "../../journal/guest.ts";

/** A message of the adapter. */
export interface Message {
  readonly type: "response" | "event";
  readonly seq: number;
  readonly event?: string;
  readonly command?: string;
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly message?: string;
  // deno-lint-ignore no-explicit-any
  readonly body?: any;
}

/** The names of a program. */
export function symbolsOf({ symbols }: Program): SymbolTable {
  return new SymbolTable([...symbols].map(([name, address]) => ({ name, address, size: 0n, rank: 0 })));
}

/** Records a program; what opens it as often as one likes. */
export function recorded(source: string, machine?: ConfigurationInput): () => OpenedTimeline {
  const guest = flatGuest(source), { run } = recordGuest(guest, machine === undefined ? {} : { machine });
  const symbols = symbolsOf(guest.program);
  return () => ({
    timeline: new Timeline(run, guest.images, { engine: "threaded" }),
    symbols,
    greeting: "a run\n",
  });
}

/** Talks to a session. */
export class Client {
  readonly session: DapSession;
  readonly #reader = new MessageReader();
  /** All messages so far. */
  received: Message[] = [];
  /** What the adapter told its own operator. */
  readonly notes: string[] = [];
  #seq = 0;
  #now = 0;

  /** Opens "run" as what is given; other paths are not there. Time passes when it is looked at, or by `now`. */
  constructor(open: () => OpenedTimeline, now?: () => number) {
    this.session = new DapSession({
      open: ({ run }) => {
        if (run !== "run") throw new CommandError(`Cannot open "${run}"`);
        return open();
      },
      send: (bytes) => {
        for (const incoming of this.#reader.push(bytes)) {
          if (incoming.kind !== "message") throw new Error(incoming.reason);
          this.received.push(incoming.value as Message);
        }
      },
      note: (text) => void this.notes.push(text),
      now: now ?? (() => this.#now += 100),
    });
  }

  /** Sends a request and gives the answer; what it began is not worked on. */
  send(command: string, args?: object): Message {
    const seq = ++this.#seq;
    this.session.receive(encodeMessage({ seq, type: "request", command, arguments: args }));
    const answer = this.received.findLast(({ request_seq }) => request_seq === seq);
    if (answer === undefined) throw new Error(`${command} was not answered`);
    return answer;
  }

  /** The body of an answer that has to be a success. */
  // deno-lint-ignore no-explicit-any
  ask(command: string, args?: object): any {
    const { success, message, body } = this.send(command, args);
    if (success !== true) throw new Error(`${command}: ${message}`);
    return body;
  }

  /** The message of an answer that has to be a failure. */
  refused(command: string, args?: object): string {
    const { success, message } = this.send(command, args);
    if (success !== false || message === undefined) throw new Error(`${command} was not refused`);
    return message;
  }

  /** Lets the session work until it stops; the body of its `stopped` event. */
  // deno-lint-ignore no-explicit-any
  stop(): any {
    const from = this.received.length;
    while (this.session.isBusy) this.session.advance();
    const stopped = this.received.slice(Math.max(0, from - 2)).findLast(({ event }) => event === "stopped");
    if (stopped === undefined) throw new Error("It did not stop");
    return stopped.body;
  }

  /** Sends a request that lets the machine move, and gives where it stopped. */
  // deno-lint-ignore no-explicit-any
  go(command: string, args: object = { threadId: 1 }): any {
    this.ask(command, args);
    return this.stop();
  }

  /** Launches, and stands at `stopAt`. */
  launch(stopAt?: number | string): this {
    this.ask("initialize", { linesStartAt1: true, supportsProgressReporting: true });
    this.ask("launch", { run: "run", ...(stopAt === undefined ? {} : { stopAt }) });
    this.go("configurationDone", {});
    return this;
  }

  /** An expression's value. */
  evaluate(expression: string, context = "watch"): string {
    return this.ask("evaluate", { expression, context }).result;
  }

  /** The instant it is at. */
  get instant(): number {
    return this.ask("hindsight/where").instant;
  }

  /** The names of the frames of a thread. */
  stack(threadId = 1): string[] {
    return this.ask("stackTrace", { threadId }).stackFrames.map(({ name }: { name: string }) => name);
  }
}
