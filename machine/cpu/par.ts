/** PAR_EL1: a translation or its fault in one register (Arm ARM D13.2, PAR_EL1). */
import { isDevice, type MemoryAttributes } from "../memory/attributes.ts";
import { type Fault, statusOf } from "../memory/fault.ts";
import type { Translation } from "../memory/translation.ts";

const PAR_FAULT = 1n, PAR_RES1 = 1n << 11n, PAR_STAGE2 = 1n << 9n, PAR_WALK = 1n << 8n, PAR_NS = 1n << 9n;
const OUTPUT = (1n << 48n) - 4096n;

/** Device memory and Normal non-cacheable memory are reported as outer shareable (Arm ARM PAR_EL1.SH). */
function reportedShareability({ attribute, shareability }: MemoryAttributes): number {
  return isDevice(attribute) || attribute === 0x44 ? 2 : shareability;
}

function parOfSuccess(result: Translation<number>): bigint {
  return (BigInt(result.attribute) << 56n) | (BigInt(result.address) & OUTPUT) | PAR_RES1 |
    (result.secure ? 0n : PAR_NS) | (BigInt(reportedShareability(result)) << 7n);
}

function parOfFault(fault: Fault): bigint {
  return (BigInt(statusOf(fault)) << 1n) | PAR_FAULT | PAR_RES1 | (fault.stage === 2 ? PAR_STAGE2 : 0n) |
    (fault.onWalk ? PAR_WALK : 0n);
}

/** What an AT instruction leaves in PAR_EL1. */
export function parOf(result: Translation<number> | Fault): bigint {
  return result.faulted ? parOfFault(result) : parOfSuccess(result);
}
