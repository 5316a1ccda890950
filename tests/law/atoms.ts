/** Pieces of random guest code, a table by weight: what a program of the law's generator does between its traps. */
import { hasFeature } from "../../machine/a64/feature.ts";
import { featureOf, type Instruction, lower, ROWS } from "../../machine/a64/rows.ts";
import { randomWord } from "../machine/a64/random_words.ts";
import { CODE, DATA, DEVICE, FREE, hex, LOCKS, type Place, TABLE, WINDOW, x } from "./place.ts";
import type { Choices } from "./random.ts";
import {
  arm,
  changeControl,
  firmware,
  HINTS,
  idle,
  MAINTENANCE,
  MASKS,
  otherTables,
  profile,
  READABLE,
  semihosting,
  step,
  writeSystem,
} from "./system_atoms.ts";

const named = (pattern: RegExp, without = /^$/): readonly Instruction[] =>
  ROWS.filter(({ name, lowering }) => lowering !== undefined && pattern.test(name) && !without.test(name));

const JUMPS = /^(B|BL|(BR|BLR|RET|ERET)(A[AB]Z?)?|B_cond|CBN?Z|TBN?Z|DRPS|HVC|SMC|HLT|SVC|BRK)$/;
const ANY = named(/./, JUMPS);
const MEMORY = named(/^(LD|ST|PRFM)/, /XR/);
const EXCLUSIVE = named(/XR|XP|^(CAS|SWP|LD(ADD|CLR|EOR|SET|SMAX|SMIN|UMAX|UMIN))/);
/** Floating point and Advanced SIMD: whatever touches V. */
const VECTOR = ROWS.filter((row) => {
  if (row.lowering === undefined) return false;
  const fields = Object.fromEntries(row.pattern.fields.map(({ name }) => [name, 1]));
  try {
    return lower(row, fields).some(({ op, immediates }) =>
      op === "helper" && immediates[0] === "checkFpEnabled"
    );
  } catch {
    return false;
  }
});

/** A random word of one of these rows; with a base, its registers are such that it mostly does what it says. */
function word(rows: readonly Instruction[], { choices, model }: Place, base?: number): string {
  const row = choices.of(rows);
  const random = randomWord(row, () => choices.word());
  if (random === undefined) return "nop";
  const isThere = hasFeature(model, featureOf(row, row.pattern.decode(random)));
  if (!isThere && !choices.oneIn(8)) return "nop";
  if (base === undefined || choices.oneIn(16)) return `.word ${hex(random)}`;
  const fields = { ...row.pattern.decode(random) };
  for (const name of ["Rt", "Rt2", "Rd", "Rs", "Rm"]) {
    if (fields[name] !== undefined) fields[name] = (fields[name] as number) % FREE;
  }
  if (fields["Rn"] !== undefined) fields["Rn"] = base;
  if (row.when !== undefined && !row.when(fields)) return `.word ${hex(random)}`;
  return `.word ${hex(row.pattern.encode(fields))}`;
}

/** Attributes of a page of the window: sometimes read-only, for EL0, Device, unset access flag, or no page at all. */
function descriptor(choices: Choices): bigint {
  if (choices.oneIn(5)) return BigInt(choices.of([0, 1, 2, 0x4040_0000]));
  const page = choices.of([0x4040_0000, 0x8040_0000, 0x4040_0000]) + 4096 * choices.below(4);
  const access = choices.of([0x00, 0x40, 0x40, 0x80, 0xc0]);
  const flag = choices.oneIn(8) ? 0 : 0x400;
  const attribute = choices.of([1, 1, 1, 2, 0]) << 2;
  return BigInt(page) | BigInt(access | flag | attribute | 0x303);
}

const INVALIDATE = ["tlbi vmalle1", "tlbi vmalle1is", "tlbi vae1, x9", "tlbi vaae1is, x9", "tlbi aside1, x9"];

