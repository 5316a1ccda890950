/** Calls of the SMC calling convention that reach a monitor: PSCI goes on to the board's firmware (Arm DEN 0028, DEN 0022). */
import type { MonitorSite } from "../machine/monitor.ts";
import type { Vcpu } from "./vcpu.ts";

/** Function identifiers of standard secure services, of which PSCI has numbers 0 to 0x1f, in both widths. */
const STANDARD_SERVICE = 0x8400_0000, WIDE = 0x4000_0000, PSCI_LAST = 0x1f;
/** PSCI 0.1 as the board's device tree gives it. */
const PSCI_0_1 = [0x95c1_ba5e, 0x95c1_ba5f, 0x95c1_ba60];
/** SMCCC: the function is not supported. */
const NOT_SUPPORTED = -1n;

function isPsci(id: number): boolean {
  const narrow = (id & ~WIDE) >>> 0;
  return (narrow >= STANDARD_SERVICE && narrow <= STANDARD_SERVICE + PSCI_LAST) || PSCI_0_1.includes(id);
}

/**
 * Answers HVC #0 or SMC #0 from above EL0: PSCI as the board's firmware does, all else as not supported. False for
 * another immediate, which the convention reserves.
 */
export function answerFirmwareCall(site: MonitorSite, vcpu: Vcpu, iss: number): boolean {
  if ((iss & 0xffff) !== 0) return false;
  if (isPsci(Number(vcpu.x(0) & 0xffff_ffffn))) site.firmwareCall(vcpu.cpu);
  else vcpu.setX(0, NOT_SUPPORTED);
  return true;
}
