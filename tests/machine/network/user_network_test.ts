/** The inner network from frame to frame: addresses, time on the wire, events, snapshots, and frames that make no sense. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { IMAGE_CHUNK_SIZE } from "../../../machine/storage/block.ts";
import {
  ascii,
  at16,
  be16,
  checkPacket,
  ethernet,
  EVERYONE,
  GATEWAY,
  GATEWAY_MAC,
  GUEST,
  GUEST_MAC,
  icmp,
  ipv4,
  NAME_SERVER,
  NAME_SERVER_MAC,
  plug,
  randomFrom,
  readUdp,
  someBytes,
  tcp,
  udp,
} from "./support.ts";
import { TcpGuest } from "./tcp_guest.ts";

const arp = (target: readonly number[], operation = 1) =>
  ethernet(0x0806, [
    ...[0, 1, 8, 0, 6, 4, 0, operation, ...GUEST_MAC, ...GUEST, 0, 0, 0, 0, 0, 0, ...target],
  ], { to: EVERYONE });

Deno.test("UserNetwork answers ARP for its two addresses and no other", () => {
  const { ask } = plug();
  const [reply] = ask(arp(GATEWAY)) as [Uint8Array];
  assertEquals([...reply], [
    ...[...GUEST_MAC, ...GATEWAY_MAC, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2],
    ...[...GATEWAY_MAC, ...GATEWAY, ...GUEST_MAC, ...GUEST],
  ]);
  assertEquals([...(ask(arp(NAME_SERVER))[0] as Uint8Array).subarray(22, 28)], [...NAME_SERVER_MAC]);
  assertEquals(ask(arp(GUEST), arp([10, 0, 2, 4]), arp(GATEWAY, 2)), []);
});

Deno.test("UserNetwork answers echo requests with their own bytes", () => {
  const { ask } = plug();
  const rest = [...be16(7), ...be16(1), ...ascii("abcdefghijklmnopqrstuvw")];
  const [reply] = ask(icmp(8, 0, rest)) as [Uint8Array];
  checkPacket(reply);
  assertEquals([reply[34], [...reply.subarray(38)]], [0, rest]);
  assertEquals(ask(icmp(8, 0, rest, { damage: 1 }), icmp(0, 0, rest), icmp(8, 1, rest)), []);
});

Deno.test("UserNetwork says which destinations cannot be reached", () => {
  const { ask } = plug();
  const code = (frame: Uint8Array) => {
    const [reply] = ask(frame);
    if (reply === undefined) return undefined;
    checkPacket(reply);
    assertEquals([...reply.subarray(42, 70)], [...frame.subarray(14, 42)]);
    return [reply[34], reply[35], [...reply.subarray(26, 30)]];
  };
  assertEquals(code(udp(5000, 9, [1, 2, 3])), [3, 3, [...GATEWAY]]);
  assertEquals(code(udp(5000, 69, [1], { destination: NAME_SERVER })), [3, 3, [...NAME_SERVER]]);
  assertEquals(code(udp(5000, 53, [1], { destination: [8, 8, 8, 8] })), [3, 0, [...GATEWAY]]);
  assertEquals(code(icmp(8, 0, [0, 1, 0, 1], { destination: [1, 1, 1, 1] })), [3, 0, [...GATEWAY]]);
  assertEquals(code(ipv4(50, someBytes(8))), [3, 2, [...GATEWAY]]);
  for (
    const silent of [
      icmp(3, 0, someBytes(32), { destination: [1, 1, 1, 1] }),
      udp(5000, 9, [1], { destination: [10, 0, 2, 255], to: EVERYONE }),
      udp(5000, 9, [1], { destination: [224, 0, 0, 251], to: [1, 0, 0x5e, 0, 0, 251] }),
      udp(5000, 9, [1], { source: [0, 0, 0, 0] }),
    ]
  ) assertEquals(ask(silent), []);
});

Deno.test("UserNetwork drops what is damaged, a fragment, dead or for another station", () => {
  const { ask } = plug();
  const rest = [0, 1, 0, 1];
  const good = icmp(8, 0, rest);
  assertEquals(ask(good).length, 1);
  const damaged = good.slice();
  damaged[24] = 7;
  for (
    const frame of [
      damaged,
      icmp(8, 0, rest, { fragment: 0x2000 }),
      icmp(8, 0, rest, { fragment: 1 }),
      icmp(8, 0, rest, { timeToLive: 0 }),
      icmp(8, 0, rest, { to: [2, 0, 0, 0, 0, 1] }),
      icmp(8, 0, rest, { from: EVERYONE }),
      good.subarray(0, 30),
      new Uint8Array(0),
      Uint8Array.of(...good, ...new Uint8Array(1500)),
    ]
  ) assertEquals(ask(frame), []);
  assertEquals(ask(Uint8Array.of(...good, 0, 0, 0, 0))[0]?.length, good.length);
});

Deno.test("UserNetwork delivers after its latency, one frame behind another", () => {
  const { network, clock, take, step } = plug();
  const frame = icmp(8, 0, someBytes(1000));
  network.transmit(frame);
  network.transmit(frame);
  const bits = (frame.length + 24) * 8;
  assertEquals(clock.earliestDeadline, 20_000 + bits);
  step();
  assertEquals([take().length, clock.earliestDeadline], [1, 20_000 + 2 * bits]);
  step();
  assertEquals([take().length, clock.earliestDeadline], [1, Infinity]);
});

Deno.test("UserNetwork tells of every frame in both directions", () => {
  const { ask, told, clock } = plug();
  const frame = icmp(8, 0, [0, 1, 0, 1]);
  const [reply] = ask(frame);
  assertEquals(told.map(({ kind }) => kind), ["networkFrameTransmitted", "networkFrameDelivered"]);
  assertEquals(told.map((event) => "bytes" in event ? event.bytes : undefined), [frame, reply]);
  assert(clock.now > 0);
});

Deno.test("UserNetwork loses frames when too many are on the way", () => {
  const { network, take, pass } = plug();
  for (let index = 0; index < 1100; index++) network.transmit(icmp(8, 0, be16(index).concat(0, 0)));
  pass(1_000_000_000);
  const replies = take();
  assertEquals([replies.length, at16(replies.at(-1) as Uint8Array, 38)], [1024, 1023]);
});

/** Reads a file over HTTP with every byte of the section looked at `restoreEvery` steps; 0 for never. */
function download(restoreEvery: number): { text: number[]; sections: string[]; times: number[] } {
  const files = [{ path: "f", contents: someBytes(200_000, 7) }];
  let side = plug({ files });
  const guest = new TcpGuest("GET /f HTTP/1.0\r\n\r\n", { loses: (count) => count % 29 === 28 });
  side.network.transmit(guest.open());
  side.network.transmit(udp(3000, 69, [0, 1, ...ascii("f\0octet\0windowsize\x008\0")]));
  const sections: string[] = [], times: number[] = [];
  for (let count = 0; count < 3000 && side.step(); count++) {
    for (const frame of side.take()) {
      times.push(side.clock.now);
      if (frame[23] === 6) { for (const answer of guest.take(frame)) side.network.transmit(answer); }
    }
    if (count % 100 === 0) sections.push(side.network.save().bytes.join());
    if (restoreEvery === 0 || count % restoreEvery !== 0) continue;
    const saved = side.network.save(), clock = side.clock.save();
    side = plug({ files });
    side.network.restore(saved);
    side.clock.restore(clock);
    assertEquals(side.network.save(), saved);
  }
  return { text: guest.data, sections, times };
}

