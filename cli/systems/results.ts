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

const Results = z.array(CheckResult);

const FILE = "results.json";

/** The results in a folder: a file for each system, in the folder of its journals, so that systems can run at once. */
export class ResultsFile {
  readonly #folder: string;
  readonly #known = new Map<string, CheckResult[]>();

  /** Files are read when they are asked for. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  #path(slug: string): string {
    return `${this.#folder}/${slug}/${FILE}`;
  }

  /** What is kept of a system. Throws CommandError for a file that is none of ours. */
  #results(slug: string): CheckResult[] {
    const known = this.#known.get(slug) ?? this.#read(this.#path(slug));
    this.#known.set(slug, known);
    return known;
  }

  #read(path: string): CheckResult[] {
    let text: string;
    try {
      text = Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw new CommandError(`Cannot read "${path}": ${(error as Error).message}`);
    }
    try {
      return Results.parse(JSON.parse(text));
    } catch {
      throw new CommandError(`"${path}" holds no results: remove it, or give another folder with -o`);
    }
  }

  /** A long check that passed before with an engine. */
  passed(slug: string, name: string, engine: string): CheckResult | undefined {
    return this.#results(slug).find((result) =>
      result.name === name && result.engine === engine && result.all && result.status === "passed"
    );
  }

  /** Keeps a result, in place of an earlier one of the same check and engine. */
  keep(slug: string, result: CheckResult): void {
    const others = this.#results(slug).filter(({ name, engine }) =>
      name !== result.name || engine !== result.engine
    );
    const results = [...others, result], path = this.#path(slug), written = `${path}~`;
    this.#known.set(slug, results);
    Deno.mkdirSync(`${this.#folder}/${slug}`, { recursive: true });
    Deno.writeTextFileSync(written, `${JSON.stringify(results, null, 2)}\n`);
    Deno.renameSync(written, path);
  }
}
