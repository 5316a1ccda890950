/** Rewinding: screens as they were, made of what was written, equal those of the machine there; texts lead to their instants. */
import { ConsoleHistory, LINE } from "../../console_history.ts";
import { echoGuest } from "../../../firmware/serial_consoles/echo_guest.ts";
import { serialConsolesOf } from "../../../hypervisor/systems/serial_consoles/system.ts";
import { Replay } from "../../../journal/replay.ts";
import { Timeline } from "../../../journal/timeline.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { differences, normalGrid } from "./tmux.ts";

const SEED = 1066;
/** Words that are typed, and so printed, now and then. */
const WORDS = ["alpha", "golf", "hotel", "india"];

function record(context: CheckContext): Promise<Recorded> {
  const random = seeded(SEED), lines: string[] = [];
  let at = 60_000;
  for (let round = 0; round < 40; round++) {
    const word = WORDS[random.next().value % WORDS.length] as string, key = 1 + random.next().value % 3;
    lines.push(`at ${at} send ${JSON.stringify(`\x07\x022 ${round}${word}\r\n\x07\x02${key}`)}`);
    at += 20_000 + random.next().value % 10_000;
  }
  lines.push(`at ${at} send ${JSON.stringify("\x07\x022q")}`);
  return context.record({
    name: "rewind",
    options: ["-M", "virt,uart1=on", "-m", "64M", "-kernel", "echo", "--monitor", "el2:serial-consoles"],
    files: { echo: echoGuest(true).bytes },
    script: lines,
  });
}

/** The check. */
export async function checkRewind(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await record(context), { run, images } = recorded, failures: string[] = [];
  const replay = new Replay(run, images, context.machineOptions()),
    history = new ConsoleHistory(replay.machine);
  replay.runToEnd();
  const timeline = new Timeline(run, images, { ...context.machineOptions(), spacing: 2 ** 17 });
  const system = serialConsolesOf(timeline.machine.board.monitors)!;
  const random = seeded(SEED), screens = context.all ? 500 : 40;
  const starts = history.lineStarts("log").concat(history.lineStarts("shell"));
  for (let at = 0; at < screens; at++) {
    // Every other instant is that of a step that writes.
    const drawn = random.next().value;
    const instant = at % 2 === 0 ? drawn % run.lastInstant : starts[drawn % starts.length] as number;
    timeline.seek(instant);
    for (const name of ["shell", "log"] as const) {
      const made = normalGrid(history.at(name, instant).screen.grid);
      const there = normalGrid(system.console(name).terminal.screen.grid);
      failures.push(...differences(made, there).map((line) => `${name} at ${instant}: ${line}`));
    }
    const line = normalGrid(history.at(LINE, instant).screen.grid), shown = normalGrid(system.painter.shown);
    failures.push(...differences(line, shown).map((text) => `the line at ${instant}: ${text}`));
    await context.breathe();
  }
  let places = 0;
  for (const word of WORDS) {
    for (const { instant, text } of history.search("shell", word)) {
      places++;
      timeline.seek(instant);
      const before = system.console("shell").written;
      const [written] = timeline.events(instant, instant + 1).filter(({ kind }) => kind === "deviceWritten");
      timeline.seek(instant + 1);
      const { device, value } = (written ?? {}) as { device?: string; value?: bigint };
      const isRight = device === "vuart0" && value === BigInt(word.charCodeAt(0)) &&
        system.console("shell").written === before + 1;
      if (!isRight) failures.push(`"${text}" was not printed at instant ${instant}: ${device} ${value}`);
    }
  }
  if (places < 40) failures.push(`${places} places found of 40 typed`);
  return { failures: failures.slice(0, 10), figures: { screens: 3 * screens, places, seed: SEED } };
}
