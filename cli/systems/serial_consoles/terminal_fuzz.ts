/** Random bytes for terminals: what programs write, in all orders. */

/** Draws numbers below a bound. */
type Draw = (bound: number) => number;

/** The control functions that have the same meaning here, on xterm and in tmux, wherever the cursor is. */
const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 ,.-/{}~|ABCDEF";
const OTHERS = "éÄßπ─│┌┐└┘█░ЖΩ€→";
const WIDE = "日本語漢字한글";

const pick = (draw: Draw, from: string): string => [...from][draw([...from].length)] as string;

function word(draw: Draw, most: number, alphabet = draw(4) === 0 ? LETTERS + OTHERS : LETTERS): string {
  return Array.from({ length: 1 + draw(most) }, () => pick(draw, alphabet)).join("");
}

const place = (draw: Draw): string => `\x1b[${1 + draw(25)};${1 + draw(80)}H`;

const ATTRIBUTES = [1, 2, 3, 4, 5, 7, 8, 9, 22, 23, 24, 25, 27, 28, 29, 39, 49];

function rendition(draw: Draw): string {
  const codes = [
    ...Array.from({ length: 6 }, () => () => String(ATTRIBUTES[draw(ATTRIBUTES.length)])),
    () => String(30 + draw(8)),
    () => String(40 + draw(8)),
    () => String(90 + draw(8)),
    () => String(100 + draw(8)),
    () => `38;5;${draw(256)}`,
    () => `48;5;${draw(256)}`,
    () => `38;2;${draw(256)};${draw(256)};${draw(256)}`,
    () => `48;2;${draw(256)};${draw(256)};${draw(256)}`,
    () => "",
  ];
  return `\x1b[${Array.from({ length: 1 + draw(3) }, () => codes[draw(codes.length)]!()).join(";")}m`;
}

/** A number as a parameter: often left out, sometimes 0 or large. */
const parameter = (draw: Draw): string => ["", "0", "1", "2", "3", "7", "30", "999"][draw(8)] as string;

/** Something to be ignored by whoever does not know it. */
function unknown(draw: Draw): string {
  return [
    () => `\x1b[${draw(100)};${draw(100)}${pick(draw, "vwy|}~")}`,
    () => `\x1b[=${draw(10)}c`,
    () => `\x1b]${draw(10)};${word(draw, 12)}\x07`,
    () => `\x1bP${word(draw, 12)}\x1b\\`,
    () => `\x1b_${word(draw, 12)}\x1b\\`,
    () => `\x1b[${draw(9)}\x18`,
    () => `\x1b[?${200 + draw(100)}h`,
    () => `\x1b[<${draw(10)}z`,
  ][draw(8)]!();
}

// deno-fmt-ignore
const MOVES: readonly ((draw: Draw) => string)[] = [
  (draw) => `\x1b[${parameter(draw)}${pick(draw, "ABCDEFGd`")}`,
  (draw) => `\x1b[${parameter(draw)}Z`,
  () => "\t", () => "\r", () => "\n", () => "\x1bD", () => "\x1bE", () => "\x1bM",
  () => "\r\n", place,
  (draw) => `\x1b[${1 + draw(25)};${1 + draw(50)}H\x1b7${rendition(draw)}${word(draw, 9)}${place(draw)}\x1b8`,
];

/** Outside of the region tmux inserts and deletes lines, where DEC's terminals do nothing. */
function insideRegion(draw: Draw): string {
  const top = 1 + draw(20), end = top + 1 + draw(10), row = top + draw(Math.min(25, end) - top + 1);
  return `\x1b[${top};${end}r\x1b[${row};${1 + draw(80)}H\x1b[${parameter(draw)}${pick(draw, "LM")}`;
}

/** Erases, inserts, deletes and scrolls, from a place in the middle of things. */
// deno-fmt-ignore
const EDITS: readonly ((draw: Draw) => string)[] = [
  (draw) => `\x1b[${draw(3)}J`, (draw) => `\x1b[${draw(3)}K`,
  (draw) => `\x1b[${parameter(draw)}${pick(draw, "PXST")}`,
  // Of more cells than are moved tmux leaves some as they were.
  (draw) => `\x1b[${1 + draw(25)};${1 + draw(50)}H\x1b[${1 + draw(10)}@`,
  insideRegion,
  // And repeats up to the end of the row only.
  (draw) => `\x1b[${1 + draw(25)};${1 + draw(50)}Hx\x1b[${1 + draw(20)}b`,
];

