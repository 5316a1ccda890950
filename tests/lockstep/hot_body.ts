/** Random code that becomes hot: loops within loops, calls, jump tables, flags in all forms, and seldom anything else. */
import type { CpuModel } from "../../machine/a64/feature.ts";
import { ATOMS } from "../law/atoms.ts";
import { CODE, DATA, FREE, hex, LOCKS, type Place, WINDOW, x } from "../law/place.ts";
import type { Choices } from "../law/random.ts";

/** Registers that count rounds of loops, from the outermost; random code does not write them. */
const COUNTERS = [18, 17, 16];
const CONDITIONS = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"];

const general = (choices: Choices, is64: boolean): string => (is64 ? "x" : "w") + choices.below(FREE);

/** Sets flags; operands that are equal, or at the ends of their range, are frequent. */
function setFlags(choices: Choices): string {
  const is64 = choices.oneIn(2), r = () => general(choices, is64), a = r(), b = choices.oneIn(4) ? a : r();
  const zero = is64 ? "xzr" : "wzr", condition = choices.of(CONDITIONS);
  const corner = choices.of([
    `mov ${a}, #-1`,
    `mov ${a}, #0`,
    `mov ${a}, #${is64 ? "0x8000000000000000" : "0x80000000"}`,
    `mov ${a}, #${is64 ? "0x7fffffffffffffff" : "0x7fffffff"}`,
    `mov ${b}, ${a}`,
    `add ${a}, ${a}, #1`,
    "nop",
    "nop",
  ]);
  const set = choices.of([
    `cmp ${a}, ${b}`,
    `cmp ${a}, #${choices.below(4096)}`,
    `cmn ${a}, ${b}`,
    `cmn ${a}, #${choices.below(3)}`,
    `tst ${a}, ${b}`,
    `subs ${r()}, ${a}, ${b}`,
    `subs ${r()}, ${a}, #${choices.below(3)}`,
    `adds ${r()}, ${a}, ${b}`,
    `ands ${r()}, ${a}, ${b}`,
    `bics ${r()}, ${a}, ${b}`,
    `adcs ${r()}, ${a}, ${b}`,
    `sbcs ${r()}, ${a}, ${b}`,
    `negs ${r()}, ${a}`,
    `ccmp ${a}, ${b}, #${choices.below(16)}, ${condition}`,
    `ccmn ${a}, #${choices.below(32)}, #${choices.below(16)}, ${condition}`,
    `fcmp d${choices.below(8)}, d${choices.below(8)}`,
    `fcmp s${choices.below(8)}, #0.0`,
    `cmp ${a}, ${zero}`,
    `mov x9, #${hex(choices.below(16) * 2 ** 28)}\nmsr nzcv, x9`,
  ]);
  return `${corner}\n${set}`;
}

/** Asks what the flags are. */
function useFlags({ choices }: Place, skip: string): string {
  const is64 = choices.oneIn(2), r = () => general(choices, is64), condition = choices.of(CONDITIONS);
  return choices.of([
    `b.${condition} ${skip}`,
    `b.${condition} ${skip}`,
    `csel ${r()}, ${r()}, ${r()}, ${condition}`,
    `csinc ${r()}, ${r()}, ${r()}, ${condition}`,
    `csneg ${r()}, ${r()}, ${r()}, ${condition}`,
    `cset ${r()}, ${condition}`,
    `adc ${r()}, ${r()}, ${r()}`,
    `sbc ${r()}, ${r()}, ${r()}`,
    `fcsel d${choices.below(8)}, d1, d2, ${condition}`,
    `mrs ${x(choices)}, nzcv`,
  ]);
}

function flags(place: Place): string {
  const { choices } = place, lines = [setFlags(choices)];
  for (let left = choices.below(3); left > 0; left--) lines.push(quiet(place));
  for (let left = choices.between(1, 3); left > 0; left--) lines.push(useFlags(place, "1f"));
  lines.push(quiet(place), "1:");
  return lines.join("\n");
}

const byName = new Map(ATOMS.map(([, name, make]) => [name, make]));
const atom = (name: string) => byName.get(name) as (place: Place) => string;

