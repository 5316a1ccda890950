/** The echo guest: random bytes among random key sequences reach the console they are for, each once, on every engine. */
import { ECHO_GUEST_GREETING, echoGuest } from "../../../firmware/serial_consoles/echo_guest.ts";
import { serialConsolesOf } from "../../../hypervisor/systems/serial_consoles/system.ts";
import { Replay } from "../../../journal/replay.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";

const SEED = 9;
/** Bytes that the guest echoes and nothing else. */
const PLAIN = "acdefghijklmnoprtuvwz0123456789 \x07\x02?\xc3\xa9";

/** What is typed in pieces, and what of it is for the first port. */
interface Plan {
  readonly lines: string[];
  readonly echoed: number[];
  readonly switches: number;
}

const hexText = (bytes: readonly number[]): string => bytes.map((byte) => String.fromCharCode(byte)).join("");

/** Draws pieces: text, switches, prefixes twice, prefixes left alone; all bytes below 0x80, as scripts have texts. */
function plan(count: number): Plan {
  const random = seeded(SEED), draw = (bound: number): number => random.next().value % bound;
  const lines: string[] = [], echoed: number[] = [];
  let shown = "2", at = 60_000, switches = 0;
  const type = (text: string, passed: string): void => {
    lines.push(`at ${at} send ${JSON.stringify(text)}`);
    if (shown === "2") echoed.push(...[...passed].map((character) => character.charCodeAt(0)));
    at += 2000 + draw(20_000);
  };
  const letters = [...PLAIN].filter((character) =>
    character.charCodeAt(0) < 0x80 && !"\x07\x02?".includes(character)
  );
  const text = (): string =>
    Array.from({ length: 1 + draw(40) }, () => letters[draw(letters.length)]).join("");
  for (let piece = 0; piece < count; piece++) {
    const kind = draw(8), words = text();
    if (kind < 3) type(words, words);
    else if (kind === 3) type(`\x07\x02\x07\x02${words}`, `\x07\x02${words}`);
    else if (kind === 4) type(`\x07\x07${words}\x07\x02z`, `\x07\x07${words}\x07\x02z`);
    else if (kind === 5) {
      // A prefix that nothing follows goes through when its time is over.
      type("\x07\x02", "\x07\x02");
      at += 200_000;
    } else {
      const to = ["1", "2", "3"][draw(3)] as string;
      switches++;
      lines.push(`at ${at} send ${JSON.stringify(`\x07\x02${to}`)}`);
      shown = to;
      at += 2000;
    }
  }
  lines.push(`at ${at} send ${JSON.stringify("\x07\x022")}`, `at ${at + 5000} send "q"`);
  return { lines, echoed: [...echoed, 0x71], switches: switches + 1 };
}

/** The check. */
export async function checkBytes(context: CheckContext): Promise<CheckOutcome> {
  const { lines, echoed, switches } = plan(context.all ? 2000 : 80), failures: string[] = [];
  const recorded = await context.record({
    name: "echo",
    options: [
      ...["-M", "virt,uart1=on", "-m", "64M", "-kernel", "echo"],
      ...["--monitor", "el2:serial-consoles,timeout=1"],
    ],
    files: { echo: echoGuest(true).bytes },
    script: lines,
  });
  const replay = new Replay(recorded.run, recorded.images, context.machineOptions());
  const written: Record<string, number[]> = { shell: [], log: [] };
  const system = serialConsolesOf(replay.machine.board.monitors)!;
  system.watcher = { written: (console, byte) => void written[console]?.push(byte) };
  replay.runToEnd();
  const wanted = ECHO_GUEST_GREETING + hexText(echoed),
    told = echoed.map((byte) => byte.toString(16).padStart(2, "0") + " ");
  if (hexText(written["shell"]!) !== wanted) {
    failures.push(
      `the first port wrote ${JSON.stringify(hexText(written["shell"]!).slice(-200))}, not ${
        JSON.stringify(wanted.slice(-200))
      }`,
    );
  }
  if (hexText(written["log"]!).trim() !== told.join("").trim()) {
    failures.push(`the second port told of ${JSON.stringify(hexText(written["log"]!).slice(-200))}`);
  }
  failures.push(...await context.replayOn(recorded, ["reference", "threaded", "compiled"]));
  return { failures, figures: { "bytes echoed once": echoed.length, switches, seed: SEED } };
}
