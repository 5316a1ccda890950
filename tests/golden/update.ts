/** Writes every golden file anew; review the difference before committing it. */
import { goldenIr } from "../machine/a64/golden_ir.ts";

for (const [path, content] of [...goldenIr()]) {
  Deno.writeTextFileSync(new URL(`../../${path}`, import.meta.url), content);
}
