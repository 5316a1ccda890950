/** Where values of a booted Linux come from: `query`, `who-wrote` and `why`, and whether what they say holds. */
import { EventQuery } from "../../journal/query_expression.ts";
import { queryEvents } from "../../journal/query.ts";
import type { SliceNode } from "../../journal/slice_graph.ts";
import type { Timeline } from "../../journal/timeline.ts";
import { lastWriters, why } from "../../journal/why.ts";
import type { MachineEvent } from "../../machine/events.ts";
import { hindsight } from "../boots/hindsight.ts";
import { imagesFor, openTimeline } from "./open.ts";
import type { Row, RowContext } from "./row.ts";

const GUEST = ".guests/linux-cloud";
/** Where the machine is asked: the shell is there. */
const PROMPT = "hindsight: shell";
/** Links of the chain that is timed. */
const LINKS = 1000;
/** Links that are compared with the steps themselves. */
const COMPARED = 60;

async function recordBoot(folder: string): Promise<string> {
  const journal = `${folder}/linux.hindsight`;
  const machine = ["-m", "512M", "-no-reboot", "-kernel", `${GUEST}/Image`, "-initrd", `${GUEST}/initrd.gz`];
  await hindsight(
    ["record", ...machine, "-append", "console=ttyAMA0 panic=-1", "--until-console", PROMPT, "-o", journal],
  );
  return journal;
}

function stepAt(timeline: Timeline, { instant, cpu }: SliceNode): MachineEvent | undefined {
  return timeline.events(instant, instant + 1, ["step"]).find((event) => event.cpu === cpu);
}

/** A value that a step is said to have written, against the step's own effects. */
function agrees(
  event: MachineEvent | undefined,
  node: SliceNode,
  what: string,
  value: bigint | undefined,
): boolean {
  if (event?.kind !== "stepRetired" || event.pc !== node.step?.pc || event.opcode !== node.step.opcode) {
    return false;
  }
  const number = /^x(\d+)$/.exec(what)?.[1];
  if (number === undefined || value === undefined) return true;
  return event.registers.some(({ register, value: written }) =>
    register === Number(number) && written === value
  );
}

/** Every link of a slice that is compared is what its step did, and was before what it is said to have made. */
function checkLinks(timeline: Timeline, nodes: readonly SliceNode[], { check, tell }: RowContext): void {
  const links = nodes.flatMap((consumer) => consumer.sources.map((source) => ({ consumer, ...source })));
  check("causes come before effects", links.every(({ consumer, node }) => node.instant <= consumer.instant));
  const steps = links.filter(({ node }) => node.kind === "step");
  const every = Math.max(1, Math.floor(steps.length / COMPARED));
  const compared = steps.filter((_, index) => index % every === 0);
  const wrong = compared.filter(({ node, what, value }) =>
    !agrees(stepAt(timeline, node), node, what, value)
  );
  check("links are what the steps did", wrong.length === 0, `${wrong[0]?.what} at ${wrong[0]?.node.instant}`);
  tell(`${compared.length} of ${links.length} links compared with the steps themselves`);
}

async function run(context: RowContext): Promise<void> {
  const { folder, tell, check } = context;
  const journal = await recordBoot(folder);
  const seconds = <T>(what: string, work: () => T): T => {
    const started = performance.now(), result = work();
    tell(`${what}: ${((performance.now() - started) / 1000).toFixed(2)} s`);
    return result;
  };
  const timeline = openTimeline(journal), { run, lastInstant } = timeline;
  const images = imagesFor(journal, run);
  tell(`${lastInstant} steps`);

  let looked = 0;
  const count = (expression: string): number => {
    looked = 0;
    const query = new EventQuery(expression);
    return [...queryEvents(run, images, query, { looked: () => void looked++ })].length;
  };
  const stored = seconds(
    "query over stored events",
    () => count('class == "supervisorCall" || kind == "deviceWritten"'),
  );
  tell(`${stored} of ${looked} events`);
  check("there are system calls and console accesses", stored > 1000, `${stored}`);
  const details = seconds(
    "query over details",
    () => count('register == "VBAR_EL1" && kind == "systemRegisterWritten"'),
  );
  check("VBAR_EL1 is written", details > 0, `${details}`);

  const limits = { depth: 1e6, count: LINKS + 1, address: true };
  const chain = seconds(
    "why x0, opened cold",
    () => why(openTimeline(journal), { kind: "register", name: "x0" }, lastInstant, limits),
  );
  check("a thousand links are found", chain.nodes.length === LINKS + 1, `${chain.nodes.length}`);
  tell(
    `${
      chain.nodes.length - 1
    } steps and origins, ${chain.effort.steps} steps looked at in ${chain.effort.windows} ` +
      `windows, ${chain.effort.searches} searches, back to ${chain.effort.from}`,
  );
  checkLinks(timeline, chain.nodes, context);

  const stack = chain.nodes.find(({ kind, sources }) =>
    kind === "step" && sources.some(({ what }) => what.startsWith("["))
  );
  const memory = stack?.sources.find(({ what }) => what.startsWith("["));
  const [, address = "0", size = "8"] = /^\[(0x[0-9a-f]+), (\d+)\]$/.exec(memory?.what ?? "") ?? [];
  const subject = {
    kind: "memory",
    space: "physical",
    address: BigInt(address),
    size: Number(size),
  } as const;
  const last = seconds(
    "who-wrote, memory",
    () => lastWriters(timeline, subject, (stack as SliceNode).instant),
  );
  check(
    "who-wrote and why agree",
    last.writers.some(({ node }) => node.instant === memory?.node.instant),
    `${last.writers[0]?.node.instant}, ${memory?.node.instant}`,
  );
}

/** The row. */
export const provenance: Row = {
  name: "provenance",
  question: "where do values of a booted Linux come from, and how long does it take to say?",
  isQuick: true,
  run,
};
