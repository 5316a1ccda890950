/**
 * The loader of bridge-space (US10185664B1): one file that UEFI starts as an application, and that can be entered at its
 * first byte too.
 *
 * The firmware's tables, S1, map virtual addresses to the same physical ones. The loader copies its image to VA_a, builds
 * S3, which has the switch code at VA_a and at VA_b, and S2, which has the image at VA_b alone, for the TCR and the MAIR
 * that are live, and goes over without ever turning the MMU off: TTBR0 = S3, TLBI, branch to the other copy, VBAR,
 * TTBR0 = S2, TLBI (Arm ARM DDI 0487, D8.14: invalidation; D8.2.5 for the ranges of TTBR0). At VA_b it leaves a record,
 * and comes back the same way, or starts a kernel.
 */
import { align, label, Part, program } from "../../machine/a64/program_parts.ts";
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { TABLE_BUILDER } from "../loader/table_builder.ts";
import { leafAttributes, type LoaderLevel, type MappingKind } from "../loader/translation_layout.ts";
import { UART_ADDRESS } from "../loader/console.ts";
import { PE_COFF_ALIGNMENT, peCoffHeader } from "../pe_coff.ts";
import { CORE_CODE, TABLE_PAGES } from "./core_code.ts";
import { ENTRY_CODE } from "./entry_code.ts";
import { SPACES_CODE } from "./spaces_code.ts";
import { SWITCH_CODE, SWITCH_SPAN } from "./switch_code.ts";

const MIB = 2 ** 20;

/** The memory that the loader takes from the firmware. */
export const ARENA = 0x5000_0000, ARENA_SIZE = 256 * MIB;

/** Where a kernel, its first root and its device tree go, from ARENA; below RESERVED, where no image goes. */
export const KERNEL_OFFSET = 0, INITRD_OFFSET = 64 * MIB, TREE_OFFSET = 88 * MIB, RESERVED = 96 * MIB;
/** Room for UEFI's memory map. */
const MAP_OFFSET = 92 * MIB;

/** Why a pair is refused, by number. */
// deno-fmt-ignore
export const REASONS = {
  SAME:         1,
  PLACE:        2,
  MISALIGNED:   3,
  RANGE:        4,
  DEVICE:       5,
  TABLES:       6,
  OVERLAP:      7,
  MMU_OFF:      8,
  GRANULE:      9,
  TABLE_SPACE: 10,
  COLLISION:   11,
  ATTRIBUTES:  12,
  NO_KERNEL:   13,
  FIRMWARE:    14,
} as const;

/** What each means. */
// deno-fmt-ignore
export const REASON_TEXTS: Readonly<Record<keyof typeof REASONS, string>> = {
  SAME:        "VA_a and VA_b are the same: nothing to do",
  PLACE:       "the image does not fit into the loader's memory at VA_a",
  MISALIGNED:  "VA_a or VA_b is no multiple of 4 KiB",
  RANGE:       "the image at VA_b is not below 2^(64 - T0SZ)",
  DEVICE:      "the image at VA_b covers the UART",
  TABLES:      "the tables lie in the range that is replaced",
  OVERLAP:     "the two copies of the switch code overlap",
  MMU_OFF:     "the MMU is off",
  GRANULE:     "TG0 is not 4 KiB",
  TABLE_SPACE: "there are not enough pages for tables",
  COLLISION:   "two mappings meet",
  ATTRIBUTES:  "the MAIR has no write-back or no Device-nGnRnE memory",
  NO_KERNEL:   "there is no kernel in the file",
  FIRMWARE:    "the firmware does not let go",
};

/** Offsets in the record, in bytes; all fields have 8. */
// deno-fmt-ignore
export const RECORD = {
  STATUS:        0, LEVEL:        8, VA_A:         16, VA_B:         24,
  DELTA:        32, MA:          40, S1:           48, TCR:          56,
  MAIR:         64, SCTLR:       72, VBAR:         80, VA_C:         88,
  S3:           96, S4:         104, S2:          112, LANDED:      120,
  LANDED_TTBR: 128, LANDED_SCTLR: 136, STACK:     144, DAIF:        152,
  DEVICE_TREE: 160, KERNEL:     168, FLAGS:       176, LANDED_VBAR: 184,
} as const;

/** Numbers of the bits of a pair's flags. */
export const FLAGS = { FLAG_KERNEL: 0, FLAG_SECOND: 1 } as const;

/** Offsets in the page of parameters: number of pairs, number of payloads, {from, bytes, to} of each, pairs of 32 bytes. */
export const PARAMETERS = { COUNT: 0, PAYLOADS: 8, PAIRS: 0x100, PAIR_SIZE: 32 } as const;
/** Pairs that fit into the page. */
export const MOST_PAIRS: number = (PE_COFF_ALIGNMENT - PARAMETERS.PAIRS) / PARAMETERS.PAIR_SIZE;

