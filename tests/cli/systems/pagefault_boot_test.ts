/** pagefault-boot's checks: what they find in planted faults, and which instruction bisect names. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Context } from "../../../cli/systems/context.ts";
import { expectedAbort } from "../../../cli/systems/pagefault_boot/crossing.ts";
import { compareRelocated } from "../../../cli/systems/pagefault_boot/difference.ts";
import { buildLoader, loaderRun, placeOf } from "../../../cli/systems/pagefault_boot/loaders.ts";
import { locateMutants, mutated } from "../../../cli/systems/pagefault_boot/mutants.ts";
import { prove } from "../../../cli/systems/pagefault_boot/proof.ts";
import { qemuSyndromes } from "../../../cli/systems/pagefault_boot/recorded.ts";
import type { CheckContext } from "../../../cli/systems/scenario.ts";
import { FakeHost } from "../support.ts";

const KIND = { level: 1, granule: "4K" } as const;
const ONE = 0x4567_0000, OTHER = 0x5123_4000;

/** Runs something with a context whose journals are removed. */
async function withContext(work: (context: CheckContext) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync(), { signal } = new AbortController();
  try {
    await work(
      new Context({ host: new FakeHost(), folder, engine: "reference", all: false, signal, title: "" }),
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("locateMutants names the store of the descriptor, the MSR of VBAR and the MSR of SCTLR", () =>
  withContext(async (context) => {
    const { failures, figures } = await locateMutants(context, [KIND], [
      "next-page",
      "unadjusted",
      "keeps-tlb",
    ]);
    assertEquals(failures, []);
    assertMatch(String(figures["next-page"]), /^map_store_leaf at instant \d+$/);
    assertMatch(String(figures["unadjusted"]), /^set_vectors at instant \d+$/);
    assertMatch(String(figures["keeps-tlb"]), /^enable at instant \d+$/);
  }));

Deno.test("compareRelocated finds two addresses equal, and the first register that is not relocated", () =>
  withContext(async (context) => {
    const loader = buildLoader(KIND), distance = BigInt(OTHER - ONE);
    const fault = { label: "adjust_vectors", line: "add     x0, x0, x21", becomes: "nop" };
    const record = (built: typeof loader, ma: number) =>
      context.record(loaderRun(built, ma, ["--stop-at", "vector-loop"]));
    const one = await record(loader, ONE), other = await record(loader, OTHER);
    const same = compareRelocated(one, other, distance);
    assertEquals(same.first, undefined);
    assert(same.pairs > 200 && same.moved >= 4, JSON.stringify(same));
    const { first } = compareRelocated(one, await record(mutated(loader, fault), OTHER), distance);
    assertEquals(first?.text, "systemRegisterWritten of VBAR_EL1 differs in value");
    // Taken for a loader elsewhere, every step of it is a violation.
    assertMatch(
      prove(one, loader, OTHER).violations[0] ?? "",
      /^instant 0: fetches 0x45670000 before the abort/,
    );
  }));

Deno.test("expectedAbort is at the instruction after the MSR, or after the ISB, at the level that is missing", () => {
  const loader = buildLoader(KIND), enabled = placeOf(loader, "enabled", ONE);
  assertEquals(enabled, placeOf(loader, "enable", ONE) + 4n);
  assertEquals(expectedAbort(loader, ONE, "MSR"), {
    syndrome: 0x8600_0004n,
    faultAddress: enabled,
    returnAddress: enabled,
  });
  assertEquals(expectedAbort(loader, ONE, "ISB").returnAddress, enabled + 4n);
  const near = buildLoader(KIND, BigInt(ONE) + 0x10_0000n);
  assertEquals(expectedAbort(near, ONE, "MSR").syndrome, 0x8600_0007n);
});

Deno.test("qemuSyndromes reads the log of -d int", () => {
  const log =
    "Taking exception 3 [Prefetch Abort] on CPU 0\n...from EL3 to EL3\n...with ESR 0x21/0x86000006\n" +
    "...with FAR 0x55670188\n...with ELR 0x55670188\n...to EL3 PC 0xabcd001a00 PSTATE 0x3cd\n";
  const place = 0x5567_0188n;
  assertEquals(qemuSyndromes(log), [{ syndrome: 0x8600_0006n, faultAddress: place, returnAddress: place }]);
  assertEquals(qemuSyndromes("Exception return from AArch64 EL3 to AArch64 EL2"), []);
});
