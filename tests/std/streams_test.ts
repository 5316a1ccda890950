/** The stream helpers join what was cut apart, wherever the cut fell. */
import { assertEquals } from "@std/assert";
import { TextLineStream, toArrayBuffer, toJson, toText } from "@std/streams";

const bytes = new TextEncoder().encode('{"text":"größer"}');

Deno.test("toText() joins bytes cut inside a character", async () => {
  for (let cut = 0; cut <= bytes.length; cut++) {
    const stream = ReadableStream.from([bytes.slice(0, cut), bytes.slice(cut)]);
    assertEquals(await toText(stream), '{"text":"größer"}');
  }
});

Deno.test("toText() joins strings", async () => {
  assertEquals(await toText(ReadableStream.from(["a", "", "b"])), "ab");
});

Deno.test("toArrayBuffer() joins chunks", async () => {
  const buffer = await toArrayBuffer(ReadableStream.from([bytes.slice(0, 3), bytes.slice(3)]));
  assertEquals(new Uint8Array(buffer), bytes);
});

Deno.test("toJson() parses the whole stream", async () => {
  assertEquals(await toJson(ReadableStream.from([bytes])), { text: "größer" });
});

/** The lines of a text fed whole, and one character at a time. */
async function lines(text: string, allowCR: boolean): Promise<string[]> {
  const read = (chunks: string[]) =>
    Array.fromAsync(ReadableStream.from(chunks).pipeThrough(new TextLineStream({ allowCR })));
  const whole = await read([text]);
  assertEquals(await read([...text]), whole);
  return whole;
}

Deno.test("TextLineStream ends lines at LF and CRLF, and has no empty last line", async () => {
  assertEquals(await lines("a\r\nb\n\nc\rd\n", false), ["a", "b", "", "c\rd"]);
  assertEquals(await lines("a\nb", false), ["a", "b"]);
});

Deno.test("TextLineStream ends lines at a lone CR where allowCR is set", async () => {
  assertEquals(await lines("a\rb\r\nc\r", true), ["a", "b", "c"]);
});
