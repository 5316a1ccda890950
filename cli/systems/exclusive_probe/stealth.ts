/** Stealth: a monitor that carries out its guest's stores itself is not found, and the guest's steps are those of bare metal. */
import { PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import { PROBE_BASE, type ProbeOptions } from "../../../firmware/exclusive_probe/probe.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { ProbeMap } from "./attribution.ts";
import { guestOn, MACHINES, monitored, probe, type ProbedMachine, recordProbe } from "./machines.ts";
import { mismatches, trapLevel } from "./prediction.ts";
import { parseReport } from "./report.ts";

const BARE = MACHINES[0]!;
/** Everything is trapped, and nothing of it is to be noticed: these controls trap, and none are predicted to be found. */
const STEALTHY: readonly (readonly [machine: ProbedMachine, traps: readonly string[]])[] = [
  [
    monitored("Mon2 stealthy", "el2:exclusive-probe,traps=tid3+tid2+tacr+tda+cntpct,stealth=on", []),
    ["TID3", "TID2", "TACR", "TDA", "EL1PCTEN"],
  ],
  [monitored("Mon3 stealthy", "el3:exclusive-probe,traps=tda,stealth=on", []), ["TDA3"]],
];
const GUEST: ProbeOptions = { rounds: 16 };
const ENGINE = "reference";
const SCHEDULES = { quick: 8, all: 100 };
const MOST_TOLD = 20;

/** What a guest's steps do, a line each, without the stores (the monitor's or its own) and without what reads of clocks give. */
function visibleSteps(context: CheckContext, { run, images }: Recorded, guest: ProbeOptions): string[] {
  const map = new ProbeMap(probe(guest), guest), lines: string[] = [];
  const options = { ...context.machineOptions(ENGINE), checkEvents: false };
  let isIn = false;
  for (const event of eventStream(run, images, { classes: ["step"] }, options)) {
    if (event.kind !== "stepRetired") continue;
    const { pc, registers, memory } = event;
    // Before its first instruction it is the board's, which passes it a device tree with less memory.
    isIn ||= pc === PROBE_BASE;
    if (!isIn) continue;
    if (map.storeOf(pc) !== undefined) continue;
    const effects = map.isOperation(pc) ? [] : [registers, memory];
    lines.push(
      JSON.stringify([pc, effects], (_key, value) => typeof value === "bigint" ? value.toString(16) : value),
    );
  }
  return lines;
}

/** How many stores a monitor carried out, by what came of them. */
function completed(context: CheckContext, { run, images }: Recorded): { stored: number; failed: number } {
  const options = { ...context.machineOptions(ENGINE), checkEvents: false },
    counts = { stored: 0, failed: 0 };
  for (const event of eventStream(run, images, { classes: ["detail"] }, options)) {
    if (event.kind === "exclusiveCompleted") counts[event.status === 0 ? "stored" : "failed"]++;
  }
  return counts;
}

async function equalSteps(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let steps = 0, stores = 0;
  for (const [machine, traps] of STEALTHY) {
    const { conduit, name } = machine, bare = { ...BARE, conduit };
    // PSCI by SMC needs firmware at EL3, which the bare machine has not: its run ends there, at rest.
    const alone = await recordProbe(context, bare, GUEST, { engine: ENGINE });
    const hidden = await recordProbe(context, machine, GUEST, {
      name: name.toLowerCase().replaceAll(" ", "-"),
      engine: ENGINE,
    });
    const expected = visibleSteps(context, alone, guestOn(bare, GUEST));
    const actual = visibleSteps(context, hidden, guestOn(machine, GUEST));
    const length = conduit === "hvc" ? expected.length : actual.length;
    const differs = actual.findIndex((line, index) => line !== expected[index]);
    if (differs >= 0 || actual.length !== length) {
      failures.push(`${name}: step ${differs} is ${actual[differs]}, on bare metal ${expected[differs]}`);
    }
    const { stored, failed } = completed(context, hidden);
    const trapped = PROBE_OPERATIONS.filter((operation) => (trapLevel(operation, traps) ?? 1) > 1).length;
    if (stored !== trapped * GUEST.rounds! || failed > 0) {
      failures.push(
        `${name}: ${stored} stores were carried out, and ${failed} failed, of ${trapped * GUEST.rounds!}`,
      );
    }
    failures.push(...await context.replayOn(hidden, ["reference", "threaded", "compiled"]));
    steps += actual.length;
    stores += stored;
  }
  return { failures, figures: { steps, stores } };
}

async function disturbed(context: CheckContext): Promise<CheckOutcome> {
  const schedules = context.all ? SCHEDULES.all : SCHEDULES.quick, failures: string[] = [];
  const total = { stored: 0, failed: 0 };
  for (let seed = 0; seed < schedules; seed++) {
    context.progress("schedule", seed + 1, schedules);
    const options = [
      "-smp",
      "2",
      "--schedule-seed",
      String(seed),
      "--quantum",
      String(64 + 37 * (seed % 29)),
    ];
    for (const [machine] of STEALTHY) {
      const guest = { rounds: 16, isContended: true, period: 67 };
      const recorded = await recordProbe(context, machine, guest, { options, engine: ENGINE });
      const report = parseReport(recorded.console, PROBE_OPERATIONS);
      const wrong = mismatches(report, PROBE_OPERATIONS, machine.controls);
      failures.push(...wrong.map((line) => `${machine.name}, schedule ${seed}: ${line}`));
      const { stored, failed } = completed(context, recorded);
      total.stored += stored;
      total.failed += failed;
    }
  }
  if (total.failed === 0) {
    failures.push("no store carried out by a monitor failed: the disturbance shows nothing");
  }
  return { failures: failures.slice(0, MOST_TOLD), figures: { schedules, ...total } };
}

/** The checks. */
export const STEALTH_CHECKS: readonly SystemCheck[] = [
  { name: "a stealthy monitor is not found, and the guest's steps are those on bare metal", run: equalSteps },
  { name: "disturbed by interrupts and another CPU, a stealthy monitor is not found either", run: disturbed },
];
