/** Who takes an access to the debug communications channel: every combination of controls, in the Arm ARM's order (D13.3). */
import { assertEquals } from "@std/assert";
import { encodingOfSystemRegister } from "../../../machine/a64/system_names.ts";
import { patchSystemRegister, readSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { systemAccessSyndrome } from "../../../machine/cpu/syndrome.ts";
import { putAt, testCpus } from "./support.ts";

/** One control. */
interface Control {
  readonly name: string;
  readonly register: string;
  readonly bit: bigint;
}

// deno-fmt-ignore
const CONTROLS: readonly Control[] = [
  { name: "MDSCR_EL1.TDCC", register: "MDSCR_EL1", bit: 12n },
  { name: "HCR_EL2.TGE",    register: "HCR_EL2",   bit: 27n },
  { name: "MDCR_EL2.TDCC",  register: "MDCR_EL2",  bit: 27n },
  { name: "MDCR_EL2.TDA",   register: "MDCR_EL2",  bit: 9n },
  { name: "MDCR_EL2.TDE",   register: "MDCR_EL2",  bit: 8n },
  { name: "MDCR_EL3.TDCC",  register: "MDCR_EL3",  bit: 27n },
  { name: "MDCR_EL3.TDA",   register: "MDCR_EL3",  bit: 9n },
];

/** The channel at EL0 and above, the channel above EL0 alone, and debug registers that are not the channel's. */
const REGISTERS = {
  open: ["MDCCSR_EL0", "DBGDTR_EL0", "DBGDTRRX_EL0"],
  privileged: ["MDCCINT_EL1", "OSDTRRX_EL1", "OSDTRTX_EL1"],
  other: ["MDSCR_EL1", "OSECCR_EL1", "DBGBVR0_EL1", "DBGWCR3_EL1", "DBGCLAIMSET_EL1", "DBGAUTHSTATUS_EL1"],
} as const;

type Kind = keyof typeof REGISTERS;

interface Access {
  readonly kind: Kind;
  readonly level: 0 | 1 | 2;
  readonly hasFgt: boolean;
}

/** The level that takes the access, as the register's pseudocode decides it: 0 for none; −1 for UNDEFINED. */
function taker({ kind, level, hasFgt }: Access, is: (name: string) => boolean): number {
  if (level === 0 && kind !== "open") return -1;
  const isChannel = kind !== "other" && hasFgt;
  if (level === 0 && is("MDSCR_EL1.TDCC")) return is("HCR_EL2.TGE") ? 2 : 1;
  if (level < 2) {
    if (isChannel && is("MDCR_EL2.TDCC")) return 2;
    if (is("HCR_EL2.TGE") || is("MDCR_EL2.TDE") || is("MDCR_EL2.TDA")) return 2;
  }
  if (isChannel && is("MDCR_EL3.TDCC")) return 3;
  return is("MDCR_EL3.TDA") ? 3 : 0;
}

Deno.test("an access to the debug channel is taken by the first control of the Arm ARM's order, in every combination", () => {
  for (const model of ["cortex-a57", "max"] as const) {
    const { cpu } = testCpus({ model, el2: true, el3: true });
    for (let set = 0; set < 1 << CONTROLS.length; set++) {
      const on = CONTROLS.filter((_, index) => (set >> index & 1) === 1);
      const is = (name: string) => on.some((control) => control.name === name);
      putAt(cpu, 3);
      const values = new Map([["HCR_EL2", 1n << 31n], ["SCR_EL3", 0x501n]]);
      for (const { register } of CONTROLS) values.set(register, values.get(register) ?? 0n);
      for (const { register, bit } of on) values.set(register, values.get(register)! | 1n << bit);
      for (const [register, value] of values) patchSystemRegister(cpu, register, value);
      for (const level of [0, 1, 2] as const) {
        if (level === 1 && is("HCR_EL2.TGE")) continue; // There is no EL1 then.
        putAt(cpu, level);
        for (const kind of Object.keys(REGISTERS) as Kind[]) {
          const expected = taker({ kind, level, hasFgt: model === "max" }, is);
          for (const register of REGISTERS[kind]) {
            const encoding = encodingOfSystemRegister(register)!;
            readSystemRegister(cpu, encoding, 5);
            const { pending } = cpu;
            cpu.pending = undefined;
            const name = `${model}: ${register} at EL${level}, ${
              on.map((control) => control.name).join(" ")
            }`;
            if (expected < 0) assertEquals((pending?.syndrome ?? -1) >>> 26, 0, name);
            else {
              assertEquals(pending?.target ?? 0, expected, name);
              if (expected > 0) {
                assertEquals(pending?.syndrome, systemAccessSyndrome(encoding, 5, true), name);
              }
            }
          }
        }
      }
    }
  }
});
