/** tee-migration's checks of an enclave that stays where it is: what it does, and what the normal world has of it. */
import "../../../hypervisor/install.ts";
import { enclaveHost } from "../../../firmware/tee_migration/enclave_host.ts";
import { enclaveIntruder } from "../../../firmware/tee_migration/enclave_intruder.ts";
import {
  ENCLAVE_CANARY,
  EXTENSIONS_EACH_TIME,
  EXTENSIONS_FEATURES,
  EXTENSIONS_SOURCE,
  EXTENSIONS_TIMES,
  programImage,
  TICKER_SOURCE,
  TRESPASSES,
} from "../../../firmware/tee_migration/enclave_programs.ts";
import { createHash } from "node:crypto";
import { parseConfiguration } from "../../../machine/configuration.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import type { EventObserver, MachineEvent } from "../../../machine/events.ts";
import { Machine } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";

/** What the ticker writes wherever it runs, and its host behind it. */
export const TICKER_WRITES = "kedpcoapcnjcpbdjfeobhblpma8530d619b2f83eef.";
/** The same of the program with extensions. */
export const EXTENSIONS_WRITE = "gcgaemkaomciagmimckiomimcofecb7540b5580ca6.";

/** Options of a host. */
const HOST = { role: "source", cluster: "our cluster's key", timeout: "5" };
/** Steps until every guest here rests, and parts of them between which memory is looked at. */
const MOST_STEPS = 600_000, PARTS = 12;
const ENGINES = ["reference", "threaded", "compiled"] as const;

/** Records a guest under a monitor with enclaves. */
function record(
  context: CheckContext,
  guest: Uint8Array,
  { board = "virt", options = "", more = [] }: {
    readonly board?: string;
    readonly options?: string;
    readonly more?: readonly string[];
  } = {},
): Promise<Recorded> {
  const monitor = `el3:tee-migration,role=source,cluster=a-cluster-key${options}`;
  return context.record({
    options: ["-kernel", "guest", "-m", "16M", "-M", `${board},secure-ram=on`, "--monitor", monitor, ...more],
    files: { guest },
  });
}

/** The ticker at all granules, from EL1 and from EL2, on two CPUs, under strict models: always the same text. */
export async function enclavesAlone(context: CheckContext): Promise<CheckOutcome> {
  const host = enclaveHost(programImage(TICKER_SOURCE)), failures: string[] = [];
  const ways: Readonly<Record<string, Parameters<typeof record>[2]>> = {
    "pages of 64 KiB": {},
    "pages of 16 KiB": { options: ",granule=16K", more: ["-cpu", "max"] },
    "pages of 4 KiB": { options: ",granule=4K" },
    "a caller at EL2": { board: "virt,virtualization=on" },
    "strict models": { more: ["--strict", "tlb,icache,dcache,context"] },
  };
  for (const [name, way] of Object.entries(ways)) {
    const recorded = await record(context, host, way);
    if (recorded.console !== TICKER_WRITES) failures.push(`${name}: it wrote "${recorded.console}"`);
    const others = context.all || name === "pages of 64 KiB" ? ENGINES : [];
    failures.push(...await context.replayOn(recorded, others.filter((engine) => engine !== recorded.engine)));
    await context.breathe();
  }
  return { failures, figures: { ways: Object.keys(ways).length } };
}

/** A machine of a host, to be looked into. */
function machineOf(
  context: CheckContext,
  guest: Uint8Array<ArrayBuffer>,
  options: Readonly<Record<string, string>> = {},
): Machine {
  const sha256 = createHash("sha256").update(guest).digest("hex");
  const configuration = parseConfiguration({
    ...{ memoryMiB: 16, secureRam: true, boot: { kernel: { sha256, size: guest.length, name: "guest" } } },
    monitors: [{ level: 3, systems: [{ name: "tee-migration", options: { ...HOST, ...options } }] }],
  });
  return new Machine(configuration, new Map([[sha256, guest]]), context.machineOptions());
}

/** What a machine writes until it rests. */
function written(machine: Machine): string {
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  machine.run(MOST_STEPS);
  return text;
}

/** Registers of EL3 that an exception to it writes, and what no software reads. */
const EXCEPTION_REGISTERS = ["ESR_EL3", "ELR_EL3", "SPSR_EL3", "FAR_EL3", "PMU_ADVANCED_TO"] as const;
const OWN: ReadonlySet<number> = new Set(EXCEPTION_REGISTERS.map((name) => INDEX[name]));
/** X0 to X5 have results of calls. */
const RESULTS = 6;

