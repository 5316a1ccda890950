/** What the translation control registers say, taken apart once: TTBR, TCR, SCTLR, MAIR, HCR, VTCR, VTTBR. */
import type { FaultKind } from "./fault.ts";

/** A translation regime; EL2&0 is that of EL2 with HCR_EL2.E2H, and of EL0 with TGE as well. */
export type Regime = "EL1&0" | "EL2" | "EL2&0" | "EL3";

/** What an implementation supports (ID_AA64MMFR0_EL1). */
export interface TranslationLimits {
  /** Bits of a physical address: PARange. */
  readonly physicalSize: number;
  /** The 16 KiB granule exists. */
  readonly granule16K: boolean;
  /** TCR_ELx.TBIDn exist (FEAT_PAuth). */
  readonly dataTags: boolean;
}

/** Values of the registers that control a regime; those that it lacks are 0n. */
export interface TranslationRegisters {
  /** SCTLR_ELx of the regime. */
  readonly sctlr: bigint;
  /** TCR_ELx. */
  readonly tcr: bigint;
  /** TTBR0_ELx. */
  readonly ttbr0: bigint;
  /** TTBR1_ELx. */
  readonly ttbr1: bigint;
  /** MAIR_ELx. */
  readonly mair: bigint;
  /** HCR_EL2 as it is in effect: 0n where EL2 does not exist or is not enabled. */
  readonly hcr: bigint;
  /** VTCR_EL2. */
  readonly vtcr: bigint;
  /** VTTBR_EL2. */
  readonly vttbr: bigint;
  /** SCTLR_EL2, whose EE gives the byte order of stage 2 tables. */
  readonly sctlrEl2: bigint;
}

/** Where a walk starts: a table base register and its part of a translation control register. */
export interface TableStart {
  /** Address of the first table. */
  readonly base: number;
  /** Bits of input address that the tables resolve. */
  readonly inputSize: number;
  /** Log2 of the granule: 12, 14 or 16. */
  readonly granule: number;
  /** Level of the first lookup. */
  readonly level: number;
  /** Bits of an output address; more in a descriptor is an address size fault. */
  readonly outputSize: number;
  /** Every walk faults so, at level 0, because of how the registers are set. */
  readonly fault: FaultKind | undefined;
  /** Descriptors are big-endian. */
  readonly bigEndian: boolean;
  /** The first table is in Secure memory. */
  readonly secure: boolean;
  /** Walks see data caches: they are Write-Back cacheable, inner and outer (IRGN, ORGN, SCTLR_ELx.C, HCR_EL2.CD). */
  readonly cacheable: boolean;
}

/** One range of virtual addresses of a regime. */
export interface AddressRange extends TableStart {
  /** The top byte of addresses is ignored. */
  readonly topByteIgnored: boolean;
  /** The same for addresses of instructions: TBIDn is not set. */
  readonly topByteIgnoredByFetch: boolean;
}

/** Stage 1 of a regime. */
export interface Stage1Controls {
  /** The regime. */
  readonly regime: Regime;
  /** The regime is EL0's too: descriptors have permissions for both levels, and there are two ranges. */
  readonly withEl0: boolean;
  /** The regime's lookups start in Secure memory. */
  readonly secure: boolean;
  /** Stage 1 translates. */
  readonly enabled: boolean;
  /** HCR_EL2.DC: memory is Normal while stage 1 is off. */
  readonly defaultCacheable: boolean;
  /** SCTLR_ELx.I; without strict models it matters while stage 1 is off. */
  readonly fetchCacheable: boolean;
  /** SCTLR_ELx.C, which matters to the strict data cache. */
  readonly dataCacheable: boolean;
  /** SCTLR_ELx.WXN. */
  readonly writeExecuteNever: boolean;
  /** SCR_EL3.SIF in Secure state. */
  readonly secureFetchOnly: boolean;
  /** Addresses with bit 55 clear, or all of a regime with one range. */
  readonly lower: AddressRange;
  /** Addresses with bit 55 set. */
  readonly upper: AddressRange | undefined;
  /** The eight attributes of MAIR_ELx. */
  readonly attributes: readonly number[];
}

/** Stage 2. */
export interface Stage2Controls extends TableStart {
  /** HCR_EL2.PTW: a table in stage 2 Device memory is a permission fault. */
  readonly protectedWalks: boolean;
  /** HCR_EL2.CD: data is Non-cacheable. */
  readonly dataNonCacheable: boolean;
  /** HCR_EL2.ID: fetches are Non-cacheable. */
  readonly fetchNonCacheable: boolean;
}

