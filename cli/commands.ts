/** The commands of `hindsight`: one row, and one file, each. */
import { bisect } from "./bisect.ts";
import type { Command } from "./command.ts";
import { consoleCommand } from "./console.ts";
import { diff } from "./diff.ts";
import { disk } from "./disk.ts";
import { events } from "./events.ts";
import { hunt } from "./hunt.ts";
import { info } from "./info.ts";
import { pack } from "./pack.ts";
import { record } from "./record.ts";
import { replay } from "./replay.ts";
import { runCommand } from "./run.ts";
import { state } from "./state.ts";
import { verify } from "./verify.ts";

/** Every command, in the order of the help text. */
export const COMMANDS: readonly Command[] = [
  record,
  runCommand,
  hunt,
  replay,
  verify,
  events,
  state,
  disk,
  consoleCommand,
  diff,
  bisect,
  info,
  pack,
];
