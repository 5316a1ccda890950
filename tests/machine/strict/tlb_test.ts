/** The strict TLB: what is entered, what stays, and which TLBI drops what. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { StrictTlb } from "../../../machine/memory/strict_tlb.ts";
import { LEVEL1, LEVEL2, LEVEL3, PAGE, READ_ONLY, setRegisters } from "../cpu/access_support.ts";
import { eventsOf, putAt, RAM } from "../cpu/support.ts";
import { perform, STAGE2_PAGES, strictCpus, strictEvents, twoStages } from "./support.ts";

const A = BigInt(RAM);
const NOT_GLOBAL = 0x800n;
/** Pages of the address space by number: global, and of an ASID. */
const GLOBAL = A + 0x5000n, OWN = A + 0x6000n;
const operand = (address: bigint, asid = 0n): bigint => asid << 48n | address >> 12n & 0xfff_ffff_ffffn;

/** Two CPUs that have both pages cached under ASID 1 and VMID 7. */
function cached() {
  const test = strictCpus(["tlb"], { count: 2, el2: true });
  test.put(LEVEL3 + 6 * 8, OWN | PAGE | NOT_GLOBAL);
  for (const cpu of test.cpus) {
    setRegisters(cpu, { TTBR0_EL1: BigInt(LEVEL1) | 1n << 48n, VTTBR_EL2: 7n << 48n });
    cpu.load(GLOBAL, 8, "normal");
    cpu.load(OWN, 8, "normal");
  }
  test.put(LEVEL3 + 5 * 8, 0n);
  test.put(LEVEL3 + 6 * 8, 0n);
  const present = () =>
    test.cpus.flatMap((cpu) =>
      [GLOBAL, OWN].map((address) => {
        cpu.load(address, 8, "normal");
        const found = cpu.pending === undefined;
        cpu.pending = undefined;
        return found ? 1 : 0;
      })
    ).join("");
  return { ...test, present };
}

Deno.test("TLBI of EL1 drops entries by address, ASID and VMID, of one CPU or of all", () => {
  // Global and own page of CPU 0, then of CPU 1; 1 stays.
  // deno-fmt-ignore
  const rows: [string, bigint, string][] = [
    ["tlbi vmalle1",      0n,                    "0011"],
    ["tlbi vmalle1is",    0n,                    "0000"],
    ["tlbi vae1",         operand(GLOBAL, 1n),   "0111"],
    ["tlbi vae1",         operand(GLOBAL, 2n),   "0111"],
    ["tlbi vae1",         operand(OWN, 1n),      "1011"],
    ["tlbi vae1",         operand(OWN, 0x101n),  "1011"],
    ["tlbi vae1",         operand(OWN, 2n),      "1111"],
    ["tlbi vale1is",      operand(OWN, 1n),      "1010"],
    ["tlbi vaae1",        operand(OWN),          "1011"],
    ["tlbi vaale1is",     operand(GLOBAL),       "0101"],
    ["tlbi vaae1",        operand(OWN + 4096n),  "1111"],
    ["tlbi aside1",       1n << 48n,             "1011"],
    ["tlbi aside1is",     1n << 48n,             "1010"],
    ["tlbi aside1",       2n << 48n,             "1111"],
    ["tlbi alle1",        0n,                    "0011"],
    ["tlbi vmalls12e1is", 0n,                    "0000"],
    ["tlbi alle2is",      0n,                    "1111"],
    ["tlbi vae2is",       operand(GLOBAL),       "1111"],
    ["tlbi ipas2e1is",    operand(GLOBAL),       "1111"],
  ];
  for (const [name, value, expected] of rows) {
    const test = cached();
    perform(test.cpu, name, value);
    assertEquals(test.present(), expected, `${name} ${value.toString(16)}`);
  }
});

