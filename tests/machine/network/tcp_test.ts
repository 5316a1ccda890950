/** The TCP server against RFC 9293: handshake, windows, loss, closing from both sides, segments that do not belong. */
import { assert, assertEquals } from "@std/assert";
import { ascii, plug, readTcp, someBytes, tcp } from "./support.ts";
import { type GuestOptions, TcpGuest } from "./tcp_guest.ts";

const SECOND = 1_000_000_000;
const GET = "GET /f HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSING_GET = "GET /f HTTP/1.0\r\n\r\n";

function serve(size = 100_000) {
  const contents = someBytes(size);
  const side = plug({ files: [{ path: "f", contents }] });
  const tell = (...frames: Uint8Array[]) => side.ask(...frames).map(readTcp);
  /** Lets a guest talk for as long as there is something under way, at most so many steps. */
  const talk = (guest: TcpGuest, first: Uint8Array, steps = 10_000): void => {
    side.network.transmit(first);
    const isIdle = () => side.clock.earliestDeadline > side.clock.now + 10 * SECOND;
    for (let count = 0; count < steps && !isIdle() && side.step(); count++) {
      for (const frame of side.take()) for (const answer of guest.take(frame)) side.network.transmit(answer);
    }
  };
  const download = (options: GuestOptions, request = CLOSING_GET) => {
    const guest = new TcpGuest(request, options);
    talk(guest, guest.open());
    return guest;
  };
  /** Opens by hand; gives the number that the server expects acknowledged. */
  const open = (options: Partial<Parameters<typeof tcp>[0]> = {}): number => {
    const [accepted] = tell(tcp({ sequence: 99, flags: "S", options: [2, 4, 5, 180], ...options }));
    const next = ((accepted?.sequence ?? 0) + 1) >>> 0;
    tell(tcp({ sequence: 100, acknowledgement: next, flags: "A", ...options }));
    return next;
  };
  return { ...side, contents, tell, talk, download, open };
}

const bodyOf = (guest: TcpGuest, size: number): number[] => guest.data.slice(guest.data.length - size);

Deno.test("TcpServer accepts with its own segment size and window", () => {
  const { tell } = serve();
  const [accepted] = tell(tcp({ sequence: 0xffff_ffff, flags: "S" }));
  assertEquals([accepted?.flags, accepted?.acknowledgement, accepted?.window], ["SA", 0, 8192]);
  assertEquals(accepted?.options, [2, 4, 0x05, 0xb4]);
});

Deno.test("TcpServer sends all bytes in segments as large as the guest takes", () => {
  const { download, contents } = serve();
  for (const [offered, largest] of [[1460, 1460], [9000, 1460], [536, 536], [1, 64], [0, 536]] as const) {
    const guest = download({ maximumSize: offered, sourcePort: 1000 + offered });
    assertEquals([guest.isClosed, Math.max(...guest.sizes)], [true, largest]);
    assertEquals(bodyOf(guest, contents.length), [...contents]);
  }
});

Deno.test("TcpServer sends every byte although segments are lost", () => {
  const { download, contents } = serve(150_000);
  for (const every of [3, 10, 47]) {
    for (const isForgetful of [false, true]) {
      const guest = download({
        loses: (count) => count % every === every - 1,
        sourcePort: every,
        isForgetful,
      });
      assertEquals(bodyOf(guest, contents.length), [...contents]);
    }
  }
});

Deno.test("TcpServer repairs losses without waiting for its timer", () => {
  const { download, clock, contents } = serve(300_000);
  const guest = download({ loses: (count) => [100, 103, 104].includes(count) });
  assertEquals(bodyOf(guest, contents.length), [...contents]);
  // A second of it is TIME-WAIT.
  assert(clock.now < SECOND + SECOND / 4, `${clock.now} ns`);
});

Deno.test("TcpServer fills the guest's window and no more", () => {
  const { open, tell } = serve();
  const next = open();
  const request = tcp({ sequence: 100, acknowledgement: next, flags: "PA", data: ascii(GET), window: 4000 });
  const sizes = tell(request).map(({ data }) => data.length);
  assertEquals(sizes, [1460, 1460]);
  const more = tell(tcp({ sequence: 128, acknowledgement: next + 2920, flags: "A", window: 1000 }));
  assertEquals(more.map(({ data }) => data.length), [1000]);
});

