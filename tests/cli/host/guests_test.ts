/** Guests are fetched from packages of every compression and source, whole or not at all, and trusted by hash. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { createHash } from "node:crypto";
import { PackageError, parseParagraph, readPackage } from "../../../cli/host/guests/debian_package.ts";
import { directorySource, mirrorSource } from "../../../cli/host/guests/debian_source.ts";
import { fetchGuest } from "../../../cli/host/guests/fetch.ts";
import { GuestError } from "../../../cli/host/guests/guest.ts";
import { MODULES } from "../../../cli/host/guests/initramfs.ts";
import { guestsFolder, resolveGuest } from "../../../cli/host/guests/store.ts";

const IMAGE = "usr/lib/u-boot/qemu_arm64/u-boot.bin", ELF = "usr/lib/u-boot/qemu_arm64/uboot.elf";
const CONTROL =
  "Package: u-boot-qemu\nVersion: 2023.01\nArchitecture: all\nDescription: first\n second: line\n";
const FILES = { [IMAGE]: "image!", [ELF]: "elf" };

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A tar archive; a name that ends with a slash is a folder. */
function tar(files: Record<string, string>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const data = encode(content), header = new Uint8Array(512);
    header.set(encode(`./${name}`));
    header.set(encode(data.length.toString(8).padStart(11, "0")), 124);
    header.set(encode(name.endsWith("/") ? "5" : "0"), 156);
    return [header, data, new Uint8Array(-data.length & 511)];
  });
  return concat([...blocks, new Uint8Array(1024)]);
}

function ar(members: Record<string, Uint8Array>): Uint8Array {
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

const COMPRESSIONS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  "": (bytes) => bytes,
  ".gz": (bytes) => gzipSync(bytes),
  ".zst": (bytes) => zstdCompressSync(bytes),
};

