/** Unmodified Debian, by ACPI and by device tree, on root ports that it would not know without their segments. */
import { createHash } from "node:crypto";
import { follow } from "../el3_simdev/trace.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { debianByAcpi, debianByTree, DISK, type SegmentMachine } from "./machines.ts";
import { deviceIdsOf } from "./translation.ts";

/** What is asked of the shell, a line each. */
const QUESTIONS = [
  "lspci -D -n; echo devices `ls /sys/bus/pci/devices`",
  "for d in /sys/bus/pci/devices/*; do echo driver `basename $d` `readlink $d/driver | sed s,.*/,,`; done",
  "md5sum /dev/nvme0n1; echo hello > /tmp/h; dd if=/tmp/h of=/dev/nvme0n1 bs=512 seek=3 conv=sync 2>/dev/null; dd if=/dev/nvme0n1 bs=512 skip=3 count=1 2>/dev/null | head -1",
  "ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; udhcpc -q -i eth0 -s /bin/true; ping -c 1 -W 2 10.0.2.2",
  "grep -E 'nvme|virtio|pci' /proc/interrupts",
  "dmesg | grep -ciE 'firmware bug|FW_BUG|quirk|not reserved|ghost'; echo complaints",
];

/** A script that asks, and turns the machine off; other lines go in front of question `at`. */
export function script(questions: readonly string[] = QUESTIONS): string[] {
  return [
    'expect "hindsight: shell"',
    'expect "# "',
    ...questions.flatMap((question, at) => [
      `send ${JSON.stringify(`${question}; echo d''one ${at}\r`)}`,
      `expect "done ${at}"`,
      'expect "# "',
    ]),
    'send "poweroff -f\\r"',
  ];
}

const APPEND = "panic=-1 cryptomgr.notests=1";

/** Records a boot. */
export function recordDebian(
  context: CheckContext,
  name: string,
  how: "acpi" | "tree",
  machine: SegmentMachine = {},
  lines: readonly string[] = script(),
): Promise<Recorded> {
  const request = how === "acpi"
    ? debianByAcpi(context, machine, `${APPEND} acpi=force`)
    : debianByTree(context, machine, `console=ttyAMA0 ${APPEND}`);
  return context.record({ ...request, name, script: lines, seconds: 600 });
}

/** How interrupts come: through the ITS, through a GICv2m, or by the lines of _PRT and interrupt-map. */
export type Messages = "ITS-MSI" | "GICv2m" | "Level";

/** What must be on the console. */
function expectations(messages: Messages): Record<string, RegExp> {
  const disk = createHash("md5").update(DISK).digest("hex");
  const counted = (name: string): RegExp => {
    const chip = messages === "GICv2m" ? "(MSI|GICv2m|ITS-MSI)" : messages;
    // A column for each CPU, of which one has counted.
    const columns = "^ *\\d+:(?: +\\d+)*? +[1-9]\\d*(?: +\\d+)* +";
    return new RegExp(
      messages === "Level" ? `${columns}.*Level +.*${name}` : `${columns}${chip} .*${name}`,
      "m",
    );
  };
  return {
    "NVMe is listed": /^0000:00:00\.0 0108: 1b36:0010/m,
    "the network card is listed": /^0001:00:00\.0 0200: 1af4:1000/m,
    "nothing else is a device": /^devices 0000:00:00\.0 0001:00:00\.0\r?$/m,
    "nvme binds": /^driver 0000:00:00\.0 nvme\r?$/m,
    "virtio-pci binds": /^driver 0001:00:00\.0 virtio-pci\r?$/m,
    "the disk is read": new RegExp(`^${disk}  /dev/nvme0n1`, "m"),
    "the disk is written": /^hello\r?$/m,
    "DHCP gives a lease": /udhcpc: lease of 10\.0\.2\.15 obtained/,
    "the network answers": /1 packets transmitted, 1 packets received, 0% packet loss/,
    "interrupts of NVMe": counted("nvme0q"),
    "interrupts of the card": counted(messages === "Level" ? "virtio0" : "virtio0-(input|output)"),
    "no complaint about firmware": /^0\r?\ncomplaints\r?$/m,
  };
}

