/** Unmodified Debian, alone and below Xen, that finds devices which only the monitor at EL3 has. */
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { foldDevices, partingOf } from "./trace.ts";

/** Asks of the clock, and of the console that the shell is on. */
const QUESTIONS = [
  "hwclock -r | cut -c1-19; dmesg | grep -o 'pl031.*rtc0'; cat /sys/class/rtc/rtc0/name",
  "echo +2 > /sys/class/rtc/rtc0/wakealarm; sleep 3; cat /sys/class/rtc/rtc0/wakealarm; grep -c '  1 .*pl031' /proc/interrupts",
  "tty; stty -a | head -1; echo 2026-06-01 12:00:00 > /tmp/t; date -s '2026-06-01 12:00:00' > /tmp/t; hwclock -w; hwclock -r | cut -c1-19",
];

/** The shell's lines of a script; moves go between what is typed and what is answered. */
function script(moves: readonly string[]): string[] {
  return [
    'expect "hindsight: shell"',
    'expect "# "',
    ...QUESTIONS.flatMap((question, at) => [
      `send ${JSON.stringify(question.slice(0, 20))}`,
      ...moves[2 * at] === undefined ? [] : [moves[2 * at] as string],
      `send ${JSON.stringify(`${question.slice(20)}; echo d''one\r`)}`,
      'expect "done"',
      ...moves[2 * at + 1] === undefined ? [] : [moves[2 * at + 1] as string],
      'expect "# "',
    ]),
    'send "poweroff -f\\r"',
  ];
}

/** What the shell said to each question: lines without the time of printk. */
function answersOf({ console }: Recorded): string[] {
  const shell = console.slice(console.indexOf("hindsight: shell"));
  return shell.replaceAll("\r", "").split("\n").filter((line) => !/^\[ *[0-9.]+\]|^# |echo/.test(line));
}

interface Run {
  readonly name: string;
  readonly board: string;
  readonly monitor?: readonly string[];
  readonly moves?: readonly string[];
}

function recordDebian(
  context: CheckContext,
  { name, board, monitor = [], moves = [] }: Run,
): Promise<Recorded> {
  return context.record({
    name,
    options: [
      ...["-M", board, "-m", "512M", "-serial", "null", "-serial", "stdio", "-no-reboot", ...monitor],
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("linux-cloud/initrd.gz")],
      ...["-append", `console=ttyAMA1 ${QUICK_KERNEL}`],
    ],
    script: script(moves),
  });
}

const command = (text: string): string => `monitor el3 el3-simdev ${text}`;
/** What moves, behind the start of each question's line and behind its answer. */
const MOVES = ["plug uart1", "plug rtc", "unplug uart1", "unplug rtc", "plug uart1", "unplug uart1"].map(
  command,
);

/** Both devices simulated, then moving about, against both as hardware; and without a monitor. */
export async function checkDebian(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], monitor = ["--monitor", "el3:el3-simdev"];
  const unplugged = "virt,uart1=on,unplugged=rtc+uart1";
  const hardware = await recordDebian(context, { name: "debian-hardware", board: "virt,uart1=on" });
  const wanted = answersOf(hardware);
  for (const words of ["pl031: registered as rtc0", "Jun  1 12:00:0", "/dev/ttyAMA1"]) {
    if (!wanted.some((line) => line.includes(words))) {
      failures.push(`on hardware the shell did not say ${words}`);
    }
  }
  const runs: Run[] = [{ name: "debian-moving", board: unplugged, monitor, moves: MOVES }];
  if (context.all) runs.push({ name: "debian", board: unplugged, monitor });
  let accesses = 0;
  for (const run of runs) {
    const recorded = await recordDebian(context, run), parting = partingOf(wanted, answersOf(recorded));
    if (parting !== undefined) failures.push(`${run.name}: the shell says something else, ${parting}`);
    // The fold is a replay too, on the other engine.
    failures.push(...await context.replayOn(recorded, [recorded.engine]));
    const folded = await foldDevices(context, recorded);
    failures.push(...folded.failures.map((line) => `${run.name}: ${line}`));
    accesses += folded.accesses;
  }
  return { failures, figures: { accesses, moves: MOVES.length } };
}

/** The control: without a monitor, the kernel dies of an external abort where it looks for the clock. */
export async function checkMissing(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await context.record({
    name: "missing",
    options: [
      ...[
        "-M",
        "virt,unplugged=rtc",
        "-m",
        "512M",
        "-no-reboot",
        "-append",
        `console=ttyAMA0 earlycon ${QUICK_KERNEL}`,
      ],
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("linux-cloud/initrd.gz")],
    ],
  });
  const found = /synchronous external abort: 0+96000010/.test(recorded.console);
  return { failures: found ? [] : ["there is no external abort where the clock is missing"], figures: {} };
}

/** What Xen keeps of its console's input is 32 bytes: each piece waits for the echo of the one before. */
export function typedSlowly(text: string): string[] {
  const pieces = text.match(/.{1,12}/g) ?? [];
  return [
    ...pieces.flatMap((piece) => [`send ${JSON.stringify(piece)}`, `expect ${JSON.stringify(piece)}`]),
    'send "\\r"',
  ];
}

/** Xen at EL2 and its first guest below the monitor: neither knows. */
export async function checkXen(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  const recorded = await context.record({
    name: "xen",
    options: [
      ...[
        "-M",
        "virt,virtualization=on,unplugged=rtc",
        "-m",
        "1G",
        "-no-reboot",
        "--monitor",
        "el3:el3-simdev",
      ],
      ...["-kernel", context.guest("xen/xen")],
      ...["-append", "dom0_mem=512M console=dtuart dtuart=/pl011@9000000", "-device"],
      `guest-loader,addr=0x49000000,kernel=${
        context.guest("linux-cloud/Image")
      },bootargs=console=hvc0 ${QUICK_KERNEL}`,
      ...["-device", `guest-loader,addr=0x4c000000,initrd=${context.guest("linux-cloud/initrd.gz")}`],
    ],
    script: [
      'expect "Xen version 4.17"',
      'expect "hindsight: shell"',
      'expect "# "',
      ...typedSlowly("hwclock -r; dmesg | grep 'pl031.*rtc0'; cat /sys/class/rtc/rtc0/name"),
      'expect "rtc-pl031"',
      'expect "# "',
      ...typedSlowly("echo +2 > /sys/class/rtc/rtc0/wakealarm; sleep 3"),
      'expect "# "',
      ...typedSlowly("grep -c '  1 .*pl031' /proc/interrupts"),
      'expect "# "',
      'send "poweroff -f\\r"',
    ],
  });
  for (
    const words of [
      /pl031: registered as rtc0/,
      /^Thu Jan {2}1 00:00:/m,
      /^rtc-pl031 9010000.pl031/m,
      /^1\r?$/m,
    ]
  ) {
    if (!words.test(recorded.console)) failures.push(`below Xen the shell did not say ${words}`);
  }
  failures.push(...await context.replayOn(recorded, context.all ? [recorded.engine] : []));
  const folded = await foldDevices(context, recorded);
  return {
    failures: [...failures, ...folded.failures],
    figures: { "accesses done at EL3": folded.accesses },
  };
}
