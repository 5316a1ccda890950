/** The system gva-scan in a monitor: its command, its options, its events, and that its guest cannot tell. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import "../../../../hypervisor/install.ts";
import { mappingGuest } from "../../../../firmware/gva_scan/mapping_guest.ts";
import type { ConfigurationInput } from "../../../../machine/configuration.ts";
import { parseConfiguration } from "../../../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../../../machine/errors.ts";
import type { EventOf, MachineEvent } from "../../../../machine/events.ts";
import { Machine } from "../../../../machine/machine.ts";
import { createHash } from "node:crypto";
import type { El2Monitor } from "../../../../hypervisor/el2_monitor.ts";
import { register } from "../../../machine/cpu/access_support.ts";

const { program, changes } = mappingGuest(12);
const sha256 = createHash("sha256").update(program.bytes).digest("hex");
const images = new Map([[sha256, program.bytes]]);

/** A machine with the guest, and the events of the system. */
function machineWith(options: Record<string, string> = {}, more: ConfigurationInput = {}) {
  const configuration = parseConfiguration({
    memoryMiB: 64,
    monitors: [{ level: 2, systems: [{ name: "gva-scan", options }] }],
    boot: { kernel: { sha256, size: program.bytes.length, name: "guest" } },
    ...more,
  });
  const machine = new Machine(configuration, images, { engine: "threaded" });
  const events: MachineEvent[] = [];
  const observe = (event: MachineEvent) => void (event.kind.startsWith("address") && events.push(event));
  machine.board.events.add({ classes: ["detail"], observe });
  return { machine, events };
}

/** The instant at which the first store of the guest is about to be executed, its tables in force. */
const READY = (() => {
  const { machine } = machineWith();
  const mapping = program.symbols.get("mapping")!;
  while (machine.board.cpus[0]!.pc !== mapping) machine.run(machine.instant + 1);
  return machine.instant;
})();

/** The UART's page, what is not behind it, RAM, and in the upper half four pages and three. */
const RUNS = 7;

const command = (words: string) => ({ kind: "monitorCommanded", level: 2, command: words }) as const;
const summaryOf = (events: readonly MachineEvent[]) =>
  events.findLast((event): event is EventOf<"addressSpaceScanned"> => event.kind === "addressSpaceScanned");

Deno.test("gva-scan tells of every run and then of what it took, and its guest cannot tell", () => {
  const { machine, events } = machineWith(), other = machineWith().machine;
  machine.run(READY);
  other.run(READY);
  const time = machine.virtualTime;
  machine.submit(command("gva-scan"));
  assertEquals(machine.virtualTime, time);
  const runs = events.filter(({ kind }) => kind === "addressRangeScanned");
  const summary = summaryOf(events)!;
  assertEquals([runs.length, summary.runs, summary.isComplete, events.at(-1)], [RUNS, RUNS, true, summary]);
  assert(summary.stage1 > 3000 && summary.stage2 > 0);
  machine.run(READY + 1);
  other.run(READY + 1);
  assertEquals(machine.stateRoot().root, other.stateRoot().root);
});

Deno.test("gva-scan takes a limit and an address to go on from", () => {
  const { machine, events } = machineWith({ limit: "600" });
  machine.run(READY);
  machine.submit(command("gva-scan"));
  const first = summaryOf(events)!;
  assertEquals([first.isComplete, first.stage1 + first.stage2], [false, 600]);
  machine.submit(command(`gva-scan limit=100000 from=0x${first.next.toString(16)}`));
  const mapped = events.filter((event) => event.kind === "addressRangeScanned").map(({ gva }) => gva);
  assertEquals([summaryOf(events)!.isComplete, mapped.length], [true, RUNS]);
  assert(mapped.includes([...changes.values()][1]!));
});

Deno.test("gva-scan refuses what it does not understand and what it cannot scan, with nothing changed", () => {
  const { machine, events } = machineWith();
  machine.run(READY);
  const root = machine.stateRoot().root;
  for (
    const [words, reason] of [
      ["gva-scan limit=0", "limit: expected 1 to 999999999"],
      ["gva-scan from=5", "from: expected an address"],
      ["gva-scan fast", 'Unrecognized key: "fast"'],
      ["gva", 'takes no command "gva"'],
    ] as const
  ) {
    assertThrows(() => machine.submit(command(words)), InputRefusedError, reason);
  }
  machine.submit({ kind: "registerPatched", target: 0, register: "TCR_EL1", value: 3n << 14n });
  const patched = machine.stateRoot().root;
  assertThrows(() => machine.submit(command("gva-scan")), InputRefusedError, "TCR_EL1.TG0 is 3");
  assertEquals([events, machine.stateRoot().root], [[], patched]);
  assert(root.toHex() !== patched.toHex());
});

Deno.test("gva-scan refuses options that make no sense", () => {
  for (const options of [{ limit: "many" }, { at: "1ms" }, { at: "1/" }, { speed: "2" }] as const) {
    assertThrows(() => machineWith({ ...options }), ConfigurationError, "Cannot set the system gva-scan up");
  }
});

Deno.test("gva-scan scans at the first exits after given times, once each, also after a restore", () => {
  const atExits = (restored: boolean) => {
    const { machine, events } = machineWith({ at: "1/2/900000000" });
    machine.run(READY);
    if (restored) {
      const snapshot = machine.snapshot();
      machine.run(READY + 20);
      machine.restore(snapshot);
    }
    // The guest's only exit is its last: both times have been, and one scan is enough.
    assertEquals(machine.run(1_000_000).reason, "poweredOff");
    return events.filter(({ kind }) => kind === "addressSpaceScanned").map(({ instant }) => instant);
  };
  const instants = atExits(false);
  assertEquals([instants.length, atExits(true)], [1, instants]);
});

Deno.test("gva-scan before stage 1 is on reports the identity", () => {
  const { machine, events } = machineWith();
  machine.run(3);
  machine.submit(command("gva-scan"));
  const run = events.find((event) => event.kind === "addressRangeScanned");
  assertEquals([run?.state, run?.gva, run?.size, summaryOf(events)?.stage1], ["identity", 0n, 2 ** 44, 0]);
});

Deno.test("gva-scan brings RAM back into stage 2 where the guest's tables are, and nothing else", () => {
  const { machine, events } = machineWith();
  machine.run(READY);
  machine.submit(command("gva-scan"));
  const found = () =>
    events.filter(({ kind }) => kind === "addressRangeScanned").map(({ index: _, ...run }) => run);
  const whole = found(), monitor = machine.board.monitors[0] as El2Monitor;
  const tables = Number(register(machine.board.cpus[0]!, "TTBR1_EL1")), { stage2 } = monitor.space;
  stage2.unmap(undefined, tables, 4096);
  stage2.unmap(undefined, 0x4030_0000, 4096);
  events.length = 0;
  machine.submit(command("gva-scan"));
  assertEquals([summaryOf(events)!.backed, stage2.lookup(tables)?.physical], [1, tables as never]);
  assertEquals(stage2.lookup(0x4030_0000), undefined);
  const unbacked = found().filter((run) => run.kind === "addressRangeScanned" && run.state === "unbacked");
  // Behind the UART, both pages where the lower half has all RAM, and where the upper half begins.
  assertEquals([unbacked.length, found().length > whole.length], [4, true]);
});
