/** Terminals: characters, control functions, what is ignored, answers, snapshots; and painters, into terminals of the same kind. */
import { assertEquals, assertThrows } from "@std/assert";
import { wildOutput } from "../../cli/systems/serial_consoles/terminal_fuzz.ts";
import { asciiOf, cp437 } from "../../hypervisor/terminal/characters.ts";
import { ATTRIBUTE, COLOUR, isWideCode } from "../../hypervisor/terminal/grid.ts";
import { Painter } from "../../hypervisor/terminal/painter.ts";
import { Terminal } from "../../hypervisor/terminal/terminal.ts";
import { SEED, seededRandom } from "../journal/support.ts";

function rowsOf({ screen: { grid } }: Terminal): string[] {
  return Array.from({ length: grid.rows }, (_, y) => grid.text(y));
}

/** What a terminal of 10 by 4 shows of a text, its rows with strokes between, and where the cursor is. */
function shown(text: string): string {
  const terminal = new Terminal({ columns: 10, rows: 4 });
  terminal.write(text);
  return `${rowsOf(terminal).join("|")} ${terminal.screen.x},${terminal.screen.y}`;
}

const FILL = "\x1b[1;1Haaaa\x1b[2;1Hbbbb\x1b[3;1Hcccc\x1b[4;1Hdddd\x1b[H";

// deno-fmt-ignore
const CASES: readonly (readonly [what: string, text: string, wanted: string])[] = [
  ["a wrap waits for the next character", "0123456789", "0123456789||| 9,0"],
  ["which then goes below", "0123456789a", "0123456789|a|| 1,1"],
  ["unless wrapping is off", "\x1b[?7l0123456789ab", "012345678b||| 9,0"],
  ["carriage return, line feed, backspace, tab", "ab\r\nc\td\b\be", "ab|c      ed|| 8,1"],
  ["line feeds scroll at the end", "1\r\n2\r\n3\r\n4\r\n5", "2|3|4|5 1,3"],
  ["the cursor stops at the edges", "\x1b[99;99Hx\x1b[99A\x1b[99Dy", "y|||         x 1,0"],
  ["a region scrolls alone", `${FILL}\x1b[2;3r\x1b[3;1H\nX`, "aaaa|cccc|X|dddd 1,2"],
  ["and backwards", `${FILL}\x1b[2;3r\x1b[2;1H\x1bMX`, "aaaa|X|bbbb|dddd 1,1"],
  ["one of less than two rows is none", `${FILL}\x1b[3;3r\x1b[4;1H\n`, "bbbb|cccc|dddd| 0,3"],
  ["lines are inserted in the region", `${FILL}\x1b[1;3r\x1b[2;1H\x1b[L`, "aaaa||bbbb|dddd 0,1"],
  ["and not outside", `${FILL}\x1b[1;2r\x1b[4;1H\x1b[L`, "aaaa|bbbb|cccc|dddd 0,3"],
  ["and deleted", `${FILL}\x1b[2;1H\x1b[2M`, "aaaa|dddd|| 0,1"],
  ["cells are inserted, deleted, erased", `${FILL}\x1b[2G\x1b[2@\x1b[2;2H\x1b[P\x1b[3;2H\x1b[2X`, "a  aaa|bbb|c  c|dddd 1,2"],
  ["erase to, from, all of a row", `${FILL}\x1b[3G\x1b[K\x1b[2;2H\x1b[1K\x1b[3;1H\x1b[2K`, "aa|  bb||dddd 0,2"],
  ["erase to, from, all of the screen", `${FILL}\x1b[2;2H\x1b[J\x1b[1;2H\x1b[1J`, "  aa|b|| 1,0"],
  ["save and restore the cursor", "ab\x1b7\x1b[3;3Hx\x1b8c", "abc||  x| 3,0"],
  ["the alternate screen comes blank and goes without trace", "ab\x1b[?1049h\x1b[Hxyz\x1b[?1049lc", "abc||| 3,0"],
  ["line drawing in G0, and in G1 by SO", "\x1b(0lqk\x1b(Bl\x1b)0\x0ex\x0fx", "┌─┐l│x||| 6,0"],
  ["origin mode", "\x1b[2;3r\x1b[?6hA\x1b[9;1HB\x1b[?6lC", "C|A|B| 1,0"],
  ["insert mode", "abc\r\x1b[4hXY\x1b[4lZ", "XYZbc||| 3,0"],
  ["repeat", "a\x1b[3b", "aaaa||| 4,0"],
  ["tabs set and cleared", "\x1b[3g\x1b[4G\x1bH\r\tx\x1b[Zy", "   y||| 4,0"],
  ["strings, unknown functions and odd parameters have no effect", "a\x1b]0;t\x07\x1bPq\x1b\\\x1b[?99999;1;1;1;1h\x1b[1;2;3y\x1b[<5z\x1b#3\x1b%xb", "ab||| 2,0"],
  ["too many parameters are no function", `a\x1b[${"1;".repeat(40)}1Hb`, "ab||| 2,0"],
  ["a function is broken off by CAN, and by ESC", "a\x1b[3\x18b\x1b[4\x1b[Cc", "ab c||| 4,0"],
  ["controls act within a function", "ab\x1b[\r1Cx", "ax||| 2,0"],
  ["wide characters take two cells, and go below whole", "1234567日8", "1234567日8||| 9,0"],
  ["and are gone when half of one is", "日本\x1b[2Gx", " x本||| 2,0"],
  ["what combines has no room", "e\u0301x", "ex||| 2,0"],
  ["all is reset", `${FILL}\x1b[2;3r\x1b[?6h\x1b[31m\x1bcx`, "x||| 1,0"],
];

