/** Breakpoints and watchpoints of self-hosted debug: what is armed, and what matches it (Arm ARM D2.9, D2.10). */
import { hasBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { areDebugExceptionsEnabled, debugTarget } from "./software_step.ts";
import { type ExceptionClass, syndromeOf } from "./syndrome.ts";
import { INDEX } from "./system_register_index.ts";
import { raiseSynchronous } from "./take_exception.ts";
import { isEl2Enabled, isHost, isInHost, isSecureBelowEl3 } from "./translation_regime.ts";

/** Breakpoints, ID_AA64DFR0_EL1.BRPs + 1. */
export const BREAKPOINTS = 6;
/** Watchpoints, ID_AA64DFR0_EL1.WRPs + 1. */
export const WATCHPOINTS = 4;
/** The last so many breakpoints compare contexts too, ID_AA64DFR0_EL1.CTX_CMPs + 1. */
const CONTEXT_AWARE = 2;

const MDSCR_MDE = 15;
/** DBGBCRn_EL1 and DBGWCRn_EL1: enable, privilege, higher mode, security state, linked breakpoint, type or linked. */
const CONTROL = {
  E: 0n,
  PC: 1n,
  LSC: 3n,
  BAS: 5n,
  HMC: 13n,
  SSC: 14n,
  LBN: 16n,
  BT: 20n,
  MASK: 24n,
} as const;
/** Status of the syndrome: a debug event; and WnR and CM of a watchpoint's. */
const DEBUG_STATUS = 0x22, ISS_WNR = 1 << 6, ISS_CM = 1 << 8;
/** Bits of an address that do not depend on tags. */
const ADDRESS_BITS = 56;

/** A breakpoint on an address. */
export interface AddressBreakpoint {
  /** Address without its tag, 56 bits. */
  readonly address: bigint;
  /** DBGBCRn_EL1. */
  readonly control: bigint;
}

/** A watchpoint on a range of addresses, its ends within. */
export interface Watchpoint {
  /** First byte, without its tag, 56 bits. */
  readonly first: bigint;
  /** Last byte. */
  readonly last: bigint;
  /** DBGWCRn_EL1. */
  readonly control: bigint;
  /** It matches loads. */
  readonly loads: boolean;
  /** It matches stores. */
  readonly stores: boolean;
}

/** What may match while MDSCR_EL1.MDE is 1; no part of the state, since it follows from registers. */
export interface ArmedEvents {
  /** Breakpoints on addresses. */
  readonly addresses: readonly AddressBreakpoint[];
  /** Numbers of breakpoints on contexts alone, which match anywhere. */
  readonly contexts: readonly number[];
  /** Watchpoints. */
  readonly watchpoints: readonly Watchpoint[];
}

const bits = (value: bigint, at: bigint, count: number): number => Number(BigInt.asUintN(count, value >> at));

const control = (cpu: Cpu, number: number): bigint =>
  cpu.registers.system[INDEX.DBGBCR0_EL1 + number] as bigint;
const value = (cpu: Cpu, number: number): bigint =>
  cpu.registers.system[INDEX.DBGBVR0_EL1 + number] as bigint;

/** What a type of breakpoint compares, DBGBCRn_EL1.BT; undefined for one that is reserved here, which is disabled. */
function comparisonOf(cpu: Cpu, number: number) {
  const type = bits(control(cpu, number), CONTROL.BT, 4);
  const kind = type >> 1;
  const isReserved = kind === 2 || ((kind === 3 || kind >= 6) && !cpu.implements("VHE")) ||
    (kind !== 0 && number < BREAKPOINTS - CONTEXT_AWARE) || (kind >= 4 && !cpu.features.el2);
  if (isReserved) return undefined;
  return {
    linked: (type & 1) === 1,
    address: kind === 0,
    contextHere: kind === 1,
    context1: kind === 3 || kind === 5 || kind === 7,
    context2: kind >= 6,
    virtualMachine: kind === 4 || kind === 5,
  };
}

function isEnabled(cpu: Cpu, number: number): boolean {
  return (control(cpu, number) & 1n) === 1n;
}

/**
 * The bytes that a watchpoint watches. Of what is CONSTRAINED UNPREDICTABLE, as in QEMU 7.2: BAS counts for nothing
 * beside MASK, bytes after a gap in BAS are not watched, and neither are those of a reserved MASK.
 */
function rangeOf(address: bigint, control: bigint): { first: bigint; last: bigint } | undefined {
  const mask = bits(control, CONTROL.MASK, 5);
  if (mask === 1 || mask === 2) return undefined;
  if (mask > 0) {
    const first = address >> BigInt(mask) << BigInt(mask);
    return { first, last: first + (1n << BigInt(mask)) - 1n };
  }
  const select = bits(control, CONTROL.BAS, 8) & ((address & 4n) !== 0n ? 15 : 255);
  if (select === 0) return undefined;
  const start = 31 - Math.clz32(select & -select);
  const length = 31 - Math.clz32(~(select >> start) & -~(select >> start));
  const first = address + BigInt(start);
  return { first, last: first + BigInt(length) - 1n };
}

function watchpointOf(cpu: Cpu, number: number): Watchpoint | undefined {
  const { system } = cpu.registers;
  const control = system[INDEX.DBGWCR0_EL1 + number] as bigint;
  const range = rangeOf((system[INDEX.DBGWVR0_EL1 + number] as bigint) & ~3n, control);
  const transfers = bits(control, CONTROL.LSC, 2);
  if ((control & 1n) === 0n || transfers === 0 || range === undefined) return undefined;
  const first = BigInt.asUintN(ADDRESS_BITS, range.first), last = BigInt.asUintN(ADDRESS_BITS, range.last);
  return { first, last, control, loads: (transfers & 1) === 1, stores: (transfers & 2) === 2 };
}

function armedEvents(cpu: Cpu): ArmedEvents | undefined {
  if (!hasBit(cpu, "MDSCR_EL1", MDSCR_MDE)) return undefined;
  const addresses: AddressBreakpoint[] = [], contexts: number[] = [];
  for (let number = 0; number < BREAKPOINTS; number++) {
    const comparison = isEnabled(cpu, number) ? comparisonOf(cpu, number) : undefined;
    if (comparison?.address === true) {
      // The first byte of an instruction must be selected.
      const isSelected = bits(control(cpu, number), CONTROL.BAS, 1) === 1;
      const address = BigInt.asUintN(ADDRESS_BITS, value(cpu, number) & ~3n);
      if (isSelected) addresses.push({ address, control: control(cpu, number) });
    } else if (comparison?.linked === false) contexts.push(number);
  }
  const watchpoints = Array.from({ length: WATCHPOINTS }, (_, number) => watchpointOf(cpu, number))
    .filter((watchpoint) => watchpoint !== undefined);
  const isNone = addresses.length + contexts.length + watchpoints.length === 0;
  return isNone ? undefined : { addresses, contexts, watchpoints };
}

/**
 * Must be called after a change of MDSCR_EL1 and of the registers of breakpoints and watchpoints. Quick paths know
 * pages without watchpoints and instructions without breakpoints only, so what they know of others is dropped.
 */
export function debugRegistersChanged(cpu: Cpu): void {
  const before = cpu.armed;
  cpu.armed = armedEvents(cpu);
  if (before === undefined && cpu.armed === undefined) return;
  cpu.attention = true;
  if (cpu.armed !== undefined && cpu.armed.watchpoints.length > 0) cpu.tlb.drop();
  const { codeObserver } = cpu.surroundings.memory;
  for (const armed of [before, cpu.armed]) {
    for (const { address } of armed?.addresses ?? []) codeObserver?.breakpointChanged(address);
  }
}

const PAGE_SHIFT = 12n;

function isSamePage(address: bigint, first: bigint, last = first): boolean {
  const page = BigInt.asUintN(ADDRESS_BITS, address) >> PAGE_SHIFT;
  return page >= first >> PAGE_SHIFT && page <= last >> PAGE_SHIFT;
}

/** A data access to the page of an address may match a watchpoint, so that no quick path may make it. */
export function isPageWatched({ armed }: Cpu, address: bigint): boolean {
  return armed !== undefined && armed.watchpoints.some(({ first, last }) => isSamePage(address, first, last));
}

/** A breakpoint of some CPU is on an address, whatever its tag: quick paths leave the instruction alone. */
export function hasBreakpoint(cpus: readonly Cpu[], address: bigint): boolean {
  const plain = BigInt.asUintN(ADDRESS_BITS, address);
  return cpus.some(({ armed }) =>
    armed?.addresses.some((breakpoint) => breakpoint.address === plain) === true
  );
}

/** A breakpoint on a context alone may match any instruction. */
export function mayBreakAnywhere({ armed }: Cpu): boolean {
  return armed !== undefined && armed.contexts.length > 0;
}

/** The context that a breakpoint compares is the present one (Arm ARM AArch64.BreakpointValueMatch). */
function isContext(cpu: Cpu, number: number): boolean {
  const { system } = cpu.registers;
  const comparison = comparisonOf(cpu, number);
  if (comparison === undefined) return false;
  const { contextHere, context1, context2, virtualMachine } = comparison;
  const compared = value(cpu, number), low = BigInt.asUintN(32, compared);
  const hosts = cpu.el === 2 ? isHost(cpu) : cpu.el === 0 && isInHost(cpu);
  const guests = cpu.el < 2 && !hosts;
  const id1 = BigInt.asUintN(32, system[INDEX.CONTEXTIDR_EL1] as bigint);
  const id2 = BigInt.asUintN(32, system[INDEX.CONTEXTIDR_EL2] as bigint);
  if (contextHere && !(hosts ? id2 === low : guests && id1 === low)) return false;
  if (context1 && !(guests && id1 === low)) return false;
  if (context2 && (cpu.el === 3 || isSecureBelowEl3(cpu) || id2 !== compared >> 32n)) return false;
  const vmid = (system[INDEX.VTTBR_EL2] as bigint) >> 48n & 0xffn;
  return !virtualMachine || (isEl2Enabled(cpu) && guests && (compared >> 32n & 0xffn) === vmid);
}

/** The breakpoint that another one or a watchpoint is linked to matches; a link to one without contexts never does. */
function isLinkMatched(cpu: Cpu, number: number): boolean {
  if (number >= BREAKPOINTS || !isEnabled(cpu, number)) return false;
  const comparison = comparisonOf(cpu, number);
  return comparison !== undefined && comparison.linked && !comparison.address && isContext(cpu, number);
}

/**
 * Level, security state and link of a control register match (Arm ARM AArch64.StateMatch). Reserved combinations of
 * HMC, SSC and PMC act by their fields, as in QEMU 7.2.
 */
function isStateMatched(cpu: Cpu, control: bigint, level: ExceptionLevel): boolean {
  const isSecure = cpu.el === 3 || isSecureBelowEl3(cpu);
  const states = bits(control, CONTROL.SSC, 2);
  if (states === 2 ? !isSecure : states !== 0 && isSecure) return false;
  const levels = bits(control, CONTROL.PC, 2), higher = bits(control, CONTROL.HMC, 1) === 1;
  if (!(level >= 2 ? higher : (level === 1 ? levels & 1 : levels & 2) !== 0)) return false;
  return bits(control, CONTROL.BT, 1) === 0 || isLinkMatched(cpu, bits(control, CONTROL.LBN, 4));
}

/** A debug exception goes to `debugTarget`. */
function raiseDebug(cpu: Cpu, name: "breakpoint" | "watchpoint", iss: number, faultAddress: bigint): void {
  const target = debugTarget(cpu);
  const kind: ExceptionClass = target > cpu.el ? `${name}Lower` : `${name}Same`;
  raiseSynchronous(cpu, target, syndromeOf(kind, iss | DEBUG_STATUS), { faultAddress });
}

/**
 * Makes a breakpoint exception pending where one matches the instruction at the PC, which was fetched. Only for a CPU
 * that has something armed. FAR_ELx is UNKNOWN after it: zero.
 */
export function checkBreakpoints(cpu: Cpu, { addresses, contexts }: ArmedEvents): void {
  const pc = BigInt.asUintN(ADDRESS_BITS, cpu.pc);
  const isMatched =
    addresses.some(({ address, control }) => address === pc && isStateMatched(cpu, control, cpu.el)) ||
    contexts.some((number) => isContext(cpu, number) && isStateMatched(cpu, control(cpu, number), cpu.el));
  if (isMatched && areDebugExceptionsEnabled(cpu)) raiseDebug(cpu, "breakpoint", 0, 0n);
}

/** An access to memory, as watchpoints see it. */
export interface WatchedAccess {
  /** Virtual address of the first byte. */
  readonly address: bigint;
  /** Bytes. */
  readonly size: number;
  /** A store, or what counts as one. */
  readonly write: boolean;
  /** Level whose privilege it has. */
  readonly level: ExceptionLevel;
  /** A cache maintenance instruction. */
  readonly maintenance?: boolean;
}

/** Makes a watchpoint exception pending where one matches an access that is allowed; true when one does. */
export function checkWatchpoints(cpu: Cpu, access: WatchedAccess): boolean {
  const { armed } = cpu;
  if (armed === undefined || armed.watchpoints.length === 0) return false;
  const { address, size, write, level, maintenance = false } = access;
  const start = BigInt.asUintN(ADDRESS_BITS, address), end = start + BigInt(size) - 1n;
  for (const { first, last, control, loads, stores } of armed.watchpoints) {
    if (!(write ? stores : loads) || end < first || start > last) continue;
    if (!isStateMatched(cpu, control, level) || !areDebugExceptionsEnabled(cpu)) continue;
    const offset = first > start ? first - start : 0n;
    const iss = (write ? ISS_WNR : 0) | (maintenance ? ISS_CM : 0);
    raiseDebug(cpu, "watchpoint", iss, BigInt.asUintN(64, address + offset));
    return true;
  }
  return false;
}
