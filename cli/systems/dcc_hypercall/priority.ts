/** The order of traps of the debug registers: a guest's every access here, as the Arm ARM decides it, and on QEMU. */
import {
  PRIORITY_GUEST_BASE,
  type PriorityAccess,
  priorityAccesses,
  priorityGuestSource,
  takerOf,
} from "../../../firmware/dcc_hypercall/priority_guest.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";

/** An exception as both tell it. */
interface Taken {
  readonly from: number;
  readonly to: number;
  readonly syndrome: number;
}

const MACHINE = ["-M", "virt,virtualization=on", "-cpu", "cortex-a57", "-kernel", "guest"];
const HVC = 0x16, SVC = 0x15, UNKNOWN = 0, TRAPPED = 0x18;
/** Immediates of the calls that are none of the accesses: what was not taken, and what EL1 hands on. */
const NOBODY = 0x100, HANDED_ON = 0x200;

const classOf = ({ syndrome }: Taken): number => syndrome >>> 26;
const isCall = (taken: Taken): boolean => [HVC, SVC].includes(classOf(taken));
const textOf = ({ from, to, syndrome }: Taken): string =>
  `EL${from} to EL${to} ESR 0x${syndrome.toString(16)}`;

function guestOf(accesses: readonly PriorityAccess[]): Uint8Array {
  return assembleProgram(priorityGuestSource(accesses), { name: "priority guest", base: PRIORITY_GUEST_BASE })
    .bytes;
}

function record(context: CheckContext, accesses: readonly PriorityAccess[]): Promise<Recorded> {
  return context.record({ options: [...MACHINE, "-m", "32M"], files: { guest: guestOf(accesses) } });
}

function takenHere({ run, images }: Recorded): Taken[] {
  const found: Taken[] = [];
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind !== "exceptionTaken") continue;
    found.push({ from: event.from, to: event.to, syndrome: Number(event.syndrome) });
  }
  return found;
}

/** Exceptions in what QEMU writes for `-d int`. */
export function takenInLog(log: string): Taken[] {
  const pattern = /\.\.\.from EL(\d) to EL(\d)\n\.\.\.with ESR 0x[0-9a-f]+\/0x([0-9a-f]+)/g;
  return [...log.matchAll(pattern)].map(([, from, to, syndrome]) => ({
    from: Number(from),
    to: Number(to),
    syndrome: Number.parseInt(syndrome!, 16),
  }));
}

/** Who took each access: the first exception since the one before, calls that say that nobody did left out. */
function takersOf(taken: readonly Taken[]): Taken[] {
  return taken.filter((one) => !isCall(one) || (one.syndrome & 0xffff) === NOBODY)
    // EL0 says it by SVC, which EL1 hands on.
    .filter((one) => (one.syndrome & 0xffff) !== HANDED_ON || classOf(one) !== HVC);
}

/** Every combination as the registers' pseudocode decides it, TDCC before all of EL2's. */
export async function asTheArmArm(context: CheckContext): Promise<CheckOutcome> {
  const accesses = priorityAccesses(true), recorded = await record(context, accesses);
  const taken = takersOf(takenHere(recorded)), failures: string[] = [];
  if (taken.length !== accesses.length) {
    failures.push(`${taken.length} of ${accesses.length} accesses`);
  }
  for (const [index, access] of accesses.entries()) {
    const one = taken[index], wanted = takerOf(access);
    const isUndefined = access.level === 0 && !access.register.endsWith("_el0");
    const isRight = one !== undefined && one.from === access.level &&
      (wanted === 0 ? isCall(one) : one.to === wanted && classOf(one) === (isUndefined ? UNKNOWN : TRAPPED));
    if (!isRight) failures.push(`${JSON.stringify(access)}: EL${wanted} and not ${one && textOf(one)}`);
  }
  failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
  return { failures: failures.slice(0, 20), figures: { accesses: accesses.length } };
}

/** Without TDCC, which QEMU 7.2 does not know: every exception of the same bytes is QEMU's. */
export async function asQemu(context: CheckContext): Promise<CheckOutcome> {
  const accesses = priorityAccesses(false), guest = guestOf(accesses);
  const here = takenHere(await record(context, accesses)).map(textOf);
  const { log } = await context.qemu({ options: [...MACHINE, "-d", "int"], files: { guest } });
  // What turns the machine off is told as an exception to the level of the firmware, which is not there.
  const there = takenInLog(log).filter(({ to }) => to < 3).map(textOf), failures: string[] = [];
  for (let index = 0; index < Math.max(here.length, there.length); index++) {
    if (here[index] === there[index]) continue;
    failures.push(`exception ${index}: ${here[index]} here, ${there[index]} on QEMU`);
    break;
  }
  if (there.length < accesses.length) failures.push(`QEMU told of ${there.length} exceptions`);
  return { failures, figures: { accesses: accesses.length, "exceptions alike": there.length } };
}