function tableEdit({ choices }: Place): string {
  const entry = choices.below(8);
  const lines = [`ldr x9, =${hex(descriptor(choices))}`, `str x9, [x${TABLE}, #${entry * 8}]`];
  if (choices.oneIn(8)) lines[1] = `strb w9, [x${TABLE}, #${entry * 8 + choices.below(8)}]`;
  if (choices.oneIn(3)) lines.push(`ldr x10, [x${WINDOW}, #${choices.below(4) * 8}]`);
  if (choices.oneIn(3)) lines.push(choices.of(INVALIDATE), "dsb ish", "isb");
  return lines.join("\n");
}

/** An access to a page of the window, often misaligned or across its end. */
function windowAccess({ choices }: Place): string {
  const page = choices.below(8);
  const near = choices.oneIn(2) ? choices.between(-9, 9) : choices.between(-256, 255);
  const name = choices.of(["ldur", "stur", "ldur", "stur", "ldtr", "sttr"]);
  const register = choices.of(["x", "w"]) + choices.below(FREE);
  return `add x9, x${WINDOW}, #${page}, lsl #12\n${name} ${register}, [x9, #${near}]`;
}

function lock({ choices, index }: Place): string {
  const at = choices.of([0, 8, 56, 64, 128]);
  const acquire = choices.of(["", "a"]), release = choices.of(["", "l"]);
  return [
    `add x9, x${LOCKS}, #${at}`,
    `ld${acquire}xr x10, [x9]`,
    choices.of(["nop", "yield", "clrex", `str x10, [x9]`, "svc #1", `str x10, [x${LOCKS}, #8]`]),
    `add x10, x10, #1`,
    `st${release}xr w11, x10, [x9]`,
    choices.oneIn(3)
      ? `mrs x12, cntpct_el0\ntbz x12, #6, 1f\ncbnz w11, a${index}\n1:`
      : `str w11, [x${DATA}, #${choices.below(16) * 4}]`,
  ].join("\n");
}

/** Changes an instruction of some piece before or after it ran. */
function selfModify(place: Place): string {
  const { choices, count, index } = place;
  const lines = [
    `ldr w9, patch${index}`,
    `b 1f`,
    `patch${index}:\n${choices.oneIn(8) ? ".word 0" : word(ANY, place, DATA)}`,
    `1:\nldr x10, =(a${choices.below(count)} - start)`,
    `str w9, [x${CODE}, x10]`,
  ];
  if (choices.oneIn(2)) lines.push("ic ivau, x10", "dsb ish", "isb");
  return lines.join("\n");
}

/** Offsets worth an access, by the base's register number or the device's address. */
// deno-fmt-ignore
const REGISTERS: readonly (readonly [weight: number, base: number, offsets: readonly number[]])[] = [
  [4, 25, [0x00, 0x00, 0x18, 0x2c, 0x30, 0x34, 0x38, 0x38, 0x3c, 0x40, 0x44, 0xfe0]],
  [4, 26, [0x000, 0x004, 0x080, 0x100, 0x104, 0x180, 0x200, 0x204, 0x280, 0x300, 0x380, 0x400, 0x418, 0x420, 0x800, 0x820, 0xc04, 0xc08, 0xf00, 0xf00, 0xf10, 0xf20]],
  [4, 27, [0x00, 0x04, 0x08, 0x0c, 0x0c, 0x10, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0xd0, 0xe0, 0xfc]],
  [2, 0x0901_0000, [0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c]],
  [2, 0x0902_0000, [0x00, 0x08, 0x10, 0x14]],
  [1, 0x0a00_0000, [0x00, 0x04, 0x08, 0x70]],
  [2, 0x0803_0000, [0x00, 0x04, 0x08, 0x10, 0x20, 0x30, 0xf0, 0x100, 0x104, 0x10c]],
  [2, 0x0804_0000, [0x00, 0x04, 0x08, 0x0c, 0x10, 0x18]],
  [3, 0x0400_0000, [0x00, 0x04, 0x40, 0x1000, 0x1004, 0x13]],
  [1, 0x0000_0000, [0x00, 0x04, 0x1000]],
  [1, 0x0904_0000, [0x00, 0x18]],
  [1, 0x3000_0000, [0x00, 0x10]],
];