Deno.test("Terminal shows what ECMA-48 and the VT100's manual say, for each control function", () => {
  for (const [what, text, wanted] of CASES) assertEquals(shown(text), wanted, what);
});

Deno.test("Terminal keeps colours and attributes in each form of SGR", () => {
  const terminal = new Terminal();
  const pen = (codes: string): unknown => {
    terminal.write(`\x1b[0m\x1b[${codes}m`);
    return terminal.screen.pen;
  };
  const plain = { foreground: 0, background: 0, attributes: 0 };
  assertEquals(pen("1;31;44"), {
    foreground: COLOUR.indexed | 1,
    background: COLOUR.indexed | 4,
    attributes: 1,
  });
  assertEquals(pen("97;100"), { ...plain, foreground: COLOUR.indexed | 15, background: COLOUR.indexed | 8 });
  assertEquals(pen("38;5;200;1"), { ...plain, foreground: COLOUR.indexed | 200, attributes: 1 });
  for (const form of ["38;2;1;2;3", "38:2:1:2:3", "38:2::1:2:3"]) {
    assertEquals(pen(form), { ...plain, foreground: COLOUR.direct | 0x010203 });
  }
  assertEquals(pen("4:3;7"), { ...plain, attributes: ATTRIBUTE.underlined | ATTRIBUTE.reverse });
  assertEquals(pen("1;2;3;4;5;7;8;9;22;23;24;25;27;28;29"), plain);
  assertEquals(pen("38;5;999;38;2;1"), plain);
});

Deno.test("Terminal reads UTF-8 as the Encoding standard does, whatever the pieces, and CP437", () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 200; round++) {
    const bytes = Uint8Array.from(
      { length: 12 },
      () =>
        [
          0x20 + random(0x5f),
          0x80 + random(0x80),
          0xe2,
          0x82,
          0xac,
          0xf0,
          0x9f,
          0xed,
          0xa0,
        ][random(9)]!,
    );
    const terminal = new Terminal({ columns: 80, rows: 2 });
    terminal.write(bytes);
    // C1 controls are not shown, what combines is left out, and a wide character is one as well.
    const wanted = [...new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: true })].filter((
      character,
    ) => !/[\u0080-\u009f\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f]/.test(character))
      .join("");
    assertEquals(rowsOf(terminal).join(""), wanted.trimEnd(), `${bytes.toHex()}, seed ${SEED}`);
  }
  const old = new Terminal({ isUtf8: false });
  old.write(Uint8Array.of(0xda, 0xc4, 0xbf, 0x80));
  assertEquals([rowsOf(old)[0], String.fromCodePoint(cp437(0xe1)), asciiOf(0x2500)], ["┌─┐Ç", "ß", 0x2d]);
  old.write("\x1b%G─");
  assertEquals([rowsOf(old)[0], isWideCode(0x65e5)], ["┌─┐Ç─", true]);
});

