/**
 * The demo: records a small two-CPU guest twice, the second time with one CPU switch injected, replays and diffs the
 * two, and bisects to the step that lost an increment. Needs nothing but this project.
 */
import { createHash } from "node:crypto";
import { COUNTER_GUEST_BASE, COUNTER_GUEST_SOURCE } from "../firmware/counter_guest.ts";
import { bisect } from "../journal/bisect.ts";
import { diff } from "../journal/diff.ts";
import { eventStream } from "../journal/event_stream.ts";
import { JournalReader, JournalWriter } from "../journal/file.ts";
import { appendImages } from "../journal/images.ts";
import type { RunEnd } from "../journal/payloads.ts";
import { compileTraced } from "../journal/predicate.ts";
import { Recorder } from "../journal/recorder.ts";
import { Replay } from "../journal/replay.ts";
import { RecordedRun } from "../journal/run.ts";
import { MemoryFile } from "../journal/storage.ts";
import { disassemble } from "../machine/a64/assembly.ts";
import { assembleProgram, type Program } from "../machine/a64/program.ts";
import { parseConfiguration } from "../machine/configuration.ts";
import type { EventOf, Input, MachineEvent } from "../machine/events.ts";
import type { MachineImages } from "../machine/compose.ts";

const FILES = { right: "demo-right.hindsight", wrong: "demo-wrong.hindsight" };

/** Text in colours, on a terminal that wants them. */
const colours = Deno.stdout.isTerminal() && !Deno.noColor;
const paint = (code: number) => (text: string): string => colours ? `\x1b[${code}m${text}\x1b[0m` : text;
const bold = paint(1),
  dim = paint(2),
  red = paint(31),
  green = paint(32),
  yellow = paint(33),
  cyan = paint(36);

const number = (value: number): string => value.toLocaleString("en");
const hex = (value: bigint): string => `0x${value.toString(16)}`;
const short = (root: Uint8Array): string => `${root.toHex().slice(0, 16)}…`;

/** One recorded run, with what it printed. */
interface Recording {
  readonly name: keyof typeof FILES;
  readonly file: MemoryFile;
  readonly run: RecordedRun;
  readonly end: RunEnd;
  readonly console: string;
  readonly milliseconds: number;
}

/** Records the guest; `inject` is delivered at its instant. */
function record(
  name: keyof typeof FILES,
  images: MachineImages,
  configuration: Recorder["manifest"]["configuration"],
  inject?: { readonly instant: number; readonly input: Input },
): Recording {
  const started = performance.now();
  const file = new MemoryFile();
  const writer = new JournalWriter(file);
  const recorder = new Recorder({ configuration, depth: "traps", recordedBy: "demo" }, images, writer);
  appendImages(writer, images);
  let text = "";
  recorder.machine.board.transmitted = (byte) => (text += String.fromCharCode(byte));
  if (inject !== undefined) {
    recorder.run(inject.instant);
    recorder.submit(inject.input);
  }
  const stop = recorder.run(10_000_000);
  if (stop.reason !== "poweredOff") throw new Error(`The guest did not power off: ${stop.reason}`);
  const end = recorder.finish("poweredOff", stop.exitCode);
  const milliseconds = performance.now() - started;
  const run = new RecordedRun(JournalReader.open(file));
  return { name, file, run, end, console: text.trim().split("\r\n").at(-1) ?? "", milliseconds };
}

/** The steps of an interval. */
function steps(run: RecordedRun, images: MachineImages, from: number, to: number): EventOf<"stepRetired">[] {
  return [...eventStream(run, images, { from, to, classes: ["step"] })] as EventOf<"stepRetired">[];
}

/** An event as a line: where, and what; steps with their instruction. */
function line(event: MachineEvent | undefined): string {
  if (event === undefined) return dim("(nothing more)");
  const where = `instant ${number(event.instant)}  cpu${event.cpu}  `;
  if (event.kind === "stepRetired") {
    return `${where}${hex(event.pc)}  ${cyan(disassemble(event.opcode, event.pc))}`;
  }
  const { kind, instant: _instant, cpu: _cpu, index: _index, ...fields } = event;
  const shown = Object.entries(fields).map(([key, value]) =>
    `${key} ${typeof value === "bigint" ? hex(value) : String(value)}`
  );
  return `${where}${yellow(kind)}  ${dim(shown.join(", "))}`;
}

/** Two lanes, one for each CPU, a column for each step. */
function timeline(window: readonly EventOf<"stepRetired">[], symbols: ReadonlyMap<string, bigint>): string {
  const marks = new Map(
    [["load0", "L"], ["load1", "L"], ["store0", "S"], ["store1", "S"]].map(([name, mark]) => [
      symbols.get(name as string),
      mark as string,
    ]),
  );
  const lane = (cpu: number) =>
    window.map((step) => step.cpu !== cpu ? dim("·") : bold(marks.get(step.pc) ?? "-")).join("");
  return [`cpu0 ${lane(0)}`, `cpu1 ${lane(1)}`].map((text) => `     ${text}`).join("\n");
}