const VALUES = [0, 1, 2, 3, 0xff, 0x10, 0x20, 0x28, 0x40, 0x50, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0x80, 0xf0, 27];

/** Some accesses to one device. */
function device({ choices }: Place): string {
  const [, base, offsets] = choices.weighted(REGISTERS);
  const lines = base < 32 ? [`mov x9, x${base}`] : [`mov x9, #${hex(base)}`];
  for (let left = choices.between(1, 4); left > 0; left--) {
    const value = choices.oneIn(3) ? choices.word() : choices.of(VALUES);
    const size = choices.of([["", "w"], ["", "w"], ["", "w"], ["h", "w"], ["b", "w"], ["", "x"]]);
    const [suffix, register] = size as [string, string];
    const offset = choices.of(offsets);
    const index = choices.below(FREE);
    if (choices.oneIn(2)) lines.push(`mov x8, #${offset}`, `ldr${suffix} ${register}${index}, [x9, x8]`);
    else lines.push(`mov x8, #${offset}`, `ldr w10, =${hex(value)}`, `str${suffix} ${register}10, [x9, x8]`);
  }
  return lines.join("\n");
}

/** Reads a flash bank as memory and as what answers commands, by turns. */
function flash({ choices }: Place): string {
  const lines = [`mov x9, #${hex(choices.of([0x0400_0000, 0]))}`];
  for (let left = choices.between(2, 5); left > 0; left--) {
    lines.push(`ldr w10, [x9, #${choices.below(4) * 4}]`, `str w10, [x${DATA}, #${choices.below(16) * 4}]`);
    lines.push(`mov w11, #${choices.of([0xff, 0xff, 0x70, 0x90, 0x98, 0x40])}`, `str w11, [x9]`);
  }
  return lines.join("\n");
}

/** A request to fw_cfg's DMA. */
function dma({ choices }: Place): string {
  const control = choices.of([0x0000_000a, 0x0019_000a, 0x0000_0004, 0x0005_000a, 0x0000_0010]);
  const swap = (value: number) => [24, 16, 8, 0].map((bits) => value >>> bits & 0xff);
  const bytes = [
    ...swap(control),
    ...swap(choices.below(300)),
    0,
    0,
    0,
    0,
    ...swap(0x4040_0000 + choices.below(8200)),
  ];
  const lines = bytes.flatMap((
    byte,
    index,
  ) => [`mov w10, #${byte}`, `strb w10, [x${DATA}, #${0x100 + index}]`]);
  lines.push(`mov x9, #0x09020000`, `ldr w10, =0x00014040`, `str w10, [x9, #0x14]`);
  return lines.join("\n");
}

/** Goes to a piece at another level, through ERET. */
function leave({ choices, count }: Place): string {
  const state = choices.of([0x0, 0x0, 0x5, 0x4, 0x20_0000, 0x20_0005, 0x1c5, 0x10_0005, 0x9, 0x3]);
  return [
    `ldr x9, =${hex(state)}`,
    `msr spsr_el1, x9`,
    `adr x9, a${choices.below(count)}`,
    `msr elr_el1, x9`,
    choices.oneIn(6) ? "nop" : "eret",
  ].join("\n");
}

function jump({ choices, count, index }: Place): string {
  const to = `a${choices.oneIn(6) ? choices.below(count) : (index + choices.between(1, 12)) % count}`;
  const back = `a${choices.below(index + 1)}`;
  switch (choices.below(6)) {
    case 0:
      return `b ${to}`;
    case 1:
      return `mrs x9, cntpct_el0\ntbz x9, #${choices.between(2, 6)}, ${back}`;
    case 2:
      return `tbz ${x(choices)}, #${choices.below(64)}, ${to}`;
    case 3:
      return `adr x9, ${to}\n${choices.oneIn(4) ? "orr x9, x9, #0x7f00000000000000\n" : ""}br x9`;
    case 4:
      return `b.${choices.of(["eq", "ne", "lt", "hi", "vs"])} ${to}`;
    default:
      return `bl ${to}`;
  }
}

