/** Boots on `qemu-system-aarch64`, typed at as the script says. */
import { type Boot, machineOptions, type Step } from "./rows.ts";

/** The program. */
export const QEMU = "qemu-system-aarch64";

/** What is given to QEMU besides, so that nothing is plugged in that was not asked for. */
export const PLAIN = ["-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio"];

/** What a boot on QEMU came to. */
export interface QemuRun {
  /** All that the console wrote. */
  readonly text: string;
  /** Wall time in milliseconds. */
  readonly milliseconds: number;
}

/**
 * Runs a script on QEMU up to power-off.
 *
 * @throws {Error} when a text never comes, in the time given or at all
 */
export async function runOnQemu(
  options: readonly string[],
  steps: readonly Step[],
  seconds: number,
): Promise<QemuRun> {
  const started = performance.now();
  const process = new Deno.Command(QEMU, {
    args: [...options, ...PLAIN],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timeout = setTimeout(() => process.kill("SIGKILL"), seconds * 1000);
  const keyboard = process.stdin.getWriter();
  const left = [...steps];
  let text = "", seen = 0;
  for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let step = left[0]; step !== undefined; step = left[0]) {
      if ("send" in step) await keyboard.write(new TextEncoder().encode(step.send)).catch(() => {});
      else {
        const found = text.indexOf(step.expect, seen);
        if (found < 0) break;
        seen = found + step.expect.length;
      }
      left.shift();
    }
  }
  clearTimeout(timeout);
  await keyboard.close().catch(() => {});
  await process.status;
  const missing = left.find((step) => "expect" in step);
  if (missing !== undefined) {
    throw new Error(
      `${QEMU} never printed ${JSON.stringify(missing.expect)} but ended with:\n${text.slice(-600)}`,
    );
  }
  return { text, milliseconds: performance.now() - started };
}

/** A row's boot on QEMU. */
export function bootOnQemu(boot: Boot, steps: readonly Step[], seconds: number): Promise<QemuRun> {
  return runOnQemu([...machineOptions(boot), ...boot.options], steps, seconds);
}
