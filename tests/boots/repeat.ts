/** The law on a real boot: the same machine recorded again and again, on an idle host and a busy one, has one root. */
import { factsOf, record, scriptText } from "./hindsight.ts";
import { type Boot, BOOTS } from "./rows.ts";

/** Four CPUs and no input. */
const FOUR: Boot = {
  ...BOOTS.find(({ name }) => name === "cloud-cortex-a57-gic2-smp4-el1")!,
  name: "repeated",
};

/** How many run at once in the second half, so that every CPU of the host is busy. */
const AT_ONCE = navigator.hardwareConcurrency + 1;

/**
 * Records so many times and compares all roots.
 *
 * @returns how many recordings have other roots than the first
 */
export async function repeatBoot(count: number, folder: string): Promise<number> {
  const script = `${folder}/repeat.script`;
  Deno.writeTextFileSync(script, scriptText([]));
  const options = ["-append", 'console=ttyAMA0 panic=-1 hindsight.run="poweroff -f"', "--depth", "inputs"];
  const rootsOf = async (index: number): Promise<string> => {
    const journal = `${folder}/repeat-${index}.hindsight`;
    await record(FOUR, script, journal, options);
    const { roots } = await factsOf(journal);
    if (index > 0) await Deno.remove(journal);
    return JSON.stringify(roots);
  };
  const first = await rootsOf(0);
  let done = 1, different = 0;
  const worker = async (last: number): Promise<void> => {
    while (done < last) {
      const index = done++;
      if (await rootsOf(index) === first) continue;
      different++;
      console.error(`recording ${index + 1} of the same boot has other roots than the first`);
    }
  };
  await worker(Math.ceil(count / 2));
  await Promise.all(Array.from({ length: AT_ONCE }, () => worker(count)));
  console.log(
    `${count} recordings of the same boot on 4 CPUs, half of them ${AT_ONCE} at once: ${different} with other roots`,
  );
  return different;
}
