/** Tests of the console's matcher. */
import { assertEquals, assertThrows } from "@std/assert";
import { ConsoleMatcher } from "../../cli/console_matcher.ts";

/** The lengths of output after which `text` was found. */
function matches(text: string, output: string): number[] {
  const matcher = new ConsoleMatcher(text);
  const found: number[] = [];
  for (const [index, byte] of new TextEncoder().encode(output).entries()) {
    if (matcher.push(byte)) found.push(index + 1);
  }
  return found;
}

// deno-fmt-ignore
const CASES: readonly (readonly [text: string, output: string, found: readonly number[]])[] = [
  ["=> ",    "\r\n=> ",       [5]],
  ["=> ",    "==> ",          [4]],        // the first = is no part of it
  ["aab",    "aaab",          [4]],        // falls back by one
  ["abab",   "abababab",      [4, 8]],     // output up to a match is consumed
  ["aa",     "aaaa",          [2, 4]],
  ["abcabd", "abcabcabd",     [9]],        // falls back to "abc"
  ["aabaaac", "aabaabaaac",   [10]],
  ["\n=> ",  "x=> \r\n=> ",   [9]],
  ["é",      "\u00e8\u00e9",  [4]],        // bytes, not characters
  ["ab",     "a b",           []],
];

Deno.test("ConsoleMatcher finds texts with overlapping prefixes, byte by byte", () => {
  for (const [text, output, found] of CASES) {
    assertEquals(matches(text, output), found, `${text} in ${output}`);
  }
});

Deno.test("ConsoleMatcher agrees with a search in the whole output", () => {
  for (let number = 0; number < 1024; number++) {
    const output = number.toString(2).padStart(10, "0");
    for (const text of ["0", "01", "010", "0010", "00100", "1101"]) {
      const expected: number[] = [];
      for (let at = output.indexOf(text); at >= 0; at = output.indexOf(text, at + text.length)) {
        expected.push(at + text.length);
      }
      assertEquals(matches(text, output), expected, `${text} in ${output}`);
    }
  }
});

Deno.test("ConsoleMatcher refuses an empty text", () => {
  assertThrows(() => new ConsoleMatcher(""), RangeError, "empty");
});
