/** `hindsight dap` as an editor starts it: on standard input and output. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeMessage, MessageReader } from "../../../cli/dap/framing.ts";
import type { Message } from "../dap/support.ts";
import { ECHO, hindsight, record, TestFolder } from "../support.ts";

const request = (seq: number, command: string, args?: object): string =>
  new TextDecoder().decode(encodeMessage({ seq, type: "request", command, arguments: args }));

function messages(out: string): Message[] {
  return [...new MessageReader().push(new TextEncoder().encode(out))].map((incoming) => {
    assert(incoming.kind === "message");
    return incoming.value as Message;
  });
}

Deno.test("dap serves the editor that started it, and ends with it", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "traps", ECHO);
  const typed = [
    request(1, "initialize", { linesStartAt1: true }),
    request(2, "launch", { run, stopAt: 50 }),
    request(3, "configurationDone"),
  ].join("");
  const later = [request(4, "stackTrace", { threadId: 1 }), request(5, "disconnect")].join("");
  const { code, out } = await hindsight(["dap"], { typed: [[1, typed], [2000, later]] });
  assertEquals(code, 0);
  const all = messages(out), stopped = all.find(({ event }) => event === "stopped");
  assertEquals(stopped?.body.description, "At instant 50");
  assertEquals(all.filter(({ success }) => success === true).map(({ request_seq }) => request_seq), [
    1,
    2,
    3,
    4,
    5,
  ]);
});

Deno.test("dap says what is wrong with a launch in its answer, and with bytes on standard error", async () => {
  const typed = `rubbish\r\n\r\n${request(1, "launch", { run: "/nowhere/at/all" })}${
    request(2, "disconnect")
  }`;
  const { code, out, err } = await hindsight(["dap"], { typed: [[1, typed]] });
  assertEquals(code, 0);
  assertMatch(messages(out)[0]?.message ?? "", /nowhere/);
  assertMatch(err, /no Content-Length/);
});

Deno.test("dap takes no operand, and a port that can be", async () => {
  assertEquals((await hindsight(["dap", "x.hindsight"])).code, 2);
  assertEquals((await hindsight(["dap", "--port", "70000"])).code, 2);
});
