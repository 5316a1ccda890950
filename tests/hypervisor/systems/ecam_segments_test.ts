/** ecam-segments on a small guest: cycles at both levels, ghosts, links, calls, plugging, snapshots, resets, what is refused. */
import { assertEquals, assertThrows } from "@std/assert";
import "../../../firmware/install.ts";
import "../../../hypervisor/install.ts";
import { configGuest, type GuestStep, trueAccess } from "../../../firmware/ecam_segments/config_guest.ts";
import { TrapMonitor } from "../../../hypervisor/monitor.ts";
import { EcamSegments } from "../../../hypervisor/systems/ecam_segments/system.ts";
import { PCI_CALL } from "../../../hypervisor/systems/ecam_segments/conduit.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { programGuest } from "../../journal/guest.ts";

/** Where `-kernel` puts the device tree of a small kernel: in the middle of RAM. */
const TREE = 0x4200_0000;
const ECAM = 0x40_1000_0000, PORT0 = 0x0b00_0000;
const DEVICES = [
  { driver: "virtio-rng-pci", id: "one", bus: "rootport0" },
  { driver: "x3130-upstream", id: "up", bus: "rootport1" },
  { driver: "xio3130-downstream", id: "down", bus: "up" },
  { driver: "virtio-rng-pci", id: "two", bus: "down" },
] as unknown as ConfigurationInput["devices"];

function machineOf(
  steps: readonly GuestStep[],
  options: Record<string, string> = {},
  more: ConfigurationInput & { readonly level?: 2 | 3; readonly engine?: string } = {},
): Machine {
  const { level = 3, engine = "threaded", ...rest } = more;
  const guest = programGuest(configGuest(steps, level === 2 ? "hvc" : "smc"));
  const configuration = guest.configuration({
    memoryMiB: 64,
    rootPorts: 2,
    devices: DEVICES!,
    monitors: [{ level, systems: [{ name: "ecam-segments", options }] }],
    ...rest,
  });
  return new Machine(configuration, guest.images, { engine });
}

function systemOf({ board: { monitors: [monitor] } }: Machine): EcamSegments {
  return (monitor as TrapMonitor).system("ecam-segments") as EcamSegments;
}

function printedBy(machine: Machine): string[] {
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  assertEquals(machine.run(1_000_000).reason, "poweredOff");
  return text.trim().split("\n").map((line) => line.replaceAll(/0x0*(?=[0-9a-f])/g, ""));
}

const word = (address: number, value?: bigint): GuestStep => ({
  address,
  size: 4,
  ...(value === undefined ? {} : { value }),
});
const RNG = "10051af4";

Deno.test("ecam-segments shows each function once, at EL3 and EL2 and on every engine; elsewhere is an abort", () => {
  const steps = [
    word(ECAM),
    word(ECAM + 0x8000),
    word(ECAM + 0x10_0000),
    word(ECAM + 0x20_0000),
    word(ECAM + 0x3c, 0x1234n),
    word(ECAM + 0x3c),
  ];
  const wanted = [RNG, "ffffffff", RNG, "!96000010", "134"];
  for (const level of [3, 2] as const) {
    for (const engine of Object.keys(ENGINES)) {
      const machine = machineOf(steps, {}, { level, engine });
      assertEquals(systemOf(machine).segments.map(({ port, bus, segment }) => [port, bus, segment]), [[
        0,
        1,
        0,
      ], [1, 4, 1]]);
      assertEquals(printedBy(machine), wanted, `EL${level}, ${engine}`);
    }
  }
});

Deno.test("ecam-segments tells of its map, of accesses and of true cycles", () => {
  const machine = machineOf([word(ECAM + 0x10_0000), word(ECAM + 0x8000)]), seen: string[] = [];
  machine.board.events.add({
    classes: ["trap", "detail"],
    observe: (event) => {
      if (event.kind === "segmentMapped") {
        seen.push(`${event.segment} ${event.port} ${event.bus} ${event.functions}`);
      }
      if (event.kind === "configurationRead") seen.push(`read ${event.segment} ${event.bdf} ${event.value}`);
      if (event.kind === "configurationCycleDone") seen.push(`${event.access} ${event.requester}`);
    },
  });
  printedBy(machine);
  assertEquals(seen, [
    "0 rootPort0 1 0",
    "1 rootPort1 4 0",
    "read 1024",
    `read 1 0 ${0x10051af4}`,
    `read 0 8 ${2 ** 32 - 1}`,
  ]);
});

