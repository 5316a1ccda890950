/**
 * The keys that switch consoles: Ctrl-G, Ctrl-B, then one that names a console. Everything else goes through, late where it
 * began like them: the prefix twice is one prefix for the guest, and a prefix without more goes through after a while.
 */
import { oneOf } from "../../../machine/layout.ts";
import type { FieldKind } from "../../../machine/layout.ts";

const CONTROL_G = 0x07, CONTROL_B = 0x02;

/** The bytes that were held back so far. */
const STATES = {
  none: [],
  g: [CONTROL_G],
  gb: [CONTROL_G, CONTROL_B],
  gbg: [CONTROL_G, CONTROL_B, CONTROL_G],
} as const;
type State = keyof typeof STATES;

/** The layout of the state in a section. */
export const escapeFields: FieldKind<State> = oneOf("none", "g", "gb", "gbg");

/** What became of bytes: they go to the console that is shown, or a key asks for another. */
export type KeyOutcome = { readonly kind: "pass"; readonly bytes: readonly number[] } | {
  readonly kind: "switch";
  readonly key: string;
};

/** Takes bytes one by one. */
export class EscapeKeys {
  #state: State = "none";

  /** `keys` are those that name a console. */
  constructor(private readonly keys: readonly string[]) {}

  /** Something is held back, that `expire` lets go. */
  get isPartial(): boolean {
    return this.#state !== "none";
  }

  /** Takes a byte; what follows from it, if anything. */
  push(byte: number): KeyOutcome | undefined {
    const held = STATES[this.#state];
    switch (this.#state) {
      case "none":
        if (byte !== CONTROL_G) return pass([byte]);
        this.#state = "g";
        return undefined;
      case "g":
        if (byte === CONTROL_B) this.#state = "gb";
        // Of two the first is no prefix; the second may be.
        else if (byte === CONTROL_G) return pass([CONTROL_G]);
        else return this.#release([...held, byte]);
        return undefined;
      case "gb": {
        const key = String.fromCharCode(byte);
        if (byte === CONTROL_G) {
          this.#state = "gbg";
          return undefined;
        }
        if (!this.keys.includes(key)) return this.#release([...held, byte]);
        this.#state = "none";
        return { kind: "switch", key };
      }
      case "gbg":
        if (byte === CONTROL_B) return this.#release([CONTROL_G, CONTROL_B]);
        if (byte !== CONTROL_G) return this.#release([...held, byte]);
        this.#state = "g";
        return pass([...held]);
    }
  }

  #release(bytes: readonly number[]): KeyOutcome {
    this.#state = "none";
    return pass(bytes);
  }

  /** The time is over: what was held back goes through. */
  expire(): readonly number[] {
    const held = STATES[this.#state];
    this.#state = "none";
    return held;
  }

  /** Nothing is held back. */
  reset(): void {
    this.#state = "none";
  }

  /** The state. */
  save(): State {
    return this.#state;
  }

  /** Restores what `save` gave. */
  restore(state: State): void {
    this.#state = state;
  }
}

function pass(bytes: readonly number[]): KeyOutcome {
  return { kind: "pass", bytes };
}
