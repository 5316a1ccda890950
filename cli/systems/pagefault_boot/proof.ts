/**
 * Proof mode: a checker over a run's steps. Before the abort a loader fetches from its machine addresses only, after it
 * from its virtual addresses only, and what it reads and writes are ranges that were declared.
 */
import { eventStream } from "../../../journal/event_stream.ts";
import type { EventOf } from "../../../machine/events.ts";
import {
  LOADER_DEVICE_TREE_AT,
  LOADER_KERNEL_AT,
  pagefaultBootSources,
} from "../../../firmware/loader/pagefault_boot.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { abortFailures, exceptionsOf } from "./crossing.ts";
import { buildLoader, ENDING, type Kind, kindText, type Loader, loaderRun } from "./loaders.ts";
import { recordCase, recordedExceptions } from "./recorded.ts";
import { hexText } from "./text.ts";

/** Addresses from `base` on. */
interface Range {
  readonly base: bigint;
  readonly size: bigint;
  readonly what: string;
}

/** What a loader may do in one phase of its run. */
interface Phase {
  readonly name: string;
  /** Where instructions may be. */
  readonly code: Range;
  /** What may be read and written. */
  readonly data: readonly Range[];
}

const MA = 0x4567_0000;
const UART = 0x0900_0000n;

/** Phases up to the abort, up to the hand-off, and from there on. */
function phasesOf({ program, options }: Loader, ma: number): readonly [Phase, Phase, Phase] {
  const size = BigInt(program.size), granule = 1n << BigInt(options.granule);
  const machine = { base: BigInt(ma), size, what: "the image at MA" };
  const virtual = { base: options.link, size, what: "the image at VA" };
  const kernel = { base: BigInt(LOADER_KERNEL_AT) + 56n, size: 4n, what: "the kernel's magic number" };
  const tree = { base: BigInt(LOADER_DEVICE_TREE_AT), size: 4n, what: "the device tree's magic number" };
  const uart = { base: options.link + size, size: granule, what: "the UART behind the image" };
  return [
    // A refusal is told with the MMU off.
    {
      name: "before the abort",
      code: machine,
      data: [machine, kernel, tree, { base: UART, size: 4n, what: "the UART" }],
    },
    { name: "after the abort", code: virtual, data: [virtual] },
    { name: "after the hand-off", code: virtual, data: [virtual, uart] },
  ];
}

function isIn(address: bigint, size: bigint, { base, size: length }: Range): boolean {
  return address >= base && address + size <= base + length;
}

/** What a step does that its phase does not allow. */
function violations({ pc, memory }: EventOf<"stepRetired">, { name, code, data }: Phase): string[] {
  const found = isIn(pc, 4n, code) ? [] : [`fetches ${hexText(pc)} ${name}, outside ${code.what}`];
  for (const { address, size, write } of memory) {
    if (data.some((range) => isIn(address, BigInt(size), range))) continue;
    found.push(`${write ? "writes" : "reads"} ${hexText(address)} ${name}`);
  }
  return found;
}

/** What a checker found in a run. */
export interface Proof {
  /** Each names a step that does what it must not. */
  readonly violations: readonly string[];
  /** Steps in each phase. */
  readonly steps: readonly number[];
  /** The MMU was turned on. */
  readonly isEnabled: boolean;
}

/** Checks every step of a run of a loader at `ma`. */
export function prove({ run, images }: Recorded, loader: Loader, ma: number, options: object = {}): Proof {
  const phases = phasesOf(loader, ma), steps = [0, 0, 0], found: string[] = [];
  const handedOff = loader.program.symbols.get("handed_off");
  let phase = 0, isEnabled = false;
  for (const event of eventStream(run, images, { classes: ["trap", "detail", "step"] }, options)) {
    if (event.kind === "systemRegisterWritten" && event.register === `SCTLR_EL${loader.level}`) {
      isEnabled ||= (event.value & 1n) === 1n;
    }
    if (event.kind !== "stepRetired") {
      // The step that aborted retires in the phase before: its fetch is the one that had to fail.
      if (event.kind === "exceptionTaken" && phase === 0) phase = -1;
      continue;
    }
    if (phase < 0) {
      phase = 1;
      continue;
    }
    if (phase === 1 && event.pc === handedOff) phase = 2;
    steps[phase]!++;
    const what = violations(event, phases[phase]!);
    if (what.length > 0 && found.length < 8) found.push(`instant ${event.instant}: ${what.join("; ")}`);
  }
  return { violations: found, steps, isEnabled };
}

