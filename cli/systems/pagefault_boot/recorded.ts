/** Recorded runs of loaders: replayed on every engine, compared with QEMU, and with a late effect of SCTLR_ELx. */
import { eventStream } from "../../../journal/event_stream.ts";
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { abortFailures, type EffectiveAt, exceptionsOf, type Syndrome, syndromeText } from "./crossing.ts";
import {
  buildLoader,
  drawAddress,
  ENDING,
  type Kind,
  kindText,
  LINKS,
  type Loader,
  loaderRun,
} from "./loaders.ts";
import { seeded } from "../random.ts";
import { type Case, recordBehindStage } from "./stage.ts";
import { SEED } from "./sweep.ts";

/** Loaders at seeded addresses, the links taken in turn: the first ones of the sweep. */
export function* casesOf(
  kinds: readonly Kind[],
  count: number,
): Generator<Case & { readonly number: number }> {
  for (const kind of kinds) {
    const loaders = LINKS.map((link) => buildLoader(kind, link)), numbers = seeded(SEED);
    for (let number = 0; number < count; number++) {
      const loader = loaders[number % loaders.length] as Loader;
      yield { loader, ma: drawAddress(loader, numbers), number };
    }
  }
}

/** Records a loader up to where it parks. */
export function recordCase(
  context: CheckContext,
  { loader, ma }: Case,
  more: readonly string[] = [],
  name?: string,
): Promise<Recorded> {
  return context.record({
    ...loaderRun(loader, ma, [...more, ...ENDING]),
    ...(name === undefined ? {} : { name }),
  });
}

/** Exceptions of a recorded run, as they are stored. */
export function recordedExceptions({ run, images }: Recorded): EventOf<"exceptionTaken">[] {
  return exceptionsOf(eventStream(run, images, { classes: ["trap"] }));
}

/** Events of a recorded run that only strict models have. */
function staleEvents({ run, images }: Recorded): MachineEvent[] {
  return [...eventStream(run, images, { classes: ["detail"] })].filter(({ kind }) =>
    kind.startsWith("stale") || kind === "breakBeforeMakeViolated"
  );
}

/** One run of each kind, in a journal: the abort again, and equal roots on every engine. */
export async function everyEngine(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let steps = 0;
  for (const { loader, ma } of casesOf(kinds, 1)) {
    const name = `el${loader.level}-${loader.granule.toLowerCase()}`;
    const recorded = await recordCase(context, { loader, ma }, [], name);
    if (recorded.end.reason !== "resting") {
      failures.push(`${name}: ended by ${recorded.end.reason}, not parked`);
    }
    failures.push(
      ...abortFailures(loader, ma, "MSR", recordedExceptions(recorded)),
      ...await context.replayOn(recorded, Object.keys(ENGINES)),
    );
    steps += recorded.end.instant;
  }
  return { failures, figures: { journals: kinds.length, engines: Object.keys(ENGINES).length, steps } };
}

/** The models, and where the write of SCTLR_ELx takes effect with them. */
const MODELS: readonly { readonly strict: string; readonly at: EffectiveAt }[] = [
  { strict: "tlb,icache,dcache", at: "MSR" },
  { strict: "context", at: "ISB" },
  { strict: "tlb,icache,dcache,context", at: "ISB" },
];

/**
 * The same bytes where SCTLR_ELx waits for the ISB, and behind a stage that leaves stale translations and cached lines
 * where those can be seen: nothing is missing.
 */
export async function lateEffect(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let runs = 0;
  for (const { loader, ma } of casesOf(kinds, 1)) {
    for (const { strict, at } of MODELS) {
      const recorded = await recordBehindStage(context, { loader, ma }, ["--strict", strict]);
      const what = `${kindText(loader)}, --strict ${strict}`;
      failures.push(
        ...abortFailures(loader, ma, at, recordedExceptions(recorded)).map((text) => `${what}: ${text}`),
      );
      for (const event of staleEvents(recorded)) {
        // The ISB is fetched by the old SCTLR_ELx: that is what the model shows, and what the loader is ready for.
        if (event.kind === "staleRegisterUsed" && event.register === `SCTLR_EL${loader.level}`) continue;
        failures.push(`${what}: ${event.kind} at instant ${event.instant}`);
      }
      runs++;
    }
    await context.breathe();
  }
  return { failures, figures: { runs } };
}

/** What `-d int` says of exceptions, up to the first return to a lower level. */
export function qemuSyndromes(log: string): Syndrome[] {
  return log.split("Taking exception ").slice(1).map((text) => {
    const field = (name: string): bigint =>
      BigInt(new RegExp(`with ${name} (?:0x[0-9a-f]+/)?(0x[0-9a-f]+)`).exec(text)?.[1] ?? -1);
    return { syndrome: field("ESR"), faultAddress: field("FAR"), returnAddress: field("ELR") };
  });
}

/** The last that a loader prints before it parks. */
const PARKED = "aborts=0x0000000000000001\r\n";

/** The same bytes on QEMU: the same exceptions, and the same text. */
export async function sameOnQemu(
  context: CheckContext,
  kinds: readonly Kind[],
  count: number,
): Promise<CheckOutcome> {
  const failures: string[] = [];
  let runs = 0;
  for (const { loader, ma, number } of casesOf(kinds, count)) {
    const what = `${kindText(loader)}, MA 0x${ma.toString(16)}`, run = loaderRun(loader, ma);
    const qemu = await context.qemu({
      options: [...run.options, "-d", "int"],
      files: run.files,
      until: PARKED,
      seconds: 60,
    });
    const recorded = await recordCase(context, { loader, ma });
    const [ours, theirs] = [recordedExceptions(recorded), qemuSyndromes(qemu.log)].map((all) =>
      all.map(syndromeText).join("; ")
    );
    if (ours !== theirs) failures.push(`${what}: exceptions ${ours}; QEMU's ${theirs}`);
    if (recorded.console !== qemu.console) {
      failures.push(
        `${what}: printed ${JSON.stringify(recorded.console)}; on QEMU ${JSON.stringify(qemu.console)}`,
      );
    }
    context.progress(kindText(loader), number, count);
    await context.breathe();
    runs++;
  }
  return { failures, figures: { runs } };
}
