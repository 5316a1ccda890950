/** Debug registers (Arm ARM D13.3): storage, locks and claim tags; there is no external debugger. */
import { BREAKPOINTS, debugRegistersChanged, WATCHPOINTS } from "./breakpoints.ts";
import {
  computed,
  constant,
  stored,
  type StoredOptions,
  type SystemRegister,
} from "./system_register_row.ts";
import type { TrapName } from "./system_register_traps.ts";
import { INDEX, type StoredRegister } from "./system_register_index.ts";
import { changeCounting, EVENT_COUNTERS } from "./performance_counters.ts";

const DEBUG = { traps: ["TDA_EL2", "TDA_EL3"] } as const satisfies { traps: readonly TrapName[] };
const LOCK = { traps: ["TDOSA_EL2", "TDOSA_EL3"] } as const satisfies { traps: readonly TrapName[] };
/** The debug communications channel, above EL0 alone and at EL0 too. */
const CHANNEL = { traps: ["TDCC_EL2", "TDA_EL2", "TDCC_EL3", "TDA_EL3"] } as const satisfies {
  traps: readonly TrapName[];
};
const OPEN_CHANNEL = { traps: ["TDCC", ...CHANNEL.traps] } as const satisfies { traps: readonly TrapName[] };

/** OSLSR_EL1: OS lock implemented (OSLM = 0b10), locked after reset. */
const OSLM = 8n, OSLK = 2n;
/** The claim tags are 8 bits. */
const CLAIM_TAGS = 0xffn;
/** DBGAUTHSTATUS_EL1: debug of either state is implemented and disabled, 0b10 in each field. */
const DISABLED_NON_SECURE = 0x0an, DISABLED_SECURE = 0xa0n;

const bit = (value: bigint, number: bigint): bigint => value >> number & 1n;

/** DBGBCRn_EL1.BAS: bits 3 and 1 copy bits 2 and 0, since there is no AArch32 with 2-byte instructions (QEMU 7.2). */
function breakpointControl(value: bigint): bigint {
  const copied = value & ~(1n << 6n | 1n << 8n);
  return copied | bit(value, 5n) << 6n | bit(value, 7n) << 8n;
}

function numbered(
  prefix: "DBGBVR" | "DBGBCR" | "DBGWVR" | "DBGWCR",
  count: number,
  form: (value: bigint) => bigint,
): SystemRegister[] {
  return Array.from({ length: count }, (_, n) => {
    const row = stored(`${prefix}${n}_EL1` as StoredRegister, "EL1_RW", {
      ...DEBUG,
      written: debugRegistersChanged,
    });
    return { ...row, form: (_, value) => form(value), write: (cpu, value) => row.write(cpu, form(value)) };
  });
}

/** A register that decides what performance counters count. */
function counting(name: StoredRegister, access: "EL2_RW" | "EL3_RW", options: StoredOptions): SystemRegister {
  const row = stored(name, access, options);
  return { ...row, write: (cpu, value) => changeCounting(cpu, () => row.write(cpu, value)) };
}

function changeClaim(set: boolean): SystemRegister["write"] {
  return (cpu, value) => {
    const { system } = cpu.registers;
    const tags = system[INDEX.DBGCLAIM_EL1] as bigint;
    system[INDEX.DBGCLAIM_EL1] = set ? tags | (value & CLAIM_TAGS) : tags & ~value;
  };
}

/** Debug registers, in the order of their encodings within each group. */
// deno-fmt-ignore
export const DEBUG_REGISTERS: readonly SystemRegister[] = [
  ...numbered("DBGBVR", BREAKPOINTS, (value) => value),
  ...numbered("DBGBCR", BREAKPOINTS, breakpointControl),
  ...numbered("DBGWVR", WATCHPOINTS, (value) => value & ~3n),
  ...numbered("DBGWCR", WATCHPOINTS, (value) => value),
  stored("MDSCR_EL1", "EL1_RW", { ...DEBUG, written: debugRegistersChanged }),
  stored("MDCCINT_EL1", "EL1_RW", CHANNEL),
  stored("OSDTRRX_EL1", "EL1_RW", { ...CHANNEL, writable: 0xffff_ffffn }),
  stored("OSDTRTX_EL1", "EL1_RW", { ...CHANNEL, writable: 0xffff_ffffn }),
  stored("OSECCR_EL1", "EL1_RW", { ...DEBUG, writable: 0xffff_ffffn }),
  stored("DBGPRCR_EL1", "EL1_RW", { ...LOCK, writable: 1n }),
  constant("MDRAR_EL1", "EL1_RO", 0n, { traps: ["TDRA", "TDA_EL3"] }),
  computed("OSLAR_EL1", "EL1_WO", () => 0n, (cpu, value) => (cpu.registers.system[INDEX.OSLSR_EL1] = OSLM | (value & 1n) << 1n), LOCK),
  stored("OSLSR_EL1", { read: 1, write: 5 }, { ...LOCK, reset: OSLM | OSLK }),
  stored("OSDLR_EL1", "EL1_RW", { ...LOCK, writable: 1n }),
  computed("DBGCLAIMSET_EL1", "EL1_RW", () => CLAIM_TAGS, changeClaim(true), DEBUG),
  computed("DBGCLAIMCLR_EL1", "EL1_RW", (cpu) => cpu.registers.system[INDEX.DBGCLAIM_EL1] as bigint, changeClaim(false), DEBUG),
  constant("DBGAUTHSTATUS_EL1", "EL1_RO", (cpu) => DISABLED_NON_SECURE | (cpu.features.el3 ? DISABLED_SECURE : 0n), DEBUG),
  // The channel is always empty: nothing is received, and what is sent is taken at once by nobody.
  constant("MDCCSR_EL0", "EL0_RO", 0n, OPEN_CHANNEL),
  constant("DBGDTR_EL0", "EL0_RW", 0n, OPEN_CHANNEL),
  constant("DBGDTRRX_EL0", "EL0_RW", 0n, OPEN_CHANNEL), // writes are of DBGDTRTX_EL0
  stored("DBGVCR32_EL2", "EL2_RW", { needs: "higher", traps: ["TDA_EL3"] }),
  counting("MDCR_EL2", "EL2_RW", { reset: (cpu) => (cpu.features.el2 ? BigInt(EVENT_COUNTERS) : 0n), traps: ["TDA_EL3"] }),
  counting("MDCR_EL3", "EL3_RW", {}),
];
