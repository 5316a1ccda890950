/** The guest that accesses registers by every instruction: on hardware, simulated, moved about, and where nothing is. */
import {
  REFUSED_ACCESSES,
  SINGLE_ACCESSES,
  UNALIGNED_ACCESSES,
} from "../../../firmware/el3_simdev/register_accesses.ts";
import { REGISTER_GUEST_BASE, registerGuestSource } from "../../../firmware/el3_simdev/register_guest.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { seeded } from "../random.ts";
import { foldDevices, partingOf, traceOf } from "./trace.ts";

const SIMULATED = ["--monitor", "el3:el3-simdev"];
const ANSWERED = { accesses: [...SINGLE_ACCESSES, ...UNALIGNED_ACCESSES], waits: true } as const;
const REFUSED = { accesses: REFUSED_ACCESSES } as const;

type Wanted = typeof ANSWERED | typeof REFUSED;

function guestBytes(wanted: Wanted, conduit: "hvc" | "smc"): Uint8Array {
  const source = registerGuestSource({ ...wanted, conduit });
  return assembleProgram(source, { name: "registers", base: REGISTER_GUEST_BASE }).bytes;
}

interface Machine {
  readonly name: string;
  readonly board: string;
  readonly monitor?: readonly string[];
  readonly script?: readonly string[];
}

/** PSCI is called by HVC only where the guest has no level above it that takes SMC. */
function record(
  context: CheckContext,
  wanted: Wanted,
  { name, board, monitor = [], script }: Machine,
): Promise<Recorded> {
  const conduit = monitor.length === 0 && !board.includes("virtualization") ? "hvc" : "smc";
  return context.record({
    name,
    options: ["-M", board, "-kernel", "guest", "-m", "64M", ...monitor],
    files: { guest: guestBytes(wanted, conduit) },
    depth: "traps",
    ...(script === undefined ? {} : { script }),
  });
}

const linesOf = ({ console }: Recorded): string[] => console.split("\n");

/** Registers of both devices by every load and store: hardware, hardware below a monitor, and simulated. */
export async function checkRegisters(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const level of [1, 2]) {
    const board = level === 2 ? "virt,virtualization=on" : "virt", name = `el${level}`;
    const hardware = await record(context, ANSWERED, { name: `hardware-${name}`, board });
    const idle = await record(context, ANSWERED, {
      name: `below-${name}`,
      board,
      monitor: ["--monitor", "el3"],
    });
    const simulated = await record(context, ANSWERED, {
      name: `simulated-${name}`,
      board: `${board},unplugged=rtc+uart0`,
      monitor: SIMULATED,
    });
    const trace = await traceOf(context, hardware, ["rtc", "uart0"]);
    for (const [other, what] of [[idle, "below a monitor"], [simulated, "simulated"]] as const) {
      const printed = partingOf(linesOf(hardware), linesOf(other));
      const accessed = partingOf(trace, await traceOf(context, other, ["rtc", "uart0"]));
      if (printed !== undefined) failures.push(`EL${level}, ${what}: printed ${printed}`);
      if (accessed !== undefined) failures.push(`EL${level}, ${what}: accesses ${accessed}`);
    }
    if (!/^22 1 1 $/m.test(hardware.console)) {
      failures.push(`EL${level}: the alarm's interrupt did not arrive`);
    }
    failures.push(...await context.replayOn(simulated, Object.keys(ENGINES)));
    const folded = await foldDevices(context, simulated);
    failures.push(...folded.failures.map((line) => `EL${level}: ${line}`));
    figures[`accesses at EL${level} and below`] = trace.length;
  }
  return { failures, figures };
}

/** The same bytes print the same on QEMU, whose devices are there. */
export async function checkOnQemu(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const level of [1, 2]) {
    const board = level === 2 ? "virt,virtualization=on" : "virt";
    const simulated = await record(context, ANSWERED, {
      name: `simulated-el${level}`,
      board: `${board},unplugged=rtc+uart0`,
      monitor: SIMULATED,
    });
    const there = await context.qemu({
      options: [
        "-M",
        board,
        "-cpu",
        "cortex-a57",
        "-kernel",
        "guest",
        "-rtc",
        "base=2026-01-01T00:00:00,clock=vm",
      ],
      files: { guest: guestBytes(ANSWERED, level === 2 ? "smc" : "hvc") },
    });
    const lines = (text: string): string[] => text.replaceAll("\r", "").split("\n");
    const parting = partingOf(lines(there.console), lines(simulated.console));
    if (parting !== undefined) {
      failures.push(`EL${level}: QEMU and the simulated devices differ in ${parting}`);
    }
  }
  return { failures, figures: {} };
}

/** What cannot be done is the abort of a board on which the device is missing, register by register. */
export async function checkRefused(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let aborts = 0;
  for (const level of [1, 2]) {
    const board = `virt,unplugged=rtc${level === 2 ? ",virtualization=on" : ""}`;
    const missing = await record(context, REFUSED, { name: `missing-el${level}`, board });
    const simulated = await record(context, REFUSED, {
      name: `refused-el${level}`,
      board,
      monitor: SIMULATED,
    });
    const parting = partingOf(linesOf(missing), linesOf(simulated));
    if (parting !== undefined) failures.push(`EL${level}: an abort differs, ${parting}`);
    const found = missing.console.match(/^([0-9a-f]+ ){3}[89][26]0000[15]0 /gm)?.length ?? 0;
    if (found < REFUSED_ACCESSES.length) failures.push(`EL${level}: there are only ${found} aborts`);
    aborts += found;
    failures.push(...await context.replayOn(simulated, Object.keys(ENGINES)));
  }
  return { failures, figures: { "aborts that stay aborts": aborts } };
}

/** Moves of a run, and the seed of their instants. */
const MOVES = 24, SEED = 14;

/** Devices go to the hardware and back at random instants; the guest prints and accesses the same. */
export async function checkMoves(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], board = "virt,unplugged=rtc+uart0";
  const still = await record(context, ANSWERED, { name: "still", board, monitor: SIMULATED });
  const wanted = await traceOf(context, still, ["rtc", "uart0"]);
  const runs = context.all ? 50 : 3,
    numbers = seeded(SEED),
    draw = (below: number): number => numbers.next().value % below;
  for (let run = 0; run < runs; run++) {
    const instants = Array.from({ length: MOVES }, () => draw(still.end.instant)).sort((a, b) => a - b);
    const plugged = new Set<string>();
    const script = instants.map((instant) => {
      const name = draw(2) === 0 ? "rtc" : "uart0", verb = plugged.delete(name) ? "unplug" : "plug";
      if (verb === "plug") plugged.add(name);
      return `at ${instant} monitor el3 el3-simdev ${verb} ${name}`;
    });
    const moved = await record(context, ANSWERED, {
      name: `moved-${run}`,
      board,
      monitor: SIMULATED,
      script,
    });
    const trace = await traceOf(context, moved, ["rtc", "uart0"]), where = `run ${run} of seed ${SEED}`;
    const printed = partingOf(linesOf(still), linesOf(moved)), accessed = partingOf(wanted, trace);
    if (printed !== undefined) failures.push(`${where}: printed ${printed}`);
    if (accessed !== undefined) failures.push(`${where}: accesses ${accessed}`);
    if (run === 0) failures.push(...await context.replayOn(moved, Object.keys(ENGINES)));
    context.progress("moving devices", run + 1, runs);
    await context.breathe();
  }
  return { failures, figures: { moves: runs * MOVES } };
}
