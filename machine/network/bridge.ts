/** A network whose other end is outside: frames from there are inputs, frames to there are events. */
import type { EventHub } from "../events.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import { type CableEnd, FRAME_SIZE_MAX, FRAME_SIZE_MIN, type Network, type NetworkCard } from "./network.ts";

const layout = sectionLayout("network-bridge", 1, {});

/** A cable out of the machine; it keeps nothing. */
export class NetworkBridge implements Network, CableEnd {
  /** `-netdev id=`. */
  readonly name: string;
  readonly #events: EventHub;
  #card: NetworkCard | undefined;
  /** Carries frames from the card on; for whoever connects machines. The frame is good during the call only. */
  carried: (frame: Uint8Array) => void = () => {};

  /** A bridge without a card. */
  constructor({ name, events }: { readonly name: string; readonly events: EventHub }) {
    this.name = name;
    this.#events = events;
  }

  /** Plugs the card in. */
  connect(card: NetworkCard): void {
    this.#card = card;
  }

  /** A frame from the card: whoever listens carries it out. */
  transmit(frame: Uint8Array): void {
    this.carried(frame);
    this.#events.emit("networkFrameTransmitted", 0, { network: this.name, bytes: frame });
  }

  /** A frame from outside; one that is no Ethernet frame by its size is lost, and one without a card. */
  deliver(frame: Uint8Array): void {
    if (frame.length >= FRAME_SIZE_MIN && frame.length <= FRAME_SIZE_MAX) this.#card?.receive(frame);
  }

  /** There is no state. */
  reset(): void {}

  /** An empty section. */
  save(): Section {
    return layout.encode(this.name, {});
  }

  /** Checks that the section is a bridge's. */
  restore(section: Section): void {
    layout.decode(section);
  }
}
