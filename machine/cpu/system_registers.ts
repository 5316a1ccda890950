/** The table of system registers: who may access each, what traps, what a read gives and a write does. */
import { highestLevel } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { pendingWrites } from "./strict_context.ts";
import { systemAccessSyndrome } from "./syndrome.ts";
import { type AccessLevel, HIGHEST, NEVER, type SystemRegister } from "./system_register_row.ts";
import { isFineGrainedTrapped } from "./fine_grained_traps.ts";
import { type TrapName, trapOf } from "./system_register_traps.ts";
import { DEBUG_REGISTERS } from "./system_registers_debug.ts";
import { EL1_REGISTERS } from "./system_registers_el1.ts";
import { EL2_REGISTERS, EL3_REGISTERS } from "./system_registers_el2.ts";
import { GIC_REGISTERS } from "./system_registers_gic.ts";
import { ID_REGISTERS } from "./system_registers_id.ts";
import { PAUTH_REGISTERS } from "./system_registers_pauth.ts";
import { PMU_REGISTERS } from "./system_registers_pmu.ts";
import { HOST_TIMER_REGISTERS, TIMER_REGISTERS } from "./system_registers_timer.ts";
import { HOST_REGISTERS, hostAliases, isHostAccess } from "./system_registers_host.ts";
import { raiseSynchronous, raiseUndefined } from "./take_exception.ts";

/** The table without EL1's registers by their names for a host. */
const OWN_ROWS: readonly SystemRegister[] = [
  ...ID_REGISTERS,
  ...EL1_REGISTERS,
  ...EL2_REGISTERS,
  ...EL3_REGISTERS,
  ...TIMER_REGISTERS,
  ...HOST_TIMER_REGISTERS,
  ...DEBUG_REGISTERS,
  ...PMU_REGISTERS,
  ...PAUTH_REGISTERS,
  ...GIC_REGISTERS,
];

/** Every system register of the CPU. */
export const SYSTEM_REGISTER_TABLE: readonly SystemRegister[] = [...OWN_ROWS, ...hostAliases(OWN_ROWS)];

const BY_ENCODING: (SystemRegister | undefined)[] = new Array(1 << 16);
const BY_NAME = new Map<string, SystemRegister>();
for (const row of SYSTEM_REGISTER_TABLE) {
  if (BY_ENCODING[row.encoding] !== undefined || BY_NAME.has(row.name)) {
    throw new RangeError(`Cannot define the system register ${row.name}: its name or encoding is taken`);
  }
  BY_ENCODING[row.encoding] = row;
  BY_NAME.set(row.name, row);
}

/** Rows that a host at EL2 reaches by the encodings of EL1's registers. */
const HOST_ROWS = new Map(HOST_REGISTERS.map(([of1, of2]) => [rowNamed(of1).encoding, rowNamed(of2)]));

/** Level check of an access at the present level. */
export function isLevelAllowed(cpu: Cpu, level: AccessLevel): boolean {
  if (level === HIGHEST) return cpu.el === highestLevel(cpu);
  return level !== NEVER && cpu.el >= level;
}

/** Encodings for IMPLEMENTATION DEFINED registers and instructions: CRn 11 and 15 of op0 1 and 3 (Arm ARM D12.3). */
function isImplementationDefined(encoding: number): boolean {
  const CRn = encoding >> 7 & 15;
  return (encoding >> 14 & 1) === 1 && (CRn === 11 || CRn === 15);
}

/** True when a control traps the access; its exception is then pending. */
export function isTrapped(
  cpu: Cpu,
  names: readonly TrapName[],
  encoding: number,
  Rt: number,
  isRead: boolean,
): boolean {
  pendingWrites(cpu)?.check(cpu, () => trapOf(cpu, names, isRead));
  const control = trapOf(cpu, names, isRead);
  if (control?.to !== 1 && isFineGrainedTrapped(cpu, encoding, isRead)) {
    raiseSynchronous(cpu, 2, systemAccessSyndrome(encoding, Rt, isRead));
    return true;
  }
  if (control === undefined) return false;
  raiseSynchronous(cpu, control.to, control.syndrome ?? systemAccessSyndrome(encoding, Rt, isRead));
  return true;
}

const TIDCP: readonly TrapName[] = ["TIDCP"];

/** HCR_EL2.TIDCP comes before everything, unallocated encodings included; true when it traps. */
export function isImplementationDefinedTrapped(
  cpu: Cpu,
  encoding: number,
  Rt: number,
  isRead: boolean,
): boolean {
  return isImplementationDefined(encoding) && isTrapped(cpu, TIDCP, encoding, Rt, isRead);
}

