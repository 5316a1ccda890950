/** ACPI tables of device trees: what is written is read back, validators see what is wrong, and properties have their forms. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  buffer,
  device,
  integer,
  name,
  nameString,
  pack,
  scope,
  string,
} from "../../../firmware/acpi/aml.ts";
import { AmlError, AmlReader } from "../../../firmware/acpi/aml_reader.ts";
import { convertDeviceTree } from "../../../firmware/acpi/convert.ts";
import { FADT, HEADER, MADT, MADT_STRUCTURES } from "../../../firmware/acpi/layouts.ts";
import { invertTables } from "../../../firmware/acpi/inverse.ts";
import { numbered, segmentOf, shortestName } from "../../../firmware/acpi/names.ts";
import { normalForm } from "../../../firmware/acpi/normal_form.ts";
import { readResources } from "../../../firmware/acpi/resource_reader.ts";
import { gpioDescriptor, interruptDescriptor, memoryDescriptor } from "../../../firmware/acpi/resources.ts";
import { structure } from "../../../firmware/acpi/structure.ts";
import { acpiTable, checksum, placeTables, seal } from "../../../firmware/acpi/table.ts";
import { runTableLoader, TableLoaderError, tableLoaderFiles } from "../../../firmware/acpi/table_loader.ts";
import { validateTables } from "../../../firmware/acpi/validate.ts";
import { kernelTree } from "../../../firmware/loader/kernel_boot.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import {
  cells,
  type DeviceTree,
  type DeviceTreeNode,
  EMPTY,
  strings,
  writeDeviceTree,
} from "../../../machine/device_tree.ts";
import { parseDeviceTree } from "../../../machine/device_tree_reader.ts";

/** The board's tree, with one change. */
function board(change: (root: DeviceTreeNode) => void = () => {}, gicVersion: 2 | 3 = 3): DeviceTree {
  const configuration = parseConfiguration({ gicVersion, cpus: 2, memoryMiB: 256 });
  const tree = kernelTree({ configuration, append: "", initrd: { base: 0x4800_0000, size: 4096 } });
  change(tree.root);
  return tree;
}

const linesOf = (tree: DeviceTree): ReadonlyMap<string, string> => normalForm(convertDeviceTree(tree).tables);
const placed = () => placeTables(convertDeviceTree(board()).tables, 0x4700_0000);

Deno.test("structure writes and reads fields little-endian, and refuses what does not fit", () => {
  const pair = structure("low:2 high:4=7");
  assertEquals([...pair.encode({ low: 0x1234 })], [0x34, 0x12, 7, 0, 0, 0]);
  assertEquals(pair.decode(pair.encode({ high: 0xffff_ffff })), { low: 0n, high: 0xffff_ffffn });
  assertEquals([pair.size, pair.offset("high")], [6, 2]);
  assertThrows(() => pair.encode({ low: 0x1_0000 }), RangeError, "does not fit into 2 bytes");
  assertThrows(() => pair.encode({ low: -1 }), RangeError, "does not fit");
});

Deno.test("the fixed tables have the sizes of ACPI 6.3", () => {
  assertEquals(FADT.size + HEADER.size, 276);
  const sizes = Object.values(MADT_STRUCTURES).map(({ size, fields }) => [size, Number(fields[1]?.initial)]);
  for (const [size, length] of sizes) assertEquals(size, length);
});

Deno.test("integer has the shortest form, and PkgLength counts itself", () => {
  const forms = [0, 1, 0xff, 0x100, 0x1_0000, 2n ** 32n, 2n ** 64n - 1n].map((value) => integer(value).bytes);
  assertEquals(forms.map((bytes) => bytes[0]), [0x00, 0x01, 0x0a, 0x0b, 0x0c, 0x0e, 0xff]);
  assertThrows(() => integer(2n ** 64n), RangeError);
  const lengths: readonly (readonly [length: number, packageLength: readonly number[]])[] = [
    [57, [0x3c]],
    [61, [0x41, 0x04]],
    [4096, [0x86, 0x00, 0x01]],
  ];
  for (const [length, expected] of lengths) {
    const { bytes } = buffer(new Uint8Array(length));
    assertEquals([...bytes.subarray(1, 1 + expected.length)], [...expected], `${length} bytes`);
  }
  assertThrows(() => nameString("\\_SB.toolong"), RangeError, "no name of AML");
  assertThrows(() => string("ä"), RangeError, "no String");
});

