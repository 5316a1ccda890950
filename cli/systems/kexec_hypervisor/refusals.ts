/** What the loader, the host's kernel and the second stage refuse, and that the host runs on, or the machine resets. */
import { managementExecutable } from "../../../firmware/kexec_hypervisor/management/program.ts";
import { file } from "../../host/guests/file_tree.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { EL2, type HostMachine, managed, recordHost, typed, UP } from "./host.ts";

/** A command of the host's shell, and what it is to say. */
interface Refusal {
  readonly line: string;
  readonly says: string;
}

const KX = "/kexec-hypervisor";

// deno-fmt-ignore
const REFUSALS: readonly Refusal[] = [
  { line: `${KX} exec`,                                                 says: "reboot: EINVAL" },
  { line: `${KX} xen /nothing a /Image k /guest.gz`,                    says: "hypervisor /nothing: cannot be read" },
  { line: `${KX} xen /guest.gz a /Image k /guest.gz`,                   says: "hypervisor /guest.gz: not an arm64 Image" },
  { line: `${KX} xen /xen a /esx k /guest.gz`,                          says: "kernel /esx: not an arm64 Image" },
  { line: `${KX} xen /xen a /Image k /Image`,                           says: "initrd /Image: not an initrd" },
  { line: `${KX} esx /xen a /Image k /guest.gz`,                        says: "hypervisor /xen: not an ELF file" },
  { line: `${KX} esx ${KX} a /Image k /guest.gz`,                       says: "no ESXBootInfo header" },
  { line: `${KX} esx /needs a /Image k /guest.gz`,                      says: "its ESXBootInfo header needs what" },
  { line: `${KX} xen /xen a /Image@4z k /guest.gz`,                     says: "the address behind @ is not hexadecimal" },
  { line: `${KX} -m /wrong xen /xen a /Image k /guest.gz`,              says: "kernel /Image: not in the manifest" },
  { line: `${KX} xen /xen a /Image@44000000 k /guest.gz@0x45000000`,    says: "kexec_load: EINVAL: segments overlap" },
  { line: `${KX} xen /xen a /Image@44000001 k /guest.gz`,               says: "kexec_load: EADDRNOTAVAIL" },
  { line: `${KX} xen /xen a`,                                           says: "usage: kexec-hypervisor" },
];

/** Script lines of all of them; the shell answers behind each. */
export const REFUSED: readonly string[] = REFUSALS.flatMap(({ line, says }) => [
  ...typed(line),
  `expect ${JSON.stringify(says)}`,
]);

/** How many they are. */
export const REFUSAL_COUNT: number = REFUSALS.length;

/** The management hypervisor with a flag in its header that asks for EL1. */
function needing(): Uint8Array {
  const bytes = managementExecutable().slice(), view = new DataView(bytes.buffer);
  for (let at = 0; at + 12 <= bytes.length; at += 4) {
    if (view.getUint32(at, true) !== 0x1bad_b005) continue;
    const flags = view.getUint32(at + 4, true), checksum = view.getUint32(at + 8, true);
    if ((0x1bad_b005 + flags + checksum) % 2 ** 32 !== 0) continue;
    view.setUint32(at + 4, flags | 1, true);
    view.setUint32(at + 8, checksum - 1, true);
    return bytes;
  }
  throw new RangeError("The management hypervisor has no header");
}

/** Files that the refusals name. */
export function refusedFiles(manifest: string): NonNullable<HostMachine["files"]> {
  const wrong = manifest.split("\n").map((line) =>
    line.endsWith("/Image") ? `${line[0] === "0" ? "1" : "0"}${line.slice(1)}` : line
  ).join("\n");
  return { wrong: file(wrong), needs: file(needing()) };
}

/** A host at EL1: the loader sees it in the kernel's log; told to go on, the second stage does, and resets. */
export async function checkEl1(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await recordHost(
    context,
    { options: ["-M", "virt", "-cpu", "cortex-a57"] },
    [
      ...[...UP, ...typed("sh /esx.sh"), 'expect "this host was entered at EL1"'],
      ...[...typed("echo still $((6 * 7))"), 'expect "still 42"'],
      ...[...typed("sh /esx.sh -f && /kexec-hypervisor exec"), 'expect "second stage: entered at EL1"'],
      'expect "refused: a hypervisor needs EL2"',
    ],
    "el1",
  );
  const failures = await context.replayOn(recorded, ["threaded", "compiled"]);
  if (recorded.console.includes("launch")) failures.push("the second stage launched at EL1");
  if (recorded.end.reason !== "reset") {
    failures.push(`the machine ended by ${recorded.end.reason}, not by a reset`);
  }
  return { failures, figures: { "steps in all": recorded.end.instant, "ended by": recorded.end.reason } };
}

/** CPUs that wait in memory instead of firmware: the kernel cannot turn them off, and says so before anything is lost. */
export async function checkSpinTable(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await recordHost(
    context,
    { options: [...EL2, "-smp", "2", "--enable-method", "spin-table"] },
    [
      ...[...UP, ...typed("nproc"), 'expect "\\n2"'],
      ...[...typed("sh /xen.sh"), 'expect "kexec_load: EBUSY"'],
      ...[...typed("echo still $((6 * 7)) on $(nproc)"), 'expect "still 42 on 2"'],
      ...[...typed("poweroff -f"), 'expect "Power down"'],
    ],
    "spin-table",
  );
  const failures = await context.replayOn(recorded, ["threaded", "compiled"]);
  return { failures, figures: { "steps in all": recorded.end.instant } };
}

/** A virtio-mmio device and a PCI function whose drivers are gone while they master the bus. */
export async function checkBusMasters(context: CheckContext): Promise<CheckOutcome> {
  const device = "/sys/bus/pci/devices/0000:00:01.0", transports = "/sys/bus/platform/drivers/virtio-mmio";
  const recorded = await recordHost(
    context,
    { options: [...EL2, "-device", "virtio-rng-device", "-device", "virtio-rng-pci"] },
    [
      ...[...UP, ...typed(`echo 0000:00:01.0 > ${device}/driver/unbind`)],
      ...typed(`printf '\\007' | dd of=${device}/config bs=1 seek=4 conv=notrunc; echo 1 > ${device}/remove`),
      ...typed(`echo a003e00.virtio_mmio > ${transports}/unbind; devmem 0xa003e70 32 7; devmem 0xa003e70`),
      ...[...typed("sh /esx.sh && /kexec-hypervisor exec"), 'expect "second stage: quiet: "'],
      ...managed(1),
    ],
    "bus-masters",
  );
  const failures = await context.replayOn(recorded, ["threaded", "compiled"]);
  const quiet = [...recorded.console.matchAll(/second stage: quiet: (.*?) 0x([0-9a-f]+)/g)];
  for (const what of ["virtio-mmio", "bus master"]) {
    if (!quiet.some(([, kind]) => kind === what)) failures.push(`no ${what} was found active`);
  }
  return { failures, figures: { "found active": quiet.map(([text]) => text).join("; ") } };
}
