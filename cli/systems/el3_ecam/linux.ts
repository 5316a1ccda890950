/** Unmodified Debian on a disk that only a shim function tells of: from EL3, from EL2, and the same on the board's own PCI. */
import { createHash } from "node:crypto";
import type { MachineEvent } from "../../../machine/events.ts";
import { partingOf } from "../el3_simdev/trace.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import {
  AT_EL2,
  AT_EL3,
  cyclesOf,
  cycleText,
  diskOptions,
  REAL,
  type Server,
  SHIM_BASE,
} from "./machines.ts";
import { Specified, wrongCycles } from "./specification.ts";

/** A second disk, behind a function that is not there at first. */
const SECOND: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 0x1_0000 },
  (_, at) => at * 13 + (at >> 8) & 0xff,
);
const WRITTEN = "a line that the guest wrote";

/** What is typed: commands, and between them what an operator does. */
type Line = string | { readonly operator: string };

/** Looks at the function and at its disk, which gets a file. */
export const DISK_COMMANDS: readonly string[] = [
  "lspci -D; lspci -vv -d 1b36:0010 2>/dev/null; cd /sys/bus/pci/drivers/nvme; echo bound *:*; cd /",
  "mkdir m; mount -t ext4 /dev/nvme0n1 m; sha256sum m/known.bin",
  `echo ${WRITTEN} > m/new; umount m; mount -t ext4 /dev/nvme0n1 m; cat m/new; umount m; grep -o 'GIC.*nvme.*' /proc/interrupts`,
];
/** The second function comes, is used, and goes. */
const HOT: readonly Line[] = [
  { operator: "el3-ecam add nvme-mmio.1" },
  "echo 1 > /sys/bus/pci/rescan; usleep 300000; lspci -D; md5sum /dev/nvme1n1",
  "echo 1 > /sys/bus/pci/devices/0001:00:02.0/remove",
  { operator: "el3-ecam remove nvme-mmio.1" },
  "echo 1 > /sys/bus/pci/rescan; lspci -D; ls /dev/nvme1n1; md5sum /dev/nvme0",
];

function script(lines: readonly Line[], level: 2 | 3): string[] {
  return [
    'expect "hindsight: shell"',
    'expect "# "',
    ...lines.flatMap((line, at) =>
      typeof line !== "string" ? [`monitor el${level} ${line.operator}`] : [
        `send ${JSON.stringify(`${line}; echo end-$((${at}+100))\r`)}`,
        `expect "end-${at + 100}"`,
        'expect "# "',
      ]
    ),
    'send "poweroff -f\\r"',
  ];
}

/** What the shell said: lines without the time of printk, and without what was typed. */
export function answersOf({ console }: Recorded): string[] {
  const shell = console.slice(console.indexOf("hindsight: shell"));
  return shell.replaceAll("\r", "").split("\n").filter((line) => !/^\[ *[0-9.]+\]|# |echo/.test(line));
}

interface Boot {
  readonly server: Server;
  readonly lines: readonly Line[];
  readonly more?: readonly string[];
  readonly second?: boolean;
}

/** Records Debian with the disk `root-disk`, and a second one. */
function recordDebian(
  context: CheckContext,
  { server, lines, more = [], second = false }: Boot,
): Promise<Recorded> {
  const { name, driver, monitor } = server, isEl2 = server === AT_EL2;
  const board = server.board.replace(",highmem=off", "");
  const absent = second
    ? monitor.map((option) => option.replace("el3-ecam", "el3-ecam,absent=nvme-mmio.1"))
    : monitor;
  return context.record({
    name: `debian-${name}${more.join("")}`,
    options: [
      ...["-M", board, "-m", "512M", "-no-reboot", ...absent, ...more],
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("pci-tools/initrd")],
      ...["-append", "console=ttyAMA0 panic=-1 cryptomgr.notests=1 quiet"],
      ...["-drive", `file=${context.guest("root-disk/root.img")},if=none,id=root,format=raw`],
      ...["-device", `${driver},drive=root,serial=root`],
      ...second ? diskOptions(context, driver, SECOND, "second") : [],
    ],
    script: script(lines, isEl2 ? 2 : 3),
  });
}

const digest = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest("hex");

/** What the shell must have said of the first disk. */
export function missingOfDisk(
  context: CheckContext,
  { console }: Recorded,
  domain: string,
  line: number,
): string[] {
  const known = digest("sha256", Deno.readFileSync(context.guest("root-disk/known.bin")));
  const wanted: (string | RegExp)[] = [
    `${domain}:00:01.0 Non-Volatile memory controller`,
    /Region 0: Memory at [0-9a-f]+ \(64-bit, non-prefetchable\) \[enhanced\] \[size=16K\]/,
    /Capabilities: \[40\] Enhanced Allocation \(EA\): NumEntries=1\s+Entry 0: Enable\+ Writable- EntrySize=4\s+BAR Equivalent Indicator: BAR 0/,
    "Kernel driver in use: nvme",
    `bound ${domain}:00:01.0`,
    `${known}  m/known.bin`,
    new RegExp(`^${WRITTEN}$`, "m"),
    new RegExp(`GIC(-\\d+|v[23]) +${line} Level +nvme0q0`),
  ];
  const plain = console.replaceAll("\r", "");
  return wanted.filter((text) => typeof text === "string" ? !plain.includes(text) : !text.test(plain))
    .map((text) => `the shell did not say ${text}`);
}