/** The instant after cpu1 loads the counter for the 500th time. */
function afterLoad(recording: Recording, images: MachineImages, program: Program): number {
  const load = program.symbols.get("load1");
  let seen = 0;
  for (const step of steps(recording.run, images, 0, recording.end.instant)) {
    if (step.cpu === 1 && step.pc === load && ++seen === 500) return step.instant + 1;
  }
  throw new Error("The guest's second CPU never got that far");
}

function heading(text: string): void {
  console.log(`\n${bold(text)}`);
}

function showReplay({ name, run, end }: Recording, images: MachineImages): void {
  const replay = new Replay(run, images);
  const replayed = replay.runToEnd();
  const same = replayed !== undefined && replay.rootsChecked > 0;
  console.log(
    `   ${name.padEnd(6)} recorded ${short(end.stateRoot)}  replayed ${
      short(replay.machine.stateRoot().root)
    }  ` +
      (same ? green("equal") : red("different")),
  );
}

function showDiff(right: Recording, wrong: Recording, images: MachineImages): void {
  const found = diff({ run: right.run, images }, { run: wrong.run, images });
  if (found.kind !== "divergent") throw new Error("The two runs do not differ");
  console.log(`   both    ${line(found.sides[0].before.at(-1))}`);
  for (const [side, { name }] of [right, wrong].entries()) {
    for (const event of found.sides[side as 0 | 1].after.slice(0, 3)) {
      console.log(`   ${name.padEnd(7)} ${line(event)}`);
    }
  }
}

function showBisect(wrong: Recording, images: MachineImages, program: Program, injected: number): void {
  const address = (name: string) => hex(program.symbols.get(name) ?? 0n);
  const expression = `memory(${address("counter")}, 8) < memory(${address("tally0")}, 8) + memory(${
    address("tally1")
  }, 8)`;
  console.log(`   ${dim("when")} ${expression}`);
  const found = bisect(wrong.run, images, compileTraced(expression));
  if (found.kind !== "found") throw new Error("The counter never went wrong");
  const window = steps(wrong.run, images, injected - 6, found.instant + 6);
  console.log(
    `   watching what it reads, after ${found.effort.looks} looks: true from instant ${
      number(found.instant)
    } on; the step that made it so:`,
  );
  console.log(`           ${line(found.events.at(-1))}`);
  console.log(`\n${timeline(window, program.symbols)}`);
  console.log(
    dim(`     L loads the counter, S stores it, - anything else; from instant ${number(injected - 6)} on.`),
  );
  console.log(
    dim(`     cpu1 loaded, was switched away, and stored what it had: cpu0's increment in between is lost.`),
  );
}

/** Runs the demo; leaves two journals that the other commands can open. */
export function demo(): void {
  const started = performance.now();
  const program = assembleProgram(COUNTER_GUEST_SOURCE, { name: "counter_guest", base: COUNTER_GUEST_BASE });
  const kernel = program.bytes;
  const sha256 = createHash("sha256").update(kernel).digest("hex");
  const images: MachineImages = new Map([[sha256, kernel]]);
  const reference = { sha256, size: kernel.length, name: "counter_guest" };
  const configuration = parseConfiguration({ cpus: 2, boot: { kernel: reference } });

  console.log(bold("Hindsight: two CPUs, one counter, one lost increment"));
  heading("1. Record a guest, and record it again with one CPU switch injected");
  const right = record("right", images, configuration);
  const instant = afterLoad(right, images, program);
  const wrong = record("wrong", images, configuration, {
    instant,
    input: { kind: "cpuSwitchForced", target: 0 },
  });
  for (const { name, console: text, end, milliseconds, file } of [right, wrong]) {
    const colour = name === "right" ? green : red;
    console.log(
      `   ${name.padEnd(6)} ${colour(text)}  ${
        dim(`${number(end.instant)} steps, ${milliseconds.toFixed(0)} ms, ${number(file.size)} bytes`)
      }`,
    );
  }
  heading("2. Replay both: the state they end in");
  for (const recording of [right, wrong]) showReplay(recording, images);
  heading("3. Diff: the first event that differs");
  showDiff(right, wrong, images);
  heading("4. Bisect: since when do the books not balance?");
  showBisect(wrong, images, program, instant);
  heading("Now look around yourself");
  for (const { name, file } of [right, wrong]) Deno.writeFileSync(FILES[name], file.bytes);
  console.log(`   deno task hindsight diff ${FILES.right} ${FILES.wrong}`);
  console.log(`   deno task hindsight events ${FILES.wrong} --kind exceptionTaken`);
  console.log(`   deno task hindsight state ${FILES.wrong} --at ${instant}`);
  console.log(dim(`\n${((performance.now() - started) / 1000).toFixed(1)} s in all`));
}

if (import.meta.main) demo();
