/** What UEFI's variable services do, on a store: attributes, phases, quotas (UEFI 2.10 §8.2). No guest memory is here. */
import { EFI_STATUS, EfiError } from "../efi_status.ts";
import type { Variable, VariableLog } from "./variable_log.ts";

/** EFI_VARIABLE_*: bits of a variable's attributes. */
// deno-fmt-ignore
export const EFI_VARIABLE = {
  NON_VOLATILE: 0x1, BOOTSERVICE_ACCESS: 0x2, RUNTIME_ACCESS: 0x4, HARDWARE_ERROR_RECORD: 0x8,
  AUTHENTICATED_WRITE_ACCESS: 0x10, TIME_BASED_AUTHENTICATED_WRITE_ACCESS: 0x20, APPEND_WRITE: 0x40,
  ENHANCED_AUTHENTICATED_ACCESS: 0x80,
} as const;

const { NON_VOLATILE, BOOTSERVICE_ACCESS, RUNTIME_ACCESS, APPEND_WRITE } = EFI_VARIABLE;
/** Writes of these kinds would have to be authenticated, and hardware error records kept, by somebody who is not here. */
const UNSUPPORTED = EFI_VARIABLE.HARDWARE_ERROR_RECORD | EFI_VARIABLE.AUTHENTICATED_WRITE_ACCESS |
  EFI_VARIABLE.TIME_BASED_AUTHENTICATED_WRITE_ACCESS | EFI_VARIABLE.ENHANCED_AUTHENTICATED_ACCESS;
const KNOWN = 0xff;

/** Most bytes of a variable's contents, and characters of its name. */
export const MOST_DATA = 0x8000, MOST_NAME = 512;
/** Bytes of names and contents of volatile variables. */
export const VOLATILE_CAPACITY = 0x1_0000;

/** What a change did: contents before and after, empty where the variable is not there. */
export interface VariableChange extends Pick<Variable, "vendor" | "name"> {
  /** Attributes that it has now, or had before it went. */
  readonly attributes: number;
  /** Contents before. */
  readonly before: Uint8Array;
  /** Contents now. */
  readonly after: Uint8Array;
}

/** QueryVariableInfo's answer, in bytes. */
export interface VariableInfo {
  /** MaximumVariableStorageSize. */
  readonly maximum: number;
  /** RemainingVariableStorageSize. */
  readonly remaining: number;
  /** MaximumVariableSize. */
  readonly largest: number;
}

const NONE = new Uint8Array(0);

function bytesOf({ name, data }: Variable): number {
  return name.length * 2 + data.length;
}

/** The variables that outlive power, on a log, and those that do not. Errors are `EfiError`. */
export class VariableServices {
  readonly #log: VariableLog;
  readonly #volatile: Map<string, Variable>;

  /** `volatile` are those that the caller kept of before. */
  constructor(log: VariableLog, volatile: Iterable<Variable> = []) {
    this.#log = log;
    this.#volatile = new Map([...volatile].map((one) => [`${one.vendor} ${one.name}`, one]));
  }

  /** The variables that are lost with power, in order. */
  get volatile(): Iterable<Variable> {
    return this.#volatile.values();
  }

  #find(vendor: string, name: string): Variable | undefined {
    if (this.#log.isDamaged) throw new EfiError(EFI_STATUS.VOLUME_CORRUPTED);
    return this.#log.get(vendor, name) ?? this.#volatile.get(`${vendor} ${name}`);
  }

