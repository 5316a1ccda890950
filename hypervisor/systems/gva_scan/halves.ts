/** Which guest virtual addresses there are to scan: the halves of TTBR0_EL1 and TTBR1_EL1, and stage 2, from registers. */
import { bitsOf, fieldOf } from "./address_bits.ts";
import { tableBase, type TableShape } from "./table_search.ts";

/** Registers that say what is translated how. */
// deno-fmt-ignore
export const SCANNED_REGISTERS = [
  "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "HCR_EL2", "VTCR_EL2", "VTTBR_EL2", "SCTLR_EL2", "ID_AA64MMFR0_EL1",
] as const;

/** Values of the registers; those of EL2 are 0 where EL2 is not enabled. */
export type ScannedRegisters = Readonly<Record<(typeof SCANNED_REGISTERS)[number], bigint>>;

/** The scan of this address space is refused; nothing was changed. The message says which register asks for what. */
export class ScanRefusedError extends Error {
  /** Name of the class. */
  override name = "ScanRefusedError";
}

/** The addresses of one table base register. */
export interface Half {
  /** The register. */
  readonly name: "TTBR0_EL1" | "TTBR1_EL1";
  /** First address. */
  readonly first: bigint;
  /** First address after the last. */
  readonly end: bigint;
  /** Its tables. */
  readonly tables: TableShape;
}

/** An address space, ready to be scanned. */
export interface AddressSpace {
  /** Stage 1 translates; otherwise there is nothing to iterate. */
  readonly enabled: boolean;
  /** The halves that are not disabled by EPD0 and EPD1, in the order of addresses. */
  readonly halves: readonly Half[];
  /** Tables of stage 2 where that is enabled. */
  readonly stage2: TableShape | undefined;
  /** Bits of a physical address. */
  readonly physicalSize: number;
}

/** Log2 of the granule by TG0 and TG1; 0 is reserved (Arm ARM TCR_EL1). */
const GRANULES = { TG0: [12, 16, 14, 0], TG1: [0, 14, 12, 16] } as const;
const PHYSICAL_SIZES = [32, 36, 40, 42, 44, 48];
/** Bounds of TnSZ without FEAT_LVA, FEAT_LPA2 and FEAT_TTST. */
const LEAST_SIZE_FIELD = 16, MOST_SIZE_FIELD = 39;
const HCR = { VM: 0, DC: 12, TGE: 27, E2H: 34 } as const;

interface HalfRow {
  readonly name: Half["name"];
  /** Names of the fields of TCR_EL1, and their lowest bits. */
  readonly size: "T0SZ" | "T1SZ";
  readonly granule: "TG0" | "TG1";
  readonly sizeBit: number;
  readonly granuleBit: number;
  readonly disableBit: number;
}

// deno-fmt-ignore
const HALVES: readonly HalfRow[] = [
  { name: "TTBR0_EL1", size: "T0SZ", granule: "TG0", sizeBit: 0,  granuleBit: 14, disableBit: 7 },
  { name: "TTBR1_EL1", size: "T1SZ", granule: "TG1", sizeBit: 16, granuleBit: 30, disableBit: 23 },
];

/** ID_AA64MMFR0_EL1.TGran4, TGran64 and TGran16 (Arm ARM D13.2). */
function hasGranule(granule: number, mmfr0: bigint): boolean {
  if (granule === 14) return fieldOf(mmfr0, 20, 4) !== 0;
  return fieldOf(mmfr0, granule === 12 ? 28 : 24, 4) !== 15;
}

function halfOf(row: HalfRow, registers: ScannedRegisters): Half {
  const { TCR_EL1: tcr, SCTLR_EL1: sctlr, ID_AA64MMFR0_EL1: mmfr0 } = registers;
  const size = fieldOf(tcr, row.sizeBit, 6), code = fieldOf(tcr, row.granuleBit, 2);
  const granule = GRANULES[row.granule][code] as number;
  if (granule === 0) {
    throw new ScanRefusedError(
      `Cannot scan ${row.name}: TCR_EL1.${row.granule} is ${code}, a reserved value`,
    );
  }
  if (!hasGranule(granule, mmfr0)) {
    throw new ScanRefusedError(
      `Cannot scan ${row.name}: TCR_EL1.${row.granule} asks for ${2 ** (granule - 10)} KiB granules, ` +
        "which ID_AA64MMFR0_EL1 does not have",
    );
  }
  if (size < LEAST_SIZE_FIELD || size > MOST_SIZE_FIELD) {
    throw new ScanRefusedError(
      `Cannot scan ${row.name}: TCR_EL1.${row.size} is ${size}; ` +
        `supported are ${LEAST_SIZE_FIELD} to ${MOST_SIZE_FIELD}`,
    );
  }
  const inputSize = 64 - size, level = 4 - Math.ceil((inputSize - granule) / (granule - 3));
  const shape = { granule, inputSize, level, bigEndian: bitsOf(sctlr, 25, 1) === 1n };
  const tables = { base: tableBase(registers[row.name], shape), ...shape };
  const bytes = 1n << BigInt(inputSize);
  return row.name === "TTBR0_EL1"
    ? { name: row.name, first: 0n, end: bytes, tables }
    : { name: row.name, first: (1n << 64n) - bytes, end: 1n << 64n, tables };
}

/** VTCR_EL2 is the monitor's own, so what it says is supported (Arm ARM VTCR_EL2). */
function stage2Of(registers: ScannedRegisters): TableShape {
  const { VTCR_EL2: vtcr, VTTBR_EL2: vttbr, SCTLR_EL2: sctlr } = registers;
  const granule = GRANULES.TG0[fieldOf(vtcr, 14, 2)] || 12;
  const shape = {
    granule,
    inputSize: 64 - fieldOf(vtcr, 0, 6),
    level: (granule === 12 ? 2 : 3) - fieldOf(vtcr, 6, 2),
    bigEndian: bitsOf(sctlr, 25, 1) === 1n,
  };
  return { base: tableBase(vttbr, shape), ...shape };
}

/**
 * Reads the registers of an address space; throws {@linkcode ScanRefusedError} for a granule or a size that this CPU or
 * the scanner does not have, and where AT of EL1 would translate by EL2&0 (HCR_EL2.E2H and TGE).
 */
export function addressSpaceOf(registers: ScannedRegisters): AddressSpace {
  const { HCR_EL2: hcr, SCTLR_EL1: sctlr, TCR_EL1: tcr, ID_AA64MMFR0_EL1: mmfr0 } = registers;
  const isSet = (bit: number) => bitsOf(hcr, bit, 1) === 1n;
  if (isSet(HCR.TGE) && isSet(HCR.E2H)) {
    throw new ScanRefusedError(
      "Cannot scan EL1&0: HCR_EL2.{E2H,TGE} is {1,1}, so that AT S1E1R translates in EL2&0",
    );
  }
  const enabled = bitsOf(sctlr, 0, 1) === 1n && !isSet(HCR.DC) && !isSet(HCR.TGE);
  const rows = enabled ? HALVES.filter(({ disableBit }) => bitsOf(tcr, disableBit, 1) === 0n) : [];
  return {
    enabled,
    halves: rows.map((row) => halfOf(row, registers)),
    stage2: isSet(HCR.VM) || isSet(HCR.DC) ? stage2Of(registers) : undefined,
    physicalSize: PHYSICAL_SIZES[fieldOf(mmfr0, 0, 4)] ?? 48,
  };
}
