/** The TFTP server: options, windows, loss, and what it refuses. */
import { assertEquals } from "@std/assert";
import { PeerFiles } from "../../../machine/network/peer/files.ts";
import { TftpServer } from "../../../machine/network/peer/tftp.ts";
import { ascii, at16, be16, plug, readUdp, someBytes, udp } from "./support.ts";

const SECOND = 1_000_000_000;
const READ = 1, WRITE = 2, DATA = 3, ACK = 4, ERROR = 5, OACK = 6;

const request = (path: string, options = "", { operation = READ, mode = "octet", port = 2000 } = {}) =>
  udp(port, 69, [0, operation, ...ascii(`${path}\0${mode}\0${options}`)]);

function read(frame: Uint8Array) {
  const { data, sourcePort, port } = readUdp(frame);
  return { sourcePort, port, operation: at16(data, 0), number: at16(data, 2), data: data.subarray(4) };
}

function serve(size: number) {
  const contents = someBytes(size);
  const side = plug({ files: [{ path: "a/file", contents }, { path: "none", contents: new Uint8Array(0) }] });
  const tell = (...frames: Uint8Array[]) => side.ask(...frames).map(read);
  const acknowledge = (transfer: number, number: number, port = 2000) =>
    tell(udp(port, transfer, [0, ACK, ...be16(number)]));
  return { ...side, contents, tell, acknowledge };
}

/** Reads a file to its end, window by window; gives its bytes and the number of frames. */
function readAll(side: ReturnType<typeof serve>, first: Uint8Array, block: number) {
  const bytes: number[] = [];
  let frames = 0;
  for (let answers = side.tell(first); answers.length > 0;) {
    const { sourcePort, operation, number } = answers.at(-1) as (typeof answers)[0];
    for (const { operation, data } of answers) if (operation === DATA) bytes.push(...data);
    frames += answers.length;
    const isLast = operation === DATA && (answers.at(-1)?.data.length ?? 0) < block;
    answers = side.acknowledge(sourcePort, operation === OACK ? 0 : number);
    assertEquals(isLast, answers.length === 0);
  }
  return { bytes, frames };
}

Deno.test("TftpServer sends a file block by block from a port of its own", () => {
  const side = serve(1024);
  const [first] = side.tell(request("a/file"));
  assertEquals([first?.sourcePort, first?.port, first?.operation, first?.number], [0xc000, 2000, DATA, 1]);
  const { bytes, frames } = readAll(side, request("/a/file"), 512);
  assertEquals([bytes, frames], [[...side.contents], 3]);
});

Deno.test("TftpServer sends a file without bytes as one empty block", () => {
  const side = serve(1);
  const [first] = side.tell(request("none"));
  assertEquals([first?.operation, first?.number, first?.data.length], [DATA, 1, 0]);
  assertEquals(side.acknowledge(0xc000, 1), []);
});

Deno.test("TftpServer grants options within its bounds and leaves the others out", () => {
  const { tell } = serve(5000);
  const granted = (options: string) => {
    const [answer] = tell(request("a/file", options));
    if (answer?.operation !== OACK) return undefined;
    return new TextDecoder().decode(Uint8Array.of(...be16(answer.number), ...answer.data)).split("\0").join(
      " ",
    ).trim();
  };
  assertEquals(granted("blksize\x001024\0tsize\x000\0"), "blksize 1024 tsize 5000");
  assertEquals(
    granted("BLKSIZE\x0065464\0windowsize\x0064\0timeout\x003\0"),
    "blksize 1468 timeout 3 windowsize 16",
  );
  assertEquals(granted("blksize\x007\0timeout\x000\0windowsize\x000\0multicast\0\0"), undefined);
  assertEquals(granted("blksize\x00-1\0tsize\x00x\0blksize\0"), undefined);
});

