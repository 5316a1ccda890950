/** Tests of gdb's port: at a recorded run, and at a machine that is being recorded. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodePacket, PacketReader, toHex } from "../../../machine/debugger_packets.ts";
import { type Host, processHost } from "../../../cli/host/host.ts";
import { silentHost } from "../../../cli/host/silent_host.ts";
import { main } from "../../../cli/main.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ECHO, guestProgram, hindsight, record, TestFolder } from "../support.ts";

/** A process with real time, whose outputs are kept, and that can be interrupted. */
class RealHost {
  out = "";
  err = "";
  interrupt: () => void = () => {};
  readonly host: Host;
  readonly #told: (() => void)[] = [];

  constructor() {
    const output = (write: (text: string) => void) => ({
      isTerminal: false,
      isColoured: false,
      write: (data: string | Uint8Array) => {
        write(typeof data === "string" ? data : new TextDecoder().decode(data));
        for (const tell of this.#told.splice(0)) tell();
      },
    });
    this.host = {
      ...silentHost,
      stdout: output((text) => void (this.out += text)),
      stderr: output((text) => void (this.err += text)),
      breathe: processHost.breathe,
      sleep: processHost.sleep,
      onInterrupt: (listener) => {
        this.interrupt = listener;
        return () => {};
      },
    };
  }

  /** The port, once it was told. */
  async port(): Promise<number> {
    for (;;) {
      const [, digits] = /127\.0\.0\.1:(\d+)|"port":(\d+)/.exec(this.err + this.out)?.filter((text) =>
        text
      ) ?? [];
      if (digits !== undefined) return Number(digits);
      await new Promise<void>((resolve) => void this.#told.push(resolve));
    }
  }
}

/** gdb's side of a socket. */
class Remote {
  readonly #reader = new PacketReader();
  #replies: string[] = [];

  private constructor(private readonly connection: Deno.TcpConn) {}

  static async connect(port: number): Promise<Remote> {
    const remote = new Remote(await Deno.connect({ hostname: "127.0.0.1", port }));
    await remote.ask("QStartNoAckMode");
    return remote;
  }

  /** Sends bytes as they are. */
  async send(bytes: Uint8Array): Promise<void> {
    await this.connection.write(bytes);
  }

  /** The next packet; undefined when the connection is closed. */
  async reply(): Promise<string | undefined> {
    const buffer = new Uint8Array(65536);
    while (this.#replies.length === 0) {
      const count = await this.connection.read(buffer);
      if (count === null) return undefined;
      for (const incoming of this.#reader.push(buffer.subarray(0, count))) {
        if (incoming.kind === "packet") this.#replies.push(incoming.payload);
      }
    }
    return this.#replies.shift();
  }

  async ask(payload: string): Promise<string> {
    await this.send(encodePacket(payload));
    return await this.reply() ?? "closed";
  }

  close(): void {
    this.connection.close();
  }
}

const address = (name: string): string => guestProgram().symbols.get(name)!.toString(16);

Deno.test("gdb serves one client after the other on loopback, until it is interrupted", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "a.hindsight", ECHO);
  const process = new RealHost();
  const ended = main(["gdb", run, "--port", "0", "--json"], process.host);
  const port = await process.port();
  assertEquals(JSON.parse(process.out), { address: "127.0.0.1", port });

  const first = await Remote.connect(port);
  assertEquals(await first.ask(`Z0,${address("prompt")},4`), "OK");
  assertMatch(await first.ask("c"), /^T05thread:1/);
  assertEquals(await first.ask("D"), "OK");
  assertEquals(await first.reply(), undefined);
  first.close();

  // Where the first one left it, and without its breakpoints.
  const second = await Remote.connect(port);
  assertEquals(await second.ask("p20"), (await second.ask("?")).match(/20:([0-9a-f]{16});/)![1]);
  assertMatch(await second.ask("bc"), /^T05replaylog:begin/);
  await second.send(Uint8Array.of(...encodePacket("c")));
  assertMatch((await second.reply())!, /^T05replaylog:end/);
  second.close();

  const third = await Remote.connect(port);
  process.interrupt();
  assertEquals(await third.reply(), undefined);
  third.close();
  assertEquals(await ended, 0, process.err);
});

Deno.test("gdb refuses --port with --stdio, and an instant that is not one of the run", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "a.hindsight", ECHO);
  const both = await hindsight(["gdb", run, "--stdio", "--port", "1"]);
  assertEquals([both.code, both.err.includes("not both")], [2, true]);
  const late = await hindsight(["gdb", run, "--stdio", "--at", "99999999999"]);
  assertEquals([late.code, late.err.includes("the run ends at instant")], [2, true]);
});

