/** A small guest's accesses: random ones by both ways, ghosts, links that are down, and calls. */
import {
  configGuest,
  type GuestAccess,
  type GuestStep,
  trueAccess,
} from "../../../firmware/ecam_segments/config_guest.ts";
import { type Segment, SEGMENT_SIZE } from "../../../hypervisor/systems/ecam_segments/segments.ts";
import { EcamSegments } from "../../../hypervisor/systems/ecam_segments/system.ts";
import { PCI_CALL } from "../../../hypervisor/systems/ecam_segments/conduit.ts";
import { TrapMonitor } from "../../../hypervisor/monitor.ts";
import { ROOT_PORT } from "../../../machine/devices/pci/root_port.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { follow, partingOf } from "../el3_simdev/trace.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { machineOptions, type SegmentMachine, wideSwitch } from "./machines.ts";

/** A machine of the small guest. */
export interface SmallMachine extends SegmentMachine {
  /** Name of the journal. */
  readonly name?: string;
  /** Lines of a script. */
  readonly script?: readonly string[];
}

/** Records the guest with a list. */
export function recordSteps(
  context: CheckContext,
  steps: readonly GuestStep[],
  { name, script, ...machine }: SmallMachine = {},
): Promise<Recorded> {
  return context.record({
    options: [...machineOptions(context, { ...machine, small: true }), "-kernel", "guest"],
    files: { guest: configGuest(steps, machine.level === 2 || machine.bare ? "hvc" : "smc").bytes },
    ...(name === undefined ? {} : { name }),
    ...(script === undefined ? {} : { script }),
  });
}

/** The system in a machine; undefined where there is none. */
export function systemIn({ board }: Machine): EcamSegments | undefined {
  const monitor = board.monitors.find((installed) => installed instanceof TrapMonitor);
  const system = monitor instanceof TrapMonitor ? monitor.system("ecam-segments") : undefined;
  return system instanceof EcamSegments ? system : undefined;
}

/** What firmware makes of a machine at power-on. */
export async function mapOf(context: CheckContext, machine: SegmentMachine = {}): Promise<EcamSegments> {
  const { run, images } = await recordSteps(context, [], machine);
  return systemIn(new Machine(run.manifest.configuration, images, context.machineOptions())) as EcamSegments;
}

/** Physical addresses of the root ports' registers. */
const PORTS = [0x0b00_0000, 0x0b01_0000];

const linesOf = ({ console }: Recorded): string[] => console.split("\n").filter((line) => line !== "");

/** The same cycle as an operating system does it and as the root port does it. */
interface Pair {
  readonly shown: GuestAccess;
  readonly true: GuestAccess;
}

/** A random access to a function that there is. */
function randomPair(segments: readonly Segment[], draw: (below: number) => number): Pair {
  const segment = segments[draw(segments.length)] as Segment;
  const one = segment.functions[draw(segment.functions.length)] as Segment["functions"][number];
  const size = ([1, 2, 4, 8] as const)[draw(4)] as 1 | 2 | 4 | 8;
  // Most accesses go where something is: the header, the capabilities, the windows in them.
  const offset = draw(draw(4) === 0 ? 0x1000 : 0x100) & ~(size - 1);
  const at = {
    offset,
    size,
    ...(draw(5) < 2 ? { value: BigInt(draw(2 ** 32)) << 32n | BigInt(draw(2 ** 32)) } : {}),
  };
  const address = segment.base + one.device * 0x8000 + one.function * 0x1000 + offset;
  const place = { bus: segment.bus, device: one.device, function: one.function };
  return {
    shown: { address, size, ...("value" in at ? { value: at.value } : {}) },
    true: trueAccess(PORTS[segment.port] as number, place, at),
  };
}

/** Sections of all that is behind the root ports, and of the ports' bridges. */
function behindPorts({ board }: Machine): string[] {
  const names = /^(nvme[01]|rng0|up|p[012]|rootPort[01]\.bridge)/;
  return board.save().filter(({ name }) => names.test(name)).map(({ name, bytes }) => `${name} ${bytes}`);
}

