/** The command line: finds the command, reads its options, carries it out, and reports what went wrong. */
import { type Command, commandHelp, COMMON_OPTIONS } from "./command.ts";
import { type CommandRow, COMMANDS } from "./commands.ts";
import { UsageError } from "./errors.ts";
import { failureOf } from "./failure.ts";
import { BrokenPipeError, type Host, processHost } from "./host/host.ts";
import { endAll } from "./host/endings.ts";
import { type Options, readOptions } from "./options.ts";
import { suggestion } from "./suggest.ts";

/** The help text of `hindsight` itself. */
function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    "Hindsight records the whole run of an AArch64 machine, and answers questions about it afterwards.",
    "",
    "hindsight COMMAND [options]",
    "",
    "Commands:",
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "hindsight COMMAND --help tells more. Exit codes: 0 yes or done, 1 no or failed, 2 misused.",
    "",
  ].join("\n");
}

function commandNamed(name: string): CommandRow {
  const found = COMMANDS.find((command) => command.name === name);
  if (found !== undefined) return found;
  const names = COMMANDS.map((command) => command.name);
  throw new UsageError(
    name.startsWith("-")
      ? `A command comes before options: ${names.join(", ")}`
      : `There is no command "${name}"${suggestion(name, names) || `; there are ${names.join(", ")}`}`,
  );
}

/** Whether a word asks for help. */
function isHelp(word: string): boolean {
  return ["-h", "-help", "--help"].includes(word);
}

/** Reads a command's options; nothing when help is wanted, which comes before complaints of what else is there. */
function optionsOf(command: Command, args: readonly string[]): Options | undefined {
  try {
    const options = readOptions(args, [...command.options, ...COMMON_OPTIONS]);
    return options.isOn("help") ? undefined : options;
  } catch (error) {
    if (error instanceof UsageError && args.some(isHelp)) return undefined;
    throw error;
  }
}

async function carryOut([name, ...args]: readonly string[], host: Host): Promise<number> {
  if (name === undefined || isHelp(name) || name === "help") {
    host.stdout.write(overview());
    return name === undefined ? 2 : 0;
  }
  const { summary, load } = commandNamed(name);
  const command = await load();
  const options = optionsOf(command, args);
  if (options === undefined) {
    host.stdout.write(commandHelp(name, summary, command));
    return 0;
  }
  if (!areEnough(options.others.length, command.operands)) {
    const wanted = command.operands.length === 0 ? "no arguments" : command.operands.join(" and ");
    throw new UsageError(`${name} takes ${wanted} besides options, not "${options.others.join(" ")}"`);
  }
  return await command.run(options, host);
}

/** Whether a command takes so many arguments; those in brackets may be left out. */
function areEnough(count: number, operands: readonly string[]): boolean {
  const least = operands.filter((operand) => !operand.startsWith("[")).length;
  return count >= least && count <= operands.length;
}

/** The command line that tells more about the command of another, or about all commands where it has none. */
function helpFor([name]: readonly string[]): string {
  return ["hindsight", ...COMMANDS.some((command) => command.name === name) ? [name] : [], "--help"].join(
    " ",
  );
}

/** Says what went wrong without harm, if anybody listens. */
function tell(messages: readonly string[], host: Host): void {
  try {
    for (const message of messages) host.stderr.write(`hindsight: ${message}\n`);
  } catch (error) {
    if (!(error instanceof BrokenPipeError)) throw error;
  }
}

/** Carries out a command line and returns the exit code; errors are reported, not thrown. */
export async function main(args: readonly string[], host: Host): Promise<number> {
  try {
    return await carryOut(args, host);
  } catch (error) {
    if (error instanceof BrokenPipeError) return 0;
    const { message, exitCode } = failureOf(error);
    try {
      host.stderr.write(`hindsight: ${message}\n`);
      if (exitCode === 2) host.stderr.write(`Try: ${helpFor(args)}\n`);
    } catch (failure) {
      if (!(failure instanceof BrokenPipeError)) throw failure;
    }
    return exitCode;
  } finally {
    tell(endAll(), host);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args, processHost));
