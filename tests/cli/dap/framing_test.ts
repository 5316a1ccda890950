/** Messages in streams of bytes, whole, in pieces and malformed. */
import { assertEquals } from "@std/assert";
import { encodeMessage, type Incoming, MessageReader } from "../../../cli/dap/framing.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function read(...pieces: readonly Uint8Array[]): Incoming[] {
  const reader = new MessageReader();
  return pieces.flatMap((piece) => [...reader.push(piece)]);
}

Deno.test("MessageReader gives messages however they are cut", () => {
  const values = [{ a: 1 }, { text: "ä ∑ \u{1f600}" }, []];
  const all = Uint8Array.from(values.flatMap((value) => [...encodeMessage(value)]));
  for (const size of [1, 2, 7, 1000]) {
    const pieces = Array.from(
      { length: Math.ceil(all.length / size) },
      (_, at) => all.slice(at * size, (at + 1) * size),
    );
    assertEquals(read(...pieces), values.map((value) => ({ kind: "message", value })));
  }
});

Deno.test("MessageReader takes other headers, in any case", () => {
  const message = bytes(
    "content-length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}",
  );
  assertEquals(read(message), [{ kind: "message", value: {} }]);
});

Deno.test("MessageReader says what is malformed and goes on behind it", () => {
  const rows: [string, RegExp][] = [
    ["Content-Length: 3\r\n\r\n{x}", /no JSON/],
    ["Length: 3\r\n\r\n", /no Content-Length/],
    ["Content-Length: 99999999\r\n\r\n", /longer than/],
    ["Content-Length: -1\r\n\r\n", /no Content-Length/],
    ["x".repeat(5000) + "\r\n\r\n", /No message begins/],
  ];
  for (const [text, reason] of rows) {
    const found = read(bytes(text), encodeMessage({ after: 1 }));
    assertEquals(found.filter(({ kind }) => kind === "malformed").length >= 1, true, text);
    assertEquals(found[0]?.kind === "malformed" && reason.test(found[0].reason), true, text);
    if (!text.startsWith("x")) assertEquals(found.at(-1), { kind: "message", value: { after: 1 } });
  }
});
