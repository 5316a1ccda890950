/** Code that fills all registers of a world with random values, some of the system registers each time, before it leaves. */
import type { WorldRegister } from "./registers.ts";

/** A register is planted every so many rounds. */
export const PLANTING_GROUPS = 8;

/** The next value of x9 (xorshift64). */
const NEXT = `
        eor     x9, x9, x9, lsl #13
        eor     x9, x9, x9, lsr #7
        eor     x9, x9, x9, lsl #17`;

/** The text for one register; EL2 names SP_EL1, and EL1 has it selected. */
function plantOne({ name, random }: WorldRegister, level: 1 | 2): string {
  if (name === "SP_EL1") {
    return `${NEXT}\n        and     x1, x9, #~15\n        ${
      level === 1 ? "mov     sp, x1" : "msr     sp_el1, x1"
    }`;
  }
  const register = name.toLowerCase();
  return `${NEXT}
        ldr     x2, =0x${random.toString(16)}
        and     x1, x9, x2
        mrs     x3, ${register}
        bic     x3, x3, x2
        orr     x1, x1, x3
        msr     ${register}, x1`;
}

/**
 * Text that plants `rows` at a level, a group a round, and V0–V31 in the same way. `state` is the label of two words, the
 * generator's state and the number of the round. It goes on at the label `PREFIX_general`, which is the caller's, with
 * the generator in x9; it changes x1 to x3 and x9 to x13.
 */
export function plantingGroups(
  prefix: string,
  state: string,
  rows: readonly WorldRegister[],
  level: 1 | 2 = 1,
): string {
  const groups = Array.from({ length: PLANTING_GROUPS }, (_, group) => {
    const mine = rows.filter((_, index) => index % PLANTING_GROUPS === group);
    const vectors = Array.from({ length: 32 }, (_, n) => n).filter((n) => n % PLANTING_GROUPS === group);
    return `
${prefix}_group${group}:${mine.map((row) => plantOne(row, level)).join("")}${
      vectors.map((n) => `${NEXT}\n        fmov    d${n}, x9${NEXT}\n        ins     v${n}.d[1], x9`).join("")
    }
        b       ${prefix}_general`;
  });
  return `
        adrp    x10, ${state}
        add     x10, x10, :lo12:${state}
        ldp     x9, x11, [x10]
        adr     x12, ${prefix}_groups
        and     x13, x11, #${PLANTING_GROUPS - 1}
        ldr     w13, [x12, x13, lsl #2]
        add     x12, x12, x13
        add     x11, x11, #1
        str     x11, [x10, #8]
        br      x12
        .ltorg
${prefix}_groups:
${groups.map((_, group) => `        .word   ${prefix}_group${group} - ${prefix}_groups\n`).join("")}${
    groups.join("")
  }
        .ltorg
`;
}

/** Text that plants rows and vector registers at EL1 by turns, then X0–X30 and NZCV each time, and falls through. */
export function plantingText(prefix: string, state: string, rows: readonly WorldRegister[]): string {
  const general = Array.from({ length: 31 }, (_, n) => n).filter((n) => n !== 9);
  return `${plantingGroups(prefix, state, rows)}
${prefix}_general:
        adrp    x10, ${state}
        add     x10, x10, :lo12:${state}
        isb${NEXT}
        str     x9, [x10]
        msr     nzcv, x9${general.map((n) => `${NEXT}\n        mov     x${n}, x9`).join("")}
`;
}
