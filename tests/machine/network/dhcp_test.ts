/** The DHCP server: what is lent to whom, and where answers go. */
import { assertEquals } from "@std/assert";
import {
  ascii,
  at16,
  at32,
  be32,
  EVERYONE,
  GATEWAY,
  GUEST,
  GUEST_MAC,
  plug,
  readUdp,
  udp,
} from "./support.ts";

const DISCOVER = 1, OFFER = 2, REQUEST = 3, DECLINE = 4, ACK = 5, NAK = 6, RELEASE = 7, INFORM = 8;
const NOBODY = [0, 0, 0, 0];
const DAY = 86_400_000_000_000;

interface Message {
  readonly type: number;
  readonly station?: readonly number[];
  readonly client?: readonly number[];
  readonly isBroadcast?: boolean;
  readonly options?: readonly number[];
  readonly relay?: readonly number[];
  readonly cookie?: number;
}

function message(options: Message): Uint8Array {
  const { type, station = GUEST_MAC, client = NOBODY, isBroadcast = false, relay = NOBODY, cookie = 99 } =
    options;
  const bytes = [
    ...[
      1,
      1,
      6,
      0,
      ...be32(0x12345678),
      0,
      0,
      isBroadcast ? 0x80 : 0,
      0,
      ...client,
      ...NOBODY,
      ...NOBODY,
      ...relay,
    ],
    ...[...station, ...new Array(10 + 64 + 128).fill(0), cookie, 130, 83, 99],
    ...[0, 53, 1, type, ...options.options ?? [], 255],
  ];
  return udp(68, 67, bytes, {
    from: station,
    to: EVERYONE,
    source: client,
    destination: [255, 255, 255, 255],
  });
}

const wants = (last: number): number[] => [50, 4, 10, 0, 2, last];
const server = (last: number): number[] => [54, 4, 10, 0, 2, last];

function read(frame: Uint8Array | undefined) {
  if (frame === undefined) return undefined;
  const { data, ...rest } = readUdp(frame);
  const options = new Map<number, number[]>();
  for (let at = 240; data[at] !== 255; at += 2 + (data[at + 1] as number)) {
    options.set(data[at] as number, [...data.subarray(at + 2, at + 2 + (data[at + 1] as number))]);
  }
  const text = (at: number) => new TextDecoder().decode(data.subarray(at, data.indexOf(0, at)));
  return {
    ...rest,
    size: data.length,
    transaction: at32(data, 4),
    flags: at16(data, 10),
    client: [...data.subarray(12, 16)],
    address: [...data.subarray(16, 20)],
    nextServer: [...data.subarray(20, 24)],
    station: [...data.subarray(28, 34)],
    file: text(108),
    type: options.get(53)?.[0],
    options,
  };
}

function serve(bootFile?: string) {
  const side = plug({ bootFile });
  return { ...side, tell: (options: Message) => read(side.ask(message(options))[0]) };
}

Deno.test("DhcpServer offers and lends an address with all that belongs to it", () => {
  const { tell } = serve("boot/grub.efi");
  const offer = tell({ type: DISCOVER });
  assertEquals([offer?.type, offer?.address, offer?.nextServer, offer?.transaction], [OFFER, [...GUEST], [
    ...GATEWAY,
  ], 0x12345678]);
  assertEquals([offer?.to, offer?.destination, offer?.port, offer?.file], [
    [...GUEST_MAC],
    [...GUEST],
    68,
    "boot/grub.efi",
  ]);
  const lent = tell({ type: REQUEST, options: [...wants(15), ...server(2)] });
  assertEquals(lent?.type, ACK);
  assertEquals(
    [...lent?.options ?? []].filter(([number]) => number !== 53),
    [
      [54, [...GATEWAY]],
      [51, be32(86400)],
      [1, [255, 255, 255, 0]],
      [3, [...GATEWAY]],
      [6, [10, 0, 2, 3]],
      [12, ascii("guest")],
      [28, [10, 0, 2, 255]],
      [66, ascii("10.0.2.2")],
      [67, ascii("boot/grub.efi")],
    ],
  );
  assertEquals((lent?.size ?? 0) >= 300, true);
});

Deno.test("DhcpServer answers to all when the client cannot take unicast", () => {
  const { tell } = serve();
  const offer = tell({ type: DISCOVER, isBroadcast: true });
  assertEquals([offer?.to, offer?.destination, offer?.flags], [[...EVERYONE], [255, 255, 255, 255], 0x8000]);
  assertEquals([offer?.file, offer?.options.has(67)], ["", false]);
});

