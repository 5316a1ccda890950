/** The 22 systems: one row each; a file is read when its system is wanted. */
import { UsageError } from "../errors.ts";
import { suggestion } from "../suggest.ts";
import type { SystemScenario } from "./scenario.ts";

/** A system's row. */
export interface SystemRow {
  /** 1 to 22. */
  readonly number: number;
  /** How it is asked for. */
  readonly slug: string;
  /** What it is. */
  readonly title: string;
  /** The patent publications it builds; where only an abstract was at hand, the number was found by search. */
  readonly publications: readonly string[];
  /** Its explanation and checks; absent while it is planned. */
  readonly load?: () => Promise<SystemScenario>;
}

/** Every system, by number. */
// deno-fmt-ignore
export const SYSTEMS: readonly SystemRow[] = [
  { number:  1, slug: "pagefault-boot",      publications: ["US11182303B2"],                    title: "Constructing a boot loader's address space without guaranteed physical memory layout", load: async () => (await import("./pagefault_boot.ts")).pagefaultBootSystem },
  { number:  2, slug: "dcc-hypercall",       publications: ["US11169838B2", "US20210224089A1"], title: "Hypercalls by reads of a debug channel's status register", load: async () => (await import("./dcc_hypercall.ts")).scenario },
  { number:  3, slug: "icache-on-fault",     publications: ["US20190227934A1"],                 title: "Coherency maintenance of non-unified caches on a virtual machine's page faults", load: async () => (await import("./icache_on_fault.ts")).scenario },
  { number:  4, slug: "mp-mailbox",          publications: ["US20170364365A1"],                 title: "Multiprocessor initialization by firmware configuration", load: async () => (await import("./mp_mailbox.ts")).scenario },
  { number:  5, slug: "unified-backdoor",    publications: ["US20210224090A1", "US11550609B2"], title: "One hypercall interface across processors", load: async () => (await import("./unified_backdoor.ts")).scenario },
  { number:  6, slug: "rts-upcall",          publications: ["US20190391814A1"],                 title: "Firmware runtime services carried out at a higher exception level", load: async () => (await import("./rts_upcall.ts")).scenario },
  { number:  7, slug: "exclusive-probe",     publications: ["US20190213095A1"],                 title: "Detecting virtualization by exclusive loads and stores", load: async () => (await import("./exclusive_probe/scenario.ts")).exclusiveProbe },
  { number:  8, slug: "gva-scan",            publications: ["US20190026232A1"],                 title: "Hardware-assisted scanning of a guest's address space", load: async () => (await import("./gva_scan.ts")).scenario },
  { number:  9, slug: "bridge-space",        publications: ["US10185664B1", "US20190004965A1"], title: "Switching address spaces by an intermediate address space", load: async () => (await import("./bridge_space/scenario.ts")).bridgeSpace },
  { number: 10, slug: "dual-width-tables",   publications: ["US10002084B1"],                    title: "Kernel at EL2 and user at EL0 with one hierarchy of tables of two widths", load: async () => (await import("./dual_width_tables.ts")).scenario },
  { number: 11, slug: "prda-alias",          publications: ["US10331556B2", "US10795813B2"],    title: "Per-processor areas and non-preemptible operations by virtual aliases", load: async () => (await import("./prda_alias.ts")).scenario },
  { number: 12, slug: "el3-ecam",            publications: ["US10534732B2"],                    title: "Memory-mapped devices exposed by a secure monitor's PCI configuration space", load: async () => (await import("./el3_ecam.ts")).el3EcamSystem },
  { number: 13, slug: "el2-trampoline",      publications: ["US10019275B2", "US10162655B2", "US10255090B2"], title: "Switching between hypervisor contexts with more than two privilege levels", load: async () => (await import("./el2_trampoline.ts")).scenario },
  { number: 14, slug: "el3-simdev",          publications: ["US09952887B2"],                    title: "Device simulation in a secure mode", load: async () => (await import("./el3_simdev.ts")).el3SimdevSystem },
  { number: 15, slug: "dpu-provision",       publications: ["US12197939B2"],                    title: "Provisioning the management operating systems of DPUs", load: async () => (await import("./dpu_provision.ts")).dpuProvision },
  { number: 16, slug: "ecam-segments",       publications: ["US20240028547A1"],                 title: "PCIe configuration spaces exposed as ECAM", load: async () => (await import("./ecam_segments.ts")).ecamSegmentsSystem },
  { number: 17, slug: "kexec-hypervisor",    publications: ["US20230325223A1"],                 title: "Loading management hypervisors from user space", load: async () => (await import("./kexec_hypervisor.ts")).scenario },
  { number: 18, slug: "virtual-hypervisors", publications: ["US11422840B2"],                    title: "Partitioning a hypervisor into virtual hypervisors", load: async () => (await import("./virtual_hypervisors.ts")).scenario },
  { number: 19, slug: "time-scale",          publications: ["US20230195484A1"],                 title: "Scaling a guest's time", load: async () => (await import("./time_scale.ts")).scenario },
  { number: 20, slug: "serial-consoles",     publications: ["US20190258590A1"],                 title: "Several virtual consoles on one serial line", load: async () => (await import("./serial_consoles.ts")).scenario },
  { number: 21, slug: "tee-migration",       publications: ["US20220188146A1"],                 title: "Migration of trusted execution environments across architectures", load: async () => (await import("./tee_migration.ts")).scenario },
  { number: 22, slug: "dt2acpi",             publications: ["US20210026648A1"],                 title: "Converting a device tree to ACPI tables", load: async () => (await import("./dt2acpi.ts")).dt2acpiSystem },
];

/** Whether a system can be run. */
export function statusOf({ load }: SystemRow): "built" | "planned" {
  return load === undefined ? "planned" : "built";
}

/** The system of a name, or of a number. Throws UsageError. */
export function systemNamed(name: string): SystemRow {
  const found = SYSTEMS.find(({ slug, number }) => slug === name || String(number) === name);
  if (found !== undefined) return found;
  const slugs = SYSTEMS.map(({ slug }) => slug);
  throw new UsageError(
    `There is no system "${name}"${suggestion(name, slugs) || "; `hindsight system list` names them"}`,
  );
}
