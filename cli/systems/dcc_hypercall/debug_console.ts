/** The debug channel as a console: what a guest sends, and what it is sent, here and where nobody listens. */
import {
  CONSOLE_GUEST_BASE,
  consoleGuestSource,
  GREETING,
} from "../../../firmware/dcc_hypercall/console_guest.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded, RecordRequest } from "../scenario.ts";

/** What is typed, as a command has it, and what the guest makes of it. */
// deno-fmt-ignore
const CONVERSATION: readonly (readonly [typed: string, answered: string])[] = [
  ["hello there", "HELLO THERE"],
  ["tab\\x09and \\\\ and \\x7e", "TAB\\x09AND \\ AND ~"],
  ["0123456789 ".repeat(20).trim(), "0123456789 ".repeat(20).trim()],
];

/** Instants at which lines are typed; what comes too soon waits. */
const FIRST = 1000, APART = 1500;

const send = (at: number, text: string): string => `at ${at} monitor el2 dcc-hypercall send 0 ${text}`;

function requestOf(locks: boolean, monitor: string): RecordRequest {
  const { bytes } = assembleProgram(consoleGuestSource({ locks }), {
    name: "console",
    base: CONSOLE_GUEST_BASE,
  });
  return {
    options: ["-kernel", "guest", "-m", "32M", "-cpu", "max", "--monitor", `el2:dcc-hypercall${monitor}`],
    files: { guest: bytes },
    seconds: 100, // a guest that waits for a character waits for ever
    script: [
      ...CONVERSATION.map(([typed], index) => send(FIRST + index * APART, `${typed}\\r`)),
      send(FIRST + CONVERSATION.length * APART, "off\\r"),
    ],
  };
}

/** Lines that the host took. */
function linesOf({ run, images }: Recorded): string[] {
  const found: string[] = [];
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind === "debugLineLogged") found.push(event.text);
  }
  return found;
}

/** Commands that are refused, with what the message must say. */
const REFUSED: readonly (readonly [monitor: string, command: string, reason: RegExp])[] = [
  ["", "send 0 x", /console=on/],
  [",console=on", "send 1 x", /no CPU "1"/],
  [",console=on", "type 0 x", /no command "type"/],
  [",console=on", "send 0 \\q", /use send CPU TEXT/],
  [",console=on", "send 0", /use send CPU TEXT/],
];

/** Characters both ways, by polling and under the OS lock; what cannot be sent is refused. */
export async function debugConsole(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], wanted = [...GREETING, ...CONVERSATION.map(([, answered]) => answered)];
  for (const locks of [false, true]) {
    for (const monitor of [",console=on", ",console=on,trap=tdcc,shadow=off"]) {
      const name = `console${locks ? "-locks" : ""}${monitor.includes("tdcc") ? "-tdcc" : ""}`;
      const recorded = await context.record({ ...requestOf(locks, monitor), name });
      const lines = linesOf(recorded);
      if (lines.join("\n") !== wanted.join("\n")) failures.push(`${name}: ${JSON.stringify(lines)}`);
      const isShort = !context.all && monitor.includes("tdcc");
      failures.push(...await context.replayOn(recorded, isShort ? ["threaded"] : Object.keys(ENGINES)));
    }
  }
  for (const [monitor, command, reason] of REFUSED) {
    try {
      const script = [`at ${FIRST} monitor el2 dcc-hypercall ${command}`, send(FIRST + APART, "off\\r")];
      await context.record({ ...requestOf(false, monitor), script });
      failures.push(`"${command.slice(0, 20)}" was taken`);
    } catch (error) {
      if (!reason.test((error as Error).message)) failures.push((error as Error).message);
    }
  }
  return { failures, figures: { lines: wanted.length, refusals: REFUSED.length } };
}
