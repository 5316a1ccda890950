/** Provides the monitors to every machine that is built after this module was imported. */
import type { MonitorConfiguration } from "../machine/configuration.ts";
import { provideMonitors } from "../machine/monitor.ts";
import { El2Monitor } from "./el2_monitor.ts";
import { El3Monitor } from "./el3_monitor.ts";
import { buildTrampolineVmm, EL2_TRAMPOLINE } from "./systems/el2_trampoline/vmm.ts";
import { SYSTEMS } from "./systems/table.ts";

/** A system that shares EL2 with the guest's own software there is a monitor by itself. */
function isTrampoline({ level, systems }: MonitorConfiguration): boolean {
  return level === 2 && systems.some(({ name }) => name === EL2_TRAMPOLINE);
}

provideMonitors((configuration, site) => {
  if (isTrampoline(configuration)) return buildTrampolineVmm(configuration, site);
  const monitor = configuration.level === 2 ? new El2Monitor(site) : new El3Monitor(site);
  monitor.enable(configuration, SYSTEMS);
  return monitor;
}, ({ systems }) => {
  const brands = SYSTEMS.filter(({ slug }) => systems.some(({ name }) => name === slug));
  return brands.find(({ brand }) => brand !== undefined)?.brand;
});
