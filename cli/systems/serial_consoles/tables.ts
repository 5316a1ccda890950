/** The tables that say where the line is: SPCR, DBG2 and HEADLESS, as iasl reads them. */
import { convertDeviceTree } from "../../../firmware/acpi/convert.ts";
import { kernelTree } from "../../../firmware/loader/kernel_boot.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { disassemble } from "../dt2acpi/iasl.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";

/** Fields of a disassembled table, as iasl names them, that have to be there. */
// deno-fmt-ignore
const WANTED: Readonly<Record<string, readonly RegExp[]>> = {
  SPCR: [/Interface Type : 03/, /Address : 0000000009000000/, /Interrupt : 00000021/],
  DBG2: [/Info Count : 00000001/, /Port Type : 8000/, /Port Subtype : 0003/, /Address : 0000000009000000/, /Address Size : 00001000/, /Namepath : "\\_SB\.COM\d"/],
  FACP: [/Headless - No Video \(V3\) : 1/, /Hardware Reduced \(V5\) : 1/],
};

/** The check. */
export async function checkTables(context: CheckContext): Promise<CheckOutcome> {
  const configuration = parseConfiguration({ uart1: true, memoryMiB: 256 });
  const tree = kernelTree({ configuration, append: "", initrd: { base: 0x4800_0000, size: 4096 } });
  const tables = convertDeviceTree(tree, { isHeadless: true }).tables.filter(({ signature }) =>
    signature in WANTED
  );
  const failures = await disassemble(context, "consoles", tables);
  let fields = 0;
  for (const [signature, wanted] of Object.entries(WANTED)) {
    const listing = Deno.readTextFileSync(context.file(`consoles-${signature}.dsl`));
    for (const field of wanted) {
      fields++;
      if (!field.test(listing)) failures.push(`${signature}: iasl does not read ${field}`);
    }
  }
  return { failures, figures: { tables: tables.length, fields } };
}
