/** A disk that firmware boots Linux from: U-Boot by extlinux.conf, UEFI by startup.nsh and Linux's EFI stub. */
import { runTool } from "./root_disk.ts";
import { completed, concatenated, file, type FileTree } from "./file_tree.ts";
import type { Guest } from "./guest.ts";
import { scriptsOf } from "./initramfs.ts";

const PARTITION_BYTES = 96 * 2 ** 20, PARTITION_START = 2 ** 20, SECTOR_BYTES = 512;
const VOLUME_ID = "68696e64";
/** Seconds since 1970 of every file, 2026-01-01, which mtools take from the environment. */
const ENVIRONMENT = ["env", "SOURCE_DATE_EPOCH=1767225600", "TZ=UTC", "MTOOLS_SKIP_CHECK=1"];

/** A FAT32 file system with a tree in it; the same tree gives the same bytes. */
async function fatImage(tree: FileTree, bytes: number, work: string): Promise<Uint8Array> {
  const image = await Deno.makeTempFile({ dir: work });
  await Deno.truncate(image, bytes);
  const hidden = String(PARTITION_START / SECTOR_BYTES);
  const format = ["mkfs.vfat", "-F", "32", "-i", VOLUME_ID, "-h", hidden, "-n", "HINDSIGHT", "--invariant"];
  await runTool([...ENVIRONMENT, ...format, image], "dosfstools");
  for (const [path, node] of completed(tree)) {
    if (node.kind === "directory") await runTool([...ENVIRONMENT, "mmd", "-i", image, `::${path}`], "mtools");
    if (node.kind !== "file") continue;
    const content = await Deno.makeTempFile({ dir: work });
    await Deno.writeFile(content, node.content);
    await runTool([...ENVIRONMENT, "mcopy", "-i", image, content, `::${path}`], "mtools");
  }
  return await Deno.readFile(image);
}

/** A partition table with one partition, active, of the type that UEFI looks for (UEFI 5.2.1). */
function masterBootRecord(partitionBytes: number): Uint8Array {
  const record = new DataView(new ArrayBuffer(PARTITION_START)), entry = 446;
  record.setUint32(440, parseInt(VOLUME_ID, 16), true);
  record.setUint8(entry, 0x80);
  record.setUint8(entry + 4, 0xef);
  record.setUint32(entry + 8, PARTITION_START / SECTOR_BYTES, true);
  record.setUint32(entry + 12, partitionBytes / SECTOR_BYTES, true);
  record.setUint16(510, 0xaa55, true);
  return new Uint8Array(record.buffer);
}

/** The guest. */
export const bootDisk: Guest = {
  summary: "FAT disk from which U-Boot and EDK2 boot linux-cloud (made here)",
  packages: [],
  guests: ["linux-cloud"],
  recipe: 1,
  make: async ({ guests, work }) => {
    const { files } = guests.get("linux-cloud")!;
    const tree = new Map([
      ...scriptsOf("boot_disk"),
      ...["Image", "initrd.gz"].map((name) => [name, file(Deno.readFileSync(files[name]!))] as const),
    ]);
    const partition = await fatImage(tree, PARTITION_BYTES, work);
    return new Map([["boot.img", concatenated([masterBootRecord(partition.length), partition])]]);
  },
};
