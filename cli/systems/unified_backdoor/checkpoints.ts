/** Forks in the middle of messages: the client is told once to begin again, and the message arrives once and whole. */
import { equalBytes } from "../../../machine/sha256.ts";
import { CALL_BYTES } from "../../../hypervisor/systems/unified_backdoor/calls.ts";
import { messageClient } from "../../../firmware/unified_backdoor/message_client.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { LARGE_MESSAGE, largeFailures, messagesOf, MONITOR, recordTools, toolsRun, typed } from "./tools.ts";

const TEXT = "info-set guestinfo.m a value that is sent in several words";
/** The operator's word for a fork. */
const CHECKPOINT = "monitor el2 unified-backdoor checkpoint";

function trapsOf({ run, images }: Recorded): MachineEvent[] {
  return [...eventStream(run, images, { classes: ["trap"] })];
}

function countOf(events: readonly MachineEvent[], kind: MachineEvent["kind"]): number {
  return events.filter((event) => event.kind === kind).length;
}

/** What a fork of the client failed in, and whether it was told to begin again. */
async function forkFailures(
  context: CheckContext,
  parent: Recorded,
  at: number,
): Promise<{ readonly failures: readonly string[]; readonly isTold: boolean }> {
  const fork = await context.fork({ parent, at, script: [CHECKPOINT] });
  const failures: string[] = [], traps = trapsOf(fork);
  if (fork.console !== "1 \n" && parent.console.startsWith("1 \n")) {
    failures.push(`it printed ${JSON.stringify(fork.console)}`);
  }
  const whole = messagesOf(fork).filter(({ text }) => text === TEXT).length;
  if (whole !== 1) failures.push(`the message arrived ${whole} times whole`);
  const told = countOf(traps, "guestMessageInterrupted");
  if (told > 1) failures.push(`the client was told ${told} times to begin again`);
  return { failures: failures.map((failure) => `a fork at ${at}: ${failure}`), isTold: told === 1 };
}

/** A fork before each call of a client, by words and by the high-bandwidth port. */
export async function forksOfClient(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  for (const bandwidth of ["off", "on"]) {
    const parent = await context.record({
      name: `client-${bandwidth}`,
      options: [
        ...["-kernel", "client", "-m", "16M"],
        ...["--monitor", `el2:unified-backdoor,high-bandwidth=${bandwidth}`],
      ],
      files: { client: messageClient(TEXT).bytes },
    });
    if (parent.console !== "1 \n") failures.push(`the client printed ${JSON.stringify(parent.console)}`);
    const calls = trapsOf(parent).filter(({ kind }) => kind === "backdoorCalled");
    let told = 0;
    for (const { instant } of calls) {
      const found = await forkFailures(context, parent, instant);
      failures.push(...found.failures);
      if (found.isTold) told++;
    }
    // All but the first of a message's calls are in its middle: OPEN, SENDSIZE, RECVSIZE and CLOSE are not.
    if (told !== calls.length - 4) failures.push(`${told} of ${calls.length} forks were told, not all but 4`);
    const quiet = await context.fork({ parent, at: calls[2]!.instant, script: [] });
    if (!equalBytes(quiet.end.stateRoot, parent.end.stateRoot)) {
      failures.push("a fork without the word is not the run itself");
    }
    failures.push(...await context.replayOn(parent, ["reference", "threaded", "compiled"]));
    figures[`forks, high-bandwidth=${bandwidth}`] = calls.length;
    figures[`told to begin again, high-bandwidth=${bandwidth}`] = told;
  }
  return { failures, figures };
}

/** The instant behind the calls of Debian's tool that a message's last call follows. */
function middleOf(recorded: Recorded, text: string): number {
  let before = 0;
  for (const event of trapsOf(recorded)) {
    if (event.kind === "backdoorReturned") before = event.instant + 1;
    if (event.kind === "guestMessageReceived" && event.text.startsWith(text)) return before;
  }
  return -1;
}

/** Debian's own vmware-rpctool in a fork between the size and the payload of a large message. */
export async function forkOfTools(context: CheckContext): Promise<CheckOutcome> {
  const parent = await toolsRun(context);
  const at = middleOf(parent, "info-set guestinfo.big");
  if (at < 0) return { failures: ["the message did not arrive"], figures: {} };
  const fork = await context.fork({
    parent,
    at,
    name: "message-fork",
    script: [CHECKPOINT, 'expect "\\n# "', ...LARGE_MESSAGE.slice(-2), 'send "poweroff -f\\r"'],
  });
  const failures = [...largeFailures(parent), ...largeFailures(fork)];
  const told = countOf(trapsOf(fork), "guestMessageInterrupted");
  if (told !== 1) failures.push(`the tool was told ${told} times to begin again`);
  const other = context.engine === "threaded" ? "compiled" : "threaded";
  failures.push(...await context.replayOn(fork, [other]));
  return {
    failures,
    figures: { "forked at instant": at, "told to begin again": told, "replayed on": other },
  };
}

/** The same, a word at a time: in the middle of 15,000 calls. */
export async function forkOfWords(context: CheckContext): Promise<CheckOutcome> {
  const monitor = MONITOR.replace("unified-backdoor", "unified-backdoor,high-bandwidth=off");
  const parent = await recordTools(context, { name: "words", monitor, script: LARGE_MESSAGE });
  const failures = largeFailures(parent), last = middleOf(parent, "info-set guestinfo.big");
  const calls = trapsOf(parent).filter(({ kind, instant }) => kind === "backdoorCalled" && instant < last);
  const at = calls.at(-Math.floor(CALL_BYTES / 8))?.instant ?? -1;
  if (at < 0) return { failures: [...failures, `there are only ${calls.length} calls`], figures: {} };
  const fork = await context.fork({
    parent,
    at,
    script: [CHECKPOINT, 'expect "\\n# "', ...LARGE_MESSAGE.slice(-2), 'send "poweroff -f\\r"'],
  });
  failures.push(...largeFailures(fork));
  const told = countOf(trapsOf(fork), "guestMessageInterrupted");
  if (told !== 1) failures.push(`the tool was told ${told} times to begin again`);
  return { failures, figures: { "calls before": calls.length, "told to begin again": told } };
}

/** A service whose calls by the host are cut in two: it answers each once. */
export async function forkOfService(context: CheckContext): Promise<CheckOutcome> {
  const parent = await recordTools(context, {
    name: "service",
    monitor: MONITOR,
    script: [
      ...typed("vmtoolsd &"),
      ...typed("sleep 2"),
      "monitor el2 unified-backdoor call ping",
      ...typed("sleep 2; echo it waited"),
    ],
  });
  let before = 0, at = -1;
  for (const event of trapsOf(parent)) {
    if (event.kind === "backdoorReturned") before = event.instant + 1;
    if (event.kind === "guestMessageDelivered" && event.text === "ping") at = before;
  }
  const failures = at < 0 ? ["the service was not called"] : [];
  const fork = await context.fork({
    parent,
    at: Math.max(at, 0),
    script: [CHECKPOINT, 'expect "it waited\\r"', 'expect "\\n# "', 'send "poweroff -f\\r"'],
  });
  const answers = messagesOf(fork).filter(({ protocol, text }) => protocol === "TCLO" && text === "OK ");
  const told = countOf(trapsOf(fork), "guestMessageInterrupted");
  if (told !== 1) failures.push(`the service was told ${told} times to begin again`);
  // The first is that of the call by which the host asks for what the service can do.
  if (answers.length !== 2) failures.push(`the service answered ${answers.length - 1} times`);
  return { failures, figures: { answers: answers.length, "told to begin again": told } };
}
