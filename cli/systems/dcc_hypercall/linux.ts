/** Debian under the monitor: its open-vm-tools at EL0 with and without the shadow, gdb, and the kernel's own breakpoint. */
import {
  debuggedProcess,
  KERNEL_ROUNDS,
  kernelBreakpointProcess,
} from "../../../firmware/dcc_hypercall/debugged_process.ts";
import { elfExecutable } from "../../../firmware/elf.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import type { EventOf } from "../../../machine/events.ts";
import { concatenated, file } from "../../host/guests/file_tree.ts";
import { initramfs } from "../../host/guests/initramfs.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { typed } from "../unified_backdoor/tools.ts";

const CHECK = "vmware-checkvm";
const GOOD = /^VMware software version 6 \(good\)\r?$/m;
const ERROR = /must be run inside a virtual machine/;

/** How a guest is recorded. */
interface Boot {
  readonly name: string;
  readonly monitor: string | undefined;
  readonly initrd: string;
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly script: readonly string[];
}

function boot(context: CheckContext, { name, monitor, initrd, files, script }: Boot): Promise<Recorded> {
  return context.record({
    name,
    options: [
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", initrd, "-m", "512M", "-no-reboot"],
      ...["-append", `console=ttyAMA0 ${QUICK_KERNEL} quiet`],
      ...monitor === undefined ? [] : ["--monitor", monitor],
    ],
    ...files && { files },
    script: ['expect "hindsight: shell"', 'expect "# "', ...script, 'send "poweroff -f\\r"'],
  });
}

/** What came to the monitor, or went to the kernel, by MRS of MDCCSR_EL0. */
interface Reads {
  readonly trapped: readonly EventOf<"debugChannelTrapped">[];
  /** Traps to EL2, and to EL1, with this syndrome. */
  readonly toMonitor: number;
  readonly toKernel: number;
  /** Calls that were answered. */
  readonly calls: number;
}

/** MRS XZR, MDCCSR_EL0. */
const SYNDROME = 0x6220c3e3n;

function readsOf({ run, images }: Recorded): Reads {
  const trapped: EventOf<"debugChannelTrapped">[] = [];
  let toMonitor = 0, toKernel = 0, calls = 0;
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind === "debugChannelTrapped") trapped.push(event);
    if (event.kind === "backdoorCalled") calls++;
    if (event.kind !== "exceptionTaken" || event.syndrome !== SYNDROME) continue;
    if (event.to === 2) toMonitor++;
    else toKernel++;
  }
  return { trapped, toMonitor, toKernel, calls };
}

/** Debian's vmware-checkvm at EL0: each of its calls traps once, and the kernel sees none. */
export async function toolsAtEl0(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await boot(context, {
    name: "checkvm",
    monitor: "el2:dcc-hypercall,unified-backdoor",
    initrd: context.guest("linux-tools/initrd.gz"),
    script: typed(`${CHECK}; echo "it gave $?"`),
  });
  const { trapped, toMonitor, toKernel, calls } = readsOf(recorded), failures: string[] = [];
  if (!GOOD.test(recorded.console) || !/^it gave 0\r?$/m.test(recorded.console)) {
    failures.push(`${CHECK} did not find its host:\n${recorded.console.slice(-300)}`);
  }
  const answered = trapped.filter(({ outcome, level }) => outcome === "answered" && level === 0).length;
  if (answered === 0 || answered !== toMonitor || answered !== calls || toKernel !== 0) {
    failures.push(`${answered} calls, ${toMonitor} traps to EL2, ${toKernel} to EL1, ${calls} were calls`);
  }
  failures.push(...await context.replayOn(recorded, context.all ? ["threaded", "compiled"] : ["threaded"]));
  return { failures, figures: { calls: answered, "traps to EL2": toMonitor, steps: recorded.end.instant } };
}

/** Without the shadow TDCC, which Linux sets, keeps EL0's reads from EL2: SIGILL, and the program's own error. */
export async function toolsWithoutShadow(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await boot(context, {
    name: "checkvm-no-shadow",
    monitor: "el2:dcc-hypercall,shadow=off,unified-backdoor",
    initrd: context.guest("linux-tools/initrd.gz"),
    script: typed(`${CHECK}; echo "it gave $?"`),
  });
  const { trapped, toMonitor, toKernel, calls } = readsOf(recorded), failures: string[] = [];
  if (!ERROR.test(recorded.console) || !/^it gave [1-9]\d*\r?$/m.test(recorded.console)) {
    failures.push(
      `${CHECK} did not say that it must be run in a virtual machine:\n${recorded.console.slice(-300)}`,
    );
  }
  if (toKernel === 0 || toMonitor !== 0 || calls !== 0 || trapped.length !== 0) {
    failures.push(`${toKernel} reads went to EL1, ${toMonitor} to EL2, of which ${calls} were calls`);
  }
  failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  return { failures, figures: { "traps to EL1": toKernel, steps: recorded.end.instant } };
}

const debugged = debuggedProcess;
const at = (name: string): string => `0x${debugged().symbols.get(name)!.toString(16)}`;

