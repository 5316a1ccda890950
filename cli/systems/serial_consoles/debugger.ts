/** Debugging over the line: gdb-multiarch talks to the monitor's stub through the bytes of the serial port alone. */
import { Replay } from "../../../journal/replay.ts";
import { ConsoleHistory } from "../../console_history.ts";
import { kernelSymbols } from "../../kernel_symbols.ts";
import { SkippedError } from "../qemu.ts";
import type { CheckContext, CheckOutcome, LineEnd } from "../scenario.ts";
import { debian, keys, SHELL_PROMPT, typed } from "./debian.ts";

const GDB = "gdb-multiarch";
/** A packet whose answer nothing else has, "CPU ?" in hexadecimal: the script sees by it that gdb has done all. */
const LAST_PACKET = "qThreadExtraInfo,99", LAST_ANSWER = "435055203f";

/** Lines that the shell writes while other consoles are shown. */
const LINES = 2000;

/** Runs gdb with two pipes for its line. */
class Debugger implements LineEnd {
  readonly #folder = Deno.makeTempDirSync({ prefix: "hindsight-gdb-" });
  #toGdb: Deno.FsFile | undefined;
  #said = "";
  #ended: Promise<void> | undefined;
  #isStarted = false;
  readonly #commands: readonly string[];
  #write: Promise<unknown> = Promise.resolve();
  #onBytes: (bytes: Uint8Array) => void = () => {};
  #onEnd: () => void = () => {};
  #shown = "";

  constructor(commands: readonly string[]) {
    this.#commands = commands;
  }

  start(onBytes: (bytes: Uint8Array) => void, onEnd: () => void): void {
    this.#onBytes = onBytes;
    this.#onEnd = onEnd;
  }

