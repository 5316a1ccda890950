/** The images that the checks of dual-width-tables boot, and how a machine is told to boot one. */
import { gunzipSync } from "node:zlib";
import {
  type DualWidthImage,
  dualWidthImage,
  type DualWidthOptions,
} from "../../../firmware/dual_width/image.ts";
import { assembleKernel } from "../../../firmware/dual_width/kernel.ts";
import { IMAGE_BASE, KERNEL_BASE, type KernelForm, SHIM } from "../../../firmware/dual_width/layout.ts";
import type { ProcessSource } from "../../../firmware/dual_width/process_image.ts";
import type { ProbeRange } from "../../../firmware/dual_width/programs.ts";
import type { CpuModel } from "../../../machine/a64/feature.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { readWholeFile } from "../../host/file_source.ts";
import { fileOfCpio } from "../../host/guests/file_tree.ts";
import type { CheckContext, Recorded, RecordRequest } from "../scenario.ts";

/** Name of the image among the files of a run. */
export const IMAGE_FILE = "dual-width.bin";

/** The CPU model that a form needs. */
export const MODELS: Readonly<Record<KernelForm, CpuModel>> = { el2: "cortex-a57", vhe: "max" };

/** Options of QEMU and of this machine that boot an image. */
export function bootOptions(form: KernelForm): string[] {
  return ["-M", "virt,virtualization=on", "-cpu", MODELS[form], "-m", "32", "-kernel", IMAGE_FILE];
}

/** Records an image's run to its end; `more` are further options and what else a request says. */
export function recordImage(
  context: CheckContext,
  form: KernelForm,
  image: DualWidthImage,
  more: Partial<RecordRequest> = {},
): Promise<Recorded> {
  return context.record({
    ...more,
    options: [...bootOptions(form), ...more.options ?? []],
    files: { [IMAGE_FILE]: image.bytes },
  });
}

const kernels = new Map<KernelForm, Program>();

/** Builds an image with the kernel as it is, which is assembled once. */
export function build(options: DualWidthOptions): DualWidthImage {
  const { form } = options;
  const kernel = kernels.get(form) ?? assembleKernel(form);
  kernels.set(form, kernel);
  return dualWidthImage({ kernel, ...options });
}

/** The guest that busybox comes from. */
export const BUSYBOX_GUEST = "linux-cloud";

/** Debian's unmodified static busybox, out of the initramfs of a fetched guest, with arguments. */
export function busybox(context: CheckContext, args: readonly string[]): ProcessSource {
  const archive = gunzipSync(readWholeFile(context.guest(`${BUSYBOX_GUEST}/initrd.gz`), "initrd"));
  return {
    path: "/bin/busybox",
    executable: fileOfCpio(archive, "bin/busybox"),
    arguments: args,
    environment: ["PATH=/bin", "PWD=/", "HOME=/"],
  };
}

/** The kernel's pages as ranges to be probed by EL0. */
export function kernelRanges(pages: readonly bigint[]): ProbeRange[] {
  const ranges: { first: bigint; count: number; step: bigint }[] = [];
  for (const page of pages) {
    const last = ranges.at(-1);
    if (last !== undefined && last.first + BigInt(last.count) * 4096n === page) last.count++;
    else ranges.push({ first: page, count: 1, step: 4096n });
  }
  return ranges;
}

/** One address in each root entry that EL0 has not, and in each of what is past 48 bits. */
export function outerRanges(): ProbeRange[] {
  return [
    { first: KERNEL_BASE.el2, count: 256, step: 1n << 39n },
    { first: 1n << 48n, count: 16, step: 1n << 52n },
    { first: 0xffff_0000_0000_0000n, count: 512, step: 1n << 39n },
  ];
}

/** The bytes of an image whose shim EL0 can write: what the builder refuses. */
export function withWritableShim(image: DualWidthImage): Uint8Array<ArrayBuffer> {
  const bytes = image.bytes.slice(), view = new DataView(bytes.buffer);
  for (const { root } of image.processes) {
    let table = BigInt(root);
    for (let shift = 39n;; shift -= 9n) {
      const at = Number(table + ((SHIM >> shift) & 511n) * 8n) - IMAGE_BASE;
      const descriptor = view.getBigUint64(at, true);
      if (shift === 12n) {
        view.setBigUint64(at, descriptor & ~(1n << 7n), true); // AP[2]
        break;
      }
      table = descriptor & 0x0000_ffff_ffff_f000n;
    }
  }
  return bytes;
}
