/** The run that time travel is measured on: a boot of Debian's cloud kernel, with a loop in the shell up to 10^9 steps. */
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

/** Each round of the shell's loop is about 25,000 steps. */
const ROUNDS = 6000;

const STEPS: readonly Step[] = [
  { expect: "hindsight: shell" },
  { expect: "\n# " },
  { send: `i=0; while [ $i -lt ${ROUNDS} ]; do i=$((i+1)); done; echo $i\r` },
  { expect: `\n${ROUNDS}` },
  { expect: "\n# " },
  { send: "poweroff -f\r" },
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
