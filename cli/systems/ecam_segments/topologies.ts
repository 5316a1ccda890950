/** What firmware makes of other root ports: empty ones, bridges that are refused, windows and numbers that do not suffice. */
import { bijectionProblems } from "../../../hypervisor/systems/ecam_segments/bijection.ts";
import type { Segment } from "../../../hypervisor/systems/ecam_segments/segments.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { normalForm } from "../../../firmware/acpi/normal_form.ts";
import { readTables } from "../../../firmware/acpi/tables_reader.ts";
import { validateTables } from "../../../firmware/acpi/validate.ts";
import type { PhysicalAddress } from "../../../machine/address.ts";
import { checkByIasl } from "../dt2acpi/iasl.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { eventsOf, mapOf, recordSteps } from "./small.ts";
import { diskOn, type SegmentMachine, twoDisks, wideSwitch } from "./machines.ts";

/** A machine, the segments that it should have as `segment:port.bus`, and the reasons of what it has not. */
interface Topology {
  readonly what: string;
  readonly machine: SegmentMachine;
  readonly segments: readonly string[];
  /** Interrupt of INTA of each segment's device 0: of its port's four, by the device numbers of the bridges on the way. */
  readonly interrupts: readonly number[];
  readonly reasons: readonly RegExp[];
}

function topologies(context: CheckContext): Topology[] {
  const empty = /nothing is plugged in/;
  return [
    { what: "nothing", machine: { devices: [] }, segments: [], interrupts: [], reasons: [empty, empty] },
    {
      what: "one empty port",
      machine: { devices: diskOn(context, "rootport1", 0) },
      segments: ["0:1.1"],
      interrupts: [148],
      reasons: [empty],
    },
    {
      what: "two endpoints",
      machine: { devices: twoDisks(context) },
      segments: ["0:0.1", "1:1.2"],
      interrupts: [144, 148],
      reasons: [],
    },
    { what: "a switch", machine: {}, segments: ["0:0.1", "1:1.4"], interrupts: [144, 151], reasons: [] },
    {
      what: "bridges refused",
      machine: { system: "bridges=refuse" },
      segments: ["0:0.1"],
      interrupts: [144],
      reasons: [/^a bridge, which is refused$/],
    },
    {
      what: "a switch with an empty port",
      machine: { devices: wideSwitch(context) },
      segments: ["0:0.1", "1:1.4", "2:1.6"],
      interrupts: [144, 149, 151],
      reasons: [],
    },
    {
      what: "a window of one MiB",
      machine: { devices: wideSwitch(context), system: "window=0x100000" },
      segments: ["0:0.1", "1:1.4"],
      interrupts: [144, 149],
      reasons: [/^16384 bytes of memory do not fit/],
    },
    {
      what: "the last number",
      machine: { system: "first=65535" },
      segments: ["65535:0.1"],
      interrupts: [144],
      reasons: [/^segment 65536 has no number of 16 bits$/],
    },
  ];
}

const nameOf = ({ segment, port, bus }: Segment): string => `${segment}:${port}.${bus}`;

/** Each topology's map, and what the journal tells of it; replays. */
export async function checkTopologies(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let segments = 0;
  for (const { what, machine, segments: wanted, reasons } of topologies(context)) {
    const map = await mapOf(context, machine), found = map.segments.map(nameOf);
    if (String(found) !== String(wanted)) failures.push(`${what}: segments ${found}, not ${wanted}`);
    const steps = Array.from({ length: 20 }, () => ({ address: 0x0900_0018, size: 4 as const }));
    const recorded = await recordSteps(context, steps, {
      ...machine,
      script: ["at 10 monitor el3 ecam-segments map"],
    });
    const events = await eventsOf(context, recorded);
    const told = events.flatMap((event) => event.kind === "segmentOmitted" ? [event.reason] : []);
    const mapped = events.filter(({ kind }) => kind === "segmentMapped").length;
    if (mapped !== wanted.length) failures.push(`${what}: ${mapped} segments are told`);
    if (told.length !== reasons.length || !reasons.every((reason, at) => reason.test(told[at] ?? ""))) {
      failures.push(`${what}: what is omitted: ${told.join("; ") || "nothing"}`);
    }
    failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
    segments += found.length;
  }
  return { failures, figures: { topologies: topologies(context).length, segments } };
}

