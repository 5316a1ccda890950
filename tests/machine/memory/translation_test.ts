/** Permissions, stages and the order of faults over synthetic tables. */
import { assertEquals } from "@std/assert";
import { statusOf } from "../../../machine/memory/fault.ts";
import { PAGE_WALKED, PAGE_WALKED_THROUGH } from "../../../machine/memory/physical.ts";
import { translate, translateStage1, type TranslationRequest } from "../../../machine/memory/translation.ts";
import { BIT, controls, RAM, split, TableMemory } from "./support.ts";

const READ: TranslationRequest = { kind: "read", privileged: true, aligned: true };
/** One level of 1 GiB blocks for 39 bits, 48 bits of output; attribute 0 is Normal write-back, 1 Device. */
const TCR = 25n | (25n << 16n) | (2n << 30n) | (5n << 32n), MAIR = 0x04ffn;
const M = 1n, WXN = 1n << 19n;

type Kind = "read" | "write" | "execute";

/** r, w and x of EL1 and EL0 by AP[2:1], for descriptors with neither UXN nor PXN (Arm ARM D5.4, table of access permissions). */
// deno-fmt-ignore
const PERMISSIONS: readonly (readonly [AP: number, el1: string, el0: string])[] = [
  [0, "rwx", "--x"],
  [1, "rw-", "rwx"],
  [2, "r-x", "--x"],
  [3, "r-x", "r-x"],
];

function allowed(
  memory: TableMemory,
  regime: Parameters<typeof controls>[0],
  privileged: boolean,
  options = {},
): string {
  return (["read", "write", "execute"] as Kind[]).map((kind, index) => {
    const request = { kind, privileged, aligned: true };
    const result = translate(
      memory.memory,
      controls({ tcr: TCR, mair: MAIR, ttbr0: BigInt(RAM), ...regime }, options),
      split(0x10n),
      request,
    );
    if (!result.faulted) return "rwx"[index];
    assertEquals([result.kind, result.level, statusOf(result)], ["permission", 1, 0b001101]);
    return "-";
  }).join("");
}

const without = (permissions: string, letter: string): string => permissions.replace(letter, "-");

Deno.test("translate allows in EL1&0 what AP, UXN, PXN and WXN allow", () => {
  for (const [AP, el1, el0] of PERMISSIONS) {
    for (const PXN of [false, true]) {
      for (const UXN of [false, true]) {
        for (const wxn of [false, true]) {
          const descriptor = BIT.block | BIT.AF | BigInt(AP << 6) | (PXN ? BIT.PXN : 0n) |
            (UXN ? BIT.XN : 0n);
          const memory = new TableMemory([[RAM, descriptor]]);
          const sctlr = M | (wxn ? WXN : 0n);
          const never = (permissions: string, bit: boolean) =>
            bit || (wxn && permissions.includes("w")) ? without(permissions, "x") : permissions;
          const name = `AP ${AP}, PXN ${PXN}, UXN ${UXN}, WXN ${wxn}`;
          assertEquals(allowed(memory, { sctlr }, true), never(el1, PXN), `EL1, ${name}`);
          assertEquals(allowed(memory, { sctlr }, false), never(el0, UXN), `EL0, ${name}`);
        }
      }
    }
  }
});

Deno.test("translate allows in EL2 and EL3 what AP[2], XN and WXN allow", () => {
  for (const regime of ["EL2", "EL3"] as const) {
    for (
      const [descriptor, wxn, expected] of [
        [0n, false, "rwx"],
        [BIT.readOnly, false, "r-x"],
        [BIT.XN, false, "rw-"],
        [0n, true, "rw-"],
        [BIT.readOnly, true, "r-x"],
        [BIT.PXN, false, "rwx"],
      ] as const
    ) {
      const memory = new TableMemory([[RAM, descriptor | BIT.block | BIT.AF]]);
      assertEquals(
        allowed(memory, { sctlr: M | (wxn ? WXN : 0n), tcr: 25n | (5n << 16n) }, true, { regime }),
        expected,
      );
    }
  }
});

