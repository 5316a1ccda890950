/** What is to fail, and how: requests that there are not, HVC where it is disabled, interrupts in the middle of a switch. */
import { changedTrampoline } from "../../../firmware/el2_trampoline/image.ts";
import { INTERRUPTS } from "../../../firmware/el2_trampoline/layout.ts";
import { hex } from "../../../machine/address.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { switchSpans } from "./costs.ts";
import { follow } from "./follow.ts";
import { smallRun } from "./machines.ts";

const ROUNDS = 12;

async function requests(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const vmm of ["a64", "typescript"] as const) {
    const { image, ...request } = smallRun({ rounds: ROUNDS, vmm }), recorded = await context.record(request);
    const { worlds, failures: found } = await follow(context, recorded, image, context.engine);
    failures.push(...found.map((text) => `${vmm}: ${text}`));
    if (worlds.refusals !== 1) failures.push(`${vmm}: ${worlds.refusals} requests were refused, not 1`);
    // The guest's HVC #1 is its VMM's: it is told that there is no such call, and no switch comes of it.
    if (!recorded.console.includes("guest: the vmkernel's call: 0xffffffffffffffff")) {
      failures.push(`${vmm}: the guest's HVC #1 was not refused`);
    }
    const switches = 2 * (ROUNDS + 1);
    if (worlds.switches !== switches) failures.push(`${vmm}: ${worlds.switches} switches, not ${switches}`);
  }
  return { failures, figures: { rounds: ROUNDS } };
}

/** ESR_EL1 of an UNDEFINED instruction. */
const UNDEFINED = "0x0000000002000000";

/** HVC by the two ways in which it can be disabled: SCR_EL3.HCE = 0, and HCR_EL2.HCD = 1 where there is no EL3. */
async function disabled(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  const small = smallRun({ rounds: 1, withoutCalls: true });
  const withoutHce = {
    ...small,
    options: [
      ...["-M", "virt,secure=on,virtualization=on", "-cpu", "cortex-a57", "-m", "128"],
      ...["-semihosting", "-device", "loader,file=trampoline.bin,addr=0x40200000,force-raw=on,cpu-num=0"],
    ],
  };
  const hcd = smallRun({
    rounds: 1,
    build: (options) => changedTrampoline(options, "layout", "HOST_HCR, 0x80000000", "HOST_HCR, 0xa0000000"),
  });
  for (const [name, { image, ...request }] of Object.entries({ "HCE = 0": withoutHce, "HCD = 1": hcd })) {
    const at = image.program.symbols.get("vmkernel_unknown") as bigint;
    const wanted = `vmkernel: exception: ${UNDEFINED} at 0x${at.toString(16).padStart(16, "0")}\r\n`;
    const recorded = await context.record(request);
    if (recorded.console !== wanted) {
      failures.push(`${name}: the console is ${JSON.stringify(recorded.console)}`);
    }
    failures.push(...await context.replayOn(recorded, ["threaded", "compiled", "reference"]));
    for (const event of recorded.run.stored({ from: 0, to: Infinity, classes: ["trap"] })) {
      if (event.kind === "exceptionTaken" && event.to === 2) {
        failures.push(`${name}: an exception came to EL2 at instant ${event.instant}`);
      }
    }
  }
  return { failures, figures: { ways: 2 } };
}

/** Every so many instants of a switch an interrupt is made pending: with tags it is nearly the same switch. */
const STRIDE = { quick: 29, all: 1, tags: 7 } as const;
/** Instants before and behind. */
const MARGIN = 4;

/** What became of one interrupt that came at an instant. */
function interrupted({ run, console }: Recorded, parent: Recorded, at: number): string[] {
  const failures: string[] = [], taken = { el1: 0, el2: 0 };
  for (const event of run.stored({ from: at, to: Infinity, classes: ["trap"] })) {
    if (event.kind !== "exceptionTaken" || event.exception !== "irq") continue;
    if (event.from === 2) failures.push(`at ${at}: EL2 is interrupted at instant ${event.instant}`);
    taken[event.to === 2 ? "el2" : "el1"]++;
  }
  if (taken.el1 !== 1) failures.push(`at ${at}: the vmkernel takes it ${taken.el1} times`);
  if (taken.el2 > 1) failures.push(`at ${at}: it stops the guest ${taken.el2} times`);
  // Only how often the vmkernel entered differs.
  const same = (text: string) => text.replace(/entered: 0x[0-9a-f]+/, "");
  if (same(console) !== same(parent.console)) {
    failures.push(`at ${at}: the console is ${JSON.stringify(console)}`);
  }
  return failures;
}

async function inTheMiddle(context: CheckContext): Promise<CheckOutcome> {
  const runs = context.all
    ? [{ stride: STRIDE.all }, { stride: STRIDE.tags, form: "tags", pauth: true } as const]
    : [{ stride: STRIDE.quick }];
  const failures: string[] = [];
  let count = 0;
  for (const { stride, ...run } of runs) {
    const { image, ...request } = smallRun({ ...run, rounds: ROUNDS });
    const parent = await context.record(request), spans = switchSpans(parent, image);
    for (const direction of ["enter", "leave"] as const) {
      const span = spans.filter((one) => one.direction === direction)[ROUNDS / 2];
      if (span === undefined) throw new RangeError(`The run has no switch to ${direction}`);
      for (let at = span.from - MARGIN; at <= span.to + MARGIN; at += stride) {
        const script = [`inject irq ${INTERRUPTS.DOORBELL}`];
        failures.push(...interrupted(await context.fork({ parent, at, script }), parent, at));
        context.progress(`an interrupt at ${hex(BigInt(at))}`, ++count);
        await context.breathe();
      }
    }
  }
  return { failures, figures: { "interrupts, each in a run of its own": count } };
}

/** The checks. */
export const REFUSAL_CHECKS: readonly SystemCheck[] = [
  { name: "an unknown request changes nothing but X0, and a guest's HVC is the guest's", run: requests },
  { name: "HVC that is disabled is UNDEFINED at EL1, and EL2 sees nothing of it", run: disabled },
  { name: "an interrupt at any instant of a switch stays masked and is taken once after", run: inTheMiddle },
];
