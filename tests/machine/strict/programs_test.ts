/** Strict models on whole machines: forgotten maintenance shows, is an event, and is the same on every engine. */
import { assert, assertEquals } from "@std/assert";
import { Replay } from "../../../journal/replay.ts";
import { type ConfigurationInput, STRICT_MODELS } from "../../../machine/configuration.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { type Guest, recordGuest } from "../../journal/guest.ts";
import { CONTEXT_PROGRAMS } from "./context_programs.ts";
import { DCACHE_PROGRAMS } from "./dcache_programs.ts";
import { ICACHE_PROGRAMS } from "./icache_programs.ts";
import { guestOf, type MaintenanceProgram } from "./program.ts";
import { TLB_PROGRAMS } from "./tlb_programs.ts";
import { GOES_THROUGH_ALL } from "../../extent.ts";

const PROGRAMS = [...TLB_PROGRAMS, ...ICACHE_PROGRAMS, ...DCACHE_PROGRAMS, ...CONTEXT_PROGRAMS];
const STRICT = /^(stale|breakBeforeMake)/;
const LIMIT = 200_000;

/** A run to its power-off: the result, and the events of strict models. */
interface Run {
  readonly result: bigint;
  readonly events: readonly string[];
  readonly machine: Machine;
}

function power(
  guest: Guest,
  more: ConfigurationInput,
  engine: string,
): { machine: Machine; seen: MachineEvent[] } {
  const machine = new Machine(guest.configuration(more), guest.images, { engine });
  const seen: MachineEvent[] = [];
  const observe = (event: MachineEvent) => void (STRICT.test(event.kind) && seen.push(event));
  machine.board.events.add({ classes: ["detail"], observe });
  return { machine, seen };
}

function run(guest: Guest, more: ConfigurationInput, engine: string): Run {
  const { machine, seen } = power(guest, more, engine);
  assertEquals(machine.run(LIMIT).reason, "poweredOff");
  return {
    result: machine.board.cpus[0]!.registers.x(20),
    events: seen.map(({ kind, instant, cpu, index }) => `${kind} ${instant} ${cpu} ${index}`),
    machine,
  };
}

const choices = ({ models, cpus = 1 }: MaintenanceProgram): ConfigurationInput => ({
  cpus,
  memoryMiB: 16,
  quantum: 64,
  strictModels: [...models],
});

/** The engines for a program: all, or one to which it is dealt. */
function enginesFor(program: MaintenanceProgram): string[] {
  const engines = Object.keys(ENGINES), at = PROGRAMS.indexOf(program);
  return engines.filter((_, index) => GOES_THROUGH_ALL || at % engines.length === index);
}

for (const program of PROGRAMS) {
  for (const engine of enginesFor(program)) {
    const { name, models, right, wrong, event, cpus = 1 } = program;
    const careful = guestOf(program, false), forgetful = guestOf(program, true);
    Deno.test(`--strict ${models} shows that a program forgets ${name} (${engine})`, () => {
      assertEquals(
        run(forgetful, { cpus, quantum: 64, memoryMiB: 16 }, engine).result,
        right,
        "not strict, forgotten",
      );
      const done = run(careful, choices(program), engine);
      assertEquals([done.result, done.events], [right, []], "strict, not forgotten");
      const { result, events } = run(forgetful, choices(program), engine);
      assertEquals(result, wrong, "strict, forgotten");
      assert(events.some((text) => text.startsWith(event)), events.join("\n"));
    });
  }
}

Deno.test("strict models give equal events and roots on every engine", () => {
  for (const program of PROGRAMS) {
    const runs = ["reference", ...enginesFor(program)].map((engine) =>
      run(guestOf(program, true), choices(program), engine)
    );
    for (const { events, machine } of runs) {
      assertEquals(events, runs[0]!.events, program.name);
      assertEquals(machine.stateRoot(), runs[0]!.machine.stateRoot(), program.name);
    }
  }
});

Deno.test("strict models replay to equal roots on every engine", () => {
  for (const program of PROGRAMS) {
    const guest = guestOf(program, true);
    const recording = recordGuest(guest, { machine: { ...choices(program), rootInterval: 20 } });
    for (const engine of enginesFor(program)) {
      const replay = new Replay(recording.run, guest.images, { engine });
      replay.runToEnd();
      assert(replay.rootsChecked > 1, program.name);
    }
  }
});

Deno.test("a snapshot holds the strict models: from any instant the same follows", () => {
  for (const program of PROGRAMS) {
    const guest = guestOf(program, true), more = choices(program);
    const whole = run(guest, more, "reference").machine;
    const before = power(guest, more, "reference").machine;
    const after = power(guest, more, "reference").machine;
    for (const part of [0.3, 0.8, 0.95]) {
      before.run(Math.floor(whole.instant * part));
      after.restore(before.snapshot());
      assertEquals(after.stateRoot(), before.stateRoot(), `${program.name} at ${part}`);
      after.run(LIMIT);
      assertEquals(after.stateRoot(), whole.stateRoot(), `${program.name} from ${part}`);
    }
  }
});

Deno.test("all strict models together leave careful programs alone", () => {
  for (const program of PROGRAMS) {
    const everything = { ...choices(program), strictModels: STRICT_MODELS };
    const { result, events } = run(guestOf(program, false), everything, "reference");
    assertEquals([result, events], [program.right, []], program.name);
  }
});
