/** The debug adapter under the client that Microsoft tests adapters with, at a process of its own. */
import { assertEquals, assertMatch } from "@std/assert";
import { DebugClient } from "@vscode/debugadapter-testsupport";
import { ECHO, record, TestFolder } from "../support.ts";

/** Starts an adapter that serves a port, and connects. */
async function withClient(work: (client: DebugClient) => Promise<void>): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", "--allow-all", "cli/main.ts", "dap", "--port", "0", "--json"],
    stdout: "piped",
    stderr: "inherit",
  });
  const adapter = command.spawn(), reader = adapter.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const client = new DebugClient("deno", "", "hindsight");
  try {
    const { value = "" } = await reader.read();
    await client.start(JSON.parse(value).port);
    await work(client);
    await client.stop();
  } finally {
    adapter.kill();
    await reader.cancel();
    await adapter.status;
  }
}

Deno.test("the client of vscode-debugadapter goes forward and back in a run", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "traps", ECHO);
  await withClient(async (client) => {
    const stoppedBy = async (request: () => Promise<unknown>) => {
      const stopped = client.waitForEvent("stopped", 30_000);
      await request();
      return (await stopped).body;
    };
    const thread = { threadId: 1 };
    const { body } = await client.initializeRequest();
    assertEquals([body?.supportsStepBack, body?.supportsDataBreakpoints], [true, true]);
    const initialized = client.waitForEvent("initialized");
    await client.launchRequest({ run, stopAt: 40 } as never);
    await initialized;
    assertEquals((await stoppedBy(() => client.configurationDoneRequest())).reason, "goto");

    const [frame] = (await client.stackTraceRequest(thread)).body.stackFrames;
    const { scopes } = (await client.scopesRequest({ frameId: frame!.id })).body;
    const { variables } = (await client.variablesRequest(scopes[0]!)).body;
    const pc = variables.find(({ name }) => name === "pc")!.value;
    assertEquals(BigInt(pc), BigInt(frame!.instructionPointerReference!));
    const { content } =
      (await client.sourceRequest({ sourceReference: frame!.source!.sourceReference! })).body;
    assertEquals(BigInt(content.split("\n")[frame!.line - 1]!.split(" ")[0]!), BigInt(pc));

    await stoppedBy(() => client.stepInRequest(thread));
    await stoppedBy(() => client.stepBackRequest(thread));
    const [again] = (await client.stackTraceRequest(thread)).body.stackFrames;
    assertEquals(again!.instructionPointerReference, frame!.instructionPointerReference);

    const { dataId } = (await client.dataBreakpointInfoRequest({ name: "phys:0x9000000,4" })).body;
    await client.setDataBreakpointsRequest({ breakpoints: [{ dataId: dataId!, accessType: "write" }] });
    assertEquals((await stoppedBy(() => client.continueRequest(thread))).reason, "data breakpoint");
    await client.setDataBreakpointsRequest({ breakpoints: [] });
    assertEquals(
      (await stoppedBy(() => client.reverseContinueRequest(thread))).reason,
      "beginning of the run",
    );
    const where = (await client.evaluateRequest({ expression: "instant", context: "repl" })).body.result;
    assertMatch(where, /^instant 0 of 0 to/);
    assertMatch(
      await client.customRequest("writeMemory", { memoryReference: "0", data: "" }).then(
        () => "",
        (error) => error.message,
      ),
      /hindsight fork/,
    );
  });
});
