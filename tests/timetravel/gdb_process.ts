/** A real gdb-multiarch on a script, at a run that a process of ours serves. */

/** The program; Debian: gdb-multiarch. */
const GDB = "gdb-multiarch";

/** Whether it is installed. */
export function hasGdb(): boolean {
  try {
    return new Deno.Command(GDB, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** Where to connect to serve a run by a process that gdb starts: `target remote …`. */
export function pipeTo(run: string, ...options: readonly string[]): string {
  const main = new URL("../../cli/main.ts", import.meta.url).pathname;
  const command = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-check",
    "-A",
    main,
    "gdb",
    run,
    "--stdio",
    ...options,
  ];
  return `| ${command.join(" ")}`;
}

/** A command as a script has it: what goes to other streams comes with the rest, and an error does not end the script. */
function scripted(command: string): string[] {
  return [
    "python",
    `try: print(gdb.execute(${JSON.stringify(command)}, to_string=True))`,
    "except gdb.error as error: print(error)",
    "end",
  ];
}

/** What gdb prints for each command, in order: greetings are the first. */
export async function gdbTranscript(
  remote: string,
  symbols: string,
  commands: readonly string[],
): Promise<string[]> {
  // The first answer takes as long as the machine takes to be built.
  const before = [
    "set pagination off",
    "set remotetimeout 120",
    "set architecture aarch64",
    "set confirm off",
  ];
  const script = [...before, `symbol-file ${symbols}`, `target remote ${remote}`];
  const marked = commands.flatMap((command) => [`echo \\n${MARK}\\n`, ...scripted(command)]);
  const path = Deno.makeTempFileSync({ suffix: ".gdb" });
  Deno.writeTextFileSync(path, [...script, ...marked, "detach", ""].join("\n"));
  try {
    const args = ["-batch", "-nx", "-x", path];
    const { stdout, stderr } = await new Deno.Command(GDB, { args, stdin: "null" }).output();
    const [greeting = "", ...answers] = new TextDecoder().decode(stdout).split(`\n${MARK}\n`);
    if (answers.length < commands.length) {
      throw new Error(
        `gdb stopped at "${commands[answers.length - 1]}": ${new TextDecoder().decode(stderr)}`,
      );
    }
    return [greeting, ...answers].map((text) => text.trim());
  } finally {
    Deno.removeSync(path);
  }
}

const MARK = "--- command ---";
