/** Runs plans of hops on a bare machine, and checks each hop. */
import { createHash } from "node:crypto";
import { PLAN_MAIR, planProgram, tcrOf } from "../../../firmware/bridge_space/plan_program.ts";
import {
  type Hop,
  planHops,
  type PlannedSpace,
  type PlanRequest,
} from "../../../firmware/bridge_space/planner.ts";
import type { GranuleShift } from "../../../firmware/loader/translation_layout.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { Machine } from "../../../machine/machine.ts";
import { numbersFrom } from "./pairs.ts";

/** RAM of the machine; what is between its end and the board's high windows is nothing. */
const RAM_END = 0x5000_0000n, HIGH_WINDOWS = 0x40_0000_0000n, MEMORY_MIB = 256;
const TABLES_AT = 0x4c00_0000n, MOST_STEPS = 2_000;

/** Whether nothing answers at a physical address of that machine. */
export function isUnbacked(physical: bigint): boolean {
  return physical >= RAM_END && physical < HIGH_WINDOWS;
}

function machineFor(
  pieces: readonly (readonly [at: bigint, bytes: Uint8Array])[],
  level: 1 | 2,
  engine: string,
): Machine {
  const images = new Map<string, Uint8Array>();
  const loaders = pieces.map(([at, bytes]) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    images.set(sha256, bytes);
    const image = { sha256, size: bytes.length, name: "plan" };
    return { kind: "image" as const, image, address: Number(at), forceRaw: true };
  });
  const configuration = parseConfiguration({
    memoryMiB: MEMORY_MIB,
    virtualization: level === 2,
    strictModels: ["tlb"],
    boot: { loaders },
  });
  return new Machine(configuration, images, { engine });
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** A plan that was run. */
interface PlanRun {
  readonly machine: Machine;
  readonly plan: ReturnType<typeof planProgram>;
  readonly events: readonly MachineEvent[];
  /** It came to its end. */
  readonly hasArrived: boolean;
}

/** Runs a plan from its first hop to its end, or for MOST_STEPS. */
export function runPlan(
  request: PlanRequest,
  hops: readonly Hop[],
  level: 1 | 2,
  engine: string = "reference",
): PlanRun {
  const plan = planProgram(request, hops, level, TABLES_AT), { program, tables } = plan;
  const pieces = tables.map(({ at, bytes }) => [at, bytes] as const);
  const machine = machineFor([...pieces, [request.physical, program.bytes]], level, engine);
  const set = (register: string, value: bigint) =>
    void machine.submit({ kind: "registerPatched", target: 0, register, value });
  set(`TTBR0_EL${level}`, tables[0]!.at);
  set(`TCR_EL${level}`, tcrOf(request.source, level));
  set(`MAIR_EL${level}`, PLAN_MAIR);
  set(`SCTLR_EL${level}`, 0x30c5_1835n);
  set("pc", request.from);
  const events: MachineEvent[] = [];
  machine.board.events.add({
    classes: ["trap", "detail", "step"],
    observe: (event) => void events.push(event),
  });
  const end = (hops.at(-1)?.address ?? request.from) + program.symbols.get("arrived")! - request.physical;
  machine.watch([{ kind: "execute", address: end }]);
  const { reason } = machine.run(MOST_STEPS);
  return { machine, plan, events, hasArrived: reason === "watched" };
}