function deb(
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
async function withFolders(
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

const DEB = "u-boot-qemu_2023.01_all.deb";

Deno.test("readPackage() reads control and files of each compression", async () => {
  for (const ending of Object.keys(COMPRESSIONS)) {
    const { control, files } = await readPackage(DEB, deb({ ending }));
    assertEquals(control.get("Version"), "2023.01", ending);
    assertEquals([...files], [[IMAGE, encode("image!")], [ELF, encode("elf")]], ending);
  }
});

Deno.test("readPackage() refuses a package cut at any byte", async () => {
  const whole = deb({ ending: "" });
  for (let length = 0; length < whole.length - 1024; length += 61) {
    await assertRejects(() => readPackage(DEB, whole.slice(0, length)), PackageError);
  }
});

Deno.test("readPackage() refuses damaged compression, missing members and other formats", async () => {
  const damaged = gzipSync(tar({ control: CONTROL }));
  damaged[20]! ^= 0xff;
  const rows: [members: Record<string, Uint8Array>, message: string][] = [
    [{ "debian-binary": encode("2.0\n"), "control.tar.gz": damaged }, "Cannot decompress control.tar.gz"],
    [{ "debian-binary": encode("2.0\n") }, "has no control.tar"],
    [{ "debian-binary": encode("2.0\n"), "control.tar": tar({}) }, "has no control file"],
    [{ "debian-binary": encode("2.0\n"), "control.tar": tar({ control: CONTROL }) }, "has no data.tar"],
    [{ "debian-binary": encode("3.0\n") }, "not a Debian package of format 2"],
  ];
  for (const [members, message] of rows) {
    await assertRejects(() => readPackage(DEB, ar(members)), PackageError, message);
  }
});

Deno.test("parseParagraph() leaves continuation lines out", () => {
  assertEquals([...parseParagraph(CONTROL).keys()], ["Package", "Version", "Architecture", "Description"]);
});

Deno.test("fetchGuest() installs from a directory and resolveGuest() finds it", async () => {
  await withFolders({ [DEB]: deb(), "other_1_all.deb": encode("junk") }, async (from, into) => {
    const guest = await fetchGuest("u-boot", directorySource(from), into);
    assertEquals(guest, resolveGuest("u-boot", into));
    assertEquals(guest.version, "2023.01");
    assertEquals(Deno.readTextFileSync(guest.image), "image!");
    assertEquals(Object.keys(guest.files), ["u-boot.bin", "uboot.elf"]);
    assertEquals([...Deno.readDirSync(into)].map(({ name }) => name).sort(), ["u-boot"]);
    const manifest = JSON.parse(Deno.readTextFileSync(`${into}/u-boot/manifest.json`));
    const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
    assertEquals(manifest.packages[0].sha256, sha256(deb()));
    assertEquals(manifest.files["uboot.elf"], { bytes: 3, sha256: sha256(encode("elf")) });
  });
});

Deno.test("fetchGuest() keeps what was there when the new package is bad, and replaces it when it is good", async () => {
  await withFolders({ [DEB]: deb() }, async (from, into) => {
    await fetchGuest("u-boot", directorySource(from), into);
    const before = Deno.readTextFileSync(`${into}/u-boot/manifest.json`);
    const bad: [bytes: Uint8Array, message: string][] = [
      [deb({ files: { [IMAGE]: "only this" } }), `has no file ${ELF}`],
      [deb({ control: CONTROL.replace("u-boot-qemu", "other") }), "holds package other, not u-boot-qemu"],
      [deb().slice(0, 100), "is cut"],
      [encode("<html>"), "is not a Debian package"],
    ];
    for (const [bytes, message] of bad) {
      Deno.writeFileSync(`${from}/${DEB}`, bytes);
      await assertRejects(() => fetchGuest("u-boot", directorySource(from), into), PackageError, message);
      assertEquals(Deno.readTextFileSync(resolveGuest("u-boot", into).image), "image!");
      assertEquals(Deno.readTextFileSync(`${into}/u-boot/manifest.json`), before);
    }
    Deno.writeFileSync(`${from}/${DEB}`, deb({ files: { ...FILES, [IMAGE]: "newer" } }));
    assertEquals(
      Deno.readTextFileSync((await fetchGuest("u-boot", directorySource(from), into)).image),
      "newer",
    );
    assertEquals([...Deno.readDirSync(into)].length, 1, "no work folder is left");
  });
});

Deno.test("resolveGuest() refuses unknown, absent and changed guests and a damaged manifest", async () => {
  await withFolders({ [DEB]: deb() }, async (from, into) => {
    assertThrows(() => resolveGuest("toString", into), GuestError, 'No guest "toString"; there are: u-boot');
    assertThrows(() => resolveGuest("u-boot", into), GuestError, "run: deno task guests u-boot");
    const guest = await fetchGuest("u-boot", directorySource(from), into);
    Deno.writeTextFileSync(guest.image, "changed");
    assertThrows(
      () => resolveGuest("u-boot", into),
      GuestError,
      "u-boot.bin is missing or not what was fetched",
    );
    Deno.removeSync(guest.image);
    assertThrows(
      () => resolveGuest("u-boot", into),
      GuestError,
      "u-boot.bin is missing or not what was fetched",
    );
    Deno.writeTextFileSync(`${into}/u-boot/manifest.json`, '{"format":1}');
    assertThrows(() => resolveGuest("u-boot", into), GuestError, "is damaged");
  });
});

/** What a folder needs to become the guests linux-cloud, by the name of a `.deb` file. */
function linuxPackages(kernelImage: string): Record<string, Uint8Array> {
  const package_ = (name: string, files: Record<string, string>, rest = ""): Uint8Array =>
    deb({ control: `Package: ${name}\nVersion: 6\nArchitecture: arm64\n${rest}`, files });
  const builtIn = Object.values(MODULES).flat().map((name) => `kernel/${name}.ko\n`).join("");
  const kernel = {
    "boot/vmlinuz-6": kernelImage,
    "boot/System.map-6": "",
    "boot/config-6": "",
    "lib/modules/6/modules.builtin": builtIn,
  };
  return {
    "linux-image-cloud-arm64_6_arm64.deb": package_(
      "linux-image-cloud-arm64",
      {},
      "Depends: linux-image-6-cloud-arm64 (= 6)\n",
    ),
    "linux-image-6-cloud-arm64_6_arm64.deb": package_("linux-image-6-cloud-arm64", kernel),
    "busybox-static_1_arm64.deb": package_("busybox-static", { "bin/busybox": "busy" }),
  };
}

Deno.test("fetchGuest() follows metapackages, and makes a guest of others anew when those change", async () => {
  await withFolders(linuxPackages("image!"), async (from, into) => {
    const source = directorySource(from);
    const linux = await fetchGuest("linux-cloud", source, into);
    assertEquals([linux.version, Deno.readTextFileSync(linux.image)], ["6", "image!"]);
    const again = Deno.readFileSync(linux.files["initrd.gz"]!);
    await fetchGuest("linux-cloud", source, into);
    assertEquals(Deno.readFileSync(linux.files["initrd.gz"]!), again, "the same bytes each time");
    const disk = await fetchGuest("root-disk", source, into);
    assertEquals(resolveGuest("root-disk", into), disk);
    for (const [name, bytes] of Object.entries(linuxPackages("other"))) {
      Deno.writeFileSync(`${from}/${name}`, bytes);
    }
    await fetchGuest("linux-cloud", source, into);
    assertThrows(() => resolveGuest("root-disk", into), GuestError, "made of another linux-cloud");
  });
});

Deno.test("guestsFolder() is inside this copy of Hindsight", () => {
  assertEquals(guestsFolder(), decodeURIComponent(new URL("../../../.guests", import.meta.url).pathname));
});

/** Serves a mirror on this host; the index lists the package with the given hash. */
async function withMirror(
  files: Record<string, Uint8Array>,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const file = files[new URL(request.url).pathname];
    return new Response(file as Uint8Array<ArrayBuffer> | undefined, { status: file ? 200 : 404 });
  });
  try {
    await body(`http://127.0.0.1:${server.addr.port}/debian`);
  } finally {
    await server.shutdown();
  }
}

