/**
 * Looks at the tables of a machine that runs the dual-width kernel, with a walk of its own: one hierarchy for both
 * regimes, in the EL2 format, the kernel in the half that EL0 cannot name.
 */
import { SHIM, USER_LIMIT } from "../../../firmware/dual_width/layout.ts";
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import { hex, physicalAddress } from "../../../machine/address.ts";
import type { Machine } from "../../../machine/machine.ts";

/** What an audit found. */
export interface Audit {
  /** What is wrong, with the address; none when all is as it should be. */
  readonly failures: readonly string[];
  /** Physical address of the root. */
  readonly root: bigint;
  /** Table pages that the EL2 regime reaches. */
  readonly tables: number;
  /** Pages below 2^47, and from there on. */
  readonly userPages: number;
  readonly kernelPages: number;
}

/** One leaf. */
interface Leaf {
  readonly virtual: bigint;
  readonly descriptor: bigint;
}

const ADDRESS = 0x0000_ffff_ffff_f000n;
const bits = (value: bigint, high: number, low: number): number =>
  Number((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));

/** All tables and leaves of four levels of 4 KiB tables, as far as `size` bits of address go. */
function walk(machine: Machine, root: bigint, size: number): { tables: Set<bigint>; leaves: Leaf[] } {
  const tables = new Set<bigint>(), leaves: Leaf[] = [], { memory } = machine.board;
  const visit = (table: bigint, level: number, from: bigint): void => {
    tables.add(table);
    const shift = 39 - 9 * level, entries = level === 0 ? 1 << (size - 39) : 512;
    const view = new DataView(memory.readBytes(physicalAddress(Number(table)), entries * 8).slice().buffer);
    for (let index = 0; index < entries; index++) {
      const descriptor = view.getBigUint64(index * 8, true),
        virtual = from + (BigInt(index) << BigInt(shift));
      if ((descriptor & 1n) === 0n) continue;
      if (level < 3 && (descriptor & 2n) !== 0n) visit(descriptor & ADDRESS, level + 1, virtual);
      else leaves.push({ virtual, descriptor });
    }
  };
  visit(root & ADDRESS, 0, 0n);
  return { tables, leaves };
}

/** The registers that make two widths of one hierarchy: name, what it should be, and whether it is. */
function registerFailures(read: (name: keyof typeof INDEX) => bigint): string[] {
  const [tcr1, tcr2, hcr] = [read("TCR_EL1"), read("TCR_EL2"), read("HCR_EL2")];
  // deno-fmt-ignore
  const facts: readonly [string, boolean][] = [
    ["TTBR0_EL2 = TTBR0_EL1",             read("TTBR0_EL2") === read("TTBR0_EL1")],
    ["MAIR_EL1 = MAIR_EL2",               read("MAIR_EL1") === read("MAIR_EL2")],
    ["TCR_EL2.T0SZ = 16",                 bits(tcr2, 5, 0) === 16],
    ["TCR_EL1.T0SZ = 17",                 bits(tcr1, 5, 0) === 17],
    ["TCR_EL1.EPD1 = 1",                  bits(tcr1, 23, 23) === 1],
    ["one granule, of 4 KiB",             bits(tcr1, 15, 14) === 0 && bits(tcr2, 15, 14) === 0],
    ["HCR_EL2.VM = 0",                    bits(hcr, 0, 0) === 0],
    ["HCR_EL2.FMO, IMO and AMO = 1",      bits(hcr, 5, 3) === 7],
    ["HCR_EL2.TGE = 0 and E2H = 0",       bits(hcr, 27, 27) === 0 && bits(hcr, 34, 34) === 0],
    ["both MMUs are on",                  bits(read("SCTLR_EL1"), 0, 0) === 1 && bits(read("SCTLR_EL2"), 0, 0) === 1],
  ];
  return facts.flatMap(([fact, holds]) => holds ? [] : [`it does not hold that ${fact}`]);
}

function leafFailure({ virtual, descriptor }: Leaf): string | undefined {
  const at = `the page at ${hex(virtual)}`;
  if (bits(descriptor, 6, 6) !== 1) return `${at} has AP[1] = 0, which is RES1 in the EL2 regime`;
  if (bits(descriptor, 11, 11) !== 0 || bits(descriptor, 53, 53) !== 0) {
    return `${at} has nG or PXN, which are RES0`;
  }
  const isWritable = bits(descriptor, 7, 7) === 0;
  if (virtual === SHIM && (isWritable || bits(descriptor, 54, 54) === 1)) {
    return `the shim is ${hex(descriptor)}`;
  }
  if (virtual >= USER_LIMIT && isWritable && bits(descriptor, 54, 54) === 0) {
    return `${at}, the kernel's, can be written and executed`;
  }
  return undefined;
}

/** Audits the first CPU's tables and controls. */
export function audit(machine: Machine): Audit {
  const { system } = machine.currentCpu.registers;
  const read = (name: keyof typeof INDEX): bigint => system[INDEX[name]] as bigint;
  const failures = registerFailures(read);
  const wide = walk(machine, read("TTBR0_EL2"), 48), narrow = walk(machine, read("TTBR0_EL1"), 47);
  for (const table of narrow.tables) {
    if (!wide.tables.has(table)) failures.push(`the table at ${hex(table)} is of the EL1&0 regime only`);
  }
  const lower = wide.leaves.filter(({ virtual }) => virtual < USER_LIMIT);
  const text = ({ virtual, descriptor }: Leaf) => `${hex(virtual)} ${hex(descriptor)}`;
  if (lower.map(text).join() !== narrow.leaves.map(text).join()) {
    failures.push("the two regimes map different pages below 2^47");
  }
  if (!narrow.leaves.some(({ virtual }) => virtual === SHIM)) failures.push("the shim is not mapped");
  for (const leaf of wide.leaves) {
    const failure = leafFailure(leaf);
    if (failure !== undefined) failures.push(failure);
  }
  return {
    failures,
    root: read("TTBR0_EL2"),
    tables: wide.tables.size,
    userPages: lower.length,
    kernelPages: wide.leaves.length - lower.length,
  };
}

/** The memory of a process by virtual address: each page below the shim that its tables lead to, with its contents. */
export function userMemory(machine: Machine, root: number): Map<bigint, Uint8Array> {
  const pages = new Map<bigint, Uint8Array>();
  for (const { virtual, descriptor } of walk(machine, BigInt(root), 47).leaves) {
    const at = physicalAddress(Number(descriptor & ADDRESS));
    pages.set(virtual, machine.board.memory.readBytes(at, 4096).slice());
  }
  return pages;
}