Deno.test("TcpServer does not believe the window of a segment that is older than another", () => {
  const { open, tell } = serve();
  const next = open();
  const part = (from: number, to: number, window: number) => {
    const data = ascii(GET).slice(from, to), acknowledgement = next;
    return tell(tcp({ sequence: 100 + from, acknowledgement, flags: "PA", data, window }));
  };
  part(0, 10, 1000);
  assertEquals(part(10, 28, 1000).map(({ data }) => data.length), [1000]);
  assertEquals(part(0, 10, 0xffff).map(({ data }) => data.length), [0]);
});

Deno.test("TcpServer probes a window of zero with one byte until it opens", () => {
  const { open, tell, pass, take } = serve();
  const next = open();
  assertEquals(
    tell(tcp({ sequence: 100, acknowledgement: next, flags: "PA", data: ascii(GET), window: 0 })).map((
      { data },
    ) => data.length),
    [0],
  );
  pass(SECOND / 2);
  assertEquals(take().map((frame) => readTcp(frame).data.length), [1]);
  for (let count = 0; count < 20; count++) {
    tell(tcp({ sequence: 128, acknowledgement: next, flags: "A", window: 0 }));
    pass(SECOND / 2);
    assertEquals(take().map((frame) => readTcp(frame).data.length), [1]);
  }
  const opened = tell(tcp({ sequence: 128, acknowledgement: next + 1, flags: "A", window: 3000 }));
  assertEquals(opened.map(({ data }) => data.length), [1460]);
});

