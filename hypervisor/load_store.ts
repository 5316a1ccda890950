/** What an instruction that loads or stores one general register does, from its word (Arm ARM C4.1, loads and stores). */
import { asSigned } from "../machine/a64/operand_kind.ts";
import { decode } from "../machine/a64/rows.ts";
import { INTEGER_TRANSFERS, type Transfer } from "../machine/a64/transfer.ts";

/** A load or store of one general register. */
export interface LoadStore {
  /** Bytes moved. */
  readonly size: 1 | 2 | 4 | 8;
  /** A store. */
  readonly write: boolean;
  /** A load that sign-extends. */
  readonly signed: boolean;
  /** A load fills 64 bits of its register; otherwise bits 63–32 become zero. */
  readonly wide: boolean;
  /** The register, 31 for XZR. */
  readonly Rt: number;
  /** The base register and what is added to it, before or after the access. */
  readonly writeback?: { readonly Rn: number; readonly distance: bigint };
}

/** Forms of a transfer's rows, by what is put to its name. Those with writeback have an `imm9`. */
// deno-fmt-ignore
const FORMS: readonly (readonly [nameOf: (name: string) => string, writeback: boolean])[] = [
  [(name) => `${name}_imm`,                           false],
  [(name) => `${name}_unscaled`,                      false],
  [(name) => `${name}_register`,                      false],
  [(name) => `${name}_literal`,                       false],
  [(name) => name.replace(/^(LD|ST)/, "$1T"),         false],
  [(name) => name.replace(/^(LD|ST)R/, "$1LR"),       false], // STLR
  [(name) => name.replace(/^LDR/, "LDAR"),            false],
  [(name) => name.replace(/^LDR/, "LDAPR"),           false],
  [(name) => name.replace("LDR", "LDAPUR").replace("STR", "STLUR"), false],
  [(name) => `${name}_post`,                          true],
  [(name) => `${name}_pre`,                           true],
];

/** Transfers by the names of their rows; a name that no row has is never looked up. */
const TRANSFERS: ReadonlyMap<string, readonly [transfer: Transfer, writeback: boolean]> = new Map(
  FORMS.flatMap(([nameOf, writeback]) =>
    INTEGER_TRANSFERS.map((transfer) => [nameOf(transfer.name), [transfer, writeback]] as const)
  ),
);

/**
 * What a word loads or stores; undefined for all that is not a load or store of one general register: pairs, vectors,
 * exclusives, atomics, cache maintenance.
 */
export function decodeLoadStore(word: number): LoadStore | undefined {
  const decoded = decode(word);
  const found = decoded && TRANSFERS.get(decoded.row.name);
  if (found === undefined) return undefined;
  const [{ bits, loads, signed }, writeback] = found;
  const { Rt = 31, Rn = 31, imm9 = 0 } = decoded?.fields as Record<string, number>;
  return {
    size: bits / 8 as LoadStore["size"],
    write: loads === 0,
    signed,
    wide: loads === 64,
    Rt,
    ...(writeback ? { writeback: { Rn, distance: BigInt(asSigned(imm9, 9)) } } : {}),
  };
}

/** ISS of a data abort: ISV, SAS, SSE, SRT, SF, WnR. */
const ISV = 24n, SAS = 22n, SSE = 21n, SRT = 16n, SF = 15n, WNR = 6n;

/** What ISS of a data abort says of its instruction; undefined while ISV is 0 (Arm ARM ESR_ELx, ISS for Data Aborts). */
export function describedLoadStore(syndrome: bigint): LoadStore | undefined {
  const field = (lowest: bigint, width: number): number => Number(BigInt.asUintN(width, syndrome >> lowest));
  if (field(ISV, 1) === 0) return undefined;
  const write = field(WNR, 1) === 1;
  return {
    size: 2 ** field(SAS, 2) as LoadStore["size"],
    write,
    signed: field(SSE, 1) === 1,
    wide: !write && field(SF, 1) === 1,
    Rt: field(SRT, 5),
  };
}

/** What a load leaves in its register when memory gives `value`. */
export function loadedValue({ size, signed, wide }: LoadStore, value: bigint): bigint {
  const bytes = size * 8;
  const extended = signed ? BigInt.asIntN(bytes, value) : BigInt.asUintN(bytes, value);
  return BigInt.asUintN(wide ? 64 : 32, extended);
}
