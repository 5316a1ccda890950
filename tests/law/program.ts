/** Random guests for the law: a fixed way through the levels and the traps, then random code for 1–4 CPUs. */
import { createHash } from "node:crypto";
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import type { MachineImages } from "../../machine/compose.ts";
import type { CpuModel } from "../../machine/a64/feature.ts";
import { type MachineConfiguration, parseConfiguration } from "../../machine/configuration.ts";
import { ATOMS } from "./atoms.ts";
import { handlers, hex, type Plan, prologue } from "./prologue.ts";
import { Choices } from "./random.ts";

/** Where the program lies: as a kernel, and behind the device tree when the loader puts it there. */
const KERNEL_BASE = 0x4008_0000, BARE_BASE = 0x4028_0000;

/** A random program and the machine it is for, as text and numbers: to be built, kept, or made smaller. */
export interface RandomProgram {
  /** Assembly. */
  readonly source: string;
  /** There is no kernel but an image in memory, which all CPUs enter at reset. */
  readonly isBare: boolean;
  /** Configuration of the machine but for what it boots; `parseConfiguration` checks it. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A random guest on a random machine. */
export interface RandomGuest {
  /** The program, with its symbols. */
  readonly program: Program;
  /** Its text, for a look at a failing seed. */
  readonly source: string;
  /** Its bytes by content. */
  readonly images: MachineImages;
  /** The machine. */
  readonly configuration: MachineConfiguration;
}

const TABLE_OF_PAGES = 3n;
const NORMAL = 0x705n, NEVER_EXECUTED = 3n << 53n;

/** Tables of stage 1 and 2, in memory that the program can reach (see atoms.ts). */
function tables({ choices, usesEl0 }: Plan): string {
  const code = usesEl0 ? 0xc0n : 0n;
  const block = (base: number, more: bigint) => BigInt(base) | NORMAL | more;
  const level1 = [
    `${hex(0x441n | NEVER_EXECUTED)}`,
    `${hex(block(0x4000_0000, code))}`,
    `${hex(block(0x4000_0000, 0x40n | NEVER_EXECUTED))}`,
    `level2 + ${hex(TABLE_OF_PAGES)}`,
  ];
  const pages = Array.from(
    { length: 8 },
    (_, page) => hex(0x4040_0000n + BigInt(page % 4) * 4096n | 0x743n | (choices.oneIn(4) ? 0x80n : 0n)),
  );
  const stage2 = Array.from(
    { length: 8 },
    (_, index) => hex(BigInt(0x4000_0000 + index * 0x20_0000) | 0x7fdn),
  );
  return `
        .ltorg
name:   .asciz ":tt"
        .balign 4096
level1: .quad   ${level1.join(", ")}
        .balign 4096
level1b: .quad  ${level1.join(", ")}
        .balign 4096
level2: .quad   level3 + 3
        .balign 4096
level3: .quad   ${pages.join(", ")}
        .quad   ${pages.join(", ")}
        .balign 4096
stage2: .quad   0x4c5, 0x400007fd, stage2b + 3, 0x400007fd
        .balign 4096
stage2b: .quad  ${stage2.join(", ")}
        .balign 4096
`;
}

/** Pieces of code that end at or lie across the end of a page, at most: TBZ reaches 32 KiB. */
const MOST_PAGE_ENDS = 3;

/** Random code: pieces that follow one another, in a ring; some begin a word or two before the end of a page. */
function body(choices: Choices, model: CpuModel): string {
  const count = choices.between(30, 140);
  const ends = Array.from({ length: choices.below(MOST_PAGE_ENDS + 1) }, () => choices.below(count));
  const pieces = Array.from({ length: count }, (_, index) => {
    const [, , make] = choices.weighted(ATOMS);
    const pool = index % 20 === 19 ? "\nb 9f\n.ltorg\n9:" : "";
    const end = ends.includes(index)
      ? `b a${index}\n.balign 4096\n.skip ${choices.of([4092, 4088, 4084])}\n`
      : "";
    return `${end}a${index}:\n${make({ choices, index, count, model })}${pool}`;
  });
  const landings = Array.from({ length: 8 }, () => `b a${choices.below(count)}`);
  return `landings:\n${landings.join("\n")}\n${pieces.join("\n")}\nb a0\n.ltorg\n`;
}

function makePlan(choices: Choices, base: number, virtualization: boolean, step: number): Plan {
  const routes = [0n, 0n, 0x38n, 0xb8n, 0x0800_0000n, 0x6000n, 0x0400_0000n];
  return {
    choices,
    base,
    translates: !choices.oneIn(4),
    usesEl0: choices.oneIn(3),
    usesStage2: choices.oneIn(2),
    staysHigh: choices.oneIn(5),
    // In counts of 16 ns: so many steps, but for the handler's own.
    period: Math.min(0xffff, Math.ceil(choices.of([60, 100, 300, 300, 1000, 3000]) * step / 16)),
    hcr: virtualization ? 0x8000_0000n | choices.of(routes) : 0n,
    scr: choices.of([0x501, 0x501, 0x503, 0x505, 0x507, 0x500, 0x581]),
  };
}

/** The CPU models and strict models that can be built. */
const MODELS = (["cortex-a57", "max"] as const).filter((cpuModel) => canBuild({ cpuModel }));
const STRICT = ["tlb", "icache", "dcache", "context"].filter((model) => canBuild({ strictModels: [model] }));

function canBuild(settings: Readonly<Record<string, unknown>>): boolean {
  try {
    parseConfiguration(settings);
    return true;
  } catch {
    return false;
  }
}

/** The random program of a seed; `makeBody` draws what comes after its fixed part. */
export function randomProgram(seed: number, makeBody = body): RandomProgram {
  const choices = new Choices(seed);
  const virtualization = choices.oneIn(3), secure = choices.oneIn(4);
  const cpus = choices.between(1, 4);
  const isBare = choices.oneIn(8) || (secure && !choices.oneIn(8));
  const nanosecondsPerStep = choices.of([8, 8, 8, 1, 3, 16, 100, 5000]);
  const plan = makePlan(choices, isBare ? BARE_BASE : KERNEL_BASE, virtualization, nanosecondsPerStep);
  const cpuModel = choices.of(MODELS);
  const levels = [1, 2, 3] as const;
  const source = prologue(plan) + "\n.ltorg\n" + makeBody(choices, cpuModel) +
    levels.map((level) => handlers(level, plan)).join("") + tables(plan);
  const strictModels = choices.oneIn(4) ? STRICT.filter(() => choices.oneIn(2)) : [];
  const settings = {
    cpus,
    cpuModel,
    virtualization,
    secure,
    memoryMiB: 16,
    quantum: choices.of([64, 64, 100, 333, 1000, 10_000]),
    ...(choices.oneIn(2) ? { scheduleSeed: choices.word() } : {}),
    nanosecondsPerStep,
    rootInterval: choices.between(200, 4000),
    semihosting: choices.oneIn(3),
    strictModels,
  };
  return { source, isBare, settings };
}

/** Assembles a program and puts it where it boots; throws AssemblyError where the text is wrong. */
export function buildGuest({ source, isBare, settings }: RandomProgram): RandomGuest {
  const base = isBare ? BARE_BASE : KERNEL_BASE;
  const program = assembleProgram(source, { name: "law", base: BigInt(base) });
  const sha256 = createHash("sha256").update(program.bytes).digest("hex");
  const image = { sha256, size: program.bytes.length, name: "law" };
  const loaders = [
    { kind: "image" as const, image, address: base, forceRaw: true, cpu: 0 },
    ...Array.from(
      { length: Number(settings.cpus ?? 1) - 1 },
      (_, index) => ({ kind: "entry" as const, cpu: index + 1, address: base }),
    ),
  ];
  const configuration = parseConfiguration({ ...settings, boot: isBare ? { loaders } : { kernel: image } });
  return { program, source, images: new Map([[sha256, program.bytes]]), configuration };
}

/** The random guest of a seed. */
export function randomGuest(seed: number): RandomGuest {
  return buildGuest(randomProgram(seed));
}
