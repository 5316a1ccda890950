/** Configurations in which every system register access is tried, on QEMU and on ours, and how outcomes are written. */
import { encodingOfSystemRegister } from "../../../machine/a64/system_names.ts";

/** Values of the registers that control accesses. */
export type Controls = Readonly<Record<string, bigint>>;

/** One configuration: features, level and controls. */
export interface Configuration {
  /** Unique name. */
  readonly name: string;
  /** EL2 exists. */
  readonly el2: boolean;
  /** EL3 exists. */
  readonly el3: boolean;
  /** Level at which accesses are tried. */
  readonly level: 0 | 1 | 2 | 3;
  /** SCR_EL3. */
  readonly scr: bigint;
  /** Registers set before. */
  readonly controls: Controls;
}

/** Encodings that are tried: op0 1 to 3. */
export const FIRST_ENCODING = 0x4000;
/** One past the last. */
export const LAST_ENCODING = 0x10000;

const RW = 1n << 31n;
const SCR_BASE = 0x501n;
/** Everything traps that the reset state traps. */
// deno-fmt-ignore
const CLOSED: Controls = {
  HCR_EL2: RW, SCTLR_EL1: 0xc50838n, CPTR_EL2: 0n, MDCR_EL2: 6n, CNTHCTL_EL2: 3n, CPACR_EL1: 3n << 20n,
  CNTKCTL_EL1: 0n, PMUSERENR_EL0: 0n, MDSCR_EL1: 0n, CPTR_EL3: 0n, MDCR_EL3: 0n,
};
/** EL0 may do all that EL1 can let it do: UMA, DZE, UCT, nTWI, nTWE, UCI; timers; counters. */
const OPEN: Controls = { ...CLOSED, SCTLR_EL1: 0x4c5ca38n, CNTKCTL_EL1: 0x303n, PMUSERENR_EL0: 15n };

type Level = Configuration["level"];

function configuration(
  name: string,
  levels: readonly Level[],
  changes: Controls = {},
  base: Controls = OPEN,
  scr = SCR_BASE,
): Configuration[] {
  const controls = { ...base, ...changes };
  return levels.map((level) => ({ name: `${name} EL${level}`, el2: true, el3: true, level, scr, controls }));
}

/** The register with one more bit set. */
function withBit(register: string, bit: number, levels: readonly Level[]): Configuration[] {
  const value = (OPEN[register] as bigint) | 1n << BigInt(bit);
  return configuration(`${register} ${bit}`, levels, { [register]: value });
}

/** Only this bit of what EL1 lets EL0 do. */
function onlyBit(register: string, bit: number): Configuration[] {
  const value = (CLOSED[register] as bigint) | 1n << BigInt(bit);
  return configuration(`only ${register} ${bit}`, [0], { [register]: value }, CLOSED);
}

/** All features at all levels, and the resets of each. */
function features(): Configuration[] {
  return [[false, false], [true, false], [false, true], [true, true]].flatMap((pair) => {
    const [el2, el3] = pair as [boolean, boolean];
    const levels: Level[] = el3 ? [0, 1, ...(el2 ? [2 as const] : []), 3] : el2 ? [0, 1, 2] : [0, 1];
    const controls: Controls = el2 ? { HCR_EL2: RW } : {};
    return levels.map((level): Configuration => ({
      name: `${el2 ? "with" : "without"} EL2, ${el3 ? "with" : "without"} EL3, EL${level}`,
      el2,
      el3,
      level,
      scr: el3 ? SCR_BASE : 0n,
      controls,
    }));
  });
}

/** HCR_EL2.E2H, and with TGE. */
const E2H = RW | 1n << 34n, IN_HOST = E2H | 1n << 27n;
/** CPTR_EL2 for a host: FPEN traps nothing. */
const HOST_CPTR = 3n << 20n;
/** CNTHCTL_EL2 for a host: all is allowed. */
const HOST_CNTHCTL = 0xf03n;

/** A host at EL2; with TGE, EL0 is its own. */
function host(name: string, levels: readonly Level[], changes: Controls = {}, hcr = E2H): Configuration[] {
  const controls = { HCR_EL2: hcr, CPTR_EL2: HOST_CPTR, CNTHCTL_EL2: HOST_CNTHCTL, SCTLR_EL2: 0x4c5ca38n };
  return configuration(name, levels, { ...controls, ...changes });
}

