/** `hindsight disk`: what is on a disk or in a flash bank at an instant. */
import type { Machine } from "../machine/machine.ts";
import type { ImageReference } from "../machine/peripheral_configuration.ts";
import { OVERLAY_CHUNK_SIZE } from "../machine/storage/disk.ts";
import { Replay } from "../journal/replay.ts";
import { type Command, IMAGE_OPTIONS } from "./command.ts";
import { UsageError } from "./errors.ts";
import { writeSparseFile } from "./host/sparse_file.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { type Options, refuseOutside } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { replayTo } from "./replay.ts";
import { suggestion } from "./suggest.ts";
import { bytesText, counted, grouped } from "./text.ts";

/** A disk, or a flash bank with a file. */
interface Medium {
  readonly id: string;
  readonly kind: "disk" | "flash";
  readonly size: number;
  readonly readOnly: boolean;
  readonly image: ImageReference;
  /** Chunks of OVERLAY_CHUNK_SIZE that were written; of disks only. */
  readonly written: { readonly durable: number; readonly volatile: number } | undefined;
  /** Bytes as they are now or, with `durable`, as a power cut would leave them. */
  read(offset: number, length: number, durable: boolean): Uint8Array;
}

function mediaOf({ configuration, board }: Machine): Medium[] {
  const { drives, boot: { pflash } } = configuration;
  const disks = drives.map(({ id, image, readOnly }): Medium => {
    const disk = board.disks.get(id)!;
    const read = (offset: number, length: number, durable: boolean) => disk.peek(offset, length, durable);
    return { id, kind: "disk", size: disk.size, readOnly, image, written: disk.written, read };
  });
  const banks = pflash.map(({ readOnly, ...image }, bank): Medium => {
    const { bytes, regions } = board.memory;
    const { hostOffset, size } = regions.find(({ name }) => name === `flash${bank}`)!;
    const read = (offset: number, length: number) =>
      bytes.subarray(hostOffset + offset, hostOffset + offset + length);
    return { id: `pflash${bank}`, kind: "flash", size, readOnly, image, written: undefined, read };
  });
  return [...disks, ...banks];
}

/** The one that `--drive` names, or the only disk. */
function mediumOf(options: Options, media: readonly Medium[]): Medium {
  const ids = media.map(({ id }) => id);
  const there = ids.join(", ") || "none";
  const id = options.text("drive");
  const disks = media.filter(({ kind }) => kind === "disk");
  if (id === undefined && disks.length === 1) return disks[0]!;
  if (id === undefined) {
    throw new UsageError(`disk needs one of the run's drives: --drive ID; there are ${there}`);
  }
  const medium = media.find((medium) => medium.id === id);
  if (medium !== undefined) return medium;
  throw new UsageError(`--drive ${id}: the run has no such drive; there are ${there}${suggestion(id, ids)}`);
}

/** Goes to the instant asked for, or to the end of the run with what happens there. */
function goTo(replay: Replay, options: Options, host: Host): void {
  const { lastInstant } = replay.run;
  const at = options.number("at");
  refuseOutside("--at", at, replay.run);
  const progress = new Progress(host, "replaying");
  replay.skipTo(at ?? lastInstant);
  replayTo(replay, at ?? lastInstant, progress);
  if (at === undefined) replay.runToEnd();
  progress.clear();
}

function list(media: readonly Medium[], instant: number, options: Options, host: Host): void {
  if (options.isOn("json")) {
    const drives = media.map(({ id, kind, size, readOnly, image, written }) => (
      { id, kind, size, readOnly, image, written: written ?? null }
    ));
    host.stdout.write(`${JSON.stringify({ instant, chunkSize: OVERLAY_CHUNK_SIZE, drives })}\n`);
    return;
  }
  const lines = media.map(({ id, kind, size, readOnly, image, written }) => {
    const state = readOnly ? "read-only" : written === undefined ? "in memory" : writtenText(written);
    return `${id}  ${kind}, ${bytesText(size)}, from "${image.name}", ${state}\n`;
  });
  host.stdout.write(lines.join("") || "The machine has no disks and no flash banks with files.\n");
}

function writtenText({ durable, volatile }: NonNullable<Medium["written"]>): string {
  if (durable + volatile === 0) return "not written";
  return `${counted(durable, "chunk")} written and durable, ${grouped(volatile)} volatile`;
}

function run(options: Options, host: Host): number {
  const output = options.text("output");
  const isList = options.isOn("list");
  if (isList === (output !== undefined)) {
    throw new UsageError("disk needs a file to write, -o FILE, or else --list");
  }
  const opened = openRun(options.others[0]!, host);
  const replay = new Replay(opened.run, imagesOf(opened, options), engineOf(options));
  if (!isList) mediumOf(options, mediaOf(replay.machine));
  goTo(replay, options, host);
  const { instant } = replay;
  const media = mediaOf(replay.machine);
  if (output === undefined) {
    list(media, instant, options, host);
    return 0;
  }
  const { id, size, read } = mediumOf(options, media);
  const durable = options.isOn("durable");
  const bytes = writeSparseFile(output, size, (offset, length) => read(offset, length, durable));
  host.stdout.write(
    options.isOn("json")
      ? `${JSON.stringify({ output, drive: id, instant, durable, size, dataBytes: bytes })}\n`
      : `"${output}" holds ${id} at instant ${grouped(instant)}: ${bytesText(size)}, ` +
        `${bytesText(bytes)} of them not zero.\n`,
  );
  return 0;
}

/** The command. */
export const disk: Command = {
  operands: ["RUN"],
  details:
    "Flash banks with a file are pflash0 and pflash1. Where zeros are, the file has holes. Without --at it is the\n" +
    "end of the run. With --durable, a disk is as a power cut at that instant would leave it: what the guest\n" +
    "has not flushed is not there.",
  examples: [
    "deno task hindsight disk u.hindsight --list",
    "deno task hindsight disk u.hindsight --drive virtio0 --at 1000000 --durable -o disk.raw",
  ],
  options: [
    {
      name: "output",
      aliases: ["o"],
      value: "FILE",
      help: "the file to write; one of that name is replaced",
    },
    {
      name: "drive",
      value: "ID",
      help: "the disk, by its -drive id=, or pflash0, pflash1; the only disk when absent",
    },
    { name: "at", value: "N", help: "the instant" },
    { name: "durable", help: "what would survive a power cut" },
    { name: "list", help: "show the drives, their sizes, and how many chunks of 64 KiB were written" },
    ...ENGINE_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
