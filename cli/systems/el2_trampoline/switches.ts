/** Many switches: no register leaks, in any form; and what is written is what QEMU writes. */
import { KEPT_REGISTERS, worldRegisters } from "../../../firmware/el2_trampoline/registers.ts";
import { SYSTEM_REGISTER_TABLE } from "../../../machine/cpu/system_registers.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { follow, type Followed } from "./follow.ts";
import { type SmallRun, smallRun } from "./machines.ts";

/** Times that the guest gives way: each is two switches. */
const ROUNDS = { quick: 12_500, all: 100_000 } as const;
/** Most seconds of a recording: other work may be done besides. */
const MOST_SECONDS = 1200;
/** The same for what is done on every machine, and for QEMU. */
const SOME = 64;

/** The forms and CPUs of the small runs. */
// deno-fmt-ignore
export const SMALL_RUNS: Readonly<Record<string, Omit<SmallRun, "rounds">>> = {
  "plain":            {},
  "plain-ticks":      { period: 2_000, work: 4_000 },
  "plain-keys":       { pauth: true },
  "plain-typescript": { vmm: "typescript" },
  "plain-strict":     { options: ["--strict", "tlb,icache,dcache,context"] },
  "tags":             { form: "tags", pauth: true },
  "redirection":      { form: "redirection", pauth: true },
  "redirected-strict": { form: "redirection", options: ["--strict", "tlb,icache,dcache,context"] },
  "tags-strict":      { form: "tags", pauth: true, options: ["--strict", "tlb,icache,dcache,context"] },
};

/** What is left to the long set: the same again on another CPU, or with strict models. */
const LONG = ["plain-keys", "tags-strict", "redirected-strict"];

/** The runs of a set. */
function runsOf({ all }: CheckContext): [string, Omit<SmallRun, "rounds">][] {
  return Object.entries(SMALL_RUNS).filter(([name]) => all || !LONG.includes(name));
}

/** Registers that a 57's storage does not have: they are constant, and nothing can leak. */
function isStored(name: string): boolean {
  return SYSTEM_REGISTER_TABLE.find((row) => row.name === name)?.index !== undefined ||
    name.startsWith("CNT");
}

/** What says of a command's exception what it is, behind a redirection vector: it cannot be anything. */
const RETURN = ["ELR_EL1", "SPSR_EL1", "ESR_EL1"];

/** Registers that should have had many values and did not: then nothing was shown of them. */
function unplanted(
  { worlds }: Followed,
  { pauth = false, period, form }: Omit<SmallRun, "rounds">,
): string[] {
  const rows = worldRegisters(pauth).filter(({ name, random }) => random !== 0n && isStored(name));
  const kept = KEPT_REGISTERS.filter(({ name }) => period === undefined || !name.startsWith("CNTP"));
  const general = Array.from({ length: 31 }, (_, n) => `X${n}`);
  const named = {
    vmkernel: [...rows, ...kept].map(({ name }) => name)
      .filter((name) => form !== "redirection" || !RETURN.includes(name)),
    guest: rows.filter(({ trapped }) => trapped !== true).map(({ name }) => name),
  };
  return (["vmkernel", "guest"] as const).flatMap((world) => {
    const varied = new Set(worlds.variety[world].names);
    return [...general, ...named[world]].filter((name) => !varied.has(name))
      .map((name) => `${name} was never planted in the ${world}`);
  });
}

/** What the console must say. */
function said({ console }: Recorded, rounds: number, isCounted: boolean): string[] {
  const count = (value: number) => `0x${value.toString(16).padStart(16, "0")}`;
  const wanted = [
    `guest: the vmkernel's call: 0xffffffffffffffff, the vmkernel's registers: ${count(0)}, rounds: ${
      count(rounds)
    }`,
    `vmkernel: unknown request: 0xffffffffffffffff, reason: ${count(3)}` +
    (isCounted ? `, entered: ${count(rounds + 1)}` : "") + `, interrupts missed: ${count(0)}`,
  ];
  return wanted.filter((line) => !console.includes(line)).map((line) => `the console does not say "${line}"`);
}

/** Records a small run, and looks at it in replays on the engines. */
export async function switched(
  context: CheckContext,
  name: string,
  run: SmallRun,
  engines: readonly string[],
): Promise<{ readonly recorded: Recorded; readonly seen: Followed; readonly failures: string[] }> {
  const { image, ...request } = smallRun(run);
  const recorded = await context.record({ ...request, name, seconds: MOST_SECONDS });
  const failures = said(recorded, run.rounds, run.period === undefined);
  let seen: Followed | undefined;
  for (const engine of engines) {
    seen = await follow(context, recorded, image, engine);
    failures.push(...seen.failures.map((text) => `${name}, ${engine}: ${text}`));
  }
  if (seen === undefined) throw new RangeError("No engine was named");
  failures.push(...unplanted(seen, run).map((text) => `${name}: ${text}`));
  return { recorded, seen, failures };
}

async function manySwitches(context: CheckContext): Promise<CheckOutcome> {
  const rounds = context.all ? ROUNDS.all : ROUNDS.quick;
  const { recorded, seen: { worlds, boundaries }, failures } = await switched(
    context,
    context.all ? "many-all" : "many",
    { rounds },
    [context.engine === "compiled" ? "threaded" : "compiled"],
  );
  if (worlds.switches < 2 * rounds) {
    failures.push(`there were ${worlds.switches} switches, not ${2 * rounds}`);
  }
  return {
    failures,
    figures: {
      switches: worlds.switches,
      "leaked registers": worlds.leaks.length,
      "registers compared": worlds.compared,
      "registers that varied, vmkernel": worlds.variety.vmkernel.names.length,
      "registers that varied, guest": worlds.variety.guest.names.length,
      "boundaries of the trampoline": boundaries.counts.trampoline,
      "boundaries of the VMM": boundaries.counts.vmm,
      steps: recorded.end.instant,
    },
  };
}

async function everyForm(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const [name, run] of runsOf(context)) {
    const engines = run.options === undefined || context.all ? ["compiled", "reference"] : ["reference"];
    const { seen, failures: found } = await switched(context, name, { ...run, rounds: SOME }, engines);
    failures.push(...found);
    figures[name] = seen.worlds.switches;
  }
  return { failures, figures };
}

async function onQemu(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const [name, run] of runsOf(context)) {
    if (run.vmm === "typescript" || run.options !== undefined) continue; // what QEMU does not have
    const { image: _, ...request } = smallRun({ ...run, rounds: SOME });
    const recorded = await context.record(request), { console } = await context.qemu(request);
    if (console !== recorded.console) {
      failures.push(`${name}: QEMU writes\n${console}and here it is\n${recorded.console}`);
    }
    figures[name] = console.length;
  }
  return { failures, figures };
}

/** The checks. */
export const SWITCH_CHECKS: readonly SystemCheck[] = [
  {
    name:
      "25,000 world switches, 200,000 with --all, with random values in every register leak none, of the vmkernel or of the guest",
    run: manySwitches,
  },
  {
    name:
      "each form, with each VMM, on each CPU and with strict models, switches without a leak on every engine",
    run: everyForm,
  },
  { name: "the same bytes write the same on QEMU", run: onQemu },
];
