/** dpu-provision's parts: images, boot entries, stations on a network, messages, and a small world that is cut once. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { power, systemOf, tasksOf } from "../../../cli/systems/dpu_provision/lives.ts";
import { BMC, DPU, HOST, NEW, OLD, smallWorld } from "../../../cli/systems/dpu_provision/worlds.ts";
import { factoryDisk, partitionOption, ramDiskOption } from "../../../firmware/dpu_provision/boot_entries.ts";
import {
  BODY,
  IMAGE_HEADER,
  installedSystem,
  provisioningImage,
  SYSTEM_HEADER,
} from "../../../firmware/dpu_provision/image.ts";
import { modelBytes, SMALL_DPU } from "../../../firmware/dpu_provision/platform.ts";
import { ucs2 } from "../../../firmware/efi/tables.ts";
import { readMessage, writeMessage } from "../../../world/programs/bmc/messages.ts";
import { WorldSession } from "../../../world/session.ts";
import { buildMessage, parseMessage, parseUri, statusOf } from "../../../world/stations/http.ts";
import { addressOf, newStation, Station } from "../../../world/stations/station.ts";
import type { Connection } from "../../../world/stations/tcp.ts";
import { seededRandom } from "../../journal/support.ts";

const part = (base: number, ...contents: Uint8Array[]) => ({
  entry: base,
  segments: contents.map((bytes, index) => ({ base: base + index * 0x1000, bytes })),
});

Deno.test("provisioningImage has what is in both parts once, and a digest of all behind the headers", () => {
  const shared = new Uint8Array(5000).fill(7), own = Uint8Array.of(1, 2, 3);
  const options = {
    ...{ model: SMALL_DPU, version: 3 },
    installer: part(0x4020_0000, shared, own),
    system: part(0x4030_0000, shared),
  };
  const image = provisioningImage(options), view = new DataView(image.buffer);
  assertEquals(image.length, BODY + 8192);
  const digest = createHash("sha256").update(image.subarray(BODY)).digest("hex");
  for (const header of [0, SYSTEM_HEADER]) {
    assertEquals(
      image.slice(header + IMAGE_HEADER.DIGEST, header + IMAGE_HEADER.DIGEST + 32).toHex(),
      digest,
    );
    const offset = Number(view.getBigUint64(header + IMAGE_HEADER.TABLE, true));
    assertEquals(image.slice(offset, offset + 5000), shared);
  }
  assertEquals(view.getUint32(IMAGE_HEADER.SEGMENTS, true), 2);
  assertEquals(installedSystem(image).slice(0, 512), image.slice(SYSTEM_HEADER, SYSTEM_HEADER + 512));
  const inDisk = { ...options, system: part(SMALL_DPU.ramDisk.base - 16, shared) };
  assertThrows(() => provisioningImage(inDisk), RangeError, "lies in the volatile disk");
  assertThrows(
    () => factoryDisk(SMALL_DPU, new Uint8Array(SMALL_DPU.slotSize + 1)),
    RangeError,
    "does not fit",
  );
  assertThrows(() => modelBytes("a-name-that-is-too-long"), RangeError, "longer than 15 bytes");
});

Deno.test("boot entries are load options with a RAM disk or a partition (UEFI 2.10 §10.3.5)", () => {
  const text = ucs2("System B"), option = partitionOption(SMALL_DPU, 1), view = new DataView(option.buffer);
  const path = 6 + text.length;
  assertEquals([view.getUint32(0, true), view.getUint16(4, true)], [1, 46]);
  assertEquals(option.slice(6, path), text);
  assertEquals([...option.slice(path, path + 4)], [4, 1, 42, 0]);
  assertEquals(view.getBigUint64(path + 8, true), BigInt(SMALL_DPU.slots[1]));
  assertEquals([...option.slice(-4)], [0x7f, 0xff, 4, 0]);
  const disk = ramDiskOption(SMALL_DPU);
  assert(disk.toHex().includes("04092600" + "00008040" + "00000000"));
});

Deno.test("messages of the channel come back as they were written", () => {
  const manifest = { model: "dpu-small", version: 9, size: 12288, sha256: "ab".repeat(32) };
  const { kind, model, size, digest, version } = readMessage(writeMessage("offer", { manifest }))!;
  assertEquals([kind, model, size, digest, version], [17, "dpu-small", 12288, manifest.sha256, 9]);
  assertEquals(readMessage(writeMessage("chunk", { offset: 4096, data: new Uint8Array(16) }))?.offset, 4096);
  assertEquals(readMessage(new Uint8Array(127)), undefined);
});

Deno.test("HTTP messages and URIs are read, and what is none is refused", () => {
  const message = parseMessage(buildMessage("HTTP/1.1 202 Accepted", { A: "b" }, Uint8Array.of(1, 2)));
  assert(typeof message === "object");
  assertEquals([statusOf(message), message.length, message.fields.get("a")], [202, 2, "b"]);
  const bytes = (text: string) => new TextEncoder().encode(text);
  assertEquals(parseMessage(bytes("GET / HTTP/1.1\r\nHost")), undefined);
  assertEquals(parseMessage(bytes("GET / HTTP/1.1\r\nno field\r\n\r\n")), "bad");
  assertEquals(parseMessage(bytes("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")), "bad");
  assertEquals(parseUri("http://10.0.7.2:8080/a"), { host: "10.0.7.2", port: 8080, path: "/a" });
  for (const text of ["ftp://10.0.7.2/", "http://host/a", "http://10.0.7.2", "http://10.0.7.2:99999/"]) {
    assertEquals(parseUri(text), undefined, text);
  }
  assertEquals([addressOf("10.0.7.1"), addressOf("10.0.7")], [0x0a00_0701, undefined]);
});

/** Two stations on a wire that loses frames; gives what arrived at the server, and how connections ended. */
function converse(seed: number, lossPercent: number, sent: Uint8Array) {
  const random = seededRandom(seed), arrived: number[] = [], endings: string[] = [];
  let now = 0, wire: { readonly to: number; readonly frame: Uint8Array }[] = [];
  const stations: Station[] = [1, 2].map((number) =>
    new Station(newStation(), {
      ...{ address: number, station: 2 * number, listens: [80] },
      times: { retransmission: 1000, idle: 100_000 },
      transmit: (frame) => {
        if (random(100) >= lossPercent) wire.push({ to: 2 - number, frame });
      },
      now: () => now,
      arrived: ({ isClient }, data) => void (isClient || arrived.push(...data)),
      ended: (connection: Connection) => {
        if (!connection.isClient) stations[number - 1]!.send(connection.id, new Uint8Array(0), true);
      },
      over: ({ isClient }, why) => void endings.push(`${isClient ? "client" : "server"} ${why}`),
    })
  );
  const [client] = stations as [Station, Station];
  client.send(client.connect(2, 80), sent, true);
  for (; now < 1_000_000; now += 10) {
    const frames = wire;
    wire = [];
    for (const { to, frame } of frames) stations[to]!.received(frame);
    for (const station of stations) if (station.deadline <= now) station.expire();
  }
  return { arrived: Uint8Array.from(arrived), endings: endings.sort() };
}

