/** The state of the firmware services in its section. */
import { bytes, flag, listOf, oneOf, record, text, u16, u32, u53, u64, u8 } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { MOST_DATA, MOST_NAME } from "../../variable_store/variable_services.ts";
import type { Variable } from "../../variable_store/variable_log.ts";
import type { BootState } from "./boot_services.ts";
import type { TimeZone } from "./clock.ts";
import { MemoryRegions } from "./memory_regions.ts";

/** How far the guest has come: reset, boot services, their end, SetVirtualAddressMap. There is no way back but a reset. */
export const PHASES = ["reset", "boot", "runtime", "virtual"] as const;

/** Most regions, protocols and pools. */
const MOST = 4096;
/** No loss of power is planned. */
export const NEVER = 0xffff_ffff;

const VOLATILE = { vendor: text(36), name: listOf(u16, MOST_NAME), attributes: u32, data: bytes(MOST_DATA) };

// deno-fmt-ignore
const layout = sectionLayout("firmware services", 1, {
  phase: oneOf(...PHASES),
  zone: u16, daylight: u8,
  systemTable: u53, room: u32, mapKey: u32,
  regions: listOf(record({ type: u32, base: u53, pages: u53, attributes: u64, virtual: u64 }), MOST),
  protocols: listOf(record({ guid: text(36), handle: u64, interface: u64 }), MOST),
  pools: listOf(record({ base: u53, pages: u53 }), MOST),
  volatile: listOf(record(VOLATILE), MOST),
  operationsLeft: u32,
  isPowerLost: flag,
});

/** All that the services know and that is on no disk. */
export interface ServicesState {
  /** How far the guest has come. */
  readonly phase: (typeof PHASES)[number];
  /** What SetTime said of the zone. */
  readonly timeZone: TimeZone;
  /** Boot services. */
  readonly boot: BootState;
  /** Variables that are lost with power. */
  readonly volatile: readonly Variable[];
  /** Operations of the disk until it loses power, or `NEVER`. */
  readonly operationsLeft: number;
  /** It has. */
  readonly isPowerLost: boolean;
}

/** Lays a state out. */
export function saveState(name: string, state: ServicesState): Section {
  const { phase, timeZone, boot, volatile, operationsLeft, isPowerLost } = state;
  return layout.encode(name, {
    phase,
    zone: timeZone.zone & 0xffff,
    daylight: timeZone.daylight,
    systemTable: boot.systemTable,
    room: boot.room,
    mapKey: boot.regions.key,
    regions: [...boot.regions.all],
    protocols: [...boot.protocols],
    pools: [...boot.pools],
    volatile: volatile.map((one) => ({
      ...one,
      name: Array.from(one.name, (_, at) => one.name.charCodeAt(at)),
    })),
    operationsLeft,
    isPowerLost,
  });
}

/** Reads a state back. */
export function restoreState(section: Section): ServicesState {
  const saved = layout.decode(section);
  const { phase, zone, daylight, systemTable, room, mapKey, protocols, pools, operationsLeft, isPowerLost } =
    saved;
  const regions = new MemoryRegions(saved.regions);
  regions.key = mapKey;
  return {
    phase,
    timeZone: { zone: zone << 16 >> 16, daylight },
    boot: { systemTable, room, regions, protocols, pools },
    volatile: saved.volatile.map((one) => ({ ...one, name: String.fromCharCode(...one.name) })),
    operationsLeft,
    isPowerLost,
  };
}