/** What a boot's console lacks. */
export function missing(recorded: Recorded, messages: Messages): string[] {
  const { console, end } = recorded;
  const lines = (console.match(/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d /gm) ?? []).length;
  return [
    ...Object.entries(expectations(messages)).flatMap(([what, pattern]) =>
      pattern.test(console) ? [] : [`${what}: no ${pattern}`]
    ),
    ...(lines === 2 ? [] : [`lspci -D lists ${lines} functions, not 2`]),
    ...(end.reason === "poweredOff" ? [] : [`it ended by ${end.reason}`]),
  ];
}

/** What the journal of a boot has of configuration cycles. */
export interface Cycles {
  /** Accesses of Linux to configuration space. */
  readonly accesses: number;
  /** True cycles that were done for them. */
  readonly cycles: number;
  /** Requester IDs that true cycles went to. */
  readonly requesters: readonly number[];
  /** Requester IDs that the ITS knows. */
  readonly deviceIds: readonly number[];
}

/** Replays on another engine, and counts. */
export async function cyclesOf(context: CheckContext, recorded: Recorded): Promise<Cycles> {
  let accesses = 0, cycles = 0;
  const requesters = new Set<number>();
  const { machine } = await followDetails(context, recorded, (kind, requester) => {
    if (kind === "configurationCycleDone") {
      cycles++;
      requesters.add(requester);
    } else accesses++;
  });
  return {
    accesses,
    cycles,
    requesters: [...requesters].sort((a, b) => a - b),
    deviceIds: deviceIdsOf(machine),
  };
}

/** Follows a run's cycles. */
async function followDetails(
  context: CheckContext,
  recorded: Recorded,
  seen: (kind: string, requester: number) => void,
): Promise<{ machine: Awaited<ReturnType<typeof follow>> }> {
  let added = false;
  const machine = await follow(context, recorded, (event, running) => {
    if (!added) {
      added = true;
      running.board.events.add({
        classes: ["detail"],
        observe: (detail) => detail.kind === "configurationCycleDone" && seen(detail.kind, detail.requester),
      });
    }
    if (event.kind === "configurationRead" || event.kind === "configurationWritten") {
      seen(event.kind, event.bdf);
    }
  });
  return { machine };
}

/** The true requester IDs of the usual machine's endpoints: bus 1 behind the first port; 2, 3, 4 behind the second. */
const TRUE_IDS = [0x100, 0x400];

/** One boot with all that must hold; and that it replays. */
export async function checkBoot(
  context: CheckContext,
  how: "acpi" | "tree",
  messages: Messages = "ITS-MSI",
  machine: SegmentMachine = {},
): Promise<CheckOutcome> {
  const { level = 3, gic = 3, cpus = 1 } = machine;
  const name = `debian-${how}-el${level}-gicv${gic}-${cpus}`;
  const recorded = await recordDebian(context, name, how, machine);
  const failures = missing(recorded, messages);
  // The twin's cycles are looked at, and its replay is made, with all.
  if (how === "tree" && !context.all) {
    return {
      failures: failures.map((line) => `${name}: ${line}`),
      figures: { instants: recorded.end.instant },
    };
  }
  const { accesses, cycles, requesters, deviceIds } = await cyclesOf(context, recorded);
  if (String(requesters) !== String(TRUE_IDS)) failures.push(`true cycles went to ${requesters.map(hex)}`);
  if (messages === "ITS-MSI" && String(deviceIds) !== String(TRUE_IDS)) {
    failures.push(`the ITS was told of devices ${deviceIds.map(hex)}, not of ${TRUE_IDS.map(hex)}`);
  }
  if (cycles === 0 || cycles >= accesses) failures.push(`${cycles} true cycles for ${accesses} accesses`);
  if (context.all) failures.push(...await context.replayOn(recorded, [recorded.engine]));
  return {
    failures: failures.map((line) => `${name}: ${line}`),
    figures: { instants: recorded.end.instant, "cycles of Linux": accesses, "true cycles": cycles },
  };
}

