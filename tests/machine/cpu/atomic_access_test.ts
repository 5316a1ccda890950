/** Atomic operations: both permissions are asked before anything is read, and other CPUs' monitors see the write. */
import { assertEquals } from "@std/assert";
import { assembleLine } from "../../../machine/a64/assembly.ts";
import { decode, type Decoded, lower } from "../../../machine/a64/rows.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { type IrNode, OPERATIONS } from "../../../machine/ir/operations.ts";
import { DEVICE, LEVEL1, LEVEL3, mappedCpus, PAGE, READ_ONLY, setRegisters } from "./access_support.ts";
import { RAM } from "./support.ts";

const A = BigInt(RAM) + 0x5040n;

/** Executes one instruction; gives the syndrome of its fault. */
function execute(cpu: Cpu, text: string): string | undefined {
  const { row, fields } = decode(assembleLine(text, { address: 0n })) as Decoded;
  const values: bigint[] = [];
  for (const node of lower(row, fields) as IrNode[]) {
    const argument = (at: number) => values[node.args[at] ?? -1] ?? 0n;
    values.push(OPERATIONS[node.op].evaluate(node, argument(0), argument(1), argument(2), cpu));
    if (cpu.pending !== undefined) break;
  }
  const { pending } = cpu;
  cpu.pending = undefined;
  return pending?.syndrome.toString(16);
}

Deno.test("an atomic of a page that cannot be written faults as a write, and a device is not read before", () => {
  const { cpu, put, transfers } = mappedCpus();
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x5000) | PAGE | READ_ONLY);
  cpu.registers.setX(1, A);
  assertEquals(execute(cpu, "ldadd x2, x3, [x1]"), "9600004f");
  put(LEVEL1, 0x0000_0705n | READ_ONLY | (1n << 54n));
  cpu.registers.setX(1, BigInt(DEVICE));
  for (const text of ["swp x2, x3, [x1]", "cas x2, x3, [x1]", "casp x4, x5, x6, x7, [x1]"]) {
    assertEquals(execute(cpu, text), "9600004d");
  }
  assertEquals(transfers, []);
});

Deno.test("an atomic of a device reads and writes it once", () => {
  const { cpu, transfers } = mappedCpus();
  cpu.registers.setX(1, BigInt(DEVICE) + 8n);
  cpu.registers.setX(2, 3n);
  assertEquals(execute(cpu, "ldadd w2, w3, [x1]"), undefined);
  assertEquals(transfers, [["read", 8, 4, 0], ["write", 8, 4, 11]]);
  assertEquals(cpu.registers.x(3), 8n);
});

Deno.test("an atomic of a page that is not there, or misaligned, faults as a read", () => {
  const { cpu, put } = mappedCpus();
  put(LEVEL3 + 5 * 8, 0n);
  cpu.registers.setX(1, A);
  assertEquals(execute(cpu, "ldset x2, x3, [x1]"), "96000007");
  cpu.registers.setX(1, BigInt(RAM) + 0x6008n);
  assertEquals(execute(cpu, "caspa x2, x3, x4, x5, [x1]"), "96000021");
});

Deno.test("what stage 1 forbids to write is reported before what stage 2 forbids to read", () => {
  const { cpu, put } = mappedCpus({ el2: true });
  const table = RAM + 0xf_4000, pages = table + 0x1000;
  put(table + 1 * 8, BigInt(table + 0x2000) | 3n);
  put(table + 0x2000, BigInt(pages) | 3n);
  for (let page = 0; page < 256; page++) put(pages + page * 8, BigInt(RAM + page * 4096) | 0x4fcn | 3n);
  put(pages + 5 * 8, BigInt(RAM + 0x5000) | 0x43cn | 3n); // S2AP = 0
  // VTCR_EL2: 39 bits from level 1.
  setRegisters(cpu, {
    VTTBR_EL2: BigInt(table),
    VTCR_EL2: 25n | 1n << 6n | 2n << 16n,
    HCR_EL2: 1n << 31n | 1n,
  });
  cpu.registers.setX(1, A);
  const fault = () => execute(cpu, "ldadd x2, x3, [x1]");
  assertEquals(fault(), "9200000f", "stage 2 refuses the read, at EL2");
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x5000) | PAGE | READ_ONLY);
  assertEquals(fault(), "9600004f", "stage 1 refuses the write, at EL1");
});

Deno.test("a compare and swap that fails leaves memory alone but clears other CPUs' monitors", () => {
  const { cpus, put, word } = mappedCpus({ count: 2 });
  const [cpu, other] = cpus as [Cpu, Cpu];
  put(RAM + 0x5040, 5n);
  other.loadExclusive(A, 8, "exclusive");
  cpu.registers.setX(1, A);
  cpu.registers.setX(2, 6n);
  cpu.registers.setX(3, 7n);
  assertEquals(execute(cpu, "cas x2, x3, [x1]"), undefined);
  assertEquals([cpu.registers.x(2), word(RAM + 0x5040), other.monitor.open], [5n, 5n, false]);
});
