/** Faults planted in the loader, each located by bisect at the instruction that did it. */
import { pagefaultBootSources } from "../../../firmware/loader/pagefault_boot.ts";
import { leafAttributes } from "../../../firmware/loader/translation_layout.ts";
import { lookUpTables, TranslationTableBuilder } from "../../../firmware/loader/translation_tables.ts";
import { bisect } from "../../../journal/bisect.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { compileTraced, type Predicate, type TracedPredicate } from "../../../journal/predicate.ts";
import { Timeline } from "../../../journal/timeline.ts";
import { type Subject, why } from "../../../journal/why.ts";
import { physicalAddress } from "../../../machine/address.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { lookUpAddress } from "../../../machine/debugger_memory.ts";
import type { EventKind } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { buildLoader, type Kind, kindText, type Loader, placeOf } from "./loaders.ts";
import { handlerOf, recordBehindStage } from "./stage.ts";
import { hexText } from "./text.ts";

/** Where mutants are loaded. */
const MA = 0x4567_0000;

/** A fault that is planted. */
interface Mutant {
  /** Name of its journal. */
  readonly name: string;
  /** The label whose line it changes, that line, and what it becomes. */
  readonly label: string;
  readonly line: string;
  readonly becomes: string;
  /** Options of its machine. */
  readonly options: readonly string[];
  /** What is wrong with the machine's state, in words and as an expression where the language has one. */
  readonly wrong: string;
  /** That as a predicate, and as text for `bisect --when`. */
  readonly when: (loader: Loader) => string | Predicate;
  /** The label of the step that bisect must find: the instruction that made the state wrong. */
  readonly found: string;
  /** What `why` is asked about there. */
  readonly subject?: (loader: Loader) => Subject;
  /** An event that the run must have, after which nothing good came. */
  readonly event: EventKind;
}

/** The descriptor that a right loader leaves for the page of its handler. */
function handlerDescriptor(
  { options, program }: Loader,
): { readonly at: bigint; readonly descriptor: bigint } {
  const builder = new TranslationTableBuilder(options, placeOf({ program }, "table_room", MA), 8);
  const attributes = leafAttributes(options.level, "image"), virtual = options.link;
  builder.map({ virtual, physical: BigInt(MA), size: BigInt(program.size), attributes });
  const found = lookUpTables(options, builder.base, builder.read, handlerOf({ program }));
  if (found.kind === "fault") throw new RangeError("The loader's handler is not mapped");
  return found;
}

/** The MMU is on, and the TLB has a translation for the handler that the tables do not give. */
function hasOldTranslation(machine: Machine, { level, program }: Loader): boolean {
  const cpu = machine.currentCpu, handler = handlerOf({ program });
  if (cpu.el !== level || (peekSystemRegister(cpu, `SCTLR_EL${level}`) & 1n) === 0n) return false;
  const secure = level === 3 || machine.configuration.secure;
  const regime = level === 1 ? "EL1&0" : level === 2 ? "EL2" : "EL3";
  const tag = { stage: 1, regime, secure, vmid: -1, asid: -1 } as const;
  const entry = cpu.surroundings.strict?.tlbs?.[cpu.index]?.find(tag, Number(handler));
  if (entry === undefined) return false;
  return entry.leaf.address + (Number(handler) - entry.base) !== lookUpAddress(cpu, handler)?.physical;
}

/** The MMU is on, and walks through the cache read another first table than memory has. */
function hasOldLine(machine: Machine, { level, options, program }: Loader): boolean {
  const cpu = machine.currentCpu, { memory } = machine.board;
  if (cpu.el !== level || (peekSystemRegister(cpu, `SCTLR_EL${level}`) & 1n) === 0n) return false;
  const table = physicalAddress(Number(placeOf({ program }, "table_room", MA))), size = 1 << options.granule;
  const present = memory.readBytes(table, size);
  return memory.viewBytes(table, size).some((byte, at) => byte !== present[at]);
}

// deno-fmt-ignore
const MUTANTS: readonly Mutant[] = [
  {
    name: "next-page",
    label: "map_image", line: "mov     x2, x19", becomes: "add     x2, x19, #(GRANULE >> 12), lsl #12",
    options: [],
    wrong: "the handler's page is mapped to another",
    when: (loader) => {
      const { at, descriptor } = handlerDescriptor(loader);
      return `memory(${hexText(at)}, 8) != 0 && memory(${hexText(at)}, 8) != ${hexText(descriptor)}`;
    },
    found: "map_store_leaf",
    subject: (loader) => ({ kind: "memory", space: "physical", address: handlerDescriptor(loader).at, size: 8 }),
    event: "vectorLoopDetected",
  },
  {
    name: "unadjusted",
    label: "adjust_vectors", line: "add     x0, x0, x21", becomes: "nop",
    options: [],
    wrong: "VBAR has the machine address of the vectors",
    when: (loader) => `register("VBAR_EL${loader.level}") == ${hexText(placeOf(loader, "boot_vectors", MA))}`,
    found: "set_vectors",
    subject: ({ level }) => ({ kind: "register", name: `VBAR_EL${level}` }),
    event: "vectorLoopDetected",
  },
  {
    name: "keeps-tlb",
    label: "drop_translations", line: "tlbi    ", becomes: "nop     // ",
    options: ["--strict", "tlb"],
    wrong: "the MMU is on with a translation of the stage before in the TLB",
    when: (loader) => (machine) => hasOldTranslation(machine, loader),
    found: "enable",
    event: "staleTranslationUsed",
  },
  {
    name: "keeps-lines",
    label: "forget_lines", line: "bl      forget_cached", becomes: "nop",
    options: ["--strict", "dcache"],
    wrong: "the MMU is on with an old copy of a table in the data cache",
    when: (loader) => (machine) => hasOldLine(machine, loader),
    found: "enable",
    event: "staleDataRead",
  },
];

