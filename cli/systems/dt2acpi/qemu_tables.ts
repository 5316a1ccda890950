/** QEMU's own ACPI tables, read live: qtest reads the files of fw_cfg, and our reader carries out QEMU's script. */
import { LOADER_FILES, runTableLoader } from "../../../firmware/acpi/table_loader.ts";
import type { PlacedTable } from "../../../firmware/acpi/table.ts";
import { readTables } from "../../../firmware/acpi/tables_reader.ts";
import { CommandError } from "../../errors.ts";
import { QEMU, SkippedError } from "../qemu.ts";

/** Registers of fw_cfg, and RAM where requests and answers go. */
const DMA_REGISTER = 0x0902_0010, REQUEST_AT = 0x4000_0000, ANSWER_AT = 0x4010_0000;
const SELECT_AND_READ = 1 << 3 | 1 << 1;
const DIRECTORY = 0x19, ENTRY = 64, MOST_FILES = 64;

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const swapped = (value: number): number => new DataView(new Uint32Array([value]).buffer).getUint32(0);

/** Commands that read `size` bytes of an item into RAM and tell them; the last answers with the bytes. */
function readItem(selector: number, size: number): string[] {
  const request = new DataView(new ArrayBuffer(16));
  request.setUint32(0, selector << 16 | SELECT_AND_READ);
  request.setUint32(4, size);
  request.setBigUint64(8, BigInt(ANSWER_AT));
  const digits = Array.from(new Uint8Array(request.buffer), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  return [
    `write ${hex(REQUEST_AT)} 16 0x${digits}`,
    `writel ${hex(DMA_REGISTER)} 0x0`,
    `writel ${hex(DMA_REGISTER + 4)} ${hex(swapped(REQUEST_AT))}`,
    `read ${hex(ANSWER_AT)} ${hex(size)}`,
  ];
}

function bytesOf(line: string): Uint8Array {
  const digits = line.match(/^OK 0x([0-9a-f]*)$/)?.[1];
  if (digits === undefined) throw new CommandError(`${QEMU} answered to qtest: ${line}`);
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16),
  );
}

/** A QEMU that stands still and answers qtest. */
class Qtest implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(options: readonly string[]) {
    if (Deno.permissions.querySync({ name: "run", command: QEMU }).state !== "granted") {
      throw new SkippedError(`needs QEMU; Deno has to be told: --allow-run=${QEMU}`);
    }
    const args = [
      ...options,
      "-nodefaults",
      "-display",
      "none",
      "-monitor",
      "none",
      "-S",
      "-qtest",
      "stdio",
      "-qtest-log",
      "none",
    ];
    try {
      this.#process = new Deno.Command(QEMU, { args, stdin: "piped", stdout: "piped", stderr: "null" })
        .spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new SkippedError("needs QEMU, which is not installed (Debian: qemu-system-arm)");
    }
    this.#writer = this.#process.stdin.getWriter();
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async #line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new CommandError(`${QEMU} ended while it was asked by qtest`);
      this.#rest += value;
    }
    const at = this.#rest.indexOf("\n"), line = this.#rest.slice(0, at);
    this.#rest = this.#rest.slice(at + 1);
    return line;
  }

  /** The bytes that the last of some commands answers with. */
  async ask(commands: readonly string[]): Promise<Uint8Array> {
    let last = "";
    for (const command of commands) {
      await this.#writer.write(new TextEncoder().encode(`${command}\n`));
      last = await this.#line();
    }
    return bytesOf(last);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#reader.cancel();
    await this.#writer.close().catch(() => {});
    await this.#process.status;
  }
}

/** The tables that QEMU makes for a machine; options as on its command line. */
export async function qemuTables(options: readonly string[]): Promise<readonly PlacedTable[]> {
  await using qemu = new Qtest(options);
  const directory = new DataView((await qemu.ask(readItem(DIRECTORY, 4 + MOST_FILES * ENTRY))).buffer);
  const files = new Map<string, Uint8Array>();
  for (let index = 0; index < directory.getUint32(0); index++) {
    const at = 4 + index * ENTRY,
      name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 8, ENTRY - 8));
    const plain = name.replace(/\0.*$/s, "");
    if (!Object.values<string>(LOADER_FILES).includes(plain)) continue;
    files.set(plain, await qemu.ask(readItem(directory.getUint16(at + 4), directory.getUint32(at))));
  }
  const script = files.get(LOADER_FILES.script);
  if (script === undefined) throw new CommandError(`${QEMU} has no ${LOADER_FILES.script}`);
  const { memory, rsdp } = runTableLoader(script, files, ANSWER_AT),
    { tables, problems } = readTables(memory, rsdp);
  if (problems.length > 0) throw new CommandError(`QEMU's own tables: ${problems.join("; ")}`);
  return tables;
}
