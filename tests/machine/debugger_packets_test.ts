/** Tests of packets on the wire. */
import { assertEquals } from "@std/assert";
import {
  encodePacket,
  type Incoming,
  latin1,
  latin1Bytes,
  PACKET_SIZE,
  PacketReader,
} from "../../machine/debugger_packets.ts";
import { SEED, seededRandom } from "../journal/support.ts";

const read = (text: string): Incoming[] => new PacketReader().push(latin1Bytes(text));

Deno.test("encodePacket frames a payload with its checksum", () => {
  assertEquals(latin1(encodePacket("OK")), "$OK#9a");
  assertEquals(latin1(encodePacket("")), "$#00");
  assertEquals(latin1(encodePacket("a#b")), "$a}\x03b#" + ((0x61 + 0x7d + 0x03 + 0x62) & 0xff).toString(16));
});

Deno.test("PacketReader takes packets, acknowledgements and interrupts, and passes over the rest", () => {
  assertEquals(read("+$g#67\x03-xx$OK#9A"), [
    { kind: "acknowledged" },
    { kind: "packet", payload: "g" },
    { kind: "interrupt" },
    { kind: "refused" },
    { kind: "packet", payload: "OK" },
  ]);
});

Deno.test("PacketReader refuses a wrong checksum, an escape of nothing and a payload too long", () => {
  assertEquals(read("$g#68"), [{ kind: "damaged" }]);
  assertEquals(read("$g#6x"), [{ kind: "damaged" }]);
  assertEquals(read("$}#7d"), [{ kind: "damaged" }]);
  const long = latin1(encodePacket("a".repeat(PACKET_SIZE + 1)));
  assertEquals(read(`${long}$?#3f`), [{ kind: "damaged" }, { kind: "packet", payload: "?" }]);
});

Deno.test("PacketReader begins anew at a dollar, and 3 within a packet is no interrupt", () => {
  assertEquals(read("$m12$?#3f"), [{ kind: "packet", payload: "?" }]);
  assertEquals(read("$X\x03#5b"), [{ kind: "packet", payload: "X\x03" }]);
});

Deno.test("PacketReader reads what encodePacket writes, in any pieces", () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 200; round++) {
    const payload = latin1(Uint8Array.from({ length: random(40) }, () => random(256)));
    const wire = encodePacket(payload), reader = new PacketReader(), found: Incoming[] = [];
    for (let at = 0; at < wire.length;) {
      const size = 1 + random(5);
      found.push(...reader.push(wire.subarray(at, at + size)));
      at += size;
    }
    assertEquals(found, [{ kind: "packet", payload }], `seed ${SEED}, round ${round}`);
  }
});