/** What a CPU has that software of the normal world can see, results of calls left out. */
function seenOf({ registers }: Cpu): bigint[] {
  const { slots, v, system } = registers;
  return [
    ...slots.subarray(RESULTS, 31),
    ...v,
    ...[...system].map((value, index) => OWN.has(index) ? 0n : value),
  ];
}

/** Watches each way of a CPU through EL3, and says what the normal world finds that it has not left. */
class LeakWatch implements EventObserver {
  readonly classes = ["trap"] as const;
  readonly failures: string[] = [];
  turns = 0;
  #before: bigint[] | undefined;

  constructor(private readonly cpu: Cpu) {}

  observe(event: MachineEvent): void {
    const isNormal = (peekSystemRegister(this.cpu, "SCR_EL3") & 1n) === 1n;
    if (event.kind === "exceptionTaken" && event.to === 3 && isNormal) this.#before = seenOf(this.cpu);
    if (event.kind !== "exceptionReturned" || event.from !== 3 || !isNormal || this.#before === undefined) {
      return;
    }
    const after = seenOf(this.cpu),
      before = this.#before,
      at = after.findIndex((value, index) => value !== before[index]);
    this.#before = undefined;
    this.turns++;
    if (at >= 0) this.failures.push(`at instant ${event.instant} register ${at + RESULTS} is ${after[at]}`);
    if (after.some((value) => CANARY_WORDS.includes(value))) {
      this.failures.push("the canary is in a register");
    }
  }
}

const CANARY_WORDS = [...new BigUint64Array(Uint8Array.fromHex(ENCLAVE_CANARY).buffer)];

/** Whether the canary's first half is in memory, at a multiple of 8 bytes. */
function hasCanary(words: BigUint64Array): boolean {
  const [first, second] = CANARY_WORDS as [bigint, bigint];
  for (let at = words.indexOf(first); at >= 0; at = words.indexOf(first, at + 1)) {
    if (words[at + 1] === second) return true;
  }
  return false;
}

/** Names of the memories in which the canary's first half is. */
export function memoriesWithCanary({ memory }: Machine["board"]): string[] {
  return memory.regions
    // Flash is written by commands, and nobody here gives any.
    .filter(({ device }) => device === undefined)
    .filter(({ hostOffset, size }) =>
      hasCanary(new BigUint64Array(memory.bytes.buffer, hostOffset, size / 8))
    )
    .map(({ name }) => name);
}

/** What is wrong with what the normal world sees of an enclave that runs to its end. */
async function leaks(context: CheckContext, planted?: string): Promise<[string[], LeakWatch]> {
  const options = planted === undefined ? {} : { planted };
  const machine = machineOf(context, enclaveHost(programImage(TICKER_SOURCE)), options),
    failures: string[] = [];
  const [cpu] = machine.board.cpus, watch = new LeakWatch(cpu!);
  machine.board.events.add(watch);
  let wasThere = false;
  for (let part = 1; part <= PARTS; part++) {
    machine.run(part * MOST_STEPS / PARTS);
    const where = memoriesWithCanary(machine.board);
    wasThere ||= where.includes("secureRam");
    const wrong = where.filter((name) => name !== "secureRam" || part === PARTS);
    if (wrong.length > 0) failures.push(`after part ${part} the canary is in ${wrong.join(", ")}`);
    await context.breathe();
  }
  if (!wasThere) failures.push("the canary was nowhere");
  if (watch.turns < 100) failures.push(`only ${watch.turns} calls and interrupts`);
  return [[...failures, ...watch.failures], watch];
}

/** Nothing of an enclave is in normal memory or in a register that it was not given back with, and nothing stays. */
export async function enclavesKeep(context: CheckContext): Promise<CheckOutcome> {
  const [failures, { turns }] = await leaks(context);
  for (const planted of ["left-register", "kept-memory"]) {
    const [found] = await leaks(context, planted);
    if (found.length === 0) failures.push(`with "${planted}" planted nothing was found`);
  }
  return { failures, figures: { turns } };
}

/** What an attempt of the intruder comes to where it is not as on its first line. */
const ABORTS = /^(load|store|fetch)[a-z ]* 0x0e[0-9a-f]+ (00000000(9600001|9600005|8600001)0)$/;
const REFUSALS: Readonly<Record<string, bigint>> = {
  ...{ "find none": -5n, "enter none": -5n, "destroy none": -5n, "create from Secure memory": -2n },
  ...{ "create from a device": -2n, "create from nowhere": -2n, "create across the end of RAM": -2n },
  ...{ "create from an odd address": -2n, "create with nothing": -2n, "create with too much": -2n },
  ...{
    "create with half": -2n,
    "create what is no program": -2n,
    "an unknown call": -1n,
    "create another": -4n,
  },
  ...{ "create": 0n, "find": 0n, "enter": 3n, "an SMC that is no call": 0x200_0000n, "destroy": 0n },
  ...{ "destroy again": -5n, "enter after that": -5n, "PSCI version": 0x1_0001n },
};

