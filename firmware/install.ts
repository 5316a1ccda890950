/** Provides the conversion to ACPI tables to every machine that is built after this module was imported. */
import { provideTables } from "../machine/acpi_tables.ts";
import { convertDeviceTree } from "./acpi/convert.ts";
import { placeTables } from "./acpi/table.ts";

provideTables((tree, base) => placeTables(convertDeviceTree(tree).tables, base).bytes);
