/** Why the guest of a monitor stopped: an exception that targets the monitor's level, with its syndrome taken apart. */
import { systemEncoding } from "../machine/a64/system_names.ts";
import type { Exception } from "../machine/cpu/exception.ts";
import { EXCEPTION_CLASS, type ExceptionClass } from "../machine/cpu/syndrome.ts";

/** A synchronous exception at a monitor. */
export interface Exit {
  /** Name of ESR_ELx.EC. */
  readonly class: ExceptionClass;
  /** ESR_ELx.ISS, 25 bits. */
  readonly iss: number;
  /** FAR_ELx, 0n where the class has none. */
  readonly faultAddress: bigint;
  /** HPFAR_EL2.FIPA with the offset of FAR_EL2: the intermediate physical address; −1 where there is none. */
  readonly ipa: number;
}

const CLASS_NAMES = new Map<number, ExceptionClass>(
  Object.entries(EXCEPTION_CLASS).map(([name, number]) => [number, name as ExceptionClass]),
);

const PAGE = 4096;

/** Takes a synchronous exception apart. */
export function exitOf({ syndrome, faultAddress = 0n, faultIpa }: Exception): Exit {
  const name = CLASS_NAMES.get(syndrome >>> 26) ?? "unknown";
  const ipa = faultIpa === undefined
    ? -1
    : Math.floor(faultIpa / PAGE) * PAGE + Number(faultAddress & BigInt(PAGE - 1));
  return { class: name, iss: syndrome & 0x1ff_ffff, faultAddress, ipa };
}

/** A trapped MSR, MRS or system instruction (ISS encoding for an exception from MSR, MRS, or System instruction). */
export interface SystemAccess {
  /** As `systemEncoding` has it. */
  readonly encoding: number;
  /** Number of the general register, 31 for XZR. */
  readonly Rt: number;
  /** MRS. */
  readonly isRead: boolean;
}

/** What a trapped access to a system register was. */
export function systemAccessOf({ iss }: Exit): SystemAccess {
  const op0 = iss >> 20 & 3, op2 = iss >> 17 & 7, op1 = iss >> 14 & 7, CRn = iss >> 10 & 15;
  const Rt = iss >> 5 & 31, CRm = iss >> 1 & 15;
  return { encoding: systemEncoding(op0, op1, CRn, CRm, op2), Rt, isRead: (iss & 1) === 1 };
}
