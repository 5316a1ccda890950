/** The ports of a machine in a world: what it sends on its links, and what it writes on its console. */
import { ConfigurationError } from "../machine/errors.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachineMemberOptions } from "./machine_options.ts";
import type { Sent } from "./member.ts";
import { SerialLine } from "./serial_line.ts";

const NO_BYTES = new Uint8Array(0);

/** Gathers what goes out until it is taken. */
export class MachinePorts {
  /** The console's line where it is a link. */
  readonly line: SerialLine | undefined;
  #sent: Sent[] = [];
  #console: number[] = [];

  /** `connect` must be called for each life's machine. */
  constructor(private readonly options: Pick<MachineMemberOptions, "name" | "ports">) {
    const serial = options.ports.find(({ carries }) => carries === "serial");
    this.line = serial && new SerialLine(serial.span);
  }

  /** Plugs the links in. Throws ConfigurationError for a port that the machine has not. */
  connect({ board }: Machine, start: number): void {
    const { name, ports } = this.options;
    const send = (port: string, bytes: Uint8Array): void =>
      void this.#sent.push({ port, time: start + board.clock.now, bytes: bytes.slice() });
    board.transmitted = (byte) => {
      this.#console.push(byte);
      this.line?.add(byte, start + board.clock.now);
    };
    const named = new Set(ports.filter(({ carries }) => carries === "message").map(({ port }) => port));
    board.messaged = (port, bytes) => {
      if (named.has(port)) send(port, bytes);
    };
    for (const { port } of ports.filter(({ carries }) => carries === "network")) {
      const cable = board.bridges.get(port);
      if (cable === undefined) {
        const there = [...board.bridges.keys()].join(", ") || "none";
        throw new ConfigurationError(
          `Node "${name}" has no network "${port}" that leads out of it: there are ${there} (-netdev link,id=${port})`,
        );
      }
      cable.carried = (frame) => send(port, frame);
    }
  }

  /** The line's messages up to a time of the world are sent. */
  gather(until: number): void {
    for (const { time, bytes } of this.line?.take(until) ?? []) {
      this.#sent.push({ port: "console", time, bytes });
    }
  }

  /** All that was sent and written since this was asked last. */
  take(): { readonly sent: readonly Sent[]; readonly console: Uint8Array } {
    const sent = this.#sent;
    const console = this.#console.length === 0 ? NO_BYTES : Uint8Array.from(this.#console);
    this.#sent = [];
    this.#console = [];
    return { sent, console };
  }
}
