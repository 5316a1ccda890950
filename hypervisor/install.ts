/** Provides the monitors to every machine that is built after this module was imported. */
import type { MonitorConfiguration } from "../machine/configuration.ts";
import { provideMonitors } from "../machine/monitor.ts";
import { provideDescriptions } from "../machine/monitor_description.ts";
import { El2Monitor } from "./el2_monitor.ts";
import { El3Monitor } from "./el3_monitor.ts";
import { buildTrampolineVmm, EL2_TRAMPOLINE } from "./systems/el2_trampoline/vmm.ts";
import { SYSTEMS } from "./systems/table.ts";
import { buildHypervisorKernel } from "./systems/virtual_hypervisors/monitor.ts";
import { VIRTUAL_HYPERVISORS } from "./systems/virtual_hypervisors/options.ts";

/** A system that shares EL2 with the guest's own software there is a monitor by itself. */
function isTrampoline({ level, systems }: MonitorConfiguration): boolean {
  return level === 2 && systems.some(({ name }) => name === EL2_TRAMPOLINE);
}

provideDescriptions(({ level, systems }, board, root) => {
  for (const { name, options } of systems) {
    const row = SYSTEMS.find((row) => row.slug === name && row.levels.includes(level));
    const parsed = row?.options.safeParse(options);
    if (parsed?.success) row?.describe?.(parsed.data, board, root); // what is wrong is told by who builds it
  }
});
/** A monitor that has several guests is one by itself. */
function isPartitioned({ level, systems }: MonitorConfiguration): boolean {
  return level === 2 && systems.some(({ name }) => name === VIRTUAL_HYPERVISORS);
}

provideMonitors((configuration, site) => {
  if (isPartitioned(configuration)) return buildHypervisorKernel(configuration, site);
  if (isTrampoline(configuration)) return buildTrampolineVmm(configuration, site);
  const monitor = configuration.level === 2 ? new El2Monitor(site) : new El3Monitor(site);
  monitor.enable(configuration, SYSTEMS);
  return monitor;
}, ({ systems }) => {
  const brands = SYSTEMS.filter(({ slug }) => systems.some(({ name }) => name === slug));
  return brands.find(({ brand }) => brand !== undefined)?.brand;
});