/** The machine at the end of a run. */
function endOf(context: CheckContext, recorded: Recorded): Promise<Machine> {
  return follow(context, recorded, () => {});
}

/** Random reads and writes through the segments, and the same by index and window on a second machine. */
export async function checkFuzz(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], count = context.all ? 20_000 : 2000;
  // Two endpoints behind one port, so that its index has to change.
  const devices = wideSwitch(context), { segments } = await mapOf(context, { devices });
  for (const seed of context.all ? [16, 17, 18, 19] : [16]) {
    const numbers = seeded(seed), draw = (below: number): number => numbers.next().value % below;
    const pairs = Array.from({ length: count }, () => randomPair(segments, draw));
    const shown = await recordSteps(context, pairs.map(({ shown }) => shown), {
      devices,
      name: `fuzz-shown-${seed}`,
    });
    const real = await recordSteps(context, pairs.map((pair) => pair.true), {
      devices,
      name: `fuzz-true-${seed}`,
    });
    const printed = partingOf(linesOf(real), linesOf(shown));
    if (printed !== undefined) {
      failures.push(`seed ${seed}: by its port and by its segment a read gives ${printed}`);
    }
    const [one, other] = [await endOf(context, real), await endOf(context, shown)].map(behindPorts);
    const state = partingOf(one as string[], other as string[]);
    if (state !== undefined) {
      failures.push(`seed ${seed}: the devices differ at the end, ${state.slice(0, 60)}`);
    }
    if (seed === 16) failures.push(...await context.replayOn(shown, Object.keys(ENGINES)));
    context.progress("random accesses", seed);
  }
  return { failures, figures: { accesses: count * (context.all ? 4 : 1) } };
}

/** Words of a function's header by all device numbers: ghosts by the port, none in the segment; others abort. */
export async function checkGhosts(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [],
    { segments } = await mapOf(context),
    [first, second] = segments as [Segment, Segment];
  const devices = Array.from({ length: 32 }, (_, device) => device);
  const word = { offset: 0, size: 4 } as const;
  const steps: GuestStep[] = [
    ...segments.flatMap(({ base }) =>
      Array.from({ length: 256 }, (_, at): GuestStep => ({ address: base + at * 0x1000, size: 4 }))
    ),
    { address: second.base + SEGMENT_SIZE, size: 4 },
    { address: first.base - 4, size: 4 },
    ...devices.map((device) =>
      trueAccess(PORTS[first.port] as number, { bus: first.bus, device, function: 0 }, word)
    ),
    ...devices.map((device) =>
      trueAccess(PORTS[second.port] as number, { bus: second.bus, device, function: 0 }, word)
    ),
  ];
  for (const machine of [{ level: 3 }, { level: 2 }, { level: 2, gic: 2 }] as const) {
    const recorded = await recordSteps(context, steps, { ...machine, name: `ghosts-el${machine.level}` });
    const lines = linesOf(recorded), where = `EL${machine.level}`;
    const real = (from: number, to: number): number =>
      lines.slice(from, to).filter((line) => !/^0x0{8}f{8}$/.test(line)).length;
    const expect = (what: string, found: number, wanted: number): void => {
      if (found !== wanted) failures.push(`${where}: ${what}: ${found}, not ${wanted}`);
    };
    expect("functions in the first segment", real(0, 256), 1);
    expect("functions in the second segment", real(256, 512), 1);
    const aborts = lines.slice(512, 514).filter((line) => /^!0x0{8}96000010$/.test(line)).length;
    expect("aborts outside the segments", aborts, 2);
    expect("device numbers that answer on the first port's link", real(514, 546), 32);
    expect("device numbers that answer behind the switch", real(546, 578), 1);
    failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
  }
  return { failures, figures: { "functions shown": 2, "ghosts behind the first port": 31 } };
}

