/** What AT, TLBI, DC and IC do, and how they fault. */
import { assert, assertEquals } from "@std/assert";
import { SYSTEM_INSTRUCTIONS } from "../../../machine/a64/system_names.ts";
import { performSystemInstruction } from "../../../machine/cpu/address_translate.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import {
  DEVICE,
  LEVEL1,
  LEVEL3,
  mappedCpus,
  PAGE,
  READ_ONLY,
  register,
  setRegisters,
} from "./access_support.ts";
import { eventsOf, putAt, RAM } from "./support.ts";

const A = BigInt(RAM);

function perform(cpu: Cpu, name: string, operand = 0n): string | undefined {
  assert(performSystemInstruction(cpu, SYSTEM_INSTRUCTIONS[name]?.encoding as number, operand), name);
  const { pending } = cpu;
  cpu.pending = undefined;
  return pending?.syndrome.toString(16);
}

const PAR = (cpu: Cpu): string => register(cpu, "PAR_EL1").toString(16);

/** Those of C5.3–C5.5 of Armv8.0 and of FEAT_PAN2, FEAT_DPB and FEAT_DPB2. */
const EXPECTED = [
  ...["s1e1r", "s1e1w", "s1e0r", "s1e0w", "s12e1r", "s12e1w", "s12e0r", "s12e0w", "s1e2r", "s1e2w"]
    .concat("s1e3r", "s1e3w", "s1e1rp", "s1e1wp").map((name) => `at ${name}`),
  ...["ivac", "isw", "csw", "cisw", "zva", "cvac", "cvau", "civac", "cvap", "cvadp"].map((name) =>
    `dc ${name}`
  ),
  ...["ialluis", "iallu", "ivau"].map((name) => `ic ${name}`),
  ...[
    "vmalle1",
    "vae1",
    "aside1",
    "vaae1",
    "vale1",
    "vaale1",
    "ipas2e1",
    "ipas2le1",
    "alle2",
    "vae2",
    "alle1",
  ]
    .concat("vale2", "vmalls12e1", "alle3", "vae3", "vale3")
    .flatMap((name) => [`tlbi ${name}`, `tlbi ${name}is`]),
];

Deno.test("performSystemInstruction knows the instructions of the extensions that exist and no others", () => {
  const { cpu } = mappedCpus({ el2: true, el3: true });
  const found: string[] = [];
  for (const [name, { encoding }] of Object.entries(SYSTEM_INSTRUCTIONS)) {
    if (performSystemInstruction(cpu, encoding, A)) found.push(name);
    cpu.pending = undefined;
  }
  assertEquals(found.sort(), EXPECTED.sort());
});

Deno.test("AT writes PAR_EL1 for EL1 and EL0, and its faults are values", () => {
  const { cpu, put } = mappedCpus();
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x8000) | PAGE | READ_ONLY);
  assertEquals([perform(cpu, "at s1e1r", A + 0x5123n), PAR(cpu)], [undefined, "ff00000040008b80"]);
  assertEquals([perform(cpu, "at s1e1w", A + 0x5123n), PAR(cpu)], [undefined, "81f"]);
  assertEquals([perform(cpu, "at s1e0r", A + 0x5123n), PAR(cpu)], [undefined, "81f"]);
  assertEquals([perform(cpu, "at s1e1r", A + 0x40_0000n), PAR(cpu)], [undefined, "80d"]);
  assertEquals([perform(cpu, "at s1e1r", BigInt(DEVICE)), PAR(cpu)], [undefined, "400000009000b00"]);
  setRegisters(cpu, { SCTLR_EL1: 0x30d0_0800n });
  assertEquals([perform(cpu, "at s1e1r", A + 0x5123n), PAR(cpu)], [undefined, "40005b00"]);
});

Deno.test("AT S1E3 translates by EL3's registers, in Secure state", () => {
  const { cpu } = mappedCpus({ el3: true });
  putAt(cpu, 3);
  setRegisters(cpu, {
    TTBR0_EL3: BigInt(LEVEL1),
    TCR_EL3: 25n | (5n << 16n),
    MAIR_EL3: 0x44n,
    SCTLR_EL3: 1n,
  });
  assertEquals([perform(cpu, "at s1e3r", A + 0x5123n), PAR(cpu)], [undefined, "4400000040005900"]);
  assertEquals([perform(cpu, "at s1e3w", A + 0x40_0000n), PAR(cpu)], [undefined, "80d"]);
});

Deno.test("AT from EL1 takes stage 2 faults of its walk to EL2, and leaves others in PAR_EL1", () => {
  const { cpu, put } = mappedCpus({ el2: true });
  const table = RAM + 0xe_0000;
  put(table + 8, BigInt(RAM) | 0x7fdn);
  setRegisters(cpu, {
    HCR_EL2: (1n << 31n) | 1n,
    VTCR_EL2: 25n | (1n << 6n) | (5n << 16n),
    VTTBR_EL2: BigInt(table),
  });
  perform(cpu, "at s1e1r", A + 0x5000n);
  assertEquals(PAR(cpu), "ff00000040005b80");
  setRegisters(cpu, { PAR_EL1: 0n, TTBR0_EL1: 0x8000_0000n });
  performSystemInstruction(cpu, SYSTEM_INSTRUCTIONS["at s1e1r"]?.encoding as number, A + 0x5000n);
  const { target, syndrome, faultAddress, faultIpa } = cpu.pending ?? {} as NonNullable<typeof cpu.pending>;
  assertEquals([target, syndrome?.toString(16), faultAddress, faultIpa], [
    2,
    "920001c5",
    A + 0x5000n,
    0x8000_0008,
  ]);
  assertEquals(PAR(cpu), "0");
  cpu.pending = undefined;
  putAt(cpu, 2);
  assertEquals([perform(cpu, "at s1e1r", A + 0x5000n), PAR(cpu)], [undefined, "b0b"]);
  setRegisters(cpu, { TTBR0_EL1: BigInt(LEVEL1) });
  put(table + 8, 0n);
  put(table, BigInt(RAM) | 0x7fdn);
  put(table + 16, 0n);
  setRegisters(cpu, { TTBR0_EL1: BigInt(LEVEL1 - RAM) });
  assertEquals([perform(cpu, "at s12e1r", A + 0x5000n), PAR(cpu)], [undefined, "b0b"]);
});

