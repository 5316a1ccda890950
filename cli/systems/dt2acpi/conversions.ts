/** Checks of conversions that need no guest: iasl, the map of nodes, QEMU's tables, changes, refusals, random trees. */
import {
  type Conversion,
  convertBlob,
  convertDeviceTree,
  DeviceTreeRefusal,
} from "../../../firmware/acpi/convert.ts";
import { invertTables } from "../../../firmware/acpi/inverse.ts";
import { type Difference, differences, normalForm } from "../../../firmware/acpi/normal_form.ts";
import type { NodeMapping } from "../../../firmware/acpi/report.ts";
import { placeTables } from "../../../firmware/acpi/table.ts";
import { validateTables } from "../../../firmware/acpi/validate.ts";
import { writeDeviceTree } from "../../../machine/device_tree.ts";
import { SkippedError } from "../qemu.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { type Kind, kindOptions, KINDS, kindText, tablesOf, treeOf } from "./boards.ts";
import { EXPECTED, type Expected, explanation } from "./expected.ts";
import { convertRandom, randomBlob } from "./fuzz.ts";
import { checkByIasl } from "./iasl.ts";
import { qemuTables } from "./qemu_tables.ts";
import { REFUSALS } from "./refusals.ts";

/** Our validator and iasl: no error, no warning, and a DSDT that compiles to itself. */
export async function validToIasl(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let tables = 0;
  for (const kind of kinds) {
    const { placed } = tablesOf(kind), name = kindText(kind);
    failures.push(
      ...validateTables({ base: placed.rsdp, bytes: placed.bytes }, placed.rsdp).map((line) =>
        `${name}: ${line}`
      ),
    );
    failures.push(...await checkByIasl(context, name, placed.tables));
    tables += placed.tables.length;
    context.progress(`iasl: ${name}`);
  }
  return { failures, figures: { boards: kinds.length, tables } };
}

/** Properties without a form, each told. */
const tellsOmissions = ({ omissions }: Conversion): boolean => omissions.every(({ reason }) => reason !== "");

/** A node of the map as a line: path, device, places, reason. */
const mapLine = ({ path, device = "", places, reason = "" }: NodeMapping): string =>
  [path, device, places.map(({ table, offset, size }) => `${table}+${offset}:${size}`).join(" "), reason]
    .join("\t");

/** Every node has a place that holds what it says it does, or a reason; `tell` takes the whole map, a line for each node. */
export function nodeMap(kinds: readonly Kind[], tell: (map: string) => void = () => {}): CheckOutcome {
  const failures: string[] = [],
    map: string[] = [],
    figures: Record<string, number> = { nodes: 0, places: 0, listed: 0 };
  for (const kind of kinds) {
    const { conversion, placed } = tablesOf(kind), name = kindText(kind);
    map.push(...conversion.nodes.map((node) => `${name}\t${mapLine(node)}\n`));
    for (const { path, places, reason } of conversion.nodes) {
      figures.nodes!++;
      figures.places! += places.length;
      if (places.length === 0) figures.listed!++;
      if (places.length === 0 && reason === undefined) {
        failures.push(`${name}: ${path} is neither mapped nor listed`);
      }
      for (const { table, offset, size } of places) {
        const found = placed.tables.find(({ signature }) => signature === table);
        if (
          /^\w{4}$/.test(table) && (found === undefined || size === 0 || offset + size > found.bytes.length)
        ) {
          failures.push(`${name}: ${path} is said to be at ${table}+${offset}, which there is not`);
        }
      }
    }
    if (!tellsOmissions(conversion)) failures.push(`${name}: a property is left out without a reason`);
  }
  tell(map.join(""));
  return { failures, figures };
}

const text = ({ name, one, other }: Difference): string =>
  `${name}: ${one ?? "nothing"}, QEMU: ${other ?? "nothing"}`;

