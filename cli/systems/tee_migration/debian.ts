/** tee-migration's check with Debian: a shell's long work with sha256sum, moved at random instants of it. */
import { createHash } from "node:crypto";
import { Course } from "../../../world/course.ts";
import { carryOutApart, LocalCrew } from "../../../world/crew.ts";
import { parseWorld, type WorldDescription } from "../../../world/description.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import { silentHost } from "../../host/silent_host.ts";
import { BATCH_OPTIONS, prepareMachine } from "../../machine_options.ts";
import { readOptions } from "../../options.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { commanded, EAST } from "./migrations.ts";

/** What is typed, and what it ends with. */
const WORK =
  "i=0; while [ $i -lt 40 ]; do head -c 200000 /dev/zero | sha256sum; echo $i | sha256sum; i=$((i+1)); done; echo fin''ished\r";
const DONE = "finished", PROMPT = "# ";
/** About how long the work takes, in nanoseconds. */
const WORK_TIME = 8_000_000_000;

function debianHosts(context: CheckContext): { world: WorldDescription; images: MachineImages } {
  const images = new Map<string, never>();
  const nodes = [["east", "source"], ["west", "destination"]].map(([name, role], index) => {
    const args = [
      "-kernel",
      context.guest("linux-cloud/Image"),
      "-initrd",
      context.guest("linux-cloud/initrd.gz"),
    ];
    const monitor = `el2:tee-migration,role=${role},cluster=a-secret-of-ours,timeout=200`;
    const more = [
      "-append",
      "console=ttyAMA0 panic=-1",
      "-m",
      "256M",
      "-seed",
      String(index + 1),
      "--monitor",
      monitor,
    ];
    const prepared = prepareMachine(readOptions([...args, ...more], BATCH_OPTIONS), silentHost);
    for (const [hash, image] of prepared.images) images.set(hash, image as never);
    return { kind: "machine", name, configuration: prepared.configuration };
  });
  const ends = ["east", "west"].map((node) => ({ node, port: "mig" }));
  const world = parseWorld({
    nodes,
    links: [{ name: "wire", kind: "message", ends }],
    rootInterval: 1_000_000_000,
  });
  return { world, images };
}

/** What the work wrote; `at` nanoseconds after it was typed the realm is told to move. */
async function work(
  context: CheckContext,
  at: number | undefined,
): Promise<readonly [east: number, text: string]> {
  const { world, images } = debianHosts(context);
  const consoles: [string, string] = ["", ""];
  let text = "", end = PROMPT, from = 0;
  const course = new Course(world, {
    wrote: (node, bytes) => {
      const written = new TextDecoder().decode(bytes);
      consoles[node as 0 | 1] += written;
      text += written;
    },
  });
  const crew = new LocalCrew(world, { images, ...context.machineOptions() });
  const until = async (wanted: string): Promise<void> => {
    from = text.length;
    end = wanted;
    let rounds = 0;
    await carryOutApart(
      course.rounds(1e12, () => text.includes(end, from)),
      crew,
      () => ++rounds % 1000 === 0 ? context.breathe() : undefined,
    );
    if (!text.includes(end, from)) {
      throw new Error(`"${wanted}" never came; the last was ${JSON.stringify(text.slice(-80))}`);
    }
  };
  await until(PROMPT);
  const mark = text.length,
    typed = { kind: "consoleReceived", bytes: new TextEncoder().encode(WORK) } as const;
  course.give({ time: course.now, node: EAST, input: { kind: "machine", input: typed } });
  if (at !== undefined) course.give(commanded(course.now + at, EAST, "migrate"));
  await until(DONE);
  return [consoles[EAST].length - mark, text.slice(mark)];
}

/** Debian moves at one random instant, or with --all at 50. */
export async function debianMoves(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], count = context.all ? 50 : 1, seed = 21;
  const [, alone] = await work(context, undefined);
  let random = seed, moved = 0;
  for (let index = 0; index < count; index++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const at = Math.floor(random / 2 ** 32 * WORK_TIME);
    const [east, text] = await work(context, at);
    if (text !== alone) {
      failures.push(`moved ${at} ns after it was typed, the work wrote something else (seed ${seed})`);
    }
    if (east < alone.length) moved++;
    context.progress("instants", index + 1, count);
  }
  if (moved !== count) failures.push(`only ${moved} of ${count} times did the realm move`);
  const digest = createHash("sha256").update(alone).digest("hex").slice(0, 16);
  return { failures, figures: { instants: count, moved, bytes: alone.length, digest } };
}
