/** Device tree blobs: order of nodes and properties, layout, and what the reader refuses. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  cells,
  type DeviceTree,
  DeviceTreeNode,
  EMPTY,
  sizedCells,
  strings,
  writeDeviceTree,
} from "../../machine/device_tree.ts";
import { parseDeviceTree } from "../../machine/device_tree_reader.ts";
import { ConfigurationError } from "../../machine/errors.ts";

function smallTree(): DeviceTree {
  const root = new DeviceTreeNode("").set("compatible", strings("a", "b")).set("#size-cells", cells(1));
  root.add("chosen").set("bootargs", strings("x")).set("empty", EMPTY);
  root.add("cpus").set("#size-cells", cells(0)).add("cpu@0");
  return { root, reservations: [{ address: 0x1_0000_0000n, size: 0x1000n }], bootCpu: 3 };
}

Deno.test("DeviceTreeNode.set puts a new property first and keeps the place of an old one, as libfdt does", () => {
  const node = new DeviceTreeNode("").set("a", cells(1)).set("b", cells(2)).set("a", cells(3));
  assertEquals(node.properties.map(({ name }) => name), ["b", "a"]);
  assertEquals(node.get("a"), cells(3));
});

Deno.test("DeviceTreeNode.add puts a new child first and refuses a second one of its name", () => {
  const node = new DeviceTreeNode("");
  node.add("a");
  node.add("b");
  assertEquals(node.children.map(({ name }) => name), ["b", "a"]);
  assertThrows(() => node.add("a"), RangeError, 'node "a"');
  assertEquals(node.require("a"), node.child("a"));
});

Deno.test("cells, sizedCells and strings are big-endian and zero-terminated", () => {
  assertEquals(cells(1, 0x8000_0000), Uint8Array.of(0, 0, 0, 1, 0x80, 0, 0, 0));
  assertEquals(sizedCells(2, 0x12_3456_789a), Uint8Array.of(0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a));
  assertEquals(sizedCells(1, 0x12_3456_789a), Uint8Array.of(0x34, 0x56, 0x78, 0x9a));
  assertEquals(sizedCells(3, 5), cells(0, 0, 5));
  assertEquals(strings("a", "bc"), Uint8Array.of(0x61, 0, 0x62, 0x63, 0));
});

Deno.test("writeDeviceTree lays a tree out as version 17 blob", () => {
  const root = new DeviceTreeNode("").set("ab", Uint8Array.of(9));
  const blob = writeDeviceTree({ root, reservations: [], bootCpu: 5 });
  // deno-fmt-ignore
  const expected = cells(
    0xd00dfeed, 0x5b, 0x38, 0x58, 0x28, 17, 16, 5, 3, 0x20, // header
    0, 0, 0, 0,                                             // end of reservations
    1, 0, 3, 1, 0, 0x0900_0000, 2, 9,                       // root node with one property
  );
  assertEquals(blob, new Uint8Array([...expected, ...strings("ab")]));
});

Deno.test("writeDeviceTree pads to a total size and refuses one that is too small", () => {
  const blob = writeDeviceTree(smallTree(), 4096);
  assertEquals([blob.length, new DataView(blob.buffer).getUint32(4)], [4096, 4096]);
  assertThrows(() => writeDeviceTree(smallTree(), 64), RangeError);
});

Deno.test("parseDeviceTree reads what writeDeviceTree wrote", () => {
  const tree = smallTree();
  for (const size of [undefined, 1000]) {
    assertEquals(parseDeviceTree(writeDeviceTree(tree, size), "dtb"), tree);
  }
});

Deno.test("parseDeviceTree skips NOP tokens", () => {
  const blob = writeDeviceTree({
    root: new DeviceTreeNode("").set("a", EMPTY),
    reservations: [],
    bootCpu: 0,
  });
  const at = 0x38 + 8;
  blob.set(cells(4, 4, 4), at); // the property's three words
  assertEquals(parseDeviceTree(blob, "dtb").root.properties, []);
});

Deno.test("parseDeviceTree names what is wrong with a blob", () => {
  const patch = (at: number, ...words: number[]): Uint8Array => {
    const blob = writeDeviceTree(smallTree());
    blob.set(cells(...words), at);
    return blob;
  };
  const deep: DeviceTree = { root: new DeviceTreeNode(""), reservations: [], bootCpu: 0 };
  let node = deep.root;
  for (let depth = 0; depth < 65; depth++) node = node.add("n");
  const structure = 0x48;
  // deno-fmt-ignore
  const wrong: [Uint8Array, string][] = [
    [new Uint8Array(0),                    "it has 0 bytes, less than a header"],
    [patch(0, 0xfeedd00d),                 "does not start with the magic number"],
    [writeDeviceTree(smallTree()).slice(0, -1), "it is cut"],
    [patch(20, 16),                        "version 16"],
    [patch(20, 18, 18),                    "compatible with 18"],
    [patch(8, 0x7fff_fffc),                "structure block lies outside"],
    [patch(12, 0x7fff_fffc),               "strings block lies outside"],
    [patch(16, 0x7fff_fffc),               "reservation block lies outside"],
    [patch(36, 40),                        "structure block ends early"],
    [patch(32, 5),                         "strings block ends early"],
    [patch(structure, 2),                  "does not start with the root node"],
    [patch(structure + 8, 7),              "the token at offset 0x50 is 0x7"],
    [patch(structure + 12, 0xffff_ffff),   "structure block ends early"],
    [patch(structure + 16, 0xffff_ffff),   "strings block lies outside"],
    [writeDeviceTree(deep),                "nested deeper than 64"],
  ];
  for (const [blob, message] of wrong) {
    assertThrows(() => parseDeviceTree(blob, 'dtb "x"'), ConfigurationError, message);
    assertThrows(() => parseDeviceTree(blob, 'dtb "x"'), ConfigurationError, 'Cannot load dtb "x": ');
  }
});

Deno.test("parseDeviceTree takes every cut and every flipped byte of a blob as ConfigurationError or a tree", () => {
  const blob = writeDeviceTree(smallTree());
  let refused = 0;
  const outcome = (bytes: Uint8Array): void => {
    try {
      parseDeviceTree(bytes, "dtb");
    } catch (error) {
      assert(error instanceof ConfigurationError, String(error));
      refused++;
    }
  };
  for (let size = 0; size < blob.length; size++) outcome(blob.slice(0, size));
  assertEquals(refused, blob.length);
  for (let at = 0; at < blob.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = blob.slice();
      damaged[at] = (damaged[at] as number) ^ flip;
      outcome(damaged);
    }
  }
});
