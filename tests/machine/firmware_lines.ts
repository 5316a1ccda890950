/** The files of fw_cfg as lines of text, for the fixture of QEMU's. */
import type { ConfigurationInput } from "../../machine/configuration.ts";

/** A machine whose files are compared. */
export interface FirmwareCase {
  /** In the fixture. */
  readonly name: string;
  /** Here. */
  readonly configuration: ConfigurationInput;
  /** In QEMU. */
  readonly options: readonly string[];
}

/** The machines. */
export function firmwareCases(): FirmwareCase[] {
  return [[1, 128], [4, 1024], [8, 2047], [3, 3072]].map(([cpus = 1, memoryMiB = 128]) => ({
    name: `smp ${cpus}, m ${memoryMiB}`,
    configuration: { cpus, memoryMiB },
    options: ["-smp", String(cpus), "-m", String(memoryMiB)],
  }));
}

/** Case, name, size and bytes of each file. */
export function firmwareLines(name: string, files: Iterable<readonly [string, Uint8Array]>): string[] {
  return Array.from(files, ([file, bytes]) => `${name}: ${file} ${bytes.length} ${bytes.toHex()}`.trimEnd());
}
