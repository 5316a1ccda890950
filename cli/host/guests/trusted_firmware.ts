/** Trusted Firmware-A for QEMU's virt machine with `secure=on`, built from Debian's source, with U-Boot behind it. */
import { run, SubprocessError } from "../subprocess.ts";
import { PackageError } from "./debian_package.ts";
import { concatenated } from "./file_tree.ts";
import type { Guest } from "./guest.ts";

/** Where the second flash image lies in the first bank (plat/qemu/qemu/include/platform_def.h, PLAT_QEMU_FIP_BASE). */
const FIP_BASE = 0x4_0000;

/** Header of a firmware image package, then an entry for each image and an empty one at the end (TF-A, fip format). */
const FIP = { name: 0xaa64_0001, serialNumber: 0x1234_5678, headerBytes: 16, entryBytes: 40 } as const;

/** Images of a package by their UUID, as TF-A writes it. */
const UUIDS = {
  bl2: "5ff9ec0b4d223e4da544c39d81c73f0a",
  bl31: "47d4086d4cfe98469b952950cbbd5a00",
  bl33: "d6d0eea7fcead54b97829934f234b6e4",
} as const;

/** Packs images for BL2 to find. */
export function firmwareImagePackage(
  images: readonly (readonly [uuid: string, bytes: Uint8Array])[],
): Uint8Array {
  const table = new DataView(new ArrayBuffer(FIP.headerBytes + (images.length + 1) * FIP.entryBytes));
  table.setUint32(0, FIP.name, true);
  table.setUint32(4, FIP.serialNumber, true);
  let offset = table.byteLength;
  images.forEach(([uuid, bytes], index) => {
    const at = FIP.headerBytes + index * FIP.entryBytes;
    new Uint8Array(table.buffer).set(Uint8Array.fromHex(uuid), at);
    table.setBigUint64(at + 16, BigInt(offset), true);
    table.setBigUint64(at + 24, BigInt(bytes.length), true);
    offset += bytes.length;
  });
  table.setBigUint64(table.byteLength - FIP.entryBytes + 16, BigInt(offset), true);
  return concatenated([new Uint8Array(table.buffer), ...images.map(([, bytes]) => bytes)]);
}

/** Flash images by name and the GIC driver that they are built with. */
const VARIANTS = { "flash.bin": "QEMU_GICV2", "flash-gicv3.bin": "QEMU_GICV3" } as const;

const COMPILER = "aarch64-linux-gnu-gcc";

/** Compiles one variant; its bytes depend on source, compiler and these options alone. */
async function compile(
  source: string,
  gicDriver: string,
  build: string,
): Promise<(name: string) => Uint8Array> {
  const options = [
    ...["CROSS_COMPILE=aarch64-linux-gnu-", "PLAT=qemu", "DEBUG=0", "LOG_LEVEL=40"],
    ...[`QEMU_USE_GIC_DRIVER=${gicDriver}`, `BUILD_BASE=${build}`],
    ...['BUILD_MESSAGE_TIMESTAMP="fixed"', "BUILD_STRING=debian"],
    "CTX_INCLUDE_AARCH32_REGS=0", // BL31 stops on a CPU whose EL1 is AArch64 only, as ours are
  ];
  // As Debian's own rules: fixed addresses below a page are no mistake here, nor are writable code segments.
  const environment = [
    `CFLAGS=--param=min-pagesize=0 -ffile-prefix-map=${source}=.`,
    "LDFLAGS=",
    "TF_LDFLAGS=--no-warn-rwx-segments",
  ];
  try {
    await run(["env", ...environment, "make", "-j2", ...options, "bl1", "bl2", "bl31"], {
      directory: source,
    });
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error;
    throw new PackageError(
      `Cannot build Trusted Firmware-A: ${error.message}; it needs make and ${COMPILER} (Debian: make, gcc-aarch64-linux-gnu)`,
    );
  }
  return (name) => Deno.readFileSync(`${build}/qemu/release/${name}.bin`);
}

/** The guest: BL1 at the start of the first bank, and the rest as a package behind it. */
export const trustedFirmware: Guest = {
  summary: "Trusted Firmware-A for -M virt,secure=on, with U-Boot (built here)",
  packages: [],
  guests: ["u-boot"],
  recipe: 2,
  make: async ({ guests, source, work }) => {
    const unpacked = `${work}/source`;
    await source.fetchSource("arm-trusted-firmware", work, unpacked);
    const bl33 = Deno.readFileSync(guests.get("u-boot")!.files["u-boot.bin"]!);
    const flashes = new Map<string, Uint8Array>();
    for (const [name, gicDriver] of Object.entries(VARIANTS)) {
      const image = await compile(unpacked, gicDriver, `${work}/${name}`);
      const rest = firmwareImagePackage([
        [UUIDS.bl2, image("bl2")],
        [UUIDS.bl31, image("bl31")],
        [UUIDS.bl33, bl33],
      ]);
      const first = image("bl1");
      flashes.set(name, concatenated([first, new Uint8Array(FIP_BASE - first.length), rest]));
    }
    return flashes;
  },
};
