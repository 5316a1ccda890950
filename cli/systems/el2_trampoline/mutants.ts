/** Faults planted in the trampoline, each seen by the checks that the right one passes. */
import { changedTrampoline } from "../../../firmware/el2_trampoline/image.ts";
import { worldRegisters } from "../../../firmware/el2_trampoline/registers.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { SYSTEM_REGISTER_TABLE } from "../../../machine/cpu/system_registers.ts";
import type { CheckContext, CheckOutcome, SystemCheck } from "../scenario.ts";
import { follow } from "./follow.ts";
import { type SmallRun, smallRun } from "./machines.ts";

/** A fault. */
interface Mutant {
  readonly name: string;
  /** The source that it is in, the text that it changes, and what that becomes. */
  readonly source: string;
  readonly from: string;
  readonly to: string;
  readonly run?: Partial<SmallRun>;
  /** What must be said of it: a register that leaks, a boundary that does not match, a stale translation. */
  readonly seenAs: "leak" | "boundary" | "stale";
  /** Of a leak: which register. */
  readonly register?: string;
}

const ENDING = ["--stop-at", "vector-loop", "--until", "200000"];
const STRICT = ["--strict", "tlb"];

// deno-fmt-ignore
const MUTANTS: readonly Mutant[] = [
  { name: "no TLBI",                     source: "trampoline", seenAs: "stale",    from: "        tlbi    alle2\n",            to: "", run: { options: STRICT } },
  { name: "one tag for both",            source: "layout",     seenAs: "stale",    from: "GUEST_TTBR, 0x2",                   to: "GUEST_TTBR, 0x1", run: { options: STRICT, form: "tags", pauth: true } },
  { name: "VBAR_EL2 without TTBR0_EL2",  source: "trampoline", seenAs: "boundary", from: "        msr     ttbr0_el2, x1\n",   to: "" },
  { name: "TTBR0_EL2 without VBAR_EL2",  source: "trampoline", seenAs: "boundary", from: "        msr     vbar_el2, x2\n",    to: "" },
  { name: "HCR_EL2 of the other world",  source: "trampoline", seenAs: "boundary", from: "        msr     hcr_el2, x1\n",     to: "" },
  { name: "V9 not saved",                source: "trampoline", seenAs: "leak",     from: "stp     q8, q9, [sp",                to: "stp     q8, q8, [sp", register: "V9" },
  { name: "performance monitors open",   source: "layout",     seenAs: "leak",     from: "GUEST_MDCR, 0xe66",                 to: "GUEST_MDCR, 0xe06", register: "PMCCNTR_EL0" },
  { name: "debug registers open",        source: "layout",     seenAs: "leak",     from: "GUEST_MDCR, 0xe66",                 to: "GUEST_MDCR, 0x066", register: "DBGBVR0_EL1" },
  { name: "the physical timer open",     source: "layout",     seenAs: "leak",     from: "GUEST_CNTHCTL, 0x1",                to: "GUEST_CNTHCTL, 0x3", register: "CNTP_CVAL_EL0" },
  { name: "an unknown request is one",   source: "trampoline", seenAs: "leak",     from: "        mov     x0, #-1\n        eret", to: "        mov     x0, #-1\n        msr     tpidr_el0, x0\n        eret", register: "TPIDR_EL0" },
];

/** One register of a row that is not saved: zero goes to the save area. */
function unsaved(name: string): Mutant {
  const rows = worldRegisters(true), x = rows.findIndex((row) => row.name === name) % 2 + 1;
  return {
    name: `${name} not saved`,
    source: "trampoline",
    seenAs: "leak",
    register: name,
    from: `        mrs     x${x}, ${name.toLowerCase()}\n`,
    to: `        mov     x${x}, xzr\n`,
    run: { pauth: true },
  };
}

/** Rows that the machine has storage for: of a constant nothing is seen. */
const SAVED: readonly string[] = worldRegisters(true).map(({ name }) => name).filter((name) =>
  name.startsWith("CNTV") || SYSTEM_REGISTER_TABLE.find((row) => row.name === name)?.index !== undefined
);
/** What the quick set plants: a register of a 57, and one of FEAT_PAuth; the first of the others. */
const QUICK = { saved: ["PAR_EL1", "APGAKeyHi_EL1"], others: 4 } as const;

/** Enough for each register to be planted. */
const ROUNDS = 32;

/** Plants one; what the checks did not see of it. */
async function plant(context: CheckContext, mutant: Mutant): Promise<string[]> {
  const { name, source, from, to, run = {}, seenAs, register } = mutant;
  const { image, ...request } = smallRun({
    ...run,
    rounds: ROUNDS,
    options: [...ENDING, ...run.options ?? []],
    build: (options) => changedTrampoline(options, source, from, to),
  });
  const recorded = await context.record(request);
  const { worlds, boundaries } = await follow(context, recorded, image, context.engine);
  if (seenAs === "boundary") return boundaries.mismatches.length > 0 ? [] : [`${name}: no boundary is wrong`];
  if (seenAs === "leak") {
    const isSeen = worlds.leaks.some((leak) => leak.register === register);
    return isSeen ? [] : [`${name}: no leak of ${register} is seen`];
  }
  for (const event of eventStream(recorded.run, recorded.images, { classes: ["detail"] })) {
    if (event.kind === "staleTranslationUsed") return [];
  }
  return [`${name}: no stale translation is used`];
}

async function plantAll(context: CheckContext): Promise<CheckOutcome> {
  const others = context.all ? MUTANTS : MUTANTS.slice(0, QUICK.others);
  const mutants = [...others, ...(context.all ? SAVED : QUICK.saved).map(unsaved)], failures: string[] = [];
  for (const mutant of mutants) {
    failures.push(...await plant(context, mutant));
    context.progress(mutant.name);
    await context.breathe();
  }
  return { failures, figures: { mutants: mutants.length } };
}

/** The checks. */
export const MUTANT_CHECKS: readonly SystemCheck[] = [
  {
    name: "a register that is not saved, a TLBI left out, VBAR_EL2 without TTBR0_EL2 are each seen",
    run: plantAll,
  },
];
