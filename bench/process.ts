/** What a whole process of ours costs: time to the first guest instruction, and memory beside the guest's. */
import { COUNTER_GUEST_BASE, COUNTER_GUEST_SOURCE } from "../firmware/counter_guest.ts";
import { assembleProgram } from "../machine/a64/program.ts";

const CLI = new URL("../cli/main.ts", import.meta.url).pathname;

/** Runs `hindsight record` on the embedded guest; gives seconds and what `use` says of the running process. */
async function record<T>(args: readonly string[], use: (child: Deno.ChildProcess) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir(), kernel = `${folder}/guest.bin`;
  const { bytes } = assembleProgram(COUNTER_GUEST_SOURCE, {
    name: "counter_guest",
    base: COUNTER_GUEST_BASE,
  });
  await Deno.writeFile(kernel, bytes);
  const command = ["record", "-o", `${folder}/run.hindsight`, "--kernel", kernel, ...args];
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-read", "--allow-write", CLI, ...command],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    return await use(child);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Seconds from starting Deno to the end of a recording of one step: what comes after that step counts too. */
export function measureStart(engine: string): Promise<number | undefined> {
  const started = performance.now();
  return record(["--engine", engine, "--until", "1"], async (child) => {
    const { success } = await child.status;
    return success ? (performance.now() - started) / 1000 : undefined;
  });
}

/** Milliseconds between two looks at a process. */
const LOOK = 50;

/** The most memory that a process holds, in words: its resident set, and that less the RAM of the guest. */
export function measureMemory(engine: string): Promise<string> {
  return record(["--engine", engine, "--smp", "2", "--until", "3000000"], async (child) => {
    let resident = 0, isDone = false;
    const status = child.status.then(() => (isDone = true));
    while (!isDone) {
      resident = Math.max(resident, residentBytes(child.pid));
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
    await status;
    const size = resident / 2 ** 20;
    return `${size.toFixed(0)} MiB resident at most, guest pages that were touched included`;
  });
}

function residentBytes(pid: number): number {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}
