/** Accesses that several CPUs of a bare machine with EL3 make in turn: what `access_runner.s` reads and leaves. */

/** An access on the bus, a look at ISR_EL1 (`level`), or an instruction on X0. */
export interface RunnerAccess {
  /** What it is. */
  readonly kind: "read" | "write" | "level" | "execute";
  /** Who makes it. */
  readonly cpu: number;
  /** Through the Secure or the Non-secure view of the bus. */
  readonly secure: boolean;
  /** Bytes. */
  readonly size: number;
  /** Physical address; of an instruction the value of X0. */
  readonly address: number | bigint;
  /** What is written; of an instruction its word. */
  readonly value: number;
}

/** Where the runner and its table are. */
export const RUNNER = 0x4020_0000, TABLE = 0x4011_0000;

const NON_SECURE_VIEW = 2n ** 32n;
const KINDS = { read: 1, write: 2, level: 3, execute: 4 } as const;

/** The table as it is loaded. */
export function tableOf(accesses: readonly RunnerAccess[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(32 * (accesses.length + 1)));
  for (const [index, { kind, cpu, secure, size, address, value }] of accesses.entries()) {
    const at = 32 * index;
    for (const [word, field] of [KINDS[kind], size, cpu, value].entries()) {
      view.setUint32(at + 4 * word, field, true);
    }
    view.setBigUint64(at + 16, BigInt(address) + (secure ? 0n : NON_SECURE_VIEW), true);
  }
  return new Uint8Array(view.buffer);
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The runner's instructions. */
export function assembleRunner(): Promise<Uint8Array> {
  return inFolder(async (folder) => {
    const source = new URL("access_runner.s", import.meta.url).pathname;
    await run("llvm-mc", "-triple=aarch64", "-filetype=obj", source, "-o", `${folder}/runner.o`);
    await run("llvm-objcopy", "-O", "binary", "-j", ".text", `${folder}/runner.o`, `${folder}/runner.bin`);
    return Deno.readFile(`${folder}/runner.bin`);
  });
}

/** The accesses as QEMU carries them out on a machine with EL3; the value of each. */
export function onQemu(
  accesses: readonly RunnerAccess[],
  cpus: number,
  machine: string,
): Promise<Uint32Array> {
  return inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/runner.bin`, await assembleRunner());
    await Deno.writeFile(`${folder}/table.bin`, tableOf(accesses));
    await run(
      "qemu-system-aarch64",
      ...`-M ${machine} -accel tcg,thread=single -cpu cortex-a57 -m 128 -nodefaults -display none`.split(" "),
      ...`-smp ${cpus} -serial file:${folder}/values.bin -semihosting-config enable=on,target=native`.split(
        " ",
      ),
      "-device",
      `loader,file=${folder}/runner.bin,addr=${RUNNER},force-raw=on`,
      "-device",
      `loader,file=${folder}/table.bin,addr=${TABLE},force-raw=on`,
      ...Array.from({ length: cpus }, (_, cpu) => ["-device", `loader,addr=${RUNNER},cpu-num=${cpu}`]).flat(),
    );
    const values = await Deno.readFile(`${folder}/values.bin`);
    return new Uint32Array(values.buffer, 0, accesses.length);
  });
}
