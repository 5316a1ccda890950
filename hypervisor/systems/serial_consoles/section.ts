/** The section of the consoles in a snapshot. */
import { flag, listOf, oneOf, record, text, u53, u64, type ValueOf } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { painterFields } from "../../terminal/painter.ts";
import { MOST_COMMANDS } from "./commands.ts";
import { DEADLINES } from "./deadlines.ts";
import { escapeFields } from "./escape_keys.ts";
import { gdbStubFields } from "./gdb_stub.ts";
import { guestUartFields } from "./guest_uart.ts";
import { identificationFields } from "./identification.ts";
import { CONSOLES } from "./options.ts";
import { consoleFields } from "./virtual_console.ts";

/** Consoles with a screen. */
export const SCREENS = ["log", "shell", "status"] as const;

const fields = {
  isUp: flag,
  shown: oneOf(...CONSOLES),
  consoles: listOf(consoleFields, SCREENS.length),
  uarts: listOf(guestUartFields, 2),
  painter: painterFields,
  escape: escapeFields,
  identification: identificationFields,
  stub: gdbStubFields,
  deadlines: listOf(u64, DEADLINES.length),
  isAscii: flag,
  terminal: text(64),
  counters: record({ sent: u53, received: u53, switches: u53 }),
  exits: listOf(u53, 8),
  commands: listOf(text(64), MOST_COMMANDS),
};
const layout = sectionLayout("serial consoles", 1, fields);

/** State of the consoles. */
export type ConsolesState = { readonly [Name in keyof typeof fields]: ValueOf<typeof fields>[Name] };

/** Saves a state as a section of a name. */
export function saveConsoles(name: string, state: ConsolesState): Section {
  return layout.encode(name, state);
}

/** What `saveConsoles` saved; throws RangeError when it is not that. */
export function restoreConsoles(section: Section): ConsolesState {
  return layout.decode(section);
}
