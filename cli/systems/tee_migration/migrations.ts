/** Migrations carried out in worlds, and what came of them. */
import type { Machine, MachineOptions } from "../../../machine/machine.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { TimedWorldInput } from "../../../world/course.ts";
import type { WorldEvent } from "../../../world/events.ts";
import { type NodeProgram, nodeProgram } from "../../../world/node_program.ts";
import { type WorldMark, WorldSession } from "../../../world/session.ts";
import { z } from "zod";
import { hosts, type HostsOptions, REALM_IMAGES } from "./worlds.ts";

/** Numbers of the hosts' nodes: the realm is at the first. */
export const EAST = 0, WEST = 1;
/** A small realm has ended long before this, and after losses of power as well. */
const UNTIL = 20_000_000, UNTIL_POWER = 80_000_000, UNTIL_HOST = 30_000_000;

/** Nanoseconds of the longest round: less than any host is without power. */
const SLICE = 25_000;

/** What a link makes of a message; `number` counts each direction's. */
export type Meddling = (bytes: Uint8Array, fromSource: boolean, number: number) => readonly Uint8Array[];

/** A node in the middle of a link that does as it is told. */
export function meddler(meddle: Meddling): NodeProgram {
  return nodeProgram({
    name: "meddler",
    options: z.strictObject({}),
    start: (_options, site) => {
      const count = { east: 0, west: 0 };
      return {
        received(port, bytes) {
          const fromSource = port === "east", number = count[fromSource ? "east" : "west"]++;
          for (const one of meddle(bytes, fromSource, number)) site.send(fromSource ? "west" : "east", one);
        },
        state: () => ({ ...count }),
      };
    },
  });
}

const MEDDLED_WIRES = ["east", "west"].map((name) => ({
  ...{ name: `${name}-wire`, kind: "message", latency: 20_000 },
  ends: [{ node: name, port: "mig" }, { node: "middle", port: name }],
}));

/** A command for a host's system at a time. */
export function commanded(time: number, node: number, words: string): TimedWorldInput {
  const command = `tee-migration ${words}`;
  return { time, node, input: { kind: "machine", input: { kind: "monitorCommanded", level: 2, command } } };
}

/** A host's power at a time. */
export function powered(time: number, node: number, isOn: boolean): TimedWorldInput {
  return { time, node, input: { kind: "power", isOn } };
}

/** Something that a realm wrote. */
export interface Written {
  /** The world's time at the end of the round. */
  readonly time: number;
  /** Where. */
  readonly node: number;
  /** What. */
  readonly text: string;
}

/** What a monitor told. */
export type Told =
  & { readonly node: number }
  & Extract<MachineEvent, { readonly kind: "teeMigrationStepped" | "transcriptSigned" }>;

/** What came of a world. */
export interface Lived {
  /** What each host's serial port wrote. */
  readonly consoles: readonly [east: string, west: string];
  /** The same in order. */
  readonly writes: readonly Written[];
  /** What happened between them. */
  readonly events: readonly WorldEvent[];
  /** What the realm could see of its machines, by its CPU; empty when it was not asked for. */
  readonly visible: readonly (readonly string[])[];
  /** What the monitors told of it, but for the first round after a power-on. */
  readonly told: readonly Told[];
}

/** How a world is lived. */
export interface LifeOptions {
  /** The hosts. */
  readonly hosts?: HostsOptions;
  /** What the link does. */
  readonly meddle?: Meddling;
  /** When it ends; when nothing goes on any more by default. */
  readonly until?: number;
  /** What the realm can see is noted. */
  readonly isTraced?: boolean;
  /** Looks at the world after each round. */
  readonly look?: (session: WorldSession) => void;
}

interface Bench {
  readonly session: WorldSession;
  readonly beginning: WorldMark;
  readonly heard: WeakSet<Machine>;
  readonly isTraced: boolean;
  meddle: Meddling;
  told: Told[];
  visible: string[][];
}

/** UART0's data register. */
const DATA = 0x0900_0000;