/** An access near the end of one of the window's pages or within the data, with write-back at times. */
function access(place: Place): string {
  const { choices } = place, is64 = choices.oneIn(2), a = general(choices, is64), b = general(choices, is64);
  const base = choices.oneIn(3)
    ? `add x9, x${WINDOW}, #${choices.below(4)}, lsl #12\nadd x9, x9, #${choices.between(0xfe0, 0xfff)}`
    : choices.oneIn(3)
    ? `and x9, x${choices.below(9)}, #0xff\nadd x9, x9, x${DATA}`
    : `add x9, x${DATA}, #${choices.below(64) * 8}`;
  const offset = choices.between(-4, 7) * (is64 ? 8 : 4);
  const other = a === b ? (is64 ? "x15" : "w15") : b;
  const mode = choices.of([
    `[x9]`,
    `[x9, #${choices.between(-64, 63)}]!`,
    `[x9], #${choices.between(-64, 63)}`,
  ]);
  const pair = choices.of([`[x9, #${offset}]`, `[x9, #${offset}]!`, `[x9], #${offset}`]);
  const isBase = [a, other].some((name) => name.slice(1) === "9");
  return `${base}\n${
    isBase ? `ldr ${a}, [x9]` : choices.of([
      `ldr ${a}, ${mode}`,
      `str ${a}, ${mode}`,
      `ldrsh ${a}, ${mode}`,
      `ldrb w1, ${mode}`,
      `strh w2, ${mode}`,
      `ldp ${a}, ${other}, ${pair}`,
      `stp ${a}, ${other}, ${pair}`,
      `ldr q${choices.below(8)}, ${mode}`,
      `str q${choices.below(8)}, ${mode}`,
      `ldr d${choices.below(8)}, ${mode}`,
      `str s${choices.below(8)}, ${mode}`,
      `ldp q0, q1, [x9]`,
      `stp d2, d3, [x9]`,
      `ld1 {v4.16b, v5.16b}, [x9]`,
      `st1 {v6.8h}, [x9]`,
      `ldar x10, [x${LOCKS}]`,
      `stlr x10, [x${LOCKS}]`,
    ])
  }`;
}

/** What neither branches nor traps as a rule. */
function quiet(place: Place): string {
  const { choices } = place;
  const is64 = choices.oneIn(2), r = () => general(choices, is64);
  return choices.oneIn(3) ? access(place) : choices.of([
    `add ${r()}, ${r()}, ${r()}`,
    `sub ${r()}, ${r()}, #${choices.below(4096)}`,
    `eor ${r()}, ${r()}, ${r()}, lsl #${choices.below(32)}`,
    `madd ${r()}, ${r()}, ${r()}, ${r()}`,
    `udiv ${r()}, ${r()}, ${r()}`,
    `ubfx ${r()}, ${r()}, #${choices.below(16)}, #${choices.between(1, 16)}`,
    `movk ${r()}, #${choices.below(65536)}, lsl #16`,
    `fadd d${choices.below(8)}, d${choices.below(8)}, d${choices.below(8)}`,
    `add v${choices.below(8)}.4s, v${choices.below(8)}.4s, v${choices.below(8)}.4s`,
    `fmov d${choices.below(8)}, x${choices.below(FREE)}`,
    `umov w${choices.below(FREE)}, v${choices.below(8)}.h[${choices.below(8)}]`,
    `ins v${choices.below(8)}.s[${choices.below(4)}], w${choices.below(FREE)}`,
    choices.of(["add sp, sp, #16", "sub sp, sp, #16", "stp x1, x2, [sp, #-16]!", "ldp x1, x2, [sp], #16"]),
  ]);
}

/** Calls one of the leaves, directly or by a register, or goes on by a table of jumps. */
function call({ choices, index, count }: Place): string {
  const leaf = `leaf${choices.below(LEAVES)}`;
  const more = Array.from({ length: 4 }, () => choices.of(["1f", "2f"]));
  return choices.of([
    `bl ${leaf}`,
    `bl ${leaf}`,
    `adr x9, ${leaf}\nblr x9`,
    `adr x30, ${leaf}\nblr x30`,
    `adr x30, 1f\nb ${leaf}\n1:`,
    `and x9, x${choices.below(9)}, #3\nadr x10, t${index}\nadd x10, x10, x9, lsl #2\nbr x10\nt${index}:\n${
      more.map((to) => `b ${to}`).join("\n")
    }\n1: add x1, x1, #1\n2:`,
    `tbz ${x(choices)}, #${choices.below(64)}, 1f\nadd x2, x2, #3\n1:`,
    `cbnz ${general(choices, choices.oneIn(2))}, 1f\nadd x3, x3, #5\n1:`,
    `tbnz x${COUNTERS[0]}, #${choices.below(4)}, ${
      choices.oneIn(12) ? `a${choices.below(count)}` : "1f"
    }\n1:`,
  ]);
}

