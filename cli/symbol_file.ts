/** Files of symbols: ELF, an arm64 Image of Linux, or the text that `nm` prints and that is called System.map. */
import { isElf } from "../machine/elf.ts";
import { elfSymbols } from "./elf_symbols.ts";
import { UsageError } from "./errors.ts";
import { isKernelImage, kernelSymbols } from "./kernel_symbols.ts";
import { isProgramName, LONGEST_NAME, MOST_SYMBOLS, type ProgramSymbol } from "./symbols.ts";

/** `nm`'s types of defined code and data; of others (U, N, …) lines are passed over. */
const DEFINED = /^[TtWwVvDdBbRrGgSsiuCAa]$/;

/** Lines `ADDRESS [SIZE] TYPE NAME`; `[module]` behind the name is left out. */
function textSymbols(text: string, what: string): ProgramSymbol[] {
  const symbols: ProgramSymbol[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*$|:$|^\s*[UwvNn] \S/.test(line)) continue;
    const [, address = "", size = "0", type = "", name = ""] =
      /^(?:0x)?([0-9a-f]{1,16})\s+(?:(?:0x)?([0-9a-f]{1,16})\s+)?([A-Za-z?-])\s+(\S+)(?:\s+\[\S+\])?\s*$/i
        .exec(line) ?? [];
    if (name === "") {
      const shown = JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}…` : line);
      throw new UsageError(
        `Cannot read symbols of ${what}: line ${
          index + 1
        } is ${shown}, not "ADDRESS TYPE NAME" as nm prints it`,
      );
    }
    if (!DEFINED.test(type) || !isProgramName(name)) continue;
    if (symbols.length >= MOST_SYMBOLS) {
      throw new UsageError(`Cannot read symbols of ${what}: it has more than ${MOST_SYMBOLS}`);
    }
    const rank = "Tt".includes(type) ? 3 : "DdBbRrGgSs".includes(type) ? 2 : 1;
    symbols.push({
      name: name.slice(0, LONGEST_NAME),
      address: BigInt(`0x${address}`),
      size: BigInt(`0x${size}`),
      rank: 2 * rank + (type === type.toUpperCase() ? 1 : 0),
    });
  }
  return symbols;
}

/**
 * Reads the functions, objects and labels of an untrusted file: an ELF file of AArch64, an arm64 Image, or text as `nm`
 * prints it.
 * `what` names it in messages, `offset` is added to all addresses modulo 2^64. Throws UsageError for a file that is
 * neither, is malformed, or has no symbols.
 */
export function parseSymbols(bytes: Uint8Array, what: string, offset = 0n): ProgramSymbol[] {
  const symbols = isElf(bytes)
    ? elfSymbols(bytes, what)
    : isKernelImage(bytes)
    ? kernelSymbols(bytes, what)
    : bytes.includes(0)
    ? undefined
    : textSymbols(new TextDecoder().decode(bytes), what);
  if (symbols === undefined) {
    throw new UsageError(
      `Cannot read symbols of ${what}: it is neither ELF, nor an arm64 Image, nor text as nm prints it`,
    );
  }
  if (symbols.length === 0) {
    throw new UsageError(
      `Cannot read symbols of ${what}: it has none; if it was stripped, give the file from before that`,
    );
  }
  if (offset === 0n) return symbols;
  return symbols.map((symbol) => ({ ...symbol, address: BigInt.asUintN(64, symbol.address + offset) }));
}
