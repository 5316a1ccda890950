/** The project's own lint rules: purity of the machine, conditions on IR values, and which folder may import which. */
import { importsDownward } from "./lint/imports_downward.ts";
import { noHost } from "./lint/no_host.ts";
import { valueCondition } from "./lint/value_condition.ts";

const plugin: Deno.lint.Plugin = {
  name: "hindsight",
  rules: { "no-host": noHost, "value-condition": valueCondition, "imports-downward": importsDownward },
};
export default plugin;
