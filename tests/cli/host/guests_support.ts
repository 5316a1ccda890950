/** Packages of Debian made up for tests, and folders to fetch them from and install them in. */
import { gzipSync, zstdCompressSync } from "node:zlib";

export const IMAGE = "usr/lib/u-boot/qemu_arm64/u-boot.bin", ELF = "usr/lib/u-boot/qemu_arm64/uboot.elf";
export const CONTROL =
  "Package: u-boot-qemu\nVersion: 2023.01\nArchitecture: all\nDescription: first\n second: line\n";
export const FILES = { [IMAGE]: "image!", [ELF]: "elf" };

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A tar archive; a name that ends with a slash is a folder. */
export function tar(files: Record<string, string>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const data = encode(content), header = new Uint8Array(512);
    header.set(encode(`./${name}`));
    header.set(encode(data.length.toString(8).padStart(11, "0")), 124);
    header.set(encode(name.endsWith("/") ? "5" : "0"), 156);
    return [header, data, new Uint8Array(-data.length & 511)];
  });
  return concat([...blocks, new Uint8Array(1024)]);
}

export function ar(members: Record<string, Uint8Array>): Uint8Array {
  const parts = Object.entries(members).flatMap(([name, bytes]) => [
    encode(
      `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${
        String(bytes.length).padEnd(10)
      }\`\n`,
    ),
    bytes,
    encode(bytes.length % 2 === 0 ? "" : "\n"),
  ]);
  return concat([encode("!<arch>\n"), ...parts]);
}

export const COMPRESSIONS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  "": (bytes) => bytes,
  ".gz": (bytes) => gzipSync(bytes),
  ".zst": (bytes) => zstdCompressSync(bytes),
};

export function deb(
  { ending = ".gz", control = CONTROL, files = FILES }: {
    ending?: string;
    control?: string;
    files?: Record<string, string>;
  } = {},
): Uint8Array {
  const compress = COMPRESSIONS[ending]!;
  return ar({
    "debian-binary": encode("2.0\n"),
    [`control.tar${ending}`]: compress(tar({ control })),
    [`data.tar${ending}`]: compress(tar({ "usr/": "", ...files })),
  });
}

/** Runs the body with a directory that holds the given files, and one for the guests. */
export async function withFolders(
  files: Record<string, Uint8Array>,
  body: (from: string, into: string) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/from`);
    for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${root}/from/${name}`, bytes);
    await body(`${root}/from`, `${root}/into`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

export const DEB = "u-boot-qemu_2023.01_all.deb";
