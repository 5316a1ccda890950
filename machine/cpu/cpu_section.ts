/** A CPU's state as a snapshot section; its timer, and the controllers that drive its lines, have their own. */
import { flag, listOf, oneOf, u53, u64, u8 } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import { debugRegistersChanged } from "./breakpoints.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { advanceCounters, planOverflow } from "./performance_counters.ts";
import { extensionState } from "./pstate.ts";
import { selectStackPointer } from "./stack_pointer.ts";
import { INDEX, STORED_REGISTERS } from "./system_register_index.ts";

/** X0–X30. */
const GENERAL = 31;
/** Halves of V0–V31. */
const VECTOR_HALVES = 64;

const layout = sectionLayout("cpu", 3, {
  x: listOf(u64, GENERAL),
  pc: u64,
  nzcv: u8,
  el: u8,
  spSel: u8,
  daif: u8,
  illegal: flag,
  singleStep: flag,
  stepStarted: flag,
  pan: flag,
  uao: flag,
  dit: flag,
  ssbs: flag,
  branchType: u8,
  v: listOf(u64, VECTOR_HALVES),
  /** In the order of STORED_REGISTERS; the selected stack pointer in its own place. */
  system: listOf(u64, STORED_REGISTERS.length),
  on: flag,
  waiting: oneOf("none", "interrupt", "event"),
  eventRegister: flag,
  eventSource: oneOf("event", "eventStream", "monitorCleared"),
  yielded: flag,
  serrorPending: flag,
  monitorOpen: flag,
  monitorAddress: u53,
  monitorSize: u8,
});

type CpuState = ReturnType<typeof layout.decode>;

const sectionName = (cpu: Cpu): string => `cpu${cpu.index}`;

/** The CPU's section, `cpuN`. */
export function saveCpu(cpu: Cpu): Section[] {
  const { registers, monitor } = cpu;
  const { el, spSel, daif, illegal, singleStep, stepStarted } = cpu;
  const { pan, uao, dit, ssbs, branchType } = cpu;
  const { on, waiting, eventRegister, eventSource, yielded, serrorPending } = cpu;
  selectStackPointer(cpu, el, spSel);
  // When counters were last looked at is no part of the state.
  advanceCounters(cpu);
  return [layout.encode(sectionName(cpu), {
    x: [...registers.slots.subarray(0, GENERAL)],
    pc: registers.pc,
    nzcv: registers.nzcv,
    el,
    spSel,
    daif,
    illegal,
    singleStep,
    stepStarted,
    pan,
    uao,
    dit,
    ssbs,
    branchType,
    v: [...registers.v],
    system: [...registers.system.subarray(0, STORED_REGISTERS.length)],
    on,
    waiting,
    eventRegister,
    eventSource,
    yielded,
    serrorPending,
    monitorOpen: monitor.open,
    monitorAddress: monitor.address,
    monitorSize: monitor.size,
  })];
}

/**
 * Restores what `saveCpu` gave, taking the section by name; throws RangeError when it is damaged. Interrupt lines are
 * for their controller to drive, timers for the timer's section.
 */
export function restoreCpu(cpu: Cpu, take: (name: string) => Section): void {
  const state = layout.decode(take(sectionName(cpu)));
  const { registers } = cpu;
  checkState(cpu, state);
  registers.slots.fill(0n);
  registers.slots.set(state.x);
  registers.pc = state.pc;
  registers.nzcv = state.nzcv;
  registers.v.set(state.v);
  registers.system.fill(0n);
  registers.system.set(state.system);
  const { daif, illegal, singleStep, stepStarted, pan, uao, dit, ssbs, branchType } = state;
  const { on, waiting, eventRegister, eventSource, yielded, serrorPending } = state;
  Object.assign(cpu, {
    daif,
    illegal,
    singleStep,
    stepStarted,
    pan,
    uao,
    dit,
    ssbs,
    branchType,
    on,
    waiting,
    eventRegister,
    eventSource,
    yielded,
    serrorPending,
  });
  cpu.el = state.el as ExceptionLevel;
  cpu.spSel = state.spSel as 0 | 1;
  registers.sp = registers.system[INDEX.SP_EL0 + (cpu.spSel === 0 ? 0 : cpu.el)] as bigint;
  cpu.pending = undefined;
  cpu.attention = true;
  cpu.monitor.restore(state.monitorOpen, state.monitorAddress, state.monitorSize);
  cpu.tlb.drop();
  debugRegistersChanged(cpu);
  planOverflow(cpu);
}

/** Values that the layout's field kinds allow but no CPU has. */
function checkState(cpu: Cpu, state: CpuState): void {
  const isWhole = state.x.length === GENERAL && state.v.length === VECTOR_HALVES &&
    state.system.length === STORED_REGISTERS.length;
  const isInRange = state.el <= 3 && state.spSel <= 1 && state.daif <= 15 && state.nzcv <= 15 &&
    state.branchType <= 3;
  if (!isWhole || !isInRange || (extensionState(state) & ~cpu.extensionFields) !== 0) {
    throw new RangeError("Cannot restore a CPU: a register count or a field of PSTATE is out of range");
  }
}