/** An instruction of the page is another one in every second round. */
function modify({ choices, index }: Place): string {
  const words = choices.of([["0x91000421", "0xd1000421"], ["0x91000421", "0x14000001"], [
    "0xeb02003f",
    "0xab02003f",
  ]]);
  return [
    `ldr w9, =${words[0]}\ntbz x${COUNTERS[0]}, #${choices.below(3)}, 1f\nldr w9, =${words[1]}`,
    `1: ldr x10, =(m${index} - start)\nstr w9, [x${CODE}, x10]`,
    choices.oneIn(2) ? "ic ivau, x10\nisb" : "nop",
    `m${index}: ${choices.of(["nop", "add x1, x1, #1", "cmp x1, x2"])}\nb.ne 2f\nadd x4, x4, #1\n2:`,
  ].join("\n");
}

// deno-fmt-ignore
const PIECES: readonly (readonly [weight: number, make: (place: Place) => string])[] = [
  [30, flags],
  [30, quiet],
  [12, call],
  [10, atom("memory")],
  [8,  atom("window")],
  [8,  atom("vector")],
  [4,  atom("useful anything")],
  [4,  atom("exclusive")],
  [3,  atom("lock")],
  [2,  modify],
  [2,  atom("table edit")],
  [2,  atom("maintenance")],
  [2,  atom("mask")],
  [1,  atom("SVC")],
  [1,  atom("MRS")],
  [1,  atom("hint")],
  [1,  atom("arm")],
  [1,  atom("self-modifying")],
  [1,  atom("jump")],
  [1,  atom("ERET")],
];

const LEAVES = 6;
/** Ends of pages that code lies across, at most: TBZ reaches 32 KiB. */
const MOST_PAGE_ENDS = 3;

/** A routine that returns, one way or another. */
function leaf(choices: Choices, number: number): string {
  const body = Array.from({ length: choices.below(5) }, () => {
    const is64 = choices.oneIn(2), r = () => general(choices, is64);
    return choices.of([`adds ${r()}, ${r()}, ${r()}`, `eor ${r()}, ${r()}, ${r()}`, `cmp ${r()}, ${r()}`]);
  });
  const back = choices.of(["ret", "ret", "mov x9, x30\nbr x9", "mov x9, x30\nret x9"]);
  return `leaf${number}:\n${body.join("\n")}\n${
    choices.oneIn(3) ? `b.${choices.of(CONDITIONS)} leaf${number}r\nadd x5, x5, #1\nleaf${number}r:\n` : ""
  }${back}`;
}

/** Loops, some within others, in a ring; some of it lies across the end of a page. */
export function hotBody(choices: Choices, model: CpuModel): string {
  const count = choices.between(6, 24), text: string[] = [];
  let ends = 0;
  for (let index = 0; index < count; index++) {
    const depth = choices.of([1, 1, 2, 2, 3]);
    if (ends < MOST_PAGE_ENDS && choices.oneIn(6)) {
      ends++;
      text.push(`b a${index}\n.balign 4096\n.skip ${choices.of([4092, 4088, 4060, 3900])}`);
    }
    text.push(`a${index}:`);
    for (let level = 0; level < depth; level++) {
      text.push(`mov x${COUNTERS[level]}, #${choices.of([1, 2, 3, 7, 12])}\nl${index}_${level}:`);
      pieces(text, { choices, index, count, model }, level, choices.between(1, 5));
    }
    for (let level = depth - 1; level >= 0; level--) {
      const counter = COUNTERS[level];
      text.push(choices.of([
        `subs x${counter}, x${counter}, #1\nb.gt l${index}_${level}`,
        `subs x${counter}, x${counter}, #1\nb.hi l${index}_${level}`,
        `sub x${counter}, x${counter}, #1\ncbnz x${counter}, l${index}_${level}`,
        `subs w${counter}, w${counter}, #1\nb.ne l${index}_${level}`,
      ]));
      if (choices.oneIn(2)) pieces(text, { choices, index, count, model }, 3 + level, choices.between(1, 3));
    }
    if (index % 4 === 3) text.push("b 9f\n.ltorg\n9:");
  }
  const landings = Array.from({ length: 8 }, () => `b a${choices.below(count)}`);
  const leaves = Array.from({ length: LEAVES }, (_, number) => leaf(choices, number));
  return `landings:\n${landings.join("\n")}\n${text.join("\n")}\nb a0\n.ltorg\n${leaves.join("\n")}\n`;
}

/** Pieces whose labels are their own. */
function pieces(text: string[], place: Place, level: number, count: number): void {
  for (let number = 0; number < count; number++) {
    const [, make] = place.choices.weighted(PIECES);
    const own = place.index * 100 + level * 10 + number;
    const made = make({ ...place, index: 1000 + own });
    // Where there is no such loop, this one is as good.
    text.push(
      made.replace(/\ba(\d+)\b(?!:)/g, (name, to) => Number(to) < place.count ? name : `a${place.index}`),
    );
  }
}
