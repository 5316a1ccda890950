/** The options of tee-migration, and what a machine has to be for them. */
import { z } from "zod";
import { RAM_BASE } from "../../../machine/board.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import type { TrapMonitor } from "../../monitor.ts";
import { PLANTED } from "./planted.ts";
import type { RealmPlace } from "./realm.ts";

/** The system's name. */
export const SLUG = "tee-migration";

/** A host's RAM begins at a multiple of this: what a block of stage 2 maps. */
const HOST_ALIGNMENT = 2 ** 21;

/** Options as texts. */
export const options = z.strictObject({
  role: z.enum(["source", "destination"]),
  cluster: z.string().min(8, "a cluster's secret has at least 8 characters"),
  features: z.string().default("").transform((text) => text.split("+").filter((name) => name !== "")),
  timeout: z.string().regex(/^[1-9][0-9]{0,5}$/, "expected 1 to 999999 milliseconds").default("100")
    .transform(Number),
  host: z.string().regex(/^0x[0-9a-f]{1,10}$/i, "expected an address such as 0x40a00000").transform(Number)
    .optional(),
  drive: z.string().optional(),
  planted: z.enum(Object.keys(PLANTED) as [keyof typeof PLANTED]).optional(),
});

/** Options, read. */
export type Options = z.output<typeof options>;

/** The monitor, if the machine is one for the system; throws ConfigurationError naming what is not. */
export function checked(monitor: TrapMonitor, { host, drive }: Options): El2Monitor {
  const { configuration } = monitor.site.board;
  if (!(monitor instanceof El2Monitor)) throw new ConfigurationError(`${SLUG} is for a monitor at EL2`);
  if (configuration.devices.length > 0 || configuration.drives.some(({ id }) => id !== drive)) {
    throw new ConfigurationError(
      `${SLUG} carries the board's own devices alone: leave -device out, and -drive but for drive=ID`,
    );
  }
  if (host === undefined) return monitor;
  if (configuration.cpus < 2) {
    throw new ConfigurationError(`${SLUG}: a host has a CPU of its own: use -smp 2 or more`);
  }
  const { base, size } = monitor.space.ram;
  if (host % HOST_ALIGNMENT !== 0 || host <= base || host >= base + size) {
    throw new ConfigurationError(
      `${SLUG}: host=0x${host.toString(16)} is no multiple of 2 MiB inside the guest's RAM`,
    );
  }
  return monitor;
}

/** What of a machine is the realm's. */
export function placeOf({ space: { ram }, site: { board } }: El2Monitor, { host }: Options): RealmPlace {
  const { cpus } = board.configuration;
  if (host === undefined) return { base: ram.base, size: ram.size, cpus };
  return { base: RAM_BASE, size: host - RAM_BASE, cpus: cpus - 1 };
}