/** Loaders that do what the checker must see: where, instead of what, and what it says. */
// deno-fmt-ignore
const OFFENDERS: readonly { readonly from: string; readonly to: string; readonly says: RegExp }[] = [
  // Maps MA as well and goes back there: a fetch of MA after the abort.
  { from: "        add     x2, x2, x21\n        br      x2",
    to: `        mov     x25, x2
        adr     x0, tables
        str     x21, [x0, #TABLES_ACCESS]
        mov     x1, x19
        mov     x2, x19
        mov     x3, x22
        ldr     x4, =IMAGE_ATTRIBUTES
        bl      map_range
        dsb     ishst
        isb
        br      x25`,
    says: /fetches 0x4567\w{4} after the abort, outside the image at VA/ },
  // Writes behind its image before the MMU is on.
  { from: "\nbuild: ", to: "\nbuild:  adr x0, image_end\n        str x0, [x0]\n", says: /writes 0x456\w{5} before the abort/ },
  // Reads the page of the UART before it hands off.
  { from: "\nhanded_off: ", to: "\n        bl map_uart\n        ldr w0, [x26]\nhanded_off: ", says: /reads 0xabcd\w{6} after the abort/ },
];

function offender(loader: Loader, { from, to }: (typeof OFFENDERS)[number]): Loader {
  const sources = pagefaultBootSources(loader.options).map(({ name, text }) => ({
    name,
    text: text.replace(from, to),
  }));
  return { ...loader, program: assembleProgram(sources, { base: loader.options.link }) };
}

/** Proves a loader of each kind, sees offenders, and that intersecting ranges are refused before anything is enabled. */
export async function proofs(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [], options = context.machineOptions();
  const steps = [0, 0, 0];
  for (const kind of kinds) {
    const loader = buildLoader(kind), recorded = await recordCase(context, { loader, ma: MA });
    const proof = prove(recorded, loader, MA, options);
    failures.push(...proof.violations.map((text) => `${kindText(kind)}: ${text}`));
    failures.push(...abortFailures(loader, MA, "MSR", recordedExceptions(recorded)));
    for (const [phase, count] of proof.steps.entries()) {
      steps[phase]! += count;
      if (count === 0) failures.push(`${kindText(kind)}: phase ${phase} has no step`);
    }
    for (const difference of [-1n, 1n]) {
      const link = BigInt(MA) + difference * (1n << BigInt(loader.options.granule));
      const near = buildLoader(kind, link), refused = await recordCase(context, { loader: near, ma: MA });
      const { isEnabled, violations } = prove(refused, near, MA, options);
      const what = `${kindText(kind)}, VA ${hexText(link)}`;
      if (isEnabled) failures.push(`${what}: SCTLR_EL${kind.level}.M is set though the ranges intersect`);
      if (!refused.console.includes("refused: the image at MA intersects")) {
        failures.push(`${what}: it says ${JSON.stringify(refused.console)}`);
      }
      if (exceptionsOf(recordedExceptions(refused)).length > 0) failures.push(`${what}: an exception`);
      failures.push(...violations.map((text) => `${what}: ${text}`));
    }
    await context.breathe();
  }
  const loader = buildLoader({ level: 1, granule: "4K" });
  for (const row of OFFENDERS) {
    const built = offender(loader, row),
      recorded = await context.record(loaderRun(built, MA, ENDING));
    const { violations } = prove(recorded, built, MA, options);
    if (!violations.some((text) => row.says.test(text))) {
      failures.push(`an offender is not seen: ${row.says.source}: ${violations.join("; ") || "nothing"}`);
    }
  }
  const [before, after, later] = steps as [number, number, number];
  return {
    failures,
    figures: {
      "steps before the abort": before,
      "after it": after,
      "after the hand-off": later,
      offenders: OFFENDERS.length,
    },
  };
}