/** A loader with a fault planted at a label. */
export function mutated(
  loader: Loader,
  { label, line, becomes }: Pick<Mutant, "label" | "line" | "becomes">,
): Loader {
  const from = `${label}:\n        ${line}`;
  const sources = pagefaultBootSources(loader.options).map(({ name, text }) => ({
    name,
    text: text.replace(from, `${label}:\n        ${becomes}`),
    isChanged: text.includes(from),
  }));
  if (!sources.some(({ isChanged }) => isChanged)) {
    throw new RangeError(`The loader has no line "${line}" at ${label}`);
  }
  return { ...loader, program: assembleProgram(sources, { base: loader.options.link }) };
}

/** Where a step of the loader was: its machine address, since the MMU is off or has just gone on. */
function isAt(loader: Loader, label: string, pc: bigint | undefined): boolean {
  return pc === placeOf(loader, label, MA);
}

function predicateOf(when: string | Predicate): TracedPredicate | Predicate {
  return typeof when === "string" ? compileTraced(when) : when;
}

/** Steps that the slice of a value has at a label. */
function sliceHas(
  recorded: Recorded,
  loader: Loader,
  subject: Subject,
  at: number,
  label: string,
  context: CheckContext,
): boolean {
  const timeline = new Timeline(recorded.run, recorded.images, context.machineOptions());
  return why(timeline, subject, at).nodes.some(({ step }) => isAt(loader, label, step?.pc));
}

/** Locates one mutant; what is wrong with where. */
async function locate(
  context: CheckContext,
  kind: Kind,
  mutant: Mutant,
): Promise<{ failures: string[]; instant: number }> {
  const good = buildLoader(kind), loader = mutated(good, mutant), failures: string[] = [];
  const what = `${mutant.name}, ${kindText(kind)}`;
  const fail = (text: string): void => void failures.push(`${what}: ${text}`);
  const run = (built: Loader, name: string) =>
    recordBehindStage(context, { loader: built, ma: MA }, mutant.options, name);
  const recorded = await run(loader, mutant.name), sound = await run(good, `${mutant.name}-sound`);
  if (recorded.console.includes("handed off")) fail("handed off all the same");
  if (!sound.console.includes("aborts=0x0000000000000001\r\n")) {
    fail("the loader without the fault did not hand off");
  }
  const events = [...eventStream(recorded.run, recorded.images, { classes: ["trap", "detail"] })];
  if (!events.some((event) => event.kind === mutant.event)) fail(`no ${mutant.event}`);
  const when = mutant.when(loader), options = context.machineOptions();
  const found = bisect(recorded.run, recorded.images, predicateOf(when), options);
  const other = bisect(sound.run, sound.images, predicateOf(mutant.when(good)), options);
  if (other.kind !== "never") fail(`${mutant.wrong}, it says, of the loader without the fault`);
  if (found.kind !== "found") {
    fail(`bisect finds ${found.kind}, not where ${mutant.wrong}`);
    return { failures, instant: -1 };
  }
  const step = found.events.findLast((event) => event.kind === "stepRetired");
  const pc = step?.kind === "stepRetired" ? step.pc : undefined;
  if (!isAt(loader, mutant.found, pc)) {
    fail(
      `bisect finds ${hexText(pc ?? 0n)}, not ${mutant.found} at ${
        hexText(placeOf(loader, mutant.found, MA))
      }`,
    );
  }
  const subject = mutant.subject?.(loader);
  if (subject !== undefined && mutant.becomes !== "nop") {
    if (!sliceHas(recorded, loader, subject, found.instant, mutant.label, context)) {
      fail(`why does not lead to ${mutant.label}`);
    }
  } else if (subject !== undefined) {
    // The fault takes a step out of the slice, not out of the run: both runs are at the same place.
    if (!sliceHas(sound, good, subject, found.instant, mutant.label, context)) {
      fail(`without the fault, why does not lead to ${mutant.label}`);
    }
    if (sliceHas(recorded, loader, subject, found.instant, mutant.label, context)) {
      fail(`why leads to ${mutant.label}`);
    }
  }
  await context.breathe();
  return { failures, instant: found.instant };
}

/** Plants faults, by their names or all, in a loader of each kind. */
export async function locateMutants(
  context: CheckContext,
  kinds: readonly Kind[],
  names: readonly string[] = MUTANTS.map(({ name }) => name),
): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  for (const kind of kinds) {
    for (const mutant of MUTANTS.filter(({ name }) => names.includes(name))) {
      const located = await locate(context, kind, mutant);
      failures.push(...located.failures);
      if (kind !== kinds.at(-1)) continue; // whose journals are there
      figures[mutant.name] = `${mutant.found} at instant ${located.instant}`;
      const when = mutant.when(mutated(buildLoader(kind), mutant));
      if (typeof when === "string") figures[`${mutant.name} --when`] = when;
    }
  }
  return { failures, figures };
}