Deno.test("TcpServer gives up a guest that is gone, with a reset", () => {
  const { tell, pass, take, clock } = serve();
  tell(tcp({ sequence: 99, flags: "S" }));
  pass(10 * SECOND);
  assertEquals(take().map((frame) => readTcp(frame).flags), [...new Array(8).fill("SA"), "RA"]);
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("TcpServer ends a connection on which nothing happens", () => {
  const { open, pass, take, clock } = serve();
  open();
  pass(119 * SECOND);
  assertEquals(take(), []);
  pass(SECOND);
  assertEquals([take().map((frame) => readTcp(frame).flags), clock.earliestDeadline], [["RA"], Infinity]);
});

Deno.test("TcpServer closes after the guest has, without waiting", () => {
  const { open, tell, clock } = serve();
  const next = open();
  const [end] = tell(tcp({ sequence: 100, acknowledgement: next, flags: "FA" }));
  assertEquals([end?.flags, end?.acknowledgement], ["FA", 101]);
  tell(tcp({ sequence: 101, acknowledgement: next + 1, flags: "A" }));
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("TcpServer answers a request behind which the guest closes its side", () => {
  const { open, tell } = serve(500);
  const next = open();
  const frame = tcp({ sequence: 100, acknowledgement: next, flags: "FPA", data: ascii(GET) });
  const [answer] = tell(frame);
  assertEquals([answer?.acknowledgement, answer?.flags], [129, "PA"]);
  const end = next + (answer?.data.length ?? 0);
  assertEquals(tell(tcp({ sequence: 129, acknowledgement: end, flags: "A" })).map(({ flags }) => flags), [
    "FA",
  ]);
  assertEquals(tell(tcp({ sequence: 129, acknowledgement: end + 1, flags: "A" })), []);
});

Deno.test("TcpServer waits after closing first: it acknowledges a FIN that comes again, and lets the port be used again", () => {
  const { download, tell, clock } = serve(10);
  const guest = download({});
  assertEquals([guest.isClosed, clock.earliestDeadline], [true, Infinity]);
  const { open } = serve(10);
  assert(open() > 0);
  const [accepted] = tell(tcp({ sequence: 5000, flags: "S" }));
  assertEquals(accepted?.flags, "SA");
});

Deno.test("TcpServer keeps TIME-WAIT for a second", () => {
  const { open, tell, clock, pass } = serve(10);
  const next = open();
  const [answer] = tell(tcp({ sequence: 100, acknowledgement: next, flags: "PA", data: ascii(CLOSING_GET) }));
  assertEquals(answer?.flags, "FPA");
  const sequence = 100 + CLOSING_GET.length, end = next + (answer?.data.length ?? 0) + 1;
  const fin = tcp({ sequence, acknowledgement: end, flags: "FA" });
  assertEquals(tell(fin).map(({ flags, acknowledgement }) => [flags, acknowledgement]), [[
    "A",
    sequence + 1,
  ]]);
  assertEquals(tell(fin).map(({ flags }) => flags), ["A"]);
  assertEquals(tell(tcp({ sequence: 9000, flags: "S" })).map(({ flags }) => flags), ["SA"]);
  tell(tcp({ sequence: 9001, acknowledgement: 0, flags: "R" }));
  assertEquals(clock.earliestDeadline, Infinity);
  pass(SECOND);
});

Deno.test("TcpServer answers requests one after another on one connection", () => {
  const { talk, contents } = serve(3000);
  const guest = new TcpGuest(GET + GET);
  talk(guest, guest.open(), 100);
  const text = new TextDecoder("latin1").decode(Uint8Array.from(guest.data));
  assertEquals(text.split("HTTP/1.1 200 OK").length, 3);
  assertEquals(bodyOf(guest, contents.length), [...contents]);
  const before = guest.data.length;
  talk(guest, guest.ask(CLOSING_GET), 100);
  assertEquals([guest.isClosed, guest.data.length > before + 3000], [true, true]);
});

Deno.test("TcpServer takes a request in parts and knows what came before", () => {
  const { open, tell } = serve(10);
  const next = open();
  const part = (from: number, to: number) =>
    tell(tcp({ sequence: 100 + from, acknowledgement: next, flags: "PA", data: ascii(GET).slice(from, to) }));
  assertEquals(part(0, 10).map(({ acknowledgement }) => acknowledgement), [110]);
  assertEquals(part(12, 28).map(({ acknowledgement }) => acknowledgement), [110]);
  assertEquals(part(0, 10).map(({ acknowledgement }) => acknowledgement), [110]);
  const [answer] = part(5, 28);
  assertEquals([answer?.acknowledgement, answer?.flags], [128, "PA"]);
});

Deno.test("TcpServer resets what belongs to no connection, and never a reset", () => {
  const { tell } = serve();
  const flags = (frame: Uint8Array) =>
    tell(frame).map(({ flags, sequence, acknowledgement }) => [flags, sequence, acknowledgement]);
  assertEquals(flags(tcp({ sequence: 5, flags: "S", port: 81 })), [["RA", 0, 6]]);
  assertEquals(flags(tcp({ sequence: 5, flags: "S", destination: [10, 0, 2, 3] })), [["RA", 0, 6]]);
  assertEquals(flags(tcp({ sequence: 5, acknowledgement: 77, flags: "A", data: [1] })), [["R", 77, 0]]);
  assertEquals(flags(tcp({ sequence: 5, flags: "F", data: [1, 2] })), [["RA", 0, 8]]);
  assertEquals(flags(tcp({ sequence: 5, flags: "R" })), []);
  assertEquals(flags(tcp({ sequence: 5, flags: "S", damage: 1 })), []);
});

Deno.test("TcpServer takes a reset only at the number that it expects", () => {
  const { open, tell, clock } = serve();
  const next = open();
  assertEquals(tell(tcp({ sequence: 105, flags: "R" })).map(({ flags }) => flags), ["A"]);
  assertEquals(tell(tcp({ sequence: 20_000, flags: "R" })), []);
  assertEquals(tell(tcp({ sequence: 100, acknowledgement: next, flags: "S" })).map(({ flags }) => flags), [
    "A",
  ]);
  assertEquals(tell(tcp({ sequence: 100, flags: "R" })), []);
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("TcpServer refuses an acknowledgement of what was never sent", () => {
  const { open, tell } = serve();
  const [accepted] = tell(tcp({ sequence: 99, flags: "S", sourcePort: 7 }));
  const wrong = ((accepted?.sequence ?? 0) + 9) >>> 0;
  assertEquals(
    tell(tcp({ sequence: 100, acknowledgement: wrong, flags: "A", sourcePort: 7 })).map(({ flags }) => flags),
    ["R"],
  );
  const next = open();
  assertEquals(
    tell(tcp({ sequence: 100, acknowledgement: next + 1, flags: "A" })).map(({ flags }) => flags),
    ["A"],
  );
});

Deno.test("TcpServer has sixteen connections and takes another when one is over", () => {
  const { tell, open } = serve();
  for (let index = 0; index < 16; index++) open({ sourcePort: 2000 + index });
  assertEquals(tell(tcp({ sequence: 1, flags: "S", sourcePort: 3000 })), []);
  tell(tcp({ sequence: 100, flags: "R", sourcePort: 2003 }));
  assertEquals(tell(tcp({ sequence: 1, flags: "S", sourcePort: 3000 })).length, 1);
});