Deno.test("DhcpServer renews an address at the address itself", () => {
  const { tell } = serve();
  tell({ type: DISCOVER });
  tell({ type: REQUEST, options: wants(15) });
  const renewed = tell({ type: REQUEST, client: GUEST, isBroadcast: true });
  assertEquals([renewed?.type, renewed?.destination, renewed?.client], [ACK, [...GUEST], [...GUEST]]);
});

Deno.test("DhcpServer refuses an address that is not the client's, to all", () => {
  const { tell } = serve();
  tell({ type: DISCOVER });
  const refused = tell({ type: REQUEST, options: wants(16) });
  assertEquals([refused?.type, refused?.address, refused?.to], [NAK, NOBODY, [...EVERYONE]]);
  assertEquals(tell({ type: REQUEST, client: [192, 168, 0, 7] })?.type, NAK);
  assertEquals(tell({ type: REQUEST, options: wants(15) })?.type, ACK);
});

Deno.test("DhcpServer lends each station its own address, sixteen in all", () => {
  const { tell } = serve();
  const station = (index: number) => [2, 0, 0, 0, 0, index];
  for (let index = 0; index < 16; index++) {
    assertEquals(tell({ type: REQUEST, station: station(index), options: wants(15 + index) })?.type, ACK);
  }
  assertEquals(tell({ type: DISCOVER, station: station(3) })?.address, [10, 0, 2, 18]);
  assertEquals(tell({ type: DISCOVER, station: station(16) }), undefined);
  assertEquals(tell({ type: REQUEST, station: station(16), options: wants(31) })?.type, NAK);
  tell({ type: RELEASE, station: station(5), client: [10, 0, 2, 20] });
  assertEquals(tell({ type: DISCOVER, station: station(16) })?.address, [10, 0, 2, 20]);
});

Deno.test("DhcpServer lends an address again when its time is over", () => {
  const { tell, pass } = serve();
  const other = [2, 0, 0, 0, 0, 9];
  tell({ type: DISCOVER });
  pass(59_000_000_000);
  assertEquals(tell({ type: DISCOVER, station: other })?.address, [10, 0, 2, 16]);
  tell({ type: REQUEST, options: wants(15) });
  pass(DAY - 1_000_000_000);
  assertEquals(tell({ type: DISCOVER, station: [2, 0, 0, 0, 0, 10] })?.address, [10, 0, 2, 16]);
  pass(1_000_000_000);
  assertEquals(tell({ type: DISCOVER, station: [2, 0, 0, 0, 0, 11] })?.address, [10, 0, 2, 15]);
});

Deno.test("DhcpServer leaves a declined address alone, and gives back one that another server lent", () => {
  const { tell } = serve();
  tell({ type: DISCOVER });
  assertEquals(tell({ type: DECLINE, options: wants(15) }), undefined);
  assertEquals(tell({ type: DISCOVER })?.address, [10, 0, 2, 16]);
  assertEquals(tell({ type: REQUEST, options: [...wants(77), ...server(4)] }), undefined);
  assertEquals(tell({ type: DISCOVER, station: [2, 0, 0, 0, 0, 9] })?.address, [10, 0, 2, 16]);
});

Deno.test("DhcpServer informs who has an address, without lending one", () => {
  const { tell } = serve();
  const informed = tell({ type: INFORM, client: [10, 0, 2, 99] });
  assertEquals([informed?.type, informed?.address, informed?.destination, informed?.options.has(51)], [
    ACK,
    NOBODY,
    [10, 0, 2, 99],
    false,
  ]);
});

Deno.test("DhcpServer names a boot file by its address to who boots by HTTP", () => {
  const { tell } = serve("a.efi");
  const options = [60, 21, ...ascii("HTTPClient:Arch:00019")];
  const offer = tell({ type: DISCOVER, options });
  assertEquals(offer?.options.get(60), ascii("HTTPClient"));
  assertEquals(offer?.options.get(67), ascii("http://10.0.2.2/a.efi"));
});

Deno.test("DhcpServer is silent to what is none of its clients' messages", () => {
  const { tell, ask } = serve();
  assertEquals(tell({ type: OFFER }), undefined);
  assertEquals(tell({ type: DISCOVER, relay: [10, 0, 2, 9] }), undefined);
  assertEquals(tell({ type: DISCOVER, cookie: 98 }), undefined);
  assertEquals(ask(udp(68, 67, new Uint8Array(240), { to: EVERYONE })), []);
});
