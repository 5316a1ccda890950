/** The dual-width kernel with small processes: what it does for them, and what it keeps them from. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { withWritableShim } from "../../../cli/systems/dual_width_tables/images.ts";
import { dualWidthImage } from "../../../firmware/dual_width/image.ts";
import { exerciser, EXERCISES } from "../../../firmware/dual_width/exerciser.ts";
import { changedKernel } from "../../../firmware/dual_width/kernel.ts";
import { KERNEL_BASE, SHIM } from "../../../firmware/dual_width/layout.ts";
import { protectionProbe, spinner, trespasser, turnTaker } from "../../../firmware/dual_width/programs.ts";
import { run, runImage } from "./support.ts";

const FORMS = ["el2", "vhe"] as const;
const KERNEL = KERNEL_BASE.el2;
const SOME_PAGES = [{ first: KERNEL + 0x80000n, count: 12, step: 4096n }, {
  first: KERNEL,
  count: 8,
  step: 1n << 39n,
}];

for (const form of FORMS) {
  Deno.test(`the ${form} kernel lets EL0 have none of its pages: translation faults of level 0`, () => {
    const { console, events } = run({ form, processes: [protectionProbe(SOME_PAGES)] }, {}, ["detail"]);
    assertEquals(console, "refused 3c of 3c\n");
    const faults = events.flatMap((event) =>
      event.kind === "translationFaulted" && event.address >= KERNEL ? [event.level] : []
    );
    assertEquals(faults, Array.from({ length: 60 }, () => 0));
  });

  Deno.test(`the ${form} kernel refuses addresses of its own, changes of the shim and HVC, and ends who loads`, () => {
    const { console } = run({ form, processes: [trespasser(KERNEL + 0x84000n), spinner("A", 3)] });
    const lines = console.split("\n");
    assertEquals(lines.slice(0, 6), [
      "write from the kernel: -e", // EFAULT
      "uname into the kernel: -e",
      "write around the end: -e",
      "mprotect of the shim: -16", // EINVAL
      "munmap of the shim: -16",
      "HVC at EL0: undefined",
    ]);
    assertMatch(
      lines[6] ?? "",
      /^pid 1 ended by signal 11: ESR 0x92000004 FAR 0x800000084000 PC 0x400[0-9a-f]{3}$/,
    );
    assertMatch(lines[7] ?? "", /^[0-9a-f]+ by A$/);
  });

  Deno.test(`the ${form} kernel makes system calls, signals and mappings as Linux does`, () => {
    assertEquals(run({ form, processes: [exerciser()] }).console, EXERCISES);
  });

  Deno.test(`the ${form} kernel switches processes that share addresses, under all strict models`, () => {
    const { console, events } = run({ form, processes: [turnTaker("A", 6), turnTaker("B", 4)] }, {
      strictModels: ["tlb", "icache", "dcache", "context"],
    }, ["detail"]);
    assertEquals(console, "108 by B\n186 by A\n");
    const stale = events.filter(({ kind }) => kind.startsWith("stale") || kind === "breakBeforeMakeViolated");
    // The ISB after the MMU came on is the one instruction that is fetched without it.
    assertEquals(stale.map((event) => event.kind === "staleRegisterUsed" ? event.register : event.kind), [
      "SCTLR_EL2",
    ]);
  });

  Deno.test(`the ${form} kernel ends turns by its timer: sums are those of undisturbed runs`, () => {
    const processes = [spinner("A", 300), spinner("B", 200)];
    const alone = run({ form, processes }), ticking = run({ form, processes, tickPeriod: 80 }, {}, ["trap"]);
    const lines = (text: string) => text.split("\n").sort();
    assertEquals(lines(ticking.console), lines(alone.console));
    const interrupts = ticking.events.filter((event) =>
      event.kind === "exceptionTaken" && event.exception === "irq"
    );
    assert(interrupts.length > 10, `${interrupts.length} interrupts`);
  });
}

Deno.test("the el2 kernel's switch writes both roots and invalidates both regimes", () => {
  const { events, image } = run({ form: "el2", processes: [turnTaker("A", 2), turnTaker("B", 2)] }, {}, [
    "detail",
  ]);
  const of = events.flatMap((event) => {
    if (event.kind === "tlbInvalidated") return [event.operation];
    const isRoot = event.kind === "systemRegisterWritten" && event.register.startsWith("TTBR0");
    return isRoot ? [`${event.register}=${event.value}`] : [];
  });
  const [, b] = image.processes;
  assertEquals(of.slice(4, 8), [`TTBR0_EL2=${b?.root}`, `TTBR0_EL1=${b?.root}`, "ALLE2", "VMALLE1"]);
});

for (
  const [what, removed] of [["EL1&0", "tlbi    vmalle1\n.endif"], [
    "EL2",
    "tlbi    alle2\n        tlbi    vmalle1",
  ]]
) {
  Deno.test(`without the TLBI of ${what} at a switch, --strict tlb finds an old translation used`, () => {
    const kept = removed?.startsWith("tlbi    alle2") ? "tlbi    vmalle1" : ".endif";
    const kernel = changedKernel("el2", removed as string, kept);
    const { events } = run({ form: "el2", processes: [turnTaker("A", 3), turnTaker("B", 3)], kernel }, {
      strictModels: ["tlb"],
    }, ["detail"]);
    assert(events.some(({ kind }) => kind === "staleTranslationUsed"));
  });
}

Deno.test("with TCR_EL1.T0SZ = 16 the kernel's pages are EL0's: width alone protects them", () => {
  const kernel = changedKernel("el2", "(1 << 23) | WALKS | 17)", "(1 << 23) | WALKS | 16)");
  const { console } = run({ form: "el2", processes: [protectionProbe(SOME_PAGES)], kernel });
  assertMatch(console, /^refused 15 of 3c, not at 800000080000: 0\n$/);
});

Deno.test("with the shim writable EL1 cannot execute it: instruction aborts of EL1 without end", () => {
  const changed = withWritableShim(dualWidthImage({ form: "el2", processes: [spinner("A", 3)] }));
  const { events, console } = runImage(changed, {}, ["trap"], 3000);
  const taken = events.flatMap((event) => event.kind === "exceptionTaken" && event.to === 1 ? [event] : []);
  assertEquals(taken[0]?.syndrome, 0x5600_0000n);
  assertEquals(taken[1], { ...taken[1]!, syndrome: 0x8600_000fn, faultAddress: SHIM + 0x400n, from: 1 });
  assertEquals(taken[2], { ...taken[2]!, syndrome: 0x8600_000fn, faultAddress: SHIM + 0x200n, from: 1 });
  assertEquals(console, "");
});

Deno.test("with HCR_EL2.TGE = 1 and E2H = 0 EL0 is not translated, so the kernel cannot be entered from there", () => {
  const kernel = changedKernel(
    "el2",
    "=(HCR_RW | HCR_INTERRUPTS)  ",
    "=(HCR_RW | HCR_INTERRUPTS | (1 << 27))  ",
  );
  const { console } = run({ form: "el2", processes: [spinner("A", 3)], kernel });
  // 0x400000 is flash, whose zeros are UDF. QEMU 7.2 translates nevertheless, as for AT (memory_choices.ts).
  assertMatch(console, /^dual-width: panic: ESR 0x2000000 /);
});

Deno.test("the kernel says what it needs where it is not", () => {
  const processes = [spinner("A", 1)];
  const below = run({ form: "el2", processes }, { virtualization: false });
  assertEquals(below.console, "dual-width: entered below EL2; use -M virt,virtualization=on\n");
  assertEquals(below.stop.reason, "poweredOff");
  const old = run({ form: "vhe", processes }, { cpuModel: "cortex-a57" });
  assertEquals(old.console, "dual-width: this CPU has no FEAT_VHE; use -cpu max\n");
  assertEquals(old.stop.reason, "poweredOff");
});
