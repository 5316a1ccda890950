/** Provides the monitors to every machine that is built after this module was imported. */
import { provideMonitors } from "../machine/monitor.ts";
import { El2Monitor } from "./el2_monitor.ts";
import { El3Monitor } from "./el3_monitor.ts";
import { SYSTEMS } from "./systems/table.ts";

provideMonitors((configuration, site) => {
  const monitor = configuration.level === 2 ? new El2Monitor(site) : new El3Monitor(site);
  monitor.enable(configuration, SYSTEMS);
  return monitor;
}, ({ systems }) => {
  const brands = SYSTEMS.filter(({ slug }) => systems.some(({ name }) => name === slug));
  return brands.find(({ brand }) => brand !== undefined)?.brand;
});
