/** A wrong byte planted between load and copy: the second stage refuses it, and bisect finds the store that copied it. */
import { bisect } from "../../../journal/bisect.ts";
import { compileTraced } from "../../../journal/predicate.ts";
import { Replay } from "../../../journal/replay.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { memoryAt, storedCalls, toldSegments } from "./hand_off.ts";
import { EL2, forkHost, moduleFiles, recordHost, typed, UP } from "./host.ts";

const PAGE = 4096;
/** Offset of the byte in the kernel's file, and what it becomes. */
const PLANTED_AT = 0x123_456;

/** Physical addresses of all pages of RAM that hold a page of the kernel's file, but where it is to go. */
function copiesOf(machine: Machine, wanted: Uint8Array, base: number, size: number): number[] {
  const found: number[] = [], view = memoryAt(machine, base, size);
  const [first, second, third] = wanted;
  for (let at = 0; at < size; at += PAGE) {
    if (view[at] !== first || view[at + 1] !== second || view[at + 2] !== third) continue;
    if (view.subarray(at, at + PAGE).every((byte, index) => byte === wanted[index])) found.push(base + at);
  }
  return found;
}

/** Replays to an instant, in slices. */
async function replayedTo(
  context: CheckContext,
  { run, images }: Recorded,
  target: number,
): Promise<Machine> {
  const replay = new Replay(run, images, context.machineOptions());
  while (replay.instant < target) {
    replay.runTo(Math.min(target, replay.instant + 2 ** 25));
    context.progress("replaying", replay.instant, target);
    await context.breathe();
  }
  return replay.machine;
}

/** Compares a segment in memory with its file, from the beginning: the first wrong byte. */
function firstWrong(machine: Machine, address: number, wanted: Uint8Array): number {
  const found = memoryAt(machine, address, wanted.length);
  return wanted.findIndex((byte, index) => found[index] !== byte);
}

/** Plants it and finds it. */
export async function checkPlanted(context: CheckContext): Promise<CheckOutcome> {
  const parent = await recordHost(context, { options: EL2 }, [
    ...[...UP, ...typed("sh /esx.sh"), 'expect "kexec-hypervisor: loaded"', 'expect "# "'],
    ...['send "/kexec-hypervisor exec\\r"', 'expect "management: guest at EL1"', "power cut"],
  ], "sound");
  const kernel = toldSegments(parent.console).find(({ name }) => name === "kernel")!;
  const file = moduleFiles(context).get("Image")!, page = PLANTED_AT - PLANTED_AT % PAGE;
  const { loadedAt, rebootAt } = storedCalls(parent);
  const at = parent.run.inputs.findLast(({ kind }) => kind === "consoleReceived")!.instant;
  const machine = await replayedTo(context, parent, at);
  const copies = copiesOf(machine, file.subarray(page, page + PAGE), 0x4000_0000, 2 ** 30)
    .filter((address) => address !== kernel.address + page);
  const right = file[PLANTED_AT]!, wrong = right ^ 0x10;
  const failures: string[] = [];
  if (!(loadedAt < at && at <= rebootAt)) failures.push(`the fork at ${at} is not between load and reboot`);
  if (copies.length < 2) {
    failures.push(`${copies.length} copies of the page were found, not the file's and kexec's`);
  }
  const planted = await forkHost(context, {
    parent,
    at,
    name: "planted",
    script: [
      ...copies.map((address) =>
        `poke 0x${(address + PLANTED_AT - page).toString(16)} 0x${wrong.toString(16).padStart(2, "0")}`
      ),
      ...['send "/kexec-hypervisor exec\\r"', 'expect "refused: SHA-256 of this segment"'],
    ],
  });
  if (!planted.console.includes("segment hypervisor") || planted.console.includes("launch")) {
    failures.push("the second stage launched what was wrong");
  }
  // In memory when the second stage refused: the first wrong byte by the manifest's file.
  const end = await replayedTo(context, planted, planted.run.lastInstant);
  const first = firstWrong(end, kernel.address, file);
  if (first !== PLANTED_AT) failures.push(`the first wrong byte is ${first}, not ${PLANTED_AT}`);
  const place = kernel.address + first;
  // Since when it is wrong: the step of the copy that stored it.
  const text = `memory(0x${place.toString(16)}, 1) == ${wrong}`;
  const settled = `memory(0x${(place - 1).toString(16)}, 1) == ${file[first - 1]}`;
  const found = bisect(
    planted.run,
    planted.images,
    compileTraced(`${text} && ${settled}`),
    context.machineOptions(),
  );
  const figures: Record<string, string | number> = {
    "copies of the page": copies.length,
    "first wrong byte": `0x${place.toString(16)}`,
  };
  if (found.kind !== "found") return { failures: [...failures, `bisect finds ${found.kind}`], figures };
  const step = found.events.findLast((event) => event.kind === "stepRetired");
  const reboot = storedCalls(planted).rebootAt;
  if (found.instant <= reboot) failures.push(`bisect finds instant ${found.instant}, before the copy`);
  if (step?.kind !== "stepRetired" || !step.memory.some(({ write }) => write)) {
    failures.push("bisect finds a step that stores nothing");
  } else {
    figures["copied by the step at"] = found.instant - 1;
    figures["opcode"] = `0x${step.opcode.toString(16)}`;
  }
  failures.push(...await context.replayOn(planted, ["threaded", "compiled"]));
  return { failures, figures };
}
