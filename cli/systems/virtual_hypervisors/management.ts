/** The management planes: calls at random, limits, planes that crash, consoles, and what is refused. */
import {
  COMPUTE_SOURCE,
  ECHO_SOURCE,
  greetingSource,
  HALF_SOURCE,
  IDLE_SOURCE,
} from "../../../firmware/virtual_hypervisors/guests.ts";
import { FAREWELL, witnessSource } from "../../../firmware/virtual_hypervisors/witness.ts";
import { VIRTUAL_HYPERVISORS } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import type { EventOf } from "../../../machine/events.ts";
import { ENGINES } from "../../../machine/machine.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { credentialOf, type InstancePlan, type MachinePlan, OPERATOR, planMachine } from "./machines.ts";
import { firstDifference, projectedLines, projectionOf } from "./projections.ts";

const A = credentialOf("a"), B = credentialOf("b");
const SEED = 18;

/** A line of a script that makes a call at an instant. */
export const callAt = (instant: number, as: string, fields: object): string =>
  `at ${instant} monitor el2 ${VIRTUAL_HYPERVISORS} ${JSON.stringify({ as, ...fields })}`;

/** Calls from outside and what they came to, in order. */
export function callsOf({ run }: Recorded, instance: number): EventOf<"managementCalled">[] {
  return [...run.stored({ from: 0, to: Infinity, classes: ["trap"] })]
    .filter((event): event is EventOf<"managementCalled"> => event.kind === "managementCalled")
    .filter((event) => event.instance === instance && event.vm === 0);
}

const b = (rounds: number): InstancePlan => ({
  number: 2,
  name: "b",
  megabytes: 16,
  vms: [{ name: "witness", guest: witnessSource({ rounds, gic: 2 }) }, { name: "still", guest: IDLE_SOURCE }],
});
const a: InstancePlan = {
  number: 1,
  name: "a",
  megabytes: 12,
  devices: 5,
  vms: [{ name: "one", guest: COMPUTE_SOURCE }, { name: "two", guest: HALF_SOURCE, isOff: true }],
};

/** Somebody is always on, or the machine would turn itself off. */
const STAYING: InstancePlan = { number: 3, name: "c", vms: [{ name: "busy", guest: COMPUTE_SOURCE }] };

/** Calls of an instance, some of which make sense; `theirs` are names and handles of another. */
function* randomCalls(theirs: readonly string[]): Generator<object> {
  const numbers = seeded(SEED);
  const below = (end: number): number => numbers.next().value % end;
  const pick = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  const names = ["one", "two", "x", "y", "root", ...theirs];
  const odd: readonly unknown[] = [0, -1, 512, 1024, 511, 2 ** 31, 1.5, "512", null, [], {}, ""];
  const name = (): unknown => below(20) === 0 ? pick(odd) : pick(names);
  const number = (): unknown => below(4) === 0 ? pick(odd) : pick([512, 1024, 2048, 1, 10]);
  const kinds: readonly (() => object)[] = [
    () => ({ call: "list" }),
    () => ({ call: "stat", of: name() }),
    () => ({ call: "createGroup", name: name(), pages: number(), share: number(), parent: name() }),
    () => ({ call: "createGroup", name: name() }),
    () => ({ call: "setLimits", group: name(), pages: number(), devices: number() }),
    () => ({ call: "deleteGroup", group: name() }),
    () => ({
      call: "createVm",
      name: name(),
      pages: number(),
      image: pick(["guest-one", "guest-two", "guest-witness"]),
    }),
    () => ({
      call: "createVm",
      name: name(),
      pages: 512,
      image: "guest-two",
      group: name(),
      share: number(),
    }),
    ...["startVm", "pauseVm", "resumeVm", "stopVm", "deleteVm", "readConsole"].map((call) => () => ({
      call,
      vm: name(),
    })),
    () => ({ call: "writeConsole", vm: name(), text: pick(["q", "", "hello"]), at: number() }),
    () => ({
      call: pick(["createInstance", "deleteInstance", "attach", "crashPlane", "", "__proto__"]),
      instance: 2,
    }),
    () => below(5) === 0 ? { call: "crash" } : { call: "list", extra: below(2) },
    () => ({ as: pick(["", "b", "secret-of-", "operator", "nobody"]), call: "list" }),
  ];
  for (;;) yield pick(kinds)();
}

