/** Programs of a world's nodes that are in a module of the user's. */
import type { NodeProgram } from "../../world/node_program.ts";
import { CommandError } from "../errors.ts";
import { reasonOf } from "./file_source.ts";

/** The programs that a module exports as `programs`; none without a module. Throws CommandError. */
export async function programsOf(module: string | undefined): Promise<readonly NodeProgram[]> {
  if (module === undefined) return [];
  const { programs } = await loadModule(module);
  if (programs === undefined) return [];
  const isProgram = (value: unknown): boolean =>
    typeof value === "object" && value !== null && "name" in value && "start" in value && "options" in value;
  if (Array.isArray(programs) && programs.every(isProgram)) return programs;
  throw new CommandError(`Cannot use "${module}": its export \`programs\` is no list of programs`);
}

/** A module of the user's. Throws CommandError. */
export async function loadModule(module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(new URL(module, `file://${Deno.cwd()}/`).href);
  } catch (error) {
    throw new CommandError(`Cannot load "${module}": ${reasonOf(error)}`);
  }
}