/** What FEAT_VHE adds. */
// deno-fmt-ignore
const HOST_CONFIGURATIONS: readonly Configuration[] = [
  ...host("E2H", [0, 1, 2, 3]),
  ...host("E2H and TGE", [0, 2, 3], {}, IN_HOST),
  ...host("E2H, secure", [0, 1, 3]).map((one) => ({ ...one, scr: 0x500n })),
  ...[13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28].flatMap((bit) =>
    host(`E2H, TGE and HCR_EL2 ${bit}`, [0], {}, IN_HOST | 1n << BigInt(bit))),
  ...[0n, 1n, 2n].flatMap((fpen) => [
    ...host(`E2H, FPEN ${fpen}`, [0, 1, 2], { CPTR_EL2: fpen << 20n, CPACR_EL1: fpen << 20n }),
    ...host(`E2H, FPEN ${fpen} of EL2`, [0, 1], { CPTR_EL2: fpen << 20n }),
    ...host(`E2H, TGE, FPEN ${fpen}`, [0], { CPTR_EL2: fpen << 20n }, IN_HOST),
    ...host(`E2H, TGE, FPEN ${fpen} of EL1`, [0], { CPACR_EL1: fpen << 20n }, IN_HOST),
  ]),
  ...host("E2H, CPTR_EL2 31", [0, 1], { CPTR_EL2: HOST_CPTR | 1n << 31n }),
  ...[0, 1, 8, 9, 10, 11].flatMap((bit) => [
    ...host(`E2H, CNTHCTL_EL2 without ${bit}`, [0, 1], { CNTHCTL_EL2: HOST_CNTHCTL & ~(1n << BigInt(bit)) }),
    ...host(`E2H, TGE, CNTHCTL_EL2 without ${bit}`, [0], { CNTHCTL_EL2: HOST_CNTHCTL & ~(1n << BigInt(bit)) }, IN_HOST),
  ]),
  ...host("E2H, TGE, CNTKCTL_EL1 closed", [0], { CNTKCTL_EL1: 0n }, IN_HOST),
  ...host("E2H, TGE, SCTLR_EL1 closed", [0], { SCTLR_EL1: 0xc50838n }, IN_HOST),
  ...[9, 14, 15, 26].flatMap((bit) => [
    ...host(`E2H, TGE, only SCTLR_EL2 ${bit}`, [0], { SCTLR_EL2: 0xc50838n | 1n << BigInt(bit) }, IN_HOST),
    ...host(`E2H, only SCTLR_EL2 ${bit}`, [0], { SCTLR_EL2: 0xc50838n | 1n << BigInt(bit) }),
  ]),
  ...host("E2H, TGE, PMUSERENR_EL0 closed", [0], { PMUSERENR_EL0: 0n }, IN_HOST),
  ...[5, 6, 8, 9, 10, 11].flatMap((bit) => host(`E2H, TGE, MDCR_EL2 ${bit}`, [0], { MDCR_EL2: 6n | 1n << BigInt(bit) }, IN_HOST)),
];

/** HCR_EL2 bits that trap; TRVM would trap the probe's own handler at EL1 when anything is UNDEFINED. */
const HCR_BITS = [13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29];

