/** The name server, question by question. */
import { assertEquals } from "@std/assert";
import { ascii, at16, be16, be32, NAME_SERVER, NAME_SERVER_MAC, plug, readUdp, udp } from "./support.ts";

const A = 1, PTR = 12, AAAA = 28, ANY = 255;
const to = { destination: NAME_SERVER, to: NAME_SERVER_MAC };

const nameOf = (
  name: string,
): number[] => [...name.split(".").flatMap((part) => [part.length, ...ascii(part)]), 0];
const question = (name: string, type: number, inClass = 1): number[] => [
  ...nameOf(name),
  ...be16(type),
  ...be16(inClass),
];

function query(body: readonly number[], { flags = 0x0100, questions = 1 } = {}): Uint8Array {
  return udp(4000, 53, [...be16(0x77), ...be16(flags), ...be16(questions), 0, 0, 0, 0, 0, 0, ...body], to);
}

function read(frame: Uint8Array | undefined) {
  if (frame === undefined) return undefined;
  const { data, port } = readUdp(frame);
  const [id, flags, questions, answers] = [0, 2, 4, 6].map((at) => at16(data, at));
  return { port, id, flags, questions, answers, rest: [...data.subarray(12)] };
}

const ADDRESS = [0xc0, 0x0c, 0, 1, 0, 1, ...be32(86400), 0, 4, 10, 0, 2, 2];

Deno.test("answerDns knows the peer by two names, in any case", () => {
  const { ask } = plug();
  for (const name of ["hindsight", "peer.hindsight", "HindSight"]) {
    const body = question(name, A);
    const expected = {
      port: 4000,
      id: 0x77,
      flags: 0x8580,
      questions: 1,
      answers: 1,
      rest: [...body, ...ADDRESS],
    };
    assertEquals(read(ask(query(body))[0]), expected);
  }
  assertEquals(read(ask(query(question("hindsight", ANY)))[0])?.answers, 1);
});

Deno.test("answerDns says that the peer has no other records, and that there are no other names", () => {
  const { ask } = plug();
  const flags = (body: readonly number[]) => {
    const { answers, flags, rest } = read(ask(query(body))[0]) ?? {};
    assertEquals([answers, rest], [0, [...body]]);
    return flags;
  };
  assertEquals(flags(question("hindsight", AAAA)), 0x8580);
  assertEquals(flags(question("www.example.org", A)), 0x8583);
  assertEquals(flags(question("2.2.0.10.in-addr.arpa", PTR)), 0x8583);
  assertEquals(flags(question("hindsight", A, 3)), 0x8583);
  assertEquals(flags([0, ...be16(A), ...be16(1)]), 0x8583);
});

Deno.test("answerDns refuses other operations and questions that it cannot read", () => {
  const { ask } = plug();
  const code = (frame: Uint8Array) => (read(ask(frame)[0])?.flags ?? -1) & 15;
  assertEquals(code(query(question("hindsight", A), { flags: 0x2800 })), 4);
  assertEquals(code(query(question("hindsight", A), { questions: 2 })), 1);
  assertEquals(code(query([0xc0, 12, 0, 1, 0, 1])), 1);
  assertEquals(code(query([9, ...ascii("hind")])), 1);
  assertEquals(code(query(nameOf("hindsight"))), 1);
  assertEquals(code(query([...nameOf(new Array(60).fill("long").join(".")), 0, 1, 0, 1])), 1);
});

Deno.test("answerDns is silent to answers and to what is no message", () => {
  const { ask } = plug();
  assertEquals(ask(query(question("hindsight", A), { flags: 0x8000 })), []);
  assertEquals(ask(udp(4000, 53, [1, 2, 3], to)), []);
});
