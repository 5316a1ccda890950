/** Guests that make configuration cycles by every instruction: shown by a monitor, and on the board's own PCI. */
import {
  atomicAccesses,
  BOARD_ECAM,
  functionAccesses,
  refusedAccesses,
  sharedAccesses,
} from "../../../firmware/el3_ecam/config_accesses.ts";
import { executeOnlyProgram } from "../../../firmware/el3_ecam/execute_only.ts";
import type { RegisterAccess } from "../../../firmware/el3_simdev/register_accesses.ts";
import { REGISTER_GUEST_BASE, registerGuestSource } from "../../../firmware/el3_simdev/register_guest.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ENGINES } from "../../../machine/machine.ts";
import { partingOf } from "../el3_simdev/trace.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import {
  AT_EL2,
  AT_EL3,
  BELOW_EL2,
  cyclesOf,
  cycleText,
  diskOptions,
  REAL,
  recordGuest,
  type Server,
  SMALL_DISK,
} from "./machines.ts";
import { Specified, wrongCycles } from "./specification.ts";

function guestBytes(accesses: readonly RegisterAccess[], conduit: "hvc" | "smc"): Uint8Array {
  const source = registerGuestSource({ accesses, conduit });
  return assembleProgram(source, { name: "cycles", base: REGISTER_GUEST_BASE }).bytes;
}

/** What a guest printed, with places told alike: those of the window, and of the controller. */
function printed({ console }: Recorded, { window, base }: Server): string[] {
  const first = (address: number): string => address.toString(16).slice(0, -5);
  const place = (address: number, digits: number): RegExp =>
    new RegExp(`\\b${first(address)}([0-9a-f]{${digits}})\\b`, "g");
  return console.replaceAll(place(window, 5), "window+$1").replaceAll(place(base, 5), "base+$1").split("\n");
}

/** Every load and store at EL2, EL1 and EL0, and with the MMU on: as on the board's own PCI. */
export async function checkFunction(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  const realAtEl2: Server = {
    ...REAL,
    name: "real-el2",
    board: `${REAL.board},virtualization=on`,
    conduit: "smc",
  };
  for (const [real, ...shims] of [[REAL, AT_EL3, AT_EL2], [realAtEl2, BELOW_EL2]] as const) {
    const run = (server: Server): Promise<Recorded> =>
      recordGuest(context, server, guestBytes(functionAccesses(server.window), server.conduit));
    const wanted = await run(real), cycles = cyclesOf(wanted, real.window);
    const lines = cycles.map((cycle) => cycleText(cycle, real.base));
    for (const shim of shims) {
      const recorded = await run(shim), found = cyclesOf(recorded, shim.window);
      const said = partingOf(printed(wanted, real), printed(recorded, shim));
      const parting = partingOf(lines, found.map((cycle) => cycleText(cycle, shim.base)));
      if (said !== undefined) failures.push(`${shim.name}: the guest saw something else, ${said}`);
      if (parting !== undefined) {
        failures.push(`${shim.name}: cycles differ from the board's own, ${parting}`);
      }
      const wrong = wrongCycles(found, new Map([[8, new Specified(shim.base)]]));
      failures.push(...wrong.slice(0, 3).map((line) => `${shim.name}: ${line}`));
      failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
    }
    figures[`cycles of a guest at EL${real === REAL ? 1 : 2}`] = cycles.length;
  }
  return { failures, figures };
}

/** What QEMU's controller shares: the same bytes on QEMU's own PCI print the same. */
export async function checkOnQemu(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const shim of [AT_EL3, BELOW_EL2]) {
    const isEl2 = shim === BELOW_EL2, board = isEl2 ? `${REAL.board},virtualization=on` : REAL.board;
    const recorded = await recordGuest(
      context,
      { ...shim, name: `shared-${shim.name}` },
      guestBytes(sharedAccesses(shim.window), shim.conduit),
    );
    const there = await context.qemu({
      options: [
        ...["-M", board, "-cpu", "cortex-a57", "-kernel", "guest", "-m", "64M"],
        ...diskOptions(context, "nvme,addr=1", SMALL_DISK, "qemu"),
      ],
      files: { guest: guestBytes(sharedAccesses(BOARD_ECAM), isEl2 ? "smc" : "hvc") },
    });
    const lines = printed({ ...recorded, console: there.console.replaceAll("\r", "") }, REAL);
    const parting = partingOf(lines, printed(recorded, shim));
    if (parting !== undefined) {
      failures.push(`${shim.name}: QEMU's controller and the shim differ in ${parting}`);
    }
    if (lines.length < 100) failures.push(`QEMU printed only ${lines.length} lines`);
  }
  return { failures, figures: {} };
}

