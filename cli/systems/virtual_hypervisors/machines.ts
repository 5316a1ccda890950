/** Machines with instances and virtual machines: their manifest, images in RAM, and options of `hindsight record`. */
import { VM_GUEST_BASE } from "../../../firmware/virtual_hypervisors/guest_code.ts";
import type { ManifestInstance } from "../../../hypervisor/systems/virtual_hypervisors/operator_calls.ts";
import { VIRTUAL_HYPERVISORS } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import { BLOCK_BYTES, BLOCK_PAGES } from "../../../hypervisor/systems/virtual_hypervisors/objects.ts";
import type { Leak } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";

/** Who asks in checks. */
export const OPERATOR = "operator-secret";
/** Credential of an instance by its name. */
export const credentialOf = (name: string): string => `secret-of-${name}`;

/** Where the manifest and images are. */
const MANIFEST_AT = 0x4020_0000, IMAGES_AT = 0x4040_0000;

/** A virtual machine of a check. */
export interface VmPlan {
  /** Its name. */
  readonly name: string;
  /** Source of a small guest, or the name of one of the machine's images. */
  readonly guest: string;
  /** Its initial file system, among the machine's images. */
  readonly initrd?: string;
  /** Its command line. */
  readonly arguments?: string;
  /** MiB of its memory (default 2). */
  readonly megabytes?: number;
  /** Its share (default 100). */
  readonly share?: number;
  /** It waits for startVm. */
  readonly isOff?: boolean;
}

/** An instance of a check. */
export interface InstancePlan {
  /** 1 and up. */
  readonly number: number;
  /** Its name. */
  readonly name: string;
  /** Most MiB (default: what its virtual machines have). */
  readonly megabytes?: number;
  /** Its share (default 100). */
  readonly share?: number;
  /** Most virtual machines (default 16). */
  readonly devices?: number;
  /** Those of power-on. */
  readonly vms: readonly VmPlan[];
}

/** What a machine is made for. */
export interface MachinePlan {
  /** Who is there. */
  readonly instances: readonly InstancePlan[];
  /** MiB of RAM (default 64). */
  readonly megabytes?: number;
  /** Generation of the interrupt controller (default 2). */
  readonly gic?: 2 | 3;
  /** -cpu (default cortex-a57). */
  readonly cpu?: string;
  /** What of consoles goes to the machine's line (default tagged). */
  readonly line?: "tagged" | "attached" | "none";
  /** A leak that is planted. */
  readonly leak?: Leak;
  /** Large images by name, for every instance. */
  readonly images?: Readonly<Record<string, Uint8Array>>;
  /** The run ends at this instant. */
  readonly until?: number;
}

/** A machine for `CheckContext.record`. */
export interface PlannedMachine {
  /** Options. */
  readonly options: readonly string[];
  /** Files that they name. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

const known = new Map<string, Uint8Array>();

/** A small guest as a flat kernel. */
function assembled(source: string): Uint8Array {
  const before = known.get(source);
  if (before !== undefined) return before;
  const { bytes } = assembleProgram(source, { name: "guest of a virtual machine", base: VM_GUEST_BASE });
  known.set(source, bytes);
  return bytes;
}

/** Images in RAM, each in blocks of its own. */
class Storage {
  readonly options: string[] = [];
  readonly files: Record<string, Uint8Array> = {};
  readonly places = new Map<string, { readonly address: number; readonly size: number }>();
  #next = IMAGES_AT;

  put(name: string, bytes: Uint8Array): void {
    if (this.places.has(name)) return;
    this.load(name, bytes, this.#next);
    this.places.set(name, { address: this.#next, size: bytes.length });
    this.#next += Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
  }

  load(name: string, bytes: Uint8Array, address: number): void {
    this.files[name] = bytes;
    this.options.push("-device", `loader,file=${name},addr=0x${address.toString(16)},force-raw=on`);
  }
}

const pagesOf = (megabytes: number): number => megabytes / 2 * BLOCK_PAGES;

/** The machine of a plan. */
export function planMachine(plan: MachinePlan): PlannedMachine {
  const { instances, megabytes = 64, gic = 2, cpu = "cortex-a57", line = "tagged", leak, images = {} } = plan;
  const storage = new Storage();
  for (const [name, bytes] of Object.entries(images)) storage.put(name, bytes);
  const described = instances.map((instance): ManifestInstance => {
    const vms = instance.vms.map((vm) => {
      const image = Object.hasOwn(images, vm.guest) ? vm.guest : `guest-${vm.name}`;
      if (image !== vm.guest) storage.put(`${instance.name}-${image}`, assembled(vm.guest));
      return {
        name: vm.name,
        pages: pagesOf(vm.megabytes ?? 2),
        share: vm.share ?? 100,
        image,
        ...vm.initrd !== undefined && { initrd: vm.initrd },
        ...vm.arguments !== undefined && { arguments: vm.arguments },
        ...vm.isOff === true && { start: false },
      };
    });
    const of = (name: string, stored: string) => ({
      name,
      ...storage.places.get(stored) as { address: number; size: number },
    });
    const all = [
      ...Object.keys(images).map((name) => of(name, name)),
      ...instance.vms.filter(({ guest }) => !Object.hasOwn(images, guest)).map(({ name }) =>
        of(`guest-${name}`, `${instance.name}-guest-${name}`)
      ),
    ];
    const most = instance.megabytes ?? instance.vms.reduce((sum, vm) => sum + (vm.megabytes ?? 2), 0);
    return {
      number: instance.number,
      name: instance.name,
      credential: credentialOf(instance.name),
      limits: { pages: pagesOf(most), devices: instance.devices ?? 16, share: instance.share ?? 100 },
      images: all,
      vms,
    };
  });
  const manifest = new TextEncoder().encode(JSON.stringify({ operator: OPERATOR, instances: described }));
  storage.load("manifest", manifest, MANIFEST_AT);
  const address = `manifest=0x${MANIFEST_AT.toString(16)}`;
  return {
    options: [
      ...["-M", gic === 3 ? "virt,gic-version=3,its=off" : "virt", "-cpu", cpu, "-m", `${megabytes}M`],
      ...[
        "--monitor",
        `el2:${VIRTUAL_HYPERVISORS},${address},line=${line}${leak === undefined ? "" : `,leak=${leak}`}`,
      ],
      ...plan.until === undefined ? [] : ["--until", String(plan.until)],
      ...storage.options,
    ],
    files: storage.files,
  };
}
