/** Debian's open-vm-tools as they are, in a Linux guest: what they print, and what their messages come to here. */
import { eventStream } from "../../../journal/event_stream.ts";
import type { EventOf } from "../../../machine/events.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";

/** The guests that these checks boot. */
export const TOOLS_GUESTS = ["linux-cloud", "open-vm-tools"];

/** How a guest is recorded. */
export interface ToolsRequest {
  /** The journal's name. */
  readonly name: string;
  /** Systems for `--monitor el2:…`; none for no monitor. */
  readonly monitor: string | undefined;
  /** Lines of a script from the first prompt on. */
  readonly script: readonly string[];
}

/** The systems with which every trigger works. */
export const MONITOR = "el2:dcc-hypercall,unified-backdoor,guestinfo=k=from the host";

/** A line typed at the shell; its output ends with the next prompt. */
export function typed(line: string): string[] {
  return [`send ${JSON.stringify(`${line}\r`)}`, 'expect "\\n# "'];
}

/** Boots Debian with open-vm-tools, does what the script says, and turns it off. */
export function recordTools(
  context: CheckContext,
  { name, monitor, script }: ToolsRequest,
): Promise<Recorded> {
  const initrd = context.guest("open-vm-tools/initrd");
  return context.record({
    name,
    options: [
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", initrd, "-m", "256M", "-no-reboot"],
      ...["-append", `console=ttyAMA0 ${QUICK_KERNEL} quiet`],
      ...monitor === undefined ? [] : ["--monitor", monitor],
    ],
    script: ['expect "hindsight: shell"', 'expect "# "', ...script, 'send "poweroff -f\\r"'],
  });
}

/** Messages that came whole from a guest, in order. */
export function messagesOf({ run, images }: Recorded): EventOf<"guestMessageReceived">[] {
  const found: EventOf<"guestMessageReceived">[] = [];
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind === "guestMessageReceived") found.push(event);
  }
  return found;
}

/** About 60 kB, which the low-bandwidth port takes 15,000 calls for. */
const LARGE = "big=$(seq 1 12000 | tr '\\n' ' ')";
const PUT_LARGE = 'vmware-rpctool "info-set guestinfo.big $big"';
const SUMS = 'vmware-rpctool "info-get guestinfo.big" | sha256sum; echo "$big" | sha256sum';
/** The same, through as many calls as the port needs. */
export const LARGE_MESSAGE: readonly string[] = [LARGE, PUT_LARGE, SUMS].flatMap(typed);

/** What each command must print. */
const PRINTED: readonly (readonly [line: string, wanted: RegExp])[] = [
  ["vmware-checkvm", /^VMware software version 6 \(good\)\r?$/m],
  ["vmware-checkvm -p", /^ESX Server\r?$/m],
  ["vmware-rpctool 'info-get guestinfo.k'", /^from the host\r?$/m],
  ["vmware-rpctool 'info-set guestinfo.g from the guest'", /^\r?$/m],
  ["vmware-rpctool 'info-get guestinfo.g'", /^from the guest\r?$/m],
  ["vmware-rpctool 'info-get guestinfo.none'", /^No value found\r?$/m],
  ["vmware-rpctool 'no-such-command'", /^Unknown command\r?$/m],
  ["vmware-toolbox-cmd stat hosttime", /^01 Jan 2026 00:00:\d\d\r?$/m],
  ["cat /proc/device-tree/hypervisor/compatible | tr '\\0' '\\n'", /^vmware\r?$/m],
  ["systemd-detect-virt", /^vmware\r?$/m],
];

/** What a console has from one prompt to the next: a line that was typed, wrapped by the shell, and its output. */
function segmentsOf(console: string): string[] {
  return console.slice(console.indexOf("hindsight: shell")).split("\n# ").slice(1);
}

/** Two sums of a console that are the same text's. */
function sumsOf(console: string): string[] {
  return [...console.matchAll(/([0-9a-f]{64}) {2}-/g)].map(([, sum]) => sum!);
}

/** What a large message failed in. */
export function largeFailures(recorded: Recorded): string[] {
  const sums = sumsOf(recorded.console), failures: string[] = [];
  if (sums.length < 2 || sums[0] !== sums[1]) failures.push(`a large value came back as ${sums.join(", ")}`);
  const set = messagesOf(recorded).filter(({ text }) => text.startsWith("info-set guestinfo.big"));
  if (set.length !== 1) failures.push(`the large message arrived ${set.length} times whole`);
  if ((set[0]?.bytes ?? 0) < 60_000) failures.push(`the large message has ${set[0]?.bytes} bytes`);
  return failures;
}

