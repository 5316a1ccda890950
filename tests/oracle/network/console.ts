/** A guest in QEMU whose console is typed at and waited for. */

/** Time for what is waited for, in milliseconds. */
const PATIENCE = 120_000;

/** A running guest. */
export class GuestConsole {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #text = "";
  /** What is before it was waited for. */
  #seen = 0;
  #isOver = false;
  #heard: () => void = () => {};

  /** Starts qemu-system-aarch64. */
  constructor(args: readonly string[]) {
    this.#process = new Deno.Command("qemu-system-aarch64", {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#listen();
  }

  async #listen(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stdout) {
      this.#text += decoder.decode(chunk, { stream: true });
      this.#heard();
    }
    this.#isOver = true;
    this.#heard();
  }

  /** Waits for a text behind what was waited for before; gives all up to its end. */
  async expect(pattern: RegExp): Promise<string> {
    const timeout = AbortSignal.timeout(PATIENCE);
    for (;;) {
      const found = pattern.exec(this.#text.slice(this.#seen));
      if (found !== null) {
        const text = this.#text.slice(this.#seen, this.#seen + found.index + found[0].length);
        this.#seen += text.length;
        return text;
      }
      if (timeout.aborted || this.#isOver) {
        throw new Error(`The guest did not write ${pattern}, but ${JSON.stringify(this.#text.slice(-500))}`);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#heard = resolve;
      timeout.addEventListener("abort", () => resolve(), { once: true });
      await promise;
    }
  }

  /** Types. */
  async send(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text));
  }

  /** Ends the guest. */
  async end(): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It had ended.
    }
    await this.#process.status;
    await this.#input.close().catch(() => {});
  }
}
