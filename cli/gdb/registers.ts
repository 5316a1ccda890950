/** The registers as gdb numbers them: core, floating point, then system registers; and their description in XML. */
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { savedState } from "../../machine/cpu/pstate.ts";
import { peekSystemRegister, readableSystemRegisters } from "../../machine/cpu/system_registers.ts";

/** One register as a client sees it. */
export interface GdbRegister {
  /** Name behind `$`. */
  readonly name: string;
  /** Width; a multiple of 8. */
  readonly bits: number;
  /** Type in the description. */
  readonly type: string;
  /** Its value, unsigned. */
  readonly read: (cpu: Cpu) => bigint;
}

/** A set of registers that gdb knows by name, or shows in a group. */
interface Feature {
  readonly name: string;
  /** Definitions of types. */
  readonly types: string;
  /** What `info registers GROUP` calls them; gdb decides when absent. */
  readonly group?: string;
  readonly registers: readonly GdbRegister[];
}

/** Numbers that stop replies give without being asked: the frame pointer, SP and PC (DWARF's numbers as well). */
export const EXPEDITED: readonly number[] = [29, 31, 32];

/** PSTATE in the format of SPSR_ELx (Arm ARM C5.2.18). */
// deno-fmt-ignore
const PSTATE_FIELDS: readonly (readonly [name: string, from: number, to: number])[] = [
  ["SP", 0, 0], ["nRW", 4, 4], ["EL", 2, 3], ["F", 6, 6], ["I", 7, 7], ["A", 8, 8], ["D", 9, 9],
  ["BTYPE", 10, 11], ["SSBS", 12, 12], ["IL", 20, 20], ["SS", 21, 21], ["PAN", 22, 22], ["UAO", 23, 23],
  ["DIT", 24, 24], ["V", 28, 28], ["C", 29, 29], ["Z", 30, 30], ["N", 31, 31],
];

const PSTATE_TYPE = [
  `<flags id="cpsr_flags" size="4">`,
  ...PSTATE_FIELDS.map(([name, from, to]) => `<field name="${name}" start="${from}" end="${to}"/>`),
  `</flags>`,
].join("");

/** Elements of a vector: letter, bits, and the types by which they are shown. */
// deno-fmt-ignore
const ELEMENTS: readonly (readonly [letter: string, bits: number, types: readonly (readonly [field: string, type: string])[]])[] = [
  ["d", 64,  [["f", "ieee_double"], ["u", "uint64"], ["s", "int64"]]],
  ["s", 32,  [["f", "ieee_single"], ["u", "uint32"], ["s", "int32"]]],
  ["h", 16,  [["f", "ieee_half"], ["u", "uint16"], ["s", "int16"]]],
  ["b", 8,   [["u", "uint8"], ["s", "int8"]]],
  ["q", 128, [["u", "uint128"], ["s", "int128"]]],
];

/** V registers as vectors of every element, `$v0.s.u[1]`. */
function vectorTypes(): string {
  const vectors = ELEMENTS.flatMap(([letter, bits, types]) =>
    types.map(([field, type]) => `<vector id="v${letter}${field}" type="${type}" count="${128 / bits}"/>`)
  );
  const unions = ELEMENTS.map(([letter, , types]) => {
    const fields = types.map(([field]) => `<field name="${field}" type="v${letter}${field}"/>`);
    return `<union id="vn${letter}">${fields.join("")}</union>`;
  });
  const fields = ELEMENTS.map(([letter]) => `<field name="${letter}" type="vn${letter}"/>`);
  return [...vectors, ...unions, `<union id="aarch64v">${fields.join("")}</union>`].join("");
}

const numbered = <T>(count: number, of: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => of(n));

function core(): readonly GdbRegister[] {
  return [
    ...numbered(
      31,
      (n) => ({ name: `x${n}`, bits: 64, type: "int", read: (cpu: Cpu) => cpu.registers.x(n) }),
    ),
    { name: "sp", bits: 64, type: "data_ptr", read: (cpu) => cpu.registers.sp },
    { name: "pc", bits: 64, type: "code_ptr", read: (cpu) => cpu.pc },
    { name: "cpsr", bits: 32, type: "cpsr_flags", read: savedState },
  ];
}