/** Loads, stores and fetches of Secure memory abort whatever is there; forged calls are refused, and change nothing. */
export async function intrusions(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await record(context, enclaveIntruder(programImage(TICKER_SOURCE)));
  const lines = recorded.console.trim().split("\n"), failures: string[] = [];
  let aborted = 0, allowed = 0;
  for (const line of lines) {
    const at = line.lastIndexOf(" "), name = line.slice(0, at), wanted = REFUSALS[name];
    if (/ 0x0e/.test(name)) {
      if (ABORTS.test(line)) aborted++;
      else failures.push(`it got through: ${line}`);
    } else if (/ 0x40/.test(name)) allowed += ABORTS.test(line.replace("0x40", "0x0e")) ? 0 : 1;
    else if (wanted === undefined || BigInt.asUintN(64, wanted) !== BigInt(`0x${line.slice(at + 1)}`)) {
      failures.push(`not as it is to be: ${line}`);
    }
  }
  if (aborted !== 30 || allowed !== 10) {
    failures.push(`${aborted} aborts and ${allowed} accesses of normal memory`);
  }
  if (lines.length !== 40 + Object.keys(REFUSALS).length) failures.push(`${lines.length} lines`);
  failures.push(...await context.replayOn(recorded, ENGINES.filter((engine) => engine !== recorded.engine)));
  return { failures, figures: { aborted, calls: Object.keys(REFUSALS).length } };
}

/** An enclave that does what it may not is ended, and its memory is cleared. */
export async function trespasses(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const [name, source] of Object.entries(TRESPASSES)) {
    const program = `start:\n${source}\nmov x0, #0\nsvc #0\n`;
    const machine = machineOf(context, enclaveHost(programImage(program))), text = written(machine);
    if (!/^F./.test(text)) failures.push(`${name}: "${text}"`);
    const { base, size } = machine.board.memory.regions.find((region) => region.name === "secureRam")!;
    if (machine.board.memory.readBytes(base, size).some((byte) => byte !== 0)) {
      failures.push(`${name}: memory is left`);
    }
    await context.breathe();
  }
  const text = written(machineOf(context, enclaveHost(programImage("start: mov x0, #0\nsvc #0\n"))));
  if (text !== ".") failures.push(`without any it wrote "${text}"`);
  return { failures, figures: { trespasses: Object.keys(TRESPASSES).length } };
}

/** Counts what was emulated. */
class EmulationCount implements EventObserver {
  readonly classes = ["detail"] as const;
  readonly features = new Map<string, number>();

  observe(event: MachineEvent): void {
    if (event.kind !== "instructionEmulated") return;
    this.features.set(event.feature, (this.features.get(event.feature) ?? 0) + 1);
  }
}

/** A program with extensions that the CPU lacks writes what it writes on one that has them, each emulated once. */
export async function shims(context: CheckContext): Promise<CheckOutcome> {
  const image = programImage(EXTENSIONS_SOURCE, { features: EXTENSIONS_FEATURES, allowsShims: true });
  const run = (options: Readonly<Record<string, string>>): readonly [string, EmulationCount] => {
    const machine = machineOf(context, enclaveHost(image), options), count = new EmulationCount();
    machine.board.events.add(count);
    return [written(machine), count];
  };
  const failures: string[] = [], [text, { features }] = run({ shims: "on" });
  const emulated = [...features.values()].reduce((sum, count) => sum + count, 0);
  if (text !== EXTENSIONS_WRITE) failures.push(`emulated, it wrote "${text}"`);
  if (emulated !== EXTENSIONS_EACH_TIME * EXTENSIONS_TIMES) {
    failures.push(`${emulated} instructions were emulated`);
  }
  const native = await record(context, enclaveHost(image), { more: ["-cpu", "max"] });
  if (native.console !== EXTENSIONS_WRITE) failures.push(`with its extensions it wrote "${native.console}"`);
  if (run({})[0] !== "R3") failures.push("without shims it was not refused");
  if (run({ shims: "on", planted: "blind-shim" })[0] === EXTENSIONS_WRITE) {
    failures.push("with instructions skipped nothing was found");
  }
  return { failures, figures: { emulated, ...Object.fromEntries(features) } };
}