function exists(cpu: Cpu, { needs, feature = "Armv8.0" }: SystemRegister): boolean {
  const { features } = cpu;
  if (!cpu.implements(feature)) return false;
  switch (needs) {
    case "none":
      return true;
    case "el3":
      return features.el3;
    default:
      return features.el2 || features.el3;
  }
}

/** The row when the access is allowed and not trapped; otherwise the exception is pending. */
function admit(cpu: Cpu, encoding: number, Rt: number, isRead: boolean): SystemRegister | undefined {
  if (isImplementationDefinedTrapped(cpu, encoding, Rt, isRead)) return undefined;
  const row = isHostAccess(cpu) ? HOST_ROWS.get(encoding) ?? BY_ENCODING[encoding] : BY_ENCODING[encoding];
  const isAllowed = row !== undefined && exists(cpu, row) &&
    isLevelAllowed(cpu, isRead ? row.access.read : row.access.write) && row.isUndefined?.(cpu) !== true;
  if (!isAllowed) {
    raiseUndefined(cpu);
    return undefined;
  }
  return isTrapped(cpu, row.traps, encoding, Rt, isRead) ? undefined : row;
}

function isWithoutEl2({ features }: Cpu, { needs }: SystemRegister): boolean {
  return needs === "el2" && !features.el2;
}

function readRow(cpu: Cpu, row: SystemRegister): bigint {
  return isWithoutEl2(cpu, row) ? row.withoutEl2?.(cpu) ?? 0n : row.read(cpu);
}

/** What a read would give, without what else it does. */
function peekRow(cpu: Cpu, row: SystemRegister): bigint {
  return row.peek === undefined || isWithoutEl2(cpu, row) ? readRow(cpu, row) : row.peek(cpu);
}

/** MRS: the register's value, or 0n with an exception pending. `encoding` as `systemEncoding` has it, `Rt` 0–31. */
export function readSystemRegister(cpu: Cpu, encoding: number, Rt: number): bigint {
  const row = admit(cpu, encoding, Rt, true);
  if (row === undefined) return 0n;
  const pending = pendingWrites(cpu);
  if (row.form === undefined) pending?.check(cpu, () => peekRow(cpu, row));
  return pending?.valueOf(row) ?? readRow(cpu, row);
}

/** MSR (register): writes the register, or makes an exception pending. */
export function writeSystemRegister(cpu: Cpu, encoding: number, Rt: number, value: bigint): void {
  const row = admit(cpu, encoding, Rt, false);
  if (row === undefined) return;
  if (!isWithoutEl2(cpu, row) && pendingWrites(cpu)?.defer(cpu, row, value) !== true) row.write(cpu, value);
  cpu.surroundings.events.emit("systemRegisterWritten", cpu.index, { register: row.name, value });
}

/** The register of an encoding, as `systemEncoding` has it, if there is one. */
export function systemRegisterAt(encoding: number): SystemRegister | undefined {
  return BY_ENCODING[encoding];
}

/** True for the name of a register of the table, in the Arm ARM's spelling. */
export function isSystemRegister(name: string): boolean {
  return BY_NAME.has(name);
}

/**
 * The registers that software of a CPU can read at some level, in the order of the table; the names that a host at EL2
 * has for EL1's registers are left out.
 */
export function readableSystemRegisters(cpu: Cpu): readonly string[] {
  const isReadable = (row: SystemRegister): boolean =>
    row.access.read !== NEVER && exists(cpu, row) && row.isUndefined?.(cpu) !== true;
  return OWN_ROWS.filter(isReadable).map(({ name }) => name);
}

/** The row of a register; throws RangeError for a wrong name. */
export function systemRegisterNamed(name: string): SystemRegister {
  return rowNamed(name);
}

function rowNamed(name: string): SystemRegister {
  const row = BY_NAME.get(name);
  if (row === undefined) throw new RangeError(`There is no system register ${name}`);
  return row;
}

/** The value of a register as software at the present level would read it if it could; throws RangeError for a wrong name. */
export function peekSystemRegister(cpu: Cpu, name: string): bigint {
  const row = rowNamed(name);
  return pendingWrites(cpu)?.valueOf(row) ?? peekRow(cpu, row);
}

/** Writes a register as the operator does: no checks, no event, what is read-only stays; RangeError for a wrong name. */
export function patchSystemRegister(cpu: Cpu, name: string, value: bigint): void {
  const row = rowNamed(name);
  pendingWrites(cpu)?.forget(row);
  if (row.access.write !== NEVER && !isWithoutEl2(cpu, row)) row.write(cpu, value);
  cpu.attention = true;
}
