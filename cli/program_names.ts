/** Symbols as expressions ask for them. */
import type { ProgramNames } from "../journal/query_schema.ts";
import { addressOf } from "./bisect.ts";
import type { SymbolTable } from "./symbols.ts";

/** The names of a table. */
export function programNames(symbols: SymbolTable): ProgramNames {
  return {
    addressOf: (name) => addressOf(name, symbols),
    rangeOf: (name) => {
      const address = addressOf(name, symbols);
      return { address, size: symbols.sizeAt(address) };
    },
    nameOf: (address) => symbols.nameOf(address),
  };
}
