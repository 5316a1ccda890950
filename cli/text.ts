/** Numbers, roots and colours as the commands print them. */
import { hex } from "../machine/address.ts";

/** The colours there are. */
export type Colour = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Puts text in colours, or leaves it as it is. */
export type Palette = Readonly<Record<Colour, (text: string) => string>>;

/** Parameters of Select Graphic Rendition (ECMA-48, 8.3.117). */
const CODES: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** The colours for an output that may be coloured or not. */
export function paletteFor({ isColoured }: { readonly isColoured: boolean }): Palette {
  const paint = (code: number) => (text: string): string => isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
  return Object.fromEntries(Object.entries(CODES).map(([name, code]) => [name, paint(code)])) as Palette;
}

/** A whole number with commas: 42,000,000. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number and its noun, in the plural where needed. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A 64-bit value: 0x and 16 digits. */
export function hex64(value: bigint): string {
  return hex(value, 16);
}

/** Nanoseconds as seconds, exact: 0.336000008 s. */
export function secondsText(nanoseconds: number): string {
  const fraction = String(nanoseconds % 1e9).padStart(9, "0").replace(/0+$/, "");
  return `${grouped(Math.floor(nanoseconds / 1e9))}${fraction === "" ? "" : `.${fraction}`} s`;
}

/** A number of bytes for people. */
export function bytesText(bytes: number): string {
  if (bytes < 10_000) return counted(bytes, "byte");
  return bytes < 10_000_000 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Bytes as lines of 16: address, digits, characters. */
export function hexDump(address: number, bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const halves = `${digits.slice(0, 8).join(" ")}  ${digits.slice(8).join(" ")}`.padEnd(48);
    const text = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${hex(address + at, 10)}  ${halves}  ${text}`);
  }
  return lines.join("\n");
}

/** The last line of what a console wrote that says something, without control characters. */
export function lastLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/[\x00-\x09\x0b-\x1f\x7f]/g, "").split("\n").findLast((line) =>
    line.trim() !== ""
  ) ??
    "";
}

/** Ascending numbers as ranges, of which the first `most` are named: 3–7, 9, …. */
export function ranges(numbers: readonly number[], most: number): string {
  const found: [first: number, last: number][] = [];
  for (const number of numbers) {
    const range = found.at(-1);
    if (range !== undefined && number === range[1] + 1) range[1] = number;
    else found.push([number, number]);
  }
  const named = found.slice(0, most).map(([first, last]) =>
    first === last ? grouped(first) : `${grouped(first)}–${grouped(last)}`
  );
  return [...named, ...found.length > most ? ["…"] : []].join(", ");
}
