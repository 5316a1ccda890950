/** Values as QEMU writes them: `key=value` lists, sizes, switches, times. */
import { UsageError } from "./errors.ts";
import { suggestion } from "./suggest.ts";

/** One `key=value` of a list; a key alone is `on`. */
export type Property = readonly [key: string, value: string];

/**
 * Splits `a=1,b=2`; a comma doubled is a comma of the value. The first item may be a value alone, that of
 * `impliedKey`.
 */
export function properties(text: string, impliedKey?: string): Property[] {
  const items = text.replaceAll(",,", "\0").split(",").map((item) => item.replaceAll("\0", ","));
  return items.filter((item) => item !== "").map((item, index): Property => {
    const equals = item.indexOf("=");
    if (equals >= 0) return [item.slice(0, equals), item.slice(equals + 1)];
    return index === 0 && impliedKey !== undefined ? [impliedKey, item] : [item, "on"];
  });
}

/** Hands each property to its row of a table; throws UsageError naming the option for a key that has none. */
export function eachProperty(
  option: string,
  list: readonly Property[],
  table: Readonly<Record<string, (value: string) => void>>,
): void {
  for (const [key, value] of list) {
    if (!Object.hasOwn(table, key)) {
      const known = Object.keys(table);
      throw new UsageError(
        `${option}: there is no "${key}" here; there are ${known.join(", ")}${suggestion(key, known)}`,
      );
    }
    table[key]!(value);
  }
}

/** Reads on or off. */
export function onOff(option: string, key: string, value: string): boolean {
  if (["on", "yes", "true", "y"].includes(value)) return true;
  if (["off", "no", "false", "n"].includes(value)) return false;
  throw new UsageError(`${option}: ${key} is on or off, not "${value}"`);
}

const UNITS: Readonly<Record<string, number>> = { B: 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Reads a size in MiB: a number alone is in MiB, as for QEMU's -m. */
export function mebibytes(option: string, value: string): number {
  const [, digits, unit] = /^([0-9]+(?:\.[0-9]+)?)([BKMGT]?)(?:i?B)?$/i.exec(value) ?? [];
  const size = Number(digits) * (UNITS[(unit || "M").toUpperCase()] ?? NaN) / 2 ** 20;
  if (Number.isSafeInteger(size) && size > 0) return size;
  throw new UsageError(`${option} takes a size in whole MiB such as 128M, 1G or 1024, not "${value}"`);
}

/** Reads a time of day in UTC, `2026-01-01` or `2026-01-01T00:00:00`, in seconds since 1970. */
export function seconds(option: string, value: string): number {
  const complete = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00` : value;
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/.test(complete);
  const time = isTime ? Date.parse(`${complete}Z`) / 1000 : NaN;
  if (time >= 0 && time < 2 ** 32) return time;
  throw new UsageError(
    `${option}: base is utc or a time from 1970 to 2106 such as 2026-01-01T00:00:00, not "${value}"`,
  );
}

/** Reads a number of 64 bits, decimal or after 0x hexadecimal. */
export function number64(option: string, key: string, value: string): bigint {
  const number = /^(0x[0-9a-f]+|[0-9]+)$/i.test(value) ? BigInt(value) : -1n;
  if (number >= 0n && number < 2n ** 64n) return number;
  throw new UsageError(`${option}: ${key} is a number of up to 64 bits, not "${value}"`);
}
