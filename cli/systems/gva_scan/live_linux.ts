/** Scans of a live Debian: its kernel while it boots, its shell, and programs that tell of their own pages. */
import { elfExecutable } from "../../../firmware/elf.ts";
import { pagemapProgram } from "../../../firmware/gva_scan/pagemap_program.ts";
import { concatenated, cpioArchive, file } from "../../host/guests/file_tree.ts";
import { gzip } from "../../host/guests/initramfs.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { boundOf, countOf, failuresOf, type ObservedScan, observeScans, scansJson } from "./observed.ts";
import { comparePagemap, readPagemaps } from "./pagemap_console.ts";

const SCAN = "monitor el2 gva-scan";
const PROMPT = 'expect "# "';
/** A program that waits behind `ready` for nothing: the scan is where its last line left the CPU. */
const pagemap = (before: string): string[] => [
  ...[`send "${before}/pagemap\\r"`, 'expect "ready"', SCAN, 'expect "done"', PROMPT],
];

/** Five scans: twice while the kernel boots, at the shell, and in two programs, the second among others. */
const SCRIPT = [
  ...[`at 120000000 ${SCAN}`, `at 250000000 ${SCAN}`],
  ...['expect "hindsight: shell"', PROMPT, SCAN],
  ...pagemap(""),
  ...pagemap("yes > /dev/null & sleep 100 & top -b > /dev/null & "),
  ...['send "poweroff -f\\r"', 'expect "reboot: Power down"'],
];

/** The guest's initramfs, with the program. */
function initramfs(context: CheckContext): Uint8Array {
  const base = Deno.readFileSync(context.guest("linux-cloud/initrd.gz"));
  const tree = new Map([["pagemap", file(elfExecutable(pagemapProgram()), 0o755)]]);
  return concatenated([base, gzip(cpioArchive(tree))]);
}

/** Records Debian under the monitor with the scans. */
export function recordLinux(
  context: CheckContext,
  machine: readonly string[] = [],
  name = "debian",
): Promise<Recorded> {
  return context.record({
    name,
    options: [
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", "initrd", "-m", "256M", "-no-reboot"],
      ...["-append", `console=ttyAMA0 ${QUICK_KERNEL}`, "--monitor", "el2:gva-scan", ...machine],
    ],
    files: { initrd: initramfs(context) },
    script: SCRIPT,
  });
}

function figuresOf(scans: readonly ObservedScan[], agreeing: number): Record<string, number | string> {
  const figures: Record<string, number | string> = {};
  for (const scan of scans) {
    const { runs, walked, instant } = scan;
    figures[`AT at instant ${instant}`] = `${countOf(scan)} for ${walked.tables} tables and ` +
      `${walked.leaves} leaves (bound ${boundOf(scan)}), ${runs.length} runs`;
  }
  return { ...figures, "AT of a naive scan, each half": 2 ** 36, "user pages as in pagemap": agreeing };
}

/** The acceptance of the sheet on one machine; replayed on another engine than it was recorded on. */
export async function checkLinux(
  context: CheckContext,
  machine: readonly string[] = [],
  name = "debian",
): Promise<CheckOutcome> {
  const recorded = await recordLinux(context, machine, name);
  const other = context.engine === "threaded" ? "compiled" : "threaded";
  const scans = await observeScans(recorded, context.machineOptions(other), (instant) => {
    context.progress(`replaying on the ${other} engine`, instant, recorded.run.lastInstant);
    return context.breathe();
  });
  Deno.writeTextFileSync(context.file(`${name}.json`), scansJson(scans));
  const failures = scans.flatMap((scan) => failuresOf(scan));
  if (scans.length !== 5) failures.push(`there are ${scans.length} scans, not 5`);
  const pagemaps = readPagemaps(recorded.console);
  if (pagemaps.length !== 2) failures.push(`${pagemaps.length} programs told of their pages, not 2`);
  let agreeing = 0;
  for (const [index, pages] of pagemaps.entries()) {
    const compared = comparePagemap(pages, scans[scans.length - 2 + index]?.runs ?? []);
    agreeing += compared.agreeing;
    failures.push(...compared.failures.slice(0, 10));
  }
  if (agreeing < 100) failures.push(`only ${agreeing} user pages were compared`);
  return { failures, figures: figuresOf(scans, agreeing) };
}
