/** What is the same in the bytes of all accesses to one register, kept by access. */
import type { DeviceAccess } from "../machine/events.ts";

/** How many are kept; a power of two. */
const FORMS = 256;

/** Keeps a form of accesses; equal accesses that are mostly the same object find theirs at once. */
export class AccessForms<T> {
  readonly #accesses: (DeviceAccess | undefined)[] = new Array(FORMS).fill(undefined);
  readonly #forms: (T | undefined)[] = new Array(FORMS).fill(undefined);

  /** Who polls accesses the same again. */
  #last: DeviceAccess | undefined;
  #form: T | undefined;

  /** `make` makes the form of an access. */
  constructor(private readonly make: (access: DeviceAccess) => T) {}

  /** The form of an access. */
  of(access: DeviceAccess): T {
    if (access === this.#last) return this.#form as T;
    this.#last = access;
    return this.#form = this.#find(access);
  }

  #find(access: DeviceAccess): T {
    const { address } = access, slot = (address >>> 2 ^ address >>> 12) & (FORMS - 1);
    if (this.#accesses[slot] === access) return this.#forms[slot] as T;
    this.#accesses[slot] = access;
    return this.#forms[slot] = this.make(access);
  }
}