Deno.test("law: stations carry all bytes in order, however many frames are lost", () => {
  const sent = Uint8Array.from({ length: 100_000 }, (_, at) => at * 7 + (at >> 8));
  assertEquals(converse(1, 0, sent), { arrived: sent, endings: ["client closed", "server closed"] });
  const { arrived } = converse(2, 8, sent);
  assertEquals(arrived, sent, "seed 2, 8 % lost");
});

Deno.test("a DPU is provisioned; without power in the middle it boots what it had, and is provisioned then", () => {
  const { world, images } = smallWorld({ padding: 0x1000, bmc: { chunk: 4096 } });
  const session = new WorldSession(world, { images, engine: "threaded" }), start = session.mark();
  session.run(100e6);
  assertEquals([systemOf(session.consoles[DPU]!), tasksOf(session)[0]?.state], [NEW, "Completed"]);
  session.returnTo(start);
  // The installer is writing.
  session.run(1_300_000);
  for (const node of [HOST, BMC, DPU]) session.give(power(1_300_000, node, false));
  session.give(power(1_400_000, DPU, true));
  session.run(10e6);
  assertEquals(systemOf(session.consoles[DPU]!), OLD);
  session.give(power(10e6, BMC, true));
  session.run(100e6);
  assertEquals([systemOf(session.consoles[DPU]!), tasksOf(session)[0]?.state], [NEW, "Completed"]);
});
