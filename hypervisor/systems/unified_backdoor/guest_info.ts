/** The variables that guest and host share, by name: `guestinfo.NAME`. */
import { bytes, listOf, record, text, type ValueOf } from "../../../machine/layout.ts";
import { MESSAGE_MAX } from "./channels.ts";

/** What every name begins with. */
export const PREFIX = "guestinfo.";
/** Most variables, and most bytes of all their values. */
export const VARIABLES_MAX = 256, VALUES_MAX = 2 ** 20;

const NAME_MAX = 128;
const NAME = /^[!-<>-~]{1,118}$/;

/** Section fields. */
export const GUEST_INFO_FIELDS = {
  variables: listOf(record({ name: text(NAME_MAX), value: bytes(MESSAGE_MAX) }), VARIABLES_MAX),
} as const;

/** Names, without the prefix, and values. */
export class GuestInfo {
  readonly #values = new Map<string, Uint8Array>();

  /** Forgets all. */
  reset(): void {
    this.#values.clear();
  }

  /** The value of a name without the prefix. */
  get(name: string): Uint8Array | undefined {
    return this.#values.get(name);
  }

  /** Why a variable cannot be set, or undefined. */
  problem(name: string, value: Uint8Array): string | undefined {
    if (!NAME.test(name)) {
      return `"${PREFIX}${name}" is no name: 1 to 118 printable characters other than "="`;
    }
    if (value.length > MESSAGE_MAX) return `its value has more than ${MESSAGE_MAX} bytes`;
    const old = this.#values.get(name);
    if (old === undefined && this.#values.size >= VARIABLES_MAX) return `there are ${VARIABLES_MAX} already`;
    const all = [...this.#values.values()].reduce((sum, { length }) => sum + length, 0);
    return all - (old?.length ?? 0) + value.length > VALUES_MAX
      ? `all values have ${VALUES_MAX} bytes`
      : undefined;
  }

  /** Sets a variable that `problem` has nothing against. */
  set(name: string, value: Uint8Array): void {
    this.#values.set(name, value);
  }

  /** Everything. */
  get state(): ValueOf<typeof GUEST_INFO_FIELDS> {
    return { variables: [...this.#values].map(([name, value]) => ({ name, value })) };
  }

  set state({ variables }: ValueOf<typeof GUEST_INFO_FIELDS>) {
    this.reset();
    for (const { name, value } of variables) this.#values.set(name, value);
  }
}
