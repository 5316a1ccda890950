/** Runs that must not go on: each says why and parks, here and on QEMU alike, or is ended by `vectorLoopDetected`. */
import { pagefaultBootSources } from "../../../firmware/loader/pagefault_boot.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { type Syndrome, syndromeText } from "./crossing.ts";
import {
  buildLoader,
  ENDING,
  type Kind,
  kindText,
  type Loader,
  loaderRun,
  machineOptions,
} from "./loaders.ts";
import { qemuSyndromes, recordedExceptions } from "./recorded.ts";

const MA = 0x4567_0000;

/** A loader that does not hand off, or not by an abort. */
interface Refusal {
  /** What is the matter. */
  readonly name: string;
  /** The loader, and where it is put. */
  readonly build: (kind: Kind) => { readonly loader: Loader; readonly ma: number } | undefined;
  /** The kind of machine it is put on, where that is another. */
  readonly on?: (kind: Kind) => Kind;
  /** What it prints. */
  readonly says: RegExp;
  /** Exceptions that it takes. */
  readonly exceptions: number;
}

const granuleOf = (kind: Kind): bigint => 1n << BigInt(buildLoader(kind).options.granule);
const at = (loader: Loader, ma = MA) => ({ loader, ma });

/** MA is mapped too, but never to be executed: the abort has another status. */
function executesNever(kind: Kind): Loader {
  const loader = buildLoader(kind), from = "        adr     x0, hand_off\n        str     xzr";
  const never = `        adr     x0, tables
        mov     x1, x19
        mov     x2, x19
        mov     x3, x22
        ldr     x4, =(IMAGE_ATTRIBUTES | ${kind.level === 1 ? 3n << 53n : 1n << 54n})
        bl      map_range
${from}`;
  const sources = pagefaultBootSources(loader.options).map(({ name, text }) => ({
    name,
    text: text.replace(from, never),
  }));
  return { ...loader, program: assembleProgram(sources, { base: loader.options.link }) };
}

const REFUSALS: readonly Refusal[] = [
  {
    name: "VA is MA",
    build: (kind) => at(buildLoader(kind, BigInt(MA))),
    says:
      /handed off ma=0x0000000045670000 va=0x0000000045670000 diff=0x0000000000000000 .* aborts=0x0000000000000000\r\n$/,
    exceptions: 0,
  },
  {
    name: "VA is a granule above MA",
    build: (kind) => at(buildLoader(kind, BigInt(MA) + granuleOf(kind))),
    says:
      /^pagefault-boot: refused: the image at MA intersects where it is mapped ma=0x0000000045670000 va=0x/,
    exceptions: 0,
  },
  {
    name: "VA is a granule below MA",
    build: (kind) => at(buildLoader(kind, BigInt(MA) - granuleOf(kind))),
    says:
      /^pagefault-boot: refused: the image at MA intersects where it is mapped ma=0x0000000045670000 va=0x/,
    exceptions: 0,
  },
  {
    name: "MA is no multiple of the granule",
    build: (kind) => kind.granule === "4K" ? undefined : at(buildLoader(kind), MA + 0x1000),
    says: /^pagefault-boot: refused: MA is not VA modulo 64 KiB ma=0x0000000045671000/,
    exceptions: 0,
  },
  {
    name: "another level",
    build: (kind) => at(buildLoader(kind)),
    on: ({ level, granule }) => ({ granule, level: level === 1 ? 2 : 1 }),
    says: /^pagefault-boot: refused: not entered at EL/,
    exceptions: 0,
  },
  {
    name: "a granule that the CPU has not",
    build: ({ level }) => at(buildLoader({ level, granule: "16K" })),
    says: /^pagefault-boot: refused: the CPU has no granule of 16 KiB/,
    exceptions: 0,
  },
  {
    name: "another status of the abort",
    build: (kind) => at(executesNever(kind)),
    says:
      /^pagefault-boot: unexpected exception esr=0x000000008600000f far=0x0000000045670\w{3} elr=0x0000000045670\w{3}\r\n$/,
    exceptions: 1,
  },
];

/** Each refusal of each kind, with the same text and exceptions on QEMU. */
export async function refusals(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let runs = 0;
  for (const kind of kinds) {
    for (const { name, build, on = (same: Kind) => same, says, exceptions } of REFUSALS) {
      const built = build(kind);
      if (built === undefined) continue;
      const { loader, ma } = built,
        fail = (text: string) => failures.push(`${kindText(kind)}, ${name}: ${text}`);
      const own = loaderRun(loader, ma), place = own.options.slice(machineOptions(kind).length);
      const run = { files: own.files, options: [...machineOptions(on(kind)), ...place] };
      const recorded = await context.record({ ...run, options: [...run.options, ...ENDING] });
      const taken = recordedExceptions(recorded);
      if (recorded.end.reason !== "resting") fail(`ended by ${recorded.end.reason}, not parked`);
      if (!says.test(recorded.console)) fail(`it says ${JSON.stringify(recorded.console)}`);
      if (taken.length !== exceptions) fail(`${taken.length} exceptions`);
      const last = recorded.console.trimEnd().split("\n").at(-1) ?? "";
      const qemu = await context.qemu({
        ...run,
        options: [...run.options, "-d", "int"],
        until: `${last}\r\n`,
      });
      if (qemu.console !== recorded.console) fail(`on QEMU it says ${JSON.stringify(qemu.console)}`);
      const text = (all: readonly Syndrome[]) => all.map(syndromeText).join("; ");
      if (text(qemuSyndromes(qemu.log)) !== text(taken)) {
        fail(`on QEMU: ${text(qemuSyndromes(qemu.log))}, not ${text(taken)}`);
      }
      runs++;
      await context.breathe();
    }
  }
  return { failures, figures: { runs } };
}

/** Bits of input addresses that the link address has more of. */
const FEW_BITS = 39;

/** Loaders linked outside their input addresses: the fetch of the vector aborts for ever, and the run ends there. */
export async function vectorLoops(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let steps = 0;
  for (const kind of kinds) {
    const loader = buildLoader(kind, undefined, FEW_BITS),
      run = loaderRun(loader, MA, ENDING);
    const name = `outside-el${kind.level}-${kind.granule.toLowerCase()}`,
      fail = (text: string) => failures.push(`${name}: ${text}`);
    const recorded = await context.record({ ...run, name });
    const traps = [...eventStream(recorded.run, recorded.images, { classes: ["trap"] })];
    const vector = (loader.program.symbols.get("boot_vectors") ?? 0n) + 0x200n;
    const found = traps.filter((event) => event.kind === "vectorLoopDetected");
    if (recorded.end.reason !== "poweredOff") fail(`ended by ${recorded.end.reason}`);
    if (found.length !== 1 || found[0]?.vector !== vector || found[0].faultAddress !== vector) {
      fail(`${found.length} loops found`);
    }
    if (traps.filter(({ kind }) => kind === "exceptionTaken").length !== 3) {
      fail("not the abort and two of the vector");
    }
    failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
    steps += recorded.end.instant;
  }
  return { failures, figures: { runs: kinds.length, steps } };
}
