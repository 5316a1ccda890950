/** `iasl`, the compiler and disassembler of ACPICA: tables must disassemble, and the DSDT compile to the same AML. */
import { HEADER } from "../../../firmware/acpi/layouts.ts";
import type { AcpiTable } from "../../../firmware/acpi/table.ts";
import { SkippedError } from "../qemu.ts";
import type { CheckContext } from "../scenario.ts";

const IASL = "iasl";

async function run(args: readonly string[]): Promise<string> {
  if (Deno.permissions.querySync({ name: "run", command: IASL }).state !== "granted") {
    throw new SkippedError(`needs iasl; Deno has to be told: --allow-run=${IASL}`);
  }
  try {
    const signal = AbortSignal.timeout(60_000);
    const { stdout, stderr } = await new Deno.Command(IASL, { args: [...args], signal }).output();
    const decoder = new TextDecoder();
    return decoder.decode(stdout) + decoder.decode(stderr);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new SkippedError("needs iasl, which is not installed (Debian: acpica-tools)");
  }
}

/** Takes tables apart by `iasl -d`; what it calls an error or a warning. `name` begins the files' names. */
export async function disassemble(
  context: CheckContext,
  name: string,
  tables: readonly AcpiTable[],
): Promise<string[]> {
  const files = tables.map(({ signature, bytes }) => {
    const file = context.file(`${name}-${signature}.dat`);
    Deno.writeFileSync(file, bytes);
    return { signature, file };
  });
  const said = await run(["-d", ...files.map(({ file }) => file)]);
  const failures = said.split("\n").filter((line) => /error|warning|could not|invalid|incorrect/i.test(line));
  for (const { signature, file } of files) {
    const listing = Deno.readTextFileSync(file.replace(/\.dat$/, ".dsl"));
    failures.push(
      ...listing.split("\n").filter((line) => /error|warning|incorrect|invalid|unknown/i.test(line)).map((
        line,
      ) => `${signature}: ${line.trim()}`),
    );
  }
  return failures.map((line) => `${name}: ${line}`);
}

/** Compiles a listing that `disassemble` left; errors, warnings, and AML that is not the table's. */
export async function recompile(context: CheckContext, name: string, dsdt: AcpiTable): Promise<string[]> {
  const prefix = context.file(`${name}-again`),
    said = await run(["-p", prefix, context.file(`${name}-DSDT.dsl`)]);
  const summary = said.match(/(\d+) Errors?, (\d+) Warnings?/);
  if (summary === null || summary[1] !== "0" || summary[2] !== "0") {
    return [`${name}: compiling the DSDT again: ${summary?.[0] ?? said.slice(-300)}`];
  }
  const aml = Deno.readFileSync(`${prefix}.aml`).subarray(HEADER.size),
    own = dsdt.bytes.subarray(HEADER.size);
  const at = own.findIndex((byte, index) => byte !== aml[index]);
  if (at < 0 && aml.length === own.length) return [];
  return [`${name}: the DSDT compiled again differs from offset ${HEADER.size + Math.max(at, 0)} on`];
}

/** The signature and bytes of what a board has, all of it valid to `iasl`. */
export async function checkByIasl(
  context: CheckContext,
  name: string,
  tables: readonly AcpiTable[],
): Promise<string[]> {
  const failures = await disassemble(context, name, tables);
  const dsdt = tables.find(({ signature }) => signature === "DSDT");
  return dsdt === undefined ? failures : [...failures, ...await recompile(context, name, dsdt)];
}
