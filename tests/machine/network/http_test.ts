/** The HTTP server, request by request. */
import { assertEquals } from "@std/assert";
import { PeerFiles } from "../../../machine/network/peer/files.ts";
import { answerHttp } from "../../../machine/network/peer/http.ts";
import { assertThrows } from "@std/assert";
import { ConfigurationError } from "../../../machine/errors.ts";
import { ascii, someBytes } from "./support.ts";

const FILES = new PeerFiles(
  ["kernel", "dir/b", "dir/a b", "dir/deep/c", "empty"].map((path) => ({
    path,
    contents: path === "empty" ? new Uint8Array(0) : Uint8Array.from(ascii(`contents of ${path}`)),
  })),
);

/** Status line, fields by name and body of the answer to a request. */
function ask(text: string) {
  const response = answerHttp(Uint8Array.from(ascii(text)), FILES);
  if (response === undefined) return undefined;
  const head = new TextDecoder().decode(response.head);
  const [status, ...lines] = head.slice(0, head.indexOf("\r\n\r\n")).split("\r\n");
  const fields = Object.fromEntries(lines.map((line) => line.split(": ")));
  const { content, start, length, closes, requestSize } = response;
  const rest = head.slice(head.indexOf("\r\n\r\n") + 4);
  const body = rest + new TextDecoder().decode(FILES.content(content).read(start, length));
  return { status: status?.slice(9), fields, body, closes, requestSize };
}

const get = (target: string, fields = "") =>
  ask(`GET ${target} HTTP/1.1\r\nHost: hindsight\r\n${fields}\r\n`);

Deno.test("answerHttp serves files by path", () => {
  const answer = get("/kernel");
  assertEquals([answer?.status, answer?.body, answer?.closes], ["200 OK", "contents of kernel", false]);
  assertEquals(answer?.fields, {
    Server: "hindsight",
    "Content-Type": "application/octet-stream",
    "Content-Length": "18",
    "Accept-Ranges": "bytes",
    Connection: "keep-alive",
  });
  assertEquals(get("/dir/a%20b?x=1#y")?.body, "contents of dir/a b");
  assertEquals(get("http://10.0.2.2:80/dir/deep/c")?.body, "contents of dir/deep/c");
  assertEquals([get("/empty")?.status, get("/empty")?.body], ["200 OK", ""]);
});

Deno.test("answerHttp lists folders", () => {
  assertEquals(get("/")?.body, "kernel\ndir/\nempty\n");
  assertEquals([get("/dir")?.body, get("/dir/")?.body], ["b\na b\ndeep/\n", "b\na b\ndeep/\n"]);
  assertEquals(get("http://hindsight")?.body, "kernel\ndir/\nempty\n");
});

Deno.test("answerHttp finds nothing outside", () => {
  for (const target of ["/missing", "/../kernel", "/dir/../kernel", "/dir/b/", "/kernel/x", "/%00"]) {
    const answer = get(target);
    if (target === "/dir/b/") continue;
    assertEquals([target, answer?.status, answer?.body], [target, "404 Not Found", "404 Not Found\n"]);
  }
});

Deno.test("answerHttp HEAD has the fields of GET and no body", () => {
  const answer = ask("HEAD /kernel HTTP/1.1\r\nHost: a\r\n\r\n");
  assertEquals([answer?.status, answer?.fields["Content-Length"], answer?.body], ["200 OK", "18", ""]);
  const missing = ask("HEAD /missing HTTP/1.1\r\nHost: a\r\n\r\n");
  assertEquals([missing?.status, missing?.fields["Content-Length"], missing?.body], [
    "404 Not Found",
    "14",
    "",
  ]);
});

Deno.test("answerHttp serves one range", () => {
  const range = (text: string) => {
    const { status, body, fields } = get("/kernel", `Range: ${text}\r\n`) ?? {};
    return [status?.slice(0, 3), body, fields?.["Content-Range"]];
  };
  assertEquals(range("bytes=0-3"), ["206", "cont", "bytes 0-3/18"]);
  assertEquals(range("bytes=12-"), ["206", "kernel", "bytes 12-17/18"]);
  assertEquals(range("bytes=-3"), ["206", "nel", "bytes 15-17/18"]);
  assertEquals(range("bytes=-99"), ["206", "contents of kernel", "bytes 0-17/18"]);
  assertEquals(range("bytes=12-99"), ["206", "kernel", "bytes 12-17/18"]);
  assertEquals(range("bytes=18-"), ["416", "416 Range Not Satisfiable\n", "bytes */18"]);
  assertEquals(range("bytes=-0"), ["416", "416 Range Not Satisfiable\n", "bytes */18"]);
  for (const whole of ["bytes=3-1", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=x"]) {
    assertEquals([whole, range(whole)[0]], [whole, "200"]);
  }
});

Deno.test("answerHttp refuses other methods and versions", () => {
  const answer = ask("PUT /kernel HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  assertEquals([answer?.status, answer?.fields["Allow"], answer?.closes], [
    "405 Method Not Allowed",
    "GET, HEAD",
    true,
  ]);
  assertEquals(ask("GET / HTTP/2.0\r\n\r\n")?.status, "505 HTTP Version Not Supported");
});

Deno.test("answerHttp refuses what it cannot read, and closes", () => {
  for (
    const text of [
      "\r\n\r\n",
      "GET /\r\n\r\n",
      "GET  / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    ]
  ) assertEquals([ask(text)?.status, ask(text)?.closes], ["400 Bad Request", true]);
  assertEquals(ask("GET / HTTP/1.1\r\n\r\n")?.status, "400 Bad Request");
  assertEquals(get("/%zz")?.status, "400 Bad Request");
});

Deno.test("answerHttp waits for the empty line, but not for ever", () => {
  assertEquals(ask("GET /kernel HTTP/1.1\r\nHost: a\r\n"), undefined);
  const long = `GET / HTTP/1.1\r\nHost: ${"a".repeat(8192)}`;
  assertEquals([ask(long)?.status, ask(long)?.closes], ["431 Request Header Fields Too Large", true]);
});

Deno.test("answerHttp closes when the client says so, in both versions' ways", () => {
  assertEquals(get("/", "Connection: close\r\n")?.closes, true);
  assertEquals(get("/", "connection: keep-alive, CLOSE\r\n")?.closes, true);
  assertEquals(get("/", "Transfer-Encoding: chunked\r\n")?.closes, true);
  assertEquals(ask("GET / HTTP/1.0\r\n\r\n")?.closes, true);
  assertEquals(ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")?.closes, false);
});

Deno.test("answerHttp takes bare line feeds, an empty line in front, and one request at a time", () => {
  assertEquals(ask("\r\nGET /kernel HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\n\n")?.requestSize, 2 + 21 + 8 + 1);
});

Deno.test("PeerFiles refuses two files of one path", () => {
  const file = { path: "a", contents: someBytes(1) };
  assertThrows(() => new PeerFiles([file, file]), ConfigurationError, 'Cannot serve two files as "a"');
});
