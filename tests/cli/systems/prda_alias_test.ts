/** Tests of prda-alias: the checker of accesses, schedules at every boundary, and minimal schedules of the naive scheme. */
import { assert, assertEquals } from "@std/assert";
import { checkRun, longestDeferral, type WrongOwnerCause } from "../../../cli/systems/prda_alias/accesses.ts";
import { forkSchedule, reported, UNTIL } from "../../../cli/systems/prda_alias/runs.ts";
import {
  ScheduleExplorer,
  type ScheduleOutcome,
  violationOf,
} from "../../../cli/systems/prda_alias/schedules.ts";
import { minimalInputs, superfluous } from "../../../cli/systems/prda_alias/violation.ts";
import {
  PRDA_ADDRESS,
  type PrdaKernel,
  prdaKernel,
  type PrdaKernelOptions,
} from "../../../firmware/prda/kernel.ts";
import { JournalReader, JournalWriter } from "../../../journal/file.ts";
import { Recorder } from "../../../journal/recorder.ts";
import { Replay } from "../../../journal/replay.ts";
import { RecordedRun } from "../../../journal/run.ts";
import { MemoryFile } from "../../../journal/storage.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { prdaGuest } from "../../firmware/prda/guest.ts";

const ENGINE = { engine: "reference" };

interface Run {
  readonly kernel: PrdaKernel;
  readonly images: MachineImages;
  readonly run: RecordedRun;
  readonly console: string;
}

function recorded(options: PrdaKernelOptions, more: ConfigurationInput = {}): Run {
  const kernel = prdaKernel(options), { images, configuration } = prdaGuest(kernel), file = new MemoryFile();
  const manifest = { configuration: configuration(more), depth: "traps", recordedBy: "test" } as const;
  const recorder = new Recorder(manifest, images, new JournalWriter(file), ENGINE);
  let console = "";
  recorder.machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  assertEquals(recorder.run(UNTIL).reason, "poweredOff", console);
  recorder.finish("poweredOff");
  return { kernel, images, run: new RecordedRun(JournalReader.open(file)), console };
}

const explored = (run: Run): ScheduleOutcome[] => [...exploring(run, 1)];

function exploring({ run, images, kernel }: Run, actions: number): Generator<ScheduleOutcome> {
  return new ScheduleExplorer(run, images, kernel, { ...ENGINE, actions, until: UNTIL }).explore();
}

Deno.test("alias and deferral reach the own area only, wherever a thread is preempted and migrated", () => {
  for (const scheme of ["alias", "deferralTable", "deferralFlag"] as const) {
    const run = recorded({ scheme, threads: 2, rounds: 1, level: scheme === "alias" ? 2 : 1 });
    const outcomes = explored(run);
    for (const outcome of outcomes) {
      assertEquals(violationOf(outcome, run.kernel), undefined, outcome.outcome.console);
    }
    const pcs = new Set(outcomes.flatMap(({ schedule }) => schedule.map(({ pc }) => pc)));
    const { symbols } = run.kernel.program;
    for (let pc = symbols.get("section_begin")!; pc <= symbols.get("section_end")!; pc += 4n) {
      assert(pcs.has(pc));
    }
    // A preemption is put off in the section, and then carried out.
    const putOff = outcomes.filter(({ pendings }) => pendings.length > 0);
    assertEquals(putOff.length > 0, scheme !== "alias");
    for (const { pendings, outcome } of putOff) {
      assertEquals(pendings.map(({ isSet }) => isSet), [true, false]);
      assertEquals(reported(outcome.console, "migrations"), 1);
    }
  }
});

Deno.test("the naive scheme reaches another area where it is preempted with an address, and loses an increment with a value", () => {
  const run = recorded({ scheme: "naive", threads: 3, rounds: 1 }), { symbols } = run.kernel.program;
  const wrong = explored(run).filter((outcome) => violationOf(outcome, run.kernel) !== undefined);
  const pcs = new Set(wrong.map(({ schedule }) => schedule[0]!.pc));
  assertEquals([...pcs].sort(), [4n, 8n, 12n].map((offset) => symbols.get("section_begin")! + offset));
  for (const { wrongOwners: [first] } of wrong) {
    assertEquals(first?.cause, "address");
    assert(first!.access.owner !== first!.access.pe);
  }
});

