/** What AT, TLBI, DC and IC instructions do once they are allowed; who may execute them is decided before. */
import { SYSTEM_INSTRUCTIONS } from "../a64/system_names.ts";
import type { Fault } from "../memory/fault.ts";
import type { PhysicalAddress } from "../address.ts";
import {
  translate,
  translateStage1,
  type Translation,
  type TranslationRequest,
} from "../memory/translation.ts";
import type { Regime, TranslationControls } from "../memory/translation_controls.ts";
import { raiseDataAbort } from "./abort.ts";
import { checkWatchpoints } from "./breakpoints.ts";
import type { Cpu } from "./cpu.ts";
import { writeDevice } from "./device_access.ts";
import type { ExceptionLevel } from "./exception.ts";
import { parOf } from "./par.ts";
import { locate, splitAddress } from "./place.ts";
import { translateVisibly, writeVisibly } from "./strict_access.ts";
import {
  invalidateInstructionLine,
  invalidateInstructions,
  invalidateTranslations,
  maintainDataLine,
  maintainDataSet,
} from "./strict_maintenance.ts";
import { INDEX } from "./system_register_index.ts";
import { accessControls, controlsOf, isHost, isInHost, regimeOf } from "./translation_regime.ts";

/** What an instruction does with the value of Xt. */
type Meaning = (cpu: Cpu, operand: bigint) => void;

interface AddressTranslation {
  readonly name: string;
  readonly regime: Regime;
  readonly stages: 1 | 2;
  readonly kind: "read" | "write";
  readonly privileged: boolean;
  /** PSTATE.PAN acts (FEAT_PAN2). */
  readonly pan: boolean;
}

function at(
  name: string,
  regime: Regime,
  stages: 1 | 2,
  kind: "read" | "write",
  privileged: boolean,
): AddressTranslation {
  return { name, regime, stages, kind, privileged, pan: name.endsWith("p") };
}

/** AT instructions (Arm ARM C5.4). */
// deno-fmt-ignore
const TRANSLATIONS: readonly AddressTranslation[] = [
  at("s1e1r",  "EL1&0", 1, "read",  true),  at("s1e1w",  "EL1&0", 1, "write", true),
  at("s1e1rp", "EL1&0", 1, "read",  true),  at("s1e1wp", "EL1&0", 1, "write", true),
  at("s1e0r",  "EL1&0", 1, "read",  false), at("s1e0w",  "EL1&0", 1, "write", false),
  at("s12e1r", "EL1&0", 2, "read",  true),  at("s12e1w", "EL1&0", 2, "write", true),
  at("s12e0r", "EL1&0", 2, "read",  false), at("s12e0w", "EL1&0", 2, "write", false),
  at("s1e2r",  "EL2",   1, "read",  true),  at("s1e2w",  "EL2",   1, "write", true),
  at("s1e3r",  "EL3",   1, "read",  true),  at("s1e3w",  "EL3",   1, "write", true),
];

/** TLBI instructions of Armv8.0-A; each has an inner-shareable form with `is` at the end (Arm ARM C5.5). */
const INVALIDATIONS = [
  ...["vmalle1", "vae1", "aside1", "vaae1", "vale1", "vaale1"],
  ...["ipas2e1", "ipas2le1", "alle2", "vae2", "alle1", "vale2", "vmalls12e1"],
  ...["alle3", "vae3", "vale3"],
];

/** Some faults of a walk are exceptions and leave PAR_EL1 alone (Arm ARM D8.2: address translation instructions). */
function isException(cpu: Cpu, { stages }: AddressTranslation, fault: Fault): boolean {
  return fault.kind === "externalOnWalk" || (fault.onWalk && stages === 1 && cpu.el === 1);
}

