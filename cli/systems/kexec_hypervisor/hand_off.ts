/** The hand-off as the journal tells it: phases load, shutdown, copy, entry, launch, and what the copy left in memory. */
import { BOOT_INFO_SIZE, type BootInfo, readBootInfo } from "../../../firmware/kexec_hypervisor/layout.ts";
import { kexecLoaderProgram } from "../../../firmware/kexec_hypervisor/loader/program.ts";
import { secondStageProgram } from "../../../firmware/kexec_hypervisor/second_stage.ts";
import type { PhysicalAddress } from "../../../machine/address.ts";
import type { EventOf } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";
import { FUNCTION } from "../../../machine/psci.ts";
import { Replay } from "../../../journal/replay.ts";
import { sha256 } from "../../host/guests/store.ts";
import type { CheckContext, Recorded } from "../scenario.ts";

/** A segment as the loader told it. */
export interface ToldSegment {
  /** Its name. */
  readonly name: string;
  /** Physical address. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 in hexadecimal. */
  readonly digest: string;
}

/** The manifest that the loader prints, of its last load. */
export function toldSegments(console: string): ToldSegment[] {
  const line = /^segment (\S+) 0x([0-9a-f]+) 0x([0-9a-f]+) bytes ([0-9a-f]{64})\r*$/gm;
  const all = [...console.matchAll(line)].map(([, name, address, size, digest]) => ({
    name: name!,
    address: parseInt(address!, 16),
    size: parseInt(size!, 16),
    digest: digest!,
  }));
  return all.slice(all.findLastIndex(({ name }) => name === "hypervisor"));
}

/** Instants at which phases begin; each ends where the next begins. */
export interface Phases {
  /** kexec_load is called: the kernel copies the segments into pages of its own. */
  readonly load: number;
  /** It returns. */
  readonly loaded: number;
  /** reboot is called: devices and CPUs are shut down. */
  readonly shutdown: number;
  /** The last other CPU is off: pages go to their places. */
  readonly copy: number;
  /** The second stage's first instruction. */
  readonly entry: number;
  /** The hypervisor's first instruction; undefined where the second stage refused. */
  readonly launch: number | undefined;
}

/** What was found at the hand-off. */
export interface HandOff {
  /** When what was. */
  readonly phases: Phases;
  /** The boot info as it was at entry. */
  readonly info: BootInfo;
  /** What of memory at entry is not the manifest's, a line each. */
  readonly wrong: readonly string[];
  /** CPU_ON calls after the launch. */
  readonly started: number;
}

/** Bytes of physical memory as they are. */
export function memoryAt({ board: { memory } }: Machine, address: number, size: number): Uint8Array {
  const offset = memory.hostOffset(address as PhysicalAddress, size);
  if (offset < 0) throw new RangeError(`There is no memory of ${size} bytes at 0x${address.toString(16)}`);
  return memory.bytes.subarray(offset, offset + size);
}

const EC_SVC = 0x15n;

/** The last traps of the loader's two system calls, its return, and PSCI's calls. */
export function storedCalls({ run }: Recorded) {
  const { symbols } = kexecLoaderProgram();
  const load = symbols.get("after_kexec_load"), reboot = symbols.get("after_reboot");
  let loadAt = NaN, loadedAt = NaN, rebootAt = NaN;
  const firmware: EventOf<"firmwareCalled">[] = [];
  for (const event of run.stored({ from: 0, to: Infinity, classes: ["trap"] })) {
    if (event.kind === "firmwareCalled") firmware.push(event);
    if (event.kind === "exceptionTaken" && event.from === 0 && event.syndrome >> 26n === EC_SVC) {
      if (event.returnAddress === load) loadAt = event.instant;
      if (event.returnAddress === reboot) rebootAt = event.instant;
    }
    if (event.kind === "exceptionReturned" && event.address === load) loadedAt = event.instant;
  }
  return { loadAt, loadedAt, rebootAt, firmware };
}

