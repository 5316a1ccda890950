/** A guest that is interrupted while it restores its debug registers: at every step boundary, with the same end. */
import {
  EL0_READS,
  RESTORING_GUEST_BASE,
  RESTORING_INTERRUPT,
  restoringGuestSource,
} from "../../../firmware/dcc_hypercall/restoring_guest.ts";
import { Explorer } from "../../../journal/explore.ts";
import { Replay } from "../../../journal/replay.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";

const SYSTEMS = ["dcc-hypercall,unified-backdoor", "dcc-hypercall,tde=on,unified-backdoor,brk=off"];

function record(
  context: CheckContext,
  monitor: string | undefined,
  script?: readonly string[],
): Promise<Recorded> {
  const { bytes } = assembleProgram(restoringGuestSource(), {
    name: "restoring",
    base: RESTORING_GUEST_BASE,
  });
  return context.record({
    options: [
      "-kernel",
      "guest",
      "-m",
      "32M",
      ...monitor === undefined ? [] : ["--monitor", `el2:${monitor}`],
    ],
    files: { guest: bytes },
    ...script && { script },
  });
}

/** The three numbers that the guest prints: registers, refusals, and interrupts that found all right, twice each. */
function printed(console: string): readonly string[] {
  return console.replaceAll("\r", "").trim().split("\n");
}

/** The instants at which a recorded guest begins to restore, and has done all. */
function windowOf({ run, images }: Recorded, context: CheckContext): readonly [from: number, to: number] {
  const { symbols } = assembleProgram(restoringGuestSource(), { base: RESTORING_GUEST_BASE });
  const replay = new Replay(run, images, context.machineOptions()), found: number[] = [];
  for (const name of ["restore", "restored"]) {
    while (replay.machine.board.cpus[0]!.pc !== symbols.get(name)!) replay.runTo(replay.instant + 1);
    found.push(replay.instant);
  }
  return found as unknown as [number, number];
}

/** No register, and no refusal, is lost wherever an interrupt comes. */
export async function restoring(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  const [registers] = printed((await record(context, undefined)).console);
  for (const monitor of SYSTEMS) {
    const recorded = await record(context, monitor), whole = printed(recorded.console);
    const refused = EL0_READS.toString(16).padStart(16, "0");
    const wanted = (right: number) => [registers, refused, right.toString(16).padStart(16, "0")].join();
    if (whole.join() !== wanted(0)) failures.push(`${monitor}: ${whole}, not ${wanted(0)}`);
    const [from, to] = windowOf(recorded, context);
    const explorer = new Explorer(recorded.run, recorded.images, {
      ...context.machineOptions(),
      from,
      until: recorded.end.instant + 5000,
      injections: [{ kind: "interruptInjected", interrupt: RESTORING_INTERRUPT }],
    });
    let futures = 0;
    for (const { instant, outcome } of explorer.explore(from, to)) {
      const end = printed(outcome.console).join();
      if (end !== wanted(2)) failures.push(`${monitor}, interrupted at ${instant}: ${end}, not ${wanted(2)}`);
      if (++futures % 16 === 0) await context.breathe();
    }
    const interrupted = await record(context, monitor, [`at ${from + 20} inject irq ${RESTORING_INTERRUPT}`]);
    failures.push(...await context.replayOn(interrupted, Object.keys(ENGINES)));
    figures[`interrupted, ${monitor}`] = futures;
  }
  return { failures: failures.slice(0, 20), figures };
}