/** What a service of the tools says when it starts. */
const STARTED = [
  "info-set guestinfo.vmtools.versionString 12.",
  "vmx.capability.unified_loop toolbox",
  "OK ATR toolbox",
  "tools.capability.statechange",
  "tools.set.versiontype",
];

const runs = new Map<string, Promise<Recorded>>();

/** Debian with the commands, a large message, the service, and calls to it; recorded once for all checks of a process. */
export function toolsRun(context: CheckContext): Promise<Recorded> {
  const name = "tools", key = `${context.engine} ${context.file(name)}`;
  const known = runs.get(key);
  if (known !== undefined) return known;
  const made = recordTools(context, {
    name,
    monitor: MONITOR,
    script: [
      ...PRINTED.flatMap(([line]) => typed(line)),
      "monitor el2 unified-backdoor guestinfo later=set while it runs",
      ...typed("vmware-rpctool 'info-get guestinfo.later'"),
      ...LARGE_MESSAGE,
      ...typed("vmtoolsd &"),
      ...typed("sleep 2; pidof vmtoolsd > /dev/null && echo it runs"),
      "monitor el2 unified-backdoor call ping",
      "monitor el2 unified-backdoor call no_such_call",
      ...typed("sleep 1; kill $(pidof vmtoolsd); sleep 1; pidof vmtoolsd || echo it ended"),
    ],
  });
  runs.set(key, made);
  return made;
}

/** The commands, a large message, the service, and calls to it. */
export async function toolsOfDebian(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await toolsRun(context);
  const { console } = recorded, failures = largeFailures(recorded);
  const segments = segmentsOf(console);
  for (const [index, [line, wanted]] of PRINTED.entries()) {
    const printed = segments[index] ?? "";
    if (!wanted.test(printed)) failures.push(`${line}: ${JSON.stringify(printed.slice(0, 160))}`);
  }
  for (const text of ["set while it runs", "it runs", "it ended"]) {
    if (!console.includes(`\n${text}\r`)) failures.push(`the console has no "${text}"`);
  }
  const messages = messagesOf(recorded).map(({ text }) => text);
  for (const start of STARTED) {
    if (!messages.some((text) => text.startsWith(start))) failures.push(`the service did not say "${start}"`);
  }
  const answers = messages.slice(messages.findIndex((text) => text.startsWith("OK ATR")) + 1)
    .filter((text) => /^(OK|ERROR)\b/.test(text));
  if (!answers.includes("OK ")) failures.push("the service did not answer a ping");
  if (!answers.includes("ERROR Unknown Command")) {
    failures.push(`the service's answers: ${answers.join("; ")}`);
  }
  const other = context.engine === "threaded" ? "compiled" : "threaded";
  failures.push(...await context.replayOn(recorded, [other]));
  return {
    failures,
    figures: {
      "messages from the guest": messages.length,
      "replayed on": other,
      "steps": recorded.end.instant,
    },
  };
}

/** Without the system: no program takes this for a machine of VMware, and none of them hangs or dies otherwise. */
export async function toolsWithout(context: CheckContext): Promise<CheckOutcome> {
  const lines = [
    "systemd-detect-virt",
    "vmware-checkvm",
    "vmware-rpctool 'info-get guestinfo.k'; echo it ended with $?",
  ];
  const failures: string[] = [], figures: Record<string, string> = {};
  for (const monitor of [undefined, "el2:dcc-hypercall"]) {
    const { console } = await recordTools(context, {
      name: "without",
      monitor,
      script: lines.flatMap(typed),
    });
    const [virtual = "", checked = "", called = ""] = segmentsOf(console);
    const name = monitor ?? "no monitor";
    if (/^vmware\r?$/m.test(virtual)) failures.push(`${name}: systemd-detect-virt says vmware`);
    if (/good/.test(checked)) failures.push(`${name}: vmware-checkvm says good`);
    if (!/^it ended with (?!0)\d+\r?$/m.test(called)) failures.push(`${name}: ${JSON.stringify(called)}`);
    figures[`systemd-detect-virt with ${name}`] = virtual.split("\n").at(-1)?.trim() ?? "";
  }
  return { failures, figures };
}