/** 10,000 calls of one instance: nothing of another is read or changed. */
export async function fuzzedCalls(context: CheckContext): Promise<CheckOutcome> {
  const count = 10_000, failures: string[] = [], rounds = 12, every = 30;
  const machine = (more: Partial<MachinePlan> = {}) =>
    planMachine({ instances: [a, b(rounds), STAYING], ...more });
  const asked = callAt(10, B, { call: "list" });
  const quiet = await context.record({ ...machine(), script: [asked, `expect "${FAREWELL}"`, "power cut"] });
  const [listed] = callsOf(quiet, 2);
  const { ok } = JSON.parse(listed?.answer ?? "{}") as {
    ok: Record<string, { name: string; handle?: string }[]>;
  };
  const theirs = [...ok.vms ?? [], ...ok.groups ?? []].flatMap(({ name, handle = "" }) => [name, handle]);
  const calls = randomCalls(theirs);
  const script = Array.from(
    { length: count },
    (_, at) => callAt(1000 + at * every, A, calls.next().value as object),
  ).filter((line) => line.length < 240);
  const last = 1000 + count * every;
  const fuzz = async (more: Partial<MachinePlan> = {}): Promise<Recorded> =>
    await context.record({
      ...machine({ until: last + 2_000_000, ...more }),
      script: [asked, ...script, callAt(last + 1, B, { call: "list" })],
    });
  const fuzzed = await fuzz(), alone = await fuzz({ instances: [a, STAYING] });
  // What B's virtual machines know of, with all of it and without.
  for (const vm of [1, 2]) {
    const owner = { instance: 2, vm };
    const lines = await projectionOf(context, quiet, owner, ["detail"]);
    const found = await firstDifference(
      context,
      lines,
      prefix(projectedLines(context, fuzzed, owner, ["detail"]), lines.length),
    );
    if (found !== undefined) {
      failures.push(`virtual machine ${vm} of the other: ${found.right}, without calls ${found.left}`);
    }
  }
  const [before, after] = callsOf(fuzzed, 2).map(({ answer }) => answer);
  if (before === undefined || before !== after) {
    failures.push(`the other's objects were ${before}, and are ${after}`);
  }
  // What A is told is the same whether or not there is somebody else.
  const told = callsOf(fuzzed, 1), toldAlone = callsOf(alone, 1);
  const differing = told.findIndex(({ answer }, at) => answer !== toldAlone[at]?.answer);
  if (told.length !== toldAlone.length || differing >= 0) {
    failures.push(
      `call ${differing}: ${told[differing]?.call} is told ${told[differing]?.answer}, alone ${
        toldAlone[differing]?.answer
      }`,
    );
  }
  const good = told.filter(({ answer }) => answer.startsWith('{"ok"')).length;
  const codes = new Set(told.map(({ answer }) => (JSON.parse(answer) as { error?: string }).error ?? "ok"));
  if (good < count / 20 || codes.size < 6) {
    failures.push(`only ${good} calls did something, with answers ${[...codes]}`);
  }
  if (context.all) failures.push(...await context.replayOn(fuzzed, Object.keys(ENGINES)));
  return {
    failures,
    figures: {
      seed: SEED,
      calls: script.length,
      "that did something": good,
      answers: [...codes].sort().join(" "),
    },
  };
}

function* prefix(lines: Iterable<string>, count: number): Generator<string> {
  if (count === 0) return;
  let given = 0;
  for (const line of lines) {
    yield line;
    if (++given === count) return;
  }
}

