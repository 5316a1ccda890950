/** Writes every golden file anew; review the difference before committing it. */
import { journalOfThisFormat } from "../journal/old_journals.ts";
import { goldenIr } from "../machine/a64/golden_ir.ts";

const root = new URL("../../", import.meta.url);
for (const [path, content] of goldenIr()) Deno.writeTextFileSync(new URL(path, root), content);
const { path, content } = journalOfThisFormat();
Deno.writeFileSync(new URL(path, root), content);