/** E2H makes EL2's regime EL2&0; with TGE as well, that of EL1 and EL0 is EL2&0 too (Arm ARM AArch64.AT). */
function regimeOfTranslation(cpu: Cpu, { regime }: AddressTranslation): Regime {
  return (regime === "EL2" && isHost(cpu)) || (regime === "EL1&0" && isInHost(cpu)) ? "EL2&0" : regime;
}

/** Translates for an instruction that makes no access, as the strict models have it where there are any. */
function translateFor(
  cpu: Cpu,
  controls: TranslationControls,
  controlsNow: () => TranslationControls,
  address: bigint,
  request: TranslationRequest,
  stages: 1 | 2,
): Translation<number> | Fault {
  const { memory, strict } = cpu.surroundings;
  const split = splitAddress(address);
  if (strict !== undefined) {
    return translateVisibly(cpu, strict, controls, split, request, stages, controlsNow);
  }
  return (stages === 1 ? translateStage1 : translate)(memory, controls, split, request);
}

/** The level whose accesses are translated by a regime. */
const LEVEL_OF: Readonly<Record<Regime, ExceptionLevel>> = { "EL1&0": 1, "EL2": 2, "EL2&0": 2, "EL3": 3 };

/** A regime's controls, as they were made for accesses: whoever scans by AT asks for them a hundred thousand times. */
function knownControls(cpu: Cpu, regime: Regime): TranslationControls {
  const { translation } = accessControls(cpu, LEVEL_OF[regime]);
  return translation.stage1.regime === regime ? translation : controlsOf(cpu, regime);
}

function translateAddress(row: AddressTranslation): Meaning {
  const { kind, privileged } = row;
  return (cpu, address) => {
    const controlsNow = () => controlsOf(cpu, regimeOfTranslation(cpu, row));
    const isStrict = cpu.surroundings.strict !== undefined;
    const controls = isStrict ? controlsNow() : knownControls(cpu, regimeOfTranslation(cpu, row));
    const request: TranslationRequest = { kind, privileged, pan: row.pan && cpu.pan, aligned: true };
    const result = translateFor(cpu, controls, controlsNow, address, request, row.stages);
    if (result.faulted && isException(cpu, row, result)) {
      raiseDataAbort(cpu, result, { address, write: true, maintenance: true });
      return;
    }
    cpu.registers.system[INDEX.PAR_EL1] = parOf(result);
  };
}

/** Without a strict model TLBs are invisible, so only the event remains (see machine/memory/README.md). */
function invalidate(operation: string): Meaning {
  return (cpu, operand) => {
    cpu.surroundings.events.emit("tlbInvalidated", cpu.index, { operation, operand });
    invalidateTranslations(cpu, operation, operand);
  };
}

/** Bytes of a DC ZVA block: DCZID_EL0.BS = 4. */
const ZERO_BLOCK = 64;

/** DC ZVA: a store of zeros, never to Device memory; FAR gets the address as given. */
function zeroBlock(cpu: Cpu, address: bigint): void {
  const start = address & ~BigInt(ZERO_BLOCK - 1);
  const place = locate(cpu, accessControls(cpu, cpu.el), start, "write", false);
  if (place.faulted) return raiseDataAbort(cpu, place, { address, write: true });
  if (checkWatchpoints(cpu, { address: start, size: ZERO_BLOCK, write: true, level: cpu.el })) return;
  const { hostOffset, physical, secure } = place;
  if (hostOffset < 0) {
    const fault = writeDevice(cpu, physical, ZERO_BLOCK, 0n, secure);
    if (fault !== undefined) return raiseDataAbort(cpu, fault, { address, write: true });
    cpu.watches?.accessed(cpu, true, start, ZERO_BLOCK, [place]);
    return;
  }
  cpu.watches?.accessed(cpu, true, start, ZERO_BLOCK, [place]);
  const { memory, strict } = cpu.surroundings;
  if (strict !== undefined && writeVisibly(cpu, strict, place, new Uint8Array(ZERO_BLOCK))) return;
  memory.markWritten(hostOffset, ZERO_BLOCK, physical as PhysicalAddress, cpu.index);
  memory.bytes.fill(0, hostOffset, hostOffset + ZERO_BLOCK);
}