const ABORT_CLASSES = [0x20n, 0x21n, 0x24n, 0x25n];

/** The aborts that a guest took below a level, by hardware or by injection: target, syndrome, FAR, return address, vector. */
function abortsOf({ run }: Recorded, below: number): string[] {
  return [...run.stored({ from: 0, to: Infinity, classes: ["trap"] })].flatMap((event) => {
    if (event.kind !== "exceptionTaken" && event.kind !== "exceptionInjected") return [];
    const { to, syndrome, faultAddress, returnAddress, vector } = event;
    if (to >= below || !ABORT_CLASSES.includes(BigInt(syndrome) >> 26n)) return [];
    return [[to, syndrome, faultAddress, returnAddress, vector].map((value) => value.toString(16)).join(" ")];
  });
}

/** What is no plain access is the abort of a board with nothing there, at each level, from a monitor at either. */
export async function checkRefused(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let aborts = 0;
  for (const [cpu, list] of [["cortex-a57", refusedAccesses], ["max", atomicAccesses]] as const) {
    for (
      const [board, shims] of [["virt", [AT_EL3, AT_EL2]], ["virt,virtualization=on", [BELOW_EL2]]] as const
    ) {
      const accesses = list(AT_EL3.window), conduit = board === "virt" ? "hvc" : "smc";
      const nothing = await context.record({
        options: ["-M", board, "-cpu", cpu, "-kernel", "guest", "-m", "64M"],
        files: { guest: guestBytes(accesses, conduit) },
      });
      for (const shim of shims) {
        const server = { ...shim, name: `refused-${cpu}-${shim.name}` };
        const recorded = await recordGuest(context, server, guestBytes(accesses, shim.conduit), [
          "-cpu",
          cpu,
        ]);
        const parting = partingOf(nothing.console.split("\n"), recorded.console.split("\n"));
        if (parting !== undefined) failures.push(`${server.name}: an abort differs, ${parting}`);
        const vectors = partingOf(abortsOf(nothing, 3), abortsOf(recorded, shim === AT_EL2 ? 2 : 3));
        if (vectors !== undefined) failures.push(`${server.name}: an abort is taken differently, ${vectors}`);
        failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
      }
      const found = nothing.console.match(/^([0-9a-f]+ ){3}[89][26]0000[15]0 /gm)?.length ?? 0;
      if (found < 2 * accesses.length) failures.push(`${board}, ${cpu}: there are only ${found} aborts`);
      aborts += found;
    }
  }
  return { failures, figures: { "aborts that stay aborts": aborts } };
}

/** An instruction that AT cannot read is none that EL3 can take apart; EL2 has the syndrome, and needs none. */
export async function checkUnreadable(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], address = AT_EL3.window + 0x8000;
  const nothing = await context.record({
    options: ["-M", "virt", "-kernel", "guest", "-m", "64M"],
    files: { guest: executeOnlyProgram(address, "hvc").bytes },
  });
  if (!/^0x0*92000010/.test(nothing.console)) {
    failures.push(`without a shim the access gave ${nothing.console}`);
  }
  const wanted = [[AT_EL3, nothing.console], [
    AT_EL2,
    `0x${"101b36".padStart(16, "0")}0x${"0".repeat(16)}`,
  ]] as const;
  for (const [shim, text] of wanted) {
    const server = { ...shim, name: `unreadable-${shim.name}` };
    const recorded = await recordGuest(context, server, executeOnlyProgram(address, shim.conduit).bytes);
    if (recorded.console !== text) failures.push(`${shim.name}: ${recorded.console}, not ${text}`);
    failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
  }
  return { failures, figures: {} };
}
