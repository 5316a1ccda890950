/** QEMU as an outsider for device models: sends accesses over its qtest protocol and notes what the guest would see. */
import { TextLineStream } from "@std/streams";

/** Levels of the CPU's inputs, in QEMU's order: IRQ, FIQ, virtual IRQ, virtual FIQ. */
export type Levels = [boolean, boolean, boolean, boolean];

/** A stopped QEMU `virt` whose memory map is driven from outside. */
export class Qtest {
  /** Levels of CPU 0's inputs after the last command. */
  readonly levels: Levels = [false, false, false, false];
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#lines = process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
      .getReader();
    this.#writer = process.stdin.getWriter();
  }

  /** Starts `qemu-system-aarch64 -M virt` with more options, and watches the inputs of CPU 0. */
  static async start(options: string[]): Promise<Qtest> {
    const fixed = "-cpu cortex-a57 -accel tcg -S -display none -nodefaults -qtest stdio".split(" ");
    const args = [...fixed, "-rtc", "base=2026-01-01T00:00:00,clock=vm", ...options];
    const command = new Deno.Command("qemu-system-aarch64", {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    });
    const qtest = new Qtest(command.spawn());
    await qtest.command("irq_intercept_in /machine/unattached/device[0]");
    return qtest;
  }

  /** Sends one command and returns the words of the answer. */
  async command(text: string): Promise<string[]> {
    await this.#writer.write(new TextEncoder().encode(text + "\n"));
    for (;;) {
      const { value } = await this.#lines.read();
      if (value === undefined) throw new Error(`QEMU ended at "${text}"`);
      const words = value.split(" ");
      if (words[0] === "OK") return words.slice(1);
      if (words[0] !== "IRQ") throw new Error(`QEMU answers "${value}" to "${text}"`);
      const line = Number(words[2]);
      if (line < 4) this.levels[line] = words[1] === "raise";
    }
  }

  /** Reads 1, 2 or 4 bytes. */
  async read(address: number, size: number): Promise<number> {
    const [value] = await this.command(`read${{ 1: "b", 2: "w", 4: "l" }[size]} 0x${address.toString(16)}`);
    return Number(value);
  }

  /** Writes 1, 2 or 4 bytes. */
  async write(address: number, size: number, value: number): Promise<void> {
    const operation = `write${{ 1: "b", 2: "w", 4: "l" }[size]}`;
    await this.command(`${operation} 0x${address.toString(16)} 0x${(value >>> 0).toString(16)}`);
  }

  /** Drives an input of the interrupt controller: shared interrupts from 32 on, private ones of CPU 0 below. */
  async setInterrupt(interrupt: number, level: boolean): Promise<void> {
    const input = interrupt >= 32 ? interrupt - 32 : 256 + interrupt;
    await this.command(
      `set_irq_in /machine/unattached/device[1] unnamed-gpio-in ${input} ${level ? 1 : 0}`,
    );
  }

  /** Drives a line of the GPIO. */
  async setGpio(line: number, level: boolean): Promise<void> {
    await this.command(`set_irq_in /machine/unattached/device[6] unnamed-gpio-in ${line} ${level ? 1 : 0}`);
  }

  /** Waits until all of QEMU sleeps, and no thread ran between two looks: what was asked of its disks is done. */
  async rest(): Promise<void> {
    const threads = `grep -hE "^State|ctxt_switches" /proc/${this.#process.pid}/task/*/status`;
    for (let before = "";;) {
      const { stdout } = await new Deno.Command("sh", { args: ["-c", threads] }).output();
      const now = new TextDecoder().decode(stdout);
      if (now === before && now !== "" && !/State:\s+[^S]/.test(now)) return;
      before = now;
    }
  }

  /** Ends QEMU. */
  async stop(): Promise<void> {
    this.#process.kill();
    await this.#process.status;
    await this.#lines.cancel();
    await this.#writer.abort().catch(() => {});
  }
}
