/** The system at EL2 by its option `form`: a realm that is a machine, or a realm that carries a program. */
import { z } from "zod";
import { El2Monitor } from "../../../el2_monitor.ts";
import { ConfigurationError } from "../../../../machine/errors.ts";
import { type SystemRow, systemRow } from "../../../system.ts";
import { TEE_MIGRATION } from "../system.ts";
import type { HostOptions } from "./program_migration.ts";
import { PROGRAM_OPTIONS, RealmProgram } from "./realm_program.ts";

const FORMS = { machine: TEE_MIGRATION.options, program: PROGRAM_OPTIONS } as const;

type Given = { readonly form: keyof typeof FORMS; readonly options: unknown };

const options = z.record(z.string(), z.string()).transform(
  ({ form = "machine", ...rest }, context): Given => {
    if (!Object.hasOwn(FORMS, form)) {
      const names = Object.keys(FORMS).join(" and ");
      context.addIssue({ code: "custom", path: ["form"], message: `there are ${names}` });
      return z.NEVER;
    }
    const known = form as keyof typeof FORMS, parsed = FORMS[known].safeParse(rest);
    if (parsed.success) return { form: known, options: parsed.data };
    for (const { path, message } of parsed.error.issues) context.addIssue({ code: "custom", path, message });
    return z.NEVER;
  },
);

/** The row. */
export const TEE_REALM: SystemRow = systemRow<Given>({
  slug: TEE_MIGRATION.slug,
  levels: TEE_MIGRATION.levels,
  options,
  build: ({ form, options: given }, monitor) => {
    if (form === "machine") return TEE_MIGRATION.build(given, monitor);
    if (!(monitor instanceof El2Monitor)) {
      throw new ConfigurationError("A realm that carries a program is a monitor's at EL2");
    }
    return new RealmProgram(given as HostOptions, monitor);
  },
});
