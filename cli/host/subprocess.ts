/** Runs another program to its end, with bytes in and bytes out. */

/** A program is missing or failed; the message says which, and what it said last. */
export class SubprocessError extends Error {
  /** The class, for whoever prints the error. */
  override name = "SubprocessError";
  /** Whether the program is not installed. */
  readonly isMissing: boolean;

  /** Takes the message, and whether the program could not be found at all. */
  constructor(message: string, isMissing: boolean) {
    super(message);
    this.isMissing = isMissing;
  }
}

/** Where and on what a program runs. */
export interface SubprocessOptions {
  /** Bytes for its standard input; none by default. */
  readonly input?: Uint8Array;
  /** Its working directory; this process's by default. */
  readonly directory?: string;
}

/**
 * Runs a program and returns its standard output.
 *
 * @throws {SubprocessError} when it is missing or exits with another code than 0
 */
export async function run(command: readonly string[], options: SubprocessOptions = {}): Promise<Uint8Array> {
  const [program = "", ...args] = command;
  const settings: Deno.CommandOptions = {
    args,
    stdin: options.input ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
    env: { LC_ALL: "C" },
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
  };
  const child = spawn(program, settings);
  const fed = options.input ? feed(child, options.input) : undefined;
  const { code, stdout, stderr } = await child.output();
  await fed;
  if (code !== 0) {
    throw new SubprocessError(`${program} failed: ${lastWords(stderr) || `exit code ${code}`}`, false);
  }
  return stdout;
}

function spawn(program: string, settings: Deno.CommandOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(program, settings).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new SubprocessError(`${program} is not installed`, true);
  }
}

/** A program that ends early closes its input; what it says then is in its exit code. */
async function feed(child: Deno.ChildProcess, input: Uint8Array): Promise<void> {
  await new Blob([input as Uint8Array<ArrayBuffer>]).stream().pipeTo(child.stdin).catch(() => {});
}

/** The last line that tells an error (apt's start with `E:`), or the last line. */
function lastWords(stderr: Uint8Array): string {
  const lines = new TextDecoder().decode(stderr).split("\n").map((line) => line.trim()).filter((line) =>
    line !== ""
  );
  return lines.findLast((line) => line.startsWith("E: ")) ?? lines.at(-1) ?? "";
}