/** Restrictions of a table over a page that allows everything its AP can. */
// deno-fmt-ignore
const HIERARCHY: readonly (readonly [table: bigint, AP: bigint, el1: string, el0: string])[] = [
  [0n,                                    BIT.EL0, "rw-", "rwx"],
  [BIT.readOnlyTable,                     BIT.EL0, "r-x", "r-x"],
  [BIT.noEl0Table,                        BIT.EL0, "rwx", "--x"],
  [BIT.readOnlyTable | BIT.noEl0Table,    BIT.EL0, "r-x", "--x"],
  [BIT.XNTable,                           BIT.EL0, "rw-", "rw-"],
  [BIT.PXNTable,                          0n,      "rw-", "--x"],
];

Deno.test("translate applies APTable, XNTable and PXNTable to what is below", () => {
  for (const [table, AP, el1, el0] of HIERARCHY) {
    const memory = new TableMemory([[RAM, BigInt(RAM + 4096) | table | BIT.table], [
      RAM + 4096,
      AP | BIT.AF | BIT.block,
    ]]);
    for (const [privileged, expected] of [[true, el1], [false, el0]] as const) {
      const found = (["read", "write", "execute"] as Kind[]).map((kind, index) => {
        const set = controls({ sctlr: M, tcr: TCR, mair: MAIR, ttbr0: BigInt(RAM) });
        const result = translate(memory.memory, set, split(0n), { kind, privileged, aligned: true });
        return result.faulted ? "-" : "rwx"[index];
      });
      assertEquals(found.join(""), expected, `${table.toString(16)} privileged ${privileged}`);
    }
  }
});

Deno.test("translate reports the access flag before alignment, and alignment before permission", () => {
  const set = controls({ sctlr: M, tcr: TCR, mair: MAIR, ttbr0: BigInt(RAM) });
  const request = { kind: "write", privileged: true, aligned: false } as const;
  const faultOf = (descriptor: bigint) => {
    const result = translate(
      new TableMemory([[RAM, descriptor | BIT.block]]).memory,
      set,
      split(0n),
      request,
    );
    return result.faulted ? result.kind : "none";
  };
  const device = 1n << 2n;
  assertEquals(faultOf(device | BIT.readOnly), "accessFlag");
  assertEquals(faultOf(device | BIT.readOnly | BIT.AF), "alignment");
  assertEquals(faultOf(BIT.readOnly | BIT.AF), "permission");
  assertEquals(faultOf(BIT.AF), "none");
});

Deno.test("translate with stage 1 off is the identity, Device for data, and bounded by the physical size", () => {
  const { memory } = new TableMemory();
  const at = (address: bigint, given = {}, request: Partial<TranslationRequest> = {}) => {
    const result = translate(memory, controls({ ...given }), split(address), { ...READ, ...request });
    return result.faulted ? statusOf(result) : [result.address, result.attribute, result.shareability];
  };
  assertEquals(at(0x1234_5678_9abcn), [0x1234_5678_9abc, 0x00, 2]);
  assertEquals(at(1n << 48n), 0);
  assertEquals(at(3n, {}, { aligned: false }), 0b100001);
  assertEquals(at(3n, {}, { kind: "execute" }), [3, 0x44, 2]);
  assertEquals(at(3n, { sctlr: 1n << 12n }, { kind: "execute" }), [3, 0xaa, 2]);
  assertEquals(at(0xab00_0000_0000_0003n), 0);
  assertEquals(at(0xab00_0000_0000_0003n, { tcr: 1n << 37n }), [3, 0x00, 2]);
});

