/** SPCR of the serial port that `/chosen` names (Serial Port Console Redirection Table 1.07), and DBG2 (Debug Port Table 2). */
import type { Context } from "./context.ts";
import { globalInterrupt, interruptsOf } from "./interrupts.ts";
import { DBG2, DBG2_DEVICE, SPCR, SPCR_GIC } from "./layouts.ts";
import { Parts } from "./processors.ts";
import type { AcpiTable } from "./table.ts";
import { regOf, type TreeNode } from "./tree.ts";

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

/** The serial port that `/chosen` names, by which property, and its interface where it is one that tables can tell. */
function consolePort(
  { tree }: Context,
): { chosen: TreeNode; property: string; path: string; uart?: TreeNode; known?: string } | undefined {
  const chosen = tree.at("/chosen"),
    property = chosen?.has("stdout-path") ? "stdout-path" : "linux,stdout-path";
  const [path] = chosen?.strings(property) ?? [];
  if (chosen === undefined || path === undefined) return undefined;
  const uart = tree.at(path), known = uart?.compatible.find((text) => text in INTERFACES);
  return { chosen, property, path, ...uart?.isEnabled && known !== undefined && { uart, known } };
}

/** DBG2 with the console's port, for a machine that has no other; undefined where SPCR is. */
export function dbg2(context: Context): AcpiTable | undefined {
  const { options: { isHeadless }, devices, report } = context,
    parts = new Parts(),
    port = consolePort(context);
  if (isHeadless !== true || port?.uart === undefined || port.known === undefined) return undefined;
  const { uart, known } = port, [reg] = regOf(uart) ?? [];
  if (reg === undefined) return uart.refuse("it has no address, and is the console");
  const { type, width, access } = INTERFACES[known] as (typeof INTERFACES)[string];
  const name = new TextEncoder().encode(`${devices.get(uart) ?? "."}\0`);
  parts.add(DBG2.encode({}));
  const device = DBG2_DEVICE.encode({
    length: DBG2_DEVICE.size + name.length,
    nameLength: name.length,
    portSubtype: type,
    registerWidth: width,
    registerAccess: access,
    register: reg.base,
    size: reg.size,
  });
  parts.add(Uint8Array.of(...device, ...name), uart);
  return parts.table("DBG2", 0, report);
}

/** SPCR; undefined without a console, or with one that it cannot tell, which is reported. */
export function spcr(context: Context): AcpiTable | undefined {
  const { tree, report } = context, parts = new Parts(), port = consolePort(context);
  if (port === undefined) return undefined;
  const { chosen, property, path, uart, known } = port;
  if (uart === undefined || known === undefined) {
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