/** With the link down the segment reads as all ones, where the port's window gives something else; then it is there again. */
export async function checkLinkDown(context: CheckContext): Promise<CheckOutcome> {
  const { segments } = await mapOf(context), [segment] = segments as [Segment];
  const registers = PORTS[segment.port] as number;
  const reset = (value: bigint): GuestStep => ({ address: registers + ROOT_PORT.RESET, size: 4, value });
  const own = trueAccess(registers, { bus: segment.bus, device: 0, function: 0 }, { offset: 0, size: 4 });
  const shown: GuestStep = { address: segment.base, size: 4 };
  const write: GuestStep = { address: segment.base + 4, size: 2, value: 6n };
  const read: GuestStep = { address: segment.base + 4, size: 2 };
  const steps = [
    shown,
    reset(1n),
    shown,
    { ...shown, size: 8 } as GuestStep,
    own,
    write,
    reset(0n),
    shown,
    own,
    read,
  ];
  const wanted = ["00101b36", "ffffffff", "ffffffffffffffff", "deaddead", "00101b36", "00101b36", "0"];
  const recorded = await recordSteps(context, steps, { name: "link-down" });
  const parting = partingOf(wanted.map((digits) => `0x${digits.padStart(16, "0")}`), linesOf(recorded));
  return {
    failures: [
      ...(parting === undefined ? [] : [`reads give something else: ${parting}`]),
      ...await context.replayOn(recorded, Object.keys(ENGINES)),
    ],
    figures: {},
  };
}

/** By calls, as by ECAM. */
export async function checkCalls(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [],
    { segments } = await mapOf(context),
    { READ, WRITE, GET_SEG_INFO, VERSION, FEATURES } = PCI_CALL;
  const bdf = (segment: number, device = 0): number => segment << 16 | device << 3;
  const call = (call: number, ...values: number[]): GuestStep => ({ call, arguments: values });
  const offsets = Array.from({ length: 64 }, (_, at) => at * 4);
  const steps: GuestStep[] = [
    ...segments.flatMap(({ base }) =>
      offsets.map((offset): GuestStep => ({ address: base + offset, size: 4 }))
    ),
    ...segments.flatMap(({ segment }) => offsets.map((offset) => call(READ, bdf(segment), offset, 4))),
    call(VERSION),
    call(FEATURES, READ),
    call(FEATURES, 0x8400_0135),
    call(READ, bdf(0, 1), 0, 4),
    call(READ, bdf(2), 0, 4),
    call(READ, bdf(0), 2, 4),
    call(READ, bdf(0), 0, 3),
    call(READ, bdf(0) | 0x100, 0, 4),
    call(WRITE, bdf(0), 0x3c, 1, 0x5a),
    call(READ, bdf(0), 0x3c, 1),
    call(GET_SEG_INFO, 0),
    call(GET_SEG_INFO, 2),
  ];
  const ok = "0x0000000000000000", bad = "0xfffffffffffffffe";
  const behind = [
    "0x0000000000010000 ",
    `${ok} `,
    "0xffffffffffffffff ",
    `${ok} 0x00000000ffffffff`,
    `${bad} `,
    `${bad} `,
    `${bad} `,
    `${bad} `,
    `${ok} `,
    `${ok} 0x000000000000005a`,
    `${ok} ${ok}`,
    `${bad} `,
  ];
  for (const level of [3, 2] as const) {
    const lines = linesOf(await recordSteps(context, steps, { level, name: `calls-el${level}` }));
    const ecam = lines.slice(0, 128).map((line) => `${ok} ${line}`), called = lines.slice(128, 256);
    const parting = partingOf(ecam, called);
    if (parting !== undefined) failures.push(`EL${level}: by ECAM and by call ${parting}`);
    for (const [at, wanted] of behind.entries()) {
      const line = lines[256 + at] ?? "nothing";
      if (!line.startsWith(wanted)) failures.push(`EL${level}: call ${at} gives ${line}, not ${wanted}`);
    }
  }
  return { failures, figures: { "words by ECAM and by call": 128 } };
}

/** Events of a run. */
export async function eventsOf(context: CheckContext, recorded: Recorded): Promise<MachineEvent[]> {
  const events: MachineEvent[] = [];
  await follow(context, recorded, (event) => void events.push(event));
  return events;
}