/** An instance at its cap is refused memory while another takes its own; groups bound those inside. */
export async function limitsHold(context: CheckContext): Promise<CheckOutcome> {
  const full: InstancePlan = {
    ...a,
    megabytes: 4,
    vms: [{ name: "one", guest: COMPUTE_SOURCE }, { name: "two", guest: HALF_SOURCE }],
  };
  const vm = (name: string, image: string, pages = 512) => ({ call: "createVm", name, image, pages });
  const steps: readonly (readonly [as: string, fields: object, answer: RegExp])[] = [
    [A, vm("more", "guest-one"), /ENOMEM/],
    [B, vm("more", "guest-still"), /ok/],
    [B, { call: "startVm", vm: "more" }, /ok/],
    [A, vm("more", "guest-one"), /ENOMEM/],
    [B, vm("large", "guest-still", 512 * 3), /ok/],
    [B, vm("larger", "guest-still", 512 * 3), /ENOMEM/],
    [A, { call: "createGroup", name: "inner", pages: 5000 }, /EINVAL/],
    [A, { call: "createGroup", name: "inner", pages: 512, devices: 1 }, /ok/],
    [A, { call: "createGroup", name: "innermost", parent: "inner", pages: 513 }, /EINVAL/],
    [A, { call: "deleteVm", vm: "two" }, /EBUSY/],
    [A, { call: "stopVm", vm: "two" }, /ok/],
    [A, { call: "deleteVm", vm: "two" }, /ok/],
    [A, { ...vm("two", "guest-two"), group: "inner" }, /ok/],
    [A, { call: "deleteGroup", group: "inner" }, /EBUSY/],
    [A, { ...vm("three", "guest-two"), group: "inner" }, /ENOMEM/],
    [OPERATOR, { call: "deleteInstance", instance: 2 }, /EBUSY/],
    [
      OPERATOR,
      { call: "limitInstance", instance: 1, limits: { pages: 512 * 40, devices: 9, share: 1 } },
      /ENOMEM/,
    ],
  ];
  const at = (index: number): number => 200_000 + index * 150_000;
  const recorded = await context.record({
    ...planMachine({ instances: [full, b(8)], until: at(steps.length) + 400_000, megabytes: 48 }),
    script: steps.map(([as, fields], index) => callAt(at(index), as, fields)),
  });
  const answers = [...run(recorded)].filter((event) =>
    event.kind === "managementCalled" && event.vm === 0
  ) as EventOf<"managementCalled">[];
  const failures = steps.flatMap(([, fields, wanted], index) => {
    const got = answers[index]?.answer ?? "nothing";
    return wanted.test(got) ? [] : [`${JSON.stringify(fields)} gives ${got}, not ${wanted.source}`];
  });
  failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
  return { failures, figures: { calls: steps.length } };
}

const run = ({ run }: Recorded) => run.stored({ from: 0, to: Infinity, classes: ["trap"] });

/** A management plane crashes: its virtual machines know nothing of it, and it is there again. */
export async function planesCrash(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], machine = planMachine({ instances: [a, b(16)] });
  const end = [`expect "${FAREWELL}"`, "power cut"];
  const quiet = await context.record({ ...machine, script: end });
  const crashes = [
    callAt(100_000, B, { call: "list" }),
    callAt(150_000, OPERATOR, { call: "crashPlane", instance: 2 }),
    callAt(200_000, A, { call: "list" }),
    callAt(250_000, B, { call: "list" }),
    callAt(300_000, B, { call: "list" }),
    callAt(350_000, B, { call: "crash" }),
    callAt(400_000, B, { call: "stat", of: "witness" }),
    callAt(450_000, B, { call: "stat", of: "witness" }),
    callAt(500_000, B, { call: "startVm", vm: "witness" }),
  ];
  const crashed = await context.record({ ...machine, script: [...crashes, ...end] });
  const lines = await projectionOf(context, quiet, { instance: 2, vm: 1 }, ["detail"]);
  const found = await firstDifference(
    context,
    lines,
    projectedLines(context, crashed, { instance: 2, vm: 1 }, ["detail"]),
  );
  if (found !== undefined) failures.push(`a crash shows: ${found.right}, without ${found.left}`);
  const [first, refused, again, , second, third, start] = callsOf(crashed, 2).map(({ answer }) => answer);
  const handle = (text = "") => /"witness","handle":"(\w+)"/.exec(text)?.[1];
  if (refused !== '{"error":"EIO"}' || second !== '{"error":"EIO"}') {
    failures.push(`a plane that crashed says ${refused}, ${second}`);
  }
  if (handle(again) === undefined || handle(again) === handle(first)) failures.push(`anew it says ${again}`);
  if (!third?.includes('"on"') || start !== '{"error":"EBUSY"}') {
    failures.push(`its virtual machine is ${third}, ${start}`);
  }
  if (!callsOf(crashed, 1)[0]?.answer.startsWith('{"ok"')) failures.push("the other's plane crashed, too");
  const told = [...run(crashed)].filter(({ kind }) => kind === "managementPlaneChanged").length;
  if (told !== 4) failures.push(`${told} changes of planes were told, not 4`);
  return { failures, figures: { crashes: 2, "events compared": lines.length } };
}

