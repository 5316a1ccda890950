/** What software of each Security state may see, end and deactivate in a GICv3 (Arm IHI 0069, sections 4.6 and 12.2). */
import type { GicAccess } from "../cpu/gic_interface.ts";
import { SPURIOUS } from "./gic_interrupts.ts";
import { type Candidate, GROUP, type Group } from "./gic_v3_interrupts.ts";

/** What a read gives EL3 for a Group 1 interrupt of Secure and of Non-secure state. */
const SECURE_PENDING = 1020, NON_SECURE_PENDING = 1021;

/** An interrupt of Secure state: not of Non-secure Group 1 while there are two states. */
function isSecureGroup(group: Group, isSingleState: boolean): boolean {
  return group !== GROUP.nonSecure && !isSingleState;
}

/** The most urgent interrupt if it is of Group 0 and this access may see it, or a special number. */
export function pendingOfGroup0(
  candidate: Candidate | undefined,
  { level, secure }: GicAccess,
  isSingleState: boolean,
): number {
  if (candidate === undefined) return SPURIOUS;
  const { interrupt, group } = candidate, isSecure = isSecureGroup(group, isSingleState);
  if ((group !== GROUP.zero && level < 3) || (isSecure && !secure)) return SPURIOUS;
  if (group !== GROUP.zero) return isSecure ? SECURE_PENDING : NON_SECURE_PENDING;
  return interrupt;
}

/** The same of Group 1. */
export function pendingOfGroup1(
  candidate: Candidate | undefined,
  { level, secure }: GicAccess,
  isSingleState: boolean,
): number {
  if (candidate === undefined || candidate.group === GROUP.zero) return SPURIOUS;
  const isOther = isSecureGroup(candidate.group, isSingleState) ? !secure : level < 3 && secure;
  return isOther ? SPURIOUS : candidate.interrupt;
}

/** Whether an access may end what is active in a group by a register of Group 0 or 1. */
export function mayEnd(
  group: Group,
  isGroup0: boolean,
  { level, secure }: GicAccess,
  isSingleState: boolean,
): boolean {
  if (isGroup0 !== (group === GROUP.zero)) return false;
  if (group === GROUP.nonSecure) return level === 3 || !secure;
  if (group === GROUP.secure) return secure;
  return isSingleState || secure;
}

/** Whether ICC_DIR_EL1 acts on a group. */
export function mayDeactivate(group: Group, access: GicAccess, isSingleState: boolean): boolean {
  if (access.level === 3) return true;
  const isGroup0 = group === GROUP.zero;
  if (isGroup0 ? access.fiqToMonitor : access.irqToMonitor) return false;
  if (access.secure) return true;
  if (access.level === 1 && (isGroup0 ? access.fiqToHypervisor : access.irqToHypervisor)) return false;
  return isGroup0 ? isSingleState : !isSecureGroup(group, isSingleState);
}