/** Configurations of every model. */
// deno-fmt-ignore
const COMMON_CONFIGURATIONS: readonly Configuration[] = [
  ...features(),
  ...configuration("open", [0, 1, 2, 3]),
  ...configuration("closed", [0], {}, CLOSED),
  ...HCR_BITS.flatMap((bit) => withBit("HCR_EL2", bit, [0, 1])),
  ...configuration("TGE", [0], { HCR_EL2: RW | 1n << 27n }),
  ...configuration("TGE and closed", [0], { HCR_EL2: RW | 1n << 27n }, CLOSED),
  ...configuration("TGE and no floating point", [0], { HCR_EL2: RW | 1n << 27n, CPACR_EL1: 0n }),
  ...[10, 20, 31].flatMap((bit) => withBit("CPTR_EL2", bit, [0, 1, 2])),
  ...[5, 6, 8, 9, 10, 11].flatMap((bit) => withBit("MDCR_EL2", bit, [0, 1, 2])),
  ...configuration("CNTHCTL_EL2 without EL1PCTEN", [0, 1, 2], { CNTHCTL_EL2: 2n }),
  ...configuration("CNTHCTL_EL2 without EL1PCEN", [0, 1, 2], { CNTHCTL_EL2: 1n }),
  ...[10, 20, 31].flatMap((bit) => withBit("CPTR_EL3", bit, [0, 1, 2, 3])),
  ...[6, 9, 10].flatMap((bit) => withBit("MDCR_EL3", bit, [0, 1, 2, 3])),
  ...[0n, 1n, 2n].flatMap((fpen) => configuration(`FPEN ${fpen}`, [0, 1, 2], { CPACR_EL1: fpen << 20n })),
  ...[9, 14, 15, 26].flatMap((bit) => onlyBit("SCTLR_EL1", bit)),
  ...[0, 1, 8, 9].flatMap((bit) => onlyBit("CNTKCTL_EL1", bit)),
  ...[0, 1, 2, 3].flatMap((bit) => onlyBit("PMUSERENR_EL0", bit)),
  ...configuration("MDSCR_EL1.TDCC", [0, 1], { MDSCR_EL1: 1n << 12n }),
  ...configuration("secure", [0, 1, 3], {}, OPEN, 0x500n),
  ...configuration("secure with ST", [0, 1], {}, OPEN, 0xd00n),
  ...configuration("secure with all of HCR_EL2", [0, 1], { HCR_EL2: RW | 0x77ff_ee00n }, OPEN, 0x500n),
];

/** Every configuration, by model. */
export const CONFIGURATIONS: Readonly<Record<"cortex-a57" | "max", readonly Configuration[]>> = {
  "cortex-a57": COMMON_CONFIGURATIONS,
  "max": [...COMMON_CONFIGURATIONS, ...HOST_CONFIGURATIONS],
};

/** A model whose accesses were recorded. */
export type RecordedModel = keyof typeof CONFIGURATIONS;

/** Name of a model's fixture, of outcomes or of values. */
export function fixtureName(kind: "access" | "values", model: RecordedModel): string {
  return model === "cortex-a57" ? `system_${kind}.txt` : `system_${kind}_${model}.txt`;
}

/** Name of the SPSR value that gets to a level with its own stack pointer and everything masked. */
export function spsrOf(level: Level): bigint {
  return 0x3c0n | BigInt(level << 2 | (level === 0 ? 0 : 1));
}

/** Encoding of a control register. */
export function encodingOf(register: string): number {
  return encodingOfSystemRegister(register) as number;
}

/** `ok`, `undefined N`, `trap N` (a system access) or `N:syndrome`, with N the level that took it. */
export function outcomeOf(taken: number, syndrome: number, expectedTrap: number): string {
  if (taken === 0) return "ok";
  if (syndrome === 0x0200_0000) return `undefined ${taken}`;
  return syndrome === expectedTrap ? `trap ${taken}` : `${taken}:${syndrome.toString(16)}`;
}

/** The level that takes what is UNDEFINED. */
function undefinedTo({ level, scr, el3, controls }: Configuration): number {
  const isEl2Enabled = !el3 || (scr & 1n) === 1n;
  if (level > 0) return level;
  return isEl2Enabled && ((controls["HCR_EL2"] ?? 0n) >> 27n & 1n) === 1n ? 2 : 1;
}

/** What is left out of files. */
export function usualOutcome(configuration: Configuration): string {
  return `undefined ${undefinedTo(configuration)}`;
}

/** Name of the configuration from which a file says only what differs. */
export function referenceOf({ name, level }: Configuration): string | undefined {
  const isFirst = name.startsWith("with") || name.startsWith("open");
  return isFirst ? undefined : `open EL${level}`;
}

/** Outcomes by access, such as `c080r`: the encoding in hexadecimal and `r` or `w`. */
export type Outcomes = Map<string, string>;

/** The name of an access. */
export function accessName(encoding: number, isRead: boolean): string {
  return `${encoding.toString(16)}${isRead ? "r" : "w"}`;
}

/** Lines of a file: `outcome: accesses`, sorted. */
export function printOutcomes(outcomes: Outcomes): string[] {
  const byOutcome = new Map<string, string[]>();
  for (const [access, outcome] of outcomes) {
    const list = byOutcome.get(outcome) ?? [];
    list.push(access);
    byOutcome.set(outcome, list);
  }
  return [...byOutcome].sort(([a], [b]) => a < b ? -1 : 1).map(([outcome, accesses]) =>
    `${outcome} = ${accesses.join(" ")}`
  );
}
