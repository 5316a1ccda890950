/** What a guest of el3-simdev saw of its devices: their accesses, told alike whoever answered, and a fold over them. */
import { Clock } from "../../../machine/clock.ts";
import type { Movable } from "../../../machine/devices/detachable.ts";
import { RtcPl031 } from "../../../machine/devices/rtc_pl031.ts";
import { UartPl011 } from "../../../machine/devices/uart_pl011.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";
import { Replay } from "../../../journal/replay.ts";
import { SIMDEV_LAYOUT } from "../../../hypervisor/systems/el3_simdev.ts";
import { REPLAY_SLICE } from "../../replay.ts";
import type { CheckContext, Recorded } from "../scenario.ts";

/** Devices that can be unplugged, by the names of their rows. */
export const DEVICES: readonly string[] = ["uart0", "uart1", "rtc"];

/** An access to a device as a line: `rtc R 9010000/4 = 6955b900`. */
export function accessText(event: MachineEvent): string | undefined {
  if (event.kind !== "deviceRead" && event.kind !== "deviceWritten") return undefined;
  const { device, address, size, value } = event;
  if (!DEVICES.includes(device)) return undefined;
  const way = event.kind === "deviceRead" ? "R" : "W";
  return `${device} ${way} ${address.toString(16)}/${size} = ${value.toString(16)}`;
}

/** A replay, checked to its end, with every event of devices and inputs shown to `seen`; the machine at the end. */
export async function follow(
  context: CheckContext,
  recorded: Recorded,
  seen: (event: MachineEvent, machine: Machine) => void,
): Promise<Machine> {
  const { run, images } = recorded, engine = recorded.engine === "threaded" ? "compiled" : "threaded";
  const replay = new Replay(run, images, context.machineOptions(engine)), { machine } = replay;
  machine.board.events.add({
    classes: ["device", "input", "trap"],
    observe: (event) => seen(event, machine),
  });
  while (replay.instant < run.lastInstant) {
    replay.runTo(Math.min(run.lastInstant, replay.instant + REPLAY_SLICE));
    context.progress(`replaying on the ${engine} engine`, replay.instant, run.lastInstant);
    await context.breathe();
  }
  replay.runToEnd();
  return machine;
}

/** The accesses of some devices, in order, as lines. */
export async function traceOf(
  context: CheckContext,
  recorded: Recorded,
  devices: readonly string[],
): Promise<string[]> {
  const lines: string[] = [];
  await follow(context, recorded, (event) => {
    const line = accessText(event);
    if (line !== undefined && devices.some((name) => line.startsWith(`${name} `))) lines.push(line);
  });
  return lines;
}

/** Where two lists of lines part, in words; undefined for equal ones. */
export function partingOf(one: readonly string[], other: readonly string[]): string | undefined {
  const at = Array.from({ length: Math.max(one.length, other.length) }).findIndex((_, n) =>
    one[n] !== other[n]
  );
  return at < 0 ? undefined : `line ${at + 1}: ${one[at] ?? "nothing"} and ${other[at] ?? "nothing"}`;
}

/** Devices as they would be alone in the world, with a clock that is set to each event's time. */
class Fold {
  readonly #clock = new Clock(1);
  readonly #models = new Map<string, Movable>();
  /** Reads that gave something else than in the run. */
  readonly wrong: string[] = [];
  reads = 0;
  writes = 0;

  constructor(names: readonly string[], base: number) {
    const line = { set: () => {} }, clock = this.#clock;
    for (const name of names) {
      const model = name === "rtc"
        ? new RtcPl031({ name, line, clock, base })
        : new UartPl011({ name, line, transmitted: () => {} });
      model.reset();
      this.#models.set(name, model);
    }
  }

  take(event: MachineEvent, time: number, base: ReadonlyMap<string, number>): void {
    this.#clock.instant = time;
    this.#clock.serveAlarms();
    if (event.kind === "consoleReceived") {
      for (const [name, model] of this.#models) if (name === "uart1") model.receive?.(event.bytes);
    }
    if (event.kind !== "deviceRead" && event.kind !== "deviceWritten") return;
    const model = this.#models.get(event.device), { device, address, size, value, cpu } = event;
    if (model === undefined) return;
    const offset = address - (base.get(device) as number), context = { cpu, secure: false };
    if (event.kind === "deviceWritten") {
      model.write(offset, size, Number(value), context);
      this.writes++;
      return;
    }
    this.reads++;
    if (model.read(offset, size, context) >>> 0 !== Number(value)) {
      this.wrong.push(accessText(event) as string);
    }
  }

  end(time: number): Uint8Array[] {
    this.#clock.instant = time;
    this.#clock.serveAlarms();
    return [...this.#models.values()].map((model) => model.save().bytes);
  }
}

/** What a fold over the journal's accesses came to. */
export interface FoldOutcome {
  /** What differed. */
  readonly failures: readonly string[];
  /** Accesses that were folded. */
  readonly accesses: number;
}

/**
 * Makes the state of a run's simulated devices from the journal's accesses, inputs and times alone, and compares each
 * value read on the way and the sections at the end.
 */
export async function foldDevices(context: CheckContext, recorded: Recorded): Promise<FoldOutcome> {
  const { configuration } = recorded.run.manifest;
  // In the order of the board.
  const names = ["uart0", "uart1", "rtc"].filter((name) => configuration.unplugged?.includes(name as "rtc"));
  const bases = new Map([["uart0", 0x0900_0000], ["uart1", 0x0904_0000], ["rtc", 0x0901_0000]]);
  const fold = new Fold(names, configuration.rtcBase);
  const machine = await follow(
    context,
    recorded,
    (event, { virtualTime }) => fold.take(event, virtualTime, bases),
  );
  const section = machine.board.save().find(({ name }) => name === "monitor3.el3-simdev");
  if (section === undefined) {
    return { failures: ["the machine has no section monitor3.el3-simdev"], accesses: 0 };
  }
  const { states } = SIMDEV_LAYOUT.decode(section), folded = fold.end(machine.virtualTime);
  const failures = fold.wrong.slice(0, 5).map((line) => `a fold over the journal differs at ${line}`);
  for (const [at, name] of names.entries()) {
    const [one, other] = [states[at], folded[at]].map((bytes) => String(bytes));
    if (one !== other) failures.push(`the state of ${name} is not what a fold over the journal gives`);
  }
  return { failures, accesses: fold.reads + fold.writes };
}
