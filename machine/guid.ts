/** GUIDs as UEFI has them: the first three fields little-endian (UEFI 2.10 appendix A). */

const FORM = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i;
/** Places of the bytes of the text's digits. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** The 16 bytes of a GUID's text; RangeError when it is none. */
export function guidBytes(text: string): Uint8Array<ArrayBuffer> {
  if (!FORM.test(text)) throw new RangeError(`"${text}" is no GUID: it has 8-4-4-4-12 hexadecimal digits`);
  const digits = text.replaceAll("-", "");
  return Uint8Array.from(ORDER, (place) => parseInt(digits.slice(place * 2, place * 2 + 2), 16));
}

/** The text of 16 bytes, in lower case; RangeError for another length. */
export function guidText(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new RangeError(`A GUID has 16 bytes, not ${bytes.length}`);
  const digits = ORDER.map((place) => (bytes[place] as number).toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
