/** Bridges: frames of `-netdev dgram` and `socket` go in and out of the process as datagrams of UDP, one frame each. */
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { EventObserver, Input, MachineEvent } from "../../machine/events.ts";
import { FRAME_SIZE_MAX, FRAME_SIZE_MIN } from "../../machine/network/network.ts";
import { CommandError } from "../errors.ts";
import type { NetworkRequest, UdpAddress } from "../machine_request.ts";
import { reasonOf } from "./file_source.ts";

/** A network whose frames come from outside, with its addresses. */
export type BridgeRequest = NetworkRequest & { readonly kind: "bridge" };

/** Frames kept while the machine is busy; more are dropped, as a full receiver drops them. */
const MOST_WAITING = 256;

const text = ({ host, port }: UdpAddress): string => isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

/** Throws CommandError naming the permission that is missing, before anybody is asked for it. */
function refuseWithoutPermission({ id, local, remote }: BridgeRequest): void {
  const addresses = [local, remote].map(text);
  const missing = addresses.filter((host) =>
    Deno.permissions.querySync({ name: "net", host }).state !== "granted"
  );
  if (missing.length === 0) return;
  throw new CommandError(
    `Cannot bridge network "${id}": Deno was not given permission; run with --allow-net=${
      addresses.join(",")
    }`,
  );
}

/** One bridge's socket. */
class Bridge {
  readonly #socket: Socket;
  readonly #sending = new Set<Promise<void>>();
  #isOpen = false;

  constructor(private readonly request: BridgeRequest, onFrame: (bytes: Uint8Array) => void) {
    this.#socket = createSocket(isIPv6(request.local.host) ? "udp6" : "udp4");
    this.#socket.on("message", (bytes: Uint8Array) => {
      // What is no frame of Ethernet by its size is lost on the way, and no input.
      if (bytes.length >= FRAME_SIZE_MIN && bytes.length <= FRAME_SIZE_MAX) onFrame(Uint8Array.from(bytes));
    });
  }

  /** Resolves with the port bound. Rejects with CommandError. */
  async open(): Promise<number> {
    const { id, local } = this.request;
    const bound = Promise.withResolvers<void>();
    this.#socket.once("error", bound.reject);
    this.#socket.once("listening", bound.resolve);
    try {
      this.#socket.bind(local.port, local.host);
      await bound.promise;
    } catch (error) {
      const code = (error as { code?: string }).code;
      const isTaken = code === "EADDRINUSE" || error instanceof Deno.errors.AddrInUse;
      const reason = isTaken ? "the address is in use" : reasonOf(error);
      throw new CommandError(`Cannot bridge network "${id}" at ${text(local)}: ${reason}`);
    }
    this.#isOpen = true;
    this.#socket.removeListener("error", bound.reject);
    // A datagram that found nobody is a frame lost, and no error.
    this.#socket.on("error", () => {});
    return this.#socket.address().port;
  }

  send(bytes: Uint8Array): void {
    const { remote } = this.request;
    const sent = Promise.withResolvers<void>();
    this.#sending.add(sent.promise);
    this.#socket.send(Buffer.from(bytes), remote.port, remote.host, () => {
      this.#sending.delete(sent.promise);
      sent.resolve();
    });
  }

  /** Lets what was sent go out first. */
  async close(): Promise<void> {
    await Promise.all(this.#sending);
    if (this.#isOpen) this.#socket.close();
  }
}

/** The bridges of a run. */
export class UdpBridges implements EventObserver {
  /** Frames are details. */
  readonly classes = ["detail"] as const;
  readonly #bridges = new Map<string, Bridge>();
  #waiting: Input[] = [];
  #onFrame: () => void = () => {};
  /** Ports bound, by network; known when they are open. */
  readonly ports: Map<string, number> = new Map();
  /** Frames dropped because the machine did not take them in time. */
  dropped = 0;

  private constructor() {}

  /** Opens sockets for the bridges among networks; undefined when there are none. Rejects with CommandError. */
  static async open(networks: readonly NetworkRequest[]): Promise<UdpBridges | undefined> {
    const requests = networks.filter((network) => network.kind === "bridge");
    if (requests.length === 0) return undefined;
    for (const request of requests) refuseWithoutPermission(request);
    const bridges = new UdpBridges();
    try {
      for (const request of requests) {
        const bridge = new Bridge(request, (bytes) => bridges.#received(request.id, bytes));
        bridges.#bridges.set(request.id, bridge);
        bridges.ports.set(request.id, await bridge.open());
      }
    } catch (error) {
      await bridges.close();
      throw error;
    }
    return bridges;
  }

  #received(network: string, bytes: Uint8Array): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.dropped++;
      return;
    }
    this.#waiting.push({ kind: "networkFrameReceived", network, bytes });
    this.#onFrame();
  }

  /** Calls `listener` when a frame has come. */
  listen(listener: () => void): void {
    this.#onFrame = listener;
    if (this.#waiting.length > 0) listener();
  }

  /** Takes the frames that have come. */
  take(): Input[] {
    return this.#waiting.splice(0);
  }

  /** Carries out the frames that the machine transmits. */
  observe(event: MachineEvent): void {
    if (event.kind === "networkFrameTransmitted") this.#bridges.get(event.network)?.send(event.bytes);
  }

  /** Closes the sockets when all frames are out. */
  async close(): Promise<void> {
    for (const bridge of this.#bridges.values()) await bridge.close();
  }
}