Deno.test("one tree has the buses by their true numbers", () => {
  const steps = [word(ECAM + 0x10_0000), word(ECAM + 0x40_0000), word(ECAM)];
  assertEquals(printedBy(machineOf(steps, { shape: "tree" })), [RNG, RNG, "!96000010"]);
});

Deno.test("what is unplugged reads as all ones, and comes back in its segment with addresses", () => {
  const own = trueAccess(PORT0, { bus: 1, device: 0, function: 0 }, { offset: 0x14, size: 4 });
  const machine = machineOf([...Array(40).fill(word(ECAM)), own]), cpu = machine.board.cpus[0]!;
  const [monitor] = machine.board.monitors,
    command = (text: string) => monitor!.prepareCommand(cpu, `ecam-segments ${text}`)();
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  machine.run(1500);
  command("down rootport0");
  assertEquals(systemOf(machine).omissions.map(({ reason }) => reason), ["it is held in reset"]);
  machine.run(4000);
  const other = machineOf([...Array(40).fill(word(ECAM)), own]);
  other.restore(machine.snapshot());
  for (const each of [machine, other]) {
    each.board.monitors[0]!.prepareCommand(each.board.cpus[0]!, "ecam-segments up rootport0")();
  }
  assertEquals(machine.run(1_000_000).reason, "poweredOff");
  other.run(1_000_000);
  assertEquals(other.stateRoot().root.toHex(), machine.stateRoot().root.toHex());
  const lines = text.trim().split("\n").map((line) => line.replace(/^0x0*/, ""));
  const changes = lines.filter((line, at) => line !== lines[at - 1]);
  assertEquals(changes, [RNG, "ffffffff", RNG, (0x1000_4000).toString(16)]);
});

Deno.test("calls are answered by DEN 0115", () => {
  const call = (call: number, ...values: number[]): GuestStep => ({ call, arguments: values });
  const { READ, WRITE, FEATURES, GET_SEG_INFO } = PCI_CALL;
  const lines = printedBy(machineOf([
    call(READ, 1 << 16, 0, 4),
    call(WRITE, 0, 0x3c, 1, 0x77),
    call(READ, 0, 0x3c, 1),
    call(READ, 2 << 16, 0, 4),
    call(READ, 8, 0, 4),
    call(READ, 0, 1, 2),
    call(FEATURES, WRITE),
    call(GET_SEG_INFO, 0),
  ]));
  const bad = "fffffffffffffffe";
  assertEquals(lines, [
    `0 ${RNG}`,
    "0 0",
    "0 77",
    `${bad} 20000`,
    "0 ffffffff",
    `${bad} 0`,
    `0 ${WRITE.toString(16)}`,
    "0 0",
  ]);
});

Deno.test("a reset of the machine gives the same map and the same tree", () => {
  const steps = [word(ECAM), { call: 0x8400_0009, arguments: [] }];
  const machine = machineOf(steps), blob = () => machine.board.memory.readBytes(TREE as never, 8192);
  const before = blob(), { segments } = systemOf(machine);
  assertEquals(new DataView(before.buffer).getUint32(0), 0xd00dfeed);
  machine.run(5000);
  assertEquals([blob(), systemOf(machine).segments], [before, segments]);
});

Deno.test("ecam-segments refuses boards, options and commands that it cannot do", () => {
  const { devices: _, ...none } = { devices: [] };
  const cases: [Record<string, string>, ConfigurationInput, string][] = [
    [{}, { rootPorts: undefined, devices: [], ...none }, "add rootports=2 to -M virt"],
    [{ ecam: "0x40000000" }, {}, "ram of the board is there"],
    [{ first: "65536" }, {}, "segments are 0 to 65535"],
    [{ tree: "0x41000000" }, {}, "there is no device tree"],
    [{ acpi: "0x1000000000" }, {}, "there is no RAM"],
  ];
  for (const [options, more, message] of cases) {
    assertThrows(() => machineOf([], options, more), ConfigurationError, message);
  }
  const machine = machineOf([]), [monitor] = machine.board.monitors, cpu = machine.board.cpus[0]!;
  for (
    const [command, message] of [["down rootport7", "takes"], ["eject rootport0", "takes"], [
      "map x",
      "takes",
    ]] as const
  ) {
    assertThrows(() => monitor!.prepareCommand(cpu, `ecam-segments ${command}`), InputRefusedError, message);
  }
  const empty = machineOf([], {}, { devices: [] });
  assertThrows(
    () => empty.board.monitors[0]!.prepareCommand(empty.board.cpus[0]!, "ecam-segments up rootport0"),
    InputRefusedError,
    "nothing was plugged in at power-on",
  );
});
