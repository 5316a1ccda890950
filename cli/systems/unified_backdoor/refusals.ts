/** What cannot be set up, asked for or called: refused with the reason, and everything else goes on. */
import { messageClient } from "../../../firmware/unified_backdoor/message_client.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";

const CALL = "info-get guestinfo.k";

function record(context: CheckContext, monitor: string, script?: readonly string[]): Promise<Recorded> {
  return context.record({
    options: ["-kernel", "client", "-m", "16M", "--monitor", monitor],
    files: { client: messageClient(CALL).bytes },
    ...script && { script },
  });
}

/** What each must say. */
const SETUPS: readonly (readonly [monitor: string, wanted: RegExp])[] = [
  ["el3:unified-backdoor", /no system "unified-backdoor"/],
  ["el2:unified-backdoor,product=mainframe", /product is server or workstation/],
  ["el2:unified-backdoor,brk=maybe", /brk is on or off/],
  ["el2:unified-backdoor,guestinfo=k", /"k" is not NAME=VALUE/],
  ["el2:unified-backdoor,guestinfo==v", /is no name/],
  ["el2:unified-backdoor,colour=red", /colour/],
];

const COMMANDS: readonly (readonly [words: string, wanted: RegExp])[] = [
  ["rewind", /no command "rewind"/],
  ["", /no command ""/],
  ["checkpoint now", /takes no words/],
  ["guestinfo k", /not NAME=VALUE/],
  ["guestinfo =v", /is no name/],
  ["call", /takes a text/],
  ["call ping", /no program of the guest listens/],
];

async function reasonOf(attempt: Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt;
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

/** Options and commands. */
export async function refusals(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const [monitor, wanted] of SETUPS) {
    const reason = await reasonOf(record(context, monitor));
    if (reason === undefined || !wanted.test(reason)) {
      failures.push(`--monitor ${monitor}: ${reason ?? "taken"}`);
    }
  }
  for (const [words, wanted] of COMMANDS) {
    const line = `at 10 monitor el2 unified-backdoor ${words}`.trimEnd();
    const reason = await reasonOf(record(context, "el2:unified-backdoor", [line]));
    if (reason === undefined || !wanted.test(reason)) failures.push(`${line}: ${reason ?? "taken"}`);
  }
  const { console } = await record(context, "el2:unified-backdoor,guestinfo=k=a;l=b", [
    "at 10 monitor el2 unified-backdoor guestinfo guestinfo.k=two words",
  ]);
  if (console !== "1 two words\n") failures.push(`the client printed ${JSON.stringify(console)}`);
  return { failures, figures: { refused: SETUPS.length + COMMANDS.length } };
}