Deno.test("UserNetwork.restore goes on in the middle of transfers as if nothing had been", () => {
  const plain = download(0), restored = download(7);
  assertEquals(plain.text.length > 200_000, true);
  assertEquals(restored, plain);
});

Deno.test("UserNetwork.restore refuses the state of a network with other files", () => {
  const { network } = plug({ files: [{ path: "f", contents: someBytes(2000) }] });
  network.transmit(udp(3000, 69, [0, 1, ...ascii("f\0octet\0")]));
  const other = plug();
  const section = network.save();
  // An empty network has one content, the list of its root.
  assertEquals(other.network.restore(section), undefined);
  const { network: third } = plug({
    files: [{ path: "a", contents: someBytes(1) }, { path: "b", contents: someBytes(2) }],
  });
  third.transmit(udp(3000, 69, [0, 1, ...ascii("b\0octet\0")]));
  assertThrows(() => other.network.restore(third.save()), RangeError, "Cannot serve content 1: there are 1");
});

Deno.test("UserNetwork.reset forgets everything", () => {
  const { network, clock, ask } = plug({ files: [{ path: "f", contents: someBytes(2000) }] });
  const before = network.save();
  ask(udp(3000, 69, [0, 1, ...ascii("f\0octet\0")]), tcp({ sequence: 1, flags: "S" }));
  network.transmit(icmp(8, 0, [0, 1, 0, 1]));
  network.reset();
  assertEquals([network.save(), clock.earliestDeadline], [before, Infinity]);
});

