/** Sizes of journals: of a boot without input, of one with a typed session, and at the default depth. */
import { factsOf, record, scriptText } from "./hindsight.ts";
import { type Boot, BOOTS, type Step } from "./rows.ts";

/** The most that a journal of inputs may have beyond header and roots, in bytes. */
const MOST_WITHOUT_INPUT = 2048, MOST_WITH_SESSION = 5120;

const SESSION: readonly Step[] = ["uname -a", "ls -l /", "cat /proc/interrupts", "free", "poweroff -f"]
  .flatMap(
    (line): Step[] => [{ expect: "\n# " }, { send: `${line}\r` }],
  );

/** What is measured: options, what is typed, how much is stored, and the most that it may take. */
const MEASURES = [
  { name: "no input", run: "poweroff -f", steps: [], depth: "inputs", most: MOST_WITHOUT_INPUT },
  { name: "typed session", run: "", steps: SESSION, depth: "inputs", most: MOST_WITH_SESSION },
  { name: "default depth", run: "poweroff -f", steps: [], depth: "traps", most: undefined },
] as const;

/** The simplest boot of Linux. */
const BOOT: Boot = BOOTS.find(({ name }) => name === "cloud-cortex-a57-gic2-smp1-el1")!;

/**
 * Measures and prints.
 *
 * @returns how many are larger than they may be
 */
export async function measureSizes(folder: string): Promise<number> {
  let failures = 0;
  for (const { name, run, steps, depth, most } of MEASURES) {
    const journal = `${folder}/size-${depth}-${steps.length}.hindsight`, script = `${journal}.script`;
    Deno.writeTextFileSync(script, scriptText(steps));
    const append = run === "" ? [] : ["-append", `console=ttyAMA0 panic=-1 hindsight.run="${run}"`];
    await record(BOOT, script, journal, ["--depth", depth, ...append]);
    const { bytes, blocks, lastInstant } = await factsOf(journal);
    const of = (kind: string): number => blocks[kind]?.bytes ?? 0;
    const rest = bytes - of("configuration") - of("roots"); // the root in the block of the end is in it
    const perThousand = (bytes / (lastInstant / 1000)).toFixed(3);
    const parts = Object.entries(blocks).map(([kind, { bytes }]) => `${kind} ${bytes}`).join(", ");
    console.log(
      `journal, ${name}: ${bytes} bytes (${parts}), ${rest} beyond header and roots` +
        `${most === undefined ? "" : ` of at most ${most}`}; ${perThousand} bytes per thousand steps`,
    );
    if (most !== undefined && rest > most) failures++;
  }
  return failures;
}
