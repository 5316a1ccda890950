/** The first root of a Linux guest: busybox, the modules that find its disks and networks, and a script that starts them. */
import { crc32, deflateRawSync } from "node:zlib";
import { concatenated, cpioArchive, file, type FileTree, link, type TreeNode } from "./file_tree.ts";
import { moduleClosure } from "./kernel_modules.ts";

const FOLDERS = ["dev", "proc", "sys", "root", "mnt", "tmp"];

/** What of busybox has a name of its own; the rest is there as `busybox NAME`. */
// deno-fmt-ignore
const APPLETS = [
  "[", "arp", "ash", "awk", "basename", "cat", "chmod", "clear", "cmp", "cp", "cttyhack", "cut", "date", "dd", "devmem", "df",
  "diff", "dirname", "dmesg", "du", "echo", "env", "expr", "false", "find", "free", "grep", "gunzip", "gzip", "halt", "head",
  "hexdump", "hostname", "hwclock", "id", "ifconfig", "insmod", "ip", "kill", "ln", "ls", "lsmod", "md5sum", "mkdir", "mknod",
  "mktemp", "more", "mount", "mv", "nc", "netstat", "nslookup", "od", "ping", "poweroff", "printf", "ps", "pwd", "readlink",
  "reboot", "rm", "rmdir", "rmmod", "route", "sed", "seq", "setsid", "sh", "sha256sum", "sha512sum", "sleep", "sort", "stat",
  "strings", "stty", "switch_root", "sync", "tail", "tar", "taskset", "tee", "test", "tftp", "time", "top", "touch", "tr",
  "true", "tty", "udhcpc", "umount", "uname", "uniq", "uptime", "usleep", "vi", "watch", "wc", "wget", "which", "xargs", "yes",
] as const;

/** Modules by the list of them that `init` reads: for whatever is plugged into the board, and on firmware with EFI. */
export const MODULES: Readonly<Record<string, readonly string[]>> = {
  "etc/modules": [
    ...["virtio_mmio", "virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng"],
    ...["nvme", "crc32c_generic", "ext4"], // ext4 asks for crc32c by name, which no dependency tells
  ],
  "etc/modules.efi": ["efivarfs", "vfat", "nls_cp437", "nls_ascii"],
};

/** The files of this copy of Hindsight that go into images, from a folder in `files/`; scripts may be run. */
export function scriptsOf(folder: string): FileTree {
  const tree = new Map<string, TreeNode>();
  const walk = (url: URL, path: string): void => {
    for (const { name, isDirectory } of Deno.readDirSync(url)) {
      if (isDirectory) walk(new URL(`${name}/`, url), `${path}${name}/`);
      else {
        const content = Deno.readTextFileSync(new URL(name, url));
        tree.set(`${path}${name}`, file(content, content.startsWith("#!") ? 0o755 : 0o644));
      }
    }
  };
  walk(new URL(`files/${folder}/`, import.meta.url), "");
  return tree;
}

/** Busybox and links to it for its applets. */
export function busyboxTree(busybox: Uint8Array): FileTree {
  return new Map([
    ["bin/busybox", file(busybox, 0o755)],
    ...APPLETS.map((applet): [string, TreeNode] => [`bin/${applet}`, link("busybox")]),
  ]);
}

/**
 * The tree of an initramfs: a marker line and a shell on the console once what the board has is there.
 *
 * @param kernel files of a kernel's package, whose modules are taken
 */
export function initramfsTree(busybox: Uint8Array, kernel: ReadonlyMap<string, Uint8Array>): FileTree {
  const tree = new Map<string, TreeNode>([
    ...FOLDERS.map((path): [string, TreeNode] => [path, { kind: "directory" }]),
    ["dev/console", { kind: "characterDevice", major: 5, minor: 1 }],
    ...busyboxTree(busybox),
    ...scriptsOf("initramfs"),
  ]);
  for (const [list, modules] of Object.entries(MODULES)) {
    const closure = moduleClosure(kernel, modules);
    for (const [path, content] of closure) tree.set(path, file(content));
    tree.set(list, file([...closure.keys()].map((path) => `${path}\n`).join("")));
  }
  return tree;
}

/** A tree as Linux takes it for `-initrd`. */
export const initramfs = (tree: FileTree): Uint8Array => gzip(cpioArchive(tree));

const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255); // RFC 1952: no name, no time, no system

/** Compresses with a header that tells neither time nor host. */
export function gzip(bytes: Uint8Array): Uint8Array {
  const trailer = new DataView(new ArrayBuffer(8));
  trailer.setUint32(0, crc32(bytes), true);
  trailer.setUint32(4, bytes.length % 2 ** 32, true);
  return concatenated([GZIP_HEADER, deflateRawSync(bytes, { level: 9 }), new Uint8Array(trailer.buffer)]);
}