/** What gdb does, and what it must print. */
// deno-fmt-ignore
const SESSION: readonly (readonly [command: string, printed?: () => RegExp])[] = [
  ["set pagination off"], ["set confirm off"], ["file /debugged"], ["starti"],
  ["hbreak *COUNT", () => new RegExp(`Hardware assisted breakpoint 1 at ${at("count")}`)],
  ["continue"],
  ['printf "broke at %#lx, counter %ld\\n", $pc, *(long *)COUNTER', () => new RegExp(`broke at ${at("count")}, counter 0`)],
  ["continue"],
  ['printf "again at %#lx, counter %ld\\n", $pc, *(long *)COUNTER', () => new RegExp(`again at ${at("count")}, counter 1`)],
  ["delete"],
  ["watch *(long *)COUNTER", () => /Hardware watchpoint 2/],
  ["continue", () => /Old value = 1\s+New value = 2/],
  ["delete"],
  ["rwatch *(long *)OTHER", () => /Hardware read watchpoint 3/],
  ["continue", () => /Value = 7/],
  ["delete"],
  ["hbreak *LOOKING"],
  ["continue"],
  ["stepi"],
  ['printf "stepped to %#lx\\n", $pc', () => new RegExp(`stepped to 0x${(debugged().symbols.get("looking")! + 4n).toString(16)}`)],
  ["delete"],
  ["break *COUNTING"],
  ["continue", () => new RegExp(`Breakpoint 5, 0x0*${at("counting").slice(2)}`)],
  ['printf "soft at %#lx, counter %ld\\n", $pc, *(long *)COUNTER', () => new RegExp(`soft at ${at("counting")}, counter [23]`)],
  ["delete"],
  ["continue", () => /exited normally/],
];

function gdbScript(): string {
  const lines = SESSION.map(([command]) =>
    command.replace(/\b(COUNTER|COUNTING|COUNT|OTHER|LOOKING)\b/g, (name) => at(name.toLowerCase()))
  );
  return `${lines.join("\n")}\nquit\n`;
}

/** The guest's gdb with the debugged process, and the process with a breakpoint on the kernel. */
function debuggerInitrd(context: CheckContext): Uint8Array {
  const more = initramfs(
    new Map([
      ["debugged", file(elfExecutable(debuggedProcess()), 0o755)],
      ["kernel_breakpoint", file(elfExecutable(kernelBreakpointProcess()), 0o755)],
      ["gdb.script", file(new TextEncoder().encode(gdbScript()), 0o644)],
    ]),
  );
  return concatenated([Deno.readFileSync(context.guest("linux-gdb/initrd")), more]);
}

const DEBUGGING = [
  ...typed('gdb -batch -nx -x /gdb.script; echo "gdb gave $?"'),
  ...typed(
    "/kernel_breakpoint $(grep ' T __arm64_sys_getpid$' /proc/kallsyms | cut -c1-16)",
  ),
];

/** gdb's hardware breakpoints, watchpoints and steps in a guest, and one that its kernel sets on itself. */
async function debugging(context: CheckContext, monitor: string): Promise<CheckOutcome> {
  const recorded = await boot(context, {
    name: monitor.includes("tde") ? "gdb-tde" : "gdb",
    monitor,
    initrd: "gdb-initrd",
    files: { "gdb-initrd": debuggerInitrd(context) },
    script: DEBUGGING,
  });
  const { console } = recorded, failures: string[] = [];
  for (const [command, printed] of SESSION) {
    if (printed?.().test(console) === false) failures.push(`gdb's "${command}" did not print ${printed()}`);
  }
  if (!/^gdb gave 0\r?$/m.test(console)) failures.push("gdb failed");
  const times = Number(/came there (\d) times/.exec(console)?.[1] ?? -1);
  if (times !== KERNEL_ROUNDS) failures.push(`the kernel counted ${times} of ${KERNEL_ROUNDS} calls`);
  if (failures.length > 0) failures.push(console.slice(-1500));
  const { run, images } = recorded, taken = { breakpoints: 0, watchpoints: 0, steps: 0 };
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind !== "exceptionTaken") continue;
    const exceptionClass = Number(event.syndrome >> 26n);
    if ((exceptionClass & ~1) === 0x30) taken.breakpoints++;
    if ((exceptionClass & ~1) === 0x34) taken.watchpoints++;
    if ((exceptionClass & ~1) === 0x32) taken.steps++;
  }
  failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  return { failures, figures: { ...taken, "steps of the machine": recorded.end.instant } };
}

/** As the sheet has it: the guest's debug exceptions go to its EL1 by themselves. */
export function debuggers(context: CheckContext): Promise<CheckOutcome> {
  return debugging(context, "el2:dcc-hypercall");
}

/** With MDCR_EL2.TDE, as BRK for calls needs it: they come to EL2 and go on. */
export function debuggersByEl2(context: CheckContext): Promise<CheckOutcome> {
  return debugging(context, "el2:dcc-hypercall,tde=on");
}