function mirror(sha256: string): Record<string, Uint8Array> {
  const entry = `Package: u-boot-qemu\nVersion: 2023.01\nFilename: pool/u.deb\nSHA256: ${sha256}\n`;
  const index = gzipSync(
    encode(`Package: a\nFilename: pool/a.deb\nSHA256: 00\n\n${entry}\nPackage: z\nFilename: pool/z.deb\n`),
  );
  const folder = "/debian/dists/bookworm/main/binary-";
  return {
    [`${folder}amd64/Packages.gz`]: index,
    [`${folder}arm64/Packages.gz`]: index,
    "/debian/pool/u.deb": deb(),
  };
}

Deno.test("mirrorSource() reads the index and checks the package's hash", async () => {
  const sha256 = createHash("sha256").update(deb()).digest("hex");
  await withFolders({}, async (_, into) => {
    await withMirror(mirror(sha256), async (url) => {
      const guest = await fetchGuest("u-boot", mirrorSource(url, "bookworm"), into);
      assertEquals(Deno.readTextFileSync(guest.image), "image!");
    });
    await withMirror(mirror("0".repeat(64)), async (url) => {
      await assertRejects(
        () => fetchGuest("u-boot", mirrorSource(url, "bookworm"), into),
        PackageError,
        "the index says 000",
      );
    });
    await withMirror({}, async (url) => {
      await assertRejects(
        () => fetchGuest("u-boot", mirrorSource(url, "bookworm"), into),
        PackageError,
        "answered 404",
      );
    });
    await withMirror({ ...mirror(sha256), "/debian/pool/u.deb": encode("cut") }, async (url) => {
      await assertRejects(
        () => fetchGuest("u-boot", mirrorSource(url, "bookworm"), into),
        PackageError,
        "SHA-256",
      );
    });
  });
});

/** Runs the command itself. */
async function command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const path = new URL("../../../cli/host/guests.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", "-A", path, ...args],
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("guests fetches, lists and is quiet in a pipe", async () => {
  await withFolders({ [DEB]: deb() }, async (from, into) => {
    const absent = await command("--list", "--into", into);
    assertStringIncludes(absent.out, "not fetched");
    const fetched = await command("u-boot", "--from", from, "--into", into);
    assertEquals([fetched.code, fetched.err], [0, ""]);
    assertStringIncludes(fetched.out, `2023.01  ${into}/u-boot/u-boot.bin`);
    const listed = JSON.parse((await command("--list", "--json", "--into", into)).out);
    assertEquals(listed.map((guest: { image?: string }) => guest.image).filter(Boolean), [
      `${into}/u-boot/u-boot.bin`,
    ]);
  });
});

Deno.test("guests exits 2 for misuse and 1 for failure, with one message", async () => {
  await withFolders(
    { "u-boot-qemu_1_all.deb": deb(), "u-boot-qemu_2_all.deb": deb() },
    async (from, into) => {
      const rows: [args: string[], code: number, message: string][] = [
        [["--bogus"], 2, "Unknown option --bogus"],
        [["nothing"], 2, 'No guest "nothing"'],
        [["--from"], 2, "--from needs a value"],
        [["--from", from, "--mirror", "http://127.0.0.1/"], 2, "exclude each other"],
        [["--mirror", "nonsense"], 2, "is not a URL"],
        [["--from", `${from}/absent`, "--into", into], 1, "Cannot read directory"],
        [["--from", into, "--into", into], 1, "No package u-boot-qemu"],
        [["--from", from, "--into", into], 1, "keep one of u-boot-qemu_1_all.deb, u-boot-qemu_2_all.deb"],
        [["--from", from, "--into", "/proc/nowhere"], 1, "/proc/nowhere"],
      ];
      const results = await Promise.all(rows.map(([args]) => command(...args)));
      for (const [i, [args, code, message]] of rows.entries()) {
        const { code: found, out, err } = results[i]!;
        assertEquals([found, out], [code, ""], `${args.join(" ")}: ${err}`);
        assertStringIncludes(err, message);
        assertEquals(err.includes("    at "), false, "no stack trace");
      }
    },
  );
});
