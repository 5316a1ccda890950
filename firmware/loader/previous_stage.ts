/**
 * The boot stage before a loader, one that cleans nothing up: it maps the page of the loader's vectors to a page of its
 * own, runs there, reads the loader's memory through the data cache, turns MMU and caches off and branches to the loader.
 * Linked where it is loaded, a multiple of the granule; entered with the MMU off. Without TLBI and DC IVAC the
 * architecture lets its translations and cached lines live on (Arm ARM D4.4.7, D5.9).
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { TABLE_BUILDER, tablesBlock } from "./table_builder.ts";
import {
  leafAttributes,
  LOADER_MAIR,
  type LoaderLevel,
  translationControl,
  type TranslationLayout,
} from "./translation_layout.ts";

/** What the stage is built for. */
export interface PreviousStageOptions extends TranslationLayout {
  /** The exception level of both. */
  readonly level: LoaderLevel;
  /** Physical address at which it is loaded. */
  readonly base: bigint;
  /** Physical address of the loader, where it branches to. */
  readonly loader: bigint;
  /** Bytes of the loader. */
  readonly size: number;
  /** Virtual address of the loader's handler, whose page it maps to a page of its own. */
  readonly handler: bigint;
}

/** Builds the stage; labels of interest: `decoy`, where a fetch of the handler by the old translation ends up, and parks. */
export function previousStage(
  { level, base, loader, size, handler, ...layout }: PreviousStageOptions,
): Program {
  const granule = 1n << BigInt(layout.granule), within = handler % granule;
  const text = `
        .balign 8
_start:
        adr     x0, tables
        adr     x1, room
        mov     x2, #10
        bl      tables_begin
        adr     x0, tables
        adr     x1, image
        mov     x2, x1
        adr     x3, image_end
        sub     x3, x3, x1
        ldr     x4, =${leafAttributes(level, "image")}
        bl      map_range
        adr     x0, tables
        ldr     x1, =${handler - within}
        adr     x2, decoy_page
        ldr     x3, =${granule}
        ldr     x4, =${leafAttributes(level, "image")}
        bl      map_range
        adr     x0, tables
        ldr     x1, =${loader}
        mov     x2, x1
        ldr     x3, =${size}
        ldr     x4, =${leafAttributes(level, "data")}
        bl      map_range
        ldr     x0, =${LOADER_MAIR}
        msr     mair_el${level}, x0
        ldr     x0, =${translationControl(level, layout) | 2n << (level === 1 ? 32n : 16n)}
        msr     tcr_el${level}, x0
        adr     x0, tables
        ldr     x0, [x0]
        msr     ttbr0_el${level}, x0
        dsb     sy
        isb
        mrs     x19, sctlr_el${level}
        ldr     x0, =0x1005                     // I, C and M
        orr     x0, x19, x0
        msr     sctlr_el${level}, x0
        isb
        mov     x28, #1
        ldr     x0, =${handler}
        blr     x0                              // by the translation that is left behind
        ldr     x0, =${loader}
        ldr     x1, =${loader + BigInt(size)}
1:      ldr     x2, [x0], #64                   // a line each
        cmp     x0, x1
        b.lo    1b
        msr     sctlr_el${level}, x19
        isb
        mov     x28, #0
        ldr     x0, =${loader}
        br      x0
        .ltorg
${tablesBlock("tables", layout)}
        .balign ${granule}
decoy_page:
        .space  ${within}
decoy:  cbz     x28, 1f
        ret
1:      wfi
        b       1b
        .balign ${granule}
        .bss
        .balign ${granule}
room:   .space  ${10n * granule}
image_end:
`;
  return assembleProgram([{ name: "entry", text: "image: b _start\n" }, TABLE_BUILDER, {
    name: "previous_stage",
    text,
  }], { base });
}