/** A switch that is asked for. */
export interface Pair {
  /** Where the image is before: in the loader's memory, a multiple of 4 KiB. */
  readonly from: bigint;
  /** Where it is afterwards: a multiple of 4 KiB. */
  readonly to: bigint;
  /** Go on to the kernel. */
  readonly startsKernel?: boolean;
  /** Go over two bridges where one would overlap. */
  readonly mayTakeTwo?: boolean;
}

/** What the loader starts. */
export interface Payload {
  /** A Linux arm64 Image. */
  readonly kernel: Uint8Array;
  /** Its first root. */
  readonly initrd: Uint8Array;
  /** Its device tree, which names INITRD_OFFSET. */
  readonly deviceTree: Uint8Array;
}

/**
 * Why a pair is refused where addresses have so many bits, or undefined: what the loader has to say, by the rules alone.
 */
export function refusalOf({ from, to, mayTakeTwo }: Pair, bits: number): keyof typeof REASONS | undefined {
  const { image, window } = coreSizes(), delta = to - from, end = to + BigInt(image);
  const meets = (start: bigint, size: number) => to < start + BigInt(size) && start < end;
  if (from % 4096n !== 0n) return "MISALIGNED";
  if (from < BigInt(ARENA + RESERVED) || from + BigInt(window) > BigInt(ARENA + ARENA_SIZE)) return "PLACE";
  if (delta === 0n) return "SAME";
  if (to % 4096n !== 0n) return "MISALIGNED";
  if (end > 1n << BigInt(bits)) return "RANGE";
  if (meets(UART_ADDRESS, 4096)) return "DEVICE";
  if (meets(from + BigInt(image), window - image)) return "TABLES";
  if (delta > -SWITCH_SPAN && delta < SWITCH_SPAN && mayTakeTwo !== true) return "OVERLAP";
  return undefined;
}

/** What is printed of the record, in this order. */
// deno-fmt-ignore
const SHOWN = [
  ["bridge: el=", "LEVEL"], [" vbar=", "LANDED_VBAR"], [" a=", "VA_A"], [" b=", "VA_B"], [" c=", "VA_C"], [" tcr=", "TCR"], [" mair=", "MAIR"],
  [" s1=", "S1"], [" s3=", "S3"], [" s4=", "S4"], [" s2=", "S2"], [" at=", "LANDED"], [" ttbr0=", "LANDED_TTBR"],
  [" sctlr=", "LANDED_SCTLR"],
] as const;

/** The page of parameters. Throws RangeError for too many pairs. */
export function parameterPage(
  pairs: readonly Pair[],
  payloads: readonly (readonly [from: number, size: number, to: number])[] = [],
): Uint8Array<ArrayBuffer> {
  if (pairs.length > MOST_PAIRS) {
    throw new RangeError(`Cannot take ${pairs.length} pairs: at most ${MOST_PAIRS} fit`);
  }
  const page = new DataView(new ArrayBuffer(PE_COFF_ALIGNMENT));
  const put = (at: number, value: number | bigint) => page.setBigUint64(at, BigInt(value), true);
  put(PARAMETERS.COUNT, pairs.length);
  put(PARAMETERS.PAYLOADS, payloads.length);
  payloads.flat().forEach((value, index) => put(PARAMETERS.PAYLOADS + 8 + 8 * index, value));
  for (const [index, { from, to, startsKernel, mayTakeTwo }] of pairs.entries()) {
    const at = PARAMETERS.PAIRS + index * PARAMETERS.PAIR_SIZE;
    put(at, from);
    put(at + 8, to);
    put(
      at + 16,
      Number(startsKernel ?? false) << FLAGS.FLAG_KERNEL | Number(mayTakeTwo ?? false) << FLAGS.FLAG_SECOND,
    );
  }
  return new Uint8Array(page.buffer);
}

const equates = (table: Readonly<Record<string, number>>, prefix = ""): string =>
  Object.entries(table).map(([name, value]) => `.equ ${prefix}${name}, ${value}\n`).join("");

/** Leaf attributes but for the index into the MAIR, which is the live one's. */
const attributes = (level: LoaderLevel, kind: MappingKind): bigint =>
  leafAttributes(level, kind) & ~(7n << 2n);

const EQUATES = [
  equates(REASONS, "REASON_"),
  equates(RECORD),
  equates(FLAGS),
  equates(PARAMETERS),
  ...([1, 2] as const).map((level) =>
    `.equ IMAGE_ATTRIBUTES_${level}, ${attributes(level, "image")}\n` +
    `.equ DEVICE_ATTRIBUTES_${level}, ${attributes(level, "device")}\n`
  ),
  equates({ ARENA, ARENA_SIZE, KERNEL_OFFSET, TREE_OFFSET, MAP_OFFSET, RESERVED, TABLE_PAGES, SWITCH_SPAN }),
].join("");

