/** Machines of rts-upcall's checks: back ends, the disk of the variables, Debian in the EFI shell. */
import { type EfiHandOff, efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { kernelTree, LOADER_INITRD_AT, type MemoryRange } from "../../../firmware/loader/kernel_boot.ts";
import { LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import { bootFirmware, NEEDS_VIRTUAL_MAP } from "../../../firmware/rts_upcall/boot_firmware.ts";
import { upcallShell } from "../../../firmware/rts_upcall/shell.ts";
import type { StubConduit } from "../../../firmware/rts_upcall/stubs.ts";
import { type Variable, variablesOn } from "../../../hypervisor/variable_store/variable_log.ts";
import { Replay } from "../../../journal/replay.ts";
import { buildBoard, RAM_BASE } from "../../../machine/board.ts";
import { type MachineConfiguration, parseConfiguration } from "../../../machine/configuration.ts";
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import { monitorMemory } from "../../../machine/monitor.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, Recorded, RecordRequest } from "../scenario.ts";

/** Where the services are done, and who asks for them. */
export interface BackEnd {
  /** Level of the monitor; 0 for a machine without one. */
  readonly monitor: 0 | 2 | 3;
  /** Level of the callers. */
  readonly caller: 1 | 2;
}

/** All there are. */
// deno-fmt-ignore
export const BACK_ENDS: readonly BackEnd[] = [
  { monitor: 2, caller: 1 }, { monitor: 3, caller: 1 }, { monitor: 3, caller: 2 },
];

/** A back end in names and messages. */
export function backEndText({ monitor, caller }: BackEnd): string {
  return monitor === 0 ? "no monitor" : `EL${monitor} for EL${caller}`;
}

/** How a back end is called. */
export function conduitOf({ monitor }: BackEnd): StubConduit {
  return monitor === 3 ? "smc" : "hvc";
}

/** Bytes of the variables' disk. */
export const DISK_SIZE = 0x1_0000;
/** `-drive id=` of it. */
export const DRIVE = "nvram";

/** Options of a monitor with a disk, whose file is made from bytes. */
export function monitorOptions(
  context: CheckContext,
  { monitor }: BackEnd,
  name: string,
  disk: Uint8Array = new Uint8Array(DISK_SIZE),
): string[] {
  if (monitor === 0) return [];
  const file = context.file(`${name}-nvram.bin`);
  Deno.writeFileSync(file, disk);
  return [
    ...["-drive", `if=none,id=${DRIVE},format=raw,file=${file}`],
    ...["--monitor", `el${monitor}:rts-upcall,drive=${DRIVE}`],
  ];
}

/** RAM of the machines with Linux, in MiB. */
const RAM = 512;
/** The tools' archive, and the kernel. */
const INITRD = "efi-tools/initrd.gz", KERNEL = "linux-cloud/Image";
/** Offset of `image_size` in a kernel. */
const IMAGE_SIZE_AT = 16;

/** The configuration as far as the device tree shows it. */
export function configurationOf({ monitor, caller }: BackEnd): MachineConfiguration {
  const monitors = monitor === 0 ? {} : { monitors: [{ level: monitor, systems: [] }] };
  return parseConfiguration({ memoryMiB: RAM, virtualization: caller === 2, ...monitors });
}

/** RAM that every back end leaves to its guest: what one at EL2 does. */
export function guestRam(): { readonly base: number; readonly size: number } {
  const { base } = monitorMemory(buildBoard(configurationOf({ monitor: 2, caller: 1 })));
  return { base: RAM_BASE, size: base - RAM_BASE };
}

/** What a guest run is. */
export interface DebianRun {
  /** Who does the services. */
  readonly backEnd: BackEnd;
  /** Names the journal and the disk's file. */
  readonly name: string;
  /** What is typed, from the shell's prompt on. */
  readonly script: readonly string[];
  /** The disk of the variables (default empty). */
  readonly disk?: Uint8Array;
  /** More of the kernel's command line. */
  readonly append?: string;
  /** What is before the kernel: the EFI shell (hand-off A, the default), or firmware for its boot stub (B). */
  readonly handOff?: "A" | "B";
  /** More options. */
  readonly options?: readonly string[];
}

/** The prompt, after what is typed has come back. */
export const PROMPT = 'expect "# "';

/** A line of a script: types a command and waits until it has said `done`. */
export function typed(command: string): string[] {
  return [`send "${command.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}\\r"`, PROMPT];
}

/** What is in RAM before a kernel with a command line. */
function handOver(context: CheckContext, run: DebianRun, initrd: MemoryRange): EfiHandOff {
  const { backEnd, handOff = "A", append = "" } = run,
    commandLine = `console=ttyAMA0 ${QUICK_KERNEL} efi=debug ${append}`.trim();
  const configuration = configurationOf(backEnd), conduit = conduitOf(backEnd), ram = guestRam();
  if (handOff === "A") {
    return upcallShell({
      conduit,
      ram,
      deviceTree: kernelTree({ configuration, append: commandLine, initrd }),
    });
  }
  const header = new DataView(Deno.readFileSync(context.guest(KERNEL)).buffer);
  return bootFirmware({
    conduit,
    ram,
    initrd,
    level: backEnd.caller,
    deviceTree: kernelTree({ configuration, append: "", initrd }),
    kernelSize: Number(header.getBigUint64(IMAGE_SIZE_AT, true)),
    loadOptions: commandLine,
    processor: NEEDS_VIRTUAL_MAP,
  });
}

/** Debian with efivar and efibootmgr. */
export function debianRequest(context: CheckContext, run: DebianRun): RecordRequest {
  const { backEnd, name, script, disk, options: more = [] } = run;
  const initrd = context.guest(INITRD), { size } = Deno.statSync(initrd);
  const { options, files } = efiLoaderOptions(handOver(context, run, { base: LOADER_INITRD_AT, size }));
  const load = (
    file: string,
    at: number,
  ) => ["-device", `loader,file=${file},addr=0x${at.toString(16)},force-raw=on`];
  return {
    name,
    options: [
      ...[
        "-M",
        `virt,virtualization=${backEnd.caller === 2 ? "on" : "off"}`,
        "-m",
        `${RAM}M`,
        "-cpu",
        "cortex-a57",
        "-no-reboot",
      ],
      ...options,
      ...load(context.guest(KERNEL), LOADER_KERNEL_AT),
      ...load(initrd, LOADER_INITRD_AT),
      ...["-drive", `if=virtio,format=raw,file=${context.guest("boot-disk/boot.img")}`],
      ...monitorOptions(context, backEnd, name, disk),
      ...more,
    ],
    files,
    script: ['expect "hindsight: shell"', PROMPT, ...script],
  };
}

/** The guests that Debian's runs take. */
export const DEBIAN_GUESTS: readonly string[] = ["linux-cloud", "efi-tools", "boot-disk"];

/** Steps between two looks at what the user wants. */
const SLICE = 2 ** 25;

/**
 * The disk of the variables as a loss of power at an instant leaves it (by default, at the end of the run), by a replay
 * that checks the run up to there. Throws DivergenceError where it is not what was recorded.
 */
export async function diskOf(
  context: CheckContext,
  { run, images }: Recorded,
  at: number = run.lastInstant,
  engine?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const replay = new Replay(run, images, context.machineOptions(engine));
  for (;;) {
    replay.runTo(Math.min(at, replay.instant + SLICE));
    if (replay.instant >= at) break;
    await context.breathe();
  }
  if (at === run.lastInstant) replay.runToEnd();
  const disk = replay.machine.board.disks.get(DRIVE)!;
  return disk.peek(0, disk.size, true);
}

/** The variables of a disk by name. */
export function namesOf(disk: Uint8Array<ArrayBuffer>): ReadonlyMap<string, Variable> {
  return new Map(variablesOn(disk).map((variable) => [variable.name, variable]));
}

/** Events of the services. */
export type ServiceEvent =
  | EventOf<"firmwareServiceCalled">
  | EventOf<"firmwareServiceReturned">
  | EventOf<"variableWritten">;

/** The events of the services in a run, in order. */
export function serviceEvents({ run }: Recorded): ServiceEvent[] {
  const isOurs = (event: MachineEvent): event is ServiceEvent =>
    event.kind === "firmwareServiceCalled" || event.kind === "firmwareServiceReturned" ||
    event.kind === "variableWritten";
  return [...run.stored({ from: 0, to: Infinity, classes: ["trap"] })].filter(isOurs);
}

/** An event as a text, without what says at which level and when it was. */
export function eventText(event: ServiceEvent, isTimed = true): string {
  const { instant, ...rest } = event;
  const shown = isTimed ? { instant, ...rest } : rest;
  return JSON.stringify(
    shown,
    (_, value) =>
      typeof value === "bigint"
        ? `0x${value.toString(16)}`
        : value instanceof Uint8Array
        ? value.toHex()
        : value,
  );
}