/** Everything a translation depends on but its address and the memory that holds the tables. */
export interface TranslationControls {
  /** First stage. */
  readonly stage1: Stage1Controls;
  /** Second stage, when it is enabled for the regime. */
  readonly stage2: Stage2Controls | undefined;
  /** Bits of a physical address. */
  readonly physicalSize: number;
  /** VMID in force: −1 for regimes without one, and where EL2 is not enabled. */
  readonly vmid: number;
  /** ASID in force, by TCR_ELx.A1 and AS; −1 for regimes without one. */
  readonly asid: number;
  /** Bits of an ASID: 16 when TCR_ELx.AS is set, else 8. */
  readonly asidBits: number;
}

const OUTPUT_SIZES = [32, 36, 40, 42, 44, 48, 48, 48];
/** Log2 of the granule by TG0 and by TG1; 0 is reserved. */
const GRANULES_TG0 = [12, 16, 14, 0], GRANULES_TG1 = [0, 14, 12, 16];
/** Input sizes that Armv8.0 allows: TnSZ from 39 down to 16. */
const SMALLEST_INPUT = 25, LARGEST_INPUT = 48;

/** `width` bits of a register from bit `lowest` up. */
export function field(value: bigint, lowest: number, width: number): number {
  return Number(BigInt.asUintN(width, value >> BigInt(lowest)));
}

function isSet(value: bigint, bit: number): boolean {
  return field(value, bit, 1) === 1;
}

/** A granule that is not implemented, or reserved, behaves as 4 KiB: QEMU's choice of those that are (Arm ARM TCR_EL1.TG0). */
function implementedGranule(granule: number, limits: TranslationLimits): number {
  return granule === 0 || (granule === 14 && !limits.granule16K) ? 12 : granule;
}

/** Bits 47–1 of a table base register, without those below the table's size. */
function tableBase(register: bigint, sizeBits: number): number {
  return Number(BigInt.asUintN(48, register) >> BigInt(sizeBits)) * 2 ** sizeBits;
}

/** What the tables of one base register share with others of the regime. */
type TableProperties = Pick<TableStart, "outputSize" | "bigEndian" | "secure" | "cacheable">;

/** IRGNn and ORGNn, two bits each from bit `lowest` up, both Write-Back. */
function isWriteBack(register: bigint, lowest: number): boolean {
  return isSet(register, lowest) && isSet(register, lowest + 2);
}

function tableStart(
  register: bigint,
  shape: Pick<TableStart, "inputSize" | "granule" | "level">,
  properties: TableProperties,
  fault: FaultKind | undefined,
): TableStart {
  const { inputSize, granule, level } = shape;
  const sizeBits = Math.max(4, 3 + inputSize - ((3 - level) * (granule - 3) + granule));
  const base = tableBase(register, sizeBits);
  const tooLarge = base >= 2 ** properties.outputSize ? "addressSize" as const : undefined;
  return { base, ...shape, ...properties, fault: fault ?? tooLarge };
}

interface RangeFields {
  readonly base: bigint;
  readonly inputSize: number;
  readonly granule: number;
  readonly disabled: boolean;
  readonly topByteIgnored: boolean;
  readonly topByteIgnoredByFetch: boolean;
}

/** TBIn and TBIDn, which takes instructions out of it. */
function ignoredTop(
  tcr: bigint,
  ignored: number,
  dataOnly: number | undefined,
): Pick<RangeFields, "topByteIgnored" | "topByteIgnoredByFetch"> {
  const topByteIgnored = isSet(tcr, ignored);
  return {
    topByteIgnored,
    topByteIgnoredByFetch: topByteIgnored && (dataOnly === undefined || !isSet(tcr, dataOnly)),
  };
}

/** A TnSZ out of bounds makes every walk fault, as in QEMU (Arm ARM: CONSTRAINED UNPREDICTABLE, TCR_EL1.T0SZ). */
function addressRange(range: RangeFields, properties: TableProperties): AddressRange {
  const { base, granule, disabled, topByteIgnored, topByteIgnoredByFetch } = range;
  const inBounds = range.inputSize >= SMALLEST_INPUT && range.inputSize <= LARGEST_INPUT;
  const inputSize = inBounds ? range.inputSize : LARGEST_INPUT;
  const level = 4 - Math.ceil((inputSize - granule) / (granule - 3));
  const fault = disabled || !inBounds ? "translation" : undefined;
  return {
    ...tableStart(base, { inputSize, granule, level }, properties, fault),
    topByteIgnored,
    topByteIgnoredByFetch,
  };
}

