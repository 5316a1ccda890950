/** A disk with an ext4 file system: busybox, a file whose hash the host knows, and a kernel to go on with. */
import { createHash } from "node:crypto";
import { run, SubprocessError } from "../subprocess.ts";
import { PackageError } from "./debian_package.ts";
import { completed, concatenated, file, type FileTree, type TreeNode } from "./file_tree.ts";
import type { Guest } from "./guest.ts";
import { busyboxTree, scriptsOf } from "./initramfs.ts";

const DISK_BYTES = 128 * 2 ** 20, KNOWN_BYTES = 5_000_000;
const UUID = "68696e64-7369-6768-7400-000000000001", HASH_SEED = "68696e64-7369-6768-7400-000000000002";
/** Seconds since 1970 of everything in the file system: the machine's own default, 2026-01-01. */
const TIME = 1_767_225_600;
/** Without `mke2fs.conf`, so that a host's configuration changes nothing. */
const ENVIRONMENT = ["env", `E2FSPROGS_FAKE_TIME=${TIME}`, "MKE2FS_CONFIG=/dev/null", "TZ=UTC"];
const FEATURES =
  "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/** Bytes that compress badly and are the same everywhere: SHA-256 of 0, 1, 2, … */
function knownBytes(length: number): Uint8Array {
  const blocks = Array.from(
    { length: Math.ceil(length / 32) },
    (_, index) => createHash("sha256").update(String(index)).digest(),
  );
  return concatenated(blocks).subarray(0, length);
}

/** Runs a program of e2fsprogs. */
export async function runTool(command: readonly string[], debianPackage: string): Promise<void> {
  try {
    await run(command);
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error;
    throw new PackageError(`${error.message} (Debian: ${debianPackage})`);
  }
}

/**
 * An ext4 file system with a tree in it; the same tree gives the same bytes.
 *
 * @param work a folder for files of the moment
 */
export async function ext4Image(tree: FileTree, bytes: number, work: string): Promise<Uint8Array> {
  const image = await Deno.makeTempFile({ dir: work }), commands: string[] = [];
  for (const [path, node] of completed(tree)) commands.push(...await debugfsCommands(path, node, work));
  const script = await Deno.makeTempFile({ dir: work });
  await Deno.writeTextFile(script, commands.map((command) => `${command}\n`).join(""));
  await Deno.truncate(image, bytes);
  const extended = `hash_seed=${HASH_SEED},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0,nodiscard`;
  const format = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-O", FEATURES];
  await runTool([...ENVIRONMENT, ...format, "-U", UUID, "-E", extended, image], "e2fsprogs");
  await runTool([...ENVIRONMENT, "debugfs", "-w", "-f", script, image], "e2fsprogs");
  return await Deno.readFile(image);
}

/** Lines for debugfs(8), which makes nodes owned by root and of the time given above. */
async function debugfsCommands(path: string, node: TreeNode, work: string): Promise<string[]> {
  switch (node.kind) {
    case "directory":
      return [`mkdir /${path}`];
    case "link":
      return [`symlink /${path} ${node.target}`];
    case "characterDevice":
      return [`mknod /${path} c ${node.major} ${node.minor}`];
    case "file": {
      const content = await Deno.makeTempFile({ dir: work });
      await Deno.writeFile(content, node.content);
      return [
        `write ${content} /${path}`,
        `set_inode_field /${path} mode 0100${node.permissions.toString(8)}`,
      ];
    }
  }
}

/** The guest; beside the disk is the file whose hash it should show. */
export const rootDisk: Guest = {
  summary: "ext4 disk with busybox, a known file of 5 MB, and linux-cloud in /boot (made here)",
  packages: [{ name: "busybox-static", architecture: "arm64", isMeta: false }],
  guests: ["linux-cloud"],
  recipe: 1,
  make: async ({ packages, guests, work }) => {
    const known = knownBytes(KNOWN_BYTES), linux = guests.get("linux-cloud")!;
    const tree = new Map<string, TreeNode>([
      ...["dev", "proc", "sys", "mnt", "tmp"].map((
        path,
      ): [string, TreeNode] => [path, { kind: "directory" }]),
      ...busyboxTree(packages.get("busybox-static")!.files.get("bin/busybox")!),
      ...scriptsOf("root_disk"),
      ["known.bin", file(known)],
      ["boot/Image", file(Deno.readFileSync(linux.files["Image"]!))],
      ["boot/initrd.gz", file(Deno.readFileSync(linux.files["initrd.gz"]!))],
    ]);
    return new Map([["root.img", await ext4Image(tree, DISK_BYTES, work)], ["known.bin", known]]);
  },
};
