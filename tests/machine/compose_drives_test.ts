/** Drives: each disk is in exactly one device, and is what the configuration says. */
import { assertEquals, assertThrows } from "@std/assert";
import { Clock } from "../../machine/clock.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { EventHub } from "../../machine/events.ts";
import { Machine } from "../../machine/machine.ts";
import { Drives } from "../../machine/compose_drives.ts";
import { hashOfImage, MemoryImage } from "../../machine/storage/image.ts";
import { counterGuest } from "../journal/guest.ts";

const image = new MemoryImage(new Uint8Array(4096).fill(3));
const sha256 = hashOfImage(image);
const drive = (id: string, more = {}) => ({
  id,
  image: { sha256, size: 4096, name: "disk.img", ...more },
  readOnly: false,
});

function drives(...list: ReturnType<typeof drive>[]): Drives {
  return new Drives(list, new Map([[sha256, image]]), new EventHub(new Clock()));
}

Deno.test("Drives gives each disk to one device", () => {
  const two = drives(drive("a"), drive("b"));
  assertEquals(two.take("b", "one").name, "b");
  const refused = (id: string | undefined, why: string) =>
    assertThrows(() => two.take(id, "two"), ConfigurationError, why);
  refused("b", "one has it");
  refused("c", "the drives are a, b");
  refused(undefined, "drive=ID");
  assertThrows(() => two.refuseUntaken(), ConfigurationError, '"a" is in no device');
  two.take("a", "two");
  two.refuseUntaken();
});

Deno.test("Drives refuses images that are missing, empty or of another size", () => {
  const refused = (more: object, why: string) =>
    assertThrows(() => drives(drive("a", more)), ConfigurationError, why);
  refused({ sha256: "0".repeat(64) }, 'drive "a" "disk.img": the file is missing');
  refused({ size: 8192 }, "it has 4096 bytes, not 8192");
});

Deno.test("Machine refuses a drive that is in no device", () => {
  const guest = counterGuest();
  const configuration = guest.configuration({ drives: [drive("a")] });
  const images = new Map([...guest.images, [sha256, image] as const]);
  assertThrows(() => new Machine(configuration, images), ConfigurationError, "is in no device");
});