Deno.test("AmlReader reads what was written, and names what is none", () => {
  const { bytes } = scope(
    "_SB",
    device("COM0", name("_HID", string("ARMH0011")), name("LIST", pack(integer(5), nameString("^COM0")))),
  );
  const objects = new AmlReader(bytes).read();
  assertEquals(objects.map(({ path, kind }) => `${kind} ${path}`), [
    "scope \\_SB_",
    "device \\_SB_.COM0",
    "name \\_SB_.COM0._HID",
    "name \\_SB_.COM0.LIST",
  ]);
  assertEquals(objects[3]?.value, {
    kind: "package",
    elements: [{ kind: "integer", value: 5n }, { kind: "reference", name: "^COM0" }],
  });
  for (let end = 1; end < bytes.length; end++) {
    assertThrows(() => new AmlReader(bytes.subarray(0, end)).read(), AmlError, "of the definition block");
  }
});

Deno.test("names are of four characters, and the shortest that finds a device", () => {
  assertEquals(["gpio-keys", "9p", "i2c", "x_y"].map(segmentOf), ["GPIO", "D9P", "I2C", "XY"]);
  assertEquals([numbered("VR", 7), numbered("VR", 255), numbered("C", 12)], ["VR07", "VRFF", "C012"]);
  assertEquals(shortestName("\\_SB.GPIO", "\\_SB.GPO0"), "GPO0");
  assertEquals(shortestName("\\_SB.GPIO", "\\_SB.GPIO"), "GPIO");
  assertEquals(shortestName("\\_SB.BUS0.LED0", "\\_SB.BUS1.GPO0"), "^^BUS1.GPO0");
});

Deno.test("descriptors are read back as what they say", () => {
  const edge = { edge: true, low: true };
  const template = [
    memoryDescriptor(0x900_0000n, 0x1000n),
    memoryDescriptor(1n << 40n, 0x1000n),
    interruptDescriptor(33, edge),
    gpioDescriptor("\\_SB.GPO0", 3),
    gpioDescriptor("\\_SB.GPO0", 258, edge),
  ];
  const bytes = new Uint8Array([...template.flatMap((part) => [...part]), 0x79, 0]);
  const found = readResources(bytes);
  assertEquals(found?.map(({ text }) => text), [
    "memory 0x9000000+0x1000",
    "memory 0x10000000000..0x10000000fff size 0x1000 translation 0x0 flags 0x1 consumed",
    "interrupt 33 edge low",
    "gpio io flags 0x0 pull 3",
    "gpio interrupt flags 0x3 pull 3",
  ]);
  assertEquals(found?.slice(3).map(({ pins, source }) => [pins, source]), [[[3], "\\_SB.GPO0"], [
    [258],
    "\\_SB.GPO0",
  ]]);
  assertEquals(readResources(bytes.subarray(0, -1)), undefined);
});

Deno.test("SPIs and PPIs become global system interrupts, with their trigger flags", () => {
  for (
    const [specifier, text] of [
      [[0, 5, 1], "interrupt 37 edge high"],
      [[0, 5, 2], "interrupt 37 edge low"],
      [[0, 5, 4], "interrupt 37 level high"],
      [[0, 5, 8], "interrupt 37 level low"],
      [[1, 5, 4], "interrupt 21 level high"],
      [[0, 987, 4], "interrupt 1019 level high"],
    ] as const
  ) {
    const lines = linesOf(
      board((root) => void root.child("pl011@9000000")!.set("interrupts", cells(...specifier))),
    );
    assertEquals(lines.get("DSDT.\\_SB.COM0._CRS[1]"), text);
  }
  const both = convertDeviceTree(
    board((root) => void root.child("pl011@9000000")!.set("interrupts", cells(0, 5, 3))),
  );
  assert(both.omissions.some(({ path, property }) => path === "/pl011@9000000" && property === "interrupts"));
});