/** What a run of a plan does that the plan does not say; nothing when all is as planned. */
export function faultsOfPlan(
  request: PlanRequest,
  hops: readonly Hop[],
  level: 1 | 2,
  engine: string = "reference",
): string[] {
  const { machine, plan: { program, tables }, events, hasArrived } = runPlan(request, hops, level, engine);
  const rootOf = (space?: PlannedSpace) => tables.find((one) => one.space === space)!.at;
  const offset = (symbol: string) => program.symbols.get(symbol)! - request.physical;
  const addresses = [request.from, ...hops.map(({ address }) => address)];
  const faults = hasArrived ? [] : [`it does not arrive, but is at ${hex(machine.currentCpu.pc)}`];
  const last = hops.at(-1) ?? { space: request.source, address: request.from };
  if (last.space !== request.target || last.address !== request.to) {
    faults.push(`it ends at ${hex(last.address)} in ${last.space?.name ?? "no space"}`);
  }
  let at = 0;
  for (const [index] of hops.entries()) {
    const pc = addresses[index]! + offset(`hop_${index}`);
    at = events.findIndex((event, place) => place >= at && event.kind === "stepRetired" && event.pc === pc);
    if (at < 0) return [...faults, `hop ${index} does not begin at ${hex(pc)}`];
  }
  const written = (name: string) =>
    events.flatMap((event) =>
      event.kind === "systemRegisterWritten" && event.register === `${name}_EL${level}` ? [event.value] : []
    );
  const compare = (what: string, found: readonly bigint[], planned: readonly bigint[]) => {
    if (found.join() !== planned.join()) {
      faults.push(
        `${what}: ${found.map(hex).join() || "none"}, planned ${planned.map(hex).join() || "none"}`,
      );
    }
  };
  const entered = hops.filter(({ kind }) => kind === "switch" || kind === "on" || kind === "onByAbort");
  compare("TTBR0", written("TTBR0"), entered.map(({ space }) => rootOf(space)));
  compare(
    "SCTLR.M",
    written("SCTLR").map((value) => value & 1n),
    hops.flatMap(({ kind }) => /^o(n|ff)/.test(kind) ? [kind.startsWith("on") ? 1n : 0n] : []),
  );
  compare(
    "TCR",
    written("TCR"),
    hops.flatMap(({ kind, space }) => /^on/.test(kind) ? [tcrOf(space!, level)] : []),
  );
  const aborts = events.flatMap((event) => event.kind === "exceptionTaken" ? [event.syndrome >> 26n] : []);
  compare("exceptions", aborts, hops.flatMap(({ kind }) => kind.endsWith("ByAbort") ? [0x21n] : []));
  const stale = events.filter(({ kind }) => kind === "staleTranslationUsed");
  if (stale.length > 0) faults.push(`${stale.length} stale translations are used`);
  return faults;
}

const CODE_SIZE = 0x2_0000n, UNIT = 0x1_0000n;
const WIDTHS = [32, 36, 40, 48], GRANULES: readonly GranuleShift[] = [12, 16];

/** Requests from a seed: spaces that overlap or not, of one width or two, code where it is or elsewhere. */
export function* randomRequests(seed: number): Generator<PlanRequest> {
  const next = numbersFrom(seed),
    one = <T>(values: readonly T[]): T => values[Number(next(BigInt(values.length)))]!;
  for (;;) {
    const physical = 0x4800_0000n + next(0x100n) * UNIT;
    const layout = { granule: one(GRANULES), inputBits: one(WIDTHS) };
    const other = one([layout, layout, { granule: one(GRANULES), inputBits: one(WIDTHS) }]);
    const anywhere = ({ inputBits }: typeof layout) => (next((1n << BigInt(inputBits - 16)) - 2n)) * UNIT;
    const from = one([physical, anywhere(layout), anywhere(layout)]);
    const to = one([from, from + UNIT, physical, anywhere(other), anywhere(other), anywhere(other)]);
    if (to + CODE_SIZE > 1n << BigInt(other.inputBits)) continue;
    const space = (
      name: string,
      shape: typeof layout,
      main: bigint,
      others: readonly bigint[],
    ): PlannedSpace => {
      const mappings = [{ virtual: main, physical, size: CODE_SIZE }];
      for (const virtual of others) {
        const isFree = mappings.every((mapping) =>
          virtual >= mapping.virtual + CODE_SIZE || mapping.virtual >= virtual + CODE_SIZE
        );
        if (!isFree || virtual + CODE_SIZE > 1n << BigInt(shape.inputBits)) continue;
        // The code itself, or something else that must not be taken for it.
        mappings.push({ virtual, physical: one([physical, physical + 0x100_0000n]), size: CODE_SIZE });
      }
      return { name, layout: shape, mappings };
    };
    yield {
      source: space("S1", layout, from, one([[], [to], [physical], [to, physical]])),
      target: space("S2", other, to, one([[], [from], [physical], [from, physical]])),
      from,
      to,
      physical,
      size: CODE_SIZE,
      isUnbacked,
    };
  }
}

