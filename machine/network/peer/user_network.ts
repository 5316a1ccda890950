/** `-netdev user`: a network inside the machine, whose frames follow from the guest's frames and virtual time alone. */
import type { Alarm, Clock } from "../../clock.ts";
import type { EventHub } from "../../events.ts";
import { bytes, listOf, record, u53, type ValueOf } from "../../layout.ts";
import { type Section, sectionLayout } from "../../snapshot.ts";
import { FRAME_SIZE_MAX, type Network, type NetworkCard } from "../network.ts";
import { PeerFiles, type ServedFile } from "./files.ts";
import { FRAME_OVERHEAD, FRAME_SIZE_MIN, LATENCY, NANOSECONDS_PER_BYTE, PENDING_MAX } from "./limits.ts";
import { PeerProtocols, protocolFields } from "./protocols.ts";

/** What the network is made of. */
export interface UserNetworkOptions {
  /** `id=`. */
  readonly name: string;
  /** What TFTP and HTTP serve. */
  readonly files: readonly ServedFile[];
  /** What DHCP tells clients to load. */
  readonly bootFile: string | undefined;
  /** Virtual time. */
  readonly clock: Clock;
  /** Where frames are told of. */
  readonly events: EventHub;
}

/** A frame on its way to the guest, and when its last bit is there. */
const pendingFrame = { due: u53, bytes: bytes(FRAME_SIZE_MAX) };

const layout = sectionLayout("user network", 1, {
  /** Frames on their way, in the order in which they arrive. */
  pending: listOf(record(pendingFrame), PENDING_MAX),
  ...protocolFields,
});

/** The cable and the peer at its other end. */
export class UserNetwork implements Network {
  /** Name of the network and of its section. */
  readonly name: string;
  readonly #clock: Clock;
  readonly #events: EventHub;
  readonly #protocols: PeerProtocols;
  readonly #alarm: Alarm;
  #card: NetworkCard | undefined;
  #pending: ValueOf<typeof pendingFrame>[] = [];

  /** Throws ConfigurationError when two files have one path. */
  constructor({ name, files, bootFile, clock, events }: UserNetworkOptions) {
    this.name = name;
    this.#clock = clock;
    this.#events = events;
    this.#protocols = new PeerProtocols(new PeerFiles(files), bootFile);
    this.#alarm = clock.alarm(name, () => this.#serve());
  }

  /** Plugs the card in. */
  connect(card: NetworkCard): void {
    this.#card = card;
  }

  /** Takes a frame from the card; one that is longer than the cable carries is nowhere. */
  transmit(frame: Uint8Array): void {
    if (frame.length > FRAME_SIZE_MAX) return;
    const copy = frame.slice();
    this.#events.emit("networkFrameTransmitted", 0, { network: this.name, bytes: copy });
    this.#send(this.#protocols.receive(copy, this.#clock.now));
    this.#setAlarm();
  }

  /** Puts frames on the wire, one behind the other; the first needs LATENCY before it is there. */
  #send(frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      if (this.#pending.length === PENDING_MAX) return;
      const size = Math.max(frame.length, FRAME_SIZE_MIN) + FRAME_OVERHEAD;
      const start = Math.max(this.#clock.now + LATENCY, this.#pending.at(-1)?.due ?? 0);
      this.#pending.push({ due: start + size * NANOSECONDS_PER_BYTE, bytes: frame });
    }
  }

  #setAlarm(): void {
    const deadline = Math.min(this.#pending[0]?.due ?? Infinity, this.#protocols.deadline);
    if (deadline !== this.#alarm.deadline) this.#alarm.set(deadline);
  }

  /** Something is due: frames arrive first, then what was waited for too long is sent again. */
  #serve(): void {
    const now = this.#clock.now;
    const count = this.#pending.findIndex(({ due }) => due > now);
    const arrived = this.#pending.splice(0, count < 0 ? this.#pending.length : count);
    for (const { bytes } of arrived) {
      this.#events.emit("networkFrameDelivered", 0, { network: this.name, bytes });
      this.#card?.receive(bytes);
    }
    this.#send(this.#protocols.expire(this.#clock.now));
    this.#setAlarm();
  }

  /** Nothing on the wire, and nobody known. */
  reset(): void {
    this.#pending = [];
    this.#protocols.reset();
    this.#alarm.clear();
  }

  /** Frames on the wire, leases, transfers and connections. */
  save(): Section {
    return layout.encode(this.name, { pending: this.#pending, ...this.#protocols.state });
  }

  /** Restores what `save` gave; throws RangeError when it is of another network. */
  restore(section: Section): void {
    const { pending, ...state } = layout.decode(section);
    this.#pending = pending;
    this.#protocols.state = state;
    this.#setAlarm();
  }
}