const hex = (id: number): string => `0x${id.toString(16)}`;

/** The control: without the system Debian finds no PCI at all. */
export async function checkBare(context: CheckContext): Promise<CheckOutcome> {
  const lines = script(["ls /sys/bus/pci/devices | wc -l; echo functions"]);
  const recorded = await recordDebian(context, "debian-bare", "tree", { bare: true }, lines);
  const found = /^0\r?\nfunctions\r?$/m.test(recorded.console);
  return { failures: found ? [] : ["without the system there are PCI functions"], figures: {} };
}

/** Unplugged and plugged again between questions, by an operator; the driver is told as a hot-plug controller would. */
const PLUGGING = [
  "lspci -D -n",
  "echo 1 > /sys/bus/pci/devices/0000:00:00.0/remove; lspci -D -n",
  "monitor el3 ecam-segments down rootport0",
  "echo 1 > /sys/bus/pci/rescan; lspci -D -n",
  "monitor el3 ecam-segments up rootport0",
  "echo 1 > /sys/bus/pci/rescan; sleep 1; lspci -D -n; md5sum /dev/nvme0n1; grep nvme0q1 /proc/interrupts",
];

/** NVMe goes and comes back in its segment. */
export async function checkPlugging(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  const lines = [
    'expect "hindsight: shell"',
    'expect "# "',
    ...PLUGGING.flatMap((text, at) =>
      text.startsWith("monitor")
        ? [text]
        : [`send ${JSON.stringify(`${text}; echo d''one ${at}\r`)}`, `expect "done ${at}"`, 'expect "# "']
    ),
    'send "poweroff -f\\r"',
  ];
  const recorded = await recordDebian(context, "debian-plugging", "tree", {}, lines);
  const parts = recorded.console.split(/^done \d\r?$/m).slice(0, 4);
  const listed = parts.map((part) => (part.match(/^0000:00:00\.0 0108/gm) ?? []).length);
  if (String(listed) !== "1,0,0,1") {
    failures.push(`NVMe is listed ${listed} times, not once, never, never and once`);
  }
  const disk = createHash("md5").update(DISK).digest("hex");
  if (!parts[3]?.includes(`${disk}  /dev/nvme0n1`)) failures.push("the disk is not read after it came back");
  if (!/ +[1-9]\d* +ITS-MSI .*nvme0q1/.test(parts[3] ?? "")) {
    failures.push("NVMe has no interrupts after it came back");
  }
  failures.push(...await context.replayOn(recorded, ["threaded"]));
  return { failures, figures: { instants: recorded.end.instant } };
}

/**
 * The segments merged into one tree: Debian finds the same functions by their true numbers. By ACPI alone, since Linux
 * takes one host of a domain from a device tree.
 */
export async function checkTree(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], lines = script([0, 2, 3, 4].map((at) => QUESTIONS[at] as string));
  const recorded = await recordDebian(context, "debian-one-tree", "acpi", { system: "shape=tree" }, lines);
  const { deviceIds } = await cyclesOf(context, recorded);
  for (
    const pattern of [
      /^0000:01:00\.0 0108: 1b36:0010/m,
      /^0000:04:00\.0 0200: 1af4:1000/m,
      /^devices 0000:01:00\.0 0000:04:00\.0\r?$/m,
      new RegExp(`^${createHash("md5").update(DISK).digest("hex")}  /dev/nvme0n1`, "m"),
      /1 packets transmitted, 1 packets received/,
    ]
  ) if (!pattern.test(recorded.console)) failures.push(`no ${pattern}`);
  if (String(deviceIds) !== String(TRUE_IDS)) {
    failures.push(`the ITS was told of devices ${deviceIds.map(hex)}`);
  }
  return { failures, figures: { instants: recorded.end.instant } };
}
