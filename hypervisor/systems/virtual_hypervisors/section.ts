/** The section of the hypervisor in a snapshot: its kernel, the virtual machines, and how far scheduling is. */
import { bytes, flag, listOf, record, u16, u53 } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import type { Scheduler, SchedulerParts } from "./scheduler.ts";
import { keyOf } from "./objects.ts";
import { MOST_RUNNING, VM_FIELDS } from "./virtual_machine.ts";

const layout = sectionLayout("virtual hypervisors", 1, {
  kernel: bytes(1 << 24),
  vms: listOf(record(VM_FIELDS), MOST_RUNNING),
  current: u16,
  offset: u53,
  base: u53,
  startedAt: u53,
  deadline: u53,
  isWaiting: flag,
  isTimerOpen: flag,
  attached: listOf(u16, 2),
  stopping: listOf(u16, MOST_RUNNING),
  hasRun: flag,
});

/** Everything that has state but for the pool of tables. */
export interface StatefulParts extends SchedulerParts {
  /** Who is to be turned off. */
  readonly scheduler: Scheduler;
}

/** Saves all parts as a section of a name. */
export function saveParts(name: string, parts: StatefulParts): Section {
  const { kernel, machines, time, interrupts, consoles: { attached }, world, scheduler } = parts;
  return layout.encode(name, {
    kernel: kernel.save(),
    vms: [...machines.state],
    current: world.current === undefined ? 0 : keyOf(world.current),
    ...time.state,
    isWaiting: world.isWaiting,
    isTimerOpen: interrupts.isTimerOpen,
    attached: attached === undefined ? [] : [attached.instance, attached.vm],
    stopping: [...scheduler.stopping],
    hasRun: machines.hasRun,
  });
}

/** Restores what `saveParts` gave; the pool of tables is restored before. Throws RangeError when it is not that. */
export function restoreParts(section: Section, parts: StatefulParts): void {
  const { kernel, machines, time, interrupts, consoles, world, scheduler } = parts;
  const state = layout.decode(section);
  kernel.restore(state.kernel);
  machines.restore(state.vms);
  world.current = machines.all.find((vm) => keyOf(vm) === state.current);
  time.state = state;
  world.isWaiting = state.isWaiting;
  interrupts.isTimerOpen = state.isTimerOpen;
  const [instance, vm] = state.attached;
  consoles.attached = instance === undefined || vm === undefined ? undefined : { instance, vm };
  scheduler.stopping = new Set(state.stopping);
  machines.hasRun = state.hasRun;
}
