/** Guests are fetched from packages of every compression and source, whole or not at all, and trusted by hash. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { PackageError } from "../../../cli/host/guests/debian_package.ts";
import { directorySource, mirrorSource } from "../../../cli/host/guests/debian_source.ts";
import { fetchGuest } from "../../../cli/host/guests/fetch.ts";
import { GuestError } from "../../../cli/host/guests/guest.ts";
import { MODULES } from "../../../cli/host/guests/initramfs.ts";
import { guestsFolder, resolveGuest } from "../../../cli/host/guests/store.ts";
import { CONTROL, DEB, deb, ELF, encode, FILES, IMAGE, withFolders } from "./guests_support.ts";

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
