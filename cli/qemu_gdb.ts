/** QEMU's `-gdb`: the port on which gdb may connect while a machine runs. */
import { UsageError } from "./errors.ts";
import type { RequestDraft } from "./machine_request.ts";

/** The port of `-s`. */
export const USUAL_GDB_PORT = 1234;

/** What QEMU lets follow, and what goes without saying here. */
const SERVER_WORDS = /^(,(server|server=on|nowait|wait=off|ipv4|ipv4=on))*$/;

/** `-gdb tcp::PORT`, `tcp:127.0.0.1:PORT` or the port alone; throws UsageError for anything else. */
export function readGdb(draft: RequestDraft, text: string): void {
  const [, host = "", digits, words = ""] = /^(?:tcp:([^:,]*):)?([0-9]{1,5})(,.*)?$/.exec(text) ?? [];
  const port = Number(digits ?? NaN);
  if (!(port <= 65535) || !SERVER_WORDS.test(words)) {
    throw new UsageError(`-gdb ${text} is not possible here: use -gdb tcp::${USUAL_GDB_PORT}`);
  }
  if (!["", "127.0.0.1", "localhost"].includes(host)) {
    throw new UsageError(
      `-gdb ${text} is not possible here: only this computer may connect; use tcp::${port}`,
    );
  }
  draft.debugPort = port;
}
