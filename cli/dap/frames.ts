/** Who called whom: the chain of frame records (AAPCS64, 6.4.6), with the return addresses that are in no record yet. */
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { stripPac } from "../../machine/cpu/pointer_authentication.ts";
import { peekMemory } from "../../machine/debugger_memory.ts";
import type { SymbolTable } from "../symbols.ts";
import { instructionsAt, placeOf } from "./listing.ts";

/** The most frames of a stack. */
export const MOST_FRAMES = 256;
/** The most instructions of a function that are looked at for what it does with its frame. */
const MOST_INSTRUCTIONS = 4096;

const FRAME_POINTER = 29, LINK = 30;

/** One call. */
export interface Frame {
  /** Where it is, or will go on. */
  readonly pc: bigint;
  /** Its frame record; 0 where it has none of its own. */
  readonly record: bigint;
}

function readPair(cpu: Cpu, address: bigint): [bigint, bigint] | undefined {
  if ((address & 7n) !== 0n) return undefined;
  const bytes = peekMemory(cpu, address, 16);
  if (bytes.length < 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
}

/** LDP and STP of X29 and X30, with any addressing by SP. */
const isPair = (word: number, load: boolean): boolean =>
  (word & 0xfe407fff) >>> 0 === (load ? 0xa8407bfd : 0xa8007bfd);
/** ADD X29, SP, #imm, of which MOV X29, SP is one. */
const isFrameSet = (word: number): boolean => (word & 0xff8003ff) >>> 0 === 0x910003fd;

/** RET with or without authentication, and B, which may be to another function. */
const isLeaving = (word: number): boolean =>
  (word & 0xfffff3ff) >>> 0 === 0xd65f03ff || word === 0xd65f03c0 || word >>> 26 === 0b000101;

/** The return address is in X30: nothing of the function that is executed so far has put it away for X29 to lead there. */
function isReturnInLink(cpu: Cpu, symbols: SymbolTable): boolean {
  const pc = cpu.pc, place = placeOf(symbols, pc);
  const link = stripPac(cpu, false, cpu.registers.x(LINK));
  if (place === undefined) {
    // Without names: a function that has a frame has been back from calls of its own, or has it in its record.
    const record = readPair(cpu, cpu.registers.x(FRAME_POINTER));
    return record === undefined || record[0] === 0n && record[1] === 0n;
  }
  const count = Math.min(MOST_INSTRUCTIONS, Number(place.offset / 4n));
  let isSet = false, hasFrame = false;
  for (const { word } of instructionsAt(cpu, pc - place.offset, count, symbols)) {
    if (word === undefined) continue;
    if (isFrameSet(word)) isSet = hasFrame = true;
    else if (isPair(word, true)) isSet = false;
    // What follows an epilogue is the function's body again.
    else if (isLeaving(word)) isSet = hasFrame;
  }
  if (isSet) return false;
  const caller = placeOf(symbols, link);
  // After a call that never had a frame around it, X30 is the function's own.
  return link !== 0n &&
    !(caller?.name === place.name && caller.offset !== 0n && place.offset > caller.offset);
}

/** The calls of a CPU, the innermost first. */
export function framesOf(cpu: Cpu, symbols: SymbolTable): Frame[] {
  const frames: Frame[] = [];
  let record = cpu.registers.x(FRAME_POINTER);
  const isInLink = isReturnInLink(cpu, symbols);
  frames.push({ pc: cpu.pc, record: isInLink ? 0n : record });
  if (isInLink) frames.push({ pc: stripPac(cpu, false, cpu.registers.x(LINK)), record });
  const seen = new Set<bigint>();
  while (record !== 0n && frames.length < MOST_FRAMES && !seen.has(record)) {
    seen.add(record);
    const pair = readPair(cpu, record);
    if (pair === undefined) break;
    const [next, link] = pair, pc = stripPac(cpu, false, link);
    if (pc === 0n) break;
    frames.push({ pc, record: next });
    record = next;
  }
  return frames;
}