function floatingPoint(): readonly GdbRegister[] {
  const status = (name: string): GdbRegister => ({
    name,
    bits: 32,
    type: "int",
    read: (cpu) => BigInt.asUintN(32, peekSystemRegister(cpu, name.toUpperCase())),
  });
  const vector = (n: number): GdbRegister => ({
    name: `v${n}`,
    bits: 128,
    type: "aarch64v",
    read: (cpu) => (cpu.v[2 * n + 1] as bigint) << 64n | (cpu.v[2 * n] as bigint),
  });
  return [...numbered(32, vector), status("fpsr"), status("fpcr")];
}

/** Those that another feature has, and encodings that are reserved, which have no name and read as zero. */
const LEFT_OUT = /^(FPCR|FPSR|S[0-3]_.*)$/;

function system(cpu: Cpu): readonly GdbRegister[] {
  return readableSystemRegisters(cpu).filter((name) => !LEFT_OUT.test(name)).map((name) => ({
    name,
    bits: 64,
    type: "int",
    read: (of) => peekSystemRegister(of, name),
  }));
}

/** Where in the run the machine is, as registers that conditions of breakpoints can name. */
const RUN: readonly GdbRegister[] = [
  { name: "instant", bits: 64, type: "int", read: (cpu) => BigInt(cpu.surroundings.clock.instant) },
  { name: "virtual_time", bits: 64, type: "int", read: (cpu) => BigInt(cpu.surroundings.clock.now) },
];

/** Digits of the bytes of a value in memory order. */
function littleEndian(value: bigint, size: number): string {
  return value.toString(16).padStart(2 * size, "0").match(/../g)!.reverse().join("");
}

/** The registers of a machine's CPUs, which all have the same. */
export class RegisterFile {
  readonly #features: readonly Feature[];
  /** By gdb's numbers. */
  readonly registers: readonly GdbRegister[];
  /** How many a `g` packet has: others come one by one. */
  readonly generalCount: number;

  /** Looks at which system registers a CPU has. */
  constructor(cpu: Cpu) {
    const general: Feature[] = [
      { name: "org.gnu.gdb.aarch64.core", types: PSTATE_TYPE, registers: core() },
      { name: "org.gnu.gdb.aarch64.fpu", types: vectorTypes(), registers: floatingPoint() },
    ];
    this.#features = [
      ...general,
      { name: "hindsight.aarch64.system", types: "", group: "system", registers: system(cpu) },
      { name: "hindsight.run", types: "", group: "system", registers: RUN },
    ];
    this.registers = this.#features.flatMap(({ registers }) => registers);
    this.generalCount = general.reduce((sum, { registers }) => sum + registers.length, 0);
  }

  /** A register's value as a packet has it: bytes in memory order; undefined for a number that none has. */
  valueOf(cpu: Cpu, number: number): string | undefined {
    const register = this.registers[number];
    if (register === undefined) return undefined;
    return littleEndian(register.read(cpu), register.bits / 8);
  }

  /** All registers of a `g` packet. */
  generalValues(cpu: Cpu): string {
    return numbered(this.generalCount, (number) => this.valueOf(cpu, number)).join("");
  }

  /** `target.xml`. */
  description(): string {
    let number = 0;
    const describe = ({ name, bits, type }: GdbRegister, group: string | undefined): string =>
      `<reg name="${name}" bitsize="${bits}" type="${type}" regnum="${number++}"` +
      `${group === undefined ? "" : ` group="${group}" save-restore="no"`}/>`;
    const features = this.#features.map(({ name, types, group, registers }) =>
      `<feature name="${name}">${types}${registers.map((row) => describe(row, group)).join("")}</feature>`
    );
    return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">` +
      `<architecture>aarch64</architecture>${features.join("")}</target>`;
  }
}
