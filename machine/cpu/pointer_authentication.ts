/** Pointer authentication: where codes lie in pointers, when it is enabled or traps, and its keys (Arm ARM D5.1.5, J1.1). */
import { hasBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { hashFour } from "./pauth_hash.ts";
import { qarma5 } from "./qarma5.ts";
import { INDEX } from "./system_register_index.ts";
import { type TrapName, trapOf } from "./system_register_traps.ts";
import { isTrapped } from "./system_registers.ts";
import { accessControls, controlRegister } from "./translation_regime.ts";

interface Key {
  /** Bit of SCTLR_ELx that enables it: EnIA, EnIB, EnDA, EnDB. */
  readonly enable: number;
  /** It is for addresses of data. */
  readonly isData: boolean;
  /** What a failed authentication leaves in two bits of the pointer. */
  readonly error: bigint;
  readonly high: number;
  readonly low: number;
}

/** What a failed authentication leaves in two bits of the pointer, by key A and B. */
export const ERROR_CODES = [1n, 2n] as const;

const [A, B] = ERROR_CODES;

/** The keys by number. */
// deno-fmt-ignore
const KEYS: readonly Key[] = [
  { enable: 31, isData: false, error: A, high: INDEX.APIAKeyHi_EL1, low: INDEX.APIAKeyLo_EL1 },
  { enable: 30, isData: false, error: B, high: INDEX.APIBKeyHi_EL1, low: INDEX.APIBKeyLo_EL1 },
  { enable: 27, isData: true,  error: A, high: INDEX.APDAKeyHi_EL1, low: INDEX.APDAKeyLo_EL1 },
  { enable: 13, isData: true,  error: B, high: INDEX.APDBKeyHi_EL1, low: INDEX.APDBKeyLo_EL1 },
];

/** Bits of TCR_ELx about one range of addresses: TnSZ, TBIn and TBIDn. */
interface RangeBits {
  readonly size: bigint;
  readonly ignored: bigint;
  readonly dataOnly: bigint;
}

const SINGLE: RangeBits = { size: 0n, ignored: 20n, dataOnly: 29n };
const LOWER: RangeBits = { size: 0n, ignored: 37n, dataOnly: 51n };
const UPPER: RangeBits = { size: 16n, ignored: 38n, dataOnly: 52n };

/** Sizes of addresses: a TnSZ out of bounds counts as the nearest one within (Arm ARM CalculateBottomPACBit). */
const SMALLEST = 25, LARGEST = 48;

const isOne = (value: bigint, bit: bigint): boolean => (value >> bit & 1n) === 1n;

/** The top byte of an address is not part of it (Arm ARM EffectiveTBI). */
function ignoresTop(tcr: bigint, { ignored, dataOnly }: RangeBits, isData: boolean): boolean {
  return isOne(tcr, ignored) && (isData || !isOne(tcr, dataOnly));
}

/** A regime with one or two ranges ignores the top byte of addresses in one. */
function ignoresAnyTop(tcr: bigint, hasTwo: boolean, isData: boolean): boolean {
  return (hasTwo ? [LOWER, UPPER] : [SINGLE]).some((range) => ignoresTop(tcr, range, isData));
}

/** Which bits of a pointer are not its address. */
interface Format {
  /** The bits above the address, up to 55 where the top byte is ignored, else up to 63. */
  readonly extension: bigint;
  readonly topIgnored: boolean;
  /** The extension is ones. */
  readonly isUpper: boolean;
}

/**
 * The format of a pointer at the present level. One that is to be signed is of the upper range by bit 55 where a top byte
 * is ignored, of either range, and by bit 63 elsewhere (Arm ARM AddPAC); a signed one is by bit 55.
 */
function formatOf(cpu: Cpu, pointer: bigint, isData: boolean, isSigned: boolean): Format {
  const { registers: { tcr }, translation: { stage1 } } = accessControls(cpu, cpu.el);
  const hasTwo = stage1.upper !== undefined;
  const bit55 = isOne(pointer, 55n);
  const byBit55 = isSigned || ignoresAnyTop(tcr, hasTwo, isData);
  const isUpper = byBit55 ? bit55 : isOne(pointer, 63n);
  const rangeOf = (upper: boolean) => !hasTwo ? SINGLE : upper ? UPPER : LOWER;
  const topIgnored = ignoresTop(tcr, rangeOf(bit55), isData);
  const size = 64 - Number(tcr >> rangeOf(isUpper).size & 63n);
  const bottom = BigInt(Math.min(Math.max(size, SMALLEST), LARGEST));
  return { extension: (1n << (topIgnored ? 56n : 64n)) - (1n << bottom), topIgnored, isUpper };
}

const BIT_55 = 1n << 55n;

/** The pointer that was signed. */
function original(pointer: bigint, { extension, isUpper }: Format): bigint {
  return isUpper ? pointer | extension : pointer & ~extension;
}

/** Codes computed of late, by a few bits of their pointers and modifiers: what is signed is soon authenticated. */
const RECENT = 256;
interface Computation {
  readonly pointer: bigint;
  readonly modifier: bigint;
  readonly high: bigint;
  readonly low: bigint;
  readonly isHash: boolean;
  readonly code: bigint;
}
const recent: (Computation | undefined)[] = new Array(RECENT);

/** ComputePAC: 64 bits by the algorithm of the model. */
function compute(cpu: Cpu, pointer: bigint, modifier: bigint, key: Pick<Key, "high" | "low">): bigint {
  const { system } = cpu.registers;
  const high = system[key.high] as bigint, low = system[key.low] as bigint, isHash = cpu.implements("PACIMP");
  const place = Number((pointer >> 2n ^ modifier >> 4n) & BigInt(RECENT - 1));
  const known = recent[place];
  if (
    known !== undefined && known.pointer === pointer && known.modifier === modifier && known.high === high &&
    known.low === low && known.isHash === isHash
  ) return known.code;
  const code = isHash ? hashFour(pointer, modifier, low, high) : qarma5(pointer, modifier, high, low);
  recent[place] = { pointer, modifier, high, low, isHash, code };
  return code;
}

const TRAPS: readonly TrapName[] = ["API_EL2", "API_EL3"];

/** SCTLR_ELx of the present level's regime enables the key. */
const isEnabled = (cpu: Cpu, { enable }: Key): boolean => hasBit(cpu, controlRegister(cpu), enable);

/**
 * PACxx: the pointer with its code by key 0–3 (IA, IB, DA, DB); as it is where the key is not enabled, or with a trap
 * pending.
 */
export function addPac(cpu: Cpu, number: number, pointer: bigint, modifier: bigint): bigint {
  const key = KEYS[number] as Key;
  if (!isEnabled(cpu, key) || isTrapped(cpu, TRAPS, 0, 0, false)) return pointer;
  const format = formatOf(cpu, pointer, key.isData, false);
  const { extension, topIgnored, isUpper } = format;
  let code = compute(cpu, original(pointer, format), modifier, key);
  const above = pointer & extension;
  // A pointer that was no address must not become one when its code is found right.
  if (above !== 0n && above !== extension) code ^= topIgnored ? 1n << 54n : 1n << 62n;
  return pointer & ~extension | code & extension & ~BIT_55 | (isUpper ? BIT_55 : 0n);
}

/** AUTxx: the pointer without its code; one that no address has where the code is wrong. As `addPac` otherwise. */
export function authenticate(cpu: Cpu, number: number, pointer: bigint, modifier: bigint): bigint {
  const key = KEYS[number] as Key;
  if (!isEnabled(cpu, key) || isTrapped(cpu, TRAPS, 0, 0, false)) return pointer;
  const format = formatOf(cpu, pointer, key.isData, true);
  const unsigned = original(pointer, format);
  const code = compute(cpu, unsigned, modifier, key);
  if (((code ^ pointer) & format.extension & ~BIT_55) === 0n) return unsigned;
  const place = format.topIgnored ? 53n : 61n;
  return unsigned & ~(3n << place) | key.error << place;
}

/** XPACI and XPACD: the pointer without a code, whatever it was; never traps. */
export function stripPac(cpu: Cpu, isData: boolean, pointer: bigint): bigint {
  return original(pointer, formatOf(cpu, pointer, isData, true));
}

const GENERIC = { high: INDEX.APGAKeyHi_EL1, low: INDEX.APGAKeyLo_EL1 } as const;

/** PACGA: the upper half of the code of any 64 bits; 0n with a trap pending. */
export function genericPac(cpu: Cpu, value: bigint, modifier: bigint): bigint {
  if (isTrapped(cpu, TRAPS, 0, 0, false)) return 0n;
  return compute(cpu, value, modifier, GENERIC) >> 32n << 32n;
}

/** Bits of `PointerRules.keys`: key 0–3 is enabled; what is to be signed is of a range by bit 55, instructions, then data; the rules hold. */
export const POINTER_RULE = { enabled: 1, byBit55: 1 << 4, known: 1 << 8 } as const;

/** What the functions above do at the present level with any pointer, as numbers. */
export interface PointerRules {
  /** Bits of POINTER_RULE. */
  readonly keys: number;
  /** Bits above an address of an instruction in the lower range, the upper one, and the same of data. */
  readonly extensions: readonly bigint[];
}

const KEY_TRAPS: readonly TrapName[] = ["APK_EL2", "APK_EL3"];

/** The rules of QARMA5 where neither it nor the registers of its keys trap; undefined elsewhere. */
export function pointerRules(cpu: Cpu): PointerRules | undefined {
  if (!cpu.implements("PAuth") || cpu.implements("PACIMP")) return undefined;
  if (trapOf(cpu, TRAPS, false) !== undefined || trapOf(cpu, KEY_TRAPS, false) !== undefined) {
    return undefined;
  }
  const { registers: { tcr }, translation: { stage1 } } = accessControls(cpu, cpu.el);
  let keys: number = POINTER_RULE.known;
  const extensions: bigint[] = [];
  for (const [isData, index] of [[false, 0], [true, 1]] as const) {
    if (ignoresAnyTop(tcr, stage1.upper !== undefined, isData)) keys |= POINTER_RULE.byBit55 << index;
    for (const pointer of [0n, BIT_55]) extensions.push(formatOf(cpu, pointer, isData, true).extension);
  }
  for (const [number, key] of KEYS.entries()) {
    if (isEnabled(cpu, key)) keys |= POINTER_RULE.enabled << number;
  }
  return { keys, extensions };
}

/** The register with the lower half of the key that a helper uses; the upper half's is the next. */
export function keyRegister(helper: string, number: number): number {
  return helper === "genericPac" ? GENERIC.low : (KEYS[number & 3] as Key).low;
}
