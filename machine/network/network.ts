/** A network as the interface card in front of it sees it. */
import type { Section } from "../snapshot.ts";

/** Bytes of the longest frame: Ethernet II without its check sequence, an MTU of 1500. */
export const FRAME_SIZE_MAX = 1514;

/** Bytes of the shortest frame: its header; cards do not pad what is shorter than the 60 bytes of a real wire. */
export const FRAME_SIZE_MIN = 14;

/** The card's side: takes frames from the network. */
export interface NetworkCard {
  /** A frame arrives; a card that has no room for it drops it. */
  receive(frame: Uint8Array): void;
}

/** The other end of a cable that leads out of the machine. */
export interface CableEnd {
  /** Carries frames from the card on; for whoever connects machines. The frame is good during the call only. */
  carried: (frame: Uint8Array) => void;
  /** A frame from outside; one that is no Ethernet frame by its size is lost, and one without a card. */
  deliver(frame: Uint8Array): void;
}

/** A network: what is at the other end of the cable. */
export interface Network {
  /** `-netdev id=`; also the name of its section and in events. */
  readonly name: string;
  /** Plugs the card in; a network has one. */
  connect(card: NetworkCard): void;
  /** A frame from the card. */
  transmit(frame: Uint8Array): void;
  /** Power-on state. */
  reset(): void;
  /** The state as a named, versioned section. */
  save(): Section;
  /** Restores what `save` gave. */
  restore(section: Section): void;
}