Deno.test("Terminal answers what it is asked, and nothing else", () => {
  const answers: string[] = [];
  const terminal = new Terminal({ answered: (text) => void answers.push(text) });
  terminal.write("\x1b[5n\x1b[3;4H\x1b[6n\x1b[c\x1b[>c\x1b[1c\x1b[7n\x05\x1bZ");
  assertEquals(answers, ["\x1b[0n", "\x1b[3;4R", "\x1b[?62;22c", "\x1b[>1;10;0c", "\x1b[?62;22c"]);
});

Deno.test("Terminal goes on from what it saved as it would have, and has another size", () => {
  const random = seededRandom(SEED);
  const one = new Terminal({ columns: 40, rows: 12 });
  for (let round = 0; round < 60; round++) {
    const bytes = new TextEncoder().encode(wildOutput(random)),
      cut = random(bytes.length + 1);
    one.write(bytes.subarray(0, cut));
    const other = new Terminal();
    other.restore(structuredClone(one.save()));
    for (const each of [one, other]) each.write(bytes.subarray(cut));
    assertEquals(other.save(), one.save(), `seed ${SEED}`);
  }
  one.reset(40, 12, true);
  one.write("\x1b[12;1Hlast");
  one.screen.resize(20, 5);
  assertEquals(rowsOf(one), ["", "", "", "", "last"]);
  assertThrows(() => one.screen.resize(1, 5), RangeError, "1×5");
});

Deno.test("Painter has another terminal show the same after each byte, in UTF-8 and in ASCII, also after an attach", () => {
  for (const isAscii of [false, true]) {
    const random = seededRandom(SEED), terminal = new Terminal({ columns: 80, rows: 25 });
    let other = new Terminal({ columns: 80, rows: 25 });
    const painter = new Painter(80, 25, (bytes) => other.write(bytes));
    painter.isAscii = isAscii;
    painter.attach(80, 25);
    const { screen } = terminal;
    for (let round = 0; round < 40; round++) {
      for (const byte of new TextEncoder().encode(wildOutput(random))) {
        terminal.push(byte);
        const { grid, x, y, modes, scrolled } = screen;
        const view = { grid, x, y, modes, ...typeof scrolled === "object" && { scrolled } };
        painter.paint(view, scrolled === "many" ? undefined : grid.changed);
        grid.changed.clear();
        screen.scrolled = "none";
      }
      const wanted = isAscii ? rowsOf(terminal).map(inAscii) : rowsOf(terminal);
      assertEquals(
        rowsOf(other).map((row) => row.trimEnd()),
        wanted.map((row) => row.trimEnd()),
        `seed ${SEED}`,
      );
      // Colours and attributes too.
      if (!isAscii) assertEquals(other.screen.grid.save(), screen.grid.save(), `seed ${SEED}`);
      if (screen.modes.cursorVisible) assertEquals([other.screen.x, other.screen.y], [screen.x, screen.y]);
      const { cursorVisible, cursorKeys, bracketedPaste } = other.screen.modes;
      assertEquals({ ...screen.modes, cursorVisible, cursorKeys, bracketedPaste }, screen.modes);
      if (round % 10 !== 9) continue;
      other = new Terminal({ columns: 80, rows: 25 });
      painter.attach(80, 25);
      painter.paint({ grid: screen.grid, x: screen.x, y: screen.y, modes: screen.modes });
    }
  }
});

function inAscii(row: string): string {
  return [...row].map((character) => {
    const code = character.codePointAt(0) as number;
    return isWideCode(code) ? "??" : String.fromCharCode(asciiOf(code));
  }).join("");
}