Deno.test("gdb --stdio serves the client that started it", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "a.hindsight", ECHO);
  const packets = ["QStartNoAckMode", "p20", "D"].map((text) => new TextDecoder().decode(encodePacket(text)));
  const { code, out } = await hindsight(["gdb", run, "--stdio"], { typed: [[1, packets.join("")]] });
  assertEquals([code, out], [0, "+$OK#9a$0000004000000000#04$OK#9a"]);
});

Deno.test("record -gdb -S waits for gdb, is broken into and stepped, and its journal is the same as without", async () => {
  using folder = new TestFolder();
  const plain = await record(folder, "plain.hindsight", ECHO);
  const process = new RealHost();
  const script = folder.write("script", ECHO);
  const args = folder.record("live.hindsight", "--script", script, "-gdb", "tcp::0", "-S");
  const ended = main(args, process.host);
  const remote = await Remote.connect(await process.port());
  assertMatch(await remote.ask("?"), /^T05thread:1;core:0;.*20:0000004000000000;/);
  assertEquals((await remote.ask("qSupported:swbreak+")).includes("Reverse"), false);
  await remote.ask(`Z0,${address("next")},4`);
  assertMatch(await remote.ask("vCont;c"), /^T05swbreak:;thread:1/);
  assertMatch(await remote.ask("vCont;s:1"), /^T05thread:1/);
  assertEquals(
    await remote.ask("p20"),
    toHex(Uint8Array.of(...littleEndian(guestProgram().symbols.get("next")! + 4n))),
  );
  assertEquals(await remote.ask("bs"), "E01");
  assertEquals(await remote.ask("P0=0000000000000000"), "E01");
  await remote.ask(`z0,${address("next")},4`);
  assertEquals(await remote.ask("vCont;c"), `O${toHex(refusal(process.err))}`);
  assertEquals(await remote.reply(), "W00");
  remote.close();
  assertEquals(await ended, 0, process.err);
  assertEquals((await hindsight(["diff", plain, folder.path("live.hindsight")])).code, 0);
});

function littleEndian(value: bigint): number[] {
  return Array.from({ length: 8 }, (_, index) => Number(value >> BigInt(8 * index) & 0xffn));
}

function refusal(err: string): string {
  return /hindsight: (Changing [^\r]*)/.exec(err)![1]! + "\n";
}

Deno.test("a client may come to a machine that runs, stop it by Ctrl-C, and end its recording", async () => {
  using folder = new TestFolder();
  const process = new RealHost();
  const program = assembleProgram("start: add x0, x0, #1\n b start", { base: 0x40080000n });
  const kernel = folder.write("spin.bin", program.bytes), run = folder.path("live.hindsight");
  const script = folder.write("script", "");
  const args = [
    "record",
    "-kernel",
    kernel,
    "-m",
    "8",
    "--script",
    script,
    "-o",
    run,
    "--gdb",
    "0",
    "--engine",
    "reference",
  ];
  const ended = main(args, process.host);
  const remote = await Remote.connect(await process.port());
  assertMatch(await remote.ask("?"), /^T05/);
  await remote.send(encodePacket("vCont;c"));
  await remote.send(Uint8Array.of(3));
  assertMatch((await remote.reply())!, /^T02thread:1/);
  assertMatch(await remote.ask("vCont;s:1"), /^T05thread:1/);
  assertEquals(await remote.ask("D"), "OK");
  remote.close();
  const other = await Remote.connect(await process.port());
  assertMatch(await other.ask(`qRcmd,${toHex("record end")}`), /^O/);
  assertEquals(await other.reply(), "OK");
  assertEquals(await other.reply(), undefined);
  other.close();
  assertEquals(await ended, 0, process.err);
  assertStringIncludes(process.err, "operator");
  assertEquals((await hindsight(["replay", run])).code, 0);
});

Deno.test("-gdb and -S are refused where they make no sense", async () => {
  using folder = new TestFolder();
  for (
    const [args, message] of [[["-gdb", "tcp:0.0.0.0:1"], "only this computer"], [
      ["-gdb", "unix:x"],
      "tcp::1234",
    ], [["-S"], "-s or -gdb"]] as const
  ) {
    const { code, err } = await hindsight(folder.record("x", ...args));
    assertEquals(code, 2);
    assertStringIncludes(err, message);
  }
});
