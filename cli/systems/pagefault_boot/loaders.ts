/** Loaders, machines and addresses of pagefault-boot's checks. */
import { pagefaultBoot, type PagefaultBootOptions } from "../../../firmware/loader/pagefault_boot.ts";
import {
  type GranuleName,
  GRANULES,
  leafAttributes,
  type LoaderLevel,
  type TranslationLayout,
} from "../../../firmware/loader/translation_layout.ts";
import { lookUpTables, TranslationTableBuilder } from "../../../firmware/loader/translation_tables.ts";
import type { Program } from "../../../machine/a64/program.ts";

/** The level and granule of a loader. */
export interface Kind {
  /** Exception level. */
  readonly level: LoaderLevel;
  /** Translation granule. */
  readonly granule: GranuleName;
}

/** A loader that was built. */
export interface Loader extends Kind {
  /** What it was built for. */
  readonly options: PagefaultBootOptions;
  /** Its image, the same wherever it is loaded. */
  readonly program: Program;
}

const LEVELS: readonly LoaderLevel[] = [1, 2, 3];

/** Every level with the granules of cortex-a57. */
export const KINDS: readonly Kind[] = LEVELS.flatMap((level) =>
  (["4K", "64K"] as const).map((granule) => ({ level, granule }))
);

/** Every level with the granule that only max has. */
export const KINDS_OF_MAX: readonly Kind[] = LEVELS.map((level) => ({ level, granule: "16K" }));

/**
 * Where loaders are linked: walks for machine addresses in RAM part from that of the image at other levels; of 4 KiB
 * tables, at 0, 1 and 2.
 */
export const LINKS = [0xab_cd00_0000n, 0x12_3400_0000n, 0x7fe0_0000n, 0x7abc_0000_0000n] as const;

/** Bits of input addresses. */
export const INPUT_BITS = 48;

/** RAM of the machines: 1 GiB from here. */
export const RAM = { base: 0x4000_0000, size: 0x4000_0000 } as const;

/** Loaders are put from here on: before are the board's tree, and where a kernel and its tree are looked for. */
const FIRST = 0x4040_0000;

/** How a kind is called in names and messages. */
export function kindText({ level, granule }: Kind): string {
  return `EL${level}, ${granule}`;
}

/** Loaders that were built before. */
const BUILT = new Map<string, Loader>();

/** Builds a loader. */
export function buildLoader(kind: Kind, link: bigint = LINKS[0], inputBits: number = INPUT_BITS): Loader {
  const key = `${kindText(kind)}, ${link}, ${inputBits}`, known = BUILT.get(key);
  if (known !== undefined) return known;
  const options = { level: kind.level, granule: GRANULES[kind.granule], link, inputBits };
  const loader = { ...kind, options, program: pagefaultBoot(options) };
  BUILT.set(key, loader);
  return loader;
}

/** Where a label of a loader at `ma` is in physical memory. */
export function placeOf({ program }: Pick<Loader, "program">, name: string, ma: number): bigint {
  const address = program.symbols.get(name);
  if (address === undefined) throw new RangeError(`The loader has no label "${name}"`);
  return address - program.base + BigInt(ma);
}

/** Options of a machine that starts at the kind's level. */
export function machineOptions({ level, granule }: Kind): string[] {
  const board = `virt,secure=${level === 3 ? "on" : "off"},virtualization=${level >= 2 ? "on" : "off"}`;
  return ["-M", board, "-cpu", granule === "16K" ? "max" : "cortex-a57", "-m", `${RAM.size / 2 ** 20}M`];
}

/** A file put into RAM as it is; CPU 0 starts at its first byte if `isEntry`. */
export function loaded(file: string, address: number, isEntry = false): string[] {
  const entry = isEntry ? ",cpu-num=0" : "";
  return ["-device", `loader,file=${file},addr=0x${address.toString(16)},force-raw=on${entry}`];
}

/** Ends a recording of a loader that goes astray; the largest tables take 110,000 steps. */
export const ENDING: readonly string[] = ["--stop-at", "vector-loop", "--until", "300000"];

/** Options, with their file, of a machine that starts a loader at `ma`. */
export function loaderRun(
  loader: Loader,
  ma: number,
  more: readonly string[] = [],
): { readonly options: string[]; readonly files: Readonly<Record<string, Uint8Array>> } {
  const file = "loader.bin";
  return {
    options: [...machineOptions(loader), ...loaded(file, ma, true), ...more],
    files: { [file]: loader.program.bytes },
  };
}

/** A machine address for a loader: a multiple of its granule in RAM whose range is apart from the one at VA. */
export function drawAddress(loader: Loader, numbers: Iterator<number, never>): number {
  const { program, options } = loader, unit = 1 << options.granule;
  const room = Math.floor((RAM.base + RAM.size - FIRST - program.size) / unit) + 1;
  for (;;) {
    const ma = FIRST + (numbers.next().value % room) * unit;
    const apart = options.link - BigInt(ma);
    if (apart >= program.size || apart <= -program.size) return ma;
  }
}

/** Level at which the walk for `address` ends when tables map the image at VA, and nothing else. */
export function missingLevel({ options, program }: Loader, address: bigint): number | undefined {
  const layout: TranslationLayout = options, base = 1n << 40n;
  const builder = new TranslationTableBuilder(layout, base, 4);
  const attributes = leafAttributes(options.level, "image");
  builder.map({ virtual: options.link, physical: 0n, size: BigInt(program.size), attributes });
  const found = lookUpTables(layout, base, builder.read, address);
  return found.kind === "fault" ? found.level : undefined;
}
