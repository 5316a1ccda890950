/** What `who-wrote` and `why` are asked about: a register, an address or a symbol, as one argument. */
import type { Subject } from "../journal/why.ts";
import { addressOf } from "./bisect.ts";
import { UsageError } from "./errors.ts";
import { wholeNumber } from "./options.ts";
import type { SymbolTable } from "./symbols.ts";

/** Bytes where no number is given. */
const DEFAULT_SIZE = 8;

/** How it is written, for help texts. */
export const SUBJECT_HELP =
  "WHAT is a register (x0, w3, sp, nzcv, pc, v7, ELR_EL1 …) or memory, 8 bytes or as many as are said:\n" +
  "  0xffff800008001000[,BYTES]   at a virtual address, as the CPU maps it at that instant\n" +
  "  physical:0x40100000[,BYTES]  at a physical one\n" +
  "  NAME[,BYTES]                 of a symbol of --symbols";

/** Reads a subject; throws UsageError, or PredicateError for a symbol that there is not. */
export function subjectOf(text: string, symbols: SymbolTable): Subject {
  const [, physical, place = "", size] = /^(physical:)?([^,]+)(?:,([^,]+))?$/.exec(text) ?? [];
  if (place === "") {
    throw new UsageError(`"${text}" is neither a register nor ADDRESS[,BYTES]`);
  }
  const bytes = size === undefined ? DEFAULT_SIZE : wholeNumber(size, "BYTES", 1, 64);
  const space = physical === undefined ? "virtual" : "physical";
  if (/^(0x[0-9a-f_]+|[0-9][0-9_]*)$/i.test(place)) {
    const address = BigInt(place.replaceAll("_", ""));
    if (address >= 2n ** 64n) throw new UsageError(`"${place}" has more than 64 bits`);
    return { kind: "memory", space, address, size: bytes };
  }
  const isSymbol = physical !== undefined || size !== undefined || symbols.addressesOf(place).length > 0;
  if (isSymbol) return { kind: "memory", space, address: addressOf(place, symbols), size: bytes };
  return { kind: "register", name: place };
}
