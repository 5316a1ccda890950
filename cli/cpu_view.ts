/** A CPU's registers as the commands show and compare them. */
import { hex } from "../machine/address.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import { STORED_REGISTERS } from "../machine/cpu/system_register_index.ts";
import { isSystemRegister, peekSystemRegister } from "../machine/cpu/system_registers.ts";
import { NO_SYMBOLS, type SymbolTable } from "./symbols.ts";
import { hex64, type Palette } from "./text.ts";

/** Names and values of a CPU's registers, in the order in which they are shown. */
export type RegisterList = readonly (readonly [name: string, value: bigint])[];

/** X0–X30, SP and PC. */
export function generalRegisters(cpu: Cpu): RegisterList {
  const x = Array.from({ length: 31 }, (_, n) => [`x${n}`, cpu.registers.x(n)] as const);
  return [...x, ["sp", cpu.registers.sp], ["pc", cpu.pc]];
}

/** Whether software of the CPU's highest level could name the register: those of absent levels are left out. */
function exists({ features }: Cpu, name: string): boolean {
  return isSystemRegister(name) && (features.el3 || !name.endsWith("_EL3")) &&
    (features.el2 || !name.endsWith("_EL2"));
}

/** The system registers that hold state. */
export function systemRegisters(cpu: Cpu): RegisterList {
  return STORED_REGISTERS.filter((name) => exists(cpu, name)).map((name) =>
    [name, peekSystemRegister(cpu, name)] as const
  );
}

/** V0–V31, 128 bits each. */
export function vectorRegisters(cpu: Cpu): RegisterList {
  return Array.from(
    { length: 32 },
    (_, n) => [`v${n}`, ((cpu.v[2 * n + 1] as bigint) << 64n) | (cpu.v[2 * n] as bigint)] as const,
  );
}

/** PSTATE in words: level and stack pointer, flags in capitals where set, masks. */
export function pstateText(cpu: Cpu): string {
  const letters = (names: string, bits: number): string =>
    [...names].map((letter, at) => bits >> (names.length - 1 - at) & 1 ? letter : "-").join("");
  const level = `EL${cpu.el}${cpu.el === 0 ? "t" : cpu.spSel === 1 ? "h" : "t"}`;
  const rest = `${cpu.illegal ? " IL" : ""}${cpu.singleStep ? " SS" : ""}`;
  return `${level} flags ${letters("NZCV", cpu.registers.nzcv)} masks ${letters("DAIF", cpu.daif)}${rest}`;
}

/** Whether the CPU is on, and what it waits for. */
export function powerText({ on, waiting }: Cpu): string {
  if (!on) return "off";
  return waiting === "none" ? "on" : `waiting for ${waiting === "event" ? "an event" : "an interrupt"}`;
}

/** Everything of a CPU as JSON: 64-bit values as hexadecimal strings, and `symbol` where the PC's place has a name. */
export function cpuJson(cpu: Cpu, symbols: SymbolTable = NO_SYMBOLS): unknown {
  const symbol = symbols.nameOf(cpu.pc);
  const object = (list: RegisterList) => Object.fromEntries(list.map(([name, value]) => [name, hex(value)]));
  return {
    cpu: cpu.index,
    state: powerText(cpu),
    el: cpu.el,
    spSel: cpu.spSel,
    nzcv: cpu.registers.nzcv,
    daif: cpu.daif,
    registers: object(generalRegisters(cpu)),
    vectors: object(vectorRegisters(cpu).filter(([, value]) => value !== 0n)),
    system: object(systemRegisters(cpu)),
    ...(symbol === undefined ? {} : { symbol }),
  };
}

/** Registers that hold addresses of code, and system registers that hold addresses. */
const CODE_REGISTER = /^(pc|x30)$/;
const ADDRESS_REGISTER = /^(x[0-9]+|sp|(SP|ELR|FAR|VBAR|TTBR[01]|VTTBR|TPIDR|TPIDRRO)_EL[0-3])$/;

function registerLabel(name: string, value: bigint, symbols: SymbolTable): string {
  if (CODE_REGISTER.test(name)) return symbols.label(value);
  return ADDRESS_REGISTER.test(name) ? symbols.pointerLabel(value) : "";
}

/** Lines of `name value` in columns, addresses with their names; then at most two a line. */
export function registerColumns(
  list: RegisterList,
  width: number,
  perLine: number,
  palette: Palette,
  symbols: SymbolTable,
): string[] {
  const labels = list.map(([name, value]) => registerLabel(name, value, symbols));
  const labelWidth = Math.max(0, ...labels.map((label) => label.length));
  const count = labelWidth === 0 ? perLine : Math.min(2, perLine);
  const cells = list.map(([name, value], index) => {
    const text = value === 0n ? palette.dim(hex64(value)) : hex64(value);
    return `${name.padStart(width)} ${text}${labels[index]!.padEnd(labelWidth)}`;
  });
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += count) {
    lines.push(cells.slice(at, at + count).join("  ").trimEnd());
  }
  return lines;
}

/** A CPU for people: registers in columns; of system and vector registers those that are not zero. */
export function cpuText(cpu: Cpu, palette: Palette, symbols: SymbolTable = NO_SYMBOLS): string {
  const isSet = ([, value]: readonly [string, bigint]): boolean => value !== 0n;
  const columns = (list: RegisterList, width: number, perLine: number): string[] =>
    registerColumns(list, width, perLine, palette, symbols);
  return [
    `${palette.bold(`cpu${cpu.index}`)}  ${powerText(cpu)}  ${pstateText(cpu)}`,
    ...columns(generalRegisters(cpu), 4, 4),
    ...columns(systemRegisters(cpu).filter(isSet), 16, 3),
    ...columns(vectorRegisters(cpu).filter(isSet), 4, 2),
  ].join("\n");
}

/** A register that two CPUs do not agree on. */
export interface RegisterDifference {
  /** Its name, `pstate` included. */
  readonly name: string;
  /** What each has. */
  readonly values: readonly [string, string];
}

/** The registers that differ between the same CPU of two machines. */
export function registerDifferences(left: Cpu, right: Cpu): RegisterDifference[] {
  const found: RegisterDifference[] = [];
  const compare = (name: string, first: string, second: string): void => {
    if (first !== second) found.push({ name, values: [first, second] });
  };
  compare("power", powerText(left), powerText(right));
  compare("pstate", pstateText(left), pstateText(right));
  for (const list of [generalRegisters, systemRegisters, vectorRegisters]) {
    const others = new Map(list(right));
    for (const [name, value] of list(left)) compare(name, hex64(value), hex64(others.get(name) ?? 0n));
  }
  return found;
}
