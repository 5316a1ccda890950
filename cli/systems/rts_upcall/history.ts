/** Time-travel NVRAM: which SetVariable, of many, made the next boot fail; found by bisecting a run with boots of what its disk had. */
import {
  exerciser,
  type ExerciserCall,
  immediateOf,
  WINDOW,
} from "../../../firmware/rts_upcall/exerciser.ts";
import { bootManager, loadOption, NOTHING_TO_BOOT } from "../../../firmware/rts_upcall/boot_manager.ts";
import { bisect } from "../../../journal/bisect.ts";
import { queryEvents } from "../../../journal/query.ts";
import { EventQuery } from "../../../journal/query_expression.ts";
import { guidBytes } from "../../../machine/guid.ts";
import { Machine } from "../../../machine/machine.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { hashOfImage, MemoryImage } from "../../../machine/storage/image.ts";
import { sha256 } from "../../../machine/sha256.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { seeded } from "../random.ts";
import { BACK_ENDS, DISK_SIZE, DRIVE, monitorOptions, serviceEvents } from "./machines.ts";

const GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const VENDOR_AT = 0x20, FIRST = 0x100;
/** Writes of no consequence between those that matter. */
const NOISE = 5;

/** What is written, in order: a name with what the variable becomes; none deletes it. */
function history(): { readonly name: string; readonly data: Uint8Array }[] {
  const numbers = seeded(6),
    noise = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        name: `N${index % 5}`,
        data: Uint8Array.from({ length: 4 + numbers.next().value % 20 }, () => numbers.next().value & 0xff),
      }));
  return [
    { name: "Boot0000", data: loadOption("Debian") },
    { name: "Boot0001", data: loadOption("Rescue") },
    { name: "BootOrder", data: Uint8Array.of(0, 0, 1, 0) },
    ...noise(NOISE),
    { name: "Boot0000", data: loadOption("Debian", false) }, // Rescue is left
    ...noise(NOISE),
    { name: "BootOrder", data: Uint8Array.of(0, 0) }, // and now is not in the order
    ...noise(NOISE),
    { name: "Boot0001", data: loadOption("Rescue again") }, // which does not help
    ...noise(NOISE),
  ];
}

/** A guest that writes it. */
function writer(): Uint8Array {
  const places = new Map<string, number>(),
    contents: [number, Uint8Array][] = [[VENDOR_AT, guidBytes(GLOBAL)]];
  let next = FIRST;
  const place = (bytes: Uint8Array): number => {
    const key = bytes.toHex(), known = places.get(key);
    if (known !== undefined) return known;
    if (next % 0x1000 + bytes.length > 0x1000) next = Math.ceil(next / 0x1000) * 0x1000;
    const at = next;
    contents.push([at, bytes]);
    places.set(key, at);
    next += Math.max(16, Math.ceil(bytes.length / 8) * 8);
    return at;
  };
  const calls = history().map(({ name, data }): ExerciserCall => {
    const text = Uint8Array.from([...name, "\0"].flatMap((letter) => [letter.charCodeAt(0), 0]));
    const [nameAt, dataAt] = [place(text), place(data)];
    const at = (offset: number) => WINDOW + BigInt(offset);
    return {
      immediate: immediateOf("SetVariable"),
      arguments: [at(nameAt), at(VENDOR_AT), 7n, BigInt(data.length), at(dataAt)],
    };
  });
  return exerciser({ level: 1, conduit: "hvc", calls, contents }).bytes;
}

/** What the boot manager says on a machine with such a disk. */
function bootWith(context: CheckContext, disk: Uint8Array): string {
  const { bytes } = bootManager("hvc"), image = new MemoryImage(disk), sha = hashOfImage(image);
  const kernelSha = sha256(bytes).toHex();
  const configuration = parseConfiguration({
    memoryMiB: 16,
    drives: [{ id: DRIVE, image: { sha256: sha, size: image.size, name: DRIVE }, readOnly: false }],
    monitors: [{ level: 2, systems: [{ name: "rts-upcall", options: { drive: DRIVE } }] }],
    boot: { kernel: { sha256: kernelSha, size: bytes.length, name: "boot manager" } },
  });
  const images = new Map<string, Uint8Array | MemoryImage>([[kernelSha, bytes], [sha, image]]);
  const machine = new Machine(configuration, images, context.machineOptions("threaded"));
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  machine.run(100_000);
  return console.trim();
}

/** Bisects by booting, and finds the same write by a query. */
export async function bisectTheBoot(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], writes = history();
  const recorded = await context.record({
    name: "history",
    options: ["-kernel", "guest", "-m", "16M", ...monitorOptions(context, BACK_ENDS[0]!, "history")],
    files: { guest: writer() },
  });
  const { run, images } = recorded, said = new Map<string, string>();
  const boot = (machine: Machine): string => {
    const disk = machine.board.disks.get(DRIVE)!.peek(0, DISK_SIZE, true), key = sha256(disk).toHex();
    const known = said.get(key) ?? bootWith(context, disk);
    said.set(key, known);
    return known;
  };
  const sets = serviceEvents(recorded).flatMap((event) => event.kind === "variableWritten" ? [event] : []);
  const begin = sets.find(({ name }) => name === "BootOrder")!.instant + 1;
  // Before there was an order, nothing could be booted either.
  const found = bisect(
    run,
    images,
    (machine: Machine) => machine.instant >= begin && boot(machine) === NOTHING_TO_BOOT,
    context.machineOptions(),
  );
  if (found.kind !== "found") return { failures: [`bisect: the boot fails ${found.kind}`], figures: {} };
  const culprit = found.events.find((event) => event.kind === "variableWritten");
  const wanted = writes.findLastIndex(({ name }) => name === "BootOrder");
  if (
    culprit?.kind !== "variableWritten" || culprit.name !== "BootOrder" || culprit.after.toHex() !== "0000"
  ) {
    failures.push(
      `bisect found ${culprit === undefined ? "no write of a variable" : culprit.kind} at ${found.instant}`,
    );
  }
  const asked = [
    ...queryEvents(run, images, new EventQuery('kind == "variableWritten" && name == "BootOrder"'), {
      ...context.machineOptions(),
      backward: true,
    }),
  ];
  if (asked[0]?.instant !== found.instant - 1) {
    failures.push(
      `the last write of BootOrder is at ${asked[0]?.instant}, bisect found ${found.instant - 1}`,
    );
  }
  if (sets.length < wanted) failures.push(`only ${sets.length} writes`);
  failures.push(...await context.replayOn(recorded, ["reference", "threaded"]));
  return {
    failures,
    figures: {
      "writes": sets.length,
      "of these before the one that broke it": sets.findIndex(({ instant }) => instant === found.instant - 1),
      "boots to find it": said.size,
      "what they said": [...new Set(said.values())].join("; "),
      "step": found.instant - 1,
    },
  };
}
