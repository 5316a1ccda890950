/** Character sets of terminals: the line drawing set of the VT100, code page 437, and what ASCII has in their place. */

/** DEC Special Graphics, 0x5f to 0x7e (VT220 Programmer Reference, table 2-4). */
const SPECIAL_GRAPHICS = " ◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·";
const GRAPHICS_FIRST = 0x5f;

/** The character of DEC Special Graphics for one of ASCII. */
export function specialGraphic(code: number): number {
  return [...SPECIAL_GRAPHICS][code - GRAPHICS_FIRST]?.codePointAt(0) ?? code;
}

/** Code page 437, 0x80 to 0xff. */
const CP437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»" +
  "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** The character of a byte in code page 437. */
export function cp437(byte: number): number {
  return byte < 0x80 ? byte : CP437.charCodeAt(byte - 0x80);
}

/** Characters by what ASCII has in their place. */
// deno-fmt-ignore
const IN_ASCII: readonly (readonly [ascii: string, codes: string])[] = [
  ["-", "─━═⎺⎻⎼⎽‐‑–—"], ["|", "│┃║"], ["+", "┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬╒╓╕╖╘╙╛╜╞╟╡╢╤╥╧╨╪╫┏┓┗┛┣┫┳┻╋±"],
  ["#", "░▒▓█▄▌▐▀■"], ["*", "◆•∙·"], ["'", "‘’´"], ['"', "“”«»"], ["<", "≤"], [">", "≥"], [" ", "\u00a0"],
  ["A", "ÀÁÂÃÄÅ"], ["C", "Ç"], ["E", "ÈÉÊË"], ["I", "ÌÍÎÏ"], ["N", "Ñ"], ["O", "ÒÓÔÕÖØ"], ["U", "ÙÚÛÜ"], ["Y", "Ý"],
  ["a", "àáâãäå"], ["c", "ç¢"], ["e", "èéêë"], ["i", "ìíîï"], ["n", "ñ"], ["o", "òóôõöø"], ["u", "ùúûüµ"], ["y", "ýÿ"],
];
const ASCII_OF = new Map(IN_ASCII.flatMap(([ascii, codes]) => [...codes].map((code) => [code, ascii])));

/** A character of ASCII for any, the nearest in looks; a question mark where there is none. */
export function asciiOf(code: number): number {
  if (code < 0x7f) return code;
  return (ASCII_OF.get(String.fromCodePoint(code)) ?? "?").charCodeAt(0);
}

/** First and last of ranges of characters without a column of their own; a cell has no room for them. */
// deno-fmt-ignore
const COMBINING: readonly (readonly [number, number])[] = [
  [0x0300, 0x036f], [0x0483, 0x0489], [0x0591, 0x05bd], [0x0610, 0x061a], [0x064b, 0x065f], [0x1ab0, 0x1aff],
  [0x1dc0, 0x1dff], [0x200b, 0x200f], [0x202a, 0x202e], [0x2060, 0x2064], [0x20d0, 0x20ff], [0xfe00, 0xfe0f],
  [0xfe20, 0xfe2f], [0xfeff, 0xfeff], [0xe0100, 0xe01ef],
];

/** Whether a character belongs to the one before it. */
export function isCombining(code: number): boolean {
  return code >= 0x300 && COMBINING.some(([first, last]) => code >= first && code <= last);
}
