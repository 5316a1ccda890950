/** A lost update in a program on Linux, found by `explore`, and what it takes by `bisect --inputs`. */
import { hindsight } from "../boots/hindsight.ts";
import { openTimeline } from "./open.ts";
import { RACE_INIT, raceInitramfs } from "./race_init.ts";
import type { Row, RowContext } from "./row.ts";

const KERNEL = ".guests/linux-cloud/Image";
/** Step boundaries before the first write of the counter, and after it, that are tried. */
const WINDOW = { before: 40, after: 60 };
/** Boundaries between the load of the counter and its store. */
const OPEN = 15;

interface Report {
  readonly futures: number;
  readonly outcomes: readonly {
    readonly console: string;
    readonly count: number;
    readonly futures: readonly (readonly [number, string])[];
    readonly journal: string;
  }[];
}

/** The instant of the step that first writes a virtual address. */
function firstWrite(journal: string, address: bigint): number {
  const timeline = openTimeline(journal);
  const watches = [{ kind: "write", address, size: 8, space: "virtual" }] as const;
  const reached = timeline.runForwardTo({ watches });
  if (reached.kind === "hit") return reached.hits[0]!.instant;
  throw new Error(`Nothing writes 0x${address.toString(16)}`);
}

async function run(context: RowContext): Promise<void> {
  const { folder, tell, check } = context;
  const initrd = `${folder}/initrd.gz`, recorded = `${folder}/race.hindsight`;
  await Deno.writeFile(initrd, raceInitramfs());
  const machine = ["-smp", "2", "-m", "256M", "-kernel", KERNEL, "-initrd", initrd, "-no-reboot"];
  const said = await hindsight(
    ["record", ...machine, "-append", "console=ttyAMA0 quiet panic=-1", "-o", recorded],
  );
  check("the recorded run keeps all increments", said.startsWith("kept"), said.slice(0, 200));

  // The counter is at its virtual address; only this program has it there.
  const first = firstWrite(recorded, RACE_INIT.symbols.get("counter")!);
  tell(`the counter is first written at instant ${first}`);
  const started = performance.now();
  const explored = await hindsight(
    ["explore", recorded, "--from", String(first - WINDOW.before), "--to", String(first + WINDOW.after)]
      .concat(
        ["--inject", "switch:0", "-o", folder, "--json"],
      ),
  );
  const { futures, outcomes } = JSON.parse(explored) as Report;
  tell(`${futures} futures of Linux in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  for (const { count, console } of outcomes) tell(`  ${count}: ${JSON.stringify(console)}`);
  const lost = outcomes.find(({ console }) => console.startsWith("lost"));
  check("explore finds the boundaries that lose an increment", lost?.count === OPEN, `${lost?.count}`);
  check(
    "they end with the store",
    lost?.futures.at(-1)?.[0] === first,
    `${lost?.futures.at(-1)?.[0]}, ${first}`,
  );
  if (lost === undefined) return;
  const replayed = await hindsight(["replay", "--console", lost.journal]);
  check("the journal of the outcome replays to it", replayed.includes("lost"), replayed.slice(-200));
  await leastInputs(context, recorded, lost.futures[0]![0]);
}

/** Among inputs as a fuzzer would have tried them, the one that loses the increment. */
async function leastInputs({ folder, tell, check }: RowContext, recorded: string, at: number): Promise<void> {
  const script = `${folder}/fuzzed.script`, fuzzed = `${folder}/fuzzed.hindsight`;
  const lines = [
    `at ${at - 40} inject irq 70`,
    `at ${at - 30} inject irq 71`,
    `at ${at} switch cpu 0`,
    `at ${at + 5} inject irq 72`,
    `at ${at + 3000} inject irq 73`,
    `at ${at + 9000} inject irq 74`,
  ];
  await Deno.writeTextFile(script, `${lines.join("\n")}\n`);
  await hindsight(["fork", recorded, "--at", String(at - 100), "--script", script, "-o", fuzzed]);
  const bisected = await hindsight(["bisect", fuzzed, "--inputs", "--json"]);
  const { inputs, candidates } = JSON.parse(bisected) as {
    inputs: { instant: number }[];
    candidates: number;
  };
  tell(`of ${candidates} inputs it takes ${JSON.stringify(inputs)}`);
  check("one switch is what it takes", inputs.length === 1 && inputs[0]?.instant === at && candidates === 6);
}

/** The row. */
export const plantedRace: Row = {
  name: "planted-race",
  question: "which step boundaries of a program on Linux lose an increment when the other CPU gets the turn?",
  isQuick: true,
  run,
};
