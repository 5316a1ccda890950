/** The debug adapter at a boot of Linux with two CPUs, and 100,000 malformed messages. */
import { symbolsIn } from "../../cli/host/symbol_files.ts";
import type { DapSession } from "../../cli/dap/session.ts";
import { hindsight } from "../boots/hindsight.ts";
import { fractions, fuzzSessions } from "../cli/dap/fuzz.ts";
import { Client, recorded } from "../cli/dap/support.ts";
import { SEED } from "../journal/support.ts";
import { openTimeline } from "./open.ts";
import type { Row, RowContext } from "./row.ts";

const GUEST = ".guests/linux-cloud";
const SCRIPT =
  'expect "hindsight: shell"\nexpect "# "\nsend "busybox nproc\\r"\nexpect "# "\nsend "poweroff -f\\r"\n';

/** Malformed messages of the fuzzer. */
const MESSAGES = 100_000;

const LOOP = `
start:  mov     x0, #5
loop:   sub     x0, x0, #1
        adr     x1, cell
        str     x0, [x1]
        cbnz    x0, loop
        ldr     x0, =0x84000008
        hvc     #0
        .ltorg
cell:   .quad   0
`;

async function recordBoot(folder: string): Promise<string> {
  const run = `${folder}/linux.hindsight`, script = `${folder}/script`;
  await Deno.writeTextFile(script, SCRIPT);
  const machine = ["-kernel", `${GUEST}/Image`, "-initrd", `${GUEST}/initrd.gz`, "-smp", "2", "-m", "512M"];
  const append = ["-no-reboot", "-append", "console=ttyAMA0 panic=-1 nokaslr"];
  await hindsight(["record", ...machine, ...append, "--script", script, "-o", run]);
  return run;
}

function onLinux(path: string, { tell, check }: RowContext): void {
  const timeline = openTimeline(path), symbols = symbolsIn([`${GUEST}/Image`]);
  const client = new Client(() => ({ timeline, symbols, greeting: "" }), () => performance.now()).launch(
    "start_kernel",
  );
  const timed = (what: string, command: string, args?: object): ReturnType<Client["go"]> => {
    const started = performance.now(), stopped = client.go(command, args);
    tell(
      `${what.padEnd(42)} ${
        ((performance.now() - started) / 1000).toFixed(2)
      } s, at instant ${client.instant}`,
    );
    return stopped;
  };
  check("stopAt names a function", client.stack()[0] === "start_kernel", client.stack().join());

  client.ask("setFunctionBreakpoints", { breakpoints: [{ name: "do_sys_openat2" }] });
  const { threadId } = timed("continue to a breakpoint", "continue");
  const opening = client.stack(threadId);
  check(
    "the stack leads to the vectors",
    opening.some((name) => name.startsWith("el0t_64_sync")),
    opening.join(),
  );
  client.ask("setFunctionBreakpoints", { breakpoints: [] });

  const { dataId } = client.ask("dataBreakpointInfo", { name: "jiffies_64" });
  client.ask("setDataBreakpoints", { breakpoints: [{ dataId }] });
  const jiffies = (): bigint => BigInt(client.evaluate('load(symbol("jiffies_64"), 8)').split(" ")[0]!);
  const tick = timed("continue to a write", "continue");
  const ticks = jiffies(), ticking = client.stack(tick.threadId);
  check("the tick writes jiffies", ticking.some((name) => name.startsWith("tick_")), ticking.join());
  timed("back to before it", "reverseContinue");
  check("the value before is seen", jiffies() === ticks - 1n, `${jiffies()}, ${ticks}`);
  timed("back to the write before", "reverseContinue");
  check("and that before", jiffies() === ticks - 2n, `${jiffies()}, ${ticks}`);
  client.ask("setDataBreakpoints", { breakpoints: [] });

  client.ask("setExceptionBreakpoints", { filters: ["dataAbort"] });
  const abort = timed("on to a data abort", "continue");
  check("its syndrome is told", /ESR 0x9[0-9a-f]+/.test(abort.text ?? ""), abort.text);
  timed("back to before it", "reverseContinue");
  timed("one step on", "stepIn", { threadId: abort.threadId });
  const [vector] = client.stack(abort.threadId);
  check("the step takes it", vector?.startsWith("vectors") === true, vector);
  client.ask("setExceptionBreakpoints", { filters: [] });

  timed("to the end", "continue");
  const root = timeline.run.end?.stateRoot.toHex() ?? "none";
  check("the root at the end is the recorded one", client.evaluate("root", "repl").includes(root));
  timed("100 M steps back", "hindsight/seek", { instant: client.instant - 100_000_000 });
}

async function run(context: RowContext): Promise<void> {
  onLinux(await recordBoot(context.folder), context);
  const opened = recorded(LOOP)(), clients: Client[] = [];
  const begin = (): DapSession => {
    // What is no longer of use is forgotten once it was looked at.
    for (const { received } of clients.splice(0)) {
      const defects = received.filter((message) => JSON.stringify(message).includes("defect of Hindsight"));
      for (const defect of defects) context.check("no message finds a defect", false, JSON.stringify(defect));
    }
    clients.push(new Client(() => opened).launch());
    return clients[0]!.session;
  };
  const { closed } = fuzzSessions(MESSAGES, fractions(SEED), begin);
  context.tell(`${MESSAGES} messages, seed ${SEED}: ${closed} sessions closed, the others went on`);
}

/** The row. */
export const debugAdapter: Row = {
  name: "dap",
  question: "Does an editor find its way through a boot of Linux, and does no message end its adapter?",
  isQuick: true,
  run,
};
