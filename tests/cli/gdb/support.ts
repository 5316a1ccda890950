/** A client of the GDB remote protocol without a socket, at a small recorded run. */
import { RegisterFile } from "../../../cli/gdb/registers.ts";
import { encodePacket, PacketReader, toHex } from "../../../machine/debugger_packets.ts";
import { GdbSession } from "../../../cli/gdb/session.ts";
import type { GdbTarget } from "../../../cli/gdb/target.ts";
import { TimelineTarget } from "../../../cli/gdb/timeline_target.ts";
import { SymbolTable } from "../../../cli/symbols.ts";
import { Timeline } from "../../../journal/timeline.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { counterGuest, recordGuest } from "../../journal/guest.ts";

/** What gdb 13 says of itself. */
export const GDB_13 =
  "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;QThreadEvents+;no-resumed+;xmlRegisters=i386";
/** And what gdb 15 and later add. */
export const GDB_15 = `${GDB_13};error-message+`;

/** The names of a program. */
export function symbolsOf({ symbols }: Program): SymbolTable {
  return new SymbolTable([...symbols].map(([name, address]) => ({ name, address, size: 0n, rank: 0 })));
}

/** Talks to a session, packet by packet. */
export class Client {
  readonly session: GdbSession;
  readonly #reader = new PacketReader();
  /** Payloads that came, in order; acknowledgements as `+` and `-`. */
  received: string[] = [];
  /** What the server told its own operator. */
  notes: string[] = [];

  constructor(target: GdbTarget, symbols: SymbolTable = new SymbolTable([])) {
    this.session = new GdbSession({
      target,
      registers: new RegisterFile(target.machine.board.cpus[0]!),
      symbols,
      send: (bytes) => this.#take(bytes),
      note: (text) => void this.notes.push(text),
    });
  }

  #take(bytes: Uint8Array): void {
    for (const incoming of this.#reader.push(bytes)) {
      if (incoming.kind === "packet") this.received.push(incoming.payload);
      else {this.received.push(
          { acknowledged: "+", refused: "-", damaged: "?", interrupt: "^C" }[incoming.kind],
        );}
    }
  }

  /** Sends a packet, lets the session work until it has answered, and gives all payloads that came. */
  all(payload: string): string[] {
    this.received = [];
    if (this.session.acknowledges) this.session.receive(Uint8Array.of(0x2b));
    this.session.receive(encodePacket(payload));
    while (this.session.isBusy) this.session.advance();
    return this.received.filter((text) => text !== "+");
  }

  /** The same, for the one answer. */
  ask(payload: string): string {
    return this.all(payload).at(-1) ?? "";
  }

  /** What a `monitor` command writes. */
  monitor(command: string): string {
    const texts = this.all(`qRcmd,${toHex(command)}`).filter((text) => text !== "OK");
    return texts.map((text) => new TextDecoder().decode(Uint8Array.fromHex(text.slice(1)))).join("");
  }

  /** A register's value by its name. */
  register(name: string): bigint {
    const number = this.session.registers.registers.findIndex((row) => row.name === name);
    const digits = this.ask(`p${number.toString(16)}`).match(/../g)!.reverse().join("");
    return BigInt(`0x${digits}`);
  }
}

/** The counter guest's run, recorded once for all tests. */
export const GUEST = counterGuest(20);
let recording: ReturnType<typeof recordGuest> | undefined;

/** The run of the counter guest: two CPUs. */
export function counterRun(): ReturnType<typeof recordGuest> {
  return recording ??= recordGuest(GUEST);
}

/** A client at its beginning, past the greetings. */
export function counterClient(greeting: string = GDB_13): Client {
  const timeline = new Timeline(counterRun().run, GUEST.images, { engine: "threaded" });
  const client = new Client(new TimelineTarget(timeline, () => 0), symbolsOf(GUEST.program));
  client.ask(greeting);
  client.ask("QStartNoAckMode");
  return client;
}

/** The hexadecimal address of a label of the guest. */
export function label(name: string): string {
  const address = GUEST.program.symbols.get(name);
  if (address === undefined) throw new RangeError(`The guest has no label ${name}`);
  return address.toString(16);
}
