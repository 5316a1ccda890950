/** Reads the files of `--symbols`. */
import { UsageError } from "../errors.ts";
import type { Options } from "../options.ts";
import { parseSymbols } from "../symbol_file.ts";
import { NO_SYMBOLS, type ProgramSymbol, SymbolTable } from "../symbols.ts";
import { readWholeFile } from "./file_source.ts";

/** Splits `FILE@OFFSET`; throws UsageError when the offset is none. A slash behind @ makes it part of the path. */
function fileAndOffset(text: string): { path: string; offset: bigint } {
  const [, path, offset] = /^(.+)@([^@/]*)$/s.exec(text) ?? [];
  if (path === undefined || offset === undefined) return { path: text, offset: 0n };
  const [, sign, digits] = /^([+-]?)(0x[0-9a-f_]*[0-9a-f])$/i.exec(offset) ?? [];
  const distance = digits === undefined ? -1n : BigInt(digits.replaceAll("_", ""));
  if (distance < 0n || distance >= 2n ** 64n) {
    throw new UsageError(
      `--symbols ${text}: OFFSET is hexadecimal with up to 64 bits, such as @0x7f00000 or @-0x1000, not "${offset}"`,
    );
  }
  return { path, offset: sign === "-" ? -distance : distance };
}

/** The symbols that a command was given, or none. Throws CommandError for a file that cannot be read, UsageError. */
export function symbolsOf(options: Options): SymbolTable {
  return symbolsIn(options.texts("symbols"));
}

/** The symbols of files named as `--symbols` has them. Throws as `symbolsOf`. */
export function symbolsIn(texts: readonly string[]): SymbolTable {
  const symbols: ProgramSymbol[] = [];
  for (const text of texts) {
    const { path, offset } = fileAndOffset(text);
    // Not spread as arguments: there may be more than a call takes.
    for (const symbol of parseSymbols(readWholeFile(path, "symbols"), `"${path}"`, offset)) {
      symbols.push(symbol);
    }
  }
  return symbols.length === 0 ? NO_SYMBOLS : new SymbolTable(symbols);
}