Deno.test("UserNetwork serves images chunk by chunk", () => {
  const size = IMAGE_CHUNK_SIZE + 700, whole = someBytes(size), asked: number[] = [];
  const chunk = (index: number) => {
    asked.push(index);
    return whole.slice(index * IMAGE_CHUNK_SIZE, (index + 1) * IMAGE_CHUNK_SIZE);
  };
  const { network, step, take } = plug({ files: [{ path: "disk", contents: { size, chunk } }] });
  const guest = new TcpGuest(`GET /disk HTTP/1.0\r\nRange: bytes=${IMAGE_CHUNK_SIZE - 1000}-\r\n\r\n`);
  network.transmit(guest.open());
  while (!guest.isClosed && step()) {
    for (const frame of take()) for (const answer of guest.take(frame)) network.transmit(answer);
  }
  assertEquals(guest.data.slice(-1700), [...whole.slice(-1700)]);
  assertEquals([...new Set(asked)], [0, 1]);
});

/** A frame that is nearly right: bytes changed, cut or made up. */
function fuzzedFrame(next: (below: number) => number): Uint8Array {
  const ports = [67, 53, 69, 80, 0xc000, 1234];
  const port = ports[next(ports.length)] as number;
  const data = someBytes(next(100), next(2 ** 31));
  if (next(2)) data[0] = 0;
  if (next(2)) data[1] = next(7);
  const options = { destination: next(4) ? GATEWAY : NAME_SERVER, to: next(4) ? GATEWAY_MAC : EVERYONE };
  const kinds = [
    () => data,
    () => udp(next(4), port, data, options),
    () => icmp(next(10), next(2), data, options),
    () => ipv4(next(20), data, options),
    () => arp(next(2) ? GATEWAY : GUEST, next(3)),
    () =>
      tcp({
        sequence: next(64),
        acknowledgement: next(64),
        flags: ["S", "A", "FA", "PA", "R", "SFA"][next(6)] as string,
        sourcePort: next(40),
        data,
        window: next(3) * next(30000),
        options: data.subarray(0, 4 * next(9)),
      }),
    () =>
      udp(68, 67, [
        1,
        1,
        6,
        0,
        ...data.subarray(0, 24),
        2,
        0,
        0,
        0,
        0,
        next(40),
        ...new Uint8Array(202),
        99,
        130,
        83,
        99,
        53,
        1,
        next(9),
        ...data,
      ]),
    () => udp(next(40), 69, [0, next(6), ...ascii("f\0octet\0blksize\x008\0windowsize\x0064\0"), ...data]),
  ];
  const frame = (kinds[next(kinds.length)] as () => Uint8Array)();
  if (next(3) === 0 && frame.length > 0) frame[next(frame.length)] = next(256);
  return next(8) ? frame : frame.subarray(0, next(frame.length + 1));
}

const FRAMES = Number(Deno.env.get("FUZZED_FRAMES") ?? 5_000);

Deno.test(`UserNetwork takes ${FRAMES} fuzzed frames with bounded state`, () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  console.log(`seed ${seed}`);
  const next = randomFrom(seed);
  const { network, pass, take } = plug({ files: [{ path: "f", contents: someBytes(5000) }], bootFile: "f" });
  let most = 0, count = 0;
  for (let index = 0; index < FRAMES; index++) {
    network.transmit(fuzzedFrame(next));
    if (next(10) === 0) pass(next(1_000_000));
    if (next(1000) === 0) pass(next(2_000_000_000));
    for (const frame of take()) {
      count++;
      if (at16(frame, 12) === 0x0800) checkPacket(frame);
    }
    if (index % 1000 === 0) most = Math.max(most, network.save().bytes.length);
  }
  assert(count > FRAMES / 10, `${count} answers`);
  assert(most < 2 * 2 ** 20, `${most} bytes`);
});

Deno.test("readUdp finds what the peer got wrong", () => {
  const { ask } = plug();
  const [reply] = ask(icmp(8, 0, [0, 1, 0, 1])) as [Uint8Array];
  (reply as Uint8Array)[40] = 9;
  assertThrows(() => readUdp(reply as Uint8Array), Error, "bad checksum");
});
