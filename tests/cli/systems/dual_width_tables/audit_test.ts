/** The audit of dual-width tables finds each thing that could be wrong with them. */
import { assert, assertEquals } from "@std/assert";
import { audit, userMemory } from "../../../../cli/systems/dual_width_tables/audit.ts";
import { build } from "../../../../cli/systems/dual_width_tables/images.ts";
import { KERNEL_BASE, SHIM, STACK_TOP } from "../../../../firmware/dual_width/layout.ts";
import { spinner } from "../../../../firmware/dual_width/programs.ts";
import { physicalAddress } from "../../../../machine/address.ts";
import { INDEX } from "../../../../machine/cpu/system_register_index.ts";
import { runImage } from "../../../firmware/dual_width/support.ts";

const image = build({ form: "el2", processes: [spinner("A", 50)], windowSize: 0x10_0000 });
const { machine } = runImage(image.bytes, {}, [], 200);
const before = machine.snapshot();

const memory = machine.board.memory;
const readDescriptor = (at: number) =>
  new DataView(memory.readBytes(physicalAddress(at), 8).slice().buffer).getBigUint64(0, true);

/** Physical address of the level 3 descriptor of a virtual address. */
function descriptorOf(virtual: bigint): number {
  let table = image.processes[0]!.root;
  for (let shift = 39n;; shift -= 9n) {
    const at = table + Number((virtual >> shift) & 511n) * 8;
    if (shift === 12n) return at;
    table = Number(readDescriptor(at) & 0xffff_ffff_f000n);
  }
}

function change(virtual: bigint, how: (descriptor: bigint) => bigint): void {
  const at = descriptorOf(virtual), bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, how(readDescriptor(at)), true);
  memory.writeBytes(physicalAddress(at), bytes);
}

function setRegister(name: keyof typeof INDEX, how: (value: bigint) => bigint): void {
  const { system } = machine.currentCpu.registers;
  system[INDEX[name]] = how(system[INDEX[name]] as bigint);
}

Deno.test("audit() finds nothing in a run as it is, and counts its pages", () => {
  const { failures, root, userPages, kernelPages, tables } = audit(machine);
  assertEquals(failures, []);
  assertEquals([root, kernelPages], [BigInt(image.processes[0]!.root), image.kernelPages.length]);
  assertEquals([userPages, tables > 8], [1 + 16 + 1, true]); // program, stack, shim
});

// deno-fmt-ignore
const PLANTED: readonly [string, () => void][] = [
  ["AP[1] = 0",                                   () => change(KERNEL_BASE.el2, (bits) => bits & ~(1n << 6n))],
  ["nG or PXN",                                   () => change(STACK_TOP - 4096n, (bits) => bits | 1n << 11n)],
  ["nG or PXN",                                   () => change(0x40_0000n, (bits) => bits | 1n << 53n)],
  ["the shim is 0x",                              () => change(SHIM, (bits) => bits & ~(1n << 7n))],
  ["the shim is 0x",                              () => change(SHIM, (bits) => bits | 1n << 54n)],
  ["the shim is not mapped",                      () => change(SHIM, () => 0n)],
  ["can be written and executed",                 () => change(KERNEL_BASE.el2 + 0x80000n, (bits) => bits & ~(1n << 7n))],
  ["it does not hold that TTBR0_EL2 = TTBR0_EL1", () => setRegister("TTBR0_EL1", (root) => root + 4096n)],
  ["is of the EL1&0 regime only",                 () => setRegister("TTBR0_EL1", (root) => root + 4096n)],
  ["MAIR_EL1 = MAIR_EL2",                         () => setRegister("MAIR_EL1", () => 0n)],
  ["TCR_EL1.T0SZ = 17",                           () => setRegister("TCR_EL1", (value) => value & ~1n)],
  ["TCR_EL1.EPD1 = 1",                            () => setRegister("TCR_EL1", (value) => value & ~(1n << 23n))],
  ["TCR_EL2.T0SZ = 16",                           () => setRegister("TCR_EL2", (value) => value | 1n)],
  ["HCR_EL2.VM = 0",                              () => setRegister("HCR_EL2", (value) => value | 1n)],
  ["HCR_EL2.FMO, IMO and AMO = 1",                () => setRegister("HCR_EL2", (value) => value & ~(1n << 4n))],
  ["HCR_EL2.TGE = 0",                             () => setRegister("HCR_EL2", (value) => value | 1n << 27n)],
  ["both MMUs are on",                            () => setRegister("SCTLR_EL1", (value) => value & ~1n)],
];

Deno.test("audit() names what is planted", () => {
  for (const [wanted, plant] of PLANTED) {
    machine.restore(before);
    plant();
    const { failures } = audit(machine);
    assert(failures.length <= 4, failures.join("; "));
    assert(failures.some((failure) => failure.includes(wanted)), `${wanted}: ${failures.join("; ")}`);
  }
  machine.restore(before);
});

Deno.test("userMemory() has a process's pages by virtual address", () => {
  const pages = userMemory(machine, image.processes[0]!.root);
  assertEquals([...pages.keys()].filter((page) => page < STACK_TOP - 0x10000n), [0x40_0000n]);
  assertEquals(new DataView(pages.get(SHIM)!.buffer).getUint32(0x400, true), 0xd4000002); // HVC #0
});