Deno.test("AT takes external aborts on its walk, to EL3 with SCR_EL3.EA", () => {
  const { cpu } = mappedCpus({ el3: true });
  setRegisters(cpu, { TTBR0_EL1: 0x9000_0000n, PAR_EL1: 7n });
  assertEquals(perform(cpu, "at s1e1w", A), "96000155");
  setRegisters(cpu, { SCR_EL3: 0x409n });
  assertEquals(perform(cpu, "at s1e1w", A), "92000155");
  assertEquals(PAR(cpu), "7");
});

Deno.test("TLBI is an event with its operand", () => {
  const test = mappedCpus();
  perform(test.cpu, "tlbi vae1is", 0x1234n);
  perform(test.cpu, "tlbi vmalle1");
  assertEquals(eventsOf(test, "tlbInvalidated").map(({ operation, operand }) => [operation, operand]), [
    ["VAE1IS", 0x1234n],
    ["VMALLE1", 0n],
  ]);
});

Deno.test("DC ZVA writes 64 zeros to the block of its address, on memory and on devices mapped Normal", () => {
  const { cpu, put, word, transfers } = mappedCpus();
  for (let offset = 0; offset < 256; offset += 8) put(RAM + 0x5000 + offset, ~0n & 0xffff_ffff_ffff_ffffn);
  assertEquals(perform(cpu, "dc zva", A + 0x507fn), undefined);
  const zeros = [0x38, 0x40, 0x78, 0x80].map((offset) => word(RAM + 0x5000 + offset) === 0n);
  assertEquals(zeros, [false, true, true, false]);
  put(LEVEL3 + 6 * 8, BigInt(DEVICE) | PAGE);
  assertEquals(perform(cpu, "dc zva", A + 0x6000n), undefined);
  assertEquals(transfers.length, 16);
});

Deno.test("DC ZVA faults like a store, and on Device memory for its alignment; FAR has the address as given", () => {
  const { cpu, put } = mappedCpus();
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x5000) | PAGE | READ_ONLY);
  const address = A + 0x5077n;
  performSystemInstruction(cpu, SYSTEM_INSTRUCTIONS["dc zva"]?.encoding as number, address);
  assertEquals([cpu.pending?.faultAddress, cpu.pending?.syndrome.toString(16)], [address, "9600004f"]);
  cpu.pending = undefined;
  assertEquals(perform(cpu, "dc zva", BigInt(DEVICE)), "96000061");
  setRegisters(cpu, { SCTLR_EL1: 0x30d0_0800n });
  cpu.load(A, 8, "normal");
  cpu.store(A, 8, 0n, "normal");
  assertEquals(perform(cpu, "dc zva", A), "96000061");
});

Deno.test("DC and IC by address fault with CM and WnR where nothing is mapped, or without permission", () => {
  const { cpu, put } = mappedCpus();
  put(LEVEL3 + 5 * 8, BigInt(RAM + 0x5000) | PAGE | READ_ONLY);
  const unmapped = A + 0x40_0000n, readOnly = A + 0x5000n;
  const names = ["dc cvac", "dc cvau", "dc civac", "dc ivac", "ic ivau"];
  const all = (address: bigint) => names.map((name) => perform(cpu, name, address));
  assertEquals(all(unmapped), Array(5).fill("96000146"));
  assertEquals(all(readOnly), [undefined, undefined, undefined, "9600014f", undefined]);
  putAt(cpu, 0);
  assertEquals(all(readOnly), ["9200014f", "9200014f", "9200014f", "9200014f", undefined]);
  putAt(cpu, 1);
  assertEquals(
    ["dc isw", "dc csw", "dc cisw", "ic iallu", "ic ialluis"].map((name) => perform(cpu, name)),
    Array(5).fill(undefined),
  );
});

Deno.test("DC by address at EL1 needs no permission of stage 2, DC IVAC needs to write", () => {
  const { cpu, put } = mappedCpus({ el2: true });
  const table = RAM + 0xe_0000;
  put(table + 8, BigInt(table + 0x1000) | 3n);
  put(table + 0x1000, BigInt(table + 0x2000) | 3n);
  for (let page = 0; page < 256; page++) put(table + 0x2000 + page * 8, BigInt(RAM + page * 4096) | 0x7ffn);
  put(table + 0x2000 + 5 * 8, BigInt(RAM + 0x5000) | 0x73fn);
  setRegisters(cpu, {
    HCR_EL2: (1n << 31n) | 1n,
    VTCR_EL2: 25n | (1n << 6n) | (5n << 16n),
    VTTBR_EL2: BigInt(table),
  });
  assertEquals(perform(cpu, "dc cvac", A + 0x5000n), undefined);
  assertEquals(perform(cpu, "dc ivac", A + 0x5000n), "9200014f");
});