/** The tables of each board beside QEMU's for the same machine: every line that differs is explained by one of EXPECTED. */
export async function likeQemu(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [], used = new Map<Expected, number>(), report: string[] = [];
  let lines = 0, equal = 0;
  for (const kind of kinds) {
    context.progress(`comparing with QEMU: ${kindText(kind)}`);
    const own = normalForm(tablesOf(kind).placed.tables),
      theirs = normalForm(await qemuTables(kindOptions(kind)));
    const differing = differences(own, theirs);
    lines += own.size;
    equal += own.size - differing.filter(({ one }) => one !== undefined).length;
    for (const line of differing) {
      const row = explanation(line, kind);
      if (row === undefined) failures.push(`${kindText(kind)}: unexplained: ${text(line)}`);
      else used.set(row, (used.get(row) ?? 0) + 1);
      report.push(`${kindText(kind)}\t${text(line)}\t${row?.reason ?? "UNEXPLAINED"}`);
    }
  }
  const unused = EXPECTED.filter((row) => !used.has(row));
  failures.push(...unused.map(({ name, reason }) => `nothing differs by "${reason}" (${name})`));
  Deno.writeTextFileSync(context.file("qemu-differences.tsv"), report.map((line) => `${line}\n`).join(""));
  const explained = Array.from(used.values(), (count) => count).reduce((sum, count) => sum + count, 0);
  return { failures, figures: { lines, equal, explained, reasons: used.size } };
}

/** What a change of the tree must change in the tables: these lines, and no other. */
interface Change {
  readonly what: string;
  readonly change: (tree: ReturnType<typeof treeOf>) => void;
  readonly lines: readonly RegExp[];
}

const CHANGES: readonly Change[] = [
  {
    what: "a second bank of nothing",
    change: () => {},
    lines: [],
  },
  {
    what: "another rate of the console",
    change: ({ root }) =>
      void root.child("chosen")!.set("stdout-path", new TextEncoder().encode("/pl011@9000000:115200\0")),
    lines: [/^SPCR\.baudRate$/],
  },
  {
    what: "PSCI by SMC",
    change: ({ root }) => void root.child("psci")!.set("method", new TextEncoder().encode("smc\0")),
    lines: [/^FACP\.armBootArch$/],
  },
  {
    what: "a key of another code",
    change: ({ root }) =>
      void root.child("gpio-keys")!.child("poweroff")!.set("linux,code", Uint8Array.of(0, 0, 0, 142)),
    lines: [/^DSDT\.\\_SB\.GPIO\.POWE$/],
  },
  {
    what: "no real-time clock",
    change: ({ root }) => root.remove(({ name }) => name.startsWith("pl031")),
    // What is numbered behind it in set 2 moves up by one.
    lines: [/^DSDT\.\\_SB\.PL03/, /^DSDT\.\\_SB\.FLAS\._UID$/],
  },
  {
    what: "DMA that is not coherent",
    change: ({ root }) => {
      const { properties } = root.children.find(({ name }) => name.startsWith("pcie@"))!;
      properties.splice(properties.findIndex(({ name }) => name === "dma-coherent"), 1);
    },
    lines: [/^DSDT\.\\_SB\.PCI0\._CCA$/, /^IORT\.rootComplex\[0\]\.(coherency|memoryFlags)$/],
  },
];

/** Two trees, and the least difference of their tables. */
export function minimalChanges(): CheckOutcome {
  const failures: string[] = [], kind: Kind = { gic: 3, cpus: 2 };
  const before = normalForm(tablesOf(kind).conversion.tables);
  let count = 0;
  for (const { what, change, lines } of CHANGES) {
    const tree = treeOf(kind);
    change(tree);
    const found = differences(before, normalForm(convertDeviceTree(tree).tables));
    count += found.length;
    for (const { name } of found) {
      if (!lines.some((line) => line.test(name))) failures.push(`${what}: ${name} changes too`);
    }
    for (const line of lines) {
      if (!found.some(({ name }) => line.test(name))) failures.push(`${what}: no line ${line} changes`);
    }
  }
  return { failures, figures: { changes: CHANGES.length, lines: count } };
}

/** Every contradiction of the sheet is refused, by the node's path. */
export function refusals(): CheckOutcome {
  const failures: string[] = [];
  for (const { what, blob, path, says } of REFUSALS) {
    try {
      convertBlob(blob(), "the tree");
      failures.push(`${what}: it is converted`);
    } catch (error) {
      const message = (error as Error).message;
      const isNamed = error instanceof DeviceTreeRefusal ? error.path === path : message.includes(path);
      if (!isNamed || !message.includes(says)) failures.push(`${what}: ${message}`);
    }
  }
  return { failures, figures: { refusals: REFUSALS.length } };
}