Deno.test("translate ignores the top byte where TBI says so, in each range", () => {
  const memory = new TableMemory([[RAM, BIT.block | BIT.AF], [RAM + 511 * 8, BIT.block | BIT.AF]]);
  const faults = (address: bigint, tbi: bigint) => {
    const set = controls({
      sctlr: M,
      tcr: TCR | (tbi << 37n),
      mair: MAIR,
      ttbr0: BigInt(RAM),
      ttbr1: BigInt(RAM),
    });
    return translate(memory.memory, set, split(address), READ).faulted;
  };
  assertEquals([0n, 1n, 2n, 3n].map((tbi) => faults(0x5a00_0000_0000_0000n, tbi)), [
    true,
    false,
    true,
    false,
  ]);
  assertEquals([0n, 1n, 2n, 3n].map((tbi) => faults(0x5aff_ffff_ffff_0000n, tbi)), [
    true,
    true,
    false,
    false,
  ]);
  assertEquals(faults(0xffff_ffff_ffff_0000n, 0n), false);
  assertEquals(faults(0x0000_0080_0000_0000n, 3n), true);
});

Deno.test("translate reports Secure output unless NS or NSTable, and SCR_EL3.SIF forbids fetches from the rest", () => {
  const secure = { secure: true };
  const request = { kind: "execute", privileged: true, aligned: true } as const;
  for (
    const [table, leaf, expected] of [[0n, 0n, true], [0n, BIT.NS, false], [BIT.NSTable, 0n, false]] as const
  ) {
    const memory = new TableMemory([[RAM, BigInt(RAM + 4096) | table | BIT.table], [
      RAM + 4096,
      leaf | BIT.AF | BIT.block,
    ]]);
    const given = { sctlr: M, tcr: TCR, mair: MAIR, ttbr0: BigInt(RAM) };
    const result = translate(memory.memory, controls(given, secure), split(0n), request);
    assertEquals(result.faulted ? undefined : result.secure, expected);
    const only = translate(
      memory.memory,
      controls(given, { ...secure, fetchOnly: true }),
      split(0n),
      request,
    );
    assertEquals(only.faulted, !expected);
  }
});

/** Stage 2: 39 bits from level 1. The 1 GiB of memory is its own; the next GiB is what a test puts there. */
const VTCR = 25n | (1n << 6n) | (5n << 16n), STAGE2 = RAM + 0x8000;
const IDENTITY = BigInt(RAM) | BIT.S2R | BIT.S2W | BIT.S2Normal | BIT.AF | BIT.block;

function virtual(words: [number, bigint][], hcr = 1n, ttbr0 = BigInt(RAM)) {
  const memory = new TableMemory([[STAGE2 + 8, IDENTITY], ...words]);
  const set = controls({ sctlr: M, tcr: TCR, mair: MAIR, ttbr0, hcr, vtcr: VTCR, vttbr: BigInt(STAGE2) });
  return { memory, set };
}

Deno.test("translate reports stage 2 faults with stage, level and IPA", () => {
  const leaf = 0x8000_0000n | BIT.AF | BIT.block;
  const good = 0x1_0000_0000n | BIT.S2R | BIT.S2W | BIT.S2Normal | BIT.AF | BIT.block;
  const request = (kind: Kind): TranslationRequest => ({ kind, privileged: true, aligned: true });
  // deno-fmt-ignore
  const cases: [descriptor: bigint, kind: Kind, fault: string | undefined][] = [
    [good,                           "read",    undefined],
    [0n,                             "read",    "translation"],
    [good & ~BIT.AF,                 "read",    "accessFlag"],
    [good & ~BIT.S2R,                "read",    "permission"],
    [good & ~BIT.S2R,                "execute", undefined],
    [good & ~BIT.S2W,                "write",   "permission"],
    [good | BIT.XN,                  "execute", "permission"],
    [good | (1n << 47n),             "read",    undefined],
  ];
  for (const [descriptor, kind, fault] of cases) {
    const { memory, set } = virtual([[RAM, leaf], [STAGE2 + 16, descriptor]]);
    const result = translate(memory.memory, set, split(0x1238n), request(kind));
    if (fault === undefined) {
      assertEquals(result.faulted ? result : Number(BigInt(result.address) & 0xffff_ffffn), 0x1238);
      continue;
    }
    assertEquals(result, {
      faulted: true,
      kind: fault as never,
      level: 1,
      stage: 2,
      onWalk: false,
      ipa: 0x8000_1238,
    });
  }
});

