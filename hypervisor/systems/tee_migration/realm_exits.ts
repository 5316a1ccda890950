/** What a realm and its host call the monitor for, where both are on one machine. */
import type { ExceptionClass } from "../../../machine/cpu/syndrome.ts";
import type { ExitHandler } from "../../system.ts";
import type { HostSide } from "./host_side.ts";
import type { Realm } from "./realm.ts";

/** PSCI's SYSTEM_OFF and SYSTEM_RESET, and those that name a CPU in X1, in both widths. */
const ENDS = [0x8400_0008, 0x8400_0009], NAME_CPU = [0x8400_0003, 0x8400_0004, 0x8400_0005];
const WIDE = 0x4000_0000, INVALID_PARAMETERS = -2n;

/**
 * Exits beside a host: the host's go to it; a realm that powers off or resets ends, and the machine does not; the host's
 * CPU is none that a realm can name.
 */
export function realmExits(
  { place }: Realm,
  host: HostSide | undefined,
  ended: () => void,
): Readonly<Partial<Record<ExceptionClass, ExitHandler>>> {
  if (host === undefined) return {};
  const called: ExitHandler = (vcpu, { iss }) => {
    const id = (Number(vcpu.x(0) & 0xffff_ffffn) & ~WIDE) >>> 0;
    if ((iss & 0xffff) !== 0) return false;
    if (ENDS.includes(id)) {
      ended();
      return true;
    }
    if (!NAME_CPU.includes(id) || vcpu.x(1) < BigInt(place.cpus)) return false;
    vcpu.setX(0, BigInt.asUintN(64, INVALID_PARAMETERS));
    return true;
  };
  const classes = [
    "hypervisorCall",
    "dataAbortLower",
    "instructionAbortLower",
    "systemRegisterTrapped",
  ] as const;
  return Object.fromEntries(classes.map((name) => {
    const own = name === "hypervisorCall" ? called : undefined;
    const handler: ExitHandler = (vcpu, exit) =>
      (vcpu.index === host.cpu ? host.exits[name] : own)?.(vcpu, exit) ?? false;
    return [name, handler];
  }));
}
