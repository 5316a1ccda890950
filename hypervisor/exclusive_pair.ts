/** Where EL1 can be let run to from a load-exclusive without an exception between it and its store-exclusive. */
import type { Cpu } from "../machine/cpu/cpu.ts";
import { readGuest } from "./guest_memory.ts";

/** LDXR, LDAXR, LDXP and LDAXP of any size; STXR and the like (Arm ARM C4.1.4, load/store exclusive). */
const EXCLUSIVE = 0x3fc0_0000, LOAD = 0x0840_0000, STORE = 0x0800_0000;

/** Most instructions of a pair and what is between. */
const MOST = 24;

/** Branches to a label: bits that tell them, and where their offset is, in words. */
// deno-fmt-ignore
const BRANCHES = [
  { mask: 0xff00_0010, value: 0x5400_0000, at: 5, size: 19 }, // B.cond
  { mask: 0x7e00_0000, value: 0x3400_0000, at: 5, size: 19 }, // CBZ, CBNZ
  { mask: 0x7e00_0000, value: 0x3600_0000, at: 5, size: 14 }, // TBZ, TBNZ
  { mask: 0xfc00_0000, value: 0x1400_0000, at: 0, size: 26 }, // B
] as const;
/** Everything else that may go elsewhere: branches to registers, exceptions and returns, BL. */
const OTHERS = [[0xfe00_0000, 0xd600_0000], [0xff00_0000, 0xd400_0000], [0xfc00_0000, 0x9400_0000]] as const;

const is = (opcode: number, mask: number, value: number): boolean => (opcode & mask) >>> 0 === value;

/** The instruction at an address of EL1; undefined where it cannot be read. */
export function opcodeAt(cpu: Cpu, address: bigint): number | undefined {
  const code = readGuest(cpu, "s12e1", address, 4);
  return code instanceof Uint8Array ? new DataView(code.buffer).getUint32(0, true) : undefined;
}

function targetOf(opcode: number, address: bigint): bigint | undefined {
  for (const { mask, value, at, size } of BRANCHES) {
    if (!is(opcode, mask, value)) continue;
    const words = BigInt.asIntN(size, BigInt(opcode >>> at));
    return BigInt.asUintN(64, address + 4n * words);
  }
  return undefined;
}

/**
 * The addresses of which one is come to after the pair that begins with the load-exclusive at an address: behind the
 * store-exclusive, and where branches before it lead. Undefined where there is no such pair.
 */
export function exclusiveEnds(cpu: Cpu, address: bigint): bigint[] | undefined {
  const first = opcodeAt(cpu, address), targets = new Set<bigint>();
  if (first === undefined || !is(first, EXCLUSIVE, LOAD)) return undefined;
  for (let count = 1; count <= MOST; count++) {
    const at = BigInt.asUintN(64, address + BigInt(4 * count)), opcode = opcodeAt(cpu, at);
    if (opcode === undefined || OTHERS.some(([mask, value]) => is(opcode, mask, value))) return undefined;
    if (is(opcode, EXCLUSIVE, STORE)) {
      const outside = [...targets].filter((target) => target < address || target > at);
      return [...new Set([...outside, at + 4n])];
    }
    const target = targetOf(opcode, at);
    if (target !== undefined) targets.add(target);
  }
  return undefined;
}
