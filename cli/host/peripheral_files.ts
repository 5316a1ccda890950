/** Files behind what is plugged in: disks, and the folders that networks serve. */
import type { ImageReference, MachineConfiguration } from "../../machine/configuration.ts";
import type { DriveConfiguration, NetworkConfiguration } from "../../machine/peripheral_configuration.ts";
import type { DiskImage } from "../../machine/storage/block.ts";
import { CommandError } from "../errors.ts";
import type { DriveRequest, MachineRequest, NetworkRequest } from "../machine_request.ts";
import { openDiskImage } from "./disk_images.ts";

/** Most files of a folder, and the most bytes of all of them together. */
const FOLDER_LIMITS = { files: 4096, bytes: 512 * 2 ** 20 };

/** Reads a file, keeps it by its content, and returns how the configuration names it. */
type LoadImage = (path: string, what: string) => ImageReference;

function loadDrive(
  { id, file, format, readOnly }: DriveRequest,
  images: Map<string, Uint8Array | DiskImage>,
): DriveConfiguration {
  const disk = openDiskImage(file, format).hash();
  images.set(disk.sha256, disk);
  return { id, image: { sha256: disk.sha256, size: disk.size, name: file }, readOnly };
}

/** Every file below a folder by its path from there, with slashes; links to folders are left alone. */
function* pathsBelow(folder: string, prefix = ""): Generator<string> {
  for (const { name, isFile, isDirectory, isSymlink } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* pathsBelow(path, `${prefix}${name}/`);
    else if (isFile || (isSymlink && Deno.statSync(path).isFile)) yield prefix + name;
  }
}

/** The paths of a folder's files in the order of their UTF-16 code units; throws CommandError for too many. */
export function folderPaths(folder: string): string[] {
  const paths: string[] = [];
  let bytes = 0;
  const refuse = (why: string): CommandError => new CommandError(`Cannot serve folder "${folder}": ${why}`);
  try {
    for (const path of pathsBelow(folder)) {
      bytes += Deno.statSync(`${folder}/${path}`).size;
      if (paths.push(path) > FOLDER_LIMITS.files) {
        throw refuse(`it has more than ${FOLDER_LIMITS.files} files`);
      }
      if (bytes > FOLDER_LIMITS.bytes) throw refuse(`its files have more than ${FOLDER_LIMITS.bytes} bytes`);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw refuse("there is no such folder, or a link in it leads nowhere");
    }
    if (error instanceof Deno.errors.NotADirectory) throw refuse("it is not a folder");
    if (error instanceof Deno.errors.PermissionDenied) throw refuse("it may not be read");
    throw error;
  }
  return paths.sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
}

function loadNetwork(network: NetworkRequest, load: LoadImage): NetworkConfiguration {
  if (network.kind !== "user") return { kind: "bridge", id: network.id };
  const { id, folder, bootFile } = network;
  const files = folder === undefined ? [] : folderPaths(folder).map((path) => ({
    path,
    image: load(`${folder}/${path}`, "served file"),
  }));
  return { kind: "user", id, files, bootFile };
}

/** What a request plugs in, with its files read: `load` keeps whole ones, `images` takes disks. */
export function loadPeripherals(
  { drives, networks, devices }: MachineRequest,
  load: LoadImage,
  images: Map<string, Uint8Array | DiskImage>,
): Pick<MachineConfiguration, "drives" | "networks" | "devices"> {
  return {
    drives: drives.map((drive) => loadDrive(drive, images)),
    networks: networks.map((network) => loadNetwork(network, load)),
    devices,
  };
}
