/** Machines with several virtual machines: who writes what, state that is saved within, journals of their own. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { MACHINE_OPTIONS, prepareMachine } from "../../../../cli/machine_options.ts";
import { readOptions } from "../../../../cli/options.ts";
import { silentHost } from "../../../../cli/host/silent_host.ts";
import {
  type MachinePlan,
  planMachine,
  type VmPlan,
} from "../../../../cli/systems/virtual_hypervisors/machines.ts";
import { COMPUTE_SOURCE, greetingSource } from "../../../../firmware/virtual_hypervisors/guests.ts";
import { hostileSource } from "../../../../firmware/virtual_hypervisors/hostile.ts";
import { FAREWELL, witnessSource } from "../../../../firmware/virtual_hypervisors/witness.ts";
import "../../../../hypervisor/install.ts";
import { OwnerFinder, projectedJson } from "../../../../journal/projection.ts";
import { ConfigurationError, InputRefusedError } from "../../../../machine/errors.ts";
import type { MachineEvent } from "../../../../machine/events.ts";
import { Machine } from "../../../../machine/machine.ts";

function build(plan: MachinePlan, engine = "threaded"): { machine: Machine; console: () => string } {
  const { options, files } = planMachine({ megabytes: 32, ...plan });
  const { configuration, images } = prepareMachine(
    readOptions([...options], MACHINE_OPTIONS),
    silentHost,
    files,
  );
  const machine = new Machine(configuration, images, { engine });
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  return { machine, console: () => console };
}

const witness = (gic: 2 | 3): VmPlan => ({ name: "witness", guest: witnessSource({ rounds: 2, gic }) });
const beside = (guest: string, gic: 2 | 3): MachinePlan => ({
  gic,
  instances: [{ number: 1, name: "a", vms: guest === "" ? [] : [{ name: "n", guest }] }, {
    number: 2,
    name: "b",
    vms: [witness(gic)],
  }],
});

Deno.test("each virtual machine writes lines of its own, and the machine goes off with the last", () => {
  const { machine, console } = build({
    instances: [
      {
        number: 1,
        name: "a",
        vms: ["one", "two"].map((name) => ({ name, guest: greetingSource(`I am ${name}`) })),
      },
      { number: 2, name: "b", vms: [{ name: "one", guest: greetingSource("I am another") }] },
    ],
  });
  assertEquals(machine.run(1_000_000).reason, "poweredOff");
  assertEquals(console().split("\n").sort(), [
    "",
    "[a/one] I am one",
    "[a/two] I am two",
    "[b/one] I am another",
  ]);
});

Deno.test("a state saved with one on the CPU, others waiting and preempted, goes on as it would have", () => {
  const plan: MachinePlan = {
    instances: [{ number: 1, name: "a", vms: [{ name: "n", guest: COMPUTE_SOURCE }, witness(2)] }],
  };
  const { machine } = build(plan), other = build(plan, "compiled").machine;
  machine.run(200_000);
  const snapshot = machine.snapshot(), before = machine.stateRoot();
  machine.run(500_000);
  other.restore(snapshot);
  assertEquals(other.stateRoot(), before);
  other.run(500_000);
  assertEquals(other.stateRoot(), machine.stateRoot());
});

/** The projected journal of an instance, as it comes. */
function projectionOf(machine: Machine, instance: number): string[] {
  const finder = new OwnerFinder(), lines: string[] = [];
  machine.board.events.add({
    classes: ["trap", "device", "detail"],
    observe: (event: MachineEvent) => {
      const projected = finder.next(event);
      if (projected?.instance === instance) lines.push(projectedJson(projected));
    },
  });
  return lines;
}

/** The witness's projected journal, up to its end. */
function journalOf(guest: string, gic: 2 | 3): string[] {
  const { machine, console } = build(beside(guest, gic)), lines = projectionOf(machine, 2);
  for (let limit = 20_000; !console().includes(FAREWELL) && limit < 2_000_000; limit += 20_000) {
    machine.run(limit);
  }
  assertMatch(console(), new RegExp(`\\[b/witness\\] ${FAREWELL}`));
  return lines;
}

for (const gic of [2, 3] as const) {
  Deno.test(`a projected journal is the same beside a hostile neighbour, with GICv${gic}`, () => {
    const alone = journalOf("", gic), calls = ['{"as":"secret-of-a","call":"list"}', '{"as":"secret-of-b"}'];
    const beside = journalOf(hostileSource({ gic, calls }), gic);
    assert(alone.length > 5000, `${alone.length} events`);
    assertEquals(beside.slice(0, alone.length - 50), alone.slice(0, -50));
  });
}

Deno.test("a projected journal ends the same way, whether or not its virtual machine is the last", () => {
  const greeting = (number: number, name: string) => ({
    ...{ number, name },
    vms: [{ name: "one", guest: greetingSource(name) }],
  });
  const [last, first] = [[greeting(1, "a")], [greeting(1, "a"), greeting(2, "b")]].map((instances) => {
    const { machine, console } = build({ instances }), lines = projectionOf(machine, 1);
    assertEquals(machine.run(1_000_000).reason, "poweredOff");
    return { lines, text: console() };
  });
  assertEquals(first!.text, "[a/one] a\n[b/one] b\n");
  assertEquals(last!.lines, first!.lines);
});

Deno.test("a machine that cannot be partitioned is refused, and a command that is no call", () => {
  const { options, files } = planMachine(beside("", 2));
  const refused = (more: string[]) => () => {
    const { configuration, images } = prepareMachine(
      readOptions([...options, ...more], MACHINE_OPTIONS),
      silentHost,
      files,
    );
    return new Machine(configuration, images, { engine: "reference" });
  };
  assertThrows(refused(["-smp", "2"]), ConfigurationError, "one PE");
  assertThrows(refused(["--strict", "tlb"]), ConfigurationError, "not partitioned");
  const { machine } = build(beside("", 2));
  for (const command of ["virtual-hypervisors", "virtual-hypervisors list", "time-scale freeze"]) {
    assertThrows(() => machine.submit({ kind: "monitorCommanded", level: 2, command }), InputRefusedError);
  }
});
