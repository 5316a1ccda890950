/** QEMU's option of files in fw_cfg: `-fw_cfg`. */
import { UsageError } from "./errors.ts";
import type { RequestDraft } from "./machine_request.ts";
import { eachProperty, properties } from "./properties.ts";

const OPTION = "-fw_cfg";

/** `-fw_cfg [name=]N,file=F` or `-fw_cfg [name=]N,string=S`. */
export function readFirmwareFile({ firmwareFiles }: RequestDraft, text: string): void {
  let name: string | undefined, file: string | undefined, string: string | undefined;
  eachProperty(OPTION, properties(text, "name"), {
    name: (value) => void (name = value),
    file: (value) => void (file = value),
    string: (value) => void (string = value),
  });
  if (name === undefined || (file === undefined) === (string === undefined)) {
    throw new UsageError(`${OPTION} ${text} needs name=NAME and one of file=FILE and string=TEXT`);
  }
  if (firmwareFiles.some((other) => other.name === name)) {
    throw new UsageError(`${OPTION}: name=${name} is given twice`);
  }
  if (file !== undefined) firmwareFiles.push({ kind: "image", name, file });
  else firmwareFiles.push({ kind: "text", name, text: string as unknown as string });
}