Deno.test("TftpServer sends windows of blocks, whose numbers wrap", () => {
  const contents = someBytes(8 * 70_000), server = new TftpServer(new PeerFiles([{ path: "f", contents }]));
  const datagram = (destinationPort: number, ...payload: number[]) => ({
    ...{ station: 1, source: 2, sourcePort: 2000, destination: 3, destinationPort },
    payload: Uint8Array.from(payload),
  });
  const bytes: number[] = [];
  let count = 0;
  server.request(datagram(69, 0, READ, ...ascii("f\0octet\0blksize\x008\0windowsize\x0016\0")), 0);
  for (
    let number = 0, answers;
    (answers = server.receive(datagram(0xc000, 0, ACK, ...be16(number)), 0))?.length;
  ) {
    for (const { payload } of answers) {
      number = at16(payload, 2);
      assertEquals(number, ++count & 0xffff);
      bytes.push(...payload.subarray(4));
    }
  }
  assertEquals([count, Uint8Array.from(bytes)], [70_001, contents]);
});

Deno.test("TftpServer goes on behind what is acknowledged when part of a window was lost", () => {
  const { tell, acknowledge } = serve(5000);
  tell(request("a/file", "windowsize\x004\0"));
  const numbers = (block: number) => acknowledge(0xc000, block).map(({ number }) => number);
  assertEquals(numbers(0), [1, 2, 3, 4]);
  assertEquals(numbers(2), [3, 4, 5, 6]);
  assertEquals(numbers(2), [3, 4, 5, 6]);
  assertEquals(numbers(7), []);
  assertEquals(numbers(1), []);
  assertEquals(numbers(6), [7, 8, 9, 10]);
});

Deno.test("TftpServer ignores a second acknowledgement of a block, or all would go out twice", () => {
  const { tell, acknowledge } = serve(5000);
  tell(request("a/file"));
  assertEquals(acknowledge(0xc000, 1).map(({ number }) => number), [2]);
  assertEquals(acknowledge(0xc000, 1), []);
});

Deno.test("TftpServer sends again after its timeout, and gives up", () => {
  const { tell, pass, take, clock } = serve(5000);
  tell(request("a/file", "timeout\x002\0"));
  for (let count = 0; count < 5; count++) {
    pass(2 * SECOND);
    assertEquals(take().map((frame) => read(frame).operation), [OACK]);
  }
  pass(2 * SECOND);
  assertEquals([take(), clock.earliestDeadline], [[], Infinity]);
});

Deno.test("TftpServer ends a transfer that the client ends, and begins one anew that it asks for again", () => {
  const { tell, clock } = serve(5000);
  tell(request("a/file"));
  const [again] = tell(request("a/file"));
  assertEquals([again?.sourcePort, again?.number], [0xc001, 1]);
  assertEquals(tell(udp(2000, 0xc001, [0, ERROR, 0, 0, 0])), []);
  assertEquals(clock.earliestDeadline, Infinity);
});

Deno.test("TftpServer says why it refuses", () => {
  const { tell } = serve(5000);
  const code = (frame: Uint8Array) => {
    const [answer] = tell(frame);
    return answer?.operation === ERROR ? answer.number : undefined;
  };
  assertEquals(code(request("missing")), 1);
  assertEquals(code(request("a/../a/file")), 1);
  assertEquals(code(request("a/file", "", { operation: WRITE })), 2);
  assertEquals(code(request("a/file", "", { mode: "netascii" })), 0);
  assertEquals(code(request("a/file", "", { operation: 9 })), 4);
  assertEquals(code(udp(2000, 69, [0, READ, 97])), 4);
  assertEquals(code(udp(2000, 69, [])), 4);
  tell(request("a/file"));
  assertEquals(code(udp(2001, 0xc000, [0, ACK, 0, 1])), 5);
  assertEquals(code(udp(2000, 0xc000, [0, DATA, 0, 1])), 4);
  assertEquals(tell(udp(2000, 0xc000, [0, ACK, 0, 1]), udp(2000, 69, [0, ERROR, 0, 1, 0])), []);
});

Deno.test("TftpServer serves sixteen at once, the newest before the oldest", () => {
  const { tell, acknowledge } = serve(5000);
  for (let index = 0; index < 17; index++) tell(request("a/file", "", { port: 3000 + index }));
  assertEquals(acknowledge(0xc000, 1, 3000), []);
  assertEquals(acknowledge(0xc001, 1, 3001).length, 1);
  assertEquals(acknowledge(0xc010, 1, 3016).length, 1);
});
