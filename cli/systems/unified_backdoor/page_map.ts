/** A map of pages beside the machine's: what a caller may do with which, and whether calls kept to it. */
import {
  BUFFER_PAGES,
  BUFFERS,
  MENDED_PAGE,
  STRETCH,
} from "../../../firmware/unified_backdoor/calls_guest.ts";
import type { MachineEvent } from "../../../machine/events.ts";

const PAGE = 4096n;

/** Whether a level may read or write the byte at an address. */
export function isAllowed(address: bigint, level: number, isWrite: boolean, isMended: boolean): boolean {
  const offset = address - BUFFERS, ahead = address - STRETCH.virtual;
  if (ahead >= 0n && ahead < BigInt(STRETCH.size)) return true;
  if (offset < 0n) return false;
  const index = Number(offset / PAGE), page = BUFFER_PAGES[index];
  if (page === undefined) return false;
  if (index === MENDED_PAGE && isMended) return true;
  return page.access[level as 0 | 1].includes(isWrite ? "w" : "r");
}

/** What was found of calls by their events. */
export interface CallsFound {
  /** Rules broken, a line each. */
  readonly violations: string[];
  /** Calls by outcome. */
  readonly outcomes: Record<string, number>;
  /** Bytes of buffers that moved, and messages that came whole from the guest. */
  bytes: number;
  messages: number;
}

/** The bytes of a string instruction that moved, first and last of each page, and whether each was the caller's. */
function rangeViolations(
  { x, step, isWrite, level }: { x: bigint; step: bigint; isWrite: boolean; level: number },
  bytes: number,
  size: number,
): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes; at++) {
    const element = BigInt(Math.floor(at / size)), address = x + element * step + BigInt(at % size);
    const isFirst = at === 0 || at === bytes - 1 || address % PAGE === 0n || address % PAGE === PAGE - 1n;
    // The mended page may be there or not: a call that went on behind it was there.
    if (isFirst && !isAllowed(BigInt.asUintN(64, address), level, isWrite, true)) {
      found.push(`${isWrite ? "write" : "read"} of 0x${address.toString(16)} at EL${level}`);
    }
  }
  return found;
}

/** Follows the traps of a run of the guest of calls. */
export function followCalls(events: Iterable<MachineEvent>): CallsFound {
  const found: CallsFound = { violations: [], outcomes: {}, bytes: 0, messages: 0 };
  let called: Extract<MachineEvent, { kind: "backdoorCalled" }> | undefined, isFaulted = false;
  for (const event of events) {
    if (event.kind === "backdoorCalled") called = event;
    if (event.kind === "guestMessageReceived") found.messages++;
    if (event.kind === "exceptionInjected" && called !== undefined) {
      isFaulted = true;
      const isData = (Number(event.syndrome >> 26n) & 0x3e) === 0x24,
        isWrite = (event.syndrome & 0x40n) !== 0n;
      if (isData && isAllowed(event.faultAddress, called.level, isWrite, false)) {
        found.violations.push(`a fault at 0x${event.faultAddress.toString(16)}, which EL${called.level} has`);
      }
    }
    if (event.kind !== "backdoorReturned" || called === undefined) continue;
    const { outcome, bytes } = event, { level, instruction, x4, x5 } = called;
    found.outcomes[outcome] = (found.outcomes[outcome] ?? 0) + 1;
    found.bytes += bytes;
    const isWrite = (instruction & 4) !== 0, size = [1, 2, 4][instruction & 3] ?? 1;
    const step = BigInt((instruction & 0x20) === 0 ? size : -size);
    const range = { x: isWrite ? x5 : x4, step, isWrite, level };
    found.violations.push(...rangeViolations(range, bytes, size));
    const mustFault = outcome === "faulted" || outcome === "undefined";
    if (mustFault !== isFaulted) {
      found.violations.push(`instant ${event.instant}: ${outcome}, fault ${isFaulted}`);
    }
    called = undefined;
    isFaulted = false;
  }
  return found;
}
