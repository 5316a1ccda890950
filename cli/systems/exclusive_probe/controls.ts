/** The same bytes on QEMU: alone, and under a hypervisor of a few A64 instructions that sets the same traps. */
import { PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import { shimProgram, type ShimTraps } from "../../../firmware/exclusive_probe/shim.ts";
import type { CheckContext, CheckOutcome, SystemCheck } from "../scenario.ts";
import { probe } from "./machines.ts";
import { mismatches } from "./prediction.ts";
import { parseReport } from "./report.ts";

/** A control: the guest alone, or under the shim with the bits of some controls. */
interface Control {
  readonly name: string;
  readonly controls: readonly string[];
  /** No shim without. */
  readonly traps?: ShimTraps;
}

const TID2 = 1n << 17n, TID3 = 1n << 18n, TACR = 1n << 21n, TDA = 1n << 9n;

// deno-fmt-ignore
const CONTROLS: readonly Control[] = [
  { name: "alone",                controls: [] },
  { name: "shim without traps",   controls: [],                             traps: {} },
  { name: "shim with TID3",       controls: ["TID3"],                       traps: { hcr: TID3 } },
  { name: "shim with TID2",       controls: ["TID2"],                       traps: { hcr: TID2 } },
  { name: "shim with TDA",        controls: ["TDA"],                        traps: { mdcr: TDA } },
  { name: "shim with four",       controls: ["TID3", "TID2", "TACR", "TDA"], traps: { hcr: TID3 | TID2 | TACR, mdcr: TDA } },
];

/** The image of a control, and the machine's options. */
function setUp({ traps }: Control): { readonly bytes: Uint8Array; readonly options: readonly string[] } {
  const guest = probe({ rounds: 16 });
  const machine = traps === undefined ? "virt" : "virt,virtualization=on";
  return {
    bytes: traps === undefined ? guest.bytes : shimProgram(guest, traps).bytes,
    options: ["-M", machine, "-cpu", "cortex-a57", "-m", "128M", "-kernel", "control.bin"],
  };
}

async function shims(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const control of CONTROLS) {
    const { bytes, options } = setUp(control), files = { "control.bin": bytes };
    const recorded = await context.record({ options, files, engine: "reference" });
    const report = parseReport(recorded.console, PROBE_OPERATIONS);
    const wrong = mismatches(report, PROBE_OPERATIONS, control.controls);
    failures.push(...wrong.map((line) => `${control.name}: ${line}`));
    failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  }
  return { failures, figures: { controls: CONTROLS.length } };
}

async function onQemu(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const control of CONTROLS) {
    const { bytes, options } = setUp(control), files = { "control.bin": bytes };
    const recorded = await context.record({ options, files, engine: "reference" });
    const { console } = await context.qemu({ options, files });
    if (console === recorded.console) continue;
    failures.push(
      `${control.name}: QEMU prints ${JSON.stringify(console)}, not ${JSON.stringify(recorded.console)}`,
    );
  }
  return { failures, figures: { controls: CONTROLS.length } };
}

/** The word is at each wrong alignment: a fault is told, and nothing guessed. */
async function misaligned(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], guests = [1, 2, 3] as const;
  for (const misalignment of guests) {
    const guest = probe({ misalignment }), address = guest.symbols.get("target")! + BigInt(misalignment);
    const options = ["-kernel", "misaligned.bin"], files = { "misaligned.bin": guest.bytes };
    const recorded = await context.record({ options, files, engine: "reference" });
    const digits = (value: bigint): string => `0x${value.toString(16).padStart(16, "0")}`;
    // EC 0x25, IL, DFSC 0b100001: an alignment fault of a data access, of the first load-exclusive.
    const told = `alignment fault: ESR_EL1 ${digits(0x9600_0021n)}, FAR_EL1 ${digits(address)}, ` +
      `ELR_EL1 ${digits(guest.symbols.get("pair0")!)}`;
    if (!recorded.console.includes(told)) {
      failures.push(`${misalignment} bytes off: ${JSON.stringify(recorded.console)} does not tell ${told}`);
    }
    if (recorded.console.includes("verdict")) failures.push(`${misalignment} bytes off: there is a verdict`);
    if (recorded.end.reason !== "poweredOff") {
      failures.push(`${misalignment} bytes off: ${recorded.end.reason}`);
    }
  }
  return { failures, figures: { guests: guests.length } };
}

/** A timer that lets two instructions pass between its interrupts: no store can succeed. */
const STORM = 5;

async function inconclusive(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], files = { "storm.bin": probe({ period: STORM }).bytes };
  const recorded = await context.record({ options: ["-kernel", "storm.bin"], files, engine: "reference" });
  const { rounds, failures: failed, verdicts } = parseReport(recorded.console, PROBE_OPERATIONS);
  const passes = [...failed.values()].reduce((sum, count) => sum + rounds - count, 0);
  if (passes > 0) failures.push(`${passes} stores succeeded in the storm: it shows nothing`);
  for (const level of [0, 1] as const) {
    if (verdicts[level] !== "inconclusive") failures.push(`EL${level}: ${verdicts[level]}, not inconclusive`);
  }
  return {
    failures,
    figures: { passes, interrupted: [...failed.values()].reduce((sum, count) => sum + count, 0) },
  };
}

/** The machine's choice for Device memory (Arm ARM B2.9.5, IMPLEMENTATION DEFINED) is that exclusives work there, as on QEMU. */
async function deviceMemory(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], files = { "device.bin": probe({ isDevice: true }).bytes };
  const recorded = await context.record({ options: ["-kernel", "device.bin"], files, engine: "reference" });
  failures.push(...mismatches(parseReport(recorded.console, PROBE_OPERATIONS), PROBE_OPERATIONS, []));
  return { failures, figures: {} };
}

/** The checks. */
export const CONTROL_CHECKS: readonly SystemCheck[] = [
  { name: "under a hypervisor in A64 the probe finds its traps, and replays with equal roots", run: shims },
  { name: "QEMU prints the same, alone and under that hypervisor", run: onQemu },
  { name: "a misaligned word is told as an alignment fault", run: misaligned },
  { name: "where no store can succeed the verdict is inconclusive", run: inconclusive },
  { name: "on Device memory the monitor works, as the machine documents", run: deviceMemory },
];