Deno.test("translate reports stage 2 faults on stage 1 walks with the level of stage 2", () => {
  const inNextGiB = 0x8000_0000n;
  const { memory, set } = virtual([], 1n, inNextGiB);
  const expected = { faulted: true, level: 1, stage: 2, onWalk: true, ipa: 0x8000_0008 } as const;
  const address = split(1n << 30n);
  assertEquals(translate(memory.memory, set, address, READ), { ...expected, kind: "translation" });
  memory.put(STAGE2 + 16, (IDENTITY | inNextGiB) & ~BIT.S2R);
  assertEquals(translate(memory.memory, set, address, READ), { ...expected, kind: "permission" });
  // Level 2 and 3 of stage 2 under level 1 of stage 1.
  memory.put(STAGE2 + 16, BigInt(RAM + 0x9000) | BIT.table);
  assertEquals(translate(memory.memory, set, address, READ), { ...expected, kind: "translation", level: 2 });
  memory.put(RAM + 0x9000, BigInt(RAM + 0xa000) | BIT.table);
  assertEquals(translate(memory.memory, set, address, READ), { ...expected, kind: "translation", level: 3 });
});

Deno.test("translate makes tables in stage 2 Device memory fault under HCR_EL2.PTW", () => {
  const device = (IDENTITY & ~BIT.S2Normal) | (1n << 2n);
  for (const [hcr, faulted] of [[1n, false], [5n, true]] as const) {
    const { memory, set } = virtual([[RAM, BigInt(RAM) | BIT.AF | BIT.block], [STAGE2 + 8, device]], hcr);
    const result = translate(memory.memory, set, split(0n), READ);
    assertEquals(result.faulted, faulted);
    if (result.faulted) assertEquals([result.kind, result.level, result.onWalk], ["permission", 1, true]);
  }
});

Deno.test("translate reports stage 2 out of range and wrong tables at level 0", () => {
  const far = (1n << 39n) | BIT.AF | BIT.block;
  const { memory, set } = virtual([[RAM, far]]);
  const result = translate(memory.memory, set, split(0n), READ);
  assertEquals(result, {
    faulted: true,
    kind: "translation",
    level: 0,
    stage: 2,
    onWalk: false,
    ipa: 2 ** 39,
  });
});

Deno.test("translate faults on misaligned accesses to what stage 2 makes Device, in stage 2", () => {
  const device = (IDENTITY & ~BIT.S2Normal) | 0x8000_0000n;
  const { memory, set } = virtual([[RAM, 0x8000_0000n | BIT.AF | BIT.block], [STAGE2 + 16, device]]);
  const result = translate(memory.memory, set, split(1n), { ...READ, aligned: false });
  assertEquals(result.faulted && [result.kind, result.stage], ["alignment", 2]);
});

Deno.test("translate marks the tables of both stages as walked", () => {
  const { memory, set } = virtual([[RAM, BigInt(RAM) | BIT.AF | BIT.block]]);
  translate(memory.memory, set, split(0n), READ);
  assertEquals([memory.marks(RAM), memory.marks(STAGE2), memory.marks(RAM + 0x4000)], [
    PAGE_WALKED | PAGE_WALKED_THROUGH,
    PAGE_WALKED | PAGE_WALKED_THROUGH,
    0,
  ]);
});

Deno.test("translateStage1 leaves its result untranslated by stage 2, and maintenance needs no permission", () => {
  const { memory, set } = virtual([[RAM, 0x8000_0000n | BIT.AF | BIT.readOnly | BIT.block]]);
  const result = translateStage1(memory.memory, set, split(0x44n), READ);
  assertEquals(result.faulted ? result : Number(result.address), 0x8000_0044);
  const maintain = { kind: "maintain", privileged: false, aligned: true } as const;
  assertEquals(translateStage1(memory.memory, set, split(0x44n), maintain).faulted, false);
});
