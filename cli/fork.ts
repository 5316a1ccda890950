/** `hindsight fork`: another future for a recorded run. */
import { fork as forkRun } from "../journal/fork.ts";
import type { InputEvent } from "../machine/events.ts";
import { inputOf } from "../journal/replay.ts";
import { type Command, IMAGE_OPTIONS } from "./command.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { UsageError } from "./errors.ts";
import { FileSink } from "./host/file_sink.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { drive } from "./host/record_driver.ts";
import { endTextOf, exitCodeOf, reportEnd, SCRIPT_HELP, scriptOf } from "./machine_options.ts";
import { type OptionRow, type Options, refuseOutside } from "./options.ts";
import { parseAction, type Script, type TimedInput } from "./script.ts";
import { ScriptRun } from "./script_run.ts";
import { bytesText, counted, grouped } from "./text.ts";

// deno-fmt-ignore
const OPTIONS: readonly OptionRow[] = [
  { name: "at",            value: "N",      help: "the instant from which on the run is another" },
  { name: "do",            value: "ACTION", help: "what is done there, an action of scripts (see below); any number, in order", repeats: true },
  { name: "drop-inputs",                    help: "leave out what the run was given from there on; otherwise it comes at its instants again" },
  { name: "script",        value: "FILE",   help: "what is typed and waited for from there on (see below)" },
  { name: "until-console", value: "TEXT",   help: "end when the console writes this, after the script's last line" },
  { name: "until",         value: "N",      help: "end at this instant" },
  { name: "no-reboot",                      help: "a reset ends the run" },
  { name: "output", aliases: ["o"], value: "FILE", help: "the journal to write; an earlier one of that name is kept under FILE~" },
];

const DETAILS =
  `Nothing changes a run that was recorded; a fork is a run of its own. Its journal begins with the blocks of RUN up
to the last root at or before N, byte for byte, so that both share one chain of hashes up to there: \`diff\` finds
at once what they have in common, and the fork is replayed, verified and forked as any run.

Edits are inputs, delivered at the step boundary of instant N behind those that RUN has there: patch memory and
registers, inject an interrupt, force a CPU switch, type. What RUN was given later comes again at its instants (or
as soon as the machine would wait for ever); what the machine refuses then is told and left out.
The exit code is the guest's, as with \`record\`.

${SCRIPT_HELP}`;

/** What a run was given, as lines of a script that may be left out. */
export function repeatedInputs(inputs: readonly InputEvent[], name: string): TimedInput[] {
  return inputs.map((event, index) => ({
    line: 0,
    instant: event.instant,
    input: inputOf(event),
    repeated: {
      place: `input ${index + 1} of "${name}" (${event.kind} at instant ${grouped(event.instant)})`,
      virtualTime: event.virtualTime,
    },
  }));
}

/** All that the fork is given: the run's later inputs, the edits, and the script, by instant. */
function scriptFor(options: Options, at: number, repeated: readonly TimedInput[]): Script {
  const own = scriptOf(options);
  const edits = options.texts("do").map((text, index): TimedInput => {
    try {
      return { line: index + 1, instant: at, input: parseAction(text) };
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(`--do ${JSON.stringify(text)}: ${error.message}`);
      throw error;
    }
  });
  for (const { line, instant } of own?.timed ?? []) {
    if (instant < at) {
      throw new UsageError(`${own!.name}:${line}: instant ${instant} is before the fork at ${at}`);
    }
  }
  const isHere = ({ instant }: TimedInput): boolean => instant === at;
  const timed = [
    ...repeated.filter(isHere),
    ...edits,
    ...[...repeated.filter((input) => !isHere(input)), ...own?.timed ?? []]
      .sort((a, b) => a.instant - b.instant),
  ];
  return { name: own?.name ?? "--do", statements: own?.statements ?? [], timed };
}

async function run(options: Options, host: Host): Promise<number> {
  const output = options.text("output"), at = options.number("at");
  if (at === undefined) throw new UsageError("fork needs an instant: --at N");
  if (output === undefined) throw new UsageError("fork needs a journal to write: -o FILE");
  scriptFor(options, at, []);
  const endText = endTextOf(options), until = options.number("until");
  if (until !== undefined && until < at) throw new UsageError(`--until ${until} is before the fork at ${at}`);
  const path = options.others[0]!, opened = openRun(path, host);
  refuseOutside("--at", at, opened.run);
  const progress = new Progress(host, "replaying");
  const { recorder, laterInputs, sharedRoot, sharedBlocks, writer } = forkRun(
    opened.run,
    imagesOf(opened, options),
    at,
    new FileSink(output),
    { ...engineOf(options), progress: (instant) => progress.update(instant, at) },
  );
  progress.clear();
  const repeated = options.isOn("drop-inputs") ? [] : repeatedInputs(laterInputs, path);
  const readsInput = options.text("script") === undefined && host.stdin.isTerminal && repeated.length === 0;
  const driven = await drive({
    recorder,
    script: new ScriptRun(scriptFor(options, at, repeated), endText),
    host,
    show: options.isOn("json") ? () => {} : (bytes) => host.stdout.write(bytes),
    until,
    readsInput,
    isPaced: readsInput,
    endsAtReset: options.isOn("no-reboot"),
  });
  if (!options.isOn("json")) {
    const shared = sharedRoot === undefined ? "the beginning" : `instant ${grouped(sharedRoot.instant)}`;
    host.stderr.write(
      `hindsight: forked at instant ${grouped(at)}; shares ${
        counted(sharedBlocks, "block")
      } with "${path}", ` +
        `up to ${shared}\n`,
    );
  }
  const bytes = writer.byteLength;
  reportEnd(driven, { path: output, text: `"${output}" has ${bytesText(bytes)}`, bytes }, options, host);
  return exitCodeOf(driven);
}

/** The command. */
export const fork: Command = {
  operands: ["RUN"],
  details: DETAILS,
  examples: [
    "deno task hindsight fork u.hindsight --at 1000000 --do 'set cpu0 x0 0' -o other.hindsight",
    "deno task hindsight fork u.hindsight --at 1000000 --do 'poke 0x41000000 0xd503201f' --until 2000000 -o o.hindsight",
  ],
  options: [...OPTIONS, ...ENGINE_OPTIONS, ...IMAGE_OPTIONS],
  run,
};
