/** Debian with its services at EL2 and EL3: efivar, efibootmgr, rtc-efi, reset, and the same variables after a power cycle. */
import { UNPUBLISHED } from "../../../firmware/rts_upcall/probe.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import {
  type BackEnd,
  backEndText,
  debianRequest,
  diskOf,
  namesOf,
  serviceEvents,
  typed,
} from "./machines.ts";

/** A vendor's variable. */
const TEST = "12345678-1234-1234-1234-123456789abc-Test";

/** What is typed first, and what the console must then say. */
const WRITE: readonly string[] = [
  "printf hallo > /tmp/v; printf hello > /tmp/w",
  `efivar -t 7 -n ${TEST} -w -f /tmp/v; efivar -n ${TEST} -p`,
  `efivar -a -t 7 -n ${TEST} -f /tmp/w; efivar -n ${TEST} -p; efivar -l`,
  "efibootmgr -q -c -d /dev/vda -p 1 -L Debian -l '\\EFI\\debian\\shimaa64.efi'; efibootmgr -q -n 0000; efibootmgr -q -t 7",
  "efibootmgr -v; cat /sys/class/rtc/rtc0/name; date -u -s 2031.02.03-04:05:06; hwclock -u -w -f /dev/rtc0; hwclock -u -r -f /dev/rtc0",
];
const WRITTEN: readonly RegExp[] = [
  /68 61 6c 6c 6f {2,}\|hallo/,
  /68 61 6c 6c 6f 68 65 6c {2}6c 6f {2,}\|hallohello/,
  /12345678-1234-1234-1234-123456789abc-Test\r/,
  /BootNext: 0000\r\nTimeout: 7 seconds\r\nBootOrder: 0000\r\n/,
  /Boot0000\* Debian\tHD\(1,MBR,0x68696e64,0x800,0x30000\)\/File\(\\EFI\\debian\\shimaa64\.efi\)/,
  /rtc-efi rtc-efi\.0\r/,
  /Feb {1,2}3 04:05:0\d 2031/,
];
/** After a power cycle: the same, and deletions. */
const READ: readonly string[] = [
  `efivar -n ${TEST} -p; efibootmgr -v; efibootmgr -q -b 0000 -B; echo; echo LEFT; efivar -l | sort; echo`,
];
const READ_BACK: readonly RegExp[] = [
  WRITTEN[1]!,
  WRITTEN[3]!,
  WRITTEN[4]!,
  /LEFT\r\n12345678-1234-1234-1234-123456789abc-Test\r\n8be4df61-\S+-BootNext\r\n8be4df61-\S+-Timeout\r\n\r\n/,
];

/** What a kernel that has the services says, and one that is in trouble. */
const HAS_SERVICES = [
  "Remapping and enabling EFI services.",
  "Registered efivars operations",
  "registered as rtc0",
];
const TROUBLE = /Oops|Unable to handle|\[Firmware Bug\]|EFI services will not be available|Call trace/;

/** What is missing on a console, or should not be there. */
export function consoleFailures(
  what: string,
  console: string,
  wanted: readonly (string | RegExp)[],
): string[] {
  const failures = wanted.filter((one) =>
    typeof one === "string" ? !console.includes(one) : !one.test(console)
  )
    .map((one) => `${what}: the console does not say ${one}`);
  const trouble = TROUBLE.exec(console);
  if (trouble !== null) failures.push(`${what}: the console says "${trouble[0]}"`);
  return failures;
}

/** Types a part of the acceptance, and resets by ResetSystem. */
function partOf(commands: readonly string[]): string[] {
  return [...commands.flatMap(typed), 'send "reboot -f\\r"'];
}

/** Failures of a run's end: the kernel must have asked firmware to reset. */
function endFailures(what: string, recorded: Recorded): string[] {
  const reset = serviceEvents(recorded).find((event) =>
    event.kind === "firmwareServiceCalled" && event.service === "ResetSystem"
  );
  return [
    ...(recorded.end.reason === "reset" ? [] : [`${what}: ended by ${recorded.end.reason}, not a reset`]),
    ...(reset === undefined ? [`${what}: nobody called ResetSystem`] : []),
  ];
}

/** A machine: who does the services, and what is before the kernel. */
export interface Setting {
  /** Who does the services. */
  readonly backEnd: BackEnd;
  /** The hand-off. */
  readonly handOff: "A" | "B";
}

