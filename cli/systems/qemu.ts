/** Runs `qemu-system-aarch64` for checks that compare with it: typed at as a script says, ended when it has said enough. */
import { CommandError } from "../errors.ts";
import { parseScript, type Statement } from "../script.ts";
import { ConsoleMatcher } from "../console_matcher.ts";
import type { QemuRequest, QemuRun } from "./scenario.ts";

/** The program. */
export const QEMU = "qemu-system-aarch64";

/** What is given to QEMU besides, so that nothing is plugged in that was not asked for. */
const PLAIN = ["-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"];

/** Most seconds of a run that says nothing else. */
const MOST_SECONDS = 60;

/** A check cannot be tried here; the message says why. */
export class SkippedError extends Error {
  /** The class, for whoever prints the error. */
  override name = "SkippedError";
}

function spawn(options: readonly string[], signal: AbortSignal): Deno.ChildProcess {
  if (Deno.permissions.querySync({ name: "run", command: QEMU }).state !== "granted") {
    throw new SkippedError(`needs QEMU; Deno has to be told: --allow-run=${QEMU}`);
  }
  try {
    const args = [...options, ...PLAIN];
    return new Deno.Command(QEMU, { args, stdin: "piped", stdout: "piped", stderr: "piped", signal }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new SkippedError(`needs QEMU, which is not installed (Debian: qemu-system-arm)`);
  }
}

/** Follows a script on a console that comes byte by byte. */
class Typist {
  readonly #statements: Statement[];
  #matcher: ConsoleMatcher | undefined;

  constructor(lines: readonly string[], private readonly type: (bytes: Uint8Array) => void) {
    this.#statements = [...parseScript(lines.join("\n"), "script").statements];
    this.#advance();
  }

  #advance(): void {
    for (let next = this.#statements[0]; next?.kind === "input"; next = this.#statements[0]) {
      if (next.input.kind === "consoleReceived") this.type(next.input.bytes);
      this.#statements.shift();
    }
    const next = this.#statements[0];
    this.#matcher = next?.kind === "expect" ? new ConsoleMatcher(next.text) : undefined;
  }

  take(byte: number): void {
    if (this.#matcher?.push(byte) !== true) return;
    this.#statements.shift();
    this.#advance();
  }

  /** What is still waited for. */
  get missing(): string | undefined {
    const [next] = this.#statements;
    return next?.kind === "expect" ? JSON.stringify(next.text) : undefined;
  }
}

/** Runs QEMU to its end, or to a text. Throws CommandError when a text never comes; see `CheckContext.qemu`. */
export async function runQemu(request: QemuRequest, ended: AbortSignal): Promise<QemuRun> {
  const { options, script = [], until, seconds = MOST_SECONDS } = request;
  const late = AbortSignal.timeout(seconds * 1000), enough = new AbortController();
  const process = spawn(options, AbortSignal.any([late, ended, enough.signal]));
  const log = new Response(process.stderr).text();
  const keyboard = process.stdin.getWriter();
  const typist = new Typist(script, (bytes) => void keyboard.write(bytes).catch(() => {}));
  const end = until === undefined ? undefined : new ConsoleMatcher(until);
  const written: Uint8Array[] = [];
  let isEnough = false;
  for await (const chunk of process.stdout) {
    written.push(chunk);
    for (const byte of chunk) {
      typist.take(byte);
      if (end?.push(byte) === true) isEnough = true;
    }
    if (isEnough) enough.abort();
  }
  await keyboard.close().catch(() => {});
  await process.status;
  ended.throwIfAborted();
  const console = new TextDecoder().decode(Uint8Array.from(written.flatMap((bytes) => [...bytes])));
  const missing = typist.missing ?? (until !== undefined && !isEnough ? JSON.stringify(until) : undefined);
  const said = `${console.slice(-400)}${(await log).slice(0, 400)}`;
  if (late.aborted) throw new CommandError(`${QEMU} did not end within ${seconds} s:\n${said}`);
  if (missing !== undefined) throw new CommandError(`${QEMU} never printed ${missing}:\n${said}`);
  return { console, log: await log };
}
