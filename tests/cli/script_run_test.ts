/** Tests of carrying a script out. */
import { assertEquals } from "@std/assert";
import { parseScript } from "../../cli/script.ts";
import { ScriptRun } from "../../cli/script_run.ts";

/** Feeds output; the number of bytes after each of which the machine is to stop. */
function feed(run: ScriptRun, output: string): number[] {
  const stops: number[] = [];
  for (const [index, byte] of new TextEncoder().encode(output).entries()) {
    if (run.consoleByte(byte)) stops.push(index + 1);
  }
  return stops;
}

function sent(run: ScriptRun, instant: number): string[] {
  return run.takeDue(instant).map(({ input, place }) =>
    `${place} ${input.kind === "consoleReceived" ? new TextDecoder().decode(input.bytes) : input.kind}`
  );
}

const script = (text: string) => parseScript(text, "s");

Deno.test("ScriptRun makes what follows an expect due at the byte that completes it", () => {
  const run = new ScriptRun(script('send "a"\nexpect "> "\nsend "b"\nsend "c"\nexpect "> "\nsend "d"'));
  assertEquals(sent(run, 0), ["s:1 a"]);
  assertEquals(feed(run, "hi> "), [4]);
  assertEquals(sent(run, 9), ["s:3 b", "s:4 c"]);
  assertEquals(feed(run, ">"), []);
  assertEquals(sent(run, 10), []);
  assertEquals(run.unfinished, 's:5: "> " never came');
  assertEquals(feed(run, " "), [1]);
  assertEquals(sent(run, 11), ["s:6 d"]);
  assertEquals(run.unfinished, undefined);
});

Deno.test("ScriptRun counts output behind a match for the next expect, even within one step", () => {
  const run = new ScriptRun(script('expect "ab"\nsend "1"\nexpect "bc"\nsend "2"'));
  assertEquals(feed(run, "abc"), [2]);
  assertEquals(sent(run, 5), ["s:2 1"]);
  assertEquals(feed(run, "bc"), [2]);
  assertEquals(sent(run, 6), ["s:4 2"]);
});

Deno.test("ScriptRun delivers what has an instant at it, whatever is waited for", () => {
  const run = new ScriptRun(script('expect "x"\nsend "1"\nat 7 power cut\nat 3 inject irq 40'));
  assertEquals(run.nextInstant, 3);
  assertEquals(sent(run, 2), []);
  assertEquals(sent(run, 3), ["s:4 interruptInjected"]);
  assertEquals(run.nextInstant, 7);
  feed(run, "x");
  assertEquals(sent(run, 7), ["s:2 1", "s:3 powerCut"]);
  assertEquals(run.nextInstant, Infinity);
});

Deno.test("ScriptRun looks for the text that ends the run behind the script's last expect", () => {
  const run = new ScriptRun(script('expect "> "\nsend "x"'), "> ");
  assertEquals(feed(run, "> "), [2]);
  assertEquals(run.isEnded, false);
  assertEquals(run.unfinished, "s:2: the input could not be delivered");
  sent(run, 1);
  assertEquals(run.unfinished, '--until-console: "> " never came');
  assertEquals(feed(run, "> > "), [2]);
  assertEquals([run.isEnded, run.unfinished], [true, undefined]);
});

Deno.test("ScriptRun names the first line that was not reached", () => {
  const run = new ScriptRun(script("at 100 power cut"));
  assertEquals(run.unfinished, "s:1: instant 100 was not reached");
});