/**
 * What a guest at EL1 sees of an event: what it traps for and what it gets for it, exceptions and interrupts that it takes,
 * what it writes. Between which instructions an interrupt comes is nobody's promise.
 */
function seenByGuest(event: MachineEvent): string | undefined {
  switch (event.kind) {
    case "exceptionTaken": {
      const { exception, from, to, syndrome, faultAddress, returnAddress } = event;
      if (exception !== "synchronous") return to === 1 ? exception : undefined;
      return from > 1 ? undefined : `to EL${to}: ${[syndrome, faultAddress, returnAddress].join(" ")}`;
    }
    case "guestRegisterWritten":
      return `X${event.number} = ${event.value}`;
    case "virtualInterruptAcknowledged":
      return `interrupt ${event.interrupt}`;
    case "deviceWritten":
      return event.address === DATA ? `writes ${event.value}` : undefined;
    default:
      return undefined;
  }
}

/** Listens to machines that are not listened to yet. */
function listen(bench: Bench): void {
  for (const node of [EAST, WEST]) {
    const machine = bench.session.machineOf(node);
    if (machine === undefined || bench.heard.has(machine)) continue;
    bench.heard.add(machine);
    machine.board.events.add({
      classes: ["trap"],
      observe: (event) => {
        if (event.kind === "teeMigrationStepped" || event.kind === "transcriptSigned") {
          bench.told.push({ ...event, node });
        }
      },
    });
    if (!bench.isTraced) continue;
    machine.board.events.add({
      classes: ["trap", "device", "detail"],
      observe: (event) => {
        const seen = seenByGuest(event);
        if (seen !== undefined) (bench.visible[event.cpu] ??= []).push(seen);
      },
    });
  }
}

/** Worlds of small realms, each powered on once and lived as often as wanted. */
export class Lab {
  readonly #benches = new Map<string, Bench>();

  /** `options` say how machines are made. */
  constructor(private readonly options: MachineOptions) {}

  #bench(hostsOptions: HostsOptions, isMeddled: boolean, isTraced: boolean): Bench {
    const key = JSON.stringify([hostsOptions, isMeddled, isTraced]), known = this.#benches.get(key);
    if (known !== undefined) return known;
    const middle = { kind: "program", name: "middle", program: "meddler" };
    const world = isMeddled ? hosts(hostsOptions, MEDDLED_WIRES, [middle]) : hosts(hostsOptions);
    const programs = [meddler((...message) => bench.meddle(...message))];
    const session = new WorldSession(world, {
      ...this.options,
      images: REALM_IMAGES,
      programs,
      slice: SLICE,
    });
    const bench: Bench = {
      ...{ session, beginning: session.mark(), heard: new WeakSet<Machine>() },
      ...{ meddle: (bytes) => [bytes], told: [], visible: [], isTraced },
    };
    this.#benches.set(key, bench);
    return bench;
  }

  /** Lives a small realm's world to its rest. */
  live(
    inputs: readonly TimedWorldInput[],
    { hosts = {}, meddle, look, until, isTraced = false }: LifeOptions = {},
  ): Lived {
    const bench = this.#bench(hosts, meddle !== undefined, isTraced), { session } = bench;
    const writes: Written[] = [], writing: Omit<Written, "time">[] = [];
    bench.told = [];
    bench.visible = [];
    if (meddle !== undefined) bench.meddle = meddle;
    session.returnTo(bench.beginning);
    session.observer = {
      wrote: (node, bytes) => void writing.push({ node, text: new TextDecoder().decode(bytes) }),
    };
    const isPowered = inputs.some(({ input }) => input.kind === "power");
    for (const input of inputs) session.give(input);
    session.run(until ?? (isPowered ? UNTIL_POWER : hosts.hasHost === true ? UNTIL_HOST : UNTIL), () => {
      for (const one of writing.splice(0)) writes.push({ time: session.now, ...one });
      listen(bench);
      look?.(session);
      return false;
    });
    const [east = "", west = ""] = session.consoles;
    return {
      consoles: [east, west],
      writes,
      events: session.events,
      told: bench.told,
      visible: bench.visible,
    };
  }
}
