/** What a node that is a program is made from. */
import type { ProgramCheckpoint } from "./checkpoint.ts";
import { WorldError } from "./errors.ts";
import type { NodeProgram } from "./node_program.ts";

/** What a node is made from. */
export interface ProgramMemberOptions {
  /** Its number in the description. */
  readonly node: number;
  /** Its name. */
  readonly name: string;
  /** What runs. */
  readonly program: NodeProgram;
  /** Its options, not checked yet. */
  readonly options: unknown;
  /** Its ports with links. */
  readonly ports: ReadonlySet<string>;
  /** The world's seed. */
  readonly seed: number;
  /** It begins without power. */
  readonly isOff: boolean;
  /** It can be returned to earlier states, or tells what a checkpoint keeps. */
  readonly keepsMarks: boolean;
  /** Where it goes on from instead of from power-on. */
  readonly resumed?: ProgramCheckpoint | undefined;
}

/** The program's options, as it takes them. Throws WorldError for those that it does not take. */
export function programOptions({ name, program, options }: ProgramMemberOptions): unknown {
  const parsed = program.options.safeParse(options);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "options"}: ${message}`);
  throw new WorldError(`Cannot set node "${name}" up: ${issues.join("; ")}`);
}