/** What is typed comes at the virtual machine's own time, whoever else is there; the machine's line goes to the one attached. */
export async function consolesAreTheirOwn(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [],
    echo: InstancePlan = { number: 2, name: "b", vms: [{ name: "echo", guest: ECHO_SOURCE }] };
  const typed = [2_000_000, 2_000_123, 5_000_000, 5_000_000, 9_999_999];
  const script = [
    ...typed.map((at, index) => callAt(5, B, { call: "writeConsole", vm: "echo", text: "abcdq"[index], at })),
    'expect "q"',
    "power cut",
  ];
  const outputs: string[][] = [];
  for (const neighbour of [[], [COMPUTE_SOURCE], [HALF_SOURCE, IDLE_SOURCE]]) {
    const vms = neighbour.map((guest, index) => ({ name: `n${index}`, guest }));
    const recorded = await context.record({
      ...planMachine({ instances: [{ number: 1, name: "a", vms, megabytes: 8 }, echo] }),
      script,
    });
    outputs.push(await projectionOf(context, recorded, { instance: 2, vm: 1 }, ["detail"]));
    if (!/\[b\/echo\] a.b.c.d.q./.test(recorded.console)) {
      failures.push(`the console says ${recorded.console}`);
    }
    if (neighbour.length === 1) failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
  }
  const [alone = [], ...others] = outputs;
  for (const lines of others) {
    const found = await firstDifference(context, alone, lines);
    if (found !== undefined) failures.push(`what is typed shows others: ${found.right}, alone ${found.left}`);
  }
  const attach = { as: OPERATOR, call: "attach", instance: 2, vm: "echo" };
  const attached = await context.record({
    ...planMachine({
      instances: [
        {
          number: 1,
          name: "a",
          vms: [{ name: "talks", guest: greetingSource("not attached") }, {
            name: "works",
            guest: COMPUTE_SOURCE,
          }],
        },
        echo,
      ],
      line: "attached",
    }),
    script: [
      `monitor el2 ${VIRTUAL_HYPERVISORS} ${JSON.stringify(attach)}`,
      'send "xyzq"',
      'expect "q"',
      "power cut",
    ],
  });
  if (!/^x.y.z.q/.test(attached.console)) {
    failures.push(`the line, attached, says ${JSON.stringify(attached.console)}`);
  }
  return { failures, figures: { "bytes typed": typed.length + 4, "events compared": alone.length } };
}

/** What cannot be is refused with the reason, and nothing runs. */
export async function refusals(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], plain = planMachine({ instances: [a] });
  const manifest = (text: string) => ({
    ...plain,
    files: { ...plain.files, manifest: new TextEncoder().encode(text) },
  });
  const more = (...options: string[]) => ({ ...plain, options: [...plain.options, ...options] });
  const without = plain.options.map((option) => option.replace(/manifest=0x\w+/, "manifest=0x10"));
  const tried: readonly (readonly [
    what: string,
    request: { options: readonly string[]; files: Record<string, Uint8Array> },
    why: RegExp,
  ])[] = [
    ["two PEs", more("-smp", "2"), /one PE/],
    ["strict TLBs", more("--strict", "tlb"), /not partitioned/],
    ["no JSON", manifest("{"), /no JSON/],
    ["no instances", manifest('{"operator":"abcd"}'), /instances/],
    ["a manifest nowhere", { ...plain, options: without }, /no RAM/],
    ["another option", {
      ...plain,
      options: plain.options.map((option) => option.replace("line=tagged", "line=all")),
    }, /line/],
    ["too little memory", manifest(JSON.stringify(tooMuch)), /ENOMEM/],
  ];
  for (const [what, request, why] of tried) {
    try {
      await context.record({ ...request, script: ["power cut"] });
      failures.push(`${what} is not refused`);
    } catch (error) {
      if (!(error instanceof Error && why.test(error.message))) failures.push(`${what}: ${error}`);
    }
  }
  const commands = ["stat", `${VIRTUAL_HYPERVISORS} hello`, "time-scale freeze"];
  for (const command of commands) {
    try {
      await context.record({ ...plain, script: [`at 1000 monitor el2 ${command}`, "power cut"] });
      failures.push(`${command} is not refused`);
    } catch {
      // As it should be.
    }
  }
  return { failures, figures: { refusals: tried.length + commands.length } };
}

const tooMuch = {
  operator: OPERATOR,
  instances: [{
    number: 1,
    name: "a",
    credential: A,
    limits: { pages: 512 * 512, devices: 1, share: 1 },
    images: [],
  }],
};
