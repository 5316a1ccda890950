/** Tests of delta debugging, and of runs with some of their inputs. */
import { assert, assertEquals } from "@std/assert";
import { beforeCandidates, ddmin, minimizeInputs, withTurnsAsInputs } from "../../journal/minimize.ts";
import { Replay } from "../../journal/replay.ts";
import { counterGuest, recordGuest } from "./guest.ts";
import { SEED, seededRandom } from "./support.ts";

Deno.test(`ddmin keeps what is needed and nothing else (SEED=${SEED})`, () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 300; round++) {
    const things = Array.from({ length: random(40) + 1 }, (_, index) => index);
    const needed = new Set(things.filter(() => random(8) === 0));
    let tries = 0;
    const kept = ddmin(things, (some) => {
      tries++;
      return [...needed].every((thing) => some.includes(thing));
    });
    assertEquals(kept, [...needed].sort((a, b) => a - b), `SEED=${SEED}, round ${round}`);
    assert(tries <= things.length * things.length + 10, `SEED=${SEED}, round ${round}: ${tries} tries`);
  }
});

Deno.test("ddmin ends with a set of which none can be taken away, where several would do", () => {
  const holds = (kept: readonly number[]): boolean =>
    kept.includes(2) && kept.includes(9) || kept.includes(4);
  assertEquals(ddmin([1, 2, 3, 4, 5, 9], holds), [4]);
  const parity = (kept: readonly number[]): boolean => kept.length % 2 === 1;
  assertEquals(ddmin([1, 2, 3, 4, 5], parity).length, 1);
});

Deno.test("withTurnsAsInputs takes the steps of the run when it is given all of them", () => {
  const guest = counterGuest();
  for (const scheduleSeed of [undefined, 3, 4, 5]) {
    const machine = { quantum: 64, ...scheduleSeed === undefined ? {} : { scheduleSeed } };
    const { run, end } = recordGuest(guest, { machine });
    const given = withTurnsAsInputs(run, guest.images);
    const found = minimizeInputs({ ...given, candidates: [] }, { until: 10_000_000 });
    assertEquals(found.kind, "indifferent");
    assertEquals([found.outcome.reason, found.outcome.exitCode], ["poweredOff", end.exitCode]);
    assertEquals(given.machine.instant, end.instant, `schedule seed ${scheduleSeed}`);
    const replay = new Replay(run, guest.images);
    replay.runToEnd();
    for (const [index, cpu] of replay.machine.board.cpus.entries()) {
      const other = given.machine.board.cpus[index]!;
      for (let register = 0; register < 31; register++) {
        assertEquals(other.registers.x(register), cpu.registers.x(register), `cpu${index} x${register}`);
      }
    }
  }
});

Deno.test("minimizeInputs finds the patch that matters among inputs that do not", () => {
  const guest = counterGuest();
  const patch = (instant: number, register: string, value: bigint) => ({
    instant,
    input: { kind: "registerPatched", target: 0, register, value } as const,
  });
  const inputs = [
    patch(100, "x25", 1n),
    patch(200, "x26", 2n),
    patch(300, "TPIDR_EL0", 7n),
    patch(400, "x27", 4n),
  ];
  const { run } = recordGuest(guest, { inputs });
  const conditions = [({ board }: Replay["machine"]) => board.cpus[0]!.registers.x(26) === 2n];
  const given = beforeCandidates(run, guest.images, () => true);
  const found = minimizeInputs(given, { until: 10_000_000, conditions });
  assert(found.kind === "found");
  assertEquals(found.inputs.map(({ instant }) => instant), [200]);
  assertEquals([found.outcome.held, found.without.held, found.candidates], [[true], [false], 4]);
});
