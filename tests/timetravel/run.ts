/** The run that time travel is measured on: a boot of Debian's cloud kernel, with work in the shell up to 10^9 steps. */
import { factsOf, record, scriptText } from "../boots/hindsight.ts";
import { type Boot, BOOTS, type Step } from "../boots/rows.ts";

/** A recorded run, and what it was made from. */
export interface TravelledRun {
  /** Where files go. */
  readonly folder: string;
  /** The journal. */
  readonly journal: string;
  /** Its length. */
  readonly steps: number;
  /** The machine, for QEMU. */
  readonly boot: Boot;
  /** What was typed. */
  readonly scriptSteps: readonly Step[];
  /** Of random instants. */
  readonly seed: number;
}

/** Work of 200 million steps. Lines are short: what QEMU's recorder is typed at once has to fit in the console's FIFO. */
const LINE = "sha1sum /bin/b*\r";

const STEPS: readonly Step[] = [
  { expect: "hindsight: shell" },
  ...[LINE, "poweroff -f\r"].flatMap((send): Step[] => [{ expect: "\n# " }, { send }]),
];

/** Records the run into a folder. Without address randomisation, places in the kernel are the same on QEMU. */
export async function recordRun(folder: string, seed: number): Promise<TravelledRun> {
  const row = BOOTS.find(({ name }) => name === "cloud-cortex-a57-gic2-smp1-el1") as Boot;
  const options = row.options.map((option) => option.startsWith("console=") ? `${option} nokaslr` : option);
  const boot = { ...row, options, steps: STEPS };
  const journal = `${folder}/boot.hindsight`, script = `${folder}/boot.script`;
  Deno.writeTextFileSync(script, scriptText(STEPS));
  await record(boot, script, journal, [], 120);
  const { lastInstant } = await factsOf(journal);
  return { folder, journal, steps: lastInstant, boot, scriptSteps: STEPS, seed };
}