/** A setting in messages. */
export function settingText({ backEnd, handOff }: Setting): string {
  return `hand-off ${handOff}, ${backEndText(backEnd)}`;
}

/** What Linux's boot stub must have said and done. */
function stubFailures(what: string, { handOff }: Setting, recorded: Recorded): string[] {
  if (handOff === "A") return [];
  const failures = consoleFailures(what, recorded.console, [
    "EFI stub: Booting Linux Kernel",
    "EFI stub: Exiting boot services",
  ]);
  const events = serviceEvents(recorded);
  for (const service of ["GetMemoryMap", "ExitBootServices", "SetVirtualAddressMap"]) {
    const isDone = events.some((event) =>
      event.kind === "firmwareServiceReturned" && event.service === service && event.status === 0n
    );
    if (!isDone) failures.push(`${what}: no ${service} succeeded`);
  }
  return failures;
}

/** Writes on one back end, loses power, reads on another; replays both, with all checks, on the recording engine and more. */
export async function variablesOfDebian(
  context: CheckContext,
  [writer, reader]: readonly [Setting, Setting],
  engines: readonly string[],
  name: string,
): Promise<CheckOutcome> {
  const failures: string[] = [];
  const written = await context.record(debianRequest(context, {
    ...writer,
    name: `${name}-written`,
    script: partOf(WRITE),
  }));
  const what = settingText(writer);
  failures.push(
    ...consoleFailures(what, written.console, [...HAS_SERVICES, ...WRITTEN]),
    ...endFailures(what, written),
  );
  failures.push(...stubFailures(what, writer, written));
  const disk = await diskOf(context, written);
  const read = await context.record(debianRequest(context, {
    ...reader,
    name: `${name}-read`,
    script: partOf(READ),
    disk,
  }));
  const after = `after a power cycle, ${settingText(reader)}`;
  failures.push(
    ...consoleFailures(after, read.console, [...HAS_SERVICES, ...READ_BACK]),
    ...endFailures(after, read),
  );
  failures.push(...stubFailures(after, reader, read));
  const left = [...namesOf(await diskOf(context, read)).keys()].sort().join(" ");
  if (left !== "BootNext Test Timeout") failures.push(`${after}: the disk has ${left || "nothing"}`);
  for (const run of [written, read]) failures.push(...await context.replayOn(run, engines));
  const calls = [written, read].map((run) =>
    serviceEvents(run).filter(({ kind }) => kind === "firmwareServiceCalled").length
  );
  return {
    failures,
    figures: {
      "services called": calls.join(" and "),
      "variables before the power cycle": namesOf(disk).size,
      "variables at the end": left,
      "steps": written.end.instant + read.end.instant,
    },
  };
}

/** What a kernel says that was told of no services. */
const HAS_NONE = ["efi: EFI v2.100 by Hindsight", "Remapping and enabling EFI services."];

/** Where nobody answers HVC the start publishes nothing, and the kernel goes on without; on QEMU as here. */
export async function withoutServices(context: CheckContext): Promise<CheckOutcome> {
  const request = debianRequest(context, {
    backEnd: { monitor: 0, caller: 1 },
    name: "unanswered",
    script: [
      ...typed("ls /sys/firmware/efi; ls /sys/class/rtc/; efivar -l; echo THAT WAS ALL"),
      'send "poweroff -f\\r"',
    ],
  });
  const recorded = await context.record(request), failures: string[] = [];
  const wanted = [UNPUBLISHED, ...HAS_NONE];
  const check = (what: string, console: string): void => {
    failures.push(...consoleFailures(what, console, wanted));
    for (const never of ["rtc-efi", "Registered efivars operations"]) {
      if (console.includes(never)) failures.push(`${what}: the console says "${never}"`);
    }
  };
  check("without a monitor", recorded.console);
  if (!/THAT WAS ALL\r/.test(recorded.console)) {
    failures.push("without a monitor: the commands did not come to their end");
  }
  if (serviceEvents(recorded).length > 0) failures.push("somebody answered");
  const { options, files = {} } = request;
  const { console } = await context.qemu({ options, files, until: "hindsight: shell", seconds: 600 });
  check("on QEMU", console);
  return { failures, figures: { steps: recorded.end.instant } };
}
