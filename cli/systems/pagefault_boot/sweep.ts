/** Every level and granule at many machine addresses: one abort each, and the record. */
import { parseConfiguration } from "../../../machine/configuration.ts";
import type { EventOf } from "../../../machine/events.ts";
import { Machine, type Snapshot } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { abortFailures, handOffFailures } from "./crossing.ts";
import { buildLoader, drawAddress, type Kind, kindText, LINKS, type Loader, RAM } from "./loaders.ts";
import { seeded } from "../random.ts";

/** Machine addresses of each level and granule. */
export const ADDRESSES = 256;
/** Where addresses are drawn from. */
export const SEED = 1;
/** Steps in which a loader parks: tables of 64 KiB take 62,000. */
const LIMIT = 200_000;

/** A machine that is put back to power-on for each loader, which the operator pokes into RAM and starts. */
class Bench {
  readonly #machine: Machine;
  readonly #start: Snapshot;
  #exceptions: EventOf<"exceptionTaken">[] = [];

  constructor({ level, granule }: Kind, context: CheckContext) {
    const configuration = parseConfiguration({
      secure: level === 3,
      virtualization: level >= 2,
      cpuModel: granule === "16K" ? "max" : "cortex-a57",
      memoryMiB: RAM.size / 2 ** 20,
    });
    this.#machine = new Machine(configuration, new Map(), context.machineOptions());
    this.#start = this.#machine.snapshot();
    this.#machine.board.events.add({
      classes: ["trap"],
      observe: (event) => {
        if (event.kind === "exceptionTaken") this.#exceptions.push(event);
      },
    });
  }

  /** What is wrong with a loader at `ma`. */
  run(loader: Loader, ma: number): string[] {
    const machine = this.#machine;
    machine.restore(this.#start);
    this.#exceptions = [];
    machine.submit({ kind: "memoryPatched", address: ma, bytes: loader.program.bytes });
    machine.submit({ kind: "registerPatched", target: 0, register: "pc", value: BigInt(ma) });
    const { reason } = machine.run(LIMIT);
    return [
      ...(reason === "resting"
        ? []
        : [`${kindText(loader)}, MA 0x${ma.toString(16)}: ended by ${reason}, not parked`]),
      ...abortFailures(loader, ma, "MSR", this.#exceptions),
      ...handOffFailures(machine, loader, ma, "MSR"),
    ];
  }
}

/** Runs `count` addresses of each kind, the links taken in turn; failures of at most ten runs are told. */
export async function sweep(
  context: CheckContext,
  kinds: readonly Kind[],
  count: number,
): Promise<CheckOutcome> {
  const failures: string[] = [];
  let runs = 0, failed = 0;
  for (const kind of kinds) {
    const loaders = LINKS.map((link) => buildLoader(kind, link)), numbers = seeded(SEED);
    const bench = new Bench(kind, context);
    for (let index = 0; index < count; index++) {
      const loader = loaders[index % loaders.length] as Loader;
      const ma = drawAddress(loader, numbers), found = bench.run(loader, ma);
      runs++;
      if (found.length > 0 && failed++ < 10) failures.push(...found);
      if (index % 16 > 0) continue;
      context.progress(kindText(kind), index, count);
      await context.breathe();
    }
  }
  if (failed > 10) failures.push(`and ${failed - 10} more runs`);
  return { failures, figures: { runs, seed: SEED } };
}