// deno-fmt-ignore
const MODES: readonly ((draw: Draw) => string)[] = [
  (draw) => { const top = 1 + draw(20); return `\x1b[${top};${top + 1 + draw(10)}r${place(draw)}`; },
  (draw) => `\x1b[r${place(draw)}`,
  (draw) => `\x1b[?25${pick(draw, "hl")}`, (draw) => `\x1b[?1${pick(draw, "hl")}`, (draw) => `\x1b[?2004${pick(draw, "hl")}`,
  (draw) => `\x1b[?6${pick(draw, "hl")}${place(draw)}`,
  (draw) => `\x1b[4h${word(draw, 6, LETTERS)}\x1b[4l`,
  (draw) => `\x1b(0${word(draw, 6, "lqkxmjtuvwn")}\x1b(B`, (draw) => `\x1b)0\x0e${word(draw, 6, "lqkxmj")}\x0f\x1b)B`,
  (draw) => `\x1b[?7l\x1b[${1 + draw(25)};70H${word(draw, 30, LETTERS)}\x1b[?7h${place(draw)}`,
  (draw) => `\x1b[?6l\x1b[?1049h${place(draw)}${word(draw, 20)}\x1b[2J${word(draw, 20)}\x1b[?1049l${place(draw)}`,
  (draw) => `${place(draw)}\x1bH`, (draw) => `\x1b[${pick(draw, "03")}g`,
  (draw) => draw(6) === 0 ? "\x1b#8" : "", (draw) => draw(12) === 0 ? "\x1bc" : "",
];

/**
 * Some output. Colours last as long as nothing scrolls by itself: what comes in then differs, in the pen's background on
 * xterm and Linux, in none in tmux. The last column is left before anything depends on where the cursor is.
 */
export function output(draw: Draw): string {
  const kind = draw(11);
  if (kind === 10) return styled(draw);
  if (kind < 3) return `${place(draw)}${word(draw, 100)}${place(draw)}`;
  if (kind === 3) return `\x1b[${1 + draw(25)};${1 + draw(50)}H${rendition(draw)}${word(draw, 25)}\x1b[m`;
  if (kind === 4) return `${place(draw)}${rendition(draw)}${EDITS[draw(5)]!(draw)}\x1b[m${place(draw)}`;
  if (kind === 5) return `${place(draw)}${EDITS[draw(EDITS.length)]!(draw)}${place(draw)}`;
  if (kind === 6) return MODES[draw(MODES.length)]!(draw);
  if (kind === 7) return unknown(draw);
  if (kind === 8) return `\r\n${word(draw, 70)}\r\n${word(draw, 70)}\r\n`;
  return Array.from({ length: 1 + draw(6) }, () => MOVES[draw(MOVES.length)]!(draw)).join("");
}

/** Words that look different, one beside another. */
function styled(draw: Draw): string {
  const words = Array.from({ length: 4 }, () => `${rendition(draw)}${word(draw, 6)}`);
  return `\x1b[${1 + draw(25)};${1 + draw(50)}H${words.join("")}\x1b[m`;
}

/** Output with everything in it: for those who need not agree with others about its meaning. */
export function wildOutput(draw: Draw): string {
  const kind = draw(8);
  if (kind === 0) return word(draw, 120, LETTERS + OTHERS + WIDE) + rendition(draw);
  if (kind === 1) return String.fromCodePoint(...Array.from({ length: 8 }, () => draw(0x2b0)));
  if (kind === 2) return `${rendition(draw)}${EDITS[draw(EDITS.length)]!(draw)}${word(draw, 10, WIDE)}`;
  if (kind === 3) return MODES[draw(MODES.length)]!(draw);
  if (kind === 4) return `${place(draw)}${rendition(draw)}${word(draw, 9)}${rendition(draw)}${word(draw, 9)}`;
  return output(draw);
}