  /** The line is gdb's from the moment on at which the console says that a debugger may attach. */
  show(bytes: Uint8Array): void {
    if (this.#isStarted) {
      this.#write = this.#write.then(() => this.#toGdb?.write(bytes)).catch(() => {});
      return;
    }
    this.#shown = (this.#shown + new TextDecoder().decode(bytes)).slice(-200);
    if (!this.#shown.includes("gdb now")) return;
    this.#isStarted = true;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    const [to, from] = [`${this.#folder}/to`, `${this.#folder}/from`];
    await new Deno.Command("mkfifo", { args: [to, from] }).output();
    const commands = [
      "set confirm off",
      "set pagination off",
      "set width 0",
      "set architecture aarch64",
      "set remotetimeout 60",
      `target remote | cat < ${to} & exec cat > ${from}`,
      ...this.#commands,
      `maint packet ${LAST_PACKET}`,
      "disconnect",
    ];
    const process = new Deno.Command(GDB, {
      args: ["-nx", "-batch", ...commands.flatMap((command) => ["-ex", command])],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = process.output();
    this.#toGdb = await Deno.open(to, { write: true });
    const fromGdb = await Deno.open(from);
    const buffer = new Uint8Array(4096);
    for (let count = 0; count !== null; count = await fromGdb.read(buffer) as number) {
      if (count > 0) this.#onBytes(buffer.slice(0, count));
    }
    fromGdb.close();
    this.#toGdb.close();
    this.#toGdb = undefined;
    const { stdout, stderr } = await output;
    this.#said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    this.#onEnd();
  }

  /** What gdb said, when it is over. */
  async said(): Promise<string> {
    await this.#ended;
    Deno.removeSync(this.#folder, { recursive: true });
    return this.#said;
  }
}

function requireGdb(): void {
  if (Deno.permissions.querySync({ name: "run", command: GDB }).state !== "granted") {
    throw new SkippedError(`needs ${GDB}; Deno has to be told: --allow-run=${GDB},mkfifo`);
  }
  try {
    new Deno.Command(GDB, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new SkippedError(`needs ${GDB}, which is not installed`);
  }
}

/** Addresses of symbols of the kernel, as it is without an offset of its own. */
function symbols(context: CheckContext, names: readonly string[]): bigint[] {
  const found = kernelSymbols(Deno.readFileSync(context.guest("linux-cloud/Image")), "Image");
  return names.map((name) => {
    const symbol = found.find((one) => one.name === name);
    if (symbol === undefined) throw new Error(`the kernel has no symbol ${name}`);
    return symbol.address;
  });
}

/** What gdb is told; `open` and `uts` are a function and a structure of the kernel's. */
function commands(open: bigint, uts: bigint): string[] {
  return [
    "info threads",
    `x/s ${uts}`,
    "p/x $TTBR1_EL1 != 0",
    "p $SCTLR_EL1 & 1",
    `break *${open}`,
    "continue",
    `p $pc == ${open}`,
    "p $x29 != 0",
    "stepi",
    `p $pc == ${open + 4n}`,
    "stepi",
    `p $pc == ${open + 8n}`,
    `x/2xw ${open}`,
    "delete",
    "set $x9 = 0x1234567890",
    "p/x $x9",
    `set {char}${uts} = 'M'`,
    `x/s ${uts}`,
    `tbreak *${open}`,
    "continue",
    `p $pc == ${open}`,
  ];
}

/** What is typed before and after, and what the operator does. */
const SCRIPT: readonly string[] = [
  `expect "${SHELL_PROMPT}"`,
  keys("1"),
  'expect "Run /init as init process"',
  keys("3"),
  'expect "Virtual time"',
  keys("2"),
  `expect "${SHELL_PROMPT}"`,
  typed("while :; do cat /proc/uptime; done >/dev/null & echo gdb''\" now\"\r"),
  'expect "gdb now"',
  keys("?"),
  `expect "${LAST_ANSWER}"`,
  // Keys do not lead out.
  keys("2"),
  "monitor el2 serial-consoles switch shell",
  `expect "${SHELL_PROMPT}"`,
  typed("kill %1; uname; echo alive$((6*7))\r"),
  'expect "Minux"',
  'expect "alive42"',
  // Lines that are written while others are shown are all there.
  typed(`seq 1 ${LINES}\r`),
  'expect "500"',
  keys("1"),
  keys("3"),
  'expect "Virtual time"',
  keys("2"),
  `expect "${LINES}"`,
  typed("poweroff -f\r"),
];

/** A debugger attaches, looks, steps, sets breakpoints, changes memory; then the line is the shell's again. */
export async function checkDebugger(context: CheckContext): Promise<CheckOutcome> {
  requireGdb();
  const [open = 0n, uts = 0n] = symbols(context, ["do_sys_openat2", "init_uts_ns"]);
  const debug = new Debugger(commands(open, uts));
  const recorded = await context.record(debian(context, {
    name: "debugger",
    append: "nokaslr",
    more: ["-smp", "2"],
    line: debug,
    script: SCRIPT,
  }));
  const said = await debug.said();
  const failures = expected(open).filter((wanted) => !wanted.test(said)).map((wanted) =>
    `gdb did not say ${wanted}`
  );
  const answers = said.match(/^\$\d+ = .*/gm) ?? [];
  if (failures.length > 0) failures.push(`gdb said: ${said.slice(-3000)}`);
  // The replay checks all roots, and gathers what the consoles were given.
  const replay = new Replay(recorded.run, recorded.images, context.machineOptions());
  const history = new ConsoleHistory(replay.machine);
  replay.runToEnd();
  const counted = Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join("");
  if (!history.text("shell").includes(`\n${counted}`)) {
    failures.push(`of ${LINES} lines some were lost, or came twice`);
  }
  if (context.all) failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  return {
    failures,
    figures: {
      "answers of gdb": answers.length,
      "lines counted": LINES,
      "steps of the machine": recorded.end.instant,
    },
  };
}

function expected(open: bigint): RegExp[] {
  const at = open.toString(16);
  return [
    /Thread 1 .*\n.*Thread 2 /s,
    /"Linux"/,
    /^\$1 = 0x1$/m,
    /^\$2 = 1$/m,
    new RegExp(`Breakpoint 1, 0x${at}`),
    /^\$3 = 1$/m,
    /^\$4 = 1$/m,
    /^\$5 = 1$/m,
    /^\$6 = 1$/m,
    /^\$7 = 0x1234567890$/m,
    /"Minux"/,
    new RegExp(`breakpoint \\d+, 0x${at}`),
    /^\$8 = 1$/m,
  ];
}