function stage1(
  regime: Regime,
  secure: boolean,
  secureFetchOnly: boolean,
  registers: TranslationRegisters,
  limits: TranslationLimits,
): Stage1Controls {
  const { sctlr, tcr, hcr, mair } = registers;
  const two = regime === "EL1&0" || regime === "EL2&0";
  const size = OUTPUT_SIZES[two ? field(tcr, 32, 3) : field(tcr, 16, 3)] as number;
  const properties = {
    outputSize: Math.min(size, limits.physicalSize),
    bigEndian: isSet(sctlr, 25),
    secure,
  };
  const defaultCacheable = two && isSet(hcr, 12);
  const range = (fields: RangeFields, irgn: number) =>
    addressRange(fields, { ...properties, cacheable: isSet(sctlr, 2) && isWriteBack(tcr, irgn) });
  return {
    regime,
    withEl0: two,
    secure,
    enabled: isSet(sctlr, 0) && !(two && (isSet(hcr, 27) || defaultCacheable)),
    defaultCacheable,
    fetchCacheable: isSet(sctlr, 12),
    dataCacheable: isSet(sctlr, 2),
    writeExecuteNever: isSet(sctlr, 19),
    secureFetchOnly: secure && secureFetchOnly,
    lower: range({
      base: registers.ttbr0,
      inputSize: 64 - field(tcr, 0, 6),
      granule: implementedGranule(GRANULES_TG0[field(tcr, 14, 2)] as number, limits),
      disabled: two && isSet(tcr, 7),
      ...ignoredTop(tcr, two ? 37 : 20, limits.dataTags ? (two ? 51 : 29) : undefined),
    }, 8),
    upper: !two ? undefined : range({
      base: registers.ttbr1,
      inputSize: 64 - field(tcr, 16, 6),
      granule: implementedGranule(GRANULES_TG1[field(tcr, 30, 2)] as number, limits),
      disabled: isSet(tcr, 23),
      ...ignoredTop(tcr, 38, limits.dataTags ? 52 : undefined),
    }, 24),
    attributes: Array.from({ length: 8 }, (_, index) => field(mair, index * 8, 8)),
  };
}

/** Whether VTCR_EL2 describes tables that can exist (Arm ARM AArch64.TranslationTableWalk, second stage). */
function stage2IsValid(inputSize: number, granule: number, level: number, physicalSize: number): boolean {
  if (inputSize < SMALLEST_INPUT || inputSize > LARGEST_INPUT || inputSize > physicalSize) return false;
  // deno-fmt-ignore
  const lowest = granule === 12 ? (physicalSize > 42 ? 0 : 1) : physicalSize > (granule === 16 ? 42 : 40) ? 1 : 2;
  if (level < lowest) return false;
  const stride = granule - 3;
  const entriesLog2 = inputSize - ((3 - level) * stride + granule);
  return entriesLog2 >= 1 && entriesLog2 <= stride + 4;
}

function stage2(
  { hcr, vtcr, vttbr, sctlrEl2 }: TranslationRegisters,
  limits: TranslationLimits,
): Stage2Controls {
  const granule = implementedGranule(GRANULES_TG0[field(vtcr, 14, 2)] as number, limits);
  const level = (granule === 12 ? 2 : 3) - field(vtcr, 6, 2);
  const inputSize = 64 - field(vtcr, 0, 6);
  const valid = stage2IsValid(inputSize, granule, level, limits.physicalSize);
  const outputSize = Math.min(OUTPUT_SIZES[field(vtcr, 16, 3)] as number, limits.physicalSize);
  const shape = valid ? { inputSize, granule, level } : { inputSize: LARGEST_INPUT, granule, level: 0 };
  const cacheable = isWriteBack(vtcr, 8) && !isSet(hcr, 32);
  const properties = { outputSize, bigEndian: isSet(sctlrEl2, 25), secure: false, cacheable };
  const start = tableStart(vttbr, shape, properties, valid ? undefined : "translation");
  return {
    ...start,
    // TGE turns PTW off (Arm ARM HCR_EL2.TGE).
    protectedWalks: isSet(hcr, 2) && !isSet(hcr, 27),
    dataNonCacheable: isSet(hcr, 32),
    fetchNonCacheable: isSet(hcr, 33),
  };
}

/** Takes a regime's registers apart; `secure` is the security state of EL1&0 and EL3 lookups. */
export function translationControls(
  regime: Regime,
  secure: boolean,
  secureFetchOnly: boolean,
  registers: TranslationRegisters,
  limits: TranslationLimits,
): TranslationControls {
  const { hcr, vttbr, vtcr, tcr, ttbr0, ttbr1 } = registers;
  const asidBits = isSet(tcr, 36) ? 16 : 8;
  const virtual = regime === "EL1&0" && !secure && (isSet(hcr, 0) || isSet(hcr, 12));
  return {
    stage1: stage1(regime, secure, secureFetchOnly, registers, limits),
    stage2: virtual ? stage2(registers, limits) : undefined,
    physicalSize: limits.physicalSize,
    vmid: regime === "EL1&0" && hcr !== 0n ? field(vttbr, 48, isSet(vtcr, 19) ? 16 : 8) : -1,
    asid: regime.endsWith("&0") ? field(isSet(tcr, 22) ? ttbr1 : ttbr0, 48, asidBits) : -1,
    asidBits,
  };
}