/** Plans from a seed, run; what is wrong with them, and how many there are of each shape. */
export function checkPlans(seed: number, count: number, engine?: string): {
  readonly failures: string[];
  readonly shapes: ReadonlyMap<string, number>;
} {
  const failures: string[] = [], shapes = new Map<string, number>();
  let done = 0;
  for (const request of randomRequests(seed)) {
    if (done++ === count) break;
    const hops = planHops(request), level = done % 2 === 0 ? 1 : 2;
    const shape = hops === undefined ? "none" : hops.map(({ kind }) => kind).join(" ") || "nothing to do";
    shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
    if (hops === undefined) continue;
    for (const fault of faultsOfPlan(request, hops, level, engine)) {
      failures.push(`seed ${seed}, plan ${done} (${shape}) at EL${level}: ${fault}`);
    }
  }
  return { failures, shapes };
}

/** Ways of the sheets from one place to another: over a bridge, and by turning the MMU off and taking a page fault. */
export function compareWays(level: 1 | 2): {
  readonly failures: string[];
  readonly figures: Readonly<Record<string, string>>;
} {
  const physical = 0x4800_0000n, to = 0x12_3456_0000n, layout = { granule: 12, inputBits: 40 } as const;
  const at = (virtual: bigint) => [{ virtual, physical, size: CODE_SIZE }];
  const source = { name: "S1", layout, mappings: at(physical) },
    target = { name: "S2", layout, mappings: at(to) };
  const request: PlanRequest = { source, target, from: physical, to, physical, size: CODE_SIZE, isUnbacked };
  const byAbort: readonly Hop[] = [
    { kind: "off", space: undefined, address: physical, because: "pagefault-boot begins so" },
    { kind: "onByAbort", space: target, address: to, because: "its page fault" },
  ];
  const ways = { "over a bridge": planHops(request) ?? [], "by a page fault": byAbort };
  const failures: string[] = [], figures: Record<string, string> = {}, ends: string[] = [];
  for (const [name, hops] of Object.entries(ways)) {
    failures.push(...faultsOfPlan(request, hops, level).map((fault) => `${name}: ${fault}`));
    const { machine, events, plan: { program, tables } } = runPlan(request, hops, level);
    const { pc } = machine.currentCpu,
      register = (one: string) => peekSystemRegister(machine.currentCpu, one);
    const root = register(`TTBR0_EL${level}`), last = tables.find((table) => table.at === root)!;
    ends.push([
      hex(pc - program.symbols.get("arrived")! + physical),
      ...["SCTLR", "TCR", "MAIR"].map((one) => `${one}=${hex(register(`${one}_EL${level}`))}`),
      // Descriptors hold where tables are, which is not the same: what they map is.
      JSON.stringify(last.space.mappings, (_, value) => typeof value === "bigint" ? hex(value) : value),
    ].join(" "));
    const count = (test: (event: MachineEvent) => boolean) => events.filter(test).length;
    const writes = (one: string) =>
      count((event) => event.kind === "systemRegisterWritten" && event.register === `${one}_EL${level}`);
    figures[name] = `${count(({ kind }) => kind === "stepRetired")} steps, TTBR0 ${writes("TTBR0")}, ` +
      `SCTLR ${writes("SCTLR")}, TLBI ${count(({ kind }) => kind === "tlbInvalidated")}, ` +
      `aborts ${count(({ kind }) => kind === "exceptionTaken")}`;
  }
  if (ends[0] !== ends[1]) failures.push(`they end differently: ${ends.join(", and ")}`);
  return { failures, figures };
}