Deno.test("a plain load and store by the alias carry a value to another area", () => {
  const run = recorded({ scheme: "aliasPlain", threads: 3, rounds: 1 });
  const kinds = new Set(explored(run).map((outcome) => violationOf(outcome, run.kernel)));
  assertEquals(kinds, new Set([undefined, "sum wrong"]));
});

Deno.test("checkRun tells each access as {pe, va, pa, owner}, and why one is of a wrong owner", () => {
  const look = (options: Partial<PrdaKernelOptions>, strict: "tlb" | "context") => {
    const { run, images, kernel } = recorded({ scheme: "alias", rounds: 1, ...options }, {
      strictModels: [strict],
    });
    return { ...checkRun(run, images, kernel, ENGINE), areas: kernel.program.symbols.get("areas")! };
  };
  const { accesses, wrongOwners, areas, sum } = look({}, "tlb");
  assertEquals([wrongOwners.length, accesses.length, sum], [0, 8, 4]);
  for (const { pe, va, pa, owner } of accesses) {
    assertEquals([va, pa, owner], [PRDA_ADDRESS, areas + BigInt(pe * 0x4000), pe]);
  }
  const mistakes = [
    ["sharedRoot", "context", "rootShared", 8],
    ["commonNotPrivate", "context", "commonNotPrivate", 4],
    ["missingInvalidate", "tlb", "staleTranslation", 4],
  ] as const;
  for (const [mutant, strict, cause, least] of mistakes) {
    const causes = look({ mutant }, strict).wrongOwners.map((one): WrongOwnerCause => one.cause);
    assert(causes.length >= least, `${mutant}: ${causes.length}`);
    assertEquals(new Set(causes), new Set([cause]));
  }
  // Without the strict model the missing TLBI does no harm, which is why it is there.
  assertEquals(look({ mutant: "missingInvalidate" }, "context").wrongOwners, []);
});

Deno.test("a section over the bound is reported by the watchdog, and its deferral is in the journal", () => {
  const long = recorded({ scheme: "overlong", threads: 1, rounds: 1, period: 5000, bound: 4 }, {
    rootInterval: 100_000,
  });
  const at = /watchdog: section exceeds its bound, thread 0 at 0x([0-9a-f]+)/.exec(long.console)![1]!;
  const { symbols } = long.kernel.program;
  assert(BigInt(`0x${at}`) >= symbols.get("thread")! && BigInt(`0x${at}`) < symbols.get("section_begin")!);
  assertEquals(reported(long.console, "watchdog"), 1);
  assert(longestDeferral(checkRun(long.run, long.images, long.kernel, ENGINE)) > 4 * 5000 * 2);
});

Deno.test("a schedule of four ticks that loses an increment is reduced to the two that it takes", () => {
  const base = recorded({ scheme: "naive", threads: 2, rounds: 1 }), { kernel, images } = base;
  const { schedule } = exploring(base, 2).find(({ sum }) => sum !== kernel.expected)!;
  assertEquals(schedule.length, 2);
  // One more tick that strikes while its PE idles at the end, and one that comes while the second is pending.
  const last = schedule[1]!, idle = base.run.lastInstant - 800;
  const file = new MemoryFile();
  forkSchedule(
    base,
    [...schedule, { ...last, instant: last.instant + 1 }, { ...last, instant: idle }],
    file,
    ENGINE,
  );
  const run = new RecordedRun(JournalReader.open(file));
  for (const engine of ["reference", "threaded", "compiled"]) {
    new Replay(run, images, { engine, compile: "sync" }).runToEnd();
  }
  const inputs = minimalInputs({ kernel, run, images }, ENGINE);
  assertEquals(inputs.map(({ instant }) => instant), schedule.map(({ instant }) => instant));
  assertEquals(superfluous({ kernel, run, images }, inputs, ENGINE), []);
  assert(superfluous({ kernel, run, images }, run.inputs, ENGINE).length > 0);
});
