/** A small client of gdb's remote serial protocol: sends packets, waits for replies. */

const decoder = new TextDecoder("latin1"), encoder = new TextEncoder();

/** A connection to a server on this computer. */
export class GdbClient {
  #text = "";
  #isQuiet = false;
  readonly #buffer = new Uint8Array(65536);

  private constructor(private readonly connection: Deno.TcpConn) {}

  /** Connects to a server that may still be starting, and agrees on going without acknowledgements. */
  static async connect(port: number, seconds = 60): Promise<GdbClient> {
    const until = performance.now() + seconds * 1000;
    for (;;) {
      try {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        connection.setNoDelay();
        const client = new GdbClient(connection);
        await client.ask("qSupported:multiprocess+;hwbreak+;swbreak+");
        client.#isQuiet = await client.ask("QStartNoAckMode") === "OK";
        return client;
      } catch (error) {
        if (performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** Sends a packet; the reply to it. Text that a command prints comes before, in packets that begin with `O`. */
  async ask(packet: string): Promise<string> {
    const bytes = encoder.encode(packet);
    const sum = bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
    await this.connection.write(encoder.encode(`$${packet}#${sum.toString(16).padStart(2, "0")}`));
    return await this.reply();
  }

  /** The next packet. */
  async reply(): Promise<string> {
    for (;;) {
      const found = /\$([^#]*)#[0-9a-fA-F]{2}/.exec(this.#text);
      if (found !== null) {
        this.#text = this.#text.slice(found.index + found[0].length);
        // One more small packet would wait for the last to be acknowledged.
        if (!this.#isQuiet) await this.connection.write(encoder.encode("+"));
        return found[1] as string;
      }
      const count = await this.connection.read(this.#buffer);
      if (count === null) throw new Error("The server closed the connection");
      this.#text += decoder.decode(this.#buffer.subarray(0, count));
    }
  }

  /** Runs a command of the server's monitor; what it printed. */
  async monitor(command: string): Promise<string> {
    const hex = [...encoder.encode(command)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    let text = "";
    for (let reply = await this.ask(`qRcmd,${hex}`);; reply = await this.reply()) {
      if (!reply.startsWith("O") || reply === "OK") return text;
      text += decoder.decode(Uint8Array.fromHex(reply.slice(1)));
    }
  }

  /** Sends a packet and waits for the stop that follows; milliseconds that took, and the stop's packet. */
  async timed(packet: string): Promise<{ readonly milliseconds: number; readonly stop: string }> {
    const started = performance.now();
    let stop = await this.ask(packet);
    while (stop.startsWith("O")) stop = await this.reply();
    return { milliseconds: performance.now() - started, stop };
  }

  /** Ends the connection. */
  close(): void {
    this.connection.close();
  }
}
