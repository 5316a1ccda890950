/** What clients read of a machine as XML: where memory is, and its threads, one for each CPU. */
import type { Cpu } from "../../machine/cpu/cpu.ts";
import type { Machine } from "../../machine/machine.ts";
import { powerText } from "../cpu_view.ts";
import type { SymbolTable } from "../symbols.ts";

const END_OF_SPACE = 1n << 64n;

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);
}

/** What a CPU does, in a few words. */
export function threadText(cpu: Cpu, symbols: SymbolTable): string {
  const name = symbols.nameOf(cpu.pc);
  return `EL${cpu.el}, ${powerText(cpu)}${name === undefined ? "" : `, ${name}`}`;
}

/** The CPUs for `qXfer:threads:read`. */
export function threadsXml({ board: { cpus } }: Machine, symbols: SymbolTable): string {
  const threads = cpus.map((cpu) =>
    `<thread id="${cpu.index + 1}" core="${cpu.index}" name="cpu${cpu.index}">` +
    `${escapeXml(threadText(cpu, symbols))}</thread>`
  );
  return `<?xml version="1.0"?><threads>${threads.join("")}</threads>`;
}

/**
 * The map for `qXfer:memory-map:read`. It is one of virtual addresses, read once, and what is mapped changes as the run
 * goes: so all of the space is called memory, but for the flash banks, where gdb then takes hardware breakpoints.
 */
export function memoryMapXml({ board: { memory } }: Machine): string {
  const banks = memory.regions.filter(({ device }) => device !== undefined)
    .map(({ base, size }) => ({ start: BigInt(base), end: BigInt(base + size) }))
    .sort((a, b) => a.start < b.start ? -1 : 1);
  const rows: string[] = [];
  const add = (type: "ram" | "rom", start: bigint, end: bigint): void => {
    if (end <= start) return;
    rows.push(
      `<memory type="${type}" start="0x${start.toString(16)}" length="0x${(end - start).toString(16)}"/>`,
    );
  };
  let at = 0n;
  for (const { start, end } of banks) {
    add("ram", at, start);
    add("rom", start, end);
    at = end;
  }
  // Two parts, since a length has 64 bits; the end of the second is 0 to gdb, which means no end.
  const half = END_OF_SPACE / 2n;
  add("ram", at, half);
  add("ram", half, END_OF_SPACE);
  return `<?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" ` +
    `"http://sourceware.org/gdb/gdb-memory-map.dtd"><memory-map>${rows.join("")}</memory-map>`;
}