Deno.test("a headless machine's FADT says so, and DBG2 has the port of SPCR; others have neither", () => {
  const headless = convertDeviceTree(board(), { isHeadless: true }).tables,
    plain = convertDeviceTree(board()).tables;
  const of = (tables: typeof plain, name: string) =>
    tables.find(({ signature }) => signature === name)?.bytes;
  const flags = (tables: typeof plain) => new DataView(of(tables, "FACP")!.buffer).getUint32(112, true);
  assertEquals([flags(headless) ^ flags(plain), of(plain, "DBG2")], [1 << 12, undefined]);
  const bytes = of(headless, "DBG2")!, view = new DataView(bytes.buffer, bytes.byteOffset);
  // The port begins at 44: type, subtype, address, size and name as Debug Port Table 2 has them.
  assertEquals([view.getUint32(40, true), view.getUint16(44 + 12, true), view.getUint16(44 + 14, true)], [
    1,
    0x8000,
    3,
  ]);
  assertEquals([view.getBigUint64(44 + 22 + 4, true), view.getUint32(44 + 34, true)], [0x900_0000n, 0x1000]);
  assertEquals(new TextDecoder().decode(bytes.subarray(44 + 38)), "\\_SB.COM0\0");
  assertEquals(view.getUint16(45, true), bytes.length - 44);
});

Deno.test("set 2 has properties by their kinds, children as data nodes, and tells what has no form", () => {
  const tree = board((root) => {
    root.add("thing@1000").set("compatible", strings("acme,thing")).set("reg", cells(0, 0x1000, 0, 0x100))
      .set("acme,flag", EMPTY).set("acme,list", cells(1, 2)).set("acme,text", strings("on"))
      .set("acme,odd", Uint8Array.of(1, 2, 3)).set("clocks", cells(0x8000)).set(
        "local-mac-address",
        Uint8Array.of(2, 0, 0, 0, 0, 1),
      )
      .add("child").set("acme,value", cells(7));
  });
  const { omissions, nodes } = convertDeviceTree(tree), lines = linesOf(tree);
  const data = lines.get("DSDT.\\_SB.THIN._DSD") as string;
  for (
    const text of [
      '{"acme,flag", 0x1}',
      '{"acme,list", {0x1, 0x2}}',
      '{"acme,text", "on"}',
      '{"compatible", {"acme,thing"}}',
      '{"child", "CHIL"}',
    ]
  ) {
    assert(data.includes(text), `${text} in ${data}`);
  }
  assert(data.includes('{"local-mac-address", {0x2, 0x0, 0x0, 0x0, 0x0, 0x1}}'));
  assert(
    (lines.get("DSDT.\\_SB.CHIL") ?? lines.get("DSDT.\\_SB.THIN.CHIL") as string).includes(
      '{"acme,value", 0x7}',
    ),
  );
  assertEquals(
    omissions.filter(({ path }) => path === "/thing@1000").map(({ property }) => property).toSorted(),
    ["acme,odd", "clocks"],
  );
  assertEquals(nodes.find(({ path }) => path === "/thing@1000/child")?.device, "\\_SB.THIN.CHIL");
});

Deno.test("devices whose nodes suggest one name are renamed in the order of the tree, and that is told", () => {
  const tree = board((root) => {
    for (const at of ["3", "2", "1"]) root.add(`gpio-leds@${at}`).set("compatible", strings("gpio-leds"));
  });
  const { renamings, nodes } = convertDeviceTree(tree);
  assertEquals(nodes.filter(({ path }) => path.startsWith("/gpio-leds")).map(({ device }) => device), [
    "\\_SB.GPIO",
    "\\_SB.GPI0",
    "\\_SB.GPI1",
  ]);
  assertEquals(renamings.map(({ wanted, name }) => [wanted, name]), [["GPIO", "GPI0"], ["GPIO", "GPI1"], [
    "GPIO",
    "GPI2",
  ]]);
});

Deno.test("a parking protocol takes PSCI's place", () => {
  const tables =
    convertDeviceTree(board(), { parking: { version: 1, mailboxes: [0x4000_1000, 0x4000_2000] } }).tables;
  const lines = normalForm(tables);
  assertEquals(lines.get("FACP.armBootArch"), "0x0");
  assertEquals([lines.get("APIC.gicc[1].parkingVersion"), lines.get("APIC.gicc[1].parkedAddress")], [
    "0x1",
    "0x40002000",
  ]);
});

