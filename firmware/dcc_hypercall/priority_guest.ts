/**
 * The guest that accesses the debug registers from EL1 and EL0 under every combination of controls, one exception each:
 * who takes it, and with which syndrome, is told by the machine's events, or by QEMU's `-d int`.
 *
 * It is a flat kernel for `-M virt,virtualization=on -kernel` at PRIORITY_GUEST_BASE, entered at EL2 with the MMU off,
 * with PSCI by SMC. What EL1 takes it hands to EL2 by HVC; EL2 goes on to the next access.
 */

/** Where `-kernel` puts a flat image. */
export const PRIORITY_GUEST_BASE = 0x40080000n;

/** A combination of controls. */
export interface Controls {
  /** MDSCR_EL1.TDCC. */
  readonly kernel: boolean;
  /** HCR_EL2.TGE. */
  readonly tge: boolean;
  /** MDCR_EL2.TDA and TDE. */
  readonly tda: boolean;
  readonly tde: boolean;
}

/** One access. */
export interface PriorityAccess extends Controls {
  /** The register that is read. */
  readonly register: string;
  /** The level that reads it. */
  readonly level: 0 | 1;
}

/** Registers that QEMU 7.2 has too. */
const REGISTERS = [
  "mdccsr_el0",
  "mdscr_el1",
  "mdccint_el1",
  "dbgbvr0_el1",
  "dbgbcr5_el1",
  "dbgwvr3_el1",
  "dbgwcr0_el1",
];
/** Those of the channel that it lacks. */
const CHANNEL = ["dbgdtr_el0", "dbgdtrrx_el0", "osdtrrx_el1", "osdtrtx_el1", "oseccr_el1", "dbgclaimset_el1"];

const BOTH = [false, true] as const;

/** All accesses, in order; `isWhole` with what QEMU 7.2 does otherwise: TDCC, and the registers that it lacks. */
export function priorityAccesses(isWhole: boolean): PriorityAccess[] {
  const registers = isWhole ? [...REGISTERS, ...CHANNEL] : REGISTERS;
  return (isWhole ? BOTH : [false]).flatMap((kernel) =>
    BOTH.flatMap((tge) =>
      BOTH.flatMap((tda) =>
        BOTH.flatMap((tde) =>
          ([0, 1] as const).filter((level) => level === 0 || !tge).flatMap((level) =>
            registers.map((register) => ({ kernel, tge, tda, tde, level, register }))
          )
        )
      )
    )
  );
}

/** Who takes an access: 0 for nobody, 1 or 2; UNDEFINED at EL0 is EL1's, or EL2's with TGE (Arm ARM, the registers). */
export function takerOf({ kernel, tge, tda, tde, level, register }: PriorityAccess): 0 | 1 | 2 {
  if (level === 0 && !register.endsWith("_el0")) return tge ? 2 : 1;
  if (level === 0 && kernel) return tge ? 2 : 1;
  return tge || tda || tde ? 2 : 0;
}

const RW = 1n << 31n, TGE = 1n << 27n, TDA = 1n << 9n, TDE = 1n << 8n, TDCC = 1n << 12n;
const STATES = { 0: 0x3c0, 1: 0x3c5 } as const;

function code({ kernel, tge, tda, tde, level, register }: PriorityAccess, n: number): string {
  return `
        ldr     x0, =${RW | (tge ? TGE : 0n)}
        msr     hcr_el2, x0
        mov     x0, #${6n | (tda ? TDA : 0n) | (tde ? TDE : 0n)}
        msr     mdcr_el2, x0
        mov     x0, #${kernel ? TDCC : 0n}
        msr     mdscr_el1, x0
        adr     x0, access${n}
        msr     elr_el2, x0
        mov     x0, #${STATES[level]}
        msr     spsr_el2, x0
        adr     x29, next${n}
        eret
access${n}: mrs   x${n % 29}, ${register}
        ${level === 0 ? "svc" : "hvc"}     #0x100
next${n}:`;
}

/** Literals are near their loads. */
const POOL = `
        b       1f
        .ltorg
1:`;

/** The program, for `assembleProgram` at PRIORITY_GUEST_BASE. */
export function priorityGuestSource(accesses: readonly PriorityAccess[]): string {
  return `
        adr     x0, vectors1
        msr     vbar_el1, x0
        adr     x0, vectors2
        msr     vbar_el2, x0
${accesses.map((access, n) => `${code(access, n)}${n % 32 === 31 ? POOL : ""}`).join("")}
        ldr     x0, =0x84000008                 // SYSTEM_OFF
        smc     #0
        b       .
        .ltorg
        .balign 2048
vectors1: .space 0x200
        hvc     #0x200
        .balign 512
        hvc     #0x200
        .balign 2048
vectors2: .space 0x400
        msr     elr_el2, x29
        mov     x0, #0x3c9
        msr     spsr_el2, x0
        eret
`;
}