/** Segments, and the one tree of the same root ports: all names of each, one to one to true functions. */
export async function checkBijection(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let functions = 0;
  for (
    const { what, machine } of topologies(context).filter(({ machine }) =>
      !machine.system?.includes("first=")
    )
  ) {
    const { segments } = await mapOf(context, machine);
    const system = [machine.system, "shape=tree"].filter((text) => text).join(",");
    const tree = await mapOf(context, { ...machine, system });
    failures.push(...bijectionProblems(segments, tree.segments).map((line) => `${what}: ${line}`));
    functions += segments.reduce((sum, segment) => sum + segment.functions.length, 0);
  }
  return { failures, figures: { functions, "requester IDs of a bus": 256 } };
}

/** Where firmware is told to put tables. */
const TABLES_AT = 0x4300_0000, TABLES_SIZE = 0x4_0000;

/** What the tables have to say of a segment, the `at`th, as lines of their normal form. */
function wantedLines(
  { segment, base, bus, window }: Segment,
  at: number,
  interrupt?: number,
): Record<string, string> {
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const memory = (first: number, size: number): string =>
    `memory ${hex(first)}..${hex(first + size - 1)} size ${hex(size)} translation 0x0 flags 0x1 produced`;
  const host = `DSDT.\\_SB.PCI${at}`,
    complex = `IORT.rootComplex[${at}]`,
    allocation = `MCFG.segment ${segment} bus 0`;
  return {
    [`${allocation}.base`]: hex(base),
    [`${allocation}.startBus`]: "0x0",
    [`${allocation}.endBus`]: "0x0",
    [`${complex}.segment`]: hex(segment),
    [`${complex}.mapping[0].inputBase`]: "0x0",
    [`${complex}.mapping[0].count`]: "0xff",
    [`${complex}.mapping[0].outputBase`]: hex(bus << 8),
    [`${host}._HID`]: '"PNP0A08"',
    [`${host}._SEG`]: hex(segment),
    [`${host}._PRT slot 0 pin 0`]: `\\_SB_.PCI${at}.GSI0 0x0`,
    [`${host}.GSI0._CRS[0]`]: `interrupt ${interrupt} level high`,
    [`${host}._BBN`]: "0x0",
    [`${host}._CCA`]: "0x1",
    [`${host}._CRS[0]`]: "bus 0x0..0x0 size 0x1 translation 0x0 flags 0x0 produced",
    [`${host}._CRS[1]`]: memory(window.base, window.size),
    [`${host}.RES0._HID`]: '"PNP0C02"',
    [`${host}.RES0._CRS[0]`]: memory(base, 2 ** 20),
  };
}

/** Tables in RAM for each topology: what they say of its segments, by our own reader, and that iasl takes them. */
export async function checkTables(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let count = 0;
  for (const { what, machine, interrupts } of topologies(context)) {
    const system = [machine.system, `acpi=0x${TABLES_AT.toString(16)}`].filter((text) => text).join(",");
    const { run, images } = await recordSteps(context, [], { ...machine, system });
    const built = new Machine(run.manifest.configuration, images, context.machineOptions());
    const bytes = built.board.memory.readBytes(TABLES_AT as PhysicalAddress, TABLES_SIZE);
    const memory = { base: TABLES_AT, bytes };
    const { tables } = readTables(memory, TABLES_AT);
    failures.push(...validateTables(memory, TABLES_AT).map((line) => `${what}: ${line}`));
    const lines = normalForm(tables), { segments } = await mapOf(context, machine);
    for (const [at, segment] of segments.entries()) {
      for (const [name, value] of Object.entries(wantedLines(segment, at, interrupts[at]))) {
        if (lines.get(name) !== value) failures.push(`${what}: ${name} is ${lines.get(name)}, not ${value}`);
      }
    }
    const hosts = [...lines].filter(([name, value]) =>
      name.endsWith("._HID") && value === '"PNP0A08"'
    ).length;
    if (hosts !== segments.length) {
      failures.push(
        `${what}: ${hosts} host bridges for ${segments.length} segments`,
      );
    }
    failures.push(...await checkByIasl(context, what.replaceAll(" ", "-"), tables.slice(1)));
    count += tables.length;
  }
  return { failures, figures: { tables: count } };
}
