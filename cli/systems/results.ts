/** What checks came to: kept in a file as they are done, so that a long run goes on where it stopped. */
import { z } from "zod";
import { CommandError } from "../errors.ts";

const CheckResult = z.strictObject({
  /** The criterion. */
  name: z.string(),
  /** `skipped` says why it was not tried; it is neither passed nor failed. */
  status: z.enum(["passed", "failed", "skipped"]),
  failures: z.array(z.string()),
  figures: z.record(z.string(), z.union([z.string(), z.number()])),
  /** Host time. */
  seconds: z.number(),
  /** The engine that recorded. */
  engine: z.string(),
  /** The long form was run. */
  all: z.boolean(),
});

/** What a check came to. */
export type CheckResult = z.infer<typeof CheckResult>;

const Results = z.record(z.string(), z.array(CheckResult));

const FILE = "results.json";

/** The results of a folder. */
export class ResultsFile {
  readonly #path: string;
  readonly #results: Record<string, CheckResult[]>;

  /** Reads what is there. Throws CommandError for a file that is none of ours. */
  constructor(folder: string) {
    this.#path = `${folder}/${FILE}`;
    this.#results = this.#read();
  }

  #read(): Record<string, CheckResult[]> {
    let text: string;
    try {
      text = Deno.readTextFileSync(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return {};
      throw new CommandError(`Cannot read "${this.#path}": ${(error as Error).message}`);
    }
    try {
      return Results.parse(JSON.parse(text));
    } catch {
      throw new CommandError(`"${this.#path}" holds no results: remove it, or give another folder with -o`);
    }
  }

  /** A long check that passed before with an engine. */
  passed(slug: string, name: string, engine: string): CheckResult | undefined {
    return this.#results[slug]?.find((result) =>
      result.name === name && result.engine === engine && result.all && result.status === "passed"
    );
  }

  /** Keeps a result, in place of an earlier one of the same check and engine. */
  keep(slug: string, result: CheckResult): void {
    const others = (this.#results[slug] ?? []).filter(({ name, engine }) =>
      name !== result.name || engine !== result.engine
    );
    this.#results[slug] = [...others, result];
    const written = `${this.#path}~`;
    Deno.writeTextFileSync(written, `${JSON.stringify(this.#results, null, 2)}\n`);
    Deno.renameSync(written, this.#path);
  }
}
