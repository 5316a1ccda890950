/** Lets gdb look at a machine that runs: the port is open meanwhile, and the machine stands still while a client wants it to. */
import type { Machine } from "../../machine/machine.ts";
import { type DebugControl, LiveTarget } from "../gdb/live_target.ts";
import { RegisterFile } from "../gdb/registers.ts";
import { GdbSession } from "../gdb/session.ts";
import type { DebugRequest } from "../machine_request.ts";
import type { SymbolTable } from "../symbols.ts";
import type { Driven, DriveOptions } from "./drivable.ts";
import { GdbPort, serveClient } from "./gdb_server.ts";
import type { Host } from "./host.ts";
import { drive } from "./record_driver.ts";

/** A port at a machine that is going to run. */
export class LiveDebugging {
  readonly #ended = new AbortController();

  private constructor(
    private readonly request: DebugRequest,
    private readonly server: GdbPort,
    private readonly symbols: SymbolTable,
    private readonly host: Host,
  ) {
    const waits = request.startsHalted ? ", for which the machine waits" : "";
    this.#tell(`in gdb-multiarch, type: target remote 127.0.0.1:${server.port}${waits}`);
  }

  /** Opens the port that was asked for, if one was. Throws CommandError. */
  static open(
    request: DebugRequest | undefined,
    symbols: SymbolTable,
    host: Host,
  ): LiveDebugging | undefined {
    if (request === undefined) return undefined;
    return new LiveDebugging(request, GdbPort.open(request.port), symbols, host);
  }

  /** The terminal may be in raw mode. */
  #tell(text: string): void {
    this.host.stderr.write(`hindsight: ${text}\r\n`);
  }

  /** Lets `go` drive a machine, with clients at it. */
  async during(machine: Machine, go: (control: DebugControl) => Promise<Driven>): Promise<Driven> {
    const target = new LiveTarget(machine, this.request.startsHalted);
    const serving = this.#serve(target);
    try {
      const driven = await go(target);
      target.ended(driven.end.exitCode);
      // What the client has been waiting for goes out first.
      await this.host.breathe();
      return driven;
    } finally {
      this.#ended.abort();
      this.server.close();
      await serving;
    }
  }

  async #serve(target: LiveTarget): Promise<void> {
    const { symbols, host } = this;
    const registers = new RegisterFile(target.machine.board.cpus[0]!);
    const note = (text: string): void => this.#tell(text);
    for (;;) {
      const channel = await this.server.accept();
      if (channel === undefined) return;
      // As QEMU does: who connects finds the machine standing still, and leaves it running.
      target.halt();
      const sessionOf = (send: (bytes: Uint8Array) => void): GdbSession =>
        new GdbSession({ target, registers, symbols, send, note });
      await serveClient(channel, sessionOf, host, this.#ended.signal);
      target.release();
    }
  }
}

/** Drives a run, with a debugger at it where one was asked for; as `drive`. */
export function driveDebugged(debugging: LiveDebugging | undefined, options: DriveOptions): Promise<Driven> {
  if (debugging === undefined) return drive(options);
  return debugging.during(options.recorder.machine, (debug) => drive({ ...options, debug }));
}