Deno.test("TLBI of EL1 drops entries of the present VMID, ALLE1 of all", () => {
  for (const [name, expected] of [["tlbi vmalle1", "1111"], ["tlbi alle1", "0011"]] as const) {
    const test = cached();
    setRegisters(test.cpu, { VTTBR_EL2: 8n << 48n });
    perform(test.cpu, name);
    setRegisters(test.cpu, { VTTBR_EL2: 7n << 48n });
    assertEquals(test.present(), expected, name);
  }
});

Deno.test("HCR_EL2.FB sends TLBI and IC IALLU of EL1 to all CPUs", () => {
  const test = cached();
  setRegisters(test.cpu, { HCR_EL2: 1n << 31n | 1n << 9n });
  perform(test.cpu, "tlbi vmalle1");
  setRegisters(test.cpu, { HCR_EL2: 1n << 31n });
  assertEquals(test.present(), "0000");
});

Deno.test("a strict TLB decides permissions by what it has, and caches no fault", () => {
  const test = strictCpus(["tlb"]);
  const { cpu, put } = test;
  const fault = (address: bigint) => {
    cpu.store(address, 8, 1n, "normal");
    const syndrome = cpu.pending?.syndrome ?? 0;
    cpu.pending = undefined;
    return syndrome & 63;
  };
  put(LEVEL3 + 5 * 8, GLOBAL | PAGE | READ_ONLY);
  assertEquals(fault(GLOBAL), 0x0f);
  put(LEVEL3 + 5 * 8, GLOBAL | PAGE);
  assertEquals(fault(GLOBAL), 0x0f, "the page was entered read-only");
  assertEquals(strictEvents(test), ["staleTranslationUsed"]);
  // Without access flag, and without a page: nothing is entered.
  for (const descriptor of [OWN | PAGE & ~0x400n, 0n]) {
    put(LEVEL3 + 6 * 8, descriptor);
    assert(fault(OWN) !== 0);
    put(LEVEL3 + 6 * 8, OWN | PAGE);
    assertEquals(fault(OWN), 0);
    perform(cpu, "tlbi vmalle1");
  }
});

Deno.test("staleTranslationUsed has what was used and what the tables have, as PAR_EL1", () => {
  const test = strictCpus(["tlb"]);
  const { cpu, put } = test;
  cpu.load(GLOBAL, 8, "normal");
  put(LEVEL3 + 5 * 8, OWN | PAGE);
  cpu.load(GLOBAL + 8n, 8, "normal");
  cpu.load(GLOBAL + 8n, 8, "normal");
  put(LEVEL3 + 5 * 8, 0n);
  cpu.store(GLOBAL + 8n, 8, 0n, "normal");
  const found = eventsOf(test, "staleTranslationUsed").map(({ address, access, used, present }) =>
    [address - A, access, used.toString(16), present.toString(16)].join(" ")
  );
  assertEquals(found, [
    "20488 read ff00000040005b80 ff00000040006b80",
    "20488 read ff00000040005b80 ff00000040006b80",
    "20488 write ff00000040005b80 80f",
  ]);
});

Deno.test("a change that the access cannot tell is not stale", () => {
  const test = strictCpus(["tlb"]);
  const { cpu, put } = test;
  cpu.load(GLOBAL, 8, "normal");
  put(LEVEL3 + 5 * 8, GLOBAL | PAGE | 1n << 55n);
  cpu.load(GLOBAL, 8, "normal");
  put(LEVEL3 + 5 * 8, GLOBAL | PAGE | READ_ONLY);
  cpu.load(GLOBAL, 8, "normal");
  assertEquals(strictEvents(test), []);
});

