/**
 * gdb at a Linux boot of two CPUs, and 100,000 malformed packets: parts of `deno task timetravel`, or alone by
 * `deno run -A tests/timetravel/gdb.ts`. Needs gdb-multiarch and `deno task guests linux-cloud`.
 */
import { main } from "../../cli/main.ts";
import { processHost } from "../../cli/host/host.ts";
import { silentHost } from "../../cli/host/silent_host.ts";
import { openRun } from "../../cli/host/open_run.ts";
import { fuzzSessions } from "../cli/gdb/fuzz.ts";
import { Client, counterClient, counterRun } from "../cli/gdb/support.ts";
import { SEED, seededRandom } from "../journal/support.ts";
import { gdbTranscript, hasGdb, pipeTo } from "./gdb_process.ts";

/** One thing that was looked at. */
export interface GdbResult {
  /** What. */
  readonly name: string;
  /** It is as it has to be. */
  readonly isRight: boolean;
  /** What came of it. */
  readonly text: string;
}

const GUEST = ".guests/linux-cloud";
const SCRIPT =
  'expect "hindsight: shell"\nexpect "# "\nsend "busybox nproc\\r"\nexpect "# "\nsend "poweroff -f\\r"\n';

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
  ["",                                  "stepi",                         /^0xffff/m],
  ["",                                  "delete",                        /^$/],
  ["continue to the end",               "continue",                      /No more reverse-execution history/],
  ["the same root there",               "monitor root",                  /^state root [0-9a-f]{64}/],
];

/** Records the boot; the journal's path. */
async function recordBoot(folder: string): Promise<string> {
  const run = `${folder}/linux.hindsight`, script = `${folder}/script`;
  Deno.writeTextFileSync(script, SCRIPT);
  const machine = [
    "-kernel",
    `${GUEST}/Image`,
    "-initrd",
    `${GUEST}/initrd.gz`,
    "-smp",
    "2",
    "-m",
    "512M",
    "-no-reboot",
  ];
  const append = ["-append", "console=ttyAMA0 panic=-1 nokaslr"];
  let err = "";
  const stderr = { ...silentHost.stderr, write: (data: string | Uint8Array) => void (err += data) };
  const code = await main(["record", ...machine, ...append, "--script", script, "-o", run], {
    ...silentHost,
    breathe: processHost.breathe,
    sleep: processHost.sleep,
    stderr,
  });
  if (code !== 0) throw new Error(`recording failed: ${err}`);
  return run;
}

/** The session of the issue on a boot of Linux. */
export async function gdbOnLinux(): Promise<GdbResult[]> {
  if (!hasGdb()) return [{ name: "gdb on Linux", isRight: false, text: "gdb-multiarch is not installed" }];
  const folder = Deno.makeTempDirSync();
  try {
    const run = await recordBoot(folder), elf = `${folder}/linux.elf`;
    const names = ["--symbols", `${GUEST}/Image`, "--elf", elf];
    // gdb reads the names before it starts us: they are written by a run of nothing.
    await main(["gdb", run, "--stdio", ...names], silentHost);
    const commands = SESSION.map(([, command]) => command);
    const [, ...answers] = await gdbTranscript(pipeTo(run, ...names), elf, commands);
    const end = openRun(run, silentHost).run.end!.stateRoot.toHex();
    return SESSION.map(([what, command, wanted], index) => {
      const answer = answers[index]!;
      const isRight = wanted.test(answer) && (command !== "monitor root" || answer.includes(end));
      return {
        name: `${what.padEnd(31)} ${command}`,
        isRight,
        text: answer.split("\n").filter((line) => line).at(-1) ?? "",
      };
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Malformed packets, at a session each that survives or closes. */
export function fuzzGdb(count = 100_000, seed = SEED): GdbResult {
  const { target } = counterClient().session;
  const name = `${count} malformed packets, seed ${seed}`;
  try {
    const { closed } = fuzzSessions(count, seededRandom(seed), () => new Client(target));
    const last = new Client(target);
    last.ask("c");
    const isRight = target.machine.stateRoot().root.toHex() === counterRun().end.stateRoot.toHex();
    return {
      name,
      isRight,
      text: `${closed} sessions closed, the others went on; the root is ${isRight ? "" : "not "}the same`,
    };
  } catch (error) {
    return { name, isRight: false, text: `${(error as Error).stack}` };
  }
}

if (import.meta.main) {
  const results = [...await gdbOnLinux(), fuzzGdb()];
  for (const { name, isRight, text } of results) {
    console.log(`${isRight ? "ok  " : "FAIL"}  ${name.padEnd(64)}  ${text}`);
  }
  Deno.exit(results.every(({ isRight }) => isRight) ? 0 : 1);
}
