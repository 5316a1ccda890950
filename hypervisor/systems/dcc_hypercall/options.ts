/** How `--monitor el2:dcc-hypercall,…` is written: what traps, and whether TDCC is kept from the real register. */
import { z } from "zod";

/** The system as it is set up. */
export interface DccHypercallOptions {
  /** `tda`: MDCR_EL2.TDA, all debug registers; `tdcc`: MDCR_EL2.TDCC of FEAT_FGT, those of the channel. */
  readonly trap: "tda" | "tdcc";
  /** The guest's MDSCR_EL1.TDCC is kept from the register, so that what EL0 reads comes to EL2. */
  readonly shadow: boolean;
  /** MDCR_EL2.TDE too: debug exceptions come to EL2, from where they go on to the guest. */
  readonly tde: boolean;
  /** The host is the debugger at each CPU's channel: what software sends is told, and an operator can answer. */
  readonly console: boolean;
}

const onOrOff = (name: string, value: "on" | "off") =>
  z.enum(["on", "off"], `${name} is on or off`).default(value).transform((text) => text === "on");

/** Options by name, as texts. */
export const dccHypercallOptions: z.ZodType<DccHypercallOptions> = z.strictObject({
  trap: z.enum(["tda", "tdcc"], "trap is tda or tdcc").default("tda"),
  shadow: onOrOff("shadow", "on"),
  tde: onOrOff("tde", "off"),
  console: onOrOff("console", "off"),
});
