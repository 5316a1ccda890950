/** An instance's calls at random, beside another. */
import { COMPUTE_SOURCE } from "../../../firmware/virtual_hypervisors/guests.ts";
import { FAREWELL } from "../../../firmware/virtual_hypervisors/witness.ts";
import { ENGINES } from "../../../machine/machine.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { AS_A, AS_B, callAt, CALLER, callsOf, otherInstance } from "./calls.ts";
import { type InstancePlan, type MachinePlan, planMachine } from "./machines.ts";
import { firstDifference, projectedLines, projectionOf } from "./projections.ts";

const SEED = 18;

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

/** Names and handles of B's objects, by its own listing. */
function namesOf(quiet: Recorded): string[] {
  const [listed] = callsOf(quiet, 2);
  const { ok } = JSON.parse(listed?.answer ?? "{}") as {
    ok: Record<string, { name: string; handle?: string }[]>;
  };
  return [...ok.vms ?? [], ...ok.groups ?? []].flatMap(({ name, handle = "" }) => [name, handle]);
}

/** What B's virtual machines and its plane know of, with all calls of A's and without. */
async function othersDiffer(context: CheckContext, quiet: Recorded, fuzzed: Recorded): Promise<string[]> {
  const failures: string[] = [];
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
  return failures;
}

/** What A is told, which is the same whether or not there is somebody else. */
function answersDiffer(fuzzed: Recorded, alone: Recorded): string[] {
  const told = callsOf(fuzzed, 1), toldAlone = callsOf(alone, 1);
  const differing = told.findIndex(({ answer }, at) => answer !== toldAlone[at]?.answer);
  if (told.length === toldAlone.length && differing < 0) return [];
  const { call, answer } = told[differing] ?? {};
  return [`call ${differing}: ${call} is told ${answer}, alone ${toldAlone[differing]?.answer}`];
}

/** How many calls of A's did something, and what answers there were. */
function outcomes(fuzzed: Recorded): { good: number; codes: Set<string> } {
  const answers = callsOf(fuzzed, 1).map(({ answer }) => answer);
  return {
    good: answers.filter((answer) => answer.startsWith('{"ok"')).length,
    codes: new Set(answers.map((answer) => (JSON.parse(answer) as { error?: string }).error ?? "ok")),
  };
}

/** 10,000 calls of one instance: nothing of another is read or changed. */
export async function fuzzedCalls(context: CheckContext): Promise<CheckOutcome> {
  const count = 10_000, failures: string[] = [], rounds = 12, every = 30;
  const machine = (more: Partial<MachinePlan> = {}) =>
    planMachine({ instances: [CALLER, otherInstance(rounds), STAYING], ...more });
  const asked = callAt(10, AS_B, { call: "list" });
  const quiet = await context.record({ ...machine(), script: [asked, `expect "${FAREWELL}"`, "power cut"] });
  const calls = randomCalls(namesOf(quiet));
  const script = Array.from(
    { length: count },
    (_, at) => callAt(1000 + at * every, AS_A, calls.next().value as object),
  ).filter((line) => line.length < 240);
  const last = 1000 + count * every;
  const fuzz = async (more: Partial<MachinePlan> = {}): Promise<Recorded> =>
    await context.record({
      ...machine({ until: last + 2_000_000, ...more }),
      script: [asked, ...script, callAt(last + 1, AS_B, { call: "list" })],
    });
  const fuzzed = await fuzz(), alone = await fuzz({ instances: [CALLER, STAYING] });
  failures.push(...await othersDiffer(context, quiet, fuzzed), ...answersDiffer(fuzzed, alone));
  const { good, codes } = outcomes(fuzzed);
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
