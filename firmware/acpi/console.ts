/** SPCR of the serial port that `/chosen` names (Serial Port Console Redirection Table 1.07). */
import type { Context } from "./context.ts";
import { globalInterrupt, interruptsOf } from "./interrupts.ts";
import { SPCR, SPCR_GIC } from "./layouts.ts";
import { Parts } from "./processors.ts";
import type { AcpiTable } from "./table.ts";
import { regOf } from "./tree.ts";

/** Interface types (DBG2 serial subtypes) by `compatible`, with the width of a register in bits and its access size. */
// deno-fmt-ignore
const INTERFACES: Readonly<Record<string, { type: number; width: number; access: number }>> = {
  "arm,pl011":     { type: 0x03, width: 32, access: 3 },
  "arm,sbsa-uart": { type: 0x0e, width: 32, access: 3 },
  "ns16550a":      { type: 0x12, width: 8, access: 1 },
};

/** Baud rates that SPCR has numbers for; 0 leaves the port as it is. */
const BAUD_RATES: Readonly<Record<string, number>> = { 9600: 3, 19200: 4, 57600: 6, 115200: 7 };
const ONE_STOP_BIT = 1;

/** SPCR; undefined without a console, or with one that it cannot tell, which is reported. */
export function spcr(context: Context): AcpiTable | undefined {
  const { tree, report } = context, chosen = tree.at("/chosen"), parts = new Parts();
  const property = chosen?.has("stdout-path") ? "stdout-path" : "linux,stdout-path";
  const [path] = chosen?.strings(property) ?? [];
  if (chosen === undefined || path === undefined) return undefined;
  const uart = tree.at(path), known = uart?.compatible.find((text) => text in INTERFACES);
  if (uart === undefined || !uart.isEnabled || known === undefined) {
    report.omit(chosen, property, `${path} is no serial port that SPCR knows and that is to be used`);
    return undefined;
  }
  const [reg] = regOf(uart) ?? [], [interrupt] = interruptsOf(tree, uart);
  if (reg === undefined) return uart.refuse("it has no address, and is the console");
  const global = interrupt && globalInterrupt(uart, interrupt);
  const { type, width, access } = INTERFACES[known] as (typeof INTERFACES)[string];
  const [, options = ""] = path.split(":"), rate = options.match(/^\d+/)?.[0];
  if (rate !== undefined && !(rate in BAUD_RATES)) {
    report.omit(chosen, property, `SPCR has no number for ${rate} baud`);
  }
  const contents = SPCR.encode({
    interfaceType: type,
    registerWidth: width,
    registerAccess: access,
    register: reg.base,
    interruptType: global === undefined ? 0 : SPCR_GIC,
    interrupt: global?.gsi ?? 0,
    baudRate: BAUD_RATES[rate ?? ""] ?? 0,
    stopBits: ONE_STOP_BIT,
  });
  parts.add(contents, chosen, uart);
  return parts.table("SPCR", 2, report);
}
