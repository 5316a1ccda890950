/** Takes gdb through a Linux boot of two CPUs, and malformed packets by the hundred thousand. */
import { silentHost } from "../../cli/host/silent_host.ts";
import { openRun } from "../../cli/host/open_run.ts";
import { hindsight, scriptText } from "../boots/hindsight.ts";
import { fuzzSessions } from "../cli/gdb/fuzz.ts";
import { Client, counterClient, counterRun } from "../cli/gdb/support.ts";
import { SEED, seededRandom } from "../journal/support.ts";
import { gdbTranscript, hasGdb, pipeTo } from "./gdb_process.ts";
import type { Row, RowContext } from "./row.ts";

const GUEST = ".guests/linux-cloud";
const MALFORMED = 100_000;

const STEPS = [
  { expect: "hindsight: shell" },
  { expect: "# " },
  { send: "busybox nproc\r" },
  { expect: "# " },
  { send: "poweroff -f\r" },
];

/** What is typed, and what has to come of it. */
// deno-fmt-ignore
const SESSION: readonly (readonly [what: string, command: string, answer: RegExp])[] = [
  ["break at start_kernel",             "break start_kernel",            /^Breakpoint 1 at 0xffff/],
  ["",                                  "continue",                      /cpu0.*hit Breakpoint 1, .* in start_kernel \(\)/],
  ["continue to a later symbol",        "tbreak rest_init",              /Temporary breakpoint 2/],
  ["",                                  "continue",                      /hit Temporary breakpoint 2, .* in rest_init \(\)/],
  ["watch a variable",                  "watch *(int*)&system_state",    /^Hardware watchpoint 3/],
  ["",                                  "continue",                      /Old value = 0\nNew value = 1\n.* in rest_init \(\)/],
  ["",                                  "continue",                      /Old value = 1\nNew value = 2\n.* in kernel_init \(\)/],
  ["",                                  "print $instant > 500000000",    /= 1$/],
  ["reverse-continue to its writer",    "reverse-continue",              /Old value = 2\nNew value = 1\n.* in kernel_init \(\)/],
  ["",                                  "reverse-continue",              /Old value = 1\nNew value = 0\n.* in rest_init \(\)/],
  ["",                                  "print *(int*)&system_state",    /= 0$/],
  ["",                                  "delete",                        /^$/],
  ["reverse-step over an exception",    "break *(&vectors+0x280)",       /^Breakpoint 4/],
  ["",                                  "continue",                      /hit Breakpoint 4, .* in vectors \(\)/],
  ["",                                  "print $ELR_EL1",                /^\$\d+ = /],
  ["",                                  "reverse-stepi",                 /^0xffff/m],
  ["",                                  "print $pc == $",                /^\$\d+ = 1$/],
  ["",                                  "delete",                        /^$/],
  ["switch CPU",                        "break secondary_start_kernel",  /^Breakpoint 5/],
  ["",                                  "continue",                      /cpu1.*hit Breakpoint 5, .* in secondary_start_kernel \(\)/],
  ["",                                  "thread 1",                      /Switching to thread 1/],
  ["",                                  "reverse-stepi",                 /^0xffff(?!.*Switching)/m],
  ["",                                  "thread 2",                      /Switching to thread 2/],
  ["",                                  "stepi",                         /^0x/m],
  ["",                                  "delete",                        /^$/],
  ["continue to the end",               "continue",                      /No more reverse-execution history/],
  ["the same root there",               "monitor root",                  /^state root [0-9a-f]{64}/],
];

/** Records the boot; the journal's path. */
async function recordBoot(folder: string): Promise<string> {
  const run = `${folder}/linux.hindsight`, script = `${folder}/script`;
  await Deno.writeTextFile(script, scriptText(STEPS));
  const machine = ["-kernel", `${GUEST}/Image`, "-initrd", `${GUEST}/initrd.gz`, "-smp", "2", "-m", "512M"];
  const append = ["-append", "console=ttyAMA0 panic=-1 nokaslr", "-no-reboot"];
  await hindsight(["record", ...machine, ...append, "--script", script, "-o", run]);
  return run;
}

async function run({ folder, tell, check }: RowContext): Promise<void> {
  if (!hasGdb()) return tell("gdb-multiarch is not installed");
  const run = await recordBoot(folder), elf = `${folder}/linux.elf`;
  const names = ["--symbols", `${GUEST}/Image`, "--elf", elf];
  // gdb reads the names before it starts the server: here they are written, for a client that goes at once.
  await hindsight(["gdb", run, "--stdio", ...names]);
  const commands = SESSION.map(([, command]) => command);
  const [, ...answers] = await gdbTranscript(pipeTo(run, ...names), elf, commands);
  for (const [index, [what, command, wanted]] of SESSION.entries()) {
    const answer = answers[index]!;
    if (what !== "") tell(what);
    tell(`  (gdb) ${command}`);
    for (const line of answer.split("\n").filter((line) => line !== "")) tell(`  ${line.slice(0, 100)}`);
    check(command, wanted.test(answer), answer);
  }
  const root = openRun(run, silentHost).run.end!.stateRoot.toHex();
  check("the root at the end is the recorded one", answers.at(-1)!.includes(root), root);
}

/** A session on Linux: forward, back to a variable's writer, over an exception, on the other CPU, to the end. */
export const gdbOnLinux: Row = {
  name: "gdb",
  question: "does gdb go forward and back in a boot of Linux, with its names?",
  isQuick: true,
  run,
};

/** Malformed packets, at a session each that survives or closes. */
export const gdbFuzz: Row = {
  name: "gdb-fuzz",
  question: `do sessions of gdb survive ${MALFORMED} malformed packets?`,
  isQuick: true,
  run({ tell, check }) {
    const { target } = counterClient().session;
    const { closed } = fuzzSessions(MALFORMED, seededRandom(SEED), () => new Client(target));
    tell(`seed ${SEED}: ${closed} sessions closed, the others went on`);
    new Client(target).ask("c");
    const root = target.machine.stateRoot().root.toHex(), { end } = counterRun();
    check("the run is what it was", root === end.stateRoot.toHex(), `seed ${SEED}, root ${root}`);
    return Promise.resolve();
  },
};