/** The events of configuration cycles, with everything but their instants. */
function eventsOf({ run }: Recorded): string[] {
  const events: MachineEvent[] = [...run.stored({ from: 0, to: Infinity, classes: ["trap"] })];
  return events.filter(({ kind }) => kind.startsWith("configuration")).map((event) =>
    JSON.stringify(
      { ...event, instant: 0, index: 0 },
      (_, value) => typeof value === "bigint" ? value.toString(16) : value,
    )
  );
}

/** Interrupt of the shim's first device. */
export const SHIM_LINE = 144;
/** SPI 4, that of slot 1's pin A. */
const BOARD_LINE = 36;

/** EL3 serves Debian, another function comes and goes; EL2 serves it the same, event for event. */
export async function checkTwins(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], lines = [...DISK_COMMANDS, ...HOT];
  const [three, two] = [
    await recordDebian(context, { server: AT_EL3, lines, second: true }),
    await recordDebian(context, { server: AT_EL2, lines, second: true }),
  ];
  for (const [name, recorded] of [["EL3", three], ["EL2", two]] as const) {
    const said = [...missingOfDisk(context, recorded, "0001", SHIM_LINE), ...missingOfSecond(recorded)];
    failures.push(...said.map((line) => `${name}: ${line}`));
  }
  const answers = partingOf(answersOf(three), answersOf(two)), events = eventsOf(three);
  const parting = partingOf(events, eventsOf(two));
  if (answers !== undefined) failures.push(`the shells say different things, ${answers}`);
  if (parting !== undefined) failures.push(`the events differ, ${parting}`);
  if (events.length < 200) failures.push(`there are only ${events.length} events`);
  const engine = three.engine === "threaded" ? "compiled" : "threaded";
  failures.push(...await context.replayOn(three, context.all ? ["threaded", "compiled"] : [engine]));
  if (context.all) failures.push(...await context.replayOn(two, ["threaded", "compiled"]));
  return { failures, figures: { "configuration cycles": events.length } };
}

/** The second disk came and went. */
function missingOfSecond({ console }: Recorded): string[] {
  const listed = console.match(/^0001:00:0[12]\.0 Non-V/gm)?.length, failures: string[] = [];
  if (listed !== 5) failures.push(`lspci told of functions ${listed} times, not 1, 1, 2 and 1`);
  if (!console.includes(`${digest("md5", SECOND)}  /dev/nvme1n1`)) {
    failures.push("the second disk was not read");
  }
  if (!/ls: .*nvme1n1: No such file/.test(console)) failures.push("the second disk did not go");
  return failures;
}

/** The same function on the board's own PCI: Debian makes the same cycles and gets the same values. */
export async function checkReal(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  const shim = await recordDebian(context, { server: AT_EL3, lines: DISK_COMMANDS });
  const real = await recordDebian(context, { server: REAL, lines: DISK_COMMANDS });
  failures.push(...missingOfDisk(context, real, "0000", BOARD_LINE).map((line) => `real: ${line}`));
  const ofFunction = (recorded: Recorded, window: number) =>
    cyclesOf(recorded, window).filter(({ bdf }) => bdf === 8);
  const found = ofFunction(shim, AT_EL3.window), highWindow = 0x40_1000_0000;
  const wanted = ofFunction(real, highWindow).map((cycle) => cycleText(cycle, REAL.base));
  const parting = partingOf(wanted, found.map((cycle) => cycleText(cycle, SHIM_BASE)));
  if (parting !== undefined) failures.push(`the board's own and the shim's cycles differ, ${parting}`);
  failures.push(...wrongCycles(found, new Map([[8, new Specified(SHIM_BASE)]])).slice(0, 3));
  failures.push(...await context.replayOn(shim, context.all ? ["threaded", "compiled"] : []));
  return { failures, figures: { "cycles of the function": found.length } };
}

/** Four CPUs, a GICv3, and a guest that has EL2. */
export async function checkBoards(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  const boards: Server[] = [
    { ...AT_EL3, name: "el3-smp", board: "virt,gic-version=3" },
    { ...AT_EL3, name: "el3-vhe", board: "virt,virtualization=on" },
  ];
  for (const server of boards) {
    const recorded = await recordDebian(context, {
      server,
      lines: DISK_COMMANDS,
      more: ["-smp", "4", "-cpu", "max"],
    });
    failures.push(
      ...missingOfDisk(context, recorded, "0001", SHIM_LINE).map((line) => `${server.name}: ${line}`),
    );
    failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  }
  return { failures, figures: { boards: boards.length } };
}

/** The control: without a shim, Debian has no disk, and touches nothing in the window. */
export async function checkMissing(context: CheckContext): Promise<CheckOutcome> {
  const server: Server = { ...AT_EL3, name: "missing", monitor: ["--monitor", "el3"] };
  const recorded = await recordDebian(context, { server, lines: ["lspci -D; ls /dev/nvme*"] });
  const failures = /nvme\*: No such file/.test(recorded.console) ? [] : ["Debian has a disk without a shim"];
  return { failures, figures: {} };
}
