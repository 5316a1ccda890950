/** A64 code that enters Linux after what firmware has left for it to do, where RAM holds everything else already. */
import { assembleProgram, type Program, type Source } from "../../machine/a64/program.ts";

/** What a start is for. */
export interface EfiStartOptions {
  /** Physical address of the code. */
  readonly at: number;
  /** Physical address of the device tree. */
  readonly deviceTree: number;
  /** Physical address of the kernel (arm64 Image). */
  readonly kernel: number;
  /** Code to run before: see `efiStart`. */
  readonly before?: readonly Source[];
  /** Names that `before` may use. */
  readonly symbols?: Readonly<Record<string, bigint>>;
}

/**
 * The code, to be entered by CPU 0 at reset, at EL1 or EL2 with the MMU off. `before` is entered at its first
 * instruction and goes on at `enter_kernel`; it may change all registers but x20 (device tree) and x21 (kernel), and
 * must leave the MMU and caches off, no exception vectors that it needs, and DAIF masked.
 */
export function efiStart({ at, deviceTree, kernel, before, symbols = {} }: EfiStartOptions): Program {
  const text = `
_start: msr     daifset, #15
        ldr     x20, =${deviceTree}
        ldr     x21, =${kernel}
        b       ${before === undefined ? "enter_kernel" : "before_kernel"}
enter_kernel:
        dsb     sy
        ic      iallu
        dsb     sy
        isb
        mov     x0, x20
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        br      x21
        .ltorg
`;
  const more = before === undefined ? [] : [{ name: "before", text: "before_kernel:\n" }, ...before];
  return assembleProgram([{ name: "efi_start", text }, ...more], { base: BigInt(at), symbols });
}
