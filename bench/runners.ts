/** What is compared: each engine of ours while it records, and QEMU plain, counting instructions, and recording. */
import { ENGINES } from "../machine/machine.ts";
import type { Command } from "./process.ts";

/** Something that runs a machine. */
export interface Runner {
  /** Title of its column. */
  readonly name: string;
  /** Whether it is an engine of ours. */
  readonly isOurs: boolean;
  /** The command line for options of the machine; `folder` is for files that the run writes. */
  command(machine: readonly string[], folder: string): Command;
}

/** The runner that ratios are taken of. */
export const PLAIN = "QEMU";

/** QEMU's own recorder. */
export const RECORDING = "rr=record";

const CLI = new URL("../cli/main.ts", import.meta.url).pathname;
const DENO = ["run", "--quiet", "--no-check", "--allow-read", "--allow-write"];
const QEMU = "qemu-system-aarch64";
const NOTHING_ELSE = ["-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio"];

function ours(engine: string): Runner {
  const command = (machine: readonly string[], folder: string): Command => ({
    program: Deno.execPath(),
    args: [...DENO, CLI, "record", ...machine, "--engine", engine, "-o", `${folder}/run.hindsight`],
  });
  return { name: engine, isOurs: true, command };
}

function qemu(name: string, more: (folder: string) => string[]): Runner {
  const command = (machine: readonly string[], folder: string): Command => ({
    program: QEMU,
    args: [...machine, ...NOTHING_ELSE, ...more(folder)],
  });
  return { name, isOurs: false, command };
}

/** QEMU, in the order of its columns. */
const PEERS: readonly Runner[] = [
  qemu(PLAIN, () => []),
  qemu("icount", () => ["-icount", "shift=3"]),
  qemu(RECORDING, (folder) => ["-icount", `shift=3,rr=record,rrfile=${folder}/run.rr`]),
];

/** Engines that are measured when none is named: the reference engine would take hours. */
export const FAST_ENGINES: readonly string[] = Object.keys(ENGINES).filter((name) => name !== "reference");

/** The runners for engines named: ours first, then QEMU's; throws RangeError for a name that is no engine's. */
export function runnersFor(engines: readonly string[]): Runner[] {
  for (const engine of engines) {
    if (Object.hasOwn(ENGINES, engine)) continue;
    throw new RangeError(`There is no engine "${engine}": use ${Object.keys(ENGINES).join(" or ")}`);
  }
  return [...engines.map(ours), ...PEERS];
}

/** QEMU's version, or undefined where it is not installed. */
export function versionOfQemu(): string | undefined {
  try {
    const { stdout } = new Deno.Command(QEMU, { args: ["--version"] }).outputSync();
    return /version (\S+)/.exec(new TextDecoder().decode(stdout))?.[1];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