/** Faults in memory, and part of what the validator says. */
// deno-fmt-ignore
const FAULTS: readonly (readonly [what: string, table: string, change: (bytes: Uint8Array) => void, says: string])[] = [
  ["a byte more in no checksum", "GTDT", (bytes) => void (bytes[50]! ^= 1),                                        "checksum is wrong"],
  ["two CPUs with one _UID",     "APIC", (bytes) => patched(bytes, HEADER.size + MADT.size + 24 + 80 + 8, 0),      "two CPUs"],
  ["a structure too long",       "APIC", (bytes) => patched(bytes, HEADER.size + MADT.size + 1, 25),               "no known kind"],
  ["no hardware-reduced ACPI",   "FACP", (bytes) => patched(bytes, HEADER.size + FADT.offset("flags") + 2, 0),     "hardware-reduced"],
  ["a mapping to nowhere",       "IORT", (bytes) => patched(bytes, bytes.length - 8, 1),                           "leads nowhere"],
  ["a node without a parent",    "PPTT", (bytes) => patched(bytes, HEADER.size + 20 + 8, 9),                       "has no parent"],
  ["a PkgLength too long",       "DSDT", (bytes) => patched(bytes, HEADER.size + 2, 0xff),                         "PkgLength"],
  ["a name that is none",        "DSDT", (bytes) => patched(bytes, HEADER.size + 4, 0x61),                         "is no name"],
  ["an interrupt that is none",  "DSDT", (bytes) => patched(bytes, bytes.findIndex((byte, at) => byte === 0x89 && bytes[at + 1] === 6), 0x8f), "no resource template"],
];

function patched(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  seal(bytes);
}

Deno.test("validateTables finds nothing in a board's tables, and each planted fault", () => {
  const sound = placed();
  assertEquals(validateTables({ base: sound.rsdp, bytes: sound.bytes }, sound.rsdp), []);
  for (const [what, signature, change, says] of FAULTS) {
    const { rsdp, bytes, tables } = placed(),
      { address, bytes: { length } } = tables.find((table) => table.signature === signature)!;
    change(bytes.subarray(address - rsdp, address - rsdp + length));
    const problems = validateTables({ base: rsdp, bytes }, rsdp);
    assert(problems.some((line) => line.includes(says)), `${what}: ${problems}`);
  }
});

Deno.test("placeTables seals every table, and points to all of them", () => {
  const { rsdp, bytes, tables } = placed();
  assertEquals(tables[0]?.signature, "XSDT");
  for (const table of tables) {
    assertEquals(checksum(table.bytes, table.bytes.length), 0, table.signature);
    assertEquals(
      bytes.subarray(table.address - rsdp, table.address - rsdp + table.bytes.length),
      table.bytes,
    );
  }
  assertThrows(() => placeTables(tables, 0x1008), RangeError, "no multiple of 16");
});

Deno.test("QEMU's script places the tables as they were, at another address", () => {
  const tables = placed(), files = tableLoaderFiles(tables);
  const { memory, rsdp } = runTableLoader(files.get("etc/table-loader")!, files, 0x5000_0000);
  assertEquals(validateTables(memory, rsdp), []);
  const again = placeTables(convertDeviceTree(board()).tables, 0x4700_0000);
  assertEquals(again.bytes, tables.bytes);
  const script = Uint8Array.from(files.get("etc/table-loader")!);
  script[0] = 9;
  assertThrows(() => runTableLoader(script, files, 0), TableLoaderError, "command 9");
});

Deno.test("invertTables gives a tree of which the same tables are made, and tells what it loses", () => {
  for (const gicVersion of [2, 3] as const) {
    const { tables } = convertDeviceTree(board(() => {}, gicVersion)), { tree, lost } = invertTables(tables);
    const again = convertDeviceTree(parseDeviceTree(writeDeviceTree(tree), "the tree")).tables;
    assertEquals(lost, []);
    for (const [index, { signature, bytes }] of tables.entries()) {
      assertEquals(again[index]?.bytes, bytes, signature);
    }
  }
  const dsdt = acpiTable("DSDT", 2, [scope("_SB", device("PWRB", name("_HID", string("PNP0C0C")))).bytes]);
  assertEquals(invertTables([dsdt]).lost, ["\\_SB.PWRB"]);
});
