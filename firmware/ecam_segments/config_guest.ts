/**
 * A guest that does a list of accesses and calls, one after another, and prints what each read gave, or the syndrome of its
 * abort: configuration space by segments, by a root port's own registers, and by calls (Arm DEN 0115).
 *
 * A flat kernel for `-M virt -kernel` at CONFIG_GUEST_BASE, entered at EL1 with the MMU off; the list is behind the code.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { ROOT_PORT } from "../../machine/devices/pci/root_port.ts";
import { CONSOLE, UART_ADDRESS } from "../loader/console.ts";

/** Where `-kernel` puts a flat image. */
export const CONFIG_GUEST_BASE = 0x4008_0000n;

/** An access: of 1, 2, 4 or 8 bytes at a physical address; a write has a value. */
export interface GuestAccess {
  /** Physical address, a multiple of `size`. */
  readonly address: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4 | 8;
  /** What is written. */
  readonly value?: bigint;
  /** A word that is written before. */
  readonly before?: { readonly address: number; readonly value: number };
}

/** A call: function identifier in X0, then arguments from X1 on; what comes back in X0 and X1 is printed. */
export interface GuestCall {
  /** X0. */
  readonly call: number;
  /** X1 to X4. */
  readonly arguments: readonly number[];
}

/** What the guest does. */
export type GuestStep = GuestAccess | GuestCall;

/** The access to a function below a root port, by its index register and its window. */
export function trueAccess(
  registers: number,
  { bus, device, function: number }: {
    readonly bus: number;
    readonly device: number;
    readonly function: number;
  },
  { offset, size, value }: { readonly offset: number; readonly size: 1 | 2 | 4 | 8; readonly value?: bigint },
): GuestAccess {
  const { INDEX, DATA, BUS_SHIFT, DEVICE_SHIFT, FUNCTION_SHIFT } = ROOT_PORT;
  const index = bus << BUS_SHIFT | device << DEVICE_SHIFT | number << FUNCTION_SHIFT;
  const access = {
    address: registers + DATA + offset,
    size,
    before: { address: registers + INDEX, value: index },
  };
  return value === undefined ? access : { ...access, value };
}

const CALL = 8, END = 0xffff, STEP_SIZE = 48;

function encode(steps: readonly GuestStep[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer((steps.length + 1) * STEP_SIZE));
  const put = (at: number, ...values: readonly (number | bigint)[]): void =>
    values.forEach((value, index) =>
      view.setBigUint64(at + index * 8, BigInt.asUintN(64, BigInt(value)), true)
    );
  for (const [index, step] of steps.entries()) {
    const at = index * STEP_SIZE;
    if ("call" in step) {
      const [x1 = 0, x2 = 0, x3 = 0, x4 = 0] = step.arguments;
      put(at, step.call, x1, x2, x4, CALL, x3);
    } else {
      const { address, size, value, before } = step;
      put(
        at,
        before?.address ?? 0,
        before?.value ?? 0,
        address,
        value ?? 0n,
        [1, 2, 4, 8].indexOf(size) + (value === undefined ? 0 : 4),
      );
    }
  }
  put(steps.length * STEP_SIZE, 0, 0, 0, 0, END);
  return new Uint8Array(view.buffer);
}

/** The image, list included; `conduit` calls PSCI and what else is called. */
export function configGuest(steps: readonly GuestStep[], conduit: "smc" | "hvc"): Program {
  const text = `
_start: ldr     x26, =${UART_ADDRESS}
        adr     x0, vectors
        msr     vbar_el1, x0
        isb
        adr     x28, steps
next:   ldp     x1, x2, [x28]
        ldp     x3, x4, [x28, #16]
        ldp     x5, x7, [x28, #32]
        add     x28, x28, #${STEP_SIZE}
        mov     x6, #0                          // the syndrome of an abort
        cmp     x5, #${CALL}
        b.eq    call
        b.hi    done
        cbz     x1, 1f
        str     w2, [x1]
1:      adr     x8, accesses
        add     x8, x8, x5, lsl #3
        br      x8
accesses:
        ldrb    w4, [x3]
        b       after
        ldrh    w4, [x3]
        b       after
        ldr     w4, [x3]
        b       after
        ldr     x4, [x3]
        b       after
        strb    w4, [x3]
        b       after
        strh    w4, [x3]
        b       after
        str     w4, [x3]
        b       after
        str     x4, [x3]
after:  cbnz    x6, 2f
        cmp     x5, #4
        b.hs    next
        mov     x0, x4
        bl      put_hex
        b       line
2:      mov     w1, #'!'
        strb    w1, [x26]
        mov     x0, x6
        bl      put_hex
line:   mov     w1, #'\\n'
        strb    w1, [x26]
        b       next

call:   mov     x0, x1
        mov     x1, x2
        mov     x2, x3
        mov     x3, x7
        ${conduit}     #0
        mov     x20, x1
        bl      put_hex
        mov     w1, #' '
        strb    w1, [x26]
        mov     x0, x20
        bl      put_hex
        b       line

done:   ldr     x0, =0x84000008
        ${conduit}     #0
        b       .
${CONSOLE.text}
        .balign 2048
vectors:
        .space  0x200
        mrs     x6, esr_el1
        mrs     x9, elr_el1
        add     x9, x9, #4
        msr     elr_el1, x9
        eret
        .space  0x200
        .ltorg
        .balign 16
steps:
`;
  const sources = [{ name: "config_guest", text }, { name: "steps", text: '.incbin "steps"\n' }];
  return assembleProgram(sources, { base: CONFIG_GUEST_BASE, files: { steps: encode(steps) } });
}