/**
 * Cache maintenance by address: without strict models caches are invisible, its faults are not. At EL0 DC needs
 * permission to read; DC IVAC needs permission to write; nothing else needs any (Arm ARM D7.5.8).
 */
function maintain(name: string, needs: "read" | "write" | "none"): [name: string, Meaning] {
  const perform = name.startsWith("ic") ? invalidateInstructionLine : maintainDataLine;
  return [name, (cpu, address) => {
    const controls = accessControls(cpu, cpu.el), { translation, privileged } = controls;
    // What can be read can be maintained, and generated code asks the TLB for what can be read.
    const isInvisible = cpu.surroundings.strict === undefined && needs !== "write";
    if (isInvisible && !locate(cpu, controls, address, "read", true).faulted) return;
    const kind = needs === "write" ? "write" : needs === "read" && cpu.el === 0 ? "read" : "maintain";
    const request: TranslationRequest = { kind, privileged, aligned: true };
    const level = cpu.el;
    const controlsNow = () => controlsOf(cpu, regimeOf(cpu, level));
    const result = translateFor(cpu, translation, controlsNow, address, request, 2);
    if (result.faulted) return raiseDataAbort(cpu, result, { address, write: true, maintenance: true });
    // Of all maintenance only DC IVAC counts as a store (Arm ARM D2.10.4).
    const watched = { address, size: 1, write: true, level: cpu.el, maintenance: true };
    if (needs !== "write" || !checkWatchpoints(cpu, watched)) perform(cpu, name, result.address);
  }];
}

function maintainBySet(name: string): [name: string, Meaning] {
  return [name, (cpu, operand) => maintainDataSet(cpu, name, operand)];
}

/** Cache instructions. */
// deno-fmt-ignore
const CACHES: readonly (readonly [name: string, meaning: Meaning])[] = [
  ["dc zva", zeroBlock],
  maintain("dc ivac", "write"),
  maintain("dc cvac", "read"), maintain("dc cvau", "read"), maintain("dc civac", "read"),
  maintain("dc cvap", "read"), maintain("dc cvadp", "read"),
  maintain("ic ivau", "none"),
  maintainBySet("dc isw"), maintainBySet("dc csw"), maintainBySet("dc cisw"),
  ["ic iallu",   (cpu) => invalidateInstructions(cpu, false)],
  ["ic ialluis", (cpu) => invalidateInstructions(cpu, true)],
];

function byEncoding(): ReadonlyMap<number, Meaning> {
  const named: (readonly [string, Meaning])[] = [
    ...TRANSLATIONS.map((row): [string, Meaning] => [`at ${row.name}`, translateAddress(row)]),
    ...INVALIDATIONS.flatMap((name) => [name, `${name}is`]).map((name): [string, Meaning] => [
      `tlbi ${name}`,
      invalidate(name.toUpperCase()),
    ]),
    ...CACHES,
  ];
  return new Map(named.map(([name, meaning]) => {
    const instruction = SYSTEM_INSTRUCTIONS[name];
    if (instruction === undefined) {
      throw new RangeError(`Cannot define "${name}": no such system instruction`);
    }
    return [instruction.encoding, meaning];
  }));
}

const MEANINGS = byEncoding();

/**
 * Performs a system instruction by its encoding (op0 = 1, op1, CRn, CRm, op2 as `systemEncoding` has it) with the
 * value of Xt. Privilege and trap checks are the caller's. False when Armv8.0-A has no such AT, TLBI, DC or IC.
 */
export function performSystemInstruction(cpu: Cpu, encoding: number, operand: bigint): boolean {
  const meaning = MEANINGS.get(encoding);
  meaning?.(cpu, operand);
  return meaning !== undefined;
}