/** Compares what is in memory with the manifest, and the second stage with its program. */
function compareMemory(machine: Machine, segments: readonly ToldSegment[]): string[] {
  const wrong: string[] = [];
  for (const { name, address, size, digest } of segments) {
    const found = sha256(memoryAt(machine, address, size));
    if (found !== digest) {
      wrong.push(`segment ${name}: SHA-256 in memory is ${found}, the manifest has ${digest}`);
    }
  }
  return wrong;
}

function compareStage(machine: Machine, at: number): string[] {
  const { bytes, symbols } = secondStageProgram(), info = Number(symbols.get("boot_info"));
  const found = memoryAt(machine, at, bytes.length);
  const first = bytes.findIndex((byte, index) =>
    (index < info || index >= info + BOOT_INFO_SIZE) && found[index] !== byte
  );
  return first < 0 ? [] : [`second stage: byte ${first} in memory is not the program's`];
}

/** Replays a run on an engine, checking its roots, and looks at the hand-off on the way. */
export async function observeHandOff(
  context: CheckContext,
  recorded: Recorded,
  engine: string,
): Promise<HandOff> {
  const segments = toldSegments(recorded.console),
    stage = segments.find(({ name }) => name === "second-stage");
  if (stage === undefined) throw new RangeError("The loader told of no second stage");
  const { loadAt, loadedAt, rebootAt, firmware } = storedCalls(recorded);
  if (!(loadAt < loadedAt && loadedAt < rebootAt)) {
    throw new RangeError(`The journal has no kexec_load and reboot: ${loadAt}, ${loadedAt}, ${rebootAt}`);
  }
  const replay = new Replay(recorded.run, recorded.images, context.machineOptions(engine));
  const { machine } = replay;
  const goTo = async (target: number): Promise<number | undefined> => {
    while (replay.instant < target) {
      const stop = replay.runTo(Math.min(target, replay.instant + SLICE));
      if (stop !== undefined) return stop.hits[0]?.instant;
      context.progress(`replaying on ${engine}`, replay.instant, recorded.run.lastInstant);
      await context.breathe();
    }
    return undefined;
  };
  await goTo(rebootAt);
  const watchFor = async (address: bigint): Promise<number | undefined> => {
    machine.watch([{ kind: "execute", address }], true);
    const found = await goTo(recorded.run.lastInstant);
    machine.watch([]);
    return found;
  };
  const entry = await watchFor(BigInt(stage.address));
  if (entry === undefined) throw new RangeError("The second stage was never entered");
  const infoAt = stage.address + Number(secondStageProgram().symbols.get("boot_info"));
  const info = readBootInfo(memoryAt(machine, infoAt, BOOT_INFO_SIZE).slice());
  const wrong = [...compareMemory(machine, segments), ...compareStage(machine, stage.address)];
  const launch = await watchFor(info.entry);
  await goTo(recorded.run.lastInstant);
  replay.runToEnd();
  const offs = firmware.filter((call) => call.function === FUNCTION.CPU_OFF && call.instant < entry);
  const copy = Math.max(rebootAt, ...offs.map(({ instant }) => instant));
  const started =
    firmware.filter(({ instant, function: called, result }) =>
      instant > entry && [FUNCTION.CPU_ON as number, FUNCTION.CPU_ON_64].includes(called) && result === 0n
    ).length;
  return {
    phases: { load: loadAt, loaded: loadedAt, shutdown: rebootAt, copy, entry, launch },
    info,
    wrong,
    started,
  };
}

const SLICE = 2 ** 25;

/** Phases as figures: steps of each. */
export function phaseFigures(
  { load, loaded, shutdown, copy, entry, launch }: Phases,
): Record<string, number> {
  return {
    "steps of load": loaded - load,
    "steps of shutdown": copy - shutdown,
    "steps of copy": entry - copy,
    "steps of the second stage": (launch ?? entry) - entry,
    "launch at instant": launch ?? NaN,
  };
}
