/** Folders that commands write several files to. */
import { CommandError } from "../errors.ts";
import { reasonOf } from "./file_source.ts";

/** Makes a folder where there is none. Throws CommandError. */
export function makeFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
  } catch (error) {
    const reason = error instanceof Deno.errors.AlreadyExists ? "it is a file" : reasonOf(error);
    throw new CommandError(`Cannot write journals to "${folder}": ${reason}`);
  }
}

/** The path of a file in a folder. */
export function pathIn(folder: string, name: string): string {
  return folder === "." ? name : folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}
