/** The debug channels of all CPUs as consoles: the registers that reach them, and what the host types. */
import type { EventHub } from "../../../machine/events.ts";
import { InputRefusedError } from "../../../machine/errors.ts";
import type { TrappedRegister } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { type ChannelState, DebugChannel, RXFULL, TXFULL } from "./debug_channel.ts";

/** OSLSR_EL1.OSLK. */
const OSLK = 2n;

const USAGE = "use send CPU TEXT, with \\r, \\n, \\\\ and \\xHH in the text";

const ESCAPES: Readonly<Record<string, number>> = { r: 13, n: 10, "\\": 92 };

/** The characters of a text; undefined when it is none. */
function charactersOf(text: string): number[] | undefined {
  const found = [...text.matchAll(/\\x([0-9a-f]{2})|\\(.?)|[\x20-\x7e]|(.)/gsi)];
  const characters = found.map(([whole, hex, escape, strange]) => {
    if (hex !== undefined) return Number.parseInt(hex, 16);
    if (strange !== undefined) return -1;
    return escape === undefined ? whole.charCodeAt(0) : ESCAPES[escape] ?? -1;
  });
  return characters.includes(-1) ? undefined : characters;
}

/** The consoles of a guest. */
export class DebugConsoles {
  readonly #channels: readonly DebugChannel[];
  /** The registers, but for MDSCR_EL1. */
  readonly registers: readonly TrappedRegister[];

  /** Each line of a guest is an event. */
  constructor(cpus: number, events: EventHub) {
    this.#channels = Array.from(
      { length: cpus },
      (_, cpu) => new DebugChannel((text) => events.emit("debugLineLogged", cpu, { text })),
    );
    const of = ({ index }: Vcpu) => this.#channels[index] as DebugChannel;
    this.registers = [
      { name: "MDCCSR_EL0", read: (vcpu) => of(vcpu).status },
      {
        name: "DBGDTR_EL0",
        read: (vcpu) => of(vcpu).receiveBoth(),
        write: (vcpu, value) => of(vcpu).sendBoth(value),
      },
      {
        name: "DBGDTRRX_EL0",
        read: (vcpu) => of(vcpu).receive(),
        write: (vcpu, value) => of(vcpu).send(value),
      },
      {
        name: "OSDTRRX_EL1",
        read: (vcpu) => of(vcpu).receivedWord,
        write: (vcpu, value) => (of(vcpu).receivedWord = value),
      },
      {
        name: "OSDTRTX_EL1",
        read: (vcpu) => of(vcpu).sentWord,
        write: (vcpu, value) => (of(vcpu).sentWord = value),
      },
    ];
  }

  /** MDSCR_EL1 as it is read: the channel's status in place of what was written. */
  control({ index }: Vcpu, value: bigint): bigint {
    return value & ~(RXFULL | TXFULL) | (this.#channels[index] as DebugChannel).status;
  }

  /** MDSCR_EL1 is written, which under the OS lock restores the status. */
  written(vcpu: Vcpu, value: bigint): void {
    if ((vcpu.get("OSLSR_EL1") & OSLK) === 0n) return;
    (this.#channels[vcpu.index] as DebugChannel).restoreStatus(value);
  }

  /** MDCCSR_EL0. */
  status({ index }: Vcpu): bigint {
    return (this.#channels[index] as DebugChannel).status;
  }

  reset(): void {
    for (const channel of this.#channels) channel.reset();
  }

  /** A CPU starts. */
  started({ index }: Vcpu): void {
    this.#channels[index]?.reset();
  }

  /** Checks `send CPU TEXT`; throws InputRefusedError, or returns what does it. */
  prepare([name, cpu = "", ...words]: readonly string[]): () => void {
    const refuse = (why: string) => new InputRefusedError(`Cannot send to a debug channel: ${why}`);
    if (name !== "send") throw refuse(`there is no command "${name ?? ""}"; ${USAGE}`);
    const channel = /^\d$/.test(cpu) ? this.#channels[Number(cpu)] : undefined;
    if (channel === undefined) throw refuse(`there is no CPU "${cpu}"; ${USAGE}`);
    const characters = charactersOf(words.join(" "));
    if (characters === undefined || characters.length === 0) throw refuse(`"${words.join(" ")}"; ${USAGE}`);
    if (characters.length > channel.room()) throw refuse(`it has room for ${channel.room()} characters`);
    return () => channel.type(characters);
  }

  get state(): ChannelState[] {
    return this.#channels.map(({ state }) => state);
  }
  set state(channels: readonly ChannelState[]) {
    if (channels.length !== this.#channels.length) {
      throw new RangeError(
        `Cannot restore ${channels.length} debug channels: there are ${this.#channels.length}`,
      );
    }
    for (const [index, channel] of this.#channels.entries()) channel.state = channels[index] as ChannelState;
  }
}