Deno.test("entries of both stages combined stay after TLBI IPAS2E1, and go with VMALLE1 after it", () => {
  const { cpu, put } = twoStages(["tlb"]);
  put(RAM + 0x5000, 0x5555n);
  put(RAM + 0x6000, 0x6666n);
  assertEquals(cpu.load(GLOBAL, 8, "normal"), 0x5555n);
  put(STAGE2_PAGES + 5 * 8, A + 0x6000n | 0x7ffn);
  assertEquals(cpu.load(GLOBAL, 8, "normal"), 0x5555n);
  const ipa = GLOBAL >> 12n;
  putAt(cpu, 2);
  perform(cpu, "tlbi ipas2e1", ipa);
  putAt(cpu, 1);
  assertEquals(cpu.load(GLOBAL, 8, "normal"), 0x5555n, "IPAS2E1 alone");
  putAt(cpu, 2);
  perform(cpu, "tlbi vmalle1");
  putAt(cpu, 1);
  assertEquals(cpu.load(GLOBAL, 8, "normal"), 0x6666n, "IPAS2E1, then VMALLE1");
});

Deno.test("VMALLE1 alone leaves stage 2 as it was cached; VMALLS12E1 does not", () => {
  const { cpu, put } = twoStages(["tlb"]);
  put(RAM + 0x5000, 0x5555n);
  put(RAM + 0x6000, 0x6666n);
  cpu.load(GLOBAL, 8, "normal");
  put(STAGE2_PAGES + 5 * 8, A + 0x6000n | 0x7ffn);
  perform(cpu, "tlbi vmalle1");
  assertEquals(cpu.load(GLOBAL, 8, "normal"), 0x5555n);
  putAt(cpu, 2);
  perform(cpu, "tlbi vmalls12e1");
  putAt(cpu, 1);
  assertEquals(cpu.load(GLOBAL, 8, "normal"), 0x6666n);
});

Deno.test("StrictTlb prefers the smallest entry, and its section gives it back", () => {
  const test = strictCpus(["tlb"]);
  const { cpu, put, strict } = test;
  cpu.load(GLOBAL, 8, "normal");
  put(LEVEL2, BigInt(RAM) | PAGE & ~2n);
  cpu.load(OWN, 8, "normal");
  assertEquals(strictEvents(test), ["breakBeforeMakeViolated"]);
  const tlb = strict.tlbs![0]!;
  const tag = { stage: 1, regime: "EL1&0", secure: false, vmid: -1, asid: -1 } as const;
  assertEquals(tlb.find(tag, Number(GLOBAL))?.sizeLog2, 12);
  assertEquals(tlb.find(tag, Number(OWN))?.sizeLog2, 21);
  const section = tlb.save("strict_tlb0");
  const other = new StrictTlb();
  other.restore(section);
  assertEquals(other.save("strict_tlb0"), section);
  assertEquals([tlb.size, other.size], [2, 2]);
  const cut = { ...section, bytes: section.bytes.slice(0, -1) };
  assertThrows(() => other.restore(cut), RangeError);
});

Deno.test("TLBI of EL2 and EL3 drops entries of those levels", () => {
  for (
    const [level, name] of [[2, "vae2"], [3, "vae3"], [2, "alle2"], [3, "alle3is"], [2, "vale2is"]] as const
  ) {
    const { cpu, put } = strictCpus(["tlb"], { el2: true, el3: true });
    putAt(cpu, level);
    const registers = {
      [`TTBR0_EL${level}`]: BigInt(LEVEL1),
      [`TCR_EL${level}`]: 25n | 5n << 16n,
      [`MAIR_EL${level}`]: 0x04ffn,
      [`SCTLR_EL${level}`]: 0x30d0_0801n,
    };
    setRegisters(cpu, registers);
    put(RAM + 0x5000, 5n);
    assertEquals(cpu.load(GLOBAL, 8, "normal"), 5n);
    put(LEVEL3 + 5 * 8, OWN | PAGE);
    put(RAM + 0x6000, 6n);
    perform(cpu, "tlbi vmalle1is");
    assertEquals(cpu.load(GLOBAL, 8, "normal"), 5n, `vmalle1is at EL${level}`);
    perform(cpu, `tlbi ${name}`, operand(GLOBAL));
    assertEquals(cpu.load(GLOBAL, 8, "normal"), 6n, name);
  }
});