const RECORD_FIELDS = SHOWN.map(([text, field]) => `.word ${field}\n.asciz "${text}"\n.balign 4\n`).join("");

const text = (name: string, lines: string): Part => new Part(() => lines, name);

/** Assembles the loader for a file of so many bytes, without pairs and payload. */
function assemble(size: number): Program {
  return program([
    text("equates", `${EQUATES}image:`),
    peCoffHeader({ efiEntry: label("efi_entry"), rawEntry: label("raw_entry"), size }),
    text("entry", ENTRY_CODE),
    align(PE_COFF_ALIGNMENT),
    text("parameters", `parameters: .space ${PE_COFF_ALIGNMENT}`),
    text("switch", `core:\nswitch_code_base:\n${SWITCH_CODE}`),
    text("spaces", SPACES_CODE),
    text("core", CORE_CODE),
    text(TABLE_BUILDER.name, TABLE_BUILDER.text),
    text("fields", `record_fields:\n${RECORD_FIELDS}.word 0`),
    align(PE_COFF_ALIGNMENT),
    text(
      "data",
      `record: .space ${PE_COFF_ALIGNMENT / 2}\ntables: .space ${
        PE_COFF_ALIGNMENT / 2
      }\n.space ${PE_COFF_ALIGNMENT}\nstack_end:\ncore_end:`,
    ),
  ], { name: "bridge-space" });
}

let assembled: Program | undefined;

/** The loader at base 0, for its symbols: places in the file, and in memory from where it was loaded. */
export function bridgeProgram(): Program {
  return assembled ??= assemble(PE_COFF_ALIGNMENT * 2);
}

/** The offset of one of its symbols from the image's first byte at VA_a or VA_b. Throws RangeError for an unknown one. */
export function coreOffset(symbol: string): number {
  const { symbols } = bridgeProgram(), address = symbols.get(symbol);
  if (address === undefined) throw new RangeError(`The loader has no symbol "${symbol}"`);
  return Number(address - (symbols.get("core") as bigint));
}

/** Bytes that the image takes at VA_b, and at VA_a with its tables. */
export function coreSizes(): { readonly image: number; readonly window: number } {
  const image = coreOffset("core_end");
  return { image, window: image + TABLE_PAGES * PE_COFF_ALIGNMENT };
}

const pageUp = (size: number): number => Math.ceil(size / PE_COFF_ALIGNMENT) * PE_COFF_ALIGNMENT;

/** A fault in the loader: another instruction at a symbol. */
export interface Mutant {
  /** Where. */
  readonly symbol: string;
  /** Its text. */
  readonly instruction: string;
}

/** The mutants that checks find again, by the level that they are in. */
// deno-fmt-ignore
export const MUTANTS = {
  noFirstTlbi:     (level: 1 | 2): Mutant => ({ symbol: `first_tlbi_el${level}`,   instruction: "nop" }),
  mappingOffByOne: (_level: 1 | 2): Mutant => ({ symbol: "map_second",             instruction: "sub x2, x19, #1, lsl #12" }),
  mappingMissing:  (_level: 1 | 2): Mutant => ({ symbol: "second_size",            instruction: "mov x3, #0" }),
  vectorsStay:     (level: 1 | 2): Mutant => ({ symbol: `move_vectors_el${level}`, instruction: "nop" }),
} as const;

/** The file with a fault. Throws RangeError for an unknown symbol. */
export function mutated(file: Uint8Array, { symbol, instruction }: Mutant): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(file), at = coreOffset(symbol) - coreOffset("image");
  copy.set(assembleProgram(instruction).bytes, at);
  return copy;
}

/** The file: loader, pairs, and what it may start. Throws RangeError for a payload that does not fit where it goes. */
export function bridgeFile(pairs: readonly Pair[], payload?: Payload): Uint8Array<ArrayBuffer> {
  const { bytes } = bridgeProgram();
  const parts = payload === undefined ? [] : [
    { bytes: payload.kernel, to: KERNEL_OFFSET, limit: INITRD_OFFSET },
    { bytes: payload.initrd, to: INITRD_OFFSET, limit: TREE_OFFSET },
    { bytes: payload.deviceTree, to: TREE_OFFSET, limit: MAP_OFFSET },
  ];
  const places: [from: number, size: number, to: number][] = [];
  let end = bytes.length;
  for (const { bytes: { length }, to, limit } of parts) {
    if (length > limit - to) throw new RangeError(`Cannot put ${length} bytes where ${limit - to} are free`);
    places.push([end, length, to]);
    end += pageUp(length);
  }
  const file = new Uint8Array(end);
  file.set(assemble(end).bytes);
  file.set(parameterPage(pairs, places), Number(bridgeProgram().symbols.get("parameters")));
  parts.forEach(({ bytes }, index) => file.set(bytes, (places[index] as readonly number[])[0]));
  return file;
}
