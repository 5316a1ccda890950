/** How `--monitor el2:unified-backdoor,…` is written: the product that tools are told, what is offered, variables. */
import { z } from "zod";
import { GuestInfo } from "./guest_info.ts";

/** The system as it is set up. */
export interface UnifiedBackdoorOptions {
  /** GETVERSION's product: 2 a server, 4 a workstation. */
  readonly product: number;
  /** Guests are told of the high-bandwidth port. */
  readonly highBandwidth: boolean;
  /** BRK #0x86 calls: MDCR_EL2.TDE brings debug exceptions to EL2. */
  readonly breakpoint: boolean;
  /** Variables at power-on, without their prefix. */
  readonly guestInfo: readonly (readonly [name: string, value: string])[];
}

const PRODUCTS = { server: 2, workstation: 4 } as const;

const onOrOff = (name: string) =>
  z.enum(["on", "off"], `${name} is on or off`).default("on").transform((text) => text === "on");

/** `NAME=VALUE;NAME=VALUE`. */
const variables = z.string().transform((text, context) => {
  const info = new GuestInfo(), encoder = new TextEncoder();
  return text.split(";").map((item): readonly [string, string] => {
    const equals = item.indexOf("="),
      name = item.slice(0, Math.max(equals, 0)),
      value = item.slice(equals + 1);
    const problem = equals < 0 ? `"${item}" is not NAME=VALUE` : info.problem(name, encoder.encode(value));
    if (problem === undefined) return [name, value];
    context.addIssue({ code: "custom", message: problem });
    return z.NEVER;
  });
});

/** Options by name, as texts. */
export const unifiedBackdoorOptions: z.ZodType<UnifiedBackdoorOptions> = z.strictObject({
  product: z.enum(["server", "workstation"], "product is server or workstation").default("server")
    .transform((name) => PRODUCTS[name]),
  "high-bandwidth": onOrOff("high-bandwidth"),
  brk: onOrOff("brk"),
  guestinfo: variables.default([]),
}).transform(({ product, brk, guestinfo, "high-bandwidth": highBandwidth }) => ({
  product,
  highBandwidth,
  breakpoint: brk,
  guestInfo: guestinfo,
}));
