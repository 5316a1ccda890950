/** Runs of the loader of bridge-space: one for each environment, from which everything else is forked. */
import { bridgeFile, type Mutant, mutated, type Pair } from "../../../firmware/bridge_space/image.ts";
import type { CheckContext, QemuRun, Recorded } from "../scenario.ts";
import { debianPayload, diskOf, type Environment, optionsOf, scriptOf } from "./environments.ts";
import { Checkpoint } from "./forks.ts";
import { fixedPairs } from "./pairs.ts";

/** What both machines are given. */
function requestOf(context: CheckContext, environment: Environment, pairs: readonly Pair[], mutant?: Mutant) {
  const hasKernel = mutant === undefined && environment.hasKernel;
  const file = bridgeFile(pairs, hasKernel ? debianPayload(context, environment) : undefined);
  const disk = context.file(`${environment.name}${mutant === undefined ? "" : `-${mutant.symbol}`}.img`);
  Deno.writeFileSync(disk, diskOf(mutant === undefined ? file : mutated(file, mutant)));
  return { options: optionsOf(context, environment, disk), script: scriptOf(environment) };
}

/** Boots an environment with pairs on the disk. */
export function recordPairs(
  context: CheckContext,
  environment: Environment,
  pairs: readonly Pair[],
  more: { readonly mutant?: Mutant; readonly name?: string } = {},
): Promise<Recorded> {
  const { options, ...request } = requestOf(context, environment, pairs, more.mutant);
  return context.record({
    ...request,
    options: [...options, ...environment.isStrict ? ["--strict", "tlb"] : [], "--no-reboot"],
    ...more.name === undefined ? {} : { name: more.name },
  });
}

/** The same on QEMU. */
export function runPairsOnQemu(
  context: CheckContext,
  environment: Environment,
  pairs: readonly Pair[],
  mutant?: Mutant,
): Promise<QemuRun> {
  return context.qemu({ ...requestOf(context, environment, pairs, mutant), seconds: 120 });
}

/** What is kept of an environment for the checks that follow. */
interface Kept {
  readonly key: string;
  readonly recorded: Promise<Recorded>;
  checkpoint?: Checkpoint;
}

let kept: Kept | undefined;

function keptOf(context: CheckContext, environment: Environment): Kept {
  const key = `${environment.name} ${context.engine}`;
  if (kept?.key !== key) {
    kept = { key, recorded: recordPairs(context, environment, fixedPairs(environment.bits)) };
  }
  return kept;
}

/** The run of an environment with the fixed pairs; the last one is kept. */
export function parentOf(context: CheckContext, environment: Environment): Promise<Recorded> {
  return keptOf(context, environment).recorded;
}

/** Where its loader is ready. */
export async function checkpointOf(context: CheckContext, environment: Environment): Promise<Checkpoint> {
  const found = keptOf(context, environment);
  return found.checkpoint ??= new Checkpoint(await found.recorded, context.machineOptions());
}

/** What the loader wrote, line by line, but for where the firmware put it. */
export function bridgeLines(console: string): string[] {
  return console.split(/\r?\n/).filter((line) => /^bridge: (?!parameters)/.test(line));
}

/** Those that replay a boot; the reference engine would take an hour. */
export const otherEngines = ({ engine }: CheckContext): string[] =>
  ["threaded", "compiled"].filter((name) => name !== engine);

/** Lines of the loader in which two machines differ. */
export function differences(ours: readonly string[], theirs: readonly string[]): string[] {
  return Array.from({ length: Math.max(ours.length, theirs.length) }, (_, index) => index)
    .filter((index) => ours[index] !== theirs[index])
    .map((index) => `line ${index + 1}: here ${ours[index]}, on QEMU ${theirs[index]}`);
}
