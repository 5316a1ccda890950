/**
 * A guest that makes configuration cycles of a table, one behind the other: a flat kernel for `-M virt -kernel` at
 * RANDOM_CYCLES_BASE, entered at EL1 or EL2 with the MMU off, which calls PSCI by the conduit given.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Where `-kernel` puts a flat image. */
const RANDOM_CYCLES_BASE = 0x40080000n;

/** Instructions of cycles, with the address in x1 and the value in x2: 1, 2, 4 and 8 bytes. */
// deno-fmt-ignore
export const CYCLE_INSTRUCTIONS = ["ldrb w2", "ldrh w2", "ldr w2", "ldr x2", "strb w2", "strh w2", "str w2", "str x2"] as const;

/** One cycle. */
export interface RandomCycle {
  /** Number of its instruction. */
  readonly kind: number;
  /** Offset in the window. */
  readonly offset: number;
  /** What a store stores. */
  readonly value: bigint;
}

/** The program, for a window at an address. */
export function randomCyclesProgram(
  cycles: readonly RandomCycle[],
  window: number,
  conduit: "hvc" | "smc",
): Program {
  const table = new Uint8Array(cycles.length * 16), view = new DataView(table.buffer);
  for (const [at, { kind, offset, value }] of cycles.entries()) {
    view.setUint32(16 * at, kind, true);
    view.setUint32(16 * at + 4, offset, true);
    view.setBigUint64(16 * at + 8, BigInt.asUintN(64, value), true);
  }
  const source = String.raw`
_start: ldr     x20, =table
        ldr     x21, =${cycles.length}
        ldr     x22, =${window}
        adr     x23, cycles
next:   cbz     x21, done
        sub     x21, x21, #1
        ldp     w0, w1, [x20]
        ldr     x2, [x20, #8]
        add     x20, x20, #16
        add     x1, x1, x22
        add     x0, x23, x0, lsl #3
        br      x0
cycles: ${CYCLE_INSTRUCTIONS.map((text) => `${text}, [x1]; b next`).join("; ")}
done:   ldr     x0, =0x84000008
        ${conduit}     #0
        b       .
        .ltorg
        .balign 16
table:  .incbin "table"
`;
  return assembleProgram(source, { name: "cycles", base: RANDOM_CYCLES_BASE, files: { table } });
}
