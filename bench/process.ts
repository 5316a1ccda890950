/** What a whole process of ours costs: time to the first guest instruction, and memory beside the guest's. */
import { COUNTER_GUEST_BASE, COUNTER_GUEST_SOURCE } from "../firmware/counter_guest.ts";
import { assembleProgram } from "../machine/a64/program.ts";

const CLI = new URL("../cli/main.ts", import.meta.url).pathname;

/** A guest whose third instruction writes to the console; then it powers off. */
const FIRST_BYTE = `
        mov     x0, #0x9000000
        mov     w1, #'x'
        strb    w1, [x0]
        ldr     x0, =0x84000008
        hvc     #0
        .ltorg
`;

/** Runs `hindsight record` on a guest; gives what `use` says of the process started at a time in ms. */
async function record<T>(
  source: string,
  args: readonly string[],
  use: (child: Deno.ChildProcess, started: number) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir(), kernel = `${folder}/guest.bin`;
  const { bytes } = assembleProgram(source, { name: "guest", base: COUNTER_GUEST_BASE });
  await Deno.writeFile(kernel, bytes);
  const command = ["record", "-o", `${folder}/run.hindsight`, "--kernel", kernel, ...args];
  try {
    const started = performance.now();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-read", "--allow-write", CLI, ...command],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    return await use(child, started);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Seconds from starting Deno to the first byte that the guest's third instruction writes to the console. */
export function measureStart(engine: string): Promise<number | undefined> {
  return record(FIRST_BYTE, ["--engine", engine], async (child, started) => {
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    const seconds = (performance.now() - started) / 1000;
    await reader.cancel();
    await child.status;
    return done ? undefined : seconds;
  });
}

/** Milliseconds between two looks at a process. */
const LOOK = 50;

/** The most memory that a process holds, in words: its resident set, and that less the RAM of the guest. */
export function measureMemory(engine: string): Promise<string> {
  return record(
    COUNTER_GUEST_SOURCE,
    ["--engine", engine, "--smp", "2", "--until", "3000000"],
    async (child) => {
      let resident = 0, isDone = false;
      const status = child.output().then(() => (isDone = true));
      while (!isDone) {
        resident = Math.max(resident, residentBytes(child.pid));
        await new Promise((resolve) => setTimeout(resolve, LOOK));
      }
      await status;
      const size = resident / 2 ** 20;
      return `${size.toFixed(0)} MiB resident at most, guest pages that were touched included`;
    },
  );
}

function residentBytes(pid: number): number {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}
