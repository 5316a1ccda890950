/** SGR (ECMA-48 8.3.117), read and written: what its parameters make of a pen, and those that make one pen of another. */
import { ATTRIBUTE, COLOUR, type Pen, PLAIN } from "./grid.ts";
import { SUB_PARAMETER } from "./parser.ts";

/** SGR parameters that set an attribute, and those that clear some. */
// deno-fmt-ignore
const SETS: Readonly<Record<number, number>> = {
  1: ATTRIBUTE.bold, 2: ATTRIBUTE.faint, 3: ATTRIBUTE.italic, 4: ATTRIBUTE.underlined, 5: ATTRIBUTE.blinking,
  6: ATTRIBUTE.blinking, 7: ATTRIBUTE.reverse, 8: ATTRIBUTE.hidden, 9: ATTRIBUTE.crossedOut, 21: ATTRIBUTE.underlined,
};
// deno-fmt-ignore
const CLEARS: Readonly<Record<number, number>> = {
  22: ATTRIBUTE.bold | ATTRIBUTE.faint, 23: ATTRIBUTE.italic, 24: ATTRIBUTE.underlined, 25: ATTRIBUTE.blinking,
  27: ATTRIBUTE.reverse, 28: ATTRIBUTE.hidden, 29: ATTRIBUTE.crossedOut,
};

/** A pen after SGR. */
export function rendition(pen: Pen, parameters: readonly number[]): Pen {
  let { foreground, background, attributes } = pen;
  const list = parameters.length === 0 ? [0] : parameters;
  for (let at = 0; at < list.length; at++) {
    const code = Math.max(0, list[at] as number);
    const parts = list.slice(at + 1).findIndex((next) => next < SUB_PARAMETER);
    const subs = list.slice(at + 1, parts < 0 ? undefined : at + 1 + parts);
    if (code === 0) ({ foreground, background, attributes } = PLAIN);
    else if (code === 4 && subs.length > 0) {
      attributes = subs[0] === SUB_PARAMETER
        ? attributes & ~ATTRIBUTE.underlined
        : attributes | ATTRIBUTE.underlined;
    } else if (code in SETS) attributes |= SETS[code] as number;
    else if (code in CLEARS) attributes &= ~(CLEARS[code] as number);
    else if (code === 38 || code === 48 || code === 58) {
      const { colour, taken } = extendedColour(subs, list.slice(at + 1));
      if (colour !== undefined && code === 38) foreground = colour;
      if (colour !== undefined && code === 48) background = colour;
      at += subs.length > 0 ? 0 : taken;
    } else if (code === 39) foreground = 0;
    else if (code === 49) background = 0;
    else ({ foreground, background } = basicColour(code, foreground, background));
    at += subs.length;
  }
  return { foreground, background, attributes };
}

/** 30–37, 40–47, and the bright ones 90–97, 100–107. */
function basicColour(
  code: number,
  foreground: number,
  background: number,
): { foreground: number; background: number } {
  const tens = Math.floor(code / 10), index = code % 10 + (tens >= 9 ? 8 : 0);
  if (code % 10 > 7) return { foreground, background };
  if (tens === 3 || tens === 9) foreground = COLOUR.indexed | index;
  else if (tens === 4 || tens === 10) background = COLOUR.indexed | index;
  return { foreground, background };
}

/** `5;n` or `2;r;g;b`, or with colons `5:n`, `2:r:g:b` or `2:space:r:g:b`; how many parameters behind semicolons it is. */
function extendedColour(
  subs: readonly number[],
  rest: readonly number[],
): { colour: number | undefined; taken: number } {
  const isSub = subs.length > 0;
  const list = isSub ? subs.map((sub) => sub - SUB_PARAMETER) : rest.map((value) => Math.max(0, value));
  if (list[0] === 5) {
    const index = list[1];
    return { colour: index !== undefined && index < 256 ? COLOUR.indexed | index : undefined, taken: 2 };
  }
  if (list[0] !== 2) return { colour: undefined, taken: 1 };
  const parts = isSub && list.length >= 5 ? list.slice(2, 5) : list.slice(1, 4);
  const [red, green, blue] = parts;
  const isWhole = parts.length === 3 && parts.every((part) => part < 256);
  const colour = isWhole ? COLOUR.direct | (red! << 16 | green! << 8 | blue!) : undefined;
  return { colour, taken: 4 };
}

/** Attributes by the SGR parameters that set them. */
const ATTRIBUTE_CODES: readonly (readonly [bit: number, code: string])[] = [
  [ATTRIBUTE.bold, "1"],
  [ATTRIBUTE.faint, "2"],
  [ATTRIBUTE.italic, "3"],
  [ATTRIBUTE.underlined, "4"],
  [ATTRIBUTE.blinking, "5"],
  [ATTRIBUTE.reverse, "7"],
  [ATTRIBUTE.hidden, "8"],
  [ATTRIBUTE.crossedOut, "9"],
];

function isSamePen(a: Pen, b: Pen): boolean {
  return a.foreground === b.foreground && a.background === b.background && a.attributes === b.attributes;
}

/** The parameters of SGR for a colour; `base` is 30 for the foreground and 40 for the background. */
function colourCode(colour: number, base: 30 | 40): string {
  if (colour === COLOUR.default) return String(base + 9);
  const value = colour & 0xff_ffff;
  if ((colour & COLOUR.direct) !== 0) {
    return `${base + 8};2;${value >> 16};${value >> 8 & 0xff};${value & 0xff}`;
  }
  if (value < 8) return String(base + value);
  return value < 16 ? String(base + 60 + value - 8) : `${base + 8};5;${value}`;
}

/** What is sent to have another pen; `before` is undefined where the present one is not known. */
export function renditionTo(before: Pen | undefined, pen: Pen): string {
  if (before !== undefined && isSamePen(before, pen)) return "";
  const adds = before !== undefined && (before.attributes & ~pen.attributes) === 0;
  const old = adds ? before : PLAIN;
  const codes = [
    ...adds ? [] : ["0"],
    ...ATTRIBUTE_CODES.filter(([bit]) => (pen.attributes & ~old.attributes & bit) !== 0).map(([, code]) =>
      code
    ),
    ...pen.foreground === old.foreground ? [] : [colourCode(pen.foreground, 30)],
    ...pen.background === old.background ? [] : [colourCode(pen.background, 40)],
  ];
  return `\x1b[${codes.length === 1 && codes[0] === "0" ? "" : codes.join(";")}m`;
}