/** Adds, moves and the like on small numbers, so that addresses and conditions vary. */
function arithmetic({ choices }: Place): string {
  return `${choices.of(["add", "sub", "eor", "and", "adds"])} ${x(choices)}, ${x(choices)}, ${x(choices)}`;
}

/** Some instructions a few times over, so that engines meet them again; X14 counts. */
function loop(place: Place): string {
  const { choices, index } = place;
  const inside = Array.from({ length: choices.between(1, 6) }, () => {
    const rows = choices.of([ANY, VECTOR, MEMORY]);
    return word(rows, place, choices.of([DATA, DATA, LOCKS, WINDOW]));
  });
  const middle = choices.oneIn(4)
    ? `\n${choices.of(["svc #2", "isb", "yield", `tbz x13, #${choices.below(64)}, l${index}`])}`
    : "";
  return `mov x14, #${choices.of([2, 5, 20, 100])}\nl${index}:\n${
    inside.join("\n")
  }${middle}\nsubs x14, x14, #1\nb.gt l${index}`;
}

/** Calls of a routine that calls itself, with returns by RET or by BR. */
function calls({ choices, index }: Place): string {
  const back = choices.of(["ret", "ret", "br x30", "ret x30"]), depth = choices.between(1, 12);
  return [
    `mov x13, #${depth}\nmov x15, sp\nbl f${index}\nmov sp, x15\nb e${index}`,
    `f${index}:\nstr x30, [sp, #-16]!\nsubs x13, x13, #1\nb.le 1f\n${
      choices.of(["bl", "bl", "nop\nbl"])
    } f${index}`,
    `1:\nldr x30, [sp], #16\n${back}\ne${index}:`,
  ].join("\n");
}

/** Every kind of piece. */
// deno-fmt-ignore
export const ATOMS: readonly (readonly [weight: number, name: string, make: (place: Place) => string])[] = [
  [10, "anything",       (place) => word(ANY, place)],
  [10, "useful anything",(place) => word(ANY, place, place.choices.between(DATA, DEVICE))],
  [20, "memory",         (place) => word(MEMORY, place, place.choices.of([DATA, DATA, LOCKS, WINDOW]))],
  [8,  "exclusive",      (place) => word(EXCLUSIVE, place, place.choices.of([LOCKS, LOCKS, DATA, WINDOW]))],
  [10, "lock",           lock],
  [12, "arithmetic",     arithmetic],
  [14, "vector",         (place) => word(VECTOR, place)],
  [8,  "loop",           loop],
  [4,  "calls",          calls],
  [10, "table edit",     tableEdit],
  [14, "window",         windowAccess],
  [4,  "self-modifying", selfModify],
  [10, "device",         device],
  [3,  "flash",          flash],
  [3,  "step",           step],
  [4,  "arm",            arm],
  [3,  "profile",        profile],
  [1,  "DMA",            dma],
  [10, "MSR",            writeSystem],
  [6,  "MRS",            ({ choices }) => `mrs ${x(choices)}, ${choices.of(READABLE)}`],
  [2,  "SCTLR",          changeControl],
  [2,  "TTBR0",          otherTables],
  [10, "hint",           ({ choices }) => choices.of(HINTS)],
  [6,  "idle",           idle],
  [5,  "mask",           ({ choices }) => choices.of(MASKS)],
  [5,  "maintenance",    ({ choices }) => choices.of(MAINTENANCE)],
  [6,  "SVC",            ({ choices }) => `svc #${choices.below(4)}`],
  [2,  "BRK",            ({ choices }) => choices.of(["brk #1", ".word 0", ".word 0xffffffff", "hlt #3", "drps", "hvc #1", "smc #1"])],
  [2,  "PSCI",           firmware],
  [1,  "semihosting",    semihosting],
  [3,  "ERET",           leave],
  [8,  "jump",           jump],
];
