/** QEMU's options of disks and flash: `-drive` and `-pflash`. */
import { UsageError } from "./errors.ts";
import type { DiskFormat, FlashRequest, RequestDraft } from "./machine_request.ts";
import { wholeNumber } from "./options.ts";
import { eachProperty, onOff, properties } from "./properties.ts";
import { plainDevice } from "./qemu_devices.ts";
import { suggestion } from "./suggest.ts";

/** Where a drive goes. */
const INTERFACES = ["none", "virtio", "pflash"] as const;

const FORMATS: readonly DiskFormat[] = ["raw", "qcow2"];

function oneOf<const T extends string>(key: string, value: string, words: readonly T[]): T {
  if ((words as readonly string[]).includes(value)) return value as T;
  throw new UsageError(
    `-drive: ${key} is ${words.join(" or ")} here, not "${value}"${suggestion(value, words)}`,
  );
}

/** Files are never written, and nothing waits for a host's disk, so that how to do either is of no effect. */
const NO_EFFECT = Object.fromEntries(
  ["cache", "aio", "discard", "detect-zeroes", "snapshot", "werror", "rerror", "index", "copy-on-read"].map(
    (key) => [key, (): void => {}],
  ),
);

/** `-drive`. */
export function readDrive(draft: RequestDraft, text: string): void {
  let file: string | undefined, id: string | undefined, format: DiskFormat | undefined;
  let to = "virtio" as (typeof INTERFACES)[number], readOnly = false, unit: number | undefined;
  const setReadOnly = (value: string): void => void (readOnly = onOff("-drive", "readonly", value));
  eachProperty("-drive", properties(text), {
    file: (value) => void (file = value),
    if: (value) => void (to = oneOf("if", value, INTERFACES)),
    id: (value) => void (id = value),
    format: (value) => void (format = oneOf("format", value, FORMATS)),
    readonly: setReadOnly,
    "read-only": setReadOnly,
    unit: (value) => void (unit = wholeNumber(value, "-drive: unit", 0, 1)),
    media: (value) => {
      oneOf("media", value, ["disk"]);
    },
    ...NO_EFFECT,
  });
  if (file === undefined || file === "") throw new UsageError(`-drive ${text} needs file=F`);
  if (to === "pflash") return addFlash(draft, { file, readOnly }, format, unit);
  addDisk(draft, to, { file, id, format, readOnly });
}

/** `-pflash`: the next bank. */
export function readFlash(draft: RequestDraft, file: string): void {
  addFlash(draft, { file, readOnly: false }, undefined, undefined);
}

function addFlash(
  { flash }: RequestDraft,
  request: FlashRequest,
  format: DiskFormat | undefined,
  unit: number | undefined,
): void {
  const { file } = request;
  if (format === "qcow2") {
    throw new UsageError(`-drive: flash from qcow2 is not built; turn "${file}" into a raw file`);
  }
  const bank = unit ?? [0, 1].find((bank) => flash[bank] === undefined);
  if (bank === undefined) {
    throw new UsageError(`-pflash ${file}: there are two flash banks, and both are taken`);
  }
  if (flash[bank] !== undefined) {
    throw new UsageError(
      `-drive: flash bank unit=${bank} is given twice: "${flash[bank].file}" and "${file}"`,
    );
  }
  flash[bank] = request;
}

interface DiskOptions {
  readonly file: string;
  readonly id: string | undefined;
  readonly format: DiskFormat | undefined;
  readonly readOnly: boolean;
}

function addDisk(
  draft: RequestDraft,
  to: "none" | "virtio",
  { file, id, format, readOnly }: DiskOptions,
): void {
  const { drives, disks } = draft;
  const made = `${to}${drives.filter(({ id }) => id.startsWith(to)).length}`;
  const name = id ?? made;
  const other = drives.find((drive) => drive.id === name);
  if (other !== undefined) {
    throw new UsageError(`-drive: id=${name} is given twice: to "${other.file}" and "${file}"`);
  }
  drives.push({ id: name, file, format, readOnly });
  if (to === "virtio") disks.push({ ...plainDevice("virtio-blk-pci"), drive: name });
}
