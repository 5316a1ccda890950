/** The LPIs of all redistributors of a GICv3, as its ITS reaches them. */
import type { InterruptEvents } from "./gic_interrupts.ts";
import type { LpiTarget } from "./gic_v3_lpi.ts";
import type { GicV3LpiTables } from "./gic_v3_lpi_tables.ts";

/** Puts the tables of redistributors, by CPU, behind what an ITS asks for; `interruptRaised` goes to `events`. */
export function lpiTarget(tables: readonly GicV3LpiTables[], events: InterruptEvents): LpiTarget {
  const setPending = (cpu: number, lpi: number, pending: boolean, source: string): void => {
    if (tables[cpu]?.setPending(lpi, pending) !== true || !pending) return;
    events.emit("interruptRaised", cpu, { interrupt: lpi, source });
  };
  const move = (from: number, to: number, lpi: number, source: string): void => {
    if (from === to || tables[from]?.setPending(lpi, false) !== true) return;
    setPending(to, lpi, true, source);
  };
  return {
    cpuCount: tables.length,
    setPending,
    configurationChanged: (cpu, lpi) => tables[cpu]?.configurationChanged(lpi),
    move,
    moveAll: (from, to, source, isEnough) => {
      for (const lpi of tables[from]?.pending() ?? []) {
        move(from, to, lpi, source);
        if (isEnough()) return false;
      }
      return true;
    },
  };
}
