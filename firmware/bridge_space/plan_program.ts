/** The code of a plan, and the tables of its spaces: what a machine runs to check it. */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { tlbiAll } from "../loader/kernel_start.ts";
import { leafAttributes, physicalSizeShift, translationControl } from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";
import type { Hop, PlannedSpace, PlanRequest } from "./planner.ts";

/** MAIR of all spaces: attribute 0 is Device-nGnRE, attribute 1 Normal write-back, as the loaders' own. */
export { LOADER_MAIR as PLAN_MAIR } from "../loader/translation_layout.ts";

/** Offset of the vectors in the code. */
const VECTORS_AT = 0x800;
const MOST_TABLES = 12, ROOM = MOST_TABLES << 16;

/** A plan as bytes in memory. */
export interface PlanProgram {
  /** For the code's physical address; `hop_N` is where hop N begins, `arrived` where the plan ends, `failed` a dead end. */
  readonly program: Program;
  /** Tables, and where they go. */
  readonly tables: readonly {
    readonly space: PlannedSpace;
    readonly at: bigint;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }[];
}

/** TCR of a space at a level; output addresses of 40 bits. */
export function tcrOf({ layout }: PlannedSpace, level: 1 | 2): bigint {
  return translationControl(level, layout) | 2n << BigInt(physicalSizeShift(level));
}

function tablesOf({ layout, mappings }: PlannedSpace, at: bigint, level: 1 | 2): Uint8Array<ArrayBuffer> {
  const builder = new TranslationTableBuilder(layout, at, MOST_TABLES);
  for (const mapping of mappings) builder.map({ ...mapping, attributes: leafAttributes(level, "image") });
  return builder.bytes;
}

/** The text of one hop; x9 = where the vectors go on. */
function hopText(
  hop: Hop,
  before: bigint,
  index: number,
  level: 1 | 2,
  rootOf: (space: PlannedSpace) => bigint,
) {
  const { kind, space, address } = hop, next = `hop_${index + 1}`;
  const flush = `        ${tlbiAll(level)}\n        dsb     nsh\n        isb\n`;
  const control = (text: string) => `
        mrs     x0, sctlr_el${level}
        ${text}     x0, x0, #1
        msr     sctlr_el${level}, x0
        isb
`;
  const registers = space === undefined ? "" : `
        ldr     x0, =${rootOf(space)}
        ldr     x1, =${tcrOf(space, level)}
        msr     ttbr0_el${level}, x0
        msr     tcr_el${level}, x1
        isb
${flush}`;
  const byAbort = `
        ldr     x0, =${address + BigInt(VECTORS_AT)}
        msr     vbar_el${level}, x0
        isb
        mov     x9, #(${next} - hop_0)
`;
  const text: Readonly<Record<Hop["kind"], string>> = {
    branch: `
        ldr     x1, =${BigInt.asUintN(64, address - before)}
        adr     x0, ${next}
        add     x0, x0, x1
        br      x0
`,
    switch: space === undefined ? "" : `
        ldr     x0, =${rootOf(space)}
        msr     ttbr0_el${level}, x0
        isb
${flush}`,
    off: control("bic") + flush,
    on: registers + control("orr"),
    offByAbort: byAbort + control("bic") + "        b       failed\n",
    onByAbort: registers + byAbort + control("orr") + "        b       failed\n",
  };
  return `hop_${index}:${text[kind]}`;
}

/**
 * The code for the request's physical address, with tables from `tablesAt` on, 64 KiB aligned. Entry: at `from` in the
 * source, with its tables, TCR and PLAN_MAIR, the MMU on and interrupts masked. Throws RangeError when it is too long.
 */
export function planProgram(
  request: PlanRequest,
  hops: readonly Hop[],
  level: 1 | 2,
  tablesAt: bigint,
): PlanProgram {
  const spaces = [
    ...new Set([request.source, ...hops.flatMap(({ space }) => space === undefined ? [] : [space])]),
  ];
  const tables = spaces.map((space, index) => {
    const at = tablesAt + BigInt(index * ROOM);
    return { space, at, bytes: tablesOf(space, at, level) };
  });
  const rootOf = (space: PlannedSpace) => tables[spaces.indexOf(space)]!.at;
  const addresses = [request.from, ...hops.map(({ address }) => address)];
  const texts = hops.map((hop, index) => hopText(hop, addresses[index]!, index, level, rootOf));
  const program = assembleProgram(
    `${texts.join("")}hop_${hops.length}:
arrived:
        nop
        b       .
failed: b       .
        .ltorg
        .org    ${VECTORS_AT}
        .space  0x200                           // an abort that was meant: EC 0x21, at the code's old address
        mrs     x0, esr_el${level}
        lsr     x0, x0, #26
        cmp     x0, #0x21
        b.ne    1f
        adr     x0, hop_0
        add     x0, x0, x9
        br      x0
1:      b       failed
        .org    0x1000
`,
    { name: "plan", base: request.physical },
  );
  return { program, tables };
}