/** What came of it; undefined where a program is missing: the rest of the check needs none. */
async function unlessSkipped<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof SkippedError) return undefined;
    throw error;
  }
}

/** Trees at random: valid tables, or a refusal that names a node. `iasl` sees one in `sampled`. */
export async function fuzz(context: CheckContext, trees: number, sampled: number): Promise<CheckOutcome> {
  const failures: string[] = [];
  const figures = { trees, converted: 0, refused: 0, unreadable: 0, "seen by iasl": 0 };
  for (let seed = 1; seed <= trees && failures.length < 10; seed++) {
    let outcome: ReturnType<typeof convertRandom>;
    try {
      outcome = convertRandom(randomBlob(seed));
    } catch (error) {
      failures.push(`seed ${seed}: ${(error as Error).stack}`);
      continue;
    }
    failures.push(...outcome.failures.map((line) => `seed ${seed}: ${line}`));
    if (outcome.placed !== undefined) {
      figures.converted++;
      if (figures.converted % sampled === 1) {
        const said = await unlessSkipped(checkByIasl(context, `seed-${seed}`, outcome.placed.tables));
        failures.push(...said ?? []);
        if (said !== undefined) figures["seen by iasl"]++;
      }
    } else if (outcome.refused !== undefined) figures.refused++;
    else figures.unreadable++;
    if (seed % 50 === 0) {
      context.progress("random trees", seed, trees);
      await context.breathe();
    }
  }
  if (figures.converted === 0 || figures.refused === 0) failures.push("the random trees are all of one kind");
  return { failures, figures };
}

/** Tables become a tree, which becomes the same tables, byte for byte; of QEMU's tables too there is a tree that converts. */
export async function roundTrip(kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let lost = 0;
  for (const kind of kinds) {
    const { conversion: { tables } } = tablesOf(kind),
      { tree, lost: own } = invertTables(tables),
      name = kindText(kind);
    const again = convertBlob(writeDeviceTree(tree), "the tree of tables").tables;
    failures.push(...own.map((path) => `${name}: ${path} is in no node`));
    for (const [index, { signature, bytes }] of tables.entries()) {
      const other = again[index]?.bytes;
      if (other?.length !== bytes.length || other.some((byte, at) => byte !== bytes[at])) {
        failures.push(`${name}: ${signature} is another`);
      }
    }
    const theirs = await unlessSkipped(qemuTables(kindOptions(kind)));
    if (theirs === undefined) continue;
    const qemu = invertTables(theirs), placed = placeTables(convertDeviceTree(qemu.tree).tables, 0x4000_0000);
    failures.push(
      ...validateTables({ base: placed.rsdp, bytes: placed.bytes }, placed.rsdp).map((line) =>
        `${name}, QEMU's: ${line}`
      ),
    );
    const wrong = qemu.lost.filter((path) => !/^\\_SB\.PWRB$/.test(path));
    failures.push(...wrong.map((path) => `${name}, QEMU's: ${path} is in no node`));
    lost += qemu.lost.length;
  }
  return { failures, figures: { boards: kinds.length, "QEMU's devices without a node": lost } };
}

/** The same tables of the same tree, however often: bytes and map. */
export function deterministic(): CheckOutcome {
  const failures = KINDS.flatMap((kind) => {
    const [one, other] = [tablesOf(kind), tablesOf(kind)];
    const again = placeTables(convertBlob(writeDeviceTree(treeOf(kind)), "x").tables, one.placed.rsdp);
    const isEqual = [other.placed, again].every(({ bytes }) =>
      bytes.every((byte, at) => byte === one.placed.bytes[at])
    );
    return isEqual && JSON.stringify(one.conversion.nodes) === JSON.stringify(other.conversion.nodes)
      ? []
      : [`${kindText(kind)}: converted twice, it gives other tables`];
  });
  return { failures, figures: { boards: KINDS.length } };
}