  /** A variable as a caller may see it: after ExitBootServices (`isRuntime`) only those with EFI_VARIABLE_RUNTIME_ACCESS. */
  #seen(vendor: string, name: string, isRuntime: boolean): Variable | undefined {
    const found = this.#find(vendor, name);
    return isRuntime && found !== undefined && (found.attributes & RUNTIME_ACCESS) === 0 ? undefined : found;
  }

  /** GetVariable; EFI_NOT_FOUND. */
  get(vendor: string, name: string, isRuntime: boolean): Variable {
    const found = name === "" ? undefined : this.#seen(vendor, name, isRuntime);
    if (found === undefined) throw new EfiError(EFI_STATUS.NOT_FOUND);
    return found;
  }

  /** GetNextVariableName: the variable after one, the first after an empty name; EFI_NOT_FOUND behind the last. */
  next(vendor: string, name: string, isRuntime: boolean): Variable {
    const all = [...this.#log.variables, ...this.#volatile.values()].filter(({ attributes }) =>
      !isRuntime || (attributes & RUNTIME_ACCESS) !== 0
    );
    const at = name === "" ? -1 : all.findIndex((one) => one.vendor === vendor && one.name === name);
    if (name !== "" && at < 0) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    const found = all[at + 1];
    if (found === undefined) throw new EfiError(EFI_STATUS.NOT_FOUND);
    return found;
  }

  /** QueryVariableInfo for variables of some attributes. */
  query(attributes: number, isRuntime: boolean): VariableInfo {
    this.#checkAttributes(attributes & ~APPEND_WRITE, isRuntime, false);
    if ((attributes & NON_VOLATILE) !== 0) {
      const { capacity, free, largest } = this.#log;
      return { maximum: capacity, remaining: free, largest: Math.min(largest, MOST_DATA + 2 * MOST_NAME) };
    }
    const used = [...this.#volatile.values()].reduce((sum, one) => sum + bytesOf(one), 0);
    return {
      maximum: VOLATILE_CAPACITY,
      remaining: VOLATILE_CAPACITY - used,
      largest: MOST_DATA + 2 * MOST_NAME,
    };
  }

  #checkAttributes(attributes: number, isRuntime: boolean, isWrite: boolean): void {
    if ((attributes & ~KNOWN) !== 0) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    if ((attributes & UNSUPPORTED) !== 0) throw new EfiError(EFI_STATUS.UNSUPPORTED);
    const hasRuntime = (attributes & RUNTIME_ACCESS) !== 0;
    if ((attributes & BOOTSERVICE_ACCESS) === 0) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    if (!isRuntime) return;
    if (!hasRuntime) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    // What does not outlive power is read-only once boot services are gone.
    if (isWrite && (attributes & NON_VOLATILE) === 0) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
  }

  /** SetVariable; what changed, undefined where everything is as it was. */
  set(variable: Variable, isRuntime: boolean): VariableChange | undefined {
    const { vendor, name, data } = variable, isAppend = (variable.attributes & APPEND_WRITE) !== 0;
    const attributes = variable.attributes & ~APPEND_WRITE;
    if (name === "" || name.length > MOST_NAME || data.length > MOST_DATA) {
      throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    }
    const known = this.#seen(vendor, name, isRuntime);
    const hasAccess = (attributes & (BOOTSERVICE_ACCESS | RUNTIME_ACCESS)) !== 0;
    if ((attributes & UNSUPPORTED) !== 0) throw new EfiError(EFI_STATUS.UNSUPPORTED);
    if (!hasAccess || data.length === 0 && !isAppend) return this.#delete(vendor, name, known, isRuntime);
    this.#checkAttributes(attributes, isRuntime, true);
    if (known === undefined && this.#find(vendor, name) !== undefined) {
      throw new EfiError(EFI_STATUS.WRITE_PROTECTED); // there is one of boot services, which is not to be seen
    }
    if (known !== undefined && known.attributes !== attributes) {
      throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    }
    const before = known?.data ?? NONE;
    if (isAppend && before.length + data.length > MOST_DATA) throw new EfiError(EFI_STATUS.INVALID_PARAMETER);
    const after = isAppend ? Uint8Array.from([...before, ...data]) : data;
    if (after.length === before.length && after.every((byte, at) => byte === before[at])) return undefined;
    this.#store({ vendor, name, attributes, data: after });
    return { vendor, name, attributes, before, after };
  }

  #delete(
    vendor: string,
    name: string,
    known: Variable | undefined,
    isRuntime: boolean,
  ): VariableChange {
    if (known === undefined) throw new EfiError(EFI_STATUS.NOT_FOUND);
    if (isRuntime && (known.attributes & NON_VOLATILE) === 0) throw new EfiError(EFI_STATUS.WRITE_PROTECTED);
    this.#store({ ...known, data: NONE });
    return { vendor, name, attributes: known.attributes, before: known.data, after: NONE };
  }

  #store(variable: Variable): void {
    const key = `${variable.vendor} ${variable.name}`;
    if ((variable.attributes & NON_VOLATILE) !== 0) {
      if (!this.#log.set(variable)) throw new EfiError(EFI_STATUS.OUT_OF_RESOURCES);
      return;
    }
    if (variable.data.length === 0) return void this.#volatile.delete(key);
    const others = [...this.#volatile].reduce(
      (sum, [other, one]) => other === key ? sum : sum + bytesOf(one),
      0,
    );
    if (others + bytesOf(variable) > VOLATILE_CAPACITY) throw new EfiError(EFI_STATUS.OUT_OF_RESOURCES);
    this.#volatile.set(key, variable);
  }
}
