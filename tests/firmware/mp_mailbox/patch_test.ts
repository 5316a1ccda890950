/** What mp-mailbox makes of tables, in TypeScript: what changes, and that nothing else does. */
import { assertEquals, assertThrows } from "@std/assert";
import { smallAcpi } from "../../../cli/systems/mp_mailbox/small_acpi.ts";
import { boardTree } from "../../../cli/systems/mp_mailbox/refusals.ts";
import { parkFadt, parkMadt, tableDamage } from "../../../firmware/mp_mailbox/patch_acpi.ts";
import {
  cpusOf,
  parkDeviceTree,
  type Parking,
  singleDeviceTree,
} from "../../../firmware/mp_mailbox/patch_device_tree.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import { parseDeviceTree } from "../../../machine/device_tree_reader.ts";
import { type DeviceTree, type DeviceTreeNode, strings } from "../../../machine/device_tree.ts";

const KIND = { by: "tree", gic: 3, level: 1, cpus: 4 } as const;
const PARKING: Parking = {
  boot: 0n,
  cpus: [{ number: 1n, page: 0x4001_0000n }, { number: 2n, page: undefined }, {
    number: 3n,
    page: 0x4001_1000n,
  }],
  mailboxes: { address: 0x4001_0000n, size: 0x2000n },
};

const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);

/** All of a tree but what `leftOut` names, as text. */
function outline({ root }: DeviceTree, leftOut: readonly string[]): string[] {
  const lines = (node: DeviceTreeNode, path: string): string[] => [
    ...node.properties.map(({ name, value }) => `${path} ${name}=${value.toHex()}`),
    ...node.children.flatMap((child) => lines(child, `${path}/${child.name}`)),
  ];
  return lines(root, "").filter((line) => !leftOut.some((name) => line.includes(` ${name}=`)));
}

Deno.test("parkDeviceTree() gives CPUs their words, marks dead ones, and leaves the rest", () => {
  const before = boardTree(KIND), after = parkDeviceTree(before, PARKING), cpus = cpusOf(after);
  const property = (cpu: bigint, name: string) => cpus.get(cpu)?.get(name);
  assertEquals(property(0n, "enable-method"), undefined);
  assertEquals(text(property(1n, "enable-method")), "spin-table\0");
  assertEquals(property(1n, "cpu-release-addr")?.toHex(), "0000000040010008");
  assertEquals(text(property(2n, "status")), "fail\0");
  assertEquals(property(3n, "cpu-release-addr")?.toHex(), "0000000040011008");
  const [old, now] = [before, after].map((bytes) => parseDeviceTree(bytes, "a tree"));
  const changed = ["enable-method", "cpu-release-addr", "status"];
  assertEquals(outline(now!, changed), outline(old!, changed));
  assertEquals(now!.reservations, [...old!.reservations, PARKING.mailboxes]);
});

Deno.test("singleDeviceTree() changes the command line only, and makes one where there is none", () => {
  const before = boardTree(KIND),
    [old, now] = [before, singleDeviceTree(before)].map((bytes) => parseDeviceTree(bytes, "a tree"));
  assertEquals(text(now!.root.child("chosen")?.get("bootargs")), "quiet nosmp\0");
  assertEquals(outline(now!, ["bootargs"]), outline(old!, ["bootargs"]));
  assertEquals(now!.reservations, old!.reservations);
  assertThrows(() => singleDeviceTree(before.subarray(0, 100)), ConfigurationError, "it is cut");
  assertEquals(strings("nosmp").length, 6);
});

Deno.test("parkMadt() and parkFadt() change GICCs and the boot architecture, with right sums", () => {
  const { tables } = smallAcpi({ ...KIND, by: "acpi" });
  const [fadt, madt] = ["FACP", "APIC"].map((signature) =>
    tables.find((table) => table.signature === signature)!.bytes
  );
  const parked = parkMadt(madt!, PARKING), view = new DataView(parked.buffer), first = 44 + 24;
  assertEquals([tableDamage(parked), tableDamage(parkFadt(fadt!))], [undefined, undefined]);
  assertEquals(parked.length, madt!.length - 80);
  const gicc = (index: number) => {
    const at = first + index * 80;
    return [
      view.getBigUint64(at + 68, true),
      view.getUint32(at + 16, true),
      view.getBigUint64(at + 24, true),
    ];
  };
  assertEquals([gicc(0), gicc(1), gicc(2)], [[0n, 0, 0n], [1n, 1, 0x4001_0000n], [3n, 1, 0x4001_1000n]]);
  assertEquals([fadt![129]! & 3, parkFadt(fadt!)[129]! & 3], [3, 2]);
  madt![100]! ^= 1;
  assertThrows(() => parkMadt(madt!, PARKING), RangeError, "sum");
});
